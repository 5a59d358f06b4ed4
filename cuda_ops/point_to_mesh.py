"""Distance from points to the surface of a triangle mesh."""

import ctypes

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library
from benchbench.cuda_ops.mesh_arguments import check_arguments, check_indices, describe
from benchbench.cuda_ops.reference.point_to_mesh import point_to_mesh as _twin

_NAME = "point_to_mesh"
_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_int64
_CUDA = [_POINTER, _SIZE] * 3 + [_POINTER] * 7
_TILE_FACES, _TRIANGLE_TERMS, _BOX_TERMS = 32, 21, 6  # as in point_to_mesh.cu


def point_to_mesh(points: Tensor, vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distance from every point to the nearest triangle, and which triangle that is.

    Exact: distances are computed in double precision and rounded to single once. The nearest face
    is the one with the least rounded value, the lowest index among equals (points nearest to a
    shared edge or corner). A triangle without area counts as its edges or its point. The surface
    may be open and self-intersecting; winding is irrelevant. The result is the same bits for
    any number of threads and any instruction set. Not differentiable. On CUDA nothing waits for
    the device, and about 200 bytes a face and 150 a point are needed while it works.

    Faces with a corner that is not finite are passed over. A point that is not finite, and every
    point if no face is finite, gets distance infinity and face -1. Squared distances beyond the
    range of single precision are infinity.

    Args:
        points: (N, 3) float32.
        vertices: (V, 3) float32, same units.
        faces: (F, 3) int32 or int64. On CUDA a face with an index outside [0, V) is passed over
            instead of refused, as looking would wait for the device.

    Returns:
        Squared distances (N,) float32, in squared units of the input, and face indices (N,) int64.

    Raises:
        ShapeError: Wrong shape, type or device, nothing in an argument, or a face index outside
            [0, V) on the CPU.

    Example:
        Above the inside of a triangle, beside its corner, and on it:

        >>> import torch
        >>> from benchbench.cuda_ops import point_to_mesh
        >>> vertices = torch.tensor([[0.0, 0, 0], [4, 0, 0], [0, 4, 0]])
        >>> points = torch.tensor([[1.0, 1, 2], [-3, -4, 0], [2, 2, 0]])
        >>> point_to_mesh(points, vertices, torch.tensor([[0, 1, 2]]))
        (tensor([ 4., 25.,  0.]), tensor([0, 0, 0]))
    """
    _check(points, vertices, faces)
    squared, index = _point_to_mesh(
        points.detach().contiguous(),
        vertices.detach().contiguous(),
        faces.to(torch.int64).contiguous(),
    )
    return squared, index


@torch.library.custom_op("benchbench::point_to_mesh", mutates_args=())
def _point_to_mesh(points: Tensor, vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    if not library.available(points.device):
        return _twin(points, vertices, faces)
    squared = torch.empty(len(points), dtype=torch.float32, device=points.device)
    index = torch.empty(len(points), dtype=torch.int64, device=points.device)
    if points.is_cuda:
        _on_cuda(points, vertices, faces, squared, index)
        return squared, index
    library.call(
        "bench_point_to_mesh", points.device,
        [_POINTER, _SIZE, _POINTER, _POINTER, _SIZE, _POINTER, _POINTER],
        points.data_ptr(), len(points), vertices.data_ptr(), faces.data_ptr(), len(faces),
        squared.data_ptr(), index.data_ptr(),
    )  # fmt: skip
    return squared, index


@_point_to_mesh.register_fake
def _(points: Tensor, vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    count = points.shape[0]
    return points.new_empty((count,)), points.new_empty((count,), dtype=torch.int64)


def _on_cuda(
    points: Tensor, vertices: Tensor, faces: Tensor, squared: Tensor, index: Tensor
) -> None:
    """Gives the CUDA kernel its orders and its room, which must live until it is launched."""
    centres = _finite(vertices)[faces.clamp(0, len(vertices) - 1)].mean(dim=1)
    face_order, point_order = _along_a_curve(centres), _along_a_curve(_finite(points))
    tiles = -(-len(faces) // _TILE_FACES)
    terms = points.new_empty((tiles, _TRIANGLE_TERMS, _TILE_FACES), dtype=torch.float64)
    boxes = points.new_empty((tiles, _BOX_TERMS))
    ids = points.new_empty((tiles, _TILE_FACES), dtype=torch.int32)
    library.call(
        "bench_point_to_mesh", points.device, _CUDA,
        points.data_ptr(), len(points), vertices.data_ptr(), len(vertices),
        faces.data_ptr(), len(faces), face_order.data_ptr(), point_order.data_ptr(),
        terms.data_ptr(), boxes.data_ptr(), ids.data_ptr(), squared.data_ptr(), index.data_ptr(),
    )  # fmt: skip


def _finite(positions: Tensor) -> Tensor:
    return positions.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)


def _along_a_curve(positions: Tensor) -> Tensor:
    """The order (N,) of positions (N, 3) along a Z-order curve of 1024 cells an axis."""
    low, high = positions.aminmax(dim=0)
    share = ((positions - low) / (high - low)).nan_to_num(nan=0.0)
    cell = (share * 1023).clamp(0, 1023).to(torch.int64)
    for shift, mask in ((16, 0x030000FF), (8, 0x0300F00F), (4, 0x030C30C3), (2, 0x09249249)):
        cell = (cell | cell << shift) & mask
    return (cell[:, 0] | cell[:, 1] << 1 | cell[:, 2] << 2).argsort()


def _check(points: Tensor, vertices: Tensor, faces: Tensor) -> None:
    check_arguments(_NAME, points, vertices, faces, (torch.float32,))
    for name, tensor in (("points", points), ("vertices", vertices), ("faces", faces)):
        if len(tensor) == 0:
            raise ShapeError(_NAME, name, "at least one row", describe(tensor))
    if len(faces) >= 2**31:
        raise ShapeError(_NAME, "faces", "fewer than 2^31 rows", len(faces))
    check_indices(_NAME, faces, vertices)
