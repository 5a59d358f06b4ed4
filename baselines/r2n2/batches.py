"""Which objects and pictures each training step sees, and reading them.

Nothing is kept in memory: ShapeNet's pictures have 79 GB. Every draw is keyed by the step or the
epoch, so that any step can be made again alone. Only train and val are ever read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchbench.baselines.r2n2.architecture import GRID, IMAGE_SIZE
from benchbench.baselines.r2n2.augmentation import augment, draw
from benchbench.baselines.r2n2.spec import INPUT, R2N2Options
from benchbench.baselines.training_ids import split_rows
from benchbench.core.errors import UsageError
from benchbench.core.keyed import keyed_rng
from benchbench.core.names import require

CROP_FROM = INPUT.crop_from or IMAGE_SIZE


@dataclass(frozen=True)
class Batch:
    """What one step learns from.

    Attributes:
        rows: (B,) objects of the data set.
        views: (B, T) their views, with repetitions.
        images: (B, T, 3, 127, 127) uint8.
        occupied: (B, 32, 32, 32) bool, [x, y, z].
    """

    rows: NDArray[np.int64]
    views: NDArray[np.int64]
    images: NDArray[np.uint8]
    occupied: NDArray[np.bool_]


class Batches:
    """The train split as the original goes through it.

    Args:
        store: The data set.
        options: Batch, views, augmentation, seed, rendering, kind, classes.
        limit: Keep the first that many objects of the selection, or None.

    Attributes:
        kind: Of the voxels.

    Raises:
        MissingError: The selection is empty.
        UsageError: Voxels of another size, or an object without pictures.
    """

    def __init__(self, store: Any, options: R2N2Options, limit: int | None = None) -> None:
        self.store, self.options = store, options
        self.rendering = require(options.rendering, store.renderings, "rendering")
        self.kind = voxel_kind(store, options.kind)
        classes = options.classes.split(",") if options.classes else None
        self.rows = split_rows(store, "train", classes, limit)
        self.view_counts = store.view_counts(self.rendering)
        blind = [row for row in self.rows.tolist() if self.view_counts[row] < 1]
        if blind:
            raise UsageError(
                f"{len(blind)} training objects of '{store.id}' have no picture in rendering "
                f"'{self.rendering}', the first is '{store.object_ids[blind[0]]}'",
                hint=f"renderings there: {', '.join(store.renderings)}",
            )

    def objects(self, step: int) -> NDArray[np.int64]:
        """Rows of step `step`, from 1: a permutation cut into batches, its tail left out.

        The original shuffles anew as soon as position + batch reaches the number of objects, so
        not even a tail of exactly one batch is used, unless it is all there is.
        """
        count, batch = len(self.rows), self.options.batch
        in_epoch = max(1, math.ceil(count / batch) - 1)
        epoch, place = divmod(step - 1, in_epoch)
        order = keyed_rng("r2n2-epoch", self.options.seed, epoch).permutation(count)
        chosen: NDArray[np.int64] = self.rows[order[place * batch : (place + 1) * batch]]
        return chosen

    def read(self, step: int, share: slice = slice(None)) -> Batch:
        """The batch of step `step`, from 1, or a process's share of its objects."""
        rows = self.objects(step)
        rng = keyed_rng("r2n2-batch", self.options.seed, step)
        count = int(rng.integers(1, self.options.views + 1))
        # With replacement: an object's views come in any order and may repeat.
        views = np.stack([rng.integers(0, self.view_counts[row], count) for row in rows.tolist()])
        background, crop, mirror = (
            getattr(self.options, name) for name in ("background", "crop", "mirror")
        )
        # Drawn for all, so that a picture is the same whoever reads it.
        drawn = [[draw(rng, background, crop, mirror) for _ in range(count)] for _ in rows]
        rows, views = rows[share], views[share]
        draws = [one for several in drawn[share] for one in several]
        pictures = self.store.batch(np.repeat(rows, count), views.reshape(-1), self.rendering)
        images = np.empty((len(pictures), 3, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
        for place, (picture, numbers) in enumerate(zip(pictures, draws, strict=True)):
            images[place] = augment(picture, numbers, IMAGE_SIZE, CROP_FROM)
        grids = np.stack([self.store.voxels(row, self.kind) for row in rows.tolist()])
        return Batch(rows, views, images.reshape(len(rows), count, *images.shape[1:]), grids)


def voxel_kind(store: Any, wanted: str | None) -> str:
    """Which of a data set's grids is the target: the wanted one, else "binvox", else the first.

    Raises:
        UsageError: There is none, or not of 32 cells a side.
    """
    kinds = tuple(store.voxel_kinds)
    if not kinds:
        raise UsageError(f"data set '{store.id}' holds no voxels to learn from")
    if wanted is not None:
        require(wanted, kinds, "voxel kind")
    kind = wanted or ("binvox" if "binvox" in kinds else kinds[0])
    first = store.indices("all", limit=1)
    side = store.voxels(int(first[0]), kind).shape[0] if len(first) else GRID
    if side != GRID:
        raise UsageError(
            f"voxels '{kind}' of data set '{store.id}' have {side} cells a side, not {GRID}",
            hint=f"--set kind=... of {', '.join(kinds)}",
        )
    return kind
