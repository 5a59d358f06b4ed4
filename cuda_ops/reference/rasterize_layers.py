"""Colours and depths of a face map as their definition reads, and their gradients.

All maps have the top row first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from benchbench.cuda_ops.reference.rasterize import scan_backward


def shade(
    faces: Tensor,
    textures: Tensor,
    light: Tensor,
    background: Tensor,
    index: Tensor,
    weights: Tensor,
    depth: Tensor,
    eps: float,
    linear: bool,
    fill_back: bool,
) -> Tensor:
    """Colours (B, 3, H, W); arguments as in `benchbench.cuda_ops.rasterize_layers`.

    An empty light is 1.
    """
    seen = index >= 0
    b, f = seen.nonzero()[:, 0], index[seen].long()
    colours = background[:, None, None].expand(*index.shape, 3).clone()
    sampled = _sample(faces, textures, index, weights, depth, eps, linear, fill_back)
    colours[seen] = sampled * light[b, f] if light.numel() else sampled
    return colours.permute(0, 3, 1, 2).contiguous()


def pool(pictures: Tensor, side: int) -> Tensor:
    """Means of `side` x `side` pixels of (..., H, W)."""
    rows = pictures.unflatten(-1, (-1, side)).mean(-1)
    return rows.unflatten(-2, (-1, side)).mean(-2)


def layers_backward(
    rgb_gradient: Tensor, alpha_gradient: Tensor, depth_gradient: Tensor, faces: Tensor,
    textures: Tensor, light: Tensor, background: Tensor, index: Tensor, pool: int, eps: float,
    linear: bool, fill_back: bool, to_faces: bool, to_textures: bool, to_light: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients of corners (B, F, 3, 3), textures and light (B, F, 3).

    A gradient that is empty means a layer that is not used; a result that is not asked for is
    empty. Weights, depths and colours are found again from the face map.
    """
    rgb_slope, alpha_slope, depth_slope = (
        one.repeat_interleave(pool, -1).repeat_interleave(pool, -2) / (pool * pool)
        if one.numel() else one for one in (rgb_gradient, alpha_gradient, depth_gradient)
    )  # fmt: skip
    weights, depth = weights_and_depth(faces, index)
    where = index, weights, depth
    results = [faces.new_empty(0) for _ in range(3)]
    if to_faces:
        values, slopes = [], []
        if rgb_slope.numel():
            rgb = shade(faces, textures, light, background, *where, eps, linear, fill_back)
            values, slopes = [*rgb.unbind(1)], [*rgb_slope.unbind(1)]
        if alpha_slope.numel():
            values, slopes = [*values, (index >= 0).to(faces)], [*slopes, alpha_slope]
        results[0] = torch.zeros_like(faces)
        if values:
            scanned = torch.stack(values, 1), torch.stack(slopes, 1)
            results[0] += scan_backward(*scanned, faces, index, eps)
        if depth_slope.numel():
            results[0] += depth_backward(depth_slope, faces, depth, index, weights)
    seen = index >= 0
    b, f = seen.nonzero()[:, 0], index[seen].long()
    if to_light:
        sampled = _sample(faces, textures, *where, eps, linear, fill_back)
        slope = rgb_slope.permute(0, 2, 3, 1)[seen]
        results[2] = torch.zeros_like(light).index_put_((b, f), sampled * slope, accumulate=True)
    if to_textures:
        slope = rgb_slope.permute(0, 2, 3, 1)[seen]
        slope = slope * light[b, f] if light.numel() else slope
        results[1] = faces.new_zeros(textures.shape)
        side = textures.shape[2]
        for place, share in _texels(faces, *where, side, eps, linear, fill_back):
            results[1].index_put_(place, share[:, None] * slope, accumulate=True)
    return results[0], results[1], results[2]


