"""torch's Adam over named parameters, with a state that a checkpoint can hold."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


class Adam:
    """Adam with torch's defaults (betas 0.9 and 0.999, epsilon 1e-8).

    Parameters whose gradient is None are left alone, and so is their count of steps.

    Args:
        parameters: By name; the names are those of `state`.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self.parameters = dict(parameters)
        self._adam = torch.optim.Adam(self.parameters.values(), lr=1e-4, fused=True)

    def zero_grad(self) -> None:
        """Forgets the gradients."""
        self._adam.zero_grad()

    def step(self, rate: float) -> None:
        """Moves the parameters at a learning rate."""
        for group in self._adam.param_groups:
            group["lr"] = rate
        self._adam.step()

    def state(self) -> dict[str, Tensor]:
        """Moments and counts as "adam.<moment>.<name>"."""
        return {
            f"adam.{moment}.{name}": self._adam.state[parameter][moment]
            for name, parameter in self.parameters.items()
            if parameter in self._adam.state
            for moment in _MOMENTS
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Takes over a state; parameters without one start anew."""
        for name, parameter in self.parameters.items():
            if f"adam.step.{name}" in state:
                self._adam.state[parameter] = {
                    moment: state[f"adam.{moment}.{name}"].to(parameter.device, copy=True)
                    for moment in _MOMENTS
                }
