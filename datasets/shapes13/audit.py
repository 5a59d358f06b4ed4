"""Can this set tell good methods from bad ones? Measured on Kato's grid, with limits.

Simple answers to every picture (the mean shape of the class, the nearest training shape, the
convex hull) must stay far from the truth, and the truth must depend on thin parts, holes and
orientation; otherwise a table of methods on this set would say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from benchbench.core.classes import SYNSETS
from benchbench.core.types import Mesh
from benchbench.datasets.shapes13.generate import generate
from benchbench.datasets.shapes13.spec import SEED, SIZES, STARTS
from benchbench.datasets.shapes13.voxels import kato_grid
from benchbench.datasets.store import Store

Array = npt.NDArray[Any]

THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(1, 20))


class Audited(Protocol):
    """What the audit asks of a set; a `Store` has it, and so has `Generated`."""

    @property
    def classes(self) -> tuple[tuple[str, str], ...]: ...

    def indices(self, split: str, classes: Any = None, limit: int | None = None) -> Array: ...

    def split_counts(self) -> dict[str, int]: ...

    def voxels(self, index: int, kind: str | None = None) -> Array: ...

    def mesh(self, index: int) -> Mesh | None: ...

    def parameters(self, index: int) -> dict[str, Any] | None: ...


class Generated:
    """The set as the generator gives it: no file, no pictures.

    Args:
        counts: Objects a class in train, val and test, counted as in `prepare`.
        seed: Seed of the set.

    Example:
        >>> small = Generated((2, 1, 1))
        >>> small.split_counts(), len(small.indices("test", ["03001627"]))
        ({'train': 26, 'val': 13, 'test': 13}, 1)
    """

    def __init__(self, counts: tuple[int, int, int] = SIZES["full"], seed: int = SEED) -> None:
        parts = ("train", "val", "test")
        self.classes = tuple(SYNSETS.items())
        self._seed = seed
        self._members = [
            (part, synset, name, STARTS[part] + k)
            for part, count in zip(parts, counts, strict=True)
            for synset, name in self.classes
            for k in range(count)
        ]
        self._shapes: dict[int, tuple[Mesh, dict[str, Any], Array]] = {}

    def indices(self, split: str, classes: Any = None, limit: int | None = None) -> Array:
        """As `Store.indices`."""
        found = [
            i
            for i, (part, synset, _, _) in enumerate(self._members)
            if split in (part, "all") and (classes is None or synset in classes)
        ]
        return np.array(found[:limit], np.int64)

    def split_counts(self) -> dict[str, int]:
        """As `Store.split_counts`."""
        return {part: len(self.indices(part)) for part in ("train", "val", "test")}

    def voxels(self, index: int, kind: str | None = None) -> Array:
        """Kato's grid, the only one the audit asks for."""
        bits = self._made(index)[2]
        return np.unpackbits(bits).astype(bool).reshape(32, 32, 32)

    def mesh(self, index: int) -> Mesh | None:
        """As `Store.mesh`."""
        return self._made(index)[0]

    def parameters(self, index: int) -> dict[str, Any] | None:
        """As `Store.parameters`."""
        return self._made(index)[1]

    def _made(self, index: int) -> tuple[Mesh, dict[str, Any], Array]:
        if index not in self._shapes:
            _, _, name, number = self._members[index]
            shape = generate(name, number, self._seed)
            grid = kato_grid(shape.solid.vertices, shape.solid.faces)
            self._shapes[index] = (shape.mesh, shape.parameters, np.packbits(grid))
        return self._shapes[index]


@dataclass(frozen=True)
class ClassRow:
    """One class; IoUs are means over its test objects.

    Attributes:
        name: Class.
        objects: Test objects measured.
        numbers: Continuous parameters.
        combinations: Different combinations of parts among all objects of the class.
        mean: IoU with the class's mean training shape at its best threshold on these objects.
        nearest: IoU with the nearest of all training shapes, by ground truth.
        wrong: Mean over the other classes' mean shapes (each at its own threshold from val).
        hull: IoU with the convex hull, voxelised the same way.
        thin: IoU with the truth without thin parts (after a 2^3 opening).
        opened: Share of cells that a 2^3 opening removes.
        holes: Share of objects with a through-hole (genus above 0).
        turn: 1 - IoU after a quarter turn about y.
        truth: IoU of the stored mesh, voxelised again, with the stored grid.
    """

    name: str
    objects: int
    numbers: int
    combinations: int
    mean: float
    nearest: float
    wrong: float
    hull: float
    thin: float
    opened: float
    holes: float
    turn: float
    truth: float


