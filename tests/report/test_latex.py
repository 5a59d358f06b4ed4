"""What LaTeX makes of every kind of sheet, where there is an engine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchbench.report.across import across_sheet
from benchbench.report.against import against_sheet
from benchbench.report.formats import render
from benchbench.report.objects import ObjectFiles
from benchbench.report.order import order_sheets
from benchbench.report.results import find_results
from benchbench.report.sheets import Cell, Heading, Sheet, table_sheets
from benchbench.report.tables import build_tables
from benchbench.report.training_seeds import seeds_sheets
from benchbench.report.uncertainty import add_uncertainty

Make = Callable[..., Any]


@pytest.fixture
def sheets(tmp_path: Path, make_run: Make, noisy: Make) -> list[Sheet]:
    """One of each kind."""
    for name, shift in (("kato", 0.1), ("kato", 0.12), ("me_an & 50 %", 0.0)):
        make_run(name, {
            "bench-iou-v1": {"iou": noisy(name + str(shift), shift)},
            "kato-iou-v1": {"iou": noisy(name + str(shift), shift)},
        })  # fmt: skip
    results = find_results([tmp_path / "runs"])
    tables = [t for m in ("iou", "kato-iou-v1") for t in build_tables(results, m)[0]]
    files = ObjectFiles()
    for table in tables:
        add_uncertainty(table, files, True)
    return [
        *table_sheets(tables), against_sheet(tables[0], results[0], files),
        across_sheet(results[0], files), *order_sheets(tables, files), *seeds_sheets(tables, files),
    ]  # fmt: skip


def test_every_row_has_all_columns(sheets: list[Sheet]) -> None:
    for sheet in sheets:
        text = render([sheet], "latex")
        body = text.partition("\\midrule\n")[2].partition("\n\\bottomrule")[0]
        columns = text.partition("\\begin{tabular}{l")[2].partition("\n")[0]
        for line in body.splitlines():
            assert line.replace("\\&", "").count("&") == len(sheet.headings)
        assert columns.count("l") + columns.count("r") + columns.count("p") >= len(sheet.headings)
    kinds = {sheet.kind for sheet in sheets}
    assert kinds == {"tables", "against", "across", "ranks", "tau", "seeds"}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX engine here")
def test_they_compile(tmp_path: Path, sheets: list[Sheet]) -> None:
    body = render(sheets, "latex")
    document = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
    (tmp_path / "t.tex").write_text(document + body + "\n\\end{document}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert b"Output written on t.pdf" in done.stdout
    # Wider than the text is a table of 13 classes; it goes into both margins.
    assert b"Overfull" not in done.stdout
    assert b"Float too large" not in done.stdout


def long_sheet() -> Sheet:
    """Longer than a page in rows, in lines of a row, and in notes."""
    headings = [Heading("value"), Heading("differs in", words=True)]
    rows = [
        (f"row {n}", [Cell("0.123", low="0.1", high="0.2"), Cell("some words " * (n % 12))])
        for n in range(120)
    ]
    notes = [f"note {n}: " + "words and words " * 12 for n in range(200)]
    return Sheet("across", ["long"], "one", "", headings, rows, ["a legend"], notes, {}, [])


def test_long_tables_are_several_and_lose_nothing() -> None:
    text = render([long_sheet()], "latex")
    tables = text.split("\\begin{table}")[1:]
    assert len(tables) > 5
    for n, table in enumerate(tables, 1):
        assert f"long ({n} of {len(tables)})." in table and "differs in" in table
        assert ("a legend" in table) == (n == len(tables))
    for n in range(120):
        assert text.count(f"row {n} &") == 1
    inside = "".join(table.partition("\\end{table}")[0] for table in tables)
    assert "note 0" not in inside and text.count("note ") == 200


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX engine here")
def test_long_tables_fit_their_pages(tmp_path: Path) -> None:
    body = render([long_sheet()], "latex")
    document = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
    (tmp_path / "t.tex").write_text(document + body + "\n\\end{document}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert b"Float too large" not in done.stdout and b"Overfull" not in done.stdout
