"""Published numbers beside measured rows, as a user sees them in every format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchbench.cli.main import cli
from benchbench.leaderboards.beside import add_published, find_beside
from benchbench.leaderboards.published import PublishedRow, as_shown, read_published
from benchbench.protocols.registry import get_protocol, protocols
from benchbench.report.formats import FORMATS, render
from benchbench.report.results import find_results
from benchbench.report.sheets import table_sheets
from benchbench.report.tables import OVER_CLASSES, OVER_OBJECTS, Table, build_tables

MARK = "published, not computed here"
Write = Callable[..., Path]

ROW = PublishedRow(
    dataset="Their set", split="their test", protocol="voxiou32-kato", method="[Theirs] & co",
    year=2018, supervision="silhouettes", cls="mean", metric="iou", unit="ratio",
    higher_is_better=True, text="0.5", source="a README, line 7", note="one view",
    our_set="shapenet-kato", our_split="kato:test",
)  # fmt: skip


def result(
    folder: Path, protocol: str = "kato-iou-v1", values: Sequence[float] = (0.2, 0.4), **place: Any
) -> Path:
    """A result file by hand: one airplane and three chairs."""
    names = [m.name for m in get_protocol(protocol).metrics]
    classes = [["02691156", "airplane"], ["03001627", "chair"]]
    rows = {
        synset: {"name": name, "objects": n, "metrics": dict.fromkeys(names, v)}
        for (synset, name), n, v in zip(classes, (1, 3), values, strict=True)
    }
    content = {
        "schema": 1, "kind": "benchbench result", "hash": "a1b2c3d4" * 8,
        "baseline": {"id": "kato", "title": "t", "caption": "kato: ours", "takes": "image"},
        "dataset": {
            "id": "shapenet-kato", "identity": "9f3a" * 16, "title": "t", "split": "test",
            "split_name": "kato", "split_hash": "12ab" * 16, "classes": classes, "part_of": None,
            **place,
        },
        "selection": {"views": "all", "views_of_set": 24, "classes": None, "limit": None},
        "protocols": {
            protocol: {
                "per_class": rows, "objects": 4, "items": 96, "ok": 96, "failed": {},
                "mean_over_classes": dict.fromkeys(names, sum(values) / 2),
                "mean_over_objects": dict.fromkeys(names, (values[0] + 3 * values[1]) / 4),
                "classes": 2, "failed_items": [], "truth_grid": None,
            }
        },
        "complete": True, "incomplete_because": [],
    }  # fmt: skip
    path = folder / "runs" / "kato-1"
    path.mkdir(parents=True, exist_ok=True)
    (path / "result.json").write_text(json.dumps(content))
    return path


def table(folder: Path, metric: str = "kato-iou-v1", **place: Any) -> Table:
    path = result(folder, metric.partition(":")[0], **place)
    ((found,), _) = build_tables(find_results([path]), metric)
    return found


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)])


def test_every_number_goes_to_its_column(tmp_path: Path) -> None:
    rows = [
        ROW,
        replace(ROW, cls="mean_per_instance", text="0.45"),
        replace(ROW, cls="03001627", unit="percent", text="61.5"),
        replace(ROW, cls="airplane", text="0.25"),  # PASCAL3D+ names its classes
        replace(ROW, cls="mean_per_batch", text="0.48"),
        replace(ROW, cls="04379243", text="0.31"),  # no column: said below the table
        replace(ROW, method="Others", text="0.7", note=""),
    ]
    (one, other), why = find_beside(table(tmp_path), rows)
    assert one.cells == {
        OVER_CLASSES: 0.5, OVER_OBJECTS: 0.45, "03001627": 0.615, "02691156": 0.25
    }  # fmt: skip
    assert one.note == (
        f"[Theirs] & co, 2018: {MARK}; a README, line 7; one view; mean of batches 0.48 (ratio); "
        "04379243 0.31 (ratio); learned from silhouettes"
    )
    assert (other.cells, why) == ({OVER_CLASSES: 0.7}, "")


def test_the_same_name_on_two_sets_is_two_rows(tmp_path: Path) -> None:
    found, _ = find_beside(table(tmp_path), [ROW, replace(ROW, dataset="Another", text="0.6")])
    assert [one.cells[OVER_CLASSES] for one in found] == [0.5, 0.6]


@pytest.mark.parametrize(
    ("place", "rows", "words"),
    [
        ({"id": "shapenet"}, [ROW], "the data set differs: kato-iou-v1 was published on "
         "shapenet-kato kato:test; these rows are of shapenet kato:test"),
        ({}, [replace(ROW, our_set="", our_split="")], "the data set differs: kato-iou-v1 was "
         "published on Their set / their test; these rows are of shapenet-kato kato:test"),
        ({"split": "val"}, [ROW], "the split differs: kato-iou-v1 was published on shapenet-kato "
         "kato:test; these rows are of shapenet-kato kato:val"),
        ({"split_name": "own"}, [ROW], "the split differs: kato-iou-v1 was published on "
         "shapenet-kato kato:test; these rows are of shapenet-kato own:test"),
        ({}, [replace(ROW, protocol="another")], "the protocol differs: no published number is of "
         "kato-iou-v1"),
        ({}, [replace(ROW, protocol="voxiou32-vpl")], "the protocol differs: no published number "
         "is of kato-iou-v1; on shapenet-kato kato:test there are numbers under vpl-iou-v1"),
        ({}, [replace(ROW, metric="ap")], "the metric differs: no published number of kato-iou-v1 "
         "is its iou"),
        ({}, [replace(ROW, unit="x1000")], "the unit differs: x1000 there"),
        ({"part_of": 43783}, [ROW], "the data set differs: only a part of it was scored here"),
        ({}, [], "the protocol differs: no published number is of kato-iou-v1"),
    ],
)  # fmt: skip
def test_what_differs_is_said(
    tmp_path: Path, place: dict[str, Any], rows: list[PublishedRow], words: str
) -> None:
    found = table(tmp_path, **place)
    assert find_beside(found, rows) == ([], words)
    sheets = table_sheets([found])
    (sentence,) = add_published([found], sheets, rows)
    assert sentence.endswith(words)
    for form in ("table", "md", "latex", "html", "json"):
        # LaTeX and Markdown set off some letters.
        start = words.partition(":")[0]
        assert render(sheets, form).count(start) >= 1, form
    assert [label for label, _ in sheets[0].rows] == ["kato"] and not sheets[0].parts


def test_a_run_on_a_part_of_the_split_stands_alone(tmp_path: Path) -> None:
    path = result(tmp_path) / "result.json"
    content = json.loads(path.read_text())
    content.update(complete=False, incomplete_because=["--limit 4"])
    path.write_text(json.dumps(content))
    ((found,), _) = build_tables(find_results([path]), "kato-iou-v1", partial=True)
    assert find_beside(found, [ROW]) == (
        [], "the split differs: only a part of it was scored here"
    )  # fmt: skip


def test_published_rows_compete_with_nothing(tmp_path: Path) -> None:
    found = table(tmp_path)
    sheets = table_sheets([found])
    assert add_published([found], sheets, [replace(ROW, text="0.99")]) == []
    marks = [cell.mark for cell in sheets[0].rows[1][1]]
    assert marks == ["", "", "published", "", ""] and not found.best


class Rows(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.em = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "tr":
            self.rows.append([])
        self.em += tag == "em"

    def handle_data(self, data: str) -> None:
        if self.rows and data.strip():
            self.rows[-1].append(data)


def test_every_format_tells_them_apart(tmp_path: Path) -> None:
    found = table(tmp_path)
    sheets = table_sheets([found])
    add_published([found], sheets, [ROW])
    texts = {form: render(sheets, form) for form in FORMATS}
    lines = texts["table"].splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith(f"-- {MARK} ---"))
    assert lines[at - 1].split() == ["kato", "0.2000", "0.4000", "0.3000", "0.3500", "0"]
    assert lines[at + 1].split()[-5:] == ["-", "-", "0.5000", "-", "-"]
    assert lines[at + 1].startswith("[published] [Theirs] & co, 2018 ")
    assert len(lines[at]) == len(lines[at + 2]) and set(lines[at + 2]) == {"-"}
    assert lines[-1].startswith(f"[published] [Theirs] & co, 2018: {MARK}; a README, line 7")
    assert "\x1b[90m" in render(sheets, "table", colour=True)

    rows = [line for line in texts["md"].splitlines() if line.startswith("|")]
    assert rows[3] == f"| *{MARK}* | | | | | |"
    assert rows[4] == "| [published] [Theirs] & co, 2018 | - | - | *0.5000* | - | - |"
    assert all(line.count("|") == 7 for line in rows)

    assert rf"\multicolumn{{6}}{{l}}{{\textit{{{MARK}}}}} \\" in texts["latex"]
    # A bracket after the end of a row would be taken for a distance.
    assert (
        "\n{[}published] {[}Theirs] \\& co, 2018 & -- & -- & \\benchpublished{0.5000}"
        in (texts["latex"])
    )
    assert r"\providecommand{\benchpublished}" in texts["latex"]

    page = Rows()
    page.feed(texts["html"])
    assert [MARK] in page.rows and page.em == 1
    assert ["[published] [Theirs] & co, 2018", "-", "-", "0.5000", "-", "-"] in (
        [row[:6] for row in page.rows]
    )

    ours, theirs = csv.DictReader(io.StringIO(texts["csv"]))
    assert (ours["computed_here"], theirs["computed_here"]) == ("True", "False")
    assert (theirs["mean_over_classes"], theirs["03001627 chair"]) == ("0.5", "")
    assert theirs["method"].startswith("[published] ") and MARK in theirs["caption"]

    (record,) = json.loads(texts["json"])["tables"]
    assert [row["method"] for row in record["rows"]] == ["kato"]
    (row,) = record["published"]
    assert (row["computed_here"], row["what"], row["mean_over_classes"]) == (False, MARK, 0.5)
    assert row["notes"] == ["a README, line 7", "one view"]


def test_with_intervals(tmp_path: Path) -> None:
    found = table(tmp_path)
    found.intervals = True  # a column more: the median over objects
    sheets = table_sheets([found])
    add_published([found], sheets, [ROW])
    (_, ours), (_, theirs) = sheets[0].rows
    assert len(ours) == len(theirs) == len(sheets[0].headings)


def test_on_the_command_line(tmp_path: Path) -> None:
    run = result(tmp_path)
    done = bench(run, "--metric", "kato-iou-v1", "--published")
    assert done.exit_code == 0 and f"-- {MARK} ---" in done.stdout
    assert "[published] NMR / Kato (released model), 2018 " in done.stdout
    assert "0.5988" in done.stdout and "hiroharu-kato/mesh_reconstruction" in done.stdout
    assert "has no scores of objects" in done.stderr
    plain = bench(run, "--metric", "kato-iou-v1")
    assert plain.exit_code == 0 and "published" not in plain.stdout

    result(tmp_path, id="shapes13", split_name="shapes13")
    why = "no published number stands beside these rows (kato-iou-v1): the data set differs: "
    done = bench(run, "--metric", "kato-iou-v1", "--published")
    assert done.exit_code == 0 and why in done.stdout and why not in done.stderr
    done = bench(run, "--metric", "kato-iou-v1", "--published", "--format", "csv")
    assert done.exit_code == 0 and why in done.stderr and why not in done.stdout
    done = bench(run, "--metric", "kato-iou-v1", "--published", "--json")
    (record,) = json.loads(done.stdout)["tables"]
    assert done.exit_code == 0 and record["published_none_because"].startswith(why)
    assert record["published"] == []


def test_other_kinds_of_tables_have_none(tmp_path: Path) -> None:
    run = result(tmp_path)
    for others in (("--ranks",), ("--seeds",), ("--against", run), ("--across", run)):
        done = bench("--published", *others)
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr == (
            f"error: {others[0]} and --published are different tables\nhint: one command for each\n"
        )


# What no table can show, and why.
_ELSEWHERE = {
    ("occnet-mesh", "chamfer_l1", "longest edge 1"): "a value in another unit than tables show",
    ("dvr-mesh", "chamfer_l1", "longest edge 1"): "a value in another unit than tables show",
    ("dvr-mesh", "normals", "ratio"): "dvr-mesh-v1 computes no normals",
    ("pcg", "to_truth", "x100"): "the frame's scale is not confirmed",
    ("pcg", "to_prediction", "x100"): "the frame's scale is not confirmed",
    ("disn", "emd", "x0.01, sum over 2,048 matched points"): "cannot be computed again",
    ("disn", "iou", "percent"): "cannot be computed again",
    ("pix3d", "emd", "longest side 1, mean over the matching"): "cannot be computed again",
    ("pix3d", "iou", "ratio"): "cannot be computed again",
    ("p2m", "emd", "x0.01, sum over the matching"): "cannot be computed again",
    ("voxiou32-r2n2-pascal", "iou", "ratio"): "the CAD models are not those of the store",
    ("voxiou32-drc", "iou", "ratio"): "a threshold chosen on train for each class",
    ("atlasnet-metro", "hausdorff", "x100, unnormalised clouds"): "cannot be computed again",
    ("voxiou-autosdf", "iou", "ratio"): "cannot be computed again",
}  # fmt: skip


def test_published_metrics_are_those_of_the_protocols() -> None:
    """Every published metric is one that a protocol shows in that unit, or is listed above."""
    left = {
        (row.protocol, row.metric, row.unit)
        for row in read_published()
        if not any(
            row.metric == metric.name and as_shown(row, metric) is not None
            for spec in protocols().values()
            if row.protocol in spec.slugs
            for metric in spec.metrics
        )
    }
    assert left == set(_ELSEWHERE)


@pytest.mark.parametrize(
    ("unit", "protocol", "metric", "value"),
    [
        ("ratio", "kato-iou-v1", "iou", 0.5),
        ("percent", "kato-iou-v1", "iou", 0.005),
        ("ratio", "meshrcnn-gt10-v1", "abs_normals", 0.5),  # "ratio (0.5 is chance)"
        ("percent", "meshrcnn-gt10-v1", "fscore@0.1", 0.5),  # "%"
        ("ratio", "meshrcnn-gt10-v1", "fscore@0.1", None),
        ("percent", "meshrcnn-gt10-v1", "chamfer", None),
        ("longest edge 10, squared", "meshrcnn-gt10-v1", "chamfer", 0.5),
        ("longest edge 1", "onet-mesh-v1", "chamfer_l1", None),
    ],
)
def test_units(unit: str, protocol: str, metric: str, value: float | None) -> None:
    spec = get_protocol(protocol).metric(metric)
    assert as_shown(replace(ROW, unit=unit), spec) == value
