"""How much the pose of a picture shows in its shape code."""

from __future__ import annotations

import math

from torch import Tensor

from benchbench.core.errors import ShapeError


def pose_entanglement(codes: Tensor) -> float:
    """Spread of one object's shape codes over its views, relative to the spread between objects.

    With z_ov the code of object o seen from view v, m_o an object's mean and m the mean of those,
    this is sqrt(mean over o, v of |z_ov - m_o|^2 / mean over o of |m_o - m|^2). 0: the code says
    nothing of the pose. 1: turning an object moves its code as far as taking another object.

    Args:
        codes: (objects, K, D), at least two objects.

    Returns:
        At least 0; infinity where all objects have the same mean code. Invariant to shifts,
        rotations and scales of the codes.

    Raises:
        ShapeError: Another shape.

    Example:
        Two objects at 0 and 8 whose codes move by 1 with the view:

        >>> import torch
        >>> pose_entanglement(torch.tensor([[[-1.0], [1.0]], [[7.0], [9.0]]]))
        0.25
    """
    if codes.ndim != 3 or len(codes) < 2 or not codes.numel():
        raise ShapeError("pose_entanglement", "codes", "(objects >= 2, K, D)", tuple(codes.shape))
    exact = codes.double()
    means = exact.mean(1)
    within = ((exact - means[:, None]) ** 2).sum(-1).mean()
    between = ((means - means.mean(0)) ** 2).sum(-1).mean()
    if between == 0:
        return math.inf
    return float((within / between).sqrt())
