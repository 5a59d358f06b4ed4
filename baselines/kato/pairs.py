"""Training pictures in memory, and which pairs each step sees.

Only train and val are ever read; there is no way to ask for the test split here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchbench.baselines.inputs import network_pictures
from benchbench.baselines.kato.spec import INPUT
from benchbench.baselines.training_ids import split_rows
from benchbench.core.errors import UsageError
from benchbench.core.keyed import keyed_rng
from benchbench.core.progress import Progress

VIEWS = 24
_SIZE = 64


class Pairs:
    """Pictures of the train split and the keyed draw of pairs.

    Args:
        store: The data set.
        rendering: Name of its rendering with Kato's 24 cameras.
        classes: Names or synsets to keep, or None.
        limit: Keep the first that many objects of the selection, or None.
        quiet: No progress.

    Attributes:
        pictures: (N, 24, 4, 64, 64) uint8 as the network wants them.
        rows: Per class with any object, the rows of `pictures`.

    Raises:
        MissingError: The selection is empty.
        UsageError: The rendering does not have Kato's cameras.
    """

    def __init__(
        self,
        store: Any,
        rendering: str,
        classes: list[str] | None = None,
        limit: int | None = None,
        quiet: bool = False,
    ) -> None:
        indices = split_rows(store, "train", classes, limit)
        check_views(store, rendering, indices)
        self.pictures = np.empty((len(indices), VIEWS, 4, _SIZE, _SIZE), np.uint8)
        with Progress("reading pictures", len(indices), "objects", quiet) as progress:
            for row, index in enumerate(indices.tolist()):
                items = [(index, view) for view in range(VIEWS)]
                self.pictures[row] = network_pictures(store, items, rendering, INPUT)
                progress.update()
        groups: dict[str, list[int]] = {synset: [] for synset, _ in store.classes}
        for row, index in enumerate(indices.tolist()):
            groups[store.class_of(index)].append(row)
        self.rows = [np.array(group, np.int64) for group in groups.values() if group]

    def draw(
        self, seed: int, step: int, batch: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Which pictures a step sees: class, then object, then two views, each uniform.

        The original draws from numpy's global generator; here step n has its own.

        Returns:
            object rows (batch,), views a (batch,), views b (batch,); a and b may coincide.
        """
        rng = keyed_rng("kato-pairs", seed, step)
        group = rng.integers(0, len(self.rows), batch)
        place = rng.random(batch)
        views = rng.integers(0, VIEWS, (2, batch))
        rows = [self.rows[g][int(p * len(self.rows[g]))] for g, p in zip(group, place, strict=True)]
        return np.array(rows, np.int64), views[0], views[1]


def check_views(store: Any, rendering: str, indices: NDArray[np.int64]) -> None:
    """Refuses a rendering whose cameras are not Kato's 24.

    Raises:
        UsageError: Another number of views, or another camera than kato.md 1.5's.
    """
    from benchbench.core.names import require
    from benchbench.datasets.cameras import kato_camera

    require(rendering, store.renderings, "rendering")
    height, width = store.picture_size(rendering)
    for index in indices.tolist():
        if store.view_count(index, rendering) != VIEWS:
            break
    else:
        first = int(indices[0])
        to_object = store.source_to_object(first)
        for view in (0, 5):
            found = store.camera(first, view, rendering).world_to_camera
            # The camera of the store sees the source's frame, Kato's the object's.
            wanted = kato_camera(view, _SIZE).world_to_camera @ to_object
            if height != width or not np.allclose(found, wanted, atol=1e-4):
                break
        else:
            return
    raise UsageError(
        f"rendering '{rendering}' of data set '{store.id}' does not have Kato's 24 cameras",
        hint=f"renderings there: {', '.join(store.renderings)}; shapes13 has 'kato'",
    )
