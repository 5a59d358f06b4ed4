"""The audit: its measures by hand, what it refuses, and that the generator passes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchbench.core.types import Mesh
from benchbench.datasets.shapes13.audit import AuditReport, Generated, audit, iou, opened
from benchbench.datasets.shapes13.parts import box
from benchbench.datasets.shapes13.voxels import kato_grid


def slow_opening(grid: np.ndarray) -> np.ndarray:
    out = np.zeros_like(grid)
    for x, y, z in np.ndindex(*(n - 1 for n in grid.shape)):
        if grid[x : x + 2, y : y + 2, z : z + 2].all():
            out[x : x + 2, y : y + 2, z : z + 2] = True
    return out


def test_opening_equals_its_slow_twin() -> None:
    rng = np.random.default_rng(0)
    for density in (0.5, 0.8, 0.95):
        grid = rng.random((9, 8, 7)) < density
        np.testing.assert_array_equal(opened(grid), slow_opening(grid))


def test_iou_by_hand() -> None:
    preds = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]], bool)
    target = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], bool)
    np.testing.assert_allclose(iou(preds, target), [1 / 3, 1, 0])


class Boxes:
    """A useless set: every object of every class is the same box."""

    classes = (("1", "a"), ("2", "b"))

    def __init__(self) -> None:
        vertices, faces = box((-0.5, -0.3, -0.2), (0.5, 0.3, 0.2))
        self._mesh = Mesh(vertices.astype(np.float32), faces.astype(np.int32))
        self._grid = kato_grid(vertices, faces)
        self._counts = {"train": 50, "val": 10, "test": 10}

    def split_counts(self) -> dict[str, int]:
        return {part: 2 * count for part, count in self._counts.items()}

    def indices(self, split: str, classes: Any = None, limit: int | None = None) -> np.ndarray:
        count = self._counts.get(split, sum(self._counts.values()))
        return np.arange(count)[:limit]

    def voxels(self, index: int, kind: str | None = None) -> np.ndarray:
        return self._grid

    def mesh(self, index: int) -> Mesh:
        return self._mesh

    def parameters(self, index: int) -> dict[str, Any]:
        return {"numbers": {"x": 1.0}, "choices": {"y": "z"}, "genus": 0}


def test_a_useless_set_fails() -> None:
    report = audit(Boxes())  # type: ignore[arg-type]
    assert report.full
    assert not report.passed
    row = report.rows[0]
    assert (row.mean, row.nearest, row.wrong, row.hull, row.thin) == (1, 1, 1, 1, 1)
    assert (row.opened, row.holes, row.numbers, row.combinations) == (0, 0, 1, 1)
    assert row.turn > 0.1  # the box is not square
    bad = {check.what for check in report.checks if not check.holds}
    good = {check.what for check in report.checks if check.holds}
    assert good == {"truth voxelised again, any class"}
    assert len(bad) == 12


def test_turn_is_a_quarter_turn_about_y() -> None:
    report = audit(Boxes())  # type: ignore[arg-type]
    # 31 c + 16: cells 0..31, 6..25, 9..22, so 32 x 20 x 14; turned: x and z change places.
    both, each = 14 * 20 * 14, 32 * 20 * 14
    assert report.rows[0].turn == pytest.approx(1 - both / (2 * each - both))


def test_table_and_json() -> None:
    report = audit(Boxes())  # type: ignore[arg-type]
    text = report.table()
    assert "mean over classes" in text
    assert "<= 0.45" in text
    assert report.as_dict()["passed"] is False
    assert report.as_dict()["rows"][0]["name"] == "a"


def holds(report: AuditReport) -> None:
    for check in report.checks:
        assert check.holds, f"{check.what}: {check.value} {check.limit}"


def test_a_small_part_of_the_set_passes() -> None:
    """12 + 2 + 5 objects a class; demands on training shapes need the full set (below)."""
    report = audit(Generated((12, 2, 5)))
    assert not report.full
    assert len(report.rows) == 13
    holds(report)
    # What the left-out demands ask holds here too, by a wide margin.
    assert report.average("mean") <= 0.45
    assert report.average("nearest") <= 0.65


@pytest.mark.slow
def test_the_full_set_passes() -> None:
    report = audit(Generated())
    assert report.full
    assert all(row.objects == 40 for row in report.rows)
    assert len(report.checks) == 13
    holds(report)
