"""The truth handed on as a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchbench.baselines.gt.spec import SPEC, TruthParameters
from benchbench.baselines.truth import no_weights, true_shape
from benchbench.core.types import Mesh, Points, Voxels


class TruthBaseline:
    """The true mesh of every object, or its true voxels where the set has no mesh, or its points.

    Args:
        parameters: Which voxels.

    Attributes:
        uses_views: False: one prediction per object, items have view -1.
        block_size: Objects a block.
        checkpoint_hash: "none".
        caption: Says that this is the truth.
        settings: Which voxels.
        threshold: 0.5, in the middle between the truth's 0 and 1.
    """

    spec = SPEC
    uses_views = False
    block_size = 64
    checkpoint_hash = "none"
    threshold: float | None = 0.5

    def __init__(self, parameters: TruthParameters | None = None) -> None:
        self.parameters = parameters or TruthParameters()
        self.settings: dict[str, Any] = asdict(self.parameters)
        self.caption = "gt: the truth itself, handed in as a prediction"

    def predict_items(
        self, store: Any, items: Sequence[tuple[int, int]]
    ) -> list[Mesh | Voxels | Points]:
        """The truth of each object; the view plays no part."""
        return [true_shape(store, index, self.parameters.kind) for index, _ in items]


def load(
    checkpoint: str | Path | None, device: str = "cpu", parameters: TruthParameters | None = None
) -> TruthBaseline:
    """Builds the baseline.

    Raises:
        UsageError: A checkpoint was named; there is nothing to load.
    """
    no_weights(SPEC.id, checkpoint)
    return TruthBaseline(parameters)
