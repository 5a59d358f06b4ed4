"""Plain twin of `nearest` and `chamfer_nearest`: all pairs in torch."""

from __future__ import annotations

import torch
from torch import Tensor

_ROWS = 1024  # queries at once, so that large clouds fit into memory


def one_way(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Nearest target of every source point of one cloud; see `benchbench.cuda_ops.nearest`.

    Args:
        source: (N, 3) float32.
        target: (M, 3) float32.

    Returns:
        squared_distance: (N,) float32, NaN where every distance is NaN.
        index: (N,) int64, -1 there.
    """
    if not len(source) or not len(target):
        nothing = torch.full((len(source),), -1, device=source.device)
        return source.new_full((len(source),), torch.nan), nothing
    distances, indices = [], []
    for rows in source.split(_ROWS):
        dx, dy, dz = (rows[:, None, :] - target[None, :, :]).unbind(dim=2)
        squared = dx * dx + dy * dy + dz * dz
        missing = squared.isnan()
        least = squared.masked_fill(missing, torch.inf).amin(dim=1)
        # argmax of booleans as integers returns the first of the equal ones.
        index = ((squared == least[:, None]) & ~missing).to(torch.uint8).argmax(dim=1)
        nothing = missing.all(dim=1)
        distances.append(least.masked_fill(nothing, torch.nan))
        indices.append(index.masked_fill(nothing, -1))
    return torch.cat(distances), torch.cat(indices)


def both_ways(
    source: Tensor,
    target: Tensor,
    source_lengths: Tensor | None = None,
    target_lengths: Tensor | None = None,
    two_ways: bool = True,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Batched and ragged; see `benchbench.cuda_ops.chamfer_nearest`.

    Args:
        source: (B, N, 3) float32.
        target: (B, M, 3) float32.
        source_lengths: (B,) int64 or None.
        target_lengths: (B,) int64 or None.
        two_ways: False leaves the second pair of results empty.

    Returns:
        Squared distances (B, N), indices (B, N), squared distances (B, M), indices (B, M).
    """
    batch, n, _ = source.shape
    m = target.shape[1]
    distance = source.new_zeros((batch, n))
    index = torch.full((batch, n), -1, device=source.device)
    back = source.new_zeros((batch, m) if two_ways else (0,))
    back_index = torch.full((batch, m) if two_ways else (0,), -1, device=source.device)
    for b in range(batch):
        s = n if source_lengths is None else int(source_lengths[b].clamp(0, n))
        t = m if target_lengths is None else int(target_lengths[b].clamp(0, m))
        distance[b, :s], index[b, :s] = one_way(source[b, :s], target[b, :t])
        if two_ways:
            back[b, :t], back_index[b, :t] = one_way(target[b, :t], source[b, :s])
    return distance, index, back, back_index


def gradients(
    source: Tensor,
    target: Tensor,
    source_index: Tensor,
    target_index: Tensor,
    source_grad: Tensor | None,
    target_grad: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Gradients of both clouds from those of the squared distances.

    Args:
        source: (B, N, 3) float32.
        target: (B, M, 3) float32.
        source_index: (B, N) int64 into the target, -1 for none.
        target_index: (B, M) int64 into the source, -1 for none; unused without its gradient.
        source_grad: (B, N) gradient of the source's squared distances, or None.
        target_grad: (B, M) gradient of the target's, or None.

    Returns:
        Gradients (B, N, 3) and (B, M, 3).
    """
    of_source, of_target = torch.zeros_like(source), torch.zeros_like(target)
    for b in range(len(source)):
        pairs = (
            (source[b], target[b], source_index, source_grad, of_source[b], of_target[b]),
            (target[b], source[b], target_index, target_grad, of_target[b], of_source[b]),
        )
        for own, other, index, grad, own_result, other_result in pairs:
            if grad is None:
                continue
            used = (index[b] >= 0).nonzero()[:, 0]
            neighbour = index[b, used]
            pull = 2.0 * (own[used] - other[neighbour]) * grad[b, used, None]
            own_result.index_add_(0, used, pull)
            other_result.index_add_(0, neighbour, -pull)
    return of_source, of_target
