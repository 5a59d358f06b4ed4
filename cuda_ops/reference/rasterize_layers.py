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
    background: Tensor,
    index: Tensor,
    weights: Tensor,
    depth: Tensor,
    eps: float,
) -> Tensor:
    """Colours (B, 3, H, W); arguments as in `benchbench.cuda_ops.rasterize_layers`."""
    seen = index >= 0
    b, f = seen.nonzero()[:, 0], index[seen].long()
    colours = background[:, None, None].expand(*index.shape, 3).clone()
    total = torch.zeros_like(colours[seen])
    corners = _texels(faces[b, f], weights[seen], depth[seen], textures.shape[2], eps)
    for (i, j, k), share in corners:
        total = total + share[:, None] * textures[b, f, i, j, k]
    colours[seen] = total
    return colours.permute(0, 3, 1, 2).contiguous()


def textures_backward(
    gradient: Tensor,
    faces: Tensor,
    depth: Tensor,
    index: Tensor,
    weights: Tensor,
    side: int,
    eps: float,
) -> Tensor:
    """Gradient (B, F, T, T, T, 3) of the textures."""
    seen = index >= 0
    b, f = seen.nonzero()[:, 0], index[seen].long()
    slope = gradient.permute(0, 2, 3, 1)[seen]
    result = faces.new_zeros((*faces.shape[:2], side, side, side, 3))
    for (i, j, k), share in _texels(faces[b, f], weights[seen], depth[seen], side, eps):
        result.index_put_((b, f, i, j, k), share[:, None] * slope, accumulate=True)
    return result


def faces_backward(
    rgb_gradient: Tensor,
    alpha_gradient: Tensor,
    depth_gradient: Tensor,
    faces: Tensor,
    rgb: Tensor,
    depth: Tensor,
    index: Tensor,
    weights: Tensor,
    eps: float,
) -> Tensor:
    """Gradient (B, F, 3, 3) of the corners; an empty gradient means a layer that is not used."""
    values, slopes = [], []
    if rgb_gradient.numel():
        values, slopes = [*rgb.unbind(1)], [*rgb_gradient.unbind(1)]
    if alpha_gradient.numel():
        values, slopes = [*values, (index >= 0).to(faces)], [*slopes, alpha_gradient]
    result = torch.zeros_like(faces)
    if values:
        result += scan_backward(torch.stack(values, 1), torch.stack(slopes, 1), faces, index, eps)
    if depth_gradient.numel():
        result += depth_backward(depth_gradient, faces, depth, index, weights)
    return result


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


def _texels(
    faces: Tensor, weights: Tensor, depth: Tensor, side: int, eps: float
) -> Iterator[tuple[tuple[Tensor, Tensor, Tensor], Tensor]]:
    """The eight texels around each pixel and their shares."""
    position = weights * (side - 1) * (depth[:, None] / faces[..., 2])
    position = torch.nan_to_num(position, nan=0.0).clamp(0, side - 1 - eps)
    low = position.long().clamp_max(side - 2)
    part = position - low
    for up in itertools.product((0, 1), repeat=3):
        share = torch.ones_like(depth)
        for axis, bit in enumerate(up):
            share = share * (part[:, axis] if bit else 1 - part[:, axis])
        i, j, k = (low[:, axis] + bit for axis, bit in enumerate(up))
        yield (i, j, k), share