@dataclass(frozen=True)
class Check:
    """One demand and whether it holds."""

    what: str
    value: float
    limit: str
    holds: bool


@dataclass(frozen=True)
class AuditReport:
    """Rows per class and the checks over them.

    Attributes:
        rows: One per class.
        checks: The demands.
        full: False for a set too small to be judged by all demands; those are left out.
    """

    rows: tuple[ClassRow, ...]
    checks: tuple[Check, ...]
    full: bool

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)

    def average(self, column: str) -> float:
        """Unweighted mean of a column over the classes."""
        return float(np.mean([getattr(row, column) for row in self.rows]))

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "passed": self.passed,
            "full": self.full,
            "grid": "kato",
            "rows": [asdict(row) for row in self.rows],
            "checks": [asdict(check) for check in self.checks],
        }

    def table(self) -> str:
        """Both tables as text."""
        from tabulate import tabulate

        columns = list(ClassRow.__dataclass_fields__)
        body = [[getattr(row, column) for column in columns] for row in self.rows]
        body.append(["mean over classes", *(self.average(column) for column in columns[1:])])
        rows = tabulate(body, headers=columns, tablefmt="plain", floatfmt=".3f")
        marks = [[c.what, c.value, c.limit, "yes" if c.holds else "no"] for c in self.checks]
        head = ["demand", "value", "limit", "holds"]
        checks = tabulate(marks, headers=head, tablefmt="plain", floatfmt=".3f")
        note = "" if self.full else "\n(a small set: demands on parts and training shapes left out)"
        return f"{rows}\n\n{checks}{note}"


def audit_path(path: Path) -> dict[str, Any]:
    """The audit of a prepared file, for `bench prepare --audit`: JSON-able, with its `table`."""
    report = audit(Store(path))
    return {**report.as_dict(), "table": report.table()}


def audit(store: Audited, limit: int | None = None) -> AuditReport:
    """Measures a prepared set.

    Args:
        store: A prepared set, or `Generated()`.
        limit: At most this many test objects a class (for a quick look).
    """
    grids = {part: _grids(store, part, None) for part in ("train", "val")}
    grids["test"] = _grids(store, "test", limit)
    names = [name for _, name in store.classes]
    means = {name: grids["train"][name].mean(0, dtype=np.float32) for name in names}
    shapes = {}
    for name in names:
        scores = [iou(grids["val"][name], means[name] >= t).mean() for t in THRESHOLDS]
        shapes[name] = means[name] >= THRESHOLDS[int(np.argmax(scores))]
    training = np.concatenate([grids["train"][name] for name in names])
    rows = []
    for synset, name in store.classes:
        truth = grids["test"][name]
        indices = store.indices("test", [synset], limit)
        hulls, turned, again = _remade(store, indices)
        kept = np.stack([opened(g.reshape(32, 32, 32)).reshape(-1) for g in truth])
        parameters = [store.parameters(int(i)) for i in store.indices("all", [synset])]
        choices = {tuple(sorted(p["choices"].items())) for p in parameters if p}
        wrong = [iou(truth, shapes[other]).mean() for other in names if other != name]
        rows.append(
            ClassRow(
                name=name,
                objects=len(truth),
                numbers=min(len(p["numbers"]) for p in parameters if p),
                combinations=len(choices),
                mean=max(float(iou(truth, means[name] >= t).mean()) for t in THRESHOLDS),
                nearest=float(_nearest(truth, training).mean()),
                wrong=float(np.mean(wrong)),
                hull=float(iou(truth, hulls).mean()),
                thin=float(iou(truth, kept).mean()),
                opened=float(np.mean(1 - kept.sum(1) / truth.sum(1))),
                holes=float(np.mean([p["genus"] > 0 for p in parameters if p])),
                turn=float(1 - iou(truth, turned).mean()),
                truth=float(iou(truth, again).mean()),
            )
        )
    full = all(count >= 10 for count in store.split_counts().values()) and (
        min(len(grids["train"][name]) for name in names) >= 50
    )
    return AuditReport(tuple(rows), tuple(_checks(rows, full)), full)


def iou(preds: Array, target: Array) -> Array:
    """IoU of flat boolean grids along the last axis; two empty grids give 1."""
    union = (preds | target).sum(-1)
    return np.where(union == 0, 1.0, (preds & target).sum(-1) / np.maximum(union, 1))


