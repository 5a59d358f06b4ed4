"""What a new method must pass before its numbers are looked at.

Shapes and kinds of its predictions; the same prediction alone and in a block, to 1e-5; the same
bytes twice; and the frame: of the 48 ways to turn and mirror the cube, the one that does nothing
must fit the truth best. A transposed axis is this field's classic silent error.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchbench.core.errors import MissingError
from benchbench.core.types import Mesh, Points, Prediction, Voxels, problem
from benchbench.cuda_ops.house_voxels import house_voxels, unit_cube_grid
from benchbench.datasets.store import Store
from benchbench.protocols.convert import nearest_cell

TOLERANCE = 1e-5
_MARGIN = 0.005  # IoU by which another orientation must be better; symmetric objects give less
_VIEWS = 2
_KINDS = {"mesh": (Mesh,), "voxels": (Voxels,), "mesh or voxels": (Mesh, Voxels, Points)}

Items = Sequence[tuple[int, int]]
Cells = NDArray[np.bool_]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: In a word or two.
        passed: Whether it is as it must be.
        found: What was found, for people.
    """

    name: str
    passed: bool
    found: str


def check_baseline(baseline: Any, store: Store, objects: int = 52) -> list[Check]:
    """Runs all checks.

    Args:
        baseline: Ready to predict.
        store: A data set with meshes or voxels, and the pictures that the method looks at.
        objects: Test objects to look at, spread over the classes.

    Raises:
        MissingError: The data set has no test objects.
    """
    rows = _spread(store, objects)
    if not rows:
        raise MissingError(f"'{store.id}' has no test objects", hint="bench prepare shapes13")
    views = range(_VIEWS) if baseline.uses_views else [-1]
    items = [(row, view) for row in rows for view in views]
    predictions, first = _predict(baseline, store, items)
    if first is not None:
        return [first]
    checks = [_shapes(baseline, predictions), _again(baseline, store, items, predictions)]
    checks.append(_alone(baseline, store, items, predictions))
    if all(check.passed for check in checks[:1]):
        checks.append(_frame(baseline, store, items, predictions))
    return checks


def _spread(store: Store, count: int) -> list[int]:
    """The first test objects of each class in turn."""
    groups: dict[str, list[int]] = {}
    for row in store.indices("test").tolist():
        groups.setdefault(store.class_of(row), []).append(row)
    turns = itertools.zip_longest(*groups.values())
    found = [row for turn in turns for row in turn if row is not None]
    return sorted(found[:count])


def _predict(baseline: Any, store: Store, items: Items) -> tuple[list[Prediction], Check | None]:
    """Predictions in blocks, the last one padded; or what went wrong."""
    size = int(baseline.block_size)
    found: list[Prediction] = []
    for start in range(0, len(items), size):
        block = list(items[start : start + size])
        padded = [*block, *[block[-1]] * (size - len(block))]
        try:
            made = list(baseline.predict_items(store, padded))
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            return found, Check("predicts", False, f"{type(error).__name__}: {error}"[:300])
        if len(made) != len(padded):
            return found, Check("predicts", False, f"{len(made)} shapes for {len(padded)} items")
        found += made[: len(block)]
    return found, None


def _shapes(baseline: Any, predictions: Sequence[Prediction]) -> Check:
    kinds = _KINDS[baseline.spec.output]
    for prediction in predictions:
        if not isinstance(prediction, kinds):
            name = type(prediction).__name__
            return Check("shapes", False, f"a {name}; its spec says {baseline.spec.output}")
        if (why := problem(prediction)) is not None:
            return Check("shapes", False, f"a prediction is {why}")
    return Check("shapes", True, f"{len(predictions)} predictions, {baseline.spec.output}")


def _again(baseline: Any, store: Store, items: Items, before: Sequence[Prediction]) -> Check:
    after, failed = _predict(baseline, store, items)
    if failed is not None:
        return Check("same twice", False, failed.found)
    moved = max(_difference(a, b) for a, b in zip(before, after, strict=True))
    words = "the same bytes" if moved == 0 else f"numbers differ by up to {moved:.3g}"
    return Check("same twice", moved == 0, words)


