"""The truth handed on as a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchbench.baselines.gt.spec import SPEC, TruthParameters
from benchbench.core.errors import UsageError
from benchbench.core.names import require
from benchbench.core.types import Mesh, Points, Voxels
from benchbench.datasets.clouds import surface_points


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
        return [self._one(store, index) for index, _ in items]

    def _one(self, store: Any, index: int) -> Mesh | Voxels | Points:
        kind = self.parameters.kind
        if kind is not None:
            require(kind, store.voxel_kinds, "voxel kind")
        else:
            mesh: Mesh | None = store.mesh(index)
            if mesh is not None:
                return mesh
            if not store.voxel_kinds:
                points = surface_points(store, index)
                if points is None:
                    raise UsageError(f"'{store.id}' holds neither meshes, voxels nor points")
                return Points(points)
            kind = "binvox" if "binvox" in store.voxel_kinds else store.voxel_kinds[0]
        return Voxels(store.voxels(index, kind).astype(np.float32), store.grid_to_object(kind))


def load(
    checkpoint: str | Path | None, device: str = "cpu", parameters: TruthParameters | None = None
) -> TruthBaseline:
    """Builds the baseline.

    Raises:
        UsageError: A checkpoint was named; there is nothing to load.
    """
    if checkpoint is not None:
        raise UsageError(
            f"'gt' has no weights, so '{checkpoint}' cannot be loaded",
            hint="leave --checkpoint out",
        )
    return TruthBaseline(parameters)
