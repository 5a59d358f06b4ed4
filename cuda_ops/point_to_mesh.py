"""Distance from points to the surface of a triangle mesh."""

import ctypes

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library
from benchbench.cuda_ops.reference.point_to_mesh import point_to_mesh as _twin

_NAME = "point_to_mesh"
_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_int64


def point_to_mesh(points: Tensor, vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distance from every point to the nearest triangle, and which triangle that is.

    Exact: distances are computed in double precision and rounded to single once. The nearest face
    is the one with the least rounded value, the lowest index among equals (points nearest to a
    shared edge or corner). A triangle without area counts as its edges or its point. The surface
    may be open and self-intersecting; winding is irrelevant. The result is the same bits for
    any number of threads and any instruction set. CPU only, not differentiable.

    Faces with a corner that is not finite are passed over. A point that is not finite, and every
    point if no face is finite, gets distance infinity and face -1. Squared distances beyond the
    range of single precision are infinity.

    Args:
        points: (N, 3) float32.
        vertices: (V, 3) float32, same units.
        faces: (F, 3) int32 or int64.

    Returns:
        Squared distances (N,) float32, in squared units of the input, and face indices (N,) int64.

    Raises:
        ShapeError: Wrong shape, type or device, nothing in an argument, or a face index outside
            [0, V).

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
    squared = torch.empty(len(points), dtype=torch.float32)
    index = torch.empty(len(points), dtype=torch.int64)
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


def _check(points: Tensor, vertices: Tensor, faces: Tensor) -> None:
    for name, tensor, letter in (("points", points, "N"), ("vertices", vertices, "V")):
        if tensor.ndim != 2 or tensor.shape[1] != 3 or tensor.dtype != torch.float32:
            raise ShapeError(_NAME, name, f"({letter}, 3) float32", _describe(tensor))
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype not in (torch.int32, torch.int64):
        raise ShapeError(_NAME, "faces", "(F, 3) int32 or int64", _describe(faces))
    for name, tensor in (("points", points), ("vertices", vertices), ("faces", faces)):
        if tensor.device.type != "cpu":
            expected = f"on 'cpu' (there is no other kernel: pass {name}.cpu())"
            raise ShapeError(_NAME, name, expected, f"on '{tensor.device}'")
        if len(tensor) == 0:
            raise ShapeError(_NAME, name, "at least one row", _describe(tensor))
    if len(faces) >= 2**31:
        raise ShapeError(_NAME, "faces", "fewer than 2^31 rows", len(faces))
    low, high = (int(index) for index in torch.aminmax(faces))
    if low < 0 or high >= len(vertices):
        expected = f"indices in [0, {len(vertices)})"
        raise ShapeError(_NAME, "faces", expected, low if low < 0 else high)


def _describe(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
