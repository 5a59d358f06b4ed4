"""Sheets as one HTML page: no script, nothing fetched, all text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

from benchbench.report.sheets import BEST, PUBLISHED, SECOND, Cell, Sheet

_ARROWS = {"up": " ↑", "down": " ↓", "": ""}
_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem; color: #1a1a1a; background: #fff; }
section { margin-bottom: 3rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .5rem; }
th, td { padding: .2rem .6rem; text-align: right; vertical-align: top; font-weight: normal; }
th.words, td.words, tbody th { text-align: left; }
thead th { border-bottom: 1px solid #767676; font-weight: 600; }
tbody tr { background: #fff; }
tbody tr:nth-child(even) { background: #f4f4f4; }
tbody th[scope=row] { position: sticky; left: 0; background: inherit; white-space: nowrap; }
small { display: block; white-space: nowrap; }
small.faint { color: #6b6b6b; font-style: italic; }
tbody th[scope=rowgroup] { border-top: 1px solid #767676; font-style: italic; }
em { background: #fff1cf; }
.second { text-decoration: underline; }
ul { font-size: .875rem; padding-left: 1.2rem; }
"""


def to_html(sheets: Sequence[Sheet]) -> str:
    """A whole page.

    Args:
        sheets: The tables, in order.
    """
    title = escape(sheets[0].caption[0] if sheets else "no tables")
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        *(line for sheet in sheets for line in _section(sheet)),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts)


def _section(sheet: Sheet) -> list[str]:
    first, *others = sheet.caption
    caption = f"<strong>{escape(first)}</strong>{_ARROWS[sheet.arrow]}"
    caption += "".join(f"<br>{escape(line)}" for line in others)
    legend = [line.replace("* ", "bold: ", 1) for line in sheet.legend]
    return [
        "<section>",
        '<div class="wide" tabindex="0">',
        "<table>",
        f"<caption>{caption}</caption>",
        "<thead>",
        *_headings(sheet),
        "</thead>",
        "<tbody>",
        *_rows(sheet),
        "</tbody>",
        "</table>",
        "</div>",
        "<ul>",
        *(f"<li>{escape(line)}</li>" for line in [*legend, *sheet.notes]),
        "</ul>",
        "</section>",
    ]


def _headings(sheet: Sheet) -> list[str]:
    lines = []
    if any(h.group for h in sheet.headings):
        cells = ["<td></td>"]
        for group, members in groupby(sheet.headings, key=lambda h: h.group):
            count = len(list(members))
            if group:
                cells.append(f'<th scope="colgroup" colspan="{count}">{escape(group)}</th>')
            else:
                cells.append(f'<td colspan="{count}"></td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    words = (
        f'<th scope="col"{_class("words" if h.words else "")}>{escape(h.text)}</th>'
        for h in sheet.headings
    )
    return [*lines, f'<tr><th scope="col" class="words">method</th>{"".join(words)}</tr>']


def _rows(sheet: Sheet) -> list[str]:
    """The rows; those of another kind make a body of their own, below what it is."""
    lines = []
    for n, (label, cells) in enumerate(sheet.rows):
        if n in sheet.parts:
            words = escape(sheet.parts[n])
            head = f'<th scope="rowgroup" colspan="{len(cells) + 1}">{words}</th>'
            lines += ["</tbody>", "<tbody>", f"<tr>{head}</tr>"]
        lines.append(_row(sheet, label, cells))
    return lines


def _row(sheet: Sheet, label: str, cells: list[Cell]) -> str:
    found = [f'<th scope="row">{escape(label)}</th>']
    for heading, cell in zip(sheet.headings, cells, strict=True):
        text = escape(cell.text)
        if cell.mark == BEST:
            text = f"<strong>{text}</strong>"
        elif cell.mark == SECOND:
            text = f'<span class="second">{text}</span>'
        elif cell.mark == PUBLISHED:
            text = f"<em>{text}</em>"
        if cell.low:
            ends = f"{escape(cell.low)} to {escape(cell.high)}"
            text += f"<small{_class('faint' if cell.faint else '')}>{ends}</small>"
        found.append(f"<td{_class('words' if heading.words else '')}>{text}</td>")
    return f"<tr>{''.join(found)}</tr>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
