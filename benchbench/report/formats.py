"""The forms in which sheets are printed."""

from __future__ import annotations

from collections.abc import Sequence

from benchbench.report.html import to_html
from benchbench.report.latex import to_latex
from benchbench.report.markdown import to_markdown
from benchbench.report.plain import to_csv, to_json
from benchbench.report.sheets import Sheet
from benchbench.report.text import to_text

FORMATS = ("table", "md", "latex", "csv", "json", "html")


def render(sheets: Sequence[Sheet], form: str, colour: bool = False) -> str:
    """All sheets in one of `FORMATS`.

    Args:
        sheets: The tables.
        form: Which.
        colour: For a terminal that understands it.
    """
    if form == "csv":
        return to_csv(sheets)
    if form == "json":
        return to_json(sheets)
    if form == "html":
        return to_html(sheets)
    if form == "table":
        return "\n\n".join(to_text(sheet, colour) for sheet in sheets)
    one = {"md": to_markdown, "latex": to_latex}[form]
    return "\n\n".join(one(sheet) for sheet in sheets)
