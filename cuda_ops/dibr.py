"""DIB-R's renderer, a drop-in for `kaolin.render.mesh.dibr`: features and a soft mask that learn.

Faces are given on the image plane: `face_vertices_image` (B, F, 3, 2) holds x to the right and y
up, -1..1 inside the picture; `face_vertices_z` (B, F, 3) depths of which a LARGER one is nearer
(kaolin's cameras look along -z). Pictures have their top row first. Depth and features are
interpolated linearly on the image plane, not perspective-correctly, as in every version of kaolin.

`version` chooses between today's kaolin, "head" (0.11.0 and later), and "0.9.0" (0.9.0 to 0.10.0),
with which the authors' single-image reconstruction was trained. They differ in the last digits and
on pixels that lie exactly on an edge.

What happens with broken input, the same in both versions:

- A face is drawn only if its corners and depths are finite and its area exceeds the rounding of
  its coordinates; otherwise it covers no pixel and gets no gradient through the features. (In
  kaolin such a face can hide everything behind it, and its gradient can reach 1e8.)
- A face with a corner that is not finite does not touch the soft mask either. One without area
  does, as the line or point that it is.
- NaN features appear in the pixels of their own face only.
- No faces at all (F = 0) gives background: features 0, index -1, soft mask 0.
- Nothing looks at the sign of the depth. A face behind the camera is drawn as the triangle of its
  projected corners, before everything else; leave it out with
  `valid_faces=(face_vertices_z < 0).all(-1)`.

Forward and backward are the same bits in every run and for every number of threads. No gradient
flows to depths or through visibility.

Source: Chen et al., "Learning to Predict 3D Objects with an Interpolation-based Differentiable
Renderer", NeurIPS 2019; kaolin 0.9.0 and 0.18.0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from benchbench.core.errors import ShapeError, UsageError
from benchbench.cuda_ops.dibr_camera import (
    generate_perspective_projection,
    generate_rotate_translate_matrices,
    generate_transformation_matrix,
    perspective_camera,
    rotate_translate_points,
)
from benchbench.cuda_ops.dibr_meshes import (
    face_normals,
    index_vertices_by_faces,
    mask_iou,
    prepare_vertices,
)
from benchbench.cuda_ops.dibr_ops import miss_map, rasterize_maps

__all__ = [
    "dibr_rasterization",
    "dibr_soft_mask",
    "face_normals",
    "generate_perspective_projection",
    "generate_rotate_translate_matrices",
    "generate_transformation_matrix",
    "index_vertices_by_faces",
    "mask_iou",
    "perspective_camera",
    "prepare_vertices",
    "rasterize",
    "rotate_translate_points",
]

Version = Literal["head", "0.9.0"]
Features = Tensor | Sequence[Tensor]
_MULTIPLIER, _EPS = 1000.0, 1e-8
_LARGEST_SIDE = 16384


def rasterize(
    height: int,
    width: int,
    face_vertices_z: Tensor,
    face_vertices_image: Tensor,
    face_features: Features,
    valid_faces: Tensor | None = None,
    multiplier: float | None = None,
    eps: float | None = None,
    backend: str = "cuda",
    *,
    version: Version = "head",
) -> tuple[Tensor | tuple[Tensor, ...], Tensor]:
    """Draws the nearest face in every pixel, with gradients to image positions and features.

    Args:
        height: Rows of the picture.
        width: Columns of the picture.
        face_vertices_z: (B, F, 3) float32 or float64 depths, larger is nearer. No gradient.
        face_vertices_image: (B, F, 3, 2) corners on the image plane.
        face_features: (B, F, 3, D), or a list of such tensors.
        valid_faces: (B, F) bool, the faces to draw; all if None.
        multiplier: Coordinates are multiplied by it before rounding matters; 1000 if None.
        eps: Added to the areas by which weights and gradients are divided; 1e-8 if None. Version
            0.9.0 has fixed ones of its own.
        backend: Only "cuda", kaolin's name for its own kernels; here it means these kernels, on
            whatever device the tensors are.
        version: "head" or "0.9.0" (see above).

    Returns:
        Features (B, H, W, D), 0 where no face is drawn, or a tuple of them where a list was
        given; face index (B, H, W) int64, -1 where no face is drawn.

    Raises:
        ShapeError: An argument has the wrong shape, type or device.
        UsageError: Another backend or version, or an option out of range.

    Example:
        >>> corners = torch.tensor([[[[-1.0, -1], [1, -1], [-1, 1]]]])
        >>> colours = torch.tensor([[[[0.0], [1.0], [2.0]]]])
        >>> picture, index = rasterize(2, 2, torch.full((1, 1, 3), -2.0), corners, colours)
        >>> picture[0, ..., 0].tolist(), index[0].tolist()
        ([[1.75, 0.0], [0.75, 1.25]], [[0, -1], [0, 0]])
    """
    features, index = _rasterize(
        "rasterize", height, width, face_vertices_z, face_vertices_image, face_features,
        valid_faces, multiplier, eps, backend, version,
    )  # fmt: skip
    return features, index.long()


def dibr_soft_mask(
    face_vertices_image: Tensor,
    selected_face_idx: Tensor,
    sigmainv: float = 7000,
    boxlen: float = 0.02,
    knum: int = 30,
    multiplier: float = 1000.0,
    *,
    version: Version = "head",
) -> Tensor:
    """A silhouette that fades out around the faces, so that it has a gradient.

    1 where a face is drawn. Elsewhere 1 - prod(1 - exp(-sigmainv d^2)) over the first `knum`
    faces in index order (drawn or not, seen from behind or not) whose bounding box, enlarged by
    `boxlen`, contains the pixel; d is the distance from the pixel to the border of the face.

    Args:
        face_vertices_image: (B, F, 3, 2) float32 or float64 corners on the image plane.
        selected_face_idx: (B, H, W) integers, -1 where no face is drawn, as `rasterize` gives.
        sigmainv: Sharpness; larger is sharper.
        boxlen: How far a face reaches. At 0.02 and 7000 the probability that is cut off is 0.061.
        knum: Largest number of faces that count at a pixel.
        multiplier: Coordinates are multiplied by it; matters for rounding only.
        version: "head" or "0.9.0" (see above).

    Returns:
        (B, H, W) in [0, 1].

    Raises:
        ShapeError: An argument has the wrong shape, type or device.
        UsageError: An option out of range.

    Example:
        >>> corners = torch.tensor([[[[-1.0, -1], [0.5, -1], [-1, 0.5]]]])
        >>> nothing = torch.full((1, 2, 2), -1)
        >>> mask = dibr_soft_mask(corners, nothing, sigmainv=10.0, boxlen=1.0)
        >>> (1000 * mask[0]).round().int().tolist()
        [[287, 0], [287, 287]]
    """
    name = "dibr_soft_mask"
    _check_faces(name, face_vertices_image)
    index = selected_face_idx
    batch = face_vertices_image.shape[0]
    whole = index.ndim == 3 and index.shape[0] == batch and index.numel() > 0
    if not whole or index.dtype not in (torch.int32, torch.int64):
        expected = f"({batch}, H, W) int64, not empty"
        raise ShapeError(name, "selected_face_idx", expected, _describe(index))
    _check_device(name, "selected_face_idx", index, face_vertices_image)
    return _soft_mask(name, face_vertices_image, index, sigmainv, boxlen, knum, multiplier, version)


def dibr_rasterization(
    height: int,
    width: int,
    face_vertices_z: Tensor,
    face_vertices_image: Tensor,
    face_features: Features,
    face_normals_z: Tensor,
    sigmainv: float = 7000,
    boxlen: float = 0.02,
    knum: int = 30,
    multiplier: float | None = None,
    eps: float | None = None,
    rast_backend: str = "cuda",
    *,
    version: Version = "head",
) -> tuple[Tensor | tuple[Tensor, ...], Tensor, Tensor]:
    """Draws faces that look at the camera, and their soft mask: the whole of DIB-R's renderer.

    Args:
        height: Rows of the picture.
        width: Columns of the picture.
        face_vertices_z: As in `rasterize`.
        face_vertices_image: As in `rasterize`.
        face_features: As in `rasterize`.
        face_normals_z: (B, F) or (B, F, 1); faces are drawn where it is 0 or more. NaN is not.
        sigmainv: As in `dibr_soft_mask`.
        boxlen: As in `dibr_soft_mask`.
        knum: As in `dibr_soft_mask`.
        multiplier: As in `rasterize`.
        eps: As in `rasterize`.
        rast_backend: As `backend` in `rasterize`.
        version: "head" or "0.9.0" (see above).

    Returns:
        Features as from `rasterize`, the soft mask (B, H, W), the face index (B, H, W) int64.

    Raises:
        ShapeError: An argument has the wrong shape, type or device.
        UsageError: Another backend or version, or an option out of range.

    Example:
        >>> corners = torch.tensor([[[[-1.0, -1], [1, -1], [-1, 1]]]])
        >>> picture, mask, index = dibr_rasterization(
        ...     2, 2, torch.full((1, 1, 3), -2.0), corners, torch.ones(1, 1, 3, 1),
        ...     torch.ones(1, 1), sigmainv=1.0, boxlen=1.0)
        >>> (1000 * mask[0]).round().int().tolist()
        [[1000, 607], [1000, 1000]]
    """
    name = "dibr_rasterization"
    _check_faces(name, face_vertices_image)
    normals, shape = face_normals_z, tuple(face_vertices_image.shape[:2])
    if tuple(normals.shape) not in (shape, (*shape, 1)) or not normals.is_floating_point():
        expected = f"{shape} or {(*shape, 1)} floating point"
        raise ShapeError(name, "face_normals_z", expected, _describe(normals))
    features, index = _rasterize(
        name, height, width, face_vertices_z, face_vertices_image, face_features,
        normals.detach().reshape(shape) >= 0, multiplier, eps, rast_backend, version,
    )  # fmt: skip
    scale = _MULTIPLIER if multiplier is None else multiplier
    mask = _soft_mask(name, face_vertices_image, index, sigmainv, boxlen, knum, scale, version)
    return features, mask, index.long()


def _rasterize(
    name: str,
    height: int,
    width: int,
    z: Tensor,
    xy: Tensor,
    features: Features,
    valid: Tensor | None,
    multiplier: float | None,
    eps: float | None,
    backend: str,
    version: str,
) -> tuple[Tensor | tuple[Tensor, ...], Tensor]:
    """`rasterize` with an int32 face index."""
    if backend != "cuda":
        raise UsageError(
            f"{name}: no backend '{backend}'", hint="leave it at 'cuda': it serves every device"
        )
    old = _is_old(name, version)
    if old and eps is not None:
        raise UsageError(f"{name}: version 0.9.0 has no eps, got {eps}", hint="version='head'")
    height, width = _side(name, "height", height), _side(name, "width", width)
    multiplier = _MULTIPLIER if multiplier is None else float(multiplier)
    eps = _EPS if eps is None else float(eps)
    _check_positive(name, "multiplier", multiplier)
    if not 0 <= eps < math.inf:
        raise UsageError(f"{name}: eps must be 0 or more, got {eps}")
    _check_faces(name, xy)
    shape = tuple(xy.shape[:2])
    if tuple(z.shape) != (*shape, 3) or z.dtype != xy.dtype:
        kind = str(xy.dtype).removeprefix("torch.")
        raise ShapeError(name, "face_vertices_z", f"{(*shape, 3)} {kind}", _describe(z))
    _check_device(name, "face_vertices_z", z, xy)
    parts = [features] if isinstance(features, Tensor) else list(features)
    for part in parts:
        fits = part.ndim == 4 and tuple(part.shape[:3]) == (*shape, 3) and part.shape[3] > 0
        if not fits or part.dtype != xy.dtype:
            expected = f"({shape[0]}, {shape[1]}, 3, D) {str(xy.dtype).removeprefix('torch.')}"
            raise ShapeError(name, "face_features", expected, _describe(part))
        _check_device(name, "face_features", part, xy)
    if not parts:
        raise ShapeError(name, "face_features", "a tensor or a list of tensors", "an empty list")
    if valid is None:
        valid = torch.ones(shape, dtype=torch.bool, device=xy.device)
    elif tuple(valid.shape) != shape or valid.dtype != torch.bool:
        raise ShapeError(name, "valid_faces", f"{shape} bool", _describe(valid))
    _check_device(name, "valid_faces", valid, xy)
    joined = torch.cat(parts, -1) if len(parts) > 1 else parts[0]
    drawn, index, _ = rasterize_maps(
        z.detach().contiguous(), xy.contiguous(), joined.contiguous(), valid.contiguous(),
        height, width, multiplier, eps, old,
    )  # fmt: skip
    if isinstance(features, Tensor):
        return drawn, index
    return tuple(drawn.split([part.shape[3] for part in parts], -1)), index


def _soft_mask(
    name: str,
    xy: Tensor,
    index: Tensor,
    sigmainv: float,
    boxlen: float,
    knum: int,
    multiplier: float,
    version: str,
) -> Tensor:
    old = _is_old(name, version)
    _check_positive(name, "sigmainv", sigmainv)
    _check_positive(name, "multiplier", multiplier)
    if not 0 <= boxlen < math.inf:
        raise UsageError(f"{name}: boxlen must be 0 or more, got {boxlen}")
    if knum < 1:
        raise UsageError(f"{name}: knum must be at least 1, got {knum}")
    miss, _ = miss_map(
        xy.contiguous(), index.to(torch.int32).contiguous(), float(sigmainv), float(boxlen),
        int(knum), float(multiplier), old,
    )  # fmt: skip
    return 1 - miss


def _is_old(name: str, version: str) -> bool:
    if version not in ("head", "0.9.0"):
        raise UsageError(f"{name}: unknown version '{version}'", hint="use 'head' or '0.9.0'")
    return version == "0.9.0"


def _check_faces(name: str, xy: Tensor) -> None:
    expected = "(B, F, 3, 2) float32 or float64 with B at least 1"
    argument = "face_vertices_image"
    if not isinstance(xy, Tensor) or xy.ndim != 4 or xy.shape[0] == 0 or xy.shape[2:] != (3, 2):
        raise ShapeError(name, argument, expected, _describe(xy))
    if xy.dtype not in (torch.float32, torch.float64):
        raise ShapeError(name, argument, expected, _describe(xy))
    if xy.device.type not in ("cpu", "cuda"):
        raise ShapeError(name, argument, "on a CPU or CUDA device", xy.device)


def _check_device(name: str, argument: str, value: Tensor, like: Tensor) -> None:
    if value.device != like.device:
        raise ShapeError(name, argument, f"on {like.device}", value.device)


def _side(name: str, argument: str, value: int | np.integer) -> int:
    if not isinstance(value, int | np.integer) or not 1 <= value <= _LARGEST_SIDE:
        raise ShapeError(name, argument, f"an integer from 1 to {_LARGEST_SIDE}", value)
    return int(value)


def _check_positive(name: str, argument: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise UsageError(f"{name}: {argument} must be greater than 0, got {value}")


def _describe(value: object) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
