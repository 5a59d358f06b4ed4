"""What the methods are, beside their scores; unknown facts are called so."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchbench.cli.main import cli
from benchbench.report.about import TITLES, about
from benchbench.report.columns import add_about
from benchbench.report.formats import FORMATS, render
from benchbench.report.results import find_results
from benchbench.report.sheets import table_sheets
from benchbench.report.tables import Table, build_tables

ABOUT = {
    "supervision": "silhouettes of 2 views", "networks": "joint (all classes)",
    "parameters": 1168441, "training_time": "2 CPU cores; 24 minutes", "trained_on": None,
}  # fmt: skip
TRAINED = {"trained_on": {"dataset": "shapes13", "objects": 1300, "sha256": "4aa1ede6" * 8}}
Make = Callable[..., Path]


def say(run: Path, **content: Any) -> None:
    path = run / "result.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **content}))


@pytest.fixture
def runs(make_run: Make, base: dict[str, float], noisy: Callable[..., dict[str, float]]) -> Path:
    """kato says all, mean has no weights, older says nothing; the truth."""
    scores = {"kato": base, "mean": noisy("m", -0.1), "older": noisy("o", -0.2), "gt": base}
    folders = {n: make_run(n, {"bench-iou-v1": {"iou": s}}) for n, s in scores.items()}
    say(folders["kato"], about=ABOUT, training=TRAINED)
    made = {"dataset": "shapes13-demo", "objects": 104, "sha256": "1486061a" * 8}
    say(folders["mean"], about={
        "supervision": "true voxels, averaged", "networks": "per class", "parameters": 0,
        "training_time": "none", "trained_on": made,
    })  # fmt: skip
    say(folders["gt"], about={
        "supervision": "nothing: it is the truth", "networks": "none", "parameters": 0,
        "training_time": "none", "trained_on": None,
    })  # fmt: skip
    return folders["kato"].parent


def table(runs: Path) -> Table:
    return build_tables(find_results([runs]), "iou")[0][0]


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)])


WORDS = {
    "kato": ["silhouettes of 2 views", "1,300 objects of shapes13 (list 4aa1ede6)",
             "joint (all classes)", "1,168,441", "2 CPU cores; 24 minutes"],
    "mean": ["true voxels, averaged", "104 objects of shapes13-demo (list 1486061a)", "per class",
             "none", "none"],
    "older": ["unknown"] * 5,
    "gt": ["nothing: it is the truth", "none", "none", "none", "none"],
}  # fmt: skip


def test_columns(runs: Path) -> None:
    one = table(runs)
    sheets = table_sheets([one])
    add_about([one], sheets)
    (sheet,) = sheets
    assert [h.whole for h in sheet.headings] == [
        "mean over classes", "mean over objects", "failed", *TITLES.values()
    ]  # fmt: skip
    assert {label: [c.text for c in cells[3:]] for label, cells in sheet.rows} == WORDS
    for row, (_, cells) in zip(one.rows, sheet.rows, strict=True):
        means = [f"{row.mean_over_classes:.3f}", f"{row.mean_over_objects:.3f}"]
        assert [c.text for c in cells[:3]] == [*means, "0"]
    for form in FORMATS:
        text = render(sheets, form)
        assert "silhouettes of 2 views" in text and "unknown" in text, form
    # In LaTeX the metric's name stands over columns of classes, of which there are none.
    latex = render(sheets, "latex")
    assert r" & \multicolumn{2}{c}{mean over}" + " & " * 6 + r" \\" in latex
    assert "voxel IoU" in latex.partition(r"\caption")[2].partition("\n")[0]
    assert "1,168,441" in render(sheets, "table") and r"joint (all classes)" in render(
        sheets, "latex"
    )


def test_data_has_them_always(runs: Path) -> None:
    sheets = table_sheets([table(runs)])
    lines = {x["method"]: x for x in csv.DictReader(io.StringIO(render(sheets, "csv")))}
    assert lines["kato"]["parameters"] == "1168441"
    assert lines["kato"]["training_list"] == "4aa1ede6" * 8
    assert lines["mean"]["training_list"] == "1486061a" * 8
    for key in (*TITLES, "training_set", "training_objects", "training_list"):
        assert lines["older"][key] == "unknown", key
    rows = {r["method"]: r for r in json.loads(render(sheets, "json"))["tables"][0]["rows"]}
    assert rows["kato"]["parameters"] == 1168441 and rows["mean"]["parameters"] == "none"
    assert [rows["older"][key] for key in TITLES] == ["unknown"] * 5


@pytest.mark.parametrize(
    "said",
    [
        None, "text", [], 7, {}, {"parameters": True}, {"parameters": -3}, {"parameters": 1.5},
        {"parameters": "many"}, {"supervision": 3, "networks": [], "training_time": {}},
        {"supervision": "", "trained_on": "a list"}, {"trained_on": {"objects": "many"}},
        {"trained_on": {"objects": 3, "sha256": 4}},
    ],
)  # fmt: skip
def test_other_forms_are_unknown(runs: Path, said: Any) -> None:
    say(next(runs.glob("kato-*")), about=said, training=None)
    row = next(row for row in table(runs).rows if row.label == "kato")
    assert about(row) == dict.fromkeys(TITLES, "unknown")


def test_words_of_strangers_are_escaped(runs: Path) -> None:
    say(next(runs.glob("kato-*")), about={"supervision": "<b>a_b & 50 %</b> | c"})
    one = table(runs)
    sheets = table_sheets([one])
    add_about([one], sheets)
    assert "<b>" not in render(sheets, "html")
    assert r"a\_b \& 50 \%" in render(sheets, "latex")
    assert r"\<b\>a\_b & 50 %\</b\> \| c" in render(sheets, "md")


def test_on_the_command_line(runs: Path) -> None:
    done = bench(runs, "--metric", "iou", "--about")
    assert (done.exit_code, done.stderr) == (0, "")
    head = next(line for line in done.stdout.splitlines() if "learned from" in line)
    assert "airplane" not in head and "training" in head
    assert "as the result says, which nobody checked" in done.stdout
    plain = bench(runs, "--metric", "iou")
    assert plain.exit_code == 0 and "learned from" not in plain.stdout
    done = bench(runs, "--metric", "iou", "--about", "--intervals")
    assert done.exit_code == 0 and "median over" in done.stdout
    for others in (("--ranks",), ("--seeds",), ("--against", runs), ("--across", runs)):
        done = bench("--about", *others)
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr == (
            f"error: {others[0]} and --about are different tables\nhint: one command for each\n"
        )


def test_with_published_rows(runs: Path) -> None:
    from dataclasses import replace

    from benchbench.leaderboards.beside import add_published
    from benchbench.leaderboards.published import read_published

    one = table(runs)
    base = next(row for row in read_published() if row.our_set)
    row = replace(base, protocol="p", metric="iou", unit="ratio", our_set="shapes13-demo",
                  our_split="shapes13:test", supervision="masks")  # fmt: skip
    one.protocol = replace(one.protocol, slugs=("p",))
    sheets = table_sheets([one])
    add_published([one], sheets, [row])
    add_about([one], sheets)
    assert [c.text for c in sheets[0].rows[-1][1][3:]] == ["masks", *["unknown"] * 4]
