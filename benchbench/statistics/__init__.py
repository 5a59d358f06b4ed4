"""How sure a number is, and whether two numbers differ: intervals, tests, ranks.

`sample` arranges per-object scores by class and unit, `resampling` draws from it; the others ask
one question each. Needs numpy and scipy, neither data nor torch. Every draw is keyed, so the same
scores give the same answer in any order and on any machine.
"""