def depth_backward(
    gradient: Tensor, faces: Tensor, depth: Tensor, index: Tensor, weights: Tensor
) -> Tensor:
    """Gradient (B, F, 3, 3) by depth 1 / sum(w_k / z_k), w linear on the screen."""
    height, width = index.shape[1:]
    seen = index >= 0
    b, f = seen.nonzero()[:, 0], index[seen].long()
    face = faces[b, f]
    x, y, z = face.unbind(-1)
    px, py = 0.5 * (x * width + width - 1), 0.5 * (y * height + height - 1)
    after, before = [1, 2, 0], [2, 0, 1]
    area = (px[:, before] * (py - py[:, after])).sum(1, keepdim=True)
    slope_x = ((py[:, after] - py[:, before]) / area / z).sum(1, keepdim=True)
    slope_y = ((px[:, before] - px[:, after]) / area / z).sum(1, keepdim=True)
    pull = gradient[seen][:, None] * weights[seen] * depth[seen][:, None] ** 2
    found = torch.stack(
        (pull * slope_x * width / 2, pull * slope_y * height / 2, pull / z**2), dim=-1
    )
    return torch.zeros_like(faces).index_put_((b, f), found, accumulate=True)


def weights_and_depth(faces: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (B, H, W, 3), 0 where no face is, and depths (B, H, W) of the faces of a map."""
    height, width = index.shape[1:]
    seen = index >= 0
    b, row, x = seen.nonzero().unbind(1)
    face = faces[b, index[seen].long()]
    px = 0.5 * (face[..., 0] * width + width - 1)
    py = 0.5 * (face[..., 1] * height + height - 1)
    after, before = [1, 2, 0], [2, 0, 1]
    area = (px[:, before] * (py - py[:, after])).sum(1, keepdim=True)
    constant = px[:, after] * py[:, before] - px[:, before] * py[:, after]
    inside = (
        (py[:, after] - py[:, before]) * x[:, None]
        + (px[:, before] - px[:, after]) * (height - 1 - row)[:, None]
        + constant
    ) / area
    inside = torch.nan_to_num(inside, nan=0.0).clamp(0, 1)
    weights, depth = faces.new_zeros((*index.shape, 3)), faces.new_zeros(index.shape)
    weights[seen] = inside / inside.sum(1, keepdim=True)
    depth[seen] = 1 / (weights[seen] / face[..., 2]).sum(1)
    return weights, depth


def _sample(
    faces: Tensor, textures: Tensor, index: Tensor, weights: Tensor, depth: Tensor, eps: float,
    linear: bool, fill_back: bool,
) -> Tensor:  # fmt: skip
    """Colours of the pixels that show a face, without light."""
    side = textures.shape[2]
    found = _texels(faces, index, weights, depth, side, eps, linear, fill_back)
    terms = [share[:, None] * textures[place] for place, share in found]
    return torch.stack(terms).sum(0)


def _texels(
    faces: Tensor, index: Tensor, weights: Tensor, depth: Tensor, side: int, eps: float,
    linear: bool, fill_back: bool,
) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:  # fmt: skip
    """The eight texels around each pixel that shows a face, and their shares.

    Backs, the second half of the faces, look into their fronts' cubes with axes 0 and 2 exchanged.
    """
    seen = index >= 0
    b, f = seen.nonzero()[:, 0], index[seen].long()
    scale = torch.ones_like(weights[seen])
    if not linear:
        scale = depth[seen][:, None] / faces[b, f][..., 2]
    position = weights[seen] * (side - 1) * scale
    position = torch.nan_to_num(position, nan=0.0).clamp(0, max(side - 1 - eps, 0))
    if fill_back:
        fronts = faces.shape[1] // 2
        position = torch.where((f >= fronts)[:, None], position.flip(1), position)
        f = f % fronts
    low = position.long().clamp_max(side - 2)
    part = position - low
    for up in itertools.product((0, 1), repeat=3):
        share = torch.ones_like(part[:, 0])
        for axis, bit in enumerate(up):
            share = share * (part[:, axis] if bit else 1 - part[:, axis])
        i, j, k = (low[:, axis] + bit for axis, bit in enumerate(up))
        yield (b, f, i, j, k), share
