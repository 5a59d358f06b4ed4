"""Area-weighted random points on a mesh, the same ones everywhere."""

import ctypes
import hashlib

import numpy as np
import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library
from benchbench.cuda_ops.mesh_arguments import describe
from benchbench.cuda_ops.reference import sample_surface as twin

_NAME = "sample_surface"
_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_int64
_CPU = (_POINTER,) * 2 + (_SIZE,) * 5 + (_POINTER,) * 3
_AREAS = (_POINTER,) * 2 + (_SIZE,) * 2 + (_POINTER,)
_WEIGHTS = (_POINTER,) * 2 + (_SIZE, _POINTER)
_CUDA = (_POINTER,) * 3 + (_SIZE,) * 4 + (_POINTER,) * 2
_FINE, _BAD_INDEX, _NOT_FINITE, _NO_AREA = range(4)


def sample_surface(
    vertices: Tensor, faces: Tensor, count: int, seed: int, object_id: str
) -> tuple[Tensor, Tensor]:
    """Draws points from the surface of a mesh, uniformly by area.

    Sample n of an object is a function of (mesh, seed, object id, n) and of nothing else: not of
    `count`, the batch, the number of threads or the device. So the first 1,000 of 30,000 samples
    are the 1,000 samples. The random numbers are Philox4x32-10 (Salmon et al., SC 2011) with the
    seed as key and (n, the first 64 bits of the SHA-256 of the object id) as counter. Areas are
    rounded to integers of 62 - ceil(log2 F) bits (relative to the largest face) before they are
    added, and everything else is done with + - * / and sqrt in double precision, unfused.

    A point is (1 - s) a + s (1 - r) b + s r c with s the square root of a uniform number, r
    another one and a, b, c the corners (Osada et al. 2002). Faces without area are never chosen.
    Not differentiable.

    Args:
        vertices: (V, 3) float32. A vertex that no face uses may be anything.
        faces: (F, 3) int32 or int64.
        count: Number of points, at least 1.
        seed: In [0, 2^64).
        object_id: Names the object, so that objects get different points under one seed.

    Returns:
        points: (count, 3) float32, in the unit of the vertices.
        face_index: (count,) int64, the face each point lies on.

    Raises:
        ShapeError: Wrong shape, type or device, no face, a face index outside [0, V), a face
            whose area is not finite, or no area at all.

    Example:
        >>> import torch
        >>> from benchbench.cuda_ops import sample_surface
        >>> corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 9]])
        >>> faces = torch.tensor([[0, 1, 2], [0, 1, 3]])
        >>> points, face = sample_surface(corners, faces, 1000, seed=0, object_id="two faces")
        >>> points.shape, (face == 1).double().mean()  # nine times the area
        (torch.Size([1000, 3]), tensor(0.8990, dtype=torch.float64))
    """
    _check(vertices, faces, count, seed, object_id)
    result: tuple[Tensor, Tensor] = _sample(
        vertices.detach(), faces, count, _signed(seed), _signed(object_key(object_id))
    )
    return result


def object_key(object_id: str) -> int:
    """The 64 bits that stand for an object: the first 8 bytes of SHA-256, little endian.

    Example:
        >>> hex(object_key("03001627/1006be65e7bc937e9141f9b58470d646"))
        '0xb165779f0b63120f'
    """
    return int.from_bytes(hashlib.sha256(object_id.encode("utf-8")).digest()[:8], "little")


@torch.library.custom_op("benchbench::sample_surface", mutates_args=())
def _sample(
    vertices: Tensor, faces: Tensor, count: int, seed: int, key: int
) -> tuple[Tensor, Tensor]:
    vertices, faces = vertices.contiguous(), faces.to(torch.int64).contiguous()
    if not library.available(vertices.device):
        return _sample_plainly(vertices, faces, count, seed, key)
    points = vertices.new_empty((count, 3))
    face_index = vertices.new_empty((count,), dtype=torch.int64)
    if vertices.is_cuda:
        _sample_on_cuda(vertices, faces, seed, key, points, face_index)
        return points, face_index
    status = (ctypes.c_int64 * 2)()
    library.call(
        "bench_sample_surface", vertices.device, _CPU,
        vertices.data_ptr(), faces.data_ptr(), len(vertices), len(faces), count, seed, key,
        points.data_ptr(), face_index.data_ptr(), ctypes.addressof(status),
    )  # fmt: skip
    if status[0] != _FINE:
        _refuse(status[0], faces, status[1], len(vertices))
    return points, face_index


@_sample.register_fake
def _(vertices: Tensor, faces: Tensor, count: int, seed: int, key: int) -> tuple[Tensor, Tensor]:
    return vertices.new_empty((count, 3)), vertices.new_empty((count,), dtype=torch.int64)


