"""--seeds as a sheet: trainings of one method in a row, and what is not one."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchbench.core.errors import CheckError, MissingError
from benchbench.report.formats import FORMATS, render
from benchbench.report.objects import ObjectFiles
from benchbench.report.results import find_results
from benchbench.report.sheets import Sheet
from benchbench.report.tables import build_tables
from benchbench.report.training_seeds import seeds_sheets
from benchbench.statistics.sample import Sample
from benchbench.statistics.seeds import crossed

Make = Callable[..., Any]


def seeds(folder: Path, metric: str = "dibr-chamfer-v1") -> list[Sheet]:
    tables, _ = build_tables(find_results([folder / "runs"]), metric)
    return seeds_sheets(tables, ObjectFiles())


def test_three_seeds_are_one_row(tmp_path: Path, make_run: Make, noisy: Make, base: Any) -> None:
    """In the unit of the report: the factor of this protocol is 100."""
    scores = [noisy("s0", 0.0), noisy("s1", 0.03), noisy("s2", -0.03)]
    for some in scores:
        make_run("kato", {"dibr-chamfer-v1": {"chamfer": some}}, failed=1)
    make_run("mean", {"dibr-chamfer-v1": {"chamfer": base}})
    (sheet,) = seeds(tmp_path)
    sample = Sample.of(scores)
    expected = crossed(sample, sample.per_class_weights())
    (row,) = sheet.record["rows"]
    one = row["mean_over_classes"]
    assert row["method"] == "kato" and len(row["runs"]) == 3 and row["failed"] == 3
    assert one["seeds"] == 3 and one["mean"] == pytest.approx(100 * expected.mean)
    assert one["seeds_variance"] == pytest.approx(1e4 * expected.seeds_variance)
    assert one["objects_variance"] == pytest.approx(1e4 * expected.objects_variance)
    low, high = one["interval"]
    assert low < one["mean"] < high
    (line,) = csv.DictReader(io.StringIO(render([sheet], "csv")))
    assert float(line["mean_over_classes low"]) == low and line["seeds"] == "3"
    assert json.loads(render([sheet], "json"))["seeds"][0]["rows"][0]["runs"] == row["runs"]
    text = next(s for s in render([sheet], "table").splitlines() if s.startswith("kato"))
    assert text.split()[:3] == ["kato", "3", f"{one['mean']:.2f}"]
    assert f"{one['seeds_variance'] ** 0.5:.3f}" in text.split()
    for form in FORMATS:
        assert "nan" not in render([sheet], form).lower()


def test_other_settings_and_other_training_lists_are_other_methods(
    tmp_path: Path, make_run: Make, noisy: Make
) -> None:
    made = [make_run("kato", {"bench-iou-v1": {"iou": noisy(str(n), 0.0)}}) for n in range(4)]
    for folder, place, value in (
        (made[2], "settings", {"views": 3}),
        (made[3], "training", {"seen": 0, "trained_on": {"sha256": "x"}}),
    ):
        content = json.loads((folder / "result.json").read_text())
        (content["baseline"] if place == "settings" else content)[place] = value
        (folder / "result.json").write_text(json.dumps(content))
    (sheet,) = seeds(tmp_path, "iou")
    (row,) = sheet.record["rows"]
    assert [Path(run).name for run in row["runs"]] == ["kato-0", "kato-1"]


def test_the_same_weights_twice_are_no_seeds(tmp_path: Path, make_run: Make, noisy: Make) -> None:
    for n in range(2):
        make_run("kato", {"bench-iou-v1": {"iou": noisy(str(n), 0.0)}}, weights="same")
    with pytest.raises(CheckError, match="have the same weights"):
        seeds(tmp_path, "iou")


def test_one_seed_says_nothing_of_a_method(tmp_path: Path, make_run: Make, base: Any) -> None:
    make_run("kato", {"bench-iou-v1": {"iou": base}})
    for _ in range(2):  # without weights there is nothing to train
        make_run("mean", {"bench-iou-v1": {"iou": base}}, weights="none")
    with pytest.raises(MissingError, match="one seed says something about a checkpoint"):
        seeds(tmp_path, "iou")
    old = make_run("kato", {"bench-iou-v1": {"iou": base}}, objects=False)
    with pytest.raises(CheckError, match="no scores of objects") as caught:
        seeds(tmp_path, "iou")
    assert caught.value.hint == f"bench score '{old}'"
