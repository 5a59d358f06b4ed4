"""Which cells of a grid triangles meet, exactly."""

import ctypes

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library
from benchbench.cuda_ops.mesh_arguments import describe
from benchbench.cuda_ops.reference.separating_axis import separating_axis as _twin

_NAME = "separating_axis"
_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_int64
_MOST = 1024  # cells per side


def separating_axis(triangles: Tensor, resolution: int) -> Tensor:
    """Cells of a grid that triangles meet; touching counts.

    Cell n spans the closed interval [n, n + 1] on each axis. The 13-axis separating-axis test
    (Akenine-Moeller, "Fast 3D triangle-box overlap testing", 2001) in double precision, unfused and
    in one order, so that every device, instruction set and number of threads decides alike.

    Triangles without area mark what the segment or point that is left of them meets; one with a
    corner that is not finite, or so far away that products overflow, marks nothing. Not
    differentiable.

    Args:
        triangles: (F, 3, 3) float64, corner by corner, in cells; F may be 0.
        resolution: R, cells per side, from 1 to 1,024.

    Returns:
        (R, R, R) bool, [x, y, z].

    Raises:
        ShapeError: Wrong shape, type or device, or no such resolution.

    Example:
        A triangle in the plane between two layers of cells meets both:

        >>> import torch
        >>> from benchbench.cuda_ops import separating_axis
        >>> triangle = torch.tensor([[[0.2, 0.2, 1], [0.8, 0.2, 1], [0.2, 0.8, 1]]]).double()
        >>> separating_axis(triangle, 3).nonzero().tolist()
        [[0, 0, 0], [0, 0, 1]]
    """
    wrong_type = triangles.dtype != torch.float64
    if triangles.ndim != 3 or triangles.shape[1:] != (3, 3) or wrong_type:
        raise ShapeError(_NAME, "triangles", "(F, 3, 3) float64", describe(triangles))
    if triangles.device.type not in ("cpu", "cuda"):
        raise ShapeError(_NAME, "triangles", "on 'cpu' or 'cuda'", f"on '{triangles.device}'")
    if not 1 <= resolution <= _MOST:
        raise ShapeError(_NAME, "resolution", f"from 1 to {_MOST}", resolution)
    cells: Tensor = _separating_axis(triangles.detach(), resolution)
    return cells


@torch.library.custom_op("benchbench::separating_axis", mutates_args=())
def _separating_axis(triangles: Tensor, resolution: int) -> Tensor:
    if not library.available(triangles.device):
        return torch.from_numpy(_twin(triangles.cpu().numpy(), resolution)).to(triangles.device)
    grid = torch.zeros((resolution,) * 3, dtype=torch.bool, device=triangles.device)
    if len(triangles) == 0:
        return grid
    triangles = triangles.contiguous()
    library.call(
        "bench_separating_axis", triangles.device, (_POINTER, _SIZE, _SIZE, _POINTER),
        triangles.data_ptr(), len(triangles), resolution, grid.data_ptr(),
    )  # fmt: skip
    return grid


@_separating_axis.register_fake
def _(triangles: Tensor, resolution: int) -> Tensor:
    return triangles.new_empty((resolution,) * 3, dtype=torch.bool)
