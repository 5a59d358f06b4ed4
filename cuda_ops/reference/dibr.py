"""DIB-R's renderer as its definition reads: face after face asks every pixel.

Rows grow upward inside these functions; what they return and take has the top row first. Weights
and areas are rounded where kaolin rounds them, so that pixels on an edge go to the same face.
"""

from __future__ import annotations

import torch
from torch import Tensor

NO_LAST = 2**31 - 1


def rasterize(
    z: Tensor, xy: Tensor, features: Tensor, valid: Tensor,
    height: int, width: int, multiplier: float, eps: float, old: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Features (B, H, W, D), face index (B, H, W) int32, weights (B, H, W, 3); no gradient."""
    batch, _, _, dims = features.shape
    out = features.new_zeros((batch, height, width, dims))
    index = torch.full((batch, height, width), -1, dtype=torch.int32, device=xy.device)
    weights = xy.new_zeros((batch, height, width, 3))
    x, y = pixel_centres(height, width, multiplier, xy, wide=False)
    for b in range(batch):
        depth = torch.full_like(out[b, ..., 0], -float("inf"))
        for f in range(xy.shape[1]):
            if not bool(valid[b, f]) or not is_drawn(xy[b, f], z[b, f]):
                continue
            corners = xy[b, f] * multiplier
            inside = in_box(corners, x, y, 0.0)
            w = (_weights_090 if old else _weights_head)(corners, x, y, eps)
            inside &= (w >= (-1e-7 if old else 0)).all(-1)
            here = w[..., 0] * z[b, f, 0] + w[..., 1] * z[b, f, 1] + w[..., 2] * z[b, f, 2]
            nearer = inside & (here > depth)
            depth = torch.where(nearer, here, depth)
            index[b][nearer] = f
            weights[b] = torch.where(nearer[..., None], w, weights[b])
        drawn = index[b] >= 0
        owner = index[b][drawn].long()
        out[b][drawn] = (weights[b][drawn][..., None] * features[b, owner]).sum(1)
    return out.flip(1), index.flip(1), weights.flip(1)


def rasterize_backward(
    gradient: Tensor, index: Tensor, weights: Tensor, xy: Tensor, features: Tensor,
    multiplier: float, eps: float, old: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Gradients of xy (B, F, 3, 2) and features (B, F, 3, D), a covered pixel at a time in order.

    A pixel is sum over k of w_k c_k. With P = sum over k of w_k corner_k held fixed, w_1 and w_2
    solve m w_1 + n w_2 = s, p w_1 + q w_2 = t, where (m, p) and (n, q) are the edges from corner
    0 and (s, t) = P - corner 0; Cramer's rule gives their derivatives.
    """
    grad_xy, grad_features = torch.zeros_like(xy), torch.zeros_like(features)
    for b, row, column in (index >= 0).nonzero().tolist():
        f = int(index[b, row, column])
        w, g, c = weights[b, row, column], gradient[b, row, column], features[b, f]
        grad_features[b, f] += w[:, None] * g
        scale = multiplier if old else 1.0
        corners = (xy[b, f] * scale).double()
        (m, p), (n, q) = corners[1] - corners[0], corners[2] - corners[0]
        s, t = (w.double()[:, None] * corners).sum(0) - corners[0]
        k1, k2, k3 = s * q - n * t, m * t - s * p, m * q - n * p
        if old:
            square = k3 * k3 + 1e-10
        else:
            k3 = k3 + torch.copysign(torch.tensor(eps, dtype=k3.dtype), k3)
            square = k3 * k3
        zero = torch.zeros_like(m)
        # Rows: derivatives by m, p, n, q, s, t; columns: of k1, k2, k3.
        d = torch.stack([
            torch.stack(row_) for row_ in (
                (zero, t, q), (zero, -s, -n), (-t, zero, -p), (s, zero, m), (q, -p, zero),
                (-n, m, zero),
            )
        ])  # fmt: skip
        d1, d2 = d[:, 0] * k3 - d[:, 2] * k1, d[:, 1] * k3 - d[:, 2] * k2
        pull = (d1 * (g * (c[1] - c[0])).sum() + d2 * (g * (c[2] - c[0])).sum()) / square * scale
        edge1, edge2, point = pull[0:2], pull[2:4], pull[4:6]
        grad_xy[b, f] += torch.stack((-(edge1 + edge2 + point), edge1, edge2)).to(xy.dtype)
    return grad_xy, grad_features


def soft_mask(
    xy: Tensor, index: Tensor, sigmainv: float, boxlen: float, knum: int,
    multiplier: float, old: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """1 - soft mask (B, H, W) and the last face that counts (B, H, W) int32.

    Differentiable by torch as well, apart from pixels that lie exactly on a border.
    """
    height, width = index.shape[1:]
    x, y = pixel_centres(height, width, multiplier, xy, wide=old)
    misses, stop = [], torch.full_like(index, NO_LAST)
    for b in range(xy.shape[0]):
        miss = (index[b].flip(0) < 0).to(xy.dtype)
        seen = torch.zeros_like(index[b])
        for f in range(xy.shape[1]):
            corners = xy[b, f] * multiplier
            if not bool(torch.isfinite(corners).all()):
                continue
            near = in_box(corners, x, y, boxlen * multiplier)
            near &= (index[b].flip(0) < 0) & (seen < knum)
            seen += near
            stop[b] = torch.where((near & (seen == knum)).flip(0), f, stop[b])
            z = border_distance(corners, x, y) * (sigmainv / (multiplier * multiplier))
            miss = torch.where(near, miss * -torch.expm1(-z), miss)
        misses.append(miss.flip(0))
    return torch.stack(misses), stop


def soft_mask_backward(
    gradient: Tensor, miss: Tensor, stop: Tensor, xy: Tensor, index: Tensor,
    sigmainv: float, boxlen: float, multiplier: float, old: bool,
) -> Tensor:  # fmt: skip
    """Gradient of xy (B, F, 3, 2), a face at a time: the nearest point of its border moves."""
    height, width = index.shape[1:]
    x, y = pixel_centres(height, width, multiplier, xy, wide=old)
    factor = sigmainv / (multiplier * multiplier)
    result = torch.zeros_like(xy)
    for b in range(xy.shape[0]):
        open_ = (index[b].flip(0) < 0) & (miss[b].flip(0) > 0)
        for f in range(xy.shape[1]):
            corners = xy[b, f] * multiplier
            if not bool(torch.isfinite(corners).all()):
                continue
            near = open_ & in_box(corners, x, y, boxlen * multiplier) & (f <= stop[b].flip(0))
            px, py = torch.broadcast_tensors(x, y)
            pixel = torch.stack((px[near], py[near]), -1)
            z = border_distance(corners, x, y)[near] * factor
            q, p = -torch.expm1(-z), torch.exp(-z)
            share = torch.where(q > 0, miss[b].flip(0)[near] / q * p, 0)
            slope = gradient[b].flip(0)[near] * share * factor * multiplier
            place = _place(corners, pixel)  # (pixels, 3): the nearest point by its corners
            away = (place[..., None] * corners).sum(1) - pixel
            result[b, f] = (2 * slope[:, None, None] * place[..., None] * away[:, None]).sum(0)
    return result


def pixel_centres(
    height: int, width: int, multiplier: float, like: Tensor, wide: bool
) -> tuple[Tensor, Tensor]:
    """x (1, W) and y (H, 1) of the pixels, bottom row first, rounded to float32 unless `wide`."""
    sides = []
    for n in (width, height):
        kind = torch.float64 if wide else torch.float32
        odd = torch.arange(1 - n, n, 2, device=like.device).to(kind)
        step = torch.tensor(multiplier, dtype=kind, device=like.device) / n
        sides.append((step * odd).to(like.dtype))
    return sides[0][None, :], sides[1][:, None]


def is_drawn(xy: Tensor, z: Tensor) -> bool:
    """Whether a face is finite and its area exceeds the rounding of its coordinates."""
    if not bool(torch.isfinite(xy).all()) or not bool(torch.isfinite(z).all()):
        return False
    corners = xy.double()
    (m, p), (n, q) = corners[1] - corners[0], corners[2] - corners[0]
    size = torch.stack((m, p, n, q)).abs().max()
    unit = torch.finfo(xy.dtype).eps / 2
    return bool((m * q - n * p).abs() > 4 * unit * size * corners.abs().max())


def in_box(corners: Tensor, x: Tensor, y: Tensor, margin: float) -> Tensor:
    """Pixels in the enlarged bounding box; its right and upper sides do not belong to it."""
    low, high = corners.amin(0) - margin, corners.amax(0) + margin
    return (x >= low[0]) & (x < high[0]) & (y >= low[1]) & (y < high[1])


def border_distance(corners: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Squared distance (H, W) of every pixel to the border of a triangle."""
    px, py = torch.broadcast_tensors(x, y)
    pixel = torch.stack((px, py), -1)
    found = ((corners - pixel[..., None, :]) ** 2).sum(-1).amin(-1)
    for k in range(3):
        a, edge = corners[k], corners[(k + 1) % 3] - corners[k]
        length = (edge**2).sum()
        if not bool(length > 0):
            continue
        along = ((pixel - a) * edge).sum(-1) / length
        cross = (a - pixel)[..., 0] * edge[1] - (a - pixel)[..., 1] * edge[0]
        beside = (along >= 0) & (along <= 1)
        found = torch.where(beside, torch.minimum(found, cross**2 / length), found)
    return found


def _place(corners: Tensor, pixel: Tensor) -> Tensor:
    """The border's nearest point to each pixel as weights (N, 3) of the corners."""
    best = pixel.new_full((len(pixel),), float("inf"))
    place = pixel.new_zeros((len(pixel), 3))
    for k in range(3):
        following = (k + 1) % 3
        edge = corners[following] - corners[k]
        length = (edge**2).sum()
        along = ((pixel - corners[k]) * edge).sum(-1) / length if bool(length > 0) else 0 * best
        along = along.nan_to_num(0).clamp(0, 1)
        found = ((corners[k] + along[:, None] * edge - pixel) ** 2).sum(-1)
        here = pixel.new_zeros((len(pixel), 3))
        here[:, k], here[:, following] = 1 - along, along
        place = torch.where((found < best)[:, None], here, place)
        best = torch.minimum(found, best)
    return place


def _weights_head(corners: Tensor, x: Tensor, y: Tensor, eps: float) -> Tensor:
    (ax, ay), (bx, by), (cx, cy) = corners
    ax, bx, cx, ay, by, cy = ax - x, bx - x, cx - x, ay - y, by - y, cy - y
    w = torch.stack((bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx), -1)
    area = w[..., 0] + w[..., 1] + w[..., 2]
    area = area + torch.where(area < 0, -eps, eps)
    return w / area[..., None]


def _weights_090(corners: Tensor, x: Tensor, y: Tensor, eps: float) -> Tensor:
    (ax, ay), (bx, by), (cx, cy) = corners
    m, p, n, q, s, t = bx - ax, by - ay, cx - ax, cy - ay, x - ax, y - ay
    area = (m * q - n * p).double() + 1e-7
    w1 = ((s * q - n * t).double() / area).to(corners.dtype)
    w2 = ((m * t - s * p).double() / area).to(corners.dtype)
    return torch.stack((1 - w1 - w2, w1, w2), -1)