def opened(grid: Array) -> Array:
    """Morphological opening with a block of 2^3 cells: removes all that is one cell thick.

    Example:
        >>> grid = np.zeros((6, 6, 6), bool)
        >>> grid[1:3, 1:3, 1:3] = True  # a block of 2^3 stays
        >>> grid[4, :, :] = True  # a sheet of one cell goes
        >>> int(opened(grid).sum())
        8
    """
    core = grid
    for axis in range(3):
        low = [slice(None)] * 3
        high = [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        core = core[tuple(low)] & core[tuple(high)]
    out = np.zeros_like(grid)
    n = core.shape
    for corner in np.ndindex(2, 2, 2):
        window = tuple(slice(c, c + size) for c, size in zip(corner, n, strict=True))
        out[window] |= core
    return out


def _grids(store: Audited, part: str, limit: int | None) -> dict[str, Array]:
    """Class name to (objects, 32768) bool."""
    return {
        name: np.stack(
            [store.voxels(int(i), "kato").reshape(-1) for i in store.indices(part, [synset], limit)]
        )
        for synset, name in store.classes
    }


def _remade(store: Audited, indices: Array) -> tuple[Array, Array, Array]:
    """Flat grids of the convex hulls, of the objects after a quarter turn, and of themselves."""
    from scipy.spatial import ConvexHull

    hulls, turned, again = [], [], []
    for index in indices:
        mesh = store.mesh(int(index))
        assert mesh is not None  # every object of this set has one
        vertices = np.asarray(mesh.vertices, np.float64)
        hulls.append(kato_grid(vertices, ConvexHull(vertices).simplices))
        quarter = np.stack([vertices[:, 2], vertices[:, 1], -vertices[:, 0]], -1)
        turned.append(kato_grid(quarter, mesh.faces))
        again.append(kato_grid(vertices, mesh.faces))
    hull, turn, same = (np.stack(g).reshape(len(g), -1) for g in (hulls, turned, again))
    return hull, turn, same


def _nearest(grids: Array, training: Array) -> Array:
    """Best IoU of each grid with any training grid."""
    queries = grids.astype(np.float32)
    best = np.zeros(len(grids))
    for start in range(0, len(training), 256):
        block = training[start : start + 256].astype(np.float32)
        both = queries @ block.T
        union = queries.sum(1)[:, None] + block.sum(1)[None] - both
        best = np.maximum(best, (both / union).max(1))
    return best


def _checks(rows: Sequence[ClassRow], full: bool) -> Iterator[Check]:
    def average(column: str) -> float:
        return float(np.mean([getattr(row, column) for row in rows]))

    def worst(column: str) -> float:
        return max(getattr(row, column) for row in rows)

    def least(column: str) -> float:
        return min(getattr(row, column) for row in rows)

    def most(what: str, value: float, limit: float) -> Check:
        return Check(what, value, f"<= {limit:g}", value <= limit)

    def minimum(what: str, value: float, limit: float) -> Check:
        return Check(what, value, f">= {limit:g}", value >= limit)

    if full:
        yield most("class mean at its best threshold, average", average("mean"), 0.45)
        yield most("class mean at its best threshold, any class", worst("mean"), 0.60)
        yield most("nearest training shape, average", average("nearest"), 0.65)
        yield most("nearest training shape, any class", worst("nearest"), 0.75)
        yield minimum("combinations of parts, any class", least("combinations"), 20)
    yield most("mean of a wrong class, average", average("wrong"), 0.25)
    yield minimum("continuous parameters, any class", least("numbers"), 10)
    yield most("convex hull, average", average("hull"), 0.60)
    yield minimum("cells removed by a 2^3 opening, average", average("opened"), 0.10)
    with_holes = float(sum(row.holes >= 0.1 for row in rows))
    yield minimum("classes with through-holes in a tenth of the objects", with_holes, 4)
    turning = float(sum(row.turn >= 0.10 for row in rows))
    yield minimum("classes where a quarter turn costs 0.10", turning, 9)
    yield minimum("truth voxelised again, any class", least("truth"), 0.98)
    order = [average(column) for column in ("truth", "thin", "hull", "mean", "wrong")]
    gaps = [high - low for high, low in pairwise(order)]
    what = "smallest step of truth > without thin parts > hull > class mean > wrong mean"
    yield Check(what, min(gaps), "> 0", min(gaps) > 0)
