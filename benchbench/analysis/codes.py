"""Shape codes of the same objects seen from the same views: what all analyses start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchbench.core.errors import MissingError, UsageError
from benchbench.core.progress import Progress
from benchbench.datasets.store import Store


@dataclass(frozen=True)
class ShapeCodes:
    """Codes of O objects from K views each.

    Attributes:
        codes: (O, K, D) float32.
        object_ids: O ids, in data-set order.
        classes: O names of classes.
    """

    codes: Tensor
    object_ids: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def views(self) -> int:
        """K."""
        return int(self.codes.shape[1])


def shape_codes(
    baseline: Any,
    store: Store,
    split: str,
    classes: Sequence[str] | None = None,
    limit: int | None = None,
    quiet: bool = True,
) -> ShapeCodes:
    """Codes of all views of a split's objects.

    Args:
        baseline: With `codes_of(store, items)`, as learn3d and vpl have it.
        store: The data set.
        split: "train", "val", "test" or "all".
        classes: Names or synsets; None for all.
        limit: Only the first that many objects.
        quiet: No progress on stderr.

    Raises:
        UsageError: The method has no codes, or the objects differ in the number of views.
        MissingError: The split has no objects.
    """
    name = baseline.spec.id
    if not hasattr(baseline, "codes_of"):
        raise UsageError(
            f"'{name}' has no shape codes", hint="bench analyze tsne --baseline learn3d"
        )
    rows = store.indices(split, classes, limit)
    if not len(rows):
        raise MissingError(
            f"split '{split}' of '{store.id}' has no objects", hint="bench list --kind dataset"
        )
    rendering = str(baseline.rendering(store))
    counts = store.view_counts(rendering)[rows]
    if counts.min() != counts.max() or counts.min() < 1:
        raise UsageError(
            f"objects of '{store.id}' have {counts.min()} to {counts.max()} pictures in rendering "
            f"'{rendering}'; poses can be compared only where all have as many",
            hint=f"renderings there: {', '.join(store.renderings)}",
        )
    views = int(counts[0])
    found = []
    with Progress(f"{name} codes", len(rows), "objects", quiet) as progress:
        for row in rows.tolist():
            items = [(row, view) for view in range(views)]
            found.append(baseline.codes_of(store, items).cpu())
            progress.update()
    names = dict(store.classes)
    return ShapeCodes(
        torch.stack(found),
        tuple(store.object_ids[row] for row in rows),
        tuple(names[store.class_of(row)] for row in rows.tolist()),
    )
