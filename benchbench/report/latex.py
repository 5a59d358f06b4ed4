"""Sheets as LaTeX: booktabs rules, and macros for the best and second values."""

from __future__ import annotations

from itertools import groupby

from benchbench.report.sheets import Cell, Sheet

_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
}  # fmt: skip
_ARROWS = {"up": r" $\uparrow$", "down": r" $\downarrow$", "": ""}
_MACROS = (
    r"% \usepackage{booktabs}",
    r"\providecommand{\benchbest}[1]{\textbf{#1}}",
    r"\providecommand{\benchsecond}[1]{\underline{#1}}",
    r"\providecommand{\benchinterval}[2]{{\tiny[#1, #2]}}",
)


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it stands; what is not ASCII becomes a question mark.

    Example:
        >>> latex_escape("50 % of a_b")
        '50 \\\\% of a\\\\_b'
    """
    plain = " ".join(text.split()).encode("ascii", "replace").decode("ascii")
    return "".join(_ESCAPES.get(character, character) for character in plain)


def to_latex(sheet: Sheet) -> str:
    r"""A table environment with booktabs rules.

    Best values are in \benchbest, the next in \benchsecond, intervals in \benchinterval, which
    may be defined before. Needs `\usepackage{booktabs}` and nothing else.
    """
    headings = sheet.headings
    columns = "".join("l" if h.words else "r" for h in headings)
    legend = [line.replace("* ", "Bold: ", 1) for line in sheet.legend if line[:5] != "grey:"]
    caption = ". ".join(map(latex_escape, [*sheet.caption, *legend, *sheet.notes]))
    lines = [
        *_MACROS,
        r"\begin{table}",
        r"\centering\scriptsize\setlength{\tabcolsep}{2.5pt}",
        rf"\caption{{{caption}.}}",
        rf"\begin{{tabular}}{{l{columns}}}",
        r"\toprule",
        *_groups(sheet),
        " & ".join(["", *(latex_escape(h.text) for h in headings)]) + r" \\",
        r"\midrule",
    ]
    for label, cells in sheet.rows:
        lines.append(" & ".join([latex_escape(label), *map(_cell, cells)]) + r" \\")
        if any(c.low for c in cells):
            ends = [_interval(c) for c in cells]
            lines.append(" & ".join(["", *ends]) + r" \\[2pt]")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"])


def _groups(sheet: Sheet) -> list[str]:
    """The line of headings above, with the title over the columns that have none of their own."""
    titled = f"{latex_escape(sheet.title)}{_ARROWS[sheet.arrow]}"
    parts, rules, column, first = [""], [], 2, True
    for group, members in groupby(sheet.headings, key=lambda h: h.group):
        count = len(list(members))
        text = latex_escape(group) if group else titled if first else ""
        first = first and bool(group)
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
