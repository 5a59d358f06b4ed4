"""Training pictures in memory, with mask, camera and pose bin, and which of them a step sees.

Only the train split is ever read.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchbench.baselines.distributed import Processes, Share
from benchbench.baselines.inputs import choose_rendering, network_pictures
from benchbench.baselines.kato.pairs import VIEWS, check_views
from benchbench.baselines.learn3d.bins import rotation_bins, viewpoint_bin_count, viewpoint_bins
from benchbench.baselines.learn3d.forms import FORMS, Form
from benchbench.baselines.learn3d.photographs import Photographs, crop_draws
from benchbench.baselines.learn3d.pictures import normalised
from benchbench.baselines.training import ALONE
from benchbench.core.errors import UsageError
from benchbench.core.keyed import keyed_rng
from benchbench.core.names import require
from benchbench.core.progress import Progress
from benchbench.cuda_ops.camera import get_points_from_angles

KATO_DISTANCE, KATO_ELEVATION = 2.732, 30.0


@dataclass(frozen=True)
class Batch:
    """What a step sees.

    Attributes:
        images: (B, C, S, S) float32, for the encoder.
        targets: (B, 64, 64) float32 masks.
        cameras: (B, 3) eyes or (B, 3, 3) rotations.
        bins: (B,) int64 pose bins.
        share: Which part of the step's batch this is; all of it in one process.
        total: Pictures of the whole batch.
    """

    images: Tensor
    targets: Tensor
    cameras: Tensor
    bins: Tensor
    share: Share
    total: int


class Examples:
    """Pictures of the train split.

    Args:
        store: The data set.
        form: Which form of data it has.
        rows: Objects, in data-set order.
        rendering: Name of the rendering; None for the form's first that is there.
        size: Side of the pictures.
        views: Views of each object that are used, the first ones; 0 for all.
        widths: Degrees of azimuth and elevation a bin ("lsm").
        quiet: No progress.

    Attributes:
        cameras: (N, 3) eyes or (N, 3, 3) rotations, float32.
        bins: (N,) int64.
        bin_count: K.

    Raises:
        UsageError: The rendering has no cameras of that form.
    """

    def __init__(
        self,
        store: Any,
        form: Form,
        rows: Sequence[int],
        rendering: str | None,
        size: int,
        views: int = 0,
        widths: tuple[float, float] = (15.0, 20.0),
        quiet: bool = False,
    ) -> None:
        self.form = form
        self.rendering = rendering or choose_rendering(store, None, form.renderings)
        if form.id == "kato":
            check_views(store, self.rendering, np.array(rows))
        items = [
            (index, view)
            for index in rows
            for view in range(min(views or 1 << 30, store.view_count(index, self.rendering)))
        ]
        self.photographs: Photographs | None = None
        if form.id == "pascal":
            self.photographs = Photographs(store, items, self.rendering, size, quiet)
            angles = self.photographs.rotations
            self.bins, occupied = rotation_bins(angles)
            self.bin_count = len(occupied)
            self.cameras = angles.astype(np.float32)
            return
        self.pictures = _read(store, items, form, self.rendering, size, quiet)
        if form.id == "kato":
            self.bins = np.array([view for _, view in items], np.int64)
            self.bin_count = VIEWS
            self.cameras = kato_eyes()[self.bins]
        else:
            angles = _lsm_angles(store, items, self.rendering)
            self.bins = viewpoint_bins(angles[:, 0], angles[:, 1], *widths)
            self.bin_count = viewpoint_bin_count(*widths)
            self.cameras = np.array(
                [get_points_from_angles(float(d), e, a) for a, e, d in angles], np.float32
            )

    def __len__(self) -> int:
        return len(self.bins)

    def batch(self, seed: int, step: int, size: int, group: Processes = ALONE) -> Batch:
        """The pictures of a step: epochs without replacement, the last batch may be smaller.

        Args:
            seed: Key of the draws.
            step: From 1.
            size: Pictures a step.
            group: The processes that share each batch.
        """
        rows = batch_rows(len(self), size, seed, step)
        share = group.share(len(rows))
        device = group.device
        if self.photographs is not None:
            moves, mirrored = crop_draws(len(rows), keyed_rng("learn3d-crops", seed, step))
            part = share.rows
            shown, masks = self.photographs.batch(rows[part], moves[part], mirrored[part])
            images = normalised(torch.from_numpy(shown).to(device).float().div_(255))
            targets = torch.from_numpy(masks).to(device).float().div_(255)
        else:
            chosen = torch.from_numpy(self.pictures[rows[share.rows]]).to(device)
            images = chosen.float().div_(255) if chosen.dtype == torch.uint8 else chosen
            targets = images[:, 3]
        return Batch(
            images,
            targets,
            torch.from_numpy(self.cameras[rows[share.rows]]).to(device),
            torch.from_numpy(self.bins[rows[share.rows]]).to(device),
            share,
            len(rows),
        )


def batch_rows(count: int, batch: int, seed: int, step: int) -> NDArray[np.int64]:
    """Which of `count` examples step `step` (from 1) sees.

    Every epoch is a permutation of its own, keyed by (seed, epoch), cut into batches; the last one
    may be smaller. That is the original's shuffled loader without its global generator.

    Example:
        >>> sorted(np.concatenate([batch_rows(5, 2, 0, step) for step in (1, 2, 3)]).tolist())
        [0, 1, 2, 3, 4]
    """
    batches = -(-count // batch)
    epoch, place = divmod(step - 1, batches)
    return _permutation(count, seed, epoch)[place * batch : (place + 1) * batch]


def kato_eyes() -> NDArray[np.float32]:
    """(24, 3) eyes of Kato's cameras in his mesh frame."""
    return np.array(
        [
            get_points_from_angles(KATO_DISTANCE, KATO_ELEVATION, -360 / VIEWS * view)
            for view in range(VIEWS)
        ],
        np.float32,
    )


