"""The HTML page: well-formed, inert, and with the numbers of the other formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchbench.report.formats import render
from benchbench.report.objects import ObjectFiles
from benchbench.report.results import find_results
from benchbench.report.sheets import Sheet, table_sheets
from benchbench.report.tables import build_tables
from benchbench.report.uncertainty import add_uncertainty

Make = Callable[..., Any]
VOID = {"meta", "br"}
EVIL = '</table><script>alert(1)</script><img src=x onerror=alert(1)> & "quoted"'


class Page(HTMLParser):
    """Checks that tags close in order; collects rows of cells and all tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1] += [""] * int(dict(attrs).get("colspan") or 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "tr" in self.open and data.strip():
            self.rows[-1][-1] += data + " "


@pytest.fixture
def sheets(tmp_path: Path, make_run: Make, base: Any, noisy: Make) -> list[Sheet]:
    run = make_run("a", {"bench-iou-v1": {"iou": base}}, failed=3)
    make_run("b", {"bench-iou-v1": {"iou": noisy("b", -0.1)}})
    content = json.loads((run / "result.json").read_text())
    content["baseline"]["caption"] = EVIL
    content["baseline"]["id"] = "a" + EVIL
    (run / "result.json").write_text(json.dumps(content))
    tables, _ = build_tables(find_results([tmp_path / "runs"]), "iou")
    add_uncertainty(tables[0], ObjectFiles(), True)
    return table_sheets(tables)


def test_a_page_that_is_well_formed_and_inert(sheets: list[Sheet]) -> None:
    text = render(sheets, "html")
    page = Page(text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "img", "link", "iframe"} and "onerror" not in str(page.tags)
    assert "url(" not in text and "http" not in text
    assert text.startswith("<!doctype html>") and '<html lang="en">' in text
    assert len({len(row) for row in page.rows}) == 1
    # Every heading says what it heads.
    assert all(a.get("scope") in ("col", "colgroup", "row") for t, a in page.tags if t == "th")


def test_its_numbers_are_those_of_the_table(sheets: list[Sheet]) -> None:
    page = Page(render(sheets, "html"))
    row = next(row for row in page.rows if row[0].startswith("a</table>"))
    ((label, cells),) = [r for r in sheets[0].rows if r[0].startswith("a")]
    for text, cell in zip(row[1:], cells, strict=True):
        ends = f" {cell.low} to {cell.high}" if cell.low else ""
        assert " ".join(text.split()) == cell.text + ends
    bold = render(sheets, "html").count("<td><strong>")
    assert bold == sum(c.mark == "best" for _, some in sheets[0].rows for c in some) > 0
    assert render(sheets, "html").count('class="faint"') == 4  # chairs and tables of two methods
    assert label.endswith('quoted"')


def test_nothing_to_show() -> None:
    assert "no tables" in render([], "html")
