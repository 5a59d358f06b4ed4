"""Occupancy grids of triangle meshes by Kato's conservative voxeliser."""

import ctypes

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library
from benchbench.cuda_ops.mesh_arguments import describe
from benchbench.cuda_ops.reference.voxelize import voxelize as _twin

LARGEST_RESOLUTION = 1024
_NAME = "voxelize"
_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_int64


def voxelize(vertices: Tensor, faces: Tensor, resolution: int = 32) -> Tensor:
    """Marks every cell that a mesh touches and fills what it encloses.

    The algorithm of Kato et al. (CVPR 2018), bit for bit as their code runs without fused
    operations. A cell is marked if an integer lattice line beside it (one of its four edges
    along x, y or z) meets a face inside its depth, or if it holds the corner of a face; outside
    is what can be reached through unmarked cells from the unmarked cells of the boundary layers.
    So thin parts come out one or two cells thick, openings up to about a cell are closed, cavities
    are filled, winding is irrelevant, and a closed mesh that the border of the grid cuts stays
    hollow. Faces exactly on lattice planes spread to one side only.

    A face with a vertex that is not finite or lies 2^24 cells or more away marks nothing; parts
    outside the grid mark nothing. Not differentiable.

    Args:
        vertices: (B, V, 3) float32 in unit-cube coordinates: cell n of an axis spans
            [n/R, (n+1)/R). Kato's protocols hand over `mesh * 31/32 + 0.5`.
        faces: (F, 3) int32 or int64, shared by the batch. On CUDA a face with an index outside
            [0, V) is skipped instead of refused, as looking would wait for the device.
        resolution: Cells per side R, 2 to 1024.

    Returns:
        (B, R, R, R) bool, indexed [x, y, z].

    Raises:
        ShapeError: Wrong shape, type or device, no mesh or no face, or a face index outside
            [0, V).

    Example:
        A tetrahedron in a corner of a 4^3 grid: its legs are three cells long:

        >>> import torch
        >>> from benchbench.cuda_ops import voxelize
        >>> corners = torch.tensor([[0.1, 0.1, 0.1], [0.6, 0.1, 0.1], [0.1, 0.6, 0.1],
        ...                         [0.1, 0.1, 0.6]])
        >>> faces = torch.tensor([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
        >>> grid = voxelize(corners[None], faces, resolution=4)
        >>> grid.shape, int(grid.sum())
        (torch.Size([1, 4, 4, 4]), 11)
    """
    _check(vertices, faces, resolution)
    result: Tensor = _voxelize(vertices.detach().contiguous(), faces.to(torch.int64), resolution)
    return result


@torch.library.custom_op("benchbench::voxelize", mutates_args=())
def _voxelize(vertices: Tensor, faces: Tensor, resolution: int) -> Tensor:
    batch, vertex_count, _ = vertices.shape
    if not library.available(vertices.device):
        return _twin(vertices, faces, resolution)
    faces = faces.contiguous()
    cells = torch.empty(
        (batch, resolution, resolution, resolution), dtype=torch.bool, device=vertices.device
    )
    arguments = [
        vertices.data_ptr(), faces.data_ptr(), batch, vertex_count, len(faces), resolution,
        cells.data_ptr(),
    ]  # fmt: skip
    types = [_POINTER, _POINTER, _SIZE, _SIZE, _SIZE, _SIZE, _POINTER]
    if vertices.is_cuda:
        # Where the bits of a grid do not fit into a block's own memory.
        words = 2 * batch * resolution**2 * ((resolution + 31) // 32)
        scratch = torch.empty(words, dtype=torch.int32, device=vertices.device)
        arguments.append(scratch.data_ptr())
        types.append(_POINTER)
    library.call("bench_voxelize", vertices.device, types, *arguments)
    return cells


@_voxelize.register_fake
def _(vertices: Tensor, faces: Tensor, resolution: int) -> Tensor:
    return vertices.new_empty((vertices.shape[0],) + (resolution,) * 3, dtype=torch.bool)


def _check(vertices: Tensor, faces: Tensor, resolution: int) -> None:
    if vertices.ndim != 3 or vertices.shape[2] != 3 or vertices.dtype != torch.float32:
        raise ShapeError(_NAME, "vertices", "(B, V, 3) float32", describe(vertices))
    if 0 in vertices.shape:
        raise ShapeError(_NAME, "vertices", "at least one mesh and vertex", describe(vertices))
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype not in (torch.int32, torch.int64):
        raise ShapeError(_NAME, "faces", "(F, 3) int32 or int64", describe(faces))
    if len(faces) == 0:
        raise ShapeError(_NAME, "faces", "at least one face", describe(faces))
    if vertices.device != faces.device:
        raise ShapeError(_NAME, "faces", f"on {vertices.device}", f"on {faces.device}")
    if vertices.device.type not in ("cpu", "cuda"):
        raise ShapeError(_NAME, "vertices", "on 'cpu' or 'cuda'", f"on '{vertices.device}'")
    if not 2 <= resolution <= LARGEST_RESOLUTION:
        raise ShapeError(_NAME, "resolution", f"2 to {LARGEST_RESOLUTION}", resolution)
    if not faces.is_cuda:
        low, high = (int(index) for index in torch.aminmax(faces))
        if low < 0 or high >= vertices.shape[1]:
            raise ShapeError(
                _NAME, "faces", f"indices in [0, {vertices.shape[1]})",
                low if low < 0 else high,
            )  # fmt: skip
