"""The rasteriser as its definition reads: every face asks every pixel, every edge every line.

Raster rows grow upward (row 0 is y = -1) inside these functions; what they return and take has
the top row first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


def rasterize_maps(
    faces: Tensor, height: int, width: int, near: float, far: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Twin of `benchbench.cuda_ops.rasterize_maps`; same arguments and results."""
    drawn = [_draw(picture, height, width, near, far) for picture in faces]
    index, weights, depth = (torch.stack(maps).flip(1) for maps in zip(*drawn, strict=True))
    return index.contiguous(), weights.contiguous(), depth.contiguous()


def rasterize_silhouettes(
    faces: Tensor, size: int | tuple[int, int], pool: int, near: float, far: float
) -> tuple[Tensor, Tensor]:
    """Silhouettes (B, H, W) and the face map (B, H pool, W pool) they were made from."""
    height, width = (size, size) if isinstance(size, int) else size
    index, _, _ = rasterize_maps(faces, height * pool, width * pool, near, far)
    covered = (index >= 0).to(faces.dtype)
    return covered.unflatten(2, (width, pool)).unflatten(1, (height, pool)).mean((2, 4)), index


def silhouettes_backward(
    gradient: Tensor, faces: Tensor, index: Tensor, pool: int, eps: float
) -> Tensor:
    """Kato's approximate gradient (B, F, 3, 3) of the corners.

    Args:
        gradient: (B, H, W) of the loss by the silhouettes.
        faces: (B, F, 3, 3).
        index: (B, H pool, W pool) face map of the forward pass.
        pool: 2 with anti-aliasing, else 1.
        eps: Added to the distances.
    """
    spread = gradient.repeat_interleave(pool, 1).repeat_interleave(pool, 2) / (pool * pool)
    return scan_backward((index >= 0).to(faces)[:, None], spread[:, None], faces, index, eps)


def scan_backward(
    values: Tensor, gradient: Tensor, faces: Tensor, index: Tensor, eps: float
) -> Tensor:
    """Kato's approximate gradient (B, F, 3, 3) for any channels, which are weighed together.

    Args:
        values: (B, C, H, W) raster, top row first, as are the other maps.
        gradient: (B, C, H, W) of the loss by them.
        faces: (B, F, 3, 3).
        index: (B, H, W) face map of the forward pass.
        eps: Added to the distances.
    """
    maps = (index, values.movedim(1, -1), gradient.movedim(1, -1))
    corners, owner, value, slope = (
        one.detach().cpu().numpy() for one in (faces, *(one.flip(1) for one in maps))
    )
    pictures = [
        _scan_picture(corners[b], owner[b], value[b], slope[b], eps) for b in range(len(corners))
    ]
    return torch.from_numpy(np.stack(pictures)).to(faces)


def _draw(
    faces: Tensor, height: int, width: int, near: float, far: float
) -> tuple[Tensor, Tensor, Tensor]:
    x = torch.arange(width, device=faces.device).to(faces.dtype)
    y = torch.arange(height, device=faces.device).to(faces.dtype)[:, None]
    xp, yp = (2 * x + 1 - width) / width, (2 * y + 1 - height) / height
    depth = faces.new_full((height, width), far)
    index = torch.full_like(depth, -1, dtype=torch.int32)
    weights = faces.new_zeros((height, width, 3))
    for number, face in enumerate(faces):
        (x0, y0, _), (x1, y1, _), (x2, y2, _) = face
        if bool((y2 - y0) * (x1 - x0) < (y1 - y0) * (x2 - x0)):
            continue  # seen from behind
        if not bool(torch.isfinite(face[:, :2]).all()):
            continue
        inside = torch.ones_like(index, dtype=torch.bool)
        for (ax, ay, _), (bx, by, _) in zip(face, face.roll(-1, 0), strict=True):
            inside &= ~((yp - ay) * (bx - ax) < (xp - ax) * (by - ay))
        w = _weights(face, x, y, height, width)
        z = 1 / (w[..., 0] / face[0, 2] + w[..., 1] / face[1, 2] + w[..., 2] / face[2, 2])
        nearest = inside & (z > near) & (z < far) & (z < depth)
        depth = torch.where(nearest, z, depth)
        index[nearest] = number
        weights = torch.where(nearest[..., None], w, weights)
    return index, weights, depth


def _weights(face: Tensor, x: Tensor, y: Tensor, height: int, width: int) -> Tensor:
    """Screen-space barycentric weights at every pixel, clamped to [0, 1], summing to 1."""
    px = 0.5 * (face[:, 0] * width + width - 1)
    py = 0.5 * (face[:, 1] * height + height - 1)
    area = px[2] * (py[0] - py[1]) + px[0] * (py[1] - py[2]) + px[1] * (py[2] - py[0])
    found = []
    for k in range(3):
        a, b = (k + 1) % 3, (k + 2) % 3
        in_x, in_y = (py[a] - py[b]) / area, (px[b] - px[a]) / area
        constant = (px[a] * py[b] - px[b] * py[a]) / area
        found.append(torch.nan_to_num(in_x * x + in_y * y + constant, nan=0.0).clamp(0, 1))
    return torch.stack(found, -1) / (found[0] + found[1] + found[2])[..., None]


