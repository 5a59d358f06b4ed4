"""neural_renderer's Adam: an element whose gradient is exactly zero is left alone.

A silhouette gives no gradient at all to most vertices in most steps; ordinary Adam would go on
moving those by their old momentum.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


class SkippingAdam:
    """Adam with zero-gradient skipping and a learning-rate multiplier per parameter.

    Source: kato.md 6. Per element with gradient g != 0: m += (1 - b1)(g - m);
    v += (1 - b2)(g^2 - v), at least 0; p -= rate m / (sqrt(v) + eps), where
    rate = alpha sqrt(1 - b2^t) / (1 - b1^t) times the multiplier.
    A multiplier of 0 leaves the parameter and its moments untouched.

    Args:
        parameters: Tensors by name; changed in place.
        multipliers: By name; 1 where not named.
    """

    def __init__(
        self, parameters: dict[str, Tensor], multipliers: dict[str, float] | None = None
    ) -> None:
        self.parameters = parameters
        self.multipliers = multipliers or {}
        self.first = {name: torch.zeros_like(p) for name, p in parameters.items()}
        self.second = {name: torch.zeros_like(p) for name, p in parameters.items()}

    @torch.no_grad()
    def step(self, number: int, alpha: float) -> None:
        """One update.

        Args:
            number: Which update this is, from 1.
            alpha: Learning rate.
        """
        rate = alpha * math.sqrt(1 - BETA2**number) / (1 - BETA1**number)
        for name, parameter in self.parameters.items():
            gradient, factor = parameter.grad, self.multipliers.get(name, 1.0)
            if gradient is None or factor == 0:
                continue
            m, v = self.first[name], self.second[name]
            moved = (gradient != 0).to(gradient.dtype)
            m.add_((gradient - m).mul_(moved), alpha=1 - BETA1)
            v.add_((gradient * gradient).sub_(v).mul_(moved), alpha=1 - BETA2).clamp_(min=0)
            parameter.sub_((m / v.sqrt().add_(EPS)).mul_(moved), alpha=rate * factor)

    def zero_grad(self) -> None:
        """Forgets all gradients."""
        for parameter in self.parameters.values():
            parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """Both moments by name, for a checkpoint."""
        return {
            **{f"adam/m/{name}": value for name, value in self.first.items()},
            **{f"adam/v/{name}": value for name, value in self.second.items()},
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Takes over the moments of a checkpoint."""
        for name in self.parameters:
            self.first[name].copy_(state[f"adam/m/{name}"])
            self.second[name].copy_(state[f"adam/v/{name}"])