def _alone(baseline: Any, store: Store, items: Items, before: Sequence[Prediction]) -> Check:
    """A few items again, each in a block of nothing but itself."""
    chosen = list(range(0, len(items), max(1, len(items) // 6)))
    moved = 0.0
    for n in chosen:
        made, failed = _predict(baseline, store, [items[n]])
        if failed is not None:
            return Check("alone as in a block", False, failed.found)
        moved = max(moved, _difference(before[n], made[0]))
    return Check(
        "alone as in a block", moved <= TOLERANCE, f"{len(chosen)} items, by up to {moved:.3g}"
    )


def _difference(a: Prediction, b: Prediction) -> float:
    """The largest difference of two predictions' numbers; infinite between unlike ones."""
    if isinstance(a, Mesh) and isinstance(b, Mesh):
        pairs: list[tuple[NDArray[Any], NDArray[Any]]] = [
            (a.vertices, b.vertices),
            (a.faces, b.faces),
        ]
    elif isinstance(a, Voxels) and isinstance(b, Voxels):
        pairs = [(a.occupancy, b.occupancy), (a.grid_to_object, b.grid_to_object)]
    elif isinstance(a, Points) and isinstance(b, Points):
        pairs = [(a.points, b.points)]
    else:
        return float("inf")
    if any(x.shape != y.shape for x, y in pairs):
        return float("inf")
    gaps = [np.abs(x.astype(np.float64) - y.astype(np.float64)) for x, y in pairs if x.size]
    return max((float(gap.max()) for gap in gaps), default=0.0)


def _frame(baseline: Any, store: Store, items: Items, predictions: Sequence[Prediction]) -> Check:
    names, totals = list(orientations()), np.zeros(48)
    looked = 0
    for (row, _), prediction in zip(items, predictions, strict=True):
        if isinstance(prediction, Points):
            continue
        cells, truth = _cells(prediction, baseline.threshold), _truth(store, row)
        if truth is None:
            continue
        looked += 1
        totals += [_iou(turned, truth) for _, turned in _turned(cells)]
    if not looked:
        return Check("frame", True, "not looked at: no meshes or voxels to compare")
    means = totals / looked
    own, best = float(means[0]), int(means[1:].argmax()) + 1
    told = f"IoU {own:.3f} as it is, {means[best]:.3f} at best otherwise (as {names[best]})"
    return Check("frame", own > 0 and float(means[best]) <= own + _MARGIN, told)


def orientations() -> dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]]:
    """The 48 ways to turn and mirror the cube: axes and signs by name, the identity first.

    Example:
        >>> list(orientations())[:3], len(orientations())
        (['+x +y +z', '+x +y -z', '+x -y +z'], 48)
    """
    found = {}
    for axes in itertools.permutations((0, 1, 2)):
        for signs in itertools.product((1, -1), repeat=3):
            words = [f"{'+' if s > 0 else '-'}{'xyz'[a]}" for a, s in zip(axes, signs, strict=True)]
            found[" ".join(words)] = (axes, signs)
    return found  # type: ignore[return-value]


def _turned(cells: Cells) -> list[tuple[str, Cells]]:
    found = []
    for name, (axes, signs) in orientations().items():
        turned = cells.transpose(axes)[tuple(slice(None, None, sign) for sign in signs)]
        found.append((name, turned))
    return found


def _cells(prediction: Mesh | Voxels, threshold: float | None) -> Cells:
    if isinstance(prediction, Mesh):
        return house_voxels(prediction, unit_cube_grid())
    return nearest_cell(prediction, 0.5 if threshold is None else threshold, unit_cube_grid())


def _truth(store: Store, row: int) -> Cells | None:
    mesh = store.mesh(row)
    if mesh is not None:
        return house_voxels(mesh, unit_cube_grid())
    if not store.voxel_kinds:
        return None
    kind = store.voxel_kinds[0]
    grid = Voxels(store.voxels(row, kind).astype(np.float32), store.grid_to_object(kind))
    return nearest_cell(grid, 0.5, unit_cube_grid())


def _iou(a: Cells, b: Cells) -> float:
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0
