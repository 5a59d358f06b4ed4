"""Slow twins of the kernels in plain torch and numpy: the readable definition of each op.

They serve where no compiler is, and the tests compare every operation with them.
"""
