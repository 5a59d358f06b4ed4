"""The training object whose picture is nearest, and its shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchbench.baselines.inputs import as_floats, choose_rendering, network_pictures
from benchbench.baselines.nearest.search import nearest_rows, quantise
from benchbench.baselines.nearest.spec import INPUT, SPEC, NearestParameters
from benchbench.baselines.training_ids import TrainingIds
from benchbench.baselines.truth import no_weights, training_rows, true_shape
from benchbench.core.errors import ShapeError, UsageError
from benchbench.core.types import Mesh, Points, Voxels

_READ = 64  # training objects whose pictures are read at once


class NearestBaseline:
    """Image retrieval; the class is not given.

    A picture becomes 16x16 averages of its colour, inverted and premultiplied by coverage, and of
    its coverage, six bits each. The nearest of all training pictures by Euclidean distance wins,
    of equals the first in the order of the data set. Its object's true shape is the answer.

    Args:
        parameters: Block size, rendering, views.
        device: Where distances are computed; the answer is the same everywhere.

    Attributes:
        uses_views: True: one answer per picture.
        block_size: Pictures that are compared at once.
        checkpoint_hash: "none"; all comes from the data set, whose hash is in every result.
        caption: Says what is looked up, and where.
        settings: What can change an answer.
        threshold: 0.5, between the 0 and 1 of true voxels.
        training: The objects that are looked up, known after `fit`.
    """

    spec = SPEC
    uses_views = True
    checkpoint_hash = "none"
    threshold: float | None = 0.5

    def __init__(self, parameters: NearestParameters | None = None, device: str = "cpu") -> None:
        self.parameters = parameters or NearestParameters()
        for name in ("block_size", "views"):
            value = getattr(self.parameters, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} {value} is below 1")
        self.device = device
        self.block_size = self.parameters.block_size
        self.settings: dict[str, Any] = asdict(self.parameters)
        self.caption = "nearest: shape of the training object with the most similar picture"
        self.training: TrainingIds | None = None
        self._store: Any = None
        self._fitted: tuple[Any, ...] | None = None
        self._objects: list[int] = []
        self._features: Tensor | None = None
        self._owners = np.zeros(0, np.int64)

    def fit(self, store: Any) -> None:
        """Notes which objects are looked up; their pictures are read by the first prediction.

        Raises:
            MissingError: The data set has no training objects.
            UsageError: It has no pictures, or not the wanted rendering.
        """
        key = (store.path, store.identity, store.split_name)
        if self._fitted == key:
            return
        rendering = self.rendering(store)
        self._objects = training_rows(store, SPEC.id)
        self.training = TrainingIds.of(store, self._objects)
        self.caption = (
            f"nearest: shape of the training object of '{store.id}' with the most similar picture "
            f"('{rendering}', 16x16); the class was not given"
        )
        self._store, self._features, self._fitted = store, None, key

    def rendering(self, store: Any) -> str:
        """The rendering of a data set that is looked at."""
        return choose_rendering(store, self.parameters.rendering, SPEC.renderings)

    @torch.no_grad()
    def predict(self, images: Tensor) -> list[int]:
        """Rows of the training objects with the nearest pictures.

        Args:
            images: (B, 4, 16, 16) float32 in [0, 1], as `benchbench.baselines.inputs` makes them.

        Returns:
            B rows of the data set of `fit`.

        Raises:
            ShapeError: Another shape or type.
            UsageError: Nothing was fitted.
        """
        wanted = (len(INPUT.channels), INPUT.size, INPUT.size)
        if images.ndim != 4 or images.shape[1:] != wanted or images.dtype != torch.float32:
            got = f"{tuple(images.shape)} {images.dtype}"
            raise ShapeError("predict", "images", "(B, 4, 16, 16) float32", got)
        bytes_ = (images * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
        features = self._read()
        found = nearest_rows(torch.from_numpy(quantise(bytes_)).to(self.device), features)
        return [self._objects[owner] for owner in self._owners[found.cpu().numpy()].tolist()]

    def predict_items(
        self, store: Any, items: Sequence[tuple[int, int]]
    ) -> list[Mesh | Voxels | Points]:
        """The looked-up shape of each (object, view) pair, in the object frame."""
        self.fit(store)
        rendering = self.rendering(store)
        found: list[Mesh | Voxels | Points] = []
        for start in range(0, len(items), self.block_size):
            block = items[start : start + self.block_size]
            pictures = as_floats(network_pictures(store, block, rendering, INPUT))
            rows = self.predict(torch.from_numpy(pictures))
            found += [true_shape(store, row) for row in rows]
        return found

    def _read(self) -> Tensor:
        """Features of all training pictures, read once."""
        if self._features is not None:
            return self._features
        store = self._store
        if store is None:
            raise UsageError(
                "'nearest' looks pictures up in a data set, and none was given",
                hint="bench run --baseline nearest --dataset shapes13 --split test",
            )
        rendering = self.rendering(store)
        rows, owners = [], []
        for start in range(0, len(self._objects), _READ):
            items = []
            for owner, index in enumerate(self._objects[start : start + _READ], start):
                count = store.view_count(index, rendering)
                if self.parameters.views is not None:
                    count = min(count, self.parameters.views)
                items += [(index, view) for view in range(count)]
                owners += [owner] * count
            rows.append(quantise(network_pictures(store, items, rendering, INPUT)))  # type: ignore[arg-type]
        if not owners:
            raise UsageError(
                f"no training object of '{store.id}' has a picture in rendering '{rendering}'"
            )
        self._owners = np.array(owners, np.int64)
        self._features = torch.from_numpy(np.concatenate(rows)).to(self.device)
        return self._features


def load(
    checkpoint: str | Path | None, device: str = "cpu", parameters: NearestParameters | None = None
) -> NearestBaseline:
    """Builds the baseline.

    Raises:
        UsageError: A checkpoint was named; there is nothing to load.
    """
    no_weights(SPEC.id, checkpoint)
    return NearestBaseline(parameters, device)
