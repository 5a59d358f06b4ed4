"""The training shape nearest to the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchbench.baselines.oracle_nearest.clouds import best_cloud, cloud_of
from benchbench.baselines.oracle_nearest.grids import Grids, pack
from benchbench.baselines.oracle_nearest.spec import SPEC, OracleParameters
from benchbench.baselines.training_ids import TrainingIds
from benchbench.baselines.truth import (
    choose_grid,
    grid_of,
    no_weights,
    training_rows,
    true_shape,
)
from benchbench.core.names import require
from benchbench.core.types import Mesh, Points, Voxels


class OracleNearestBaseline:
    """Retrieval that is told the truth: nothing that recognises a training shape can do better.

    Args:
        parameters: By what, and on which grid.
        device: Where Chamfer distances are computed.

    Attributes:
        uses_views: False: one answer per object, items have view -1.
        block_size: Objects a block.
        checkpoint_hash: "none"; all comes from the data set, whose hash is in every result.
        caption: Says that the truth was given.
        settings: By what, and on which grid.
        threshold: 0.5, between the 0 and 1 of true voxels.
        training: The objects that are looked up, known after `fit`.
    """

    spec = SPEC
    uses_views = False
    block_size = 64
    checkpoint_hash = "none"
    threshold: float | None = 0.5

    def __init__(self, parameters: OracleParameters | None = None, device: str = "cpu") -> None:
        self.parameters = parameters or OracleParameters()
        require(self.parameters.by, ("iou", "chamfer"), "measure")
        self.device = device
        self.settings: dict[str, Any] = asdict(self.parameters)
        self.caption = f"oracle-nearest: nearest training shape by {self.parameters.by}"
        self.training: TrainingIds | None = None
        self._fitted: tuple[Any, ...] | None = None
        self._objects: list[int] = []
        self._kind = ""
        self._known: Grids | Tensor | None = None

    def fit(self, store: Any) -> None:
        """Notes which objects are looked up; their shapes are read by the first prediction.

        Raises:
            MissingError: The data set has no training objects.
            UsageError: It has no such grid.
        """
        key = (store.path, store.identity, store.split_name)
        if self._fitted == key:
            return
        self._kind = ""
        if self.parameters.by == "iou":
            self._kind = choose_grid(store, self.parameters.kind, SPEC.id)
        self._objects = training_rows(store, SPEC.id)
        self.training = TrainingIds.of(store, self._objects)
        measure = f"IoU of '{self._kind}' voxels" if self._kind else "Chamfer distance"
        self.caption = (
            f"oracle-nearest: training shape of '{store.id}' nearest to the truth by {measure} "
            "(the truth was given)"
        )
        self._known, self._fitted = None, key

    def predict_items(
        self, store: Any, items: Sequence[tuple[int, int]]
    ) -> list[Mesh | Voxels | Points]:
        """The looked-up shape of each object; the view plays no part."""
        self.fit(store)
        return [true_shape(store, self.find(store, index)[0]) for index, _ in items]

    def find(self, store: Any, index: int) -> tuple[int, float]:
        """Row of the training object nearest to an object, and its IoU or Chamfer distance."""
        self.fit(store)
        if self._known is None:
            self._known = self._read(store)
        if isinstance(self._known, Grids):
            row, value = self._known.best(pack(grid_of(store, index, self._kind)))
        else:
            query = torch.from_numpy(cloud_of(store, index)).to(self.device)
            row, value = best_cloud(query, self._known)
        return self._objects[row], value

    def _read(self, store: Any) -> Grids | Tensor:
        if self._kind:
            return Grids(np.stack([pack(grid_of(store, row, self._kind)) for row in self._objects]))
        clouds = np.stack([cloud_of(store, row) for row in self._objects])
        return torch.from_numpy(clouds).to(self.device)


def load(
    checkpoint: str | Path | None, device: str = "cpu", parameters: OracleParameters | None = None
) -> OracleNearestBaseline:
    """Builds the baseline.

    Raises:
        UsageError: A checkpoint was named; there is nothing to load.
    """
    no_weights(SPEC.id, checkpoint)
    return OracleNearestBaseline(parameters, device)
