"""What an iteration of View Prior Learning adds, as learn3D re-implements it (trainCVPR19).

A mesh is drawn from the picture's own view and from another one. Odd iterations teach the
discriminator to tell the two, even ones make the other look like an own one. Both are drawings of
the same prediction: no picture of the data ever enters the discriminator.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchbench.baselines.learn3d.objective import is_discriminating
from benchbench.core.keyed import keyed_rng


def view_shifts(batch: int, count: int, seed: int, step: int) -> NDArray[np.int64]:
    """How many views on each mesh is drawn again: 1 to count - 1, uniform.

    The original redraws a view until it is another one; this draws among the others at once.

    Args:
        batch: B.
        count: K.
        seed: Part of the key.
        step: Part of the key.

    Returns:
        (B,) int64, to be added to the view modulo K.

    Example:
        >>> view_shifts(3, 2, 0, 1).tolist()
        [1, 1, 1]
    """
    return keyed_rng("vpl-views", seed, step).integers(1, count, batch)


def view_losses(
    iteration: int,
    own: Tensor,
    other: Tensor,
    own_views: Tensor,
    new_views: Tensor,
    judge: Callable[..., list[Tensor]],
    adversarial: float,
) -> dict[str, tuple[float, Tensor]]:
    """Losses of the discriminator, or of deceiving it, each with its weight.

    Args:
        iteration: From 1.
        own: (B, 64, 64) silhouettes from the pictures' own views.
        other: (B, 64, 64) silhouettes of the same meshes from other views.
        own_views: (B,) int64.
        new_views: (B,) int64.
        judge: Batches of silhouettes and views to probabilities (`Judge`).
        adversarial: Weight of deceiving it.
    """
    if is_discriminating(iteration):
        fake, real = judge((other.detach(), new_views), (own.detach(), own_views))
        loss = (_cross_entropy(fake, 0.0) + _cross_entropy(real, 1.0)) / 2
        return {"view_loss": (1.0, loss)}
    if not adversarial:
        return {}
    (fake,) = judge((other, new_views))
    return {"deception": (adversarial, _cross_entropy(fake, 1.0))}


def _cross_entropy(probabilities: Tensor, wanted: float) -> Tensor:
    return functional.binary_cross_entropy(probabilities, torch.full_like(probabilities, wanted))
