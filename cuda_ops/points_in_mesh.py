"""Which points a mesh contains, by the parity of a vertical ray."""

import ctypes

import numpy as np
import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library
from benchbench.cuda_ops.mesh_arguments import check_arguments, check_indices, describe
from benchbench.cuda_ops.reference.points_in_mesh import points_in_mesh as _twin

_NAME = "points_in_mesh"
_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_int64
_CPU = (_POINTER, _SIZE) * 3 + (_POINTER,)
_CUDA = (_POINTER, _SIZE) * 2 + (_POINTER,) * 2


def points_in_mesh(points: Tensor, vertices: Tensor, faces: Tensor) -> Tensor:
    """Which points a mesh contains, by Occupancy Networks' rule.

    The vertical through a point (along the third axis) meets a triangle if the point lies strictly
    inside its projection; the point is inside if the triangles at or above it and those below it
    are both odd in number. A vertical through an edge or a corner meets neither of the triangles
    there, so such a point is outside.

    The mesh is scaled to a box of [0.5, 511.5]^3 first, and a triangle is looked at only from the
    squares of side 4 of the plane that its own box touches. All of it is double precision, unfused
    and in one order, so that every device, instruction set and number of threads decides alike.

    A point that is not finite is outside. A mesh without faces, with a flat box, or with a corner
    that is NaN, contains nothing; vertices that no face uses are not looked at. Triangles that
    stand upright or have no area meet nothing. Memory does not grow with the number of
    pairs of point and triangle. Not differentiable.

    Args:
        points: (N, 3) float32 or float64; may be empty.
        vertices: (V, 3) float32 or float64, same units.
        faces: (F, 3) int32 or int64; may be empty, and wound either way. On CUDA a mesh with an
            index outside [0, V) contains nothing, as looking would wait for the device.

    Returns:
        (N,) bool.

    Raises:
        ShapeError: Wrong shape, type or device, or a face index outside [0, V) on the CPU.

    Example:
        A tetrahedron; one point in it, one beside it, one on the vertical through a corner:

        >>> import torch
        >>> from benchbench.cuda_ops import points_in_mesh
        >>> vertices = torch.tensor([[0.0, 0, 0], [4, 0, 0], [0, 4, 0], [1, 1, 4]])
        >>> faces = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
        >>> points = torch.tensor([[0.9, 1.2, 1], [3, 3, 1], [1, 1, 1]])
        >>> points_in_mesh(points, vertices, faces).tolist()
        [True, False, False]
    """
    _check(points, vertices, faces)
    inside: Tensor = _points_in_mesh(points.detach(), vertices.detach(), faces)
    return inside


@torch.library.custom_op("benchbench::points_in_mesh", mutates_args=())
def _points_in_mesh(points: Tensor, vertices: Tensor, faces: Tensor) -> Tensor:
    inside = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    if len(points) == 0 or len(faces) == 0:
        return inside
    if not library.available(points.device):
        arrays: list[np.ndarray] = [x.cpu().numpy() for x in (points, vertices, faces)]
        return torch.from_numpy(_twin(*arrays)).to(points.device)
    points, vertices = (x.to(torch.float64).contiguous() for x in (points, vertices))
    faces = faces.to(torch.int64).contiguous()
    if points.is_cuda:
        _on_cuda(points, vertices, faces, inside)
        return inside
    library.call(
        "bench_points_in_mesh", points.device, _CPU,
        points.data_ptr(), len(points), vertices.data_ptr(), len(vertices),
        faces.data_ptr(), len(faces), inside.data_ptr(),
    )  # fmt: skip
    return inside


@_points_in_mesh.register_fake
def _(points: Tensor, vertices: Tensor, faces: Tensor) -> Tensor:
    return points.new_empty((points.shape[0],), dtype=torch.bool)


def _on_cuda(points: Tensor, vertices: Tensor, faces: Tensor, inside: Tensor) -> None:
    known = (faces >= 0) & (faces < len(vertices))
    corners = vertices[faces.clamp(0, len(vertices) - 1)]
    triangles = torch.where(known[..., None], corners, torch.nan).contiguous()
    box = torch.stack([triangles.amin(dim=(0, 1)), triangles.amax(dim=(0, 1))])
    library.call(
        "bench_points_in_mesh", points.device, _CUDA,
        points.data_ptr(), len(points), triangles.data_ptr(), len(triangles),
        box.data_ptr(), inside.data_ptr(),
    )  # fmt: skip


def _check(points: Tensor, vertices: Tensor, faces: Tensor) -> None:
    check_arguments(_NAME, points, vertices, faces, (torch.float32, torch.float64))
    if len(faces) == 0:
        return
    if len(vertices) == 0:
        raise ShapeError(_NAME, "vertices", "at least one row", describe(vertices))
    check_indices(_NAME, faces, vertices)
