"""The corners of every face, gathered from shared vertices; its gradient is deterministic.

torch's own gradient of indexing adds with atomics, so its last bits change from run to run.
"""

import ctypes

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library

_P, _I = ctypes.c_void_p, ctypes.c_int64


def vertices_to_faces(vertices: Tensor, faces: Tensor) -> Tensor:
    """Gathers the three corners of each face.

    Args:
        vertices: (B, V, 3) float32 or float64.
        faces: (B, F, 3), or (F, 3) shared by the batch; int32 or int64 vertex indices.

    Returns:
        (B, F, 3, 3): corner, then coordinate. Gradients of a vertex are summed in the order of
        the faces, so they are the same bits in every run.

    Raises:
        ShapeError: Wrong shapes or types; on the CPU also an index outside 0..V-1 (on CUDA such
            a face becomes NaN, because telling would wait for the device).

    Example:
        >>> vertices = torch.arange(12.0).reshape(1, 4, 3)
        >>> vertices_to_faces(vertices, torch.tensor([[0, 2, 3]]))[0, 0].tolist()
        [[0.0, 1.0, 2.0], [6.0, 7.0, 8.0], [9.0, 10.0, 11.0]]
    """
    _check(vertices, faces)
    if faces.ndim == 2:
        faces = faces[None]
    if vertices.dtype != torch.float32:
        rows = torch.arange(vertices.shape[0], device=vertices.device)[:, None, None]
        return vertices[rows, faces.long().expand(vertices.shape[0], -1, -1)]
    return _gather(vertices.contiguous(), faces.to(torch.int32).contiguous())


@torch.library.custom_op("benchbench::vertices_to_faces", mutates_args=())
def _gather(vertices: Tensor, faces: Tensor) -> Tensor:
    batch, count = vertices.shape[:2]
    if not library.available(vertices.device):
        rows = torch.arange(batch, device=vertices.device)[:, None, None]
        return vertices[rows, faces.long().expand(batch, -1, -1)]
    corners = vertices.new_empty((batch, faces.shape[1], 3, 3))
    library.call(
        "bench_vertices_to_faces", vertices.device, [_P, _P, _I, _I, _I, _I, _P],
        library.pointer(vertices), library.pointer(faces), batch, faces.shape[0],
        count, faces.shape[1], library.pointer(corners),
    )  # fmt: skip
    return corners


@_gather.register_fake
def _(vertices: Tensor, faces: Tensor) -> Tensor:
    return vertices.new_empty((vertices.shape[0], faces.shape[1], 3, 3))


@torch.library.custom_op("benchbench::vertices_to_faces_backward", mutates_args=())
def _scatter(gradient: Tensor, faces: Tensor, count: int) -> Tensor:
    batch, face_count = gradient.shape[:2]
    if not library.available(gradient.device):
        index = faces.long().reshape(faces.shape[0], -1, 1).expand(batch, -1, 3)
        flat = gradient.reshape(batch, -1, 3)
        return gradient.new_zeros((batch, count, 3)).scatter_add_(1, index, flat)
    result = gradient.new_empty((batch, count, 3))
    types = [_P, _P, _I, _I, _I, _I, _P]
    arguments = [
        library.pointer(gradient), library.pointer(faces), batch, faces.shape[0],
        count, face_count, library.pointer(result),
    ]  # fmt: skip
    if gradient.device.type == "cuda":
        # One thread per vertex walks its corners in order; a stable sort makes the lists.
        corner_vertex, order = faces.reshape(faces.shape[0], -1).long().sort(dim=1, stable=True)
        every = torch.arange(count + 1, device=faces.device).expand(faces.shape[0], -1)
        starts = torch.searchsorted(corner_vertex, every.contiguous())
        types, arguments = (
            [*types, _P, _P],
            [*arguments, library.pointer(starts), library.pointer(order)],
        )
    library.call("bench_vertices_to_faces_backward", gradient.device, types, *arguments)
    return result


@_scatter.register_fake
def _(gradient: Tensor, faces: Tensor, count: int) -> Tensor:
    return gradient.new_empty((gradient.shape[0], count, 3))


def _setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    vertices, faces = inputs
    ctx.save_for_backward(faces)
    ctx.count = vertices.shape[1]


def _backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def]
    (faces,) = ctx.saved_tensors
    return _scatter(gradient.contiguous(), faces, ctx.count), None


_gather.register_autograd(_backward, setup_context=_setup_context)


def _check(vertices: Tensor, faces: Tensor) -> None:
    name = "vertices_to_faces"
    if vertices.ndim != 3 or vertices.shape[2] != 3 or vertices.numel() == 0:
        raise ShapeError(name, "vertices", "(B, V, 3), not empty", tuple(vertices.shape))
    if vertices.dtype not in (torch.float32, torch.float64):
        raise ShapeError(name, "vertices", "float32 or float64", vertices.dtype)
    batches = (1, vertices.shape[0])
    whole = faces.ndim in (2, 3) and faces.shape[-1] == 3 and faces.numel() > 0
    if not whole or (faces.ndim == 3 and faces.shape[0] not in batches):
        expected = f"(F, 3) or ({vertices.shape[0]}, F, 3), not empty"
        raise ShapeError(name, "faces", expected, tuple(faces.shape))
    if faces.dtype not in (torch.int32, torch.int64):
        raise ShapeError(name, "faces", "int32 or int64", faces.dtype)
    if faces.device != vertices.device:
        raise ShapeError(name, "faces", f"on {vertices.device}", faces.device)
    if faces.device.type == "cpu":
        low, high = (int(value) for value in torch.aminmax(faces))
        if low < 0 or high >= vertices.shape[1]:
            expected = f"vertex indices from 0 to {vertices.shape[1] - 1}"
            raise ShapeError(name, "faces", expected, low if low < 0 else high)
