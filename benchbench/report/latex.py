"""Sheets as LaTeX: booktabs rules, and macros for the best and second values."""

from __future__ import annotations

import re
from itertools import groupby

from benchbench.report.sheets import Cell, Sheet

_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
    "[": "{[}",  # at the start of a row it would be the distance to it
}  # fmt: skip
_LONG = 30  # letters in a line of a column of words
_PAGE = 50  # lines of a table on a page, less caption and legend
_ARROWS = {"up": r" $\uparrow$", "down": r" $\downarrow$", "": ""}
_MACROS = (
    r"% \usepackage{booktabs}",
    r"\providecommand{\benchbest}[1]{\textbf{#1}}",
    r"\providecommand{\benchsecond}[1]{\underline{#1}}",
    r"\providecommand{\benchpublished}[1]{\textit{#1}}",
    r"\providecommand{\benchinterval}[2]{{\tiny\shortstack[r]{#1\\#2}}}",
)


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it stands; what is not ASCII becomes a question mark.

    Example:
        >>> latex_escape("50 % of a_b")
        '50 \\\\% of a\\\\_b'
    """
    plain = " ".join(text.split()).encode("ascii", "replace").decode("ascii")
    escaped = "".join(_ESCAPES.get(character, character) for character in plain)
    return re.sub("-(?=-)", "-{}", escaped)  # two would become a dash


def to_latex(sheet: Sheet) -> str:
    r"""Table environments with booktabs rules: as many as the rows need pages, then the notes.

    Best values are in \benchbest, the next in \benchsecond, published ones in \benchpublished,
    intervals in \benchinterval, which may be defined before. Needs `\usepackage{booktabs}` and
    nothing else.
    """
    legend = [line.replace("* ", "Bold: ", 1) for line in sheet.legend if line[:5] != "grey:"]
    if sheet.intervals:
        legend.append("Small: the ends of the interval")
    pages = _pages(sheet)
    lines = list(_MACROS)
    for n, rows in enumerate(pages, 1):
        part = f" ({n} of {len(pages)})" if len(pages) > 1 else ""
        lines += _table(sheet, rows, part, legend if n == len(pages) else [])
    if sheet.notes:  # no part of the table: a float that is longer than a page is cut off
        below = "\\par\n".join(latex_escape(line) for line in sheet.notes)
        lines.append(rf"{{\raggedright\tiny\noindent {below}\par}}")
    return "\n".join(lines)


def _pages(sheet: Sheet) -> list[range]:
    """Rows that stand together, in lines of one page."""
    pages, first, height = [], 0, 0
    for n, (_, cells) in enumerate(sheet.rows):
        here = max((_lines(sheet, place, cell) for place, cell in enumerate(cells)), default=1)
        here += 2 * any(c.low for c in cells) + (n in sheet.parts)  # both ends, in small print
        if height + here > _PAGE and n > first:
            pages.append(range(first, n))
            first, height = n, 0
        height += here
    return [*pages, range(first, len(sheet.rows))]


def _lines(sheet: Sheet, place: int, cell: Cell) -> int:
    wraps = sheet.headings[place].words
    return 1 + len(cell.text) // _LONG if wraps else 1


def _table(sheet: Sheet, rows: range, part: str, legend: list[str]) -> list[str]:
    headings = sheet.headings
    columns = "".join(_column(sheet, n) for n in range(len(headings)))
    lines = [
        r"\begin{table}",
        r"\centering\scriptsize\setlength{\tabcolsep}{2.5pt}\setlength{\belowcaptionskip}{4pt}",
        rf"\caption{{{'. '.join(map(latex_escape, sheet.caption))}{part}.}}",
        # A table wider than the text goes into both margins evenly, not off the page.
        r"\makebox[\linewidth][c]{%",
        rf"\begin{{tabular}}{{l{columns}}}",
        r"\toprule",
        *_groups(sheet),
        " & ".join(["", *(latex_escape(h.text) for h in headings)]) + r" \\",
        r"\midrule",
    ]
    for n in rows:
        label, cells = sheet.rows[n]
        if n in sheet.parts:
            words = rf"\textit{{{latex_escape(sheet.parts[n])}}}"
            lines += [r"\midrule", rf"\multicolumn{{{len(cells) + 1}}}{{l}}{{{words}}} \\"]
        bounded = any(c.low for c in cells)
        end = r" \\[1pt]" if bounded else r" \\"  # an underline is no fraction bar
        lines.append(" & ".join([latex_escape(label), *map(_cell, cells)]) + end)
        if bounded:
            ends = [_interval(c) for c in cells]
            lines.append(" & ".join(["", *ends]) + r" \\[2pt]")
    lines += [r"\bottomrule", r"\end{tabular}}"]
    if legend:
        below = r"\par ".join(map(latex_escape, legend))
        lines.append(rf"\par\smallskip\parbox{{\linewidth}}{{\raggedright\tiny {below}}}")
    return [*lines, r"\end{table}"]


def _column(sheet: Sheet, place: int) -> str:
    """Numbers stand right; words left, long ones in lines."""
    if not sheet.headings[place].words:
        return "r"
    longest = max((len(cells[place].text) for _, cells in sheet.rows), default=0)
    return r"p{3.6cm}" if longest > _LONG else "l"


def _groups(sheet: Sheet) -> list[str]:
    """The line of headings above, with the title over the classes: first columns of no group."""
    titled = f"{latex_escape(sheet.title)}{_ARROWS[sheet.arrow]}"
    parts, rules, column = [""], [], 2
    for group, members in groupby(sheet.headings, key=lambda h: h.group):
        count = len(list(members))
        text = latex_escape(group) if group else titled if column == 2 else ""
        parts.append(rf"\multicolumn{{{count}}}{{c}}{{{text}}}" if text else " & " * (count - 1))
        if text:
            rules.append(rf"\cmidrule(lr){{{column}-{column + count - 1}}}")
        column += count
    return [" & ".join(parts) + r" \\", " ".join(rules)]


def _cell(cell: Cell) -> str:
    text = "--" if cell.text == "-" else latex_escape(cell.text)
    return rf"\bench{cell.mark}{{{text}}}" if cell.mark else text


def _interval(cell: Cell) -> str:
    if not cell.low:
        return ""
    return rf"\benchinterval{{{latex_escape(cell.low)}}}{{{latex_escape(cell.high)}}}"
