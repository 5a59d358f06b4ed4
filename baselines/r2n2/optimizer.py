"""The original's Adam: weight decay within the gradient, epsilon beside the uncorrected root.

torch's own puts epsilon elsewhere, which moves single weights by 3e-4 within 5 steps.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
from torch import Tensor

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
DECAY = 5e-5


class DecayingAdam:
    """Adam as 3D-R2N2 has it.

    Source: r2n2.md 7.1. With g' = g + decay w for weights and g' = g for biases:
    m = b1 m + (1 - b1) g', v = b2 v + (1 - b2) g'^2,
    w -= rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps), t from 1.

    Args:
        parameters: Tensors by their original names, changed in place; those that end with ".b" are
            biases and do not decay.
        decay: Weight of the squared weights' gradient.
        slow: Names whose rate a step may lower.
    """

    def __init__(
        self,
        parameters: dict[str, Tensor],
        decay: float = DECAY,
        slow: Collection[str] = (),
    ) -> None:
        self.parameters, self.decay, self.slow = parameters, decay, frozenset(slow)
        self.first = {name: torch.zeros_like(p) for name, p in parameters.items()}
        self.second = {name: torch.zeros_like(p) for name, p in parameters.items()}

    @torch.no_grad()
    def step(self, number: int, rate: float, slower: float = 1.0) -> None:
        """One update.

        Args:
            number: Which update this is, from 1.
            rate: Learning rate.
            slower: Factor to it for the slow parameters.
        """
        whole = rate * math.sqrt(1 - BETA2**number) / (1 - BETA1**number)
        for name, parameter in self.parameters.items():
            gradient = parameter.grad
            if gradient is None:
                continue
            if not name.endswith(".b") and self.decay:
                gradient = gradient.add(parameter, alpha=self.decay)
            m, v = self.first[name], self.second[name]
            m.mul_(BETA1).add_(gradient, alpha=1 - BETA1)
            v.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
            size = whole * (slower if name in self.slow else 1.0)
            parameter.addcdiv_(m, v.sqrt().add_(EPS), value=-size)

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
