"""Evaluation protocols: what a number means, fixed once and never changed.

`specs` holds the records (light), `registry` finds them by name, `iou`, `surface` and `dibr` hold
the arithmetic.
"""