def check_form(name: str, store: Any, rendering: str | None) -> Form:
    """The form of that name.

    Raises:
        UsageError: No such form, or no such rendering.
    """
    form = FORMS[require(name, tuple(FORMS), "form")]
    if rendering is not None:
        require(rendering, store.renderings, "rendering")
    return form


@functools.lru_cache(maxsize=2)
def _permutation(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return keyed_rng("learn3d-epoch", seed, epoch).permutation(count)


def _read(
    store: Any,
    items: list[tuple[int, int]],
    form: Form,
    rendering: str,
    size: int,
    quiet: bool,
) -> NDArray[Any]:
    """(N, C, S, S) pictures as the form stores them: bytes, or shares as float32."""
    wanted = form.input(size)
    kind = np.uint8 if wanted.kind == "uint8" else np.float32
    found = np.empty((len(items), len(form.channels), size, size), kind)
    with Progress("reading pictures", len(items), "pictures", quiet) as progress:
        for start in range(0, len(items), VIEWS):
            part = items[start : start + VIEWS]
            found[start : start + len(part)] = network_pictures(store, part, rendering, wanted)
            progress.update(len(part))
    return found


def _lsm_angles(
    store: Any, items: Sequence[tuple[int, int]], rendering: str
) -> NDArray[np.float64]:
    """(N, 3) azimuth, elevation (degrees) and distance."""
    found = []
    for index, view in items:
        numbers = store.camera(index, view, rendering).parameters
        if not {"azimuth", "elevation", "distance"} <= set(numbers):
            raise UsageError(
                f"rendering '{rendering}' of data set '{store.id}' has no azimuth, elevation and "
                "distance, which form 'lsm' needs",
                hint="--set form=kato",
            )
        found.append([numbers["azimuth"], numbers["elevation"], numbers["distance"]])
    return np.array(found)
