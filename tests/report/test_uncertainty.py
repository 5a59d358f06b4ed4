"""Intervals and marks of tables, from the scores of objects."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchbench.core.errors import CheckError, InputError
from benchbench.report.formats import render
from benchbench.report.objects import ObjectFiles
from benchbench.report.results import find_results
from benchbench.report.sheets import table_sheets
from benchbench.report.tables import MEDIAN, OVER_CLASSES, OVER_OBJECTS, Table, build_tables
from benchbench.report.uncertainty import add_uncertainty
from benchbench.statistics.intervals import studentised
from benchbench.statistics.resampling import resample
from benchbench.statistics.sample import Sample

Make = Callable[..., Any]
AIRPLANE, CHAIR, TABLE = "02691156", "03001627", "04379243"


def judged(folder: Path, metric: str = "iou", intervals: bool = True) -> tuple[Table, ObjectFiles]:
    (table,) = build_tables(find_results([folder / "runs"]), metric)[0]
    files = ObjectFiles()
    add_uncertainty(table, files, intervals)
    return table, files


def test_bounds_are_those_of_the_scores(tmp_path: Path, make_run: Make, base: Any) -> None:
    units = {f"{CHAIR}/00": f"{CHAIR}/00", f"{CHAIR}/07": f"{CHAIR}/00"}
    make_run("kato", {"bench-iou-v1": {"iou": base}}, units)
    table, _ = judged(tmp_path)
    (row,) = table.rows
    sample = Sample.of([base], units)
    for column, weights in ((OVER_CLASSES, sample.per_class_weights()),
                            (OVER_OBJECTS, sample.per_object_weights()),
                            (CHAIR, sample.only(1))):  # fmt: skip
        low, high = studentised(sample, resample(sample), weights)
        assert row.bounds[column] == pytest.approx((low[0], high[0]), rel=1e-9)
    ordered = sorted(base.values())
    assert row.median == ordered[38]  # of 77
    low, high = row.bounds[MEDIAN] or (1.0, 0.0)
    assert low < row.median < high
    # 45 airplanes may be leant on; of 20 chairs two are one thing.
    assert table.rough == {CHAIR, TABLE}


def test_the_reporting_factor_reaches_the_bounds(tmp_path: Path, make_run: Make, base: Any) -> None:
    make_run("kato", {"dibr-chamfer-v1": {"chamfer": base}, "bench-iou-v1": {"iou": base}})
    plain, percent = judged(tmp_path)[0].rows[0], judged(tmp_path, "dibr-chamfer-v1")[0].rows[0]
    for column in (OVER_CLASSES, OVER_OBJECTS, MEDIAN, AIRPLANE):
        low, high = plain.bounds[column] or (0.0, 0.0)
        assert percent.bounds[column] == pytest.approx((100 * low, 100 * high), rel=1e-9)


def test_what_cannot_be_told_from_the_best(
    tmp_path: Path, make_run: Make, base: Any, noisy: Make
) -> None:
    """b is a shaken; c is .1 worse, which 77 objects show; gt and a method that has seen the
    objects do not compete."""
    for name, scores in (("a", base), ("b", noisy("b", -0.001)), ("c", noisy("c", -0.1)),
                         ("gt", dict.fromkeys(base, 1.0))):  # fmt: skip
        make_run(name, {"bench-iou-v1": {"iou": scores}})
    table, files = judged(tmp_path, intervals=False)
    best = {table.rows[n].label for n, column in table.best if column == OVER_CLASSES}
    assert best == {"a", "b"}
    second = {table.rows[n].label for n, column in table.second if column == OVER_CLASSES}
    assert second == {"c"}
    assert "max-T" in table.judged and not files.remarks()
    text = render(table_sheets([table]), "table")
    assert text.count("* not separable from the best") == 1 and "from" not in text.split("\n")[8]
    assert "bold: not separable" in render(table_sheets([table]), "md")


def test_lower_is_better_too(tmp_path: Path, make_run: Make, base: Any, noisy: Make) -> None:
    for name, scores in (("a", base), ("b", noisy("b", -0.1)), ("c", noisy("c", -0.099))):
        make_run(name, {"bench-surface-v1": {"chamfer": scores}})
    table, _ = judged(tmp_path, "chamfer")
    best = {table.rows[n].label for n, column in table.best if column == OVER_OBJECTS}
    assert best == {"b", "c"}


def test_without_scores_of_objects_the_best_print_is_marked(
    tmp_path: Path, make_run: Make, base: Any, noisy: Make
) -> None:
    make_run("a", {"bench-iou-v1": {"iou": base}})
    old = make_run("b", {"bench-iou-v1": {"iou": noisy("b", -0.01)}}, objects=False)
    table, files = judged(tmp_path)
    assert {table.rows[n].label for n, column in table.best if column == OVER_CLASSES} == {"a"}
    assert table.judged == "best of the methods that are not given the truth"
    assert table.rows[0].bounds and not table.rows[1].bounds
    assert files.remarks() == [
        f"'{old}' has no scores of objects, so nothing is said of its uncertainty; "
        f"bench score '{old}' writes them"
    ]
    render(table_sheets([table]), "table")


def test_changed_scores_are_refused(tmp_path: Path, make_run: Make, base: Any) -> None:
    folder = make_run("a", {"bench-iou-v1": {"iou": base}})
    file = folder / "objects.csv"
    text = file.read_text()
    file.write_text(text.replace(",0.0\n", ",1.0\n"))
    with pytest.raises(CheckError, match="is not the one that") as caught:
        judged(tmp_path)
    assert str(caught.value.hint).startswith(f"bench score '{folder}'")


def test_scores_of_other_objects_are_refused(tmp_path: Path, make_run: Make, base: Any) -> None:
    from benchbench.core.files import sha256_file

    folder = make_run("a", {"bench-iou-v1": {"iou": base}})

    def change(text: str) -> None:
        (folder / "objects.csv").write_text(text)
        content = json.loads((folder / "result.json").read_text())
        content["hashes"]["objects"] = sha256_file(folder / "objects.csv")
        (folder / "result.json").write_text(json.dumps(content))

    lines = (folder / "objects.csv").read_text().splitlines(keepends=True)
    change("".join(lines[:-1]))
    with pytest.raises(CheckError, match="does not hold the 77 objects"):
        judged(tmp_path)
    change("".join(lines) + "x\n")
    with pytest.raises(InputError, match="line 79"):
        judged(tmp_path)


def test_every_format_says_the_same_intervals(
    tmp_path: Path, make_run: Make, base: Any, noisy: Make
) -> None:
    make_run("a", {"bench-iou-v1": {"iou": base}}, failed=3)
    make_run("b", {"bench-iou-v1": {"iou": noisy("b", -0.1)}})
    table, _ = judged(tmp_path)
    sheets = table_sheets([table])
    low, high = table.rows[0].bounds[OVER_CLASSES] or (0.0, 0.0)
    (row, _) = json.loads(render(sheets, "json"))["tables"][0]["rows"]
    assert row["intervals"]["mean over classes"] == [low, high] and row["failed"] == 3
    assert row["median_over_objects"] == table.rows[0].median
    (line, _) = csv.DictReader(io.StringIO(render(sheets, "csv")))
    assert float(line["mean_over_classes low"]) == low
    assert float(line["02691156 airplane high"]) == (table.rows[0].bounds[AIRPLANE] or (0, 0))[1]
    value = f"{table.rows[0].mean_over_classes:.3f}"
    assert f"**{value}** [{low:.3f}, {high:.3f}]" in render(sheets, "md")
    assert f"\\benchinterval{{{low:.3f}}}{{{high:.3f}}}" in render(sheets, "latex")
    text = render(sheets, "table")
    place = text.splitlines()
    a = next(n for n, some in enumerate(place) if some.startswith("a "))
    assert [some.split()[0] for some in place[a + 1 : a + 3]] == ["from", "to"]
    assert place[a + 1].split()[4] == f"{low:.3f}" and place[a + 2].split()[4] == f"{high:.3f}"
    assert "fewer than 40 different objects (2 of 3)" in text
    assert "\x1b" not in text


def test_on_a_terminal_best_is_bold_and_rough_is_grey(
    tmp_path: Path, make_run: Make, base: Any, noisy: Make
) -> None:
    make_run("a", {"bench-iou-v1": {"iou": base}})
    make_run("b", {"bench-iou-v1": {"iou": noisy("b", -0.1)}})
    sheets = table_sheets([judged(tmp_path)[0]])
    coloured = render(sheets, "table", colour=True)
    plain = re.sub(r"\x1b\[\d+m", "", coloured)
    assert [line.rstrip() for line in plain.splitlines()] == render(sheets, "table").splitlines()
    a = next(n for n, some in enumerate(coloured.splitlines()) if some.startswith("a "))
    row, below = coloured.splitlines()[a : a + 2]
    assert row.count("\x1b[1m") == 5  # three classes, two means; nothing is said of the median
    # Chairs and tables are few; airplanes and the means are not.
    assert below.count("\x1b[90m") == 2 and below.index("\x1b[90m") > 12