@dataclass
class _Line:
    """One raster line with everything a scan looks at."""

    owner: np.ndarray  # (L,)
    value: np.ndarray  # (L, C)
    gradient: np.ndarray  # (L, C)


def _scan_picture(
    faces: np.ndarray, index: np.ndarray, value: np.ndarray, gradient: np.ndarray, eps: float
) -> np.ndarray:
    """Every front face, every edge of it, both axes, every line that the edge crosses."""
    result = np.zeros((len(faces), 3, 3))
    sides = index.shape[1], index.shape[0]
    for number, face in enumerate(faces):
        (x0, y0, _), (x1, y1, _), (x2, y2, _) = face
        if (y2 - y0) * (x1 - x0) < (y1 - y0) * (x2 - x0) or not (index == number).any():
            continue
        for axis in (0, 1):  # 0: columns are scanned and y moves; 1: rows, and x moves
            lines = index, value, gradient
            if axis == 0:
                lines = index.swapaxes(0, 1), value.swapaxes(0, 1), gradient.swapaxes(0, 1)
            a = np.float32(0.5) * (face[:, axis] * sides[axis] + sides[axis] - 1)
            b = np.float32(0.5) * (face[:, 1 - axis] * sides[1 - axis] + sides[1 - axis] - 1)
            for edge in range(3):
                k0, k1, k2 = edge, (edge + 1) % 3, (edge + 2) % 3
                first = max(int(np.ceil(min(a[k0], a[k1]))), 0)
                last = int(min(max(a[k0], a[k1]), sides[axis] - 1))
                for at in range(first, last + 1):
                    line = _Line(*(values[at] for values in lines))
                    with np.errstate(all="ignore"):
                        pulls = _scan_line(
                            line, number, at, a[[k0, k1, k2]], b[[k0, k1, k2]], axis, eps
                        )
                    result[number, k0, 1 - axis] -= pulls[0]
                    result[number, k1, 1 - axis] -= pulls[1]
    return result


def _scan_line(
    line: _Line, number: int, at: int, a: np.ndarray, b: np.ndarray, axis: int, eps: float
) -> tuple[float, float]:
    """What the pixels of one line pull at the two corners of one edge (a0, b0) - (a1, b1)."""
    size = len(line.owner)
    outward = -1 if (a[0] < a[1]) == (axis == 0) else 1
    cross = (b[1] - b[0]) / (a[1] - a[0]) * (at - a[0]) + b[0]
    inner = _to_int(np.floor(cross) if outward > 0 else np.ceil(cross))
    outer = inner + outward
    if not (0 <= inner < size and 0 <= outer < size):
        return 0.0, 0.0
    pulls = np.zeros(2)
    if line.owner[inner] == number:
        # Outward: pixels that would be better with the colour of the inner pixel.
        pixels = np.arange(outer, size) if outward > 0 else np.arange(0, outer + 1)
        fall = ((line.value[pixels] - line.value[inner]) * line.gradient[pixels]).sum(-1)
        pulls += _pulls(fall, pixels, at, a, cross, 2 / size, eps)
    # Inward: this face's pixels that would be better with the colour of the outer pixel.
    if (at - a[0]) * (at - a[2]) < 0:
        opposite = (b[2] - b[0]) / (a[2] - a[0]) * (at - a[0]) + b[0]
    else:
        opposite = (b[1] - b[2]) / (a[1] - a[2]) * (at - a[2]) + b[2]
    limit = _to_int(np.ceil(opposite) if outward > 0 else np.floor(opposite))
    pixels = np.arange(max(min(inner, limit), 0), min(max(inner, limit), size - 1) + 1)
    pixels = pixels[line.owner[pixels] == number]
    fall = ((line.value[pixels] - line.value[outer]) * line.gradient[pixels]).sum(-1)
    pulls += _pulls(fall, pixels, at, a, cross, 2 / size, eps)
    return float(pulls[0]), float(pulls[1])


def _pulls(
    fall: np.ndarray,
    pixels: np.ndarray,
    at: int,
    a: np.ndarray,
    cross: np.floating,
    unit: float,
    eps: float,
) -> np.ndarray:
    """Sum over pixels of (fall of the loss) / (distance each corner must move for it)."""
    better = fall > 0
    offset = pixels[better].astype(a.dtype) - cross
    pulls = np.zeros(2)
    for corner, other in ((0, 1), (1, 0)):
        if a[other] == at:  # turning about a corner on this line does not move the crossing
            continue
        lever = (a[1] - a[0]) / (a[1] - at if corner == 0 else at - a[0])
        distance = lever * offset * a.dtype.type(unit)
        distance = np.where(distance > 0, distance + eps, distance - eps)
        pulls[corner] = (fall[better] / distance).sum()
    return pulls


def _to_int(value: np.floating) -> int:
    """As CUDA converts: NaN becomes 0, infinities saturate."""
    if np.isnan(value):
        return 0
    return int(np.clip(np.float64(value), -(2**31), 2**31 - 1))