def _sample_on_cuda(
    vertices: Tensor, faces: Tensor, seed: int, key: int, points: Tensor, face_index: Tensor
) -> None:
    """Three launches around a prefix sum of integers; waits for the device only at the end."""
    device, count = vertices.device, len(faces)
    areas = torch.empty(count, dtype=torch.float64, device=device)
    weights = torch.empty(count, dtype=torch.int64, device=device)
    library.call(
        "bench_sample_areas", device, _AREAS,
        vertices.data_ptr(), faces.data_ptr(), len(vertices), count, areas.data_ptr(),
    )  # fmt: skip
    largest = areas.amax()
    library.call(
        "bench_sample_weights", device, _WEIGHTS,
        areas.data_ptr(), largest.data_ptr(), count, weights.data_ptr(),
    )  # fmt: skip
    ends = torch.cumsum(weights, dim=0)
    library.call(
        "bench_sample_surface", device, _CUDA,
        vertices.data_ptr(), faces.data_ptr(), ends.data_ptr(), count, len(points), seed, key,
        points.data_ptr(), face_index.data_ptr(),
    )  # fmt: skip
    if not 0 < float(largest) < float("inf"):
        _refuse_by_areas(areas.cpu(), faces.cpu(), len(vertices))


def _sample_plainly(
    vertices: Tensor, faces: Tensor, count: int, seed: int, key: int
) -> tuple[Tensor, Tensor]:
    usable = ((faces >= 0) & (faces < len(vertices))).all(dim=1)
    corners, triangles = vertices.cpu().numpy(), faces.cpu().numpy()
    with np.errstate(invalid="ignore", over="ignore"):
        areas = twin.double_areas(corners, np.where(usable.cpu().numpy()[:, None], triangles, 0))
    areas[~usable.cpu().numpy()] = np.nan
    if not 0 < areas.max() < np.inf:
        _refuse_by_areas(torch.from_numpy(areas), faces.cpu(), len(vertices))
    points, face = twin.sample_surface(corners, triangles, areas, count, seed % 2**64, key % 2**64)
    return (
        torch.from_numpy(points).to(vertices.device),
        torch.from_numpy(face).to(vertices.device),
    )


def _refuse_by_areas(areas: Tensor, faces: Tensor, vertex_count: int) -> None:
    bad = ~areas.isfinite()
    if not bad.any():
        _refuse(_NO_AREA, faces, 0, vertex_count)
    face = int(bad.to(torch.uint8).argmax())
    inside = bool(((faces[face] >= 0) & (faces[face] < vertex_count)).all())
    _refuse(_NOT_FINITE if inside else _BAD_INDEX, faces, face, vertex_count)


def _refuse(status: int, faces: Tensor, face: int, vertex_count: int) -> None:
    if status == _BAD_INDEX:
        got = f"{faces[face].tolist()} in face {face}"
        raise ShapeError(_NAME, "faces", f"indices in [0, {vertex_count})", got)
    if status == _NOT_FINITE:
        got = f"NaN, infinity or overflow at face {face}"
        raise ShapeError(_NAME, "vertices", "finite where faces use them", got)
    raise ShapeError(_NAME, "faces", "at least one face with an area", f"{len(faces)} of area 0")


def _check(vertices: Tensor, faces: Tensor, count: int, seed: int, object_id: str) -> None:
    if vertices.ndim != 2 or vertices.shape[1] != 3 or vertices.dtype != torch.float32:
        raise ShapeError(_NAME, "vertices", "(V, 3) float32", describe(vertices))
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype not in (torch.int32, torch.int64):
        raise ShapeError(_NAME, "faces", "(F, 3) int32 or int64", describe(faces))
    if len(vertices) == 0:
        raise ShapeError(_NAME, "vertices", "at least one vertex", describe(vertices))
    if len(faces) == 0:
        raise ShapeError(_NAME, "faces", "at least one face", describe(faces))
    if vertices.device != faces.device:
        raise ShapeError(_NAME, "faces", f"on {vertices.device}", f"on {faces.device}")
    if vertices.device.type not in ("cpu", "cuda"):
        raise ShapeError(_NAME, "vertices", "on 'cpu' or 'cuda'", f"on '{vertices.device}'")
    if count < 1:
        raise ShapeError(_NAME, "count", "at least 1", count)
    if not 0 <= seed < 2**64:
        raise ShapeError(_NAME, "seed", "in [0, 2^64)", seed)
    if not isinstance(object_id, str):
        raise ShapeError(_NAME, "object_id", "a string", repr(object_id))


def _signed(value: int) -> int:
    """The same 64 bits as the signed integer that an operator's schema takes."""
    return value - 2**64 if value >= 2**63 else value
