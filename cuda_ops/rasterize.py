"""Neural 3D Mesh Renderer's rasteriser: which face each pixel shows, and silhouettes that learn.

Faces are given on the screen: `faces[b, f, corner]` is (x, y, z) with x and y in normalised
device coordinates (-1..1, x to the right, y up; already divided by z) and z the camera depth.
Pictures have their top row (y = +1) first. A face is drawn if its corners run counter-clockwise
as seen on the screen; edges are inclusive; the nearest face wins, the lowest index on equal depth.

Source: Kato, Ushiku, Harada, "Neural 3D Mesh Renderer", CVPR 2018, and the authors' kernels.
Broken input: a face with a corner whose x or y is NaN or infinite is not drawn and gets zero
gradient; so does a face without area. A NaN depth is never drawn. There is no near-plane
clipping: a face with corners behind the camera is the triangle of its projected corners.
"""

import ctypes

import numpy as np
import torch
from torch import Tensor

from benchbench.core.errors import ShapeError, UsageError
from benchbench.cuda_ops import library

_P, _I, _F = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
_LARGEST_SIDE = 16384


def rasterize_maps(
    faces: Tensor, height: int, width: int, near: float = 0.1, far: float = 100.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Draws faces and returns what every pixel shows. No gradient.

    Args:
        faces: (B, F, 3, 3) float32 corners in normalised device coordinates and depth.
        height: Rows of the picture.
        width: Columns of the picture.
        near: Depths at or below are not drawn.
        far: Depths at or above are not drawn; also the depth of pixels without a face.

    Returns:
        face_index (B, H, W) int32, -1 where no face is; weights (B, H, W, 3) float32, the
        screen-space barycentric weights of that face's corners, 0 where no face is; depth
        (B, H, W) float32.

    Raises:
        ShapeError: An argument has the wrong shape or type, or is empty.

    Example:
        >>> triangle = torch.tensor([[[[-1.0, -1, 2], [1, -1, 2], [-1, 1, 2]]]])
        >>> face_index, weights, depth = rasterize_maps(triangle, 2, 2)
        >>> face_index[0].tolist(), depth[0].tolist()
        ([[0, -1], [0, 0]], [[2.0, 100.0], [2.0, 2.0]])
    """
    _check_faces("rasterize_maps", faces)
    _check_side("rasterize_maps", "height", height)
    _check_side("rasterize_maps", "width", width)
    _check_range("rasterize_maps", near, far)
    index, weights, depth = _maps(faces.detach().contiguous(), height, width, near, far)
    return index, weights, depth


@torch.library.custom_op("benchbench::rasterize_maps", mutates_args=())
def _maps(
    faces: Tensor, height: int, width: int, near: float, far: float
) -> tuple[Tensor, Tensor, Tensor]:
    if not library.available(faces.device):
        from benchbench.cuda_ops.reference.rasterize import rasterize_maps as slow

        return slow(faces, height, width, near, far)
    index, weights, depth = _empty_maps(faces, height, width)
    types = [_P, _I, _I, _I, _I, _F, _F, _P, _P, _P]
    arguments = [
        library.pointer(faces), faces.shape[0], faces.shape[1], height, width, near, far,
        library.pointer(index), library.pointer(weights), library.pointer(depth),
    ]  # fmt: skip
    if faces.device.type == "cuda":
        keys = _depth_keys(faces, height, width)
        types, arguments = [*types, _P], [*arguments, library.pointer(keys)]
    library.call("bench_rasterize_maps", faces.device, types, *arguments)
    return index, weights, depth


@_maps.register_fake
def _(
    faces: Tensor, height: int, width: int, near: float, far: float
) -> tuple[Tensor, Tensor, Tensor]:
    return _empty_maps(faces, height, width)


def rasterize_silhouettes(
    faces: Tensor,
    image_size: int | tuple[int, int] = 256,
    anti_aliasing: bool = True,
    near: float = 0.1,
    far: float = 100.0,
    eps: float = 1e-4,
) -> Tensor:
    """Draws silhouettes, with Kato's approximate gradient to the corners of the faces.

    The gradient is not a derivative (a silhouette has none): every edge of a visible face is
    asked, for each pixel on the lines that it crosses, whether the loss would fall if the edge
    were moved to uncover or cover that pixel; each such pixel pulls the edge's two corners with
    (fall of the loss) / (distance to move). Depths get no gradient. Forward and backward are the
    same bits in every run and for every number of threads.

    Args:
        faces: (B, F, 3, 3) float32 corners in normalised device coordinates and depth.
        image_size: Side S of the square picture, or (height, width).
        anti_aliasing: Draw twice as large and take the mean of 2 x 2 pixels.
        near: Depths at or below are not drawn.
        far: Depths at or above are not drawn.
        eps: Added to the distances of the gradient, in device units, greater than 0. The
            originals use 1e-4 here and 1e-3 in Kato's training.

    Returns:
        (B, S, S) or (B, height, width) float32 in [0, 1], top row first.

    Raises:
        ShapeError: An argument has the wrong shape or type, or is empty.

    Example:
        >>> triangle = torch.tensor([[[[-1.0, -1, 2], [1, -1, 2], [-1, 1, 2]]]])
        >>> rasterize_silhouettes(triangle, 2)[0].tolist()
        [[0.75, 0.0], [1.0, 0.75]]
    """
    name = "rasterize_silhouettes"
    _check_faces(name, faces)
    pool = 2 if anti_aliasing else 1
    height, width = _sides(name, image_size, _LARGEST_SIDE // pool)
    _check_range(name, near, far)
    if not eps > 0:
        raise UsageError(f"{name}: eps must be greater than 0, got {eps}")
    alpha, _ = _silhouettes(faces.contiguous(), height, width, pool, near, far, eps)
    return alpha


@torch.library.custom_op("benchbench::rasterize_silhouettes", mutates_args=())
def _silhouettes(
    faces: Tensor, height: int, width: int, pool: int, near: float, far: float, eps: float
) -> tuple[Tensor, Tensor]:
    if not library.available(faces.device):
        from benchbench.cuda_ops.reference.rasterize import rasterize_silhouettes as slow

        return slow(faces, (height, width), pool, near, far)
    alpha, index = _empty_silhouettes(faces, height, width, pool)
    types = [_P, _I, _I, _I, _I, _I, _F, _F, _P, _P]
    arguments = [
        library.pointer(faces), faces.shape[0], faces.shape[1], height, width, pool, near, far,
        library.pointer(index), library.pointer(alpha),
    ]  # fmt: skip
    if faces.device.type == "cuda":
        keys = _depth_keys(faces, height * pool, width * pool)
        types, arguments = [*types, _P], [*arguments, library.pointer(keys)]
    library.call("bench_rasterize_silhouettes", faces.device, types, *arguments)
    return alpha, index


@_silhouettes.register_fake
def _(
    faces: Tensor, height: int, width: int, pool: int, near: float, far: float, eps: float
) -> tuple[Tensor, Tensor]:
    return _empty_silhouettes(faces, height, width, pool)


@torch.library.custom_op("benchbench::rasterize_silhouettes_backward", mutates_args=())
def _silhouettes_backward(
    gradient: Tensor, faces: Tensor, index: Tensor, pool: int, eps: float
) -> Tensor:
    if not library.available(faces.device):
        from benchbench.cuda_ops.reference.rasterize import silhouettes_backward as slow

        return slow(gradient, faces, index, pool, eps)
    result = torch.empty_like(faces)
    types = [_P, _P, _P, _I, _I, _I, _I, _I, _F, _P]
    arguments = [
        library.pointer(gradient), library.pointer(faces), library.pointer(index),
        faces.shape[0], faces.shape[1], gradient.shape[1], gradient.shape[2], pool, eps,
        library.pointer(result),
    ]  # fmt: skip
    if faces.device.type == "cuda":
        owns = faces.new_empty(faces.shape[:2], dtype=torch.uint8)
        types, arguments = [*types, _P], [*arguments, library.pointer(owns)]
    library.call("bench_rasterize_silhouettes_backward", faces.device, types, *arguments)
    return result


@_silhouettes_backward.register_fake
def _(gradient: Tensor, faces: Tensor, index: Tensor, pool: int, eps: float) -> Tensor:
    return torch.empty_like(faces)


def _setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    faces, _, _, pool, _, _, eps = inputs
    _, index = output
    ctx.mark_non_differentiable(index)
    ctx.set_materialize_grads(False)  # that of the index would be zeros as large as the raster
    ctx.save_for_backward(faces, index)
    ctx.pool, ctx.eps = pool, eps


def _backward(ctx, gradient: Tensor | None, _: None):  # type: ignore[no-untyped-def]
    if gradient is None:
        return (None,) * 7
    faces, index = ctx.saved_tensors
    result = _silhouettes_backward(gradient.contiguous(), faces, index, ctx.pool, ctx.eps)
    return result, None, None, None, None, None, None


_silhouettes.register_autograd(_backward, setup_context=_setup_context)


def _empty_silhouettes(faces: Tensor, height: int, width: int, pool: int) -> tuple[Tensor, Tensor]:
    batch = faces.shape[0]
    return (
        faces.new_empty((batch, height, width)),
        faces.new_empty((batch, height * pool, width * pool), dtype=torch.int32),
    )


def _empty_maps(faces: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    shape = (faces.shape[0], height, width)
    return (
        faces.new_empty(shape, dtype=torch.int32),
        faces.new_empty((*shape, 3)),
        faces.new_empty(shape),
    )


def _depth_keys(faces: Tensor, height: int, width: int) -> Tensor:
    """Scratch of the CUDA kernels: depth and face index of each raster pixel in 64 bits."""
    return faces.new_empty((faces.shape[0], height, width), dtype=torch.int64)


def _check_faces(function: str, faces: Tensor) -> None:
    expected = "(B, F, 3, 3) float32 with B and F at least 1"
    if not isinstance(faces, Tensor):
        raise ShapeError(function, "faces", expected, type(faces).__name__)
    got = f"{tuple(faces.shape)} {str(faces.dtype).removeprefix('torch.')}"
    if faces.ndim != 4 or faces.shape[2:] != (3, 3) or faces.dtype != torch.float32:
        raise ShapeError(function, "faces", expected, got)
    if faces.numel() == 0:
        raise ShapeError(function, "faces", expected, got)
    if faces.device.type not in ("cpu", "cuda"):
        raise ShapeError(function, "faces", "on a CPU or CUDA device", faces.device)


def _check_side(function: str, name: str, value: int, largest: int = _LARGEST_SIDE) -> None:
    if not isinstance(value, int) or not 1 <= value <= largest:
        raise ShapeError(function, name, f"an integer from 1 to {largest}", value)


def _sides(
    function: str, image_size: int | tuple[int, int], largest: int = _LARGEST_SIDE
) -> tuple[int, int]:
    """Height and width of a picture given as one side or both."""
    pair = image_size if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    if len(pair) != 2:
        raise ShapeError(function, "image_size", "an integer or (height, width)", image_size)
    # Numpy's integers are no ints, and look the same in a message.
    height, width = (int(side) if isinstance(side, np.integer) else side for side in pair)
    for side in (height, width):
        _check_side(function, "image_size", side, largest)
    return height, width


def _check_range(function: str, near: float, far: float) -> None:
    if not near < far:
        raise UsageError(f"{function}: near must be less than far, got {near} and {far}")
