"""The average training grid of the object's true class.

It sees no picture: it is told the class. What it scores is what a method must beat before its
numbers say anything about reconstruction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchbench.baselines.mean.spec import SPEC, MeanParameters
from benchbench.baselines.truth import (
    choose_grid,
    grid_matrix,
    grid_of,
    no_weights,
    training_rows,
)
from benchbench.core.errors import MissingError
from benchbench.core.types import Voxels

_THRESHOLDS = tuple(round(0.02 * n, 2) for n in range(1, 50))


class MeanBaseline:
    """Average of the training grids of a class, with one threshold for all classes.

    The threshold is the one of 0.02, 0.04 ... 0.98 with the best mean over classes of IoU on the
    val split (on train where the set has no val, and the caption says so); a cell is occupied
    if its average is at least the threshold.

    Args:
        parameters: Which grid.

    Attributes:
        uses_views: False: one prediction per object, items have view -1.
        block_size: Objects a block.
        checkpoint_hash: "none"; the grids come from the data set, whose hash is in every result.
        caption: Says that the class was given, and on what the threshold was chosen.
        settings: Which grid.
        trained_on: Data set whose train split was averaged, None before `fit`.
        threshold: None until the first prediction has read the training grids.
    """

    spec = SPEC
    uses_views = False
    block_size = 64
    checkpoint_hash = "none"

    def __init__(self, parameters: MeanParameters | None = None) -> None:
        self.parameters = parameters or MeanParameters()
        self.settings: dict[str, Any] = asdict(self.parameters)
        self.threshold: float | None = None
        self.trained_on: str | None = None
        self.caption = "mean: average training grid of the true class (the class was given)"
        self._means: dict[str, NDArray[np.float32]] = {}
        self._grid = np.eye(4)
        self._fitted: tuple[Any, ...] | None = None

    def fit(self, store: Any) -> None:
        """Averages the training grids and chooses the threshold; done once per data set.

        Raises:
            MissingError: The data set has no training objects.
            UsageError: It has no such grid.
        """
        self.trained_on = store.id
        key = (store.path, store.identity, store.split_name)
        if self._fitted == key:
            return
        kind = self.kind(store)
        train = training_rows(store, SPEC.id)
        sums: dict[str, NDArray[np.float64]] = {}
        counts: dict[str, int] = {}
        for index in train:
            grid, synset = grid_of(store, index, kind), store.class_of(index)
            sums[synset] = sums.get(synset, np.zeros(grid.shape)) + grid
            counts[synset] = counts.get(synset, 0) + 1
        self._means = {s: (total / counts[s]).astype(np.float32) for s, total in sums.items()}
        self._grid = grid_matrix(store, kind)
        val = [i for i in store.indices("val").tolist() if store.class_of(i) in self._means]
        chosen_on = "val" if val else "train"
        self.threshold = self._choose(store, val or train, kind)
        self.caption = (
            "mean: average training grid of the true class (the class was given), "
            f"threshold {self.threshold:g} chosen on {chosen_on}"
        )
        self._fitted = key

    def kind(self, store: Any) -> str:
        """Which grid is averaged: the wanted one, else the meshes', else "binvox", else any."""
        return choose_grid(store, self.parameters.kind, SPEC.id)

    def predict_items(self, store: Any, items: Sequence[tuple[int, int]]) -> list[Voxels]:
        """The class average of each object; the view plays no part.

        Raises:
            MissingError: A class without training objects.
        """
        self.fit(store)
        found = []
        for index, _ in items:
            synset = store.class_of(index)
            if synset not in self._means:
                raise MissingError(f"'mean' has no training object of class {synset}")
            found.append(Voxels(self._means[synset], self._grid))
        return found

    def _choose(self, store: Any, rows: list[int], kind: str) -> float:
        scores: dict[str, list[NDArray[np.float64]]] = {}
        levels = np.array(_THRESHOLDS, np.float32)
        for index in rows:
            synset = store.class_of(index)
            mean, truth = self._means[synset], grid_of(store, index, kind)
            # Counts of cells at or above every level, from one sorted list of the averages.
            inside = np.sort(mean[truth])
            everywhere = np.sort(mean.reshape(-1))
            hits = len(inside) - np.searchsorted(inside, levels)
            taken = everywhere.size - np.searchsorted(everywhere, levels)
            union = np.maximum(taken + int(truth.sum()) - hits, 1)
            scores.setdefault(synset, []).append(hits / union)
        means = np.mean([np.mean(values, axis=0) for values in scores.values()], axis=0)
        return _THRESHOLDS[int(np.argmax(means))]


def load(
    checkpoint: str | Path | None, device: str = "cpu", parameters: MeanParameters | None = None
) -> MeanBaseline:
    """Builds the baseline.

    Raises:
        UsageError: A checkpoint was named; there is nothing to load.
    """
    no_weights(SPEC.id, checkpoint)
    return MeanBaseline(parameters)
