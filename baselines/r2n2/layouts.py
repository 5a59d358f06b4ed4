"""Between the original's layouts of weights and torch's.

The original's kernels are those of true convolutions, torch's of correlations: every spatial axis
is flipped. 3D kernels are (out, x, in, y, z) there, dense layers (in, out), and the columns of the
gates' input matrices run over (x, channel, y, z) where the network here has (channel, x, y, z).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchbench.baselines.r2n2.architecture import STATE_SIDE

Array = NDArray[Any]


def from_original(name: str, value: Array) -> NDArray[np.float32]:
    """A tensor in torch's layout.

    Args:
        name: Its original name; one that ends with ".Wx" is a gate's input matrix.
        value: In the original's layout.
    """
    value = np.asarray(value, np.float32)
    if name.endswith(".Wx"):
        s = STATE_SIDE
        rows = value.T.reshape(s, -1, s, s, value.shape[0]).transpose(1, 0, 2, 3, 4)
        value = rows.reshape(-1, value.shape[0])
    elif value.ndim == 2:
        value = value.T
    elif value.ndim == 4:
        value = value[:, :, ::-1, ::-1]
    elif value.ndim == 5:
        value = value.transpose(0, 2, 1, 3, 4)[:, :, ::-1, ::-1, ::-1]
    # A copy: numpy calls a flipped axis of length 1 contiguous, torch does not.
    return np.array(value, order="C")


def to_original(name: str, value: Array) -> NDArray[np.float32]:
    """Undo `from_original`; gradients and moments go the same way.

    Example:
        >>> kernel = np.arange(54, dtype=np.float32).reshape(1, 3, 2, 3, 3)
        >>> from_original("conv7.W", kernel).shape
        (1, 2, 3, 3, 3)
        >>> bool((to_original("conv7.W", from_original("conv7.W", kernel)) == kernel).all())
        True
    """
    value = np.asarray(value, np.float32)
    if name.endswith(".Wx"):
        s = STATE_SIDE
        columns = value.reshape(-1, s, s, s, value.shape[1]).transpose(1, 0, 2, 3, 4)
        value = columns.reshape(-1, value.shape[1]).T
    elif value.ndim == 2:
        value = value.T
    elif value.ndim == 4:
        value = value[:, :, ::-1, ::-1]
    elif value.ndim == 5:
        value = value[:, :, ::-1, ::-1, ::-1].transpose(0, 2, 1, 3, 4)
    # A copy: numpy calls a flipped axis of length 1 contiguous, torch does not.
    return np.array(value, order="C")
