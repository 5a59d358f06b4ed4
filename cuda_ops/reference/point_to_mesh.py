"""Plain twin of `point_to_mesh`: every point against every face in double precision."""

from __future__ import annotations

import torch
from torch import Tensor

_PAIRS_AT_ONCE = 1 << 18


def point_to_mesh(points: Tensor, vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to the nearest triangle; see `benchbench.cuda_ops.point_to_mesh`.

    Args:
        points: (N, 3) float32.
        vertices: (V, 3) float32.
        faces: (F, 3) integers.

    Returns:
        Squared distances (N,) float32 and face indices (N,) int64.
    """
    faces = faces.to(torch.int64)
    known = ((faces >= 0) & (faces < len(vertices))).all(dim=1)  # those on CUDA are unchecked
    corners = vertices.to(torch.float64)[faces.clamp(0, len(vertices) - 1)]
    a, b, c = torch.where(known[:, None, None], corners, torch.nan).unbind(dim=1)
    step = max(1, _PAIRS_AT_ONCE // len(faces))
    squared, index = [], []
    for chunk in points.to(torch.float64).split(step):
        # The decision is made on what is returned, so that ties are ties of single precision.
        rounded = triangle_distance2(chunk[:, None], a, b, c).to(torch.float32)
        rounded = torch.where(torch.isfinite(a + b + c).all(dim=1), rounded, torch.nan)
        rounded = torch.where(torch.isfinite(chunk).all(dim=1)[:, None], rounded, torch.nan)
        best = rounded.nan_to_num(nan=torch.inf, posinf=torch.inf).amin(dim=1)
        hit = rounded == best[:, None]
        squared.append(best)
        index.append(torch.where(hit.any(dim=1), hit.to(torch.uint8).argmax(dim=1), -1))
    return torch.cat(squared), torch.cat(index)


def triangle_distance2(p: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Squared distances between points and triangles that broadcast against each other.

    Args:
        p, a, b, c: (..., 3) float64: points and the corners of triangles.

    Returns:
        (...) float64.
    """
    u, v, w = b - a, c - a, c - b
    edges = torch.minimum(
        torch.minimum(_edge_distance2(p - a, u), _edge_distance2(p - a, v)),
        _edge_distance2(p - b, w),
    )
    n = torch.linalg.cross(u, v)
    nn = (n * n).sum(dim=-1)
    flat = nn <= 1e-16 * (u * u).sum(dim=-1) * (v * v).sum(dim=-1)
    safe = torch.where(flat, torch.ones_like(nn), nn)
    s = (torch.linalg.cross(v, n) * (p - a)).sum(dim=-1) / safe
    t = (torch.linalg.cross(n, u) * (p - a)).sum(dim=-1) / safe
    height2 = (n * (p - a)).sum(dim=-1) ** 2 / safe
    inside = ~flat & (s > 0) & (t > 0) & (s + t < 1)
    return torch.where(inside, height2, edges)


def _edge_distance2(p: Tensor, edge: Tensor) -> Tensor:
    length2 = (edge * edge).sum(dim=-1)
    along = (p * edge).sum(dim=-1) / torch.where(length2 == 0, torch.ones_like(length2), length2)
    rest = p - along.clamp(0, 1)[..., None] * edge
    return (rest * rest).sum(dim=-1)
