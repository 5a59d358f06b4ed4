"""Training pictures and cameras in memory, and which of them each step sees.

Only train and val are ever read; there is no way to ask for the test split here.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchbench.baselines.dibr.cameras import renderer_cameras
from benchbench.baselines.dibr.losses import Views
from benchbench.baselines.dibr.pictures import network_input
from benchbench.baselines.dibr.spec import INPUT
from benchbench.baselines.inputs import network_pictures
from benchbench.core.errors import UsageError
from benchbench.core.keyed import keyed_rng
from benchbench.core.progress import Progress


class Objects:
    """Pictures, masks and cameras of some objects, all of the same number of views.

    Args:
        store: The data set.
        rendering: Name of its rendering.
        indices: Rows of the objects, at least one.
        quiet: No progress.

    Attributes:
        pictures: (N, K, 4, S, S) uint8: B, G, R over white, and the mask; S the stored size.
        rotations: (N, K, 3, 3) float32 of the cameras.
        centres: (N, K, 3) float32 of the cameras, object frame.

    Raises:
        UsageError: Another number of views in some object, or another lens than the method's.
    """

    def __init__(
        self, store: Any, rendering: str, indices: Sequence[int], quiet: bool = True
    ) -> None:
        count = store.view_count(indices[0], rendering)
        self.rotations, self.centres = renderer_cameras(store, rendering, indices, count)
        size = store.picture_size(rendering)[0]  # square, or the lens would have been refused
        form = replace(INPUT, size=size, channels=f"{INPUT.channels}a", kind="uint8")
        self.pictures = np.empty((len(indices), count, 4, size, size), np.uint8)
        with Progress("reading pictures", len(indices), "objects", quiet) as progress:
            for row, index in enumerate(indices):
                items = [(index, view) for view in range(count)]
                self.pictures[row] = network_pictures(store, items, rendering, form)
                progress.update()

    def __len__(self) -> int:
        return len(self.pictures)

    def views(
        self,
        rows: NDArray[np.int64],
        views: NDArray[np.int64],
        size: int,
        device: str = "cpu",
    ) -> Views:
        """What a step looks at.

        Args:
            rows: (B,) objects.
            views: (B, V) of each.
            size: Side of the pictures in pixels.
            device: Where it goes.
        """

        def of(table: NDArray[Any]) -> list[Tensor]:
            return [torch.from_numpy(table[rows, column]).to(device) for column in views.T]

        pictures = [network_input(part, size) for part in of(self.pictures)]
        return Views(pictures, of(self.rotations), of(self.centres))


def steps_per_epoch(objects: int, batch: int) -> int:
    """Steps in which every object is seen once; the last one may be smaller.

    Example:
        >>> steps_per_epoch(1300, 32)
        41
    """
    return -(-objects // batch)


def draw(
    objects: int, count: int, seed: int, step: int, batch: int, views: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which pictures step `step` (from 1) sees: a new order of objects in every epoch.

    The original draws from global generators; here every epoch and every step has its own.

    Args:
        objects: N of them.
        count: K views of each.
        seed: The key.
        step: Number of the step.
        batch: Objects a step.
        views: V views of each, all different.

    Returns:
        rows (B,) and views (B, V), B = `batch` but in the last step of an epoch.

    Raises:
        UsageError: More views are asked for than there are.
    """
    if views > count:
        raise UsageError(
            f"views {views} are asked for, the rendering has {count} of each object",
            hint=f"--set views={count}",
        )
    epoch, place = divmod(step - 1, steps_per_epoch(objects, batch))
    rows = _order(objects, seed, epoch)[place * batch : (place + 1) * batch]
    rng = keyed_rng("dibr-views", seed, step)
    # Ranks of random numbers: a permutation for each object.
    chosen = rng.random((len(rows), count)).argsort(axis=1)[:, :views]
    return rows, chosen.astype(np.int64)


@functools.lru_cache(maxsize=2)
def _order(objects: int, seed: int, epoch: int) -> NDArray[np.int64]:
    order = keyed_rng("dibr-epoch", seed, epoch).permutation(objects).astype(np.int64)
    order.setflags(write=False)
    return order
