"""What operators of points and a mesh ask of their arguments."""

from __future__ import annotations

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError


def describe(tensor: Tensor) -> str:
    """Shape and type in a few words.

    Example:
        >>> describe(torch.zeros(2, 3))
        '(2, 3) float32'
    """
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def check_arguments(
    name: str, points: Tensor, vertices: Tensor, faces: Tensor, dtypes: tuple[torch.dtype, ...]
) -> None:
    """Shapes, types and devices.

    Args:
        name: Of the operator.
        points: To be (N, 3).
        vertices: To be (V, 3).
        faces: To be (F, 3) int32 or int64.
        dtypes: Of points and vertices.

    Raises:
        ShapeError: Something else.
    """
    real = " or ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
    for what, tensor, letter in (("points", points, "N"), ("vertices", vertices, "V")):
        if tensor.ndim != 2 or tensor.shape[1] != 3 or tensor.dtype not in dtypes:
            raise ShapeError(name, what, f"({letter}, 3) {real}", describe(tensor))
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype not in (torch.int32, torch.int64):
        raise ShapeError(name, "faces", "(F, 3) int32 or int64", describe(faces))
    for what, tensor in (("points", points), ("vertices", vertices), ("faces", faces)):
        if tensor.device.type not in ("cpu", "cuda"):
            raise ShapeError(name, what, "on 'cpu' or 'cuda'", f"on '{tensor.device}'")
        if tensor.device != points.device:
            raise ShapeError(name, what, f"on {points.device}", f"on {tensor.device}")


def check_indices(name: str, faces: Tensor, vertices: Tensor) -> None:
    """That faces, not none, use vertices that are there; on CUDA nothing is asked.

    Raises:
        ShapeError: An index lies outside.
    """
    if faces.is_cuda:  # to ask would wait for the device
        return
    low, high = (int(index) for index in torch.aminmax(faces))
    if low < 0 or high >= len(vertices):
        expected = f"indices in [0, {len(vertices)})"
        raise ShapeError(name, "faces", expected, low if low < 0 else high)
