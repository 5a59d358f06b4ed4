"""Sheets as Markdown."""

from __future__ import annotations

from benchbench.report.sheets import BEST, PUBLISHED, Cell, Sheet

_ARROWS = {"up": " ↑", "down": " ↓", "": ""}


def to_markdown(sheet: Sheet) -> str:
    """A pipe table with alignment; best values bold, published italic, intervals behind."""
    first, *others = sheet.caption
    lines = [f"**{escape(first)}**{_ARROWS[sheet.arrow]}" + ("  " if others else "")]
    lines += [escape(line) for line in others]
    lines += ["", "| " + " | ".join(["method", *(escape(h.whole) for h in sheet.headings)]) + " |"]
    lines.append("|:--" + "".join("|:--" if h.words else "|--:" for h in sheet.headings) + "|")
    for n, (label, cells) in enumerate(sheet.rows):
        if n in sheet.parts:
            lines.append(f"| *{escape(sheet.parts[n])}* " + "| " * len(cells) + "|")
        lines.append("| " + " | ".join([escape(label), *map(_cell, cells)]) + " |")
    legend = [line.replace("* ", "bold: ", 1) for line in sheet.legend]
    return "\n".join([*lines, "", *(f"- {escape(note)}" for note in [*legend, *sheet.notes])])


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    stars = {BEST: "**", PUBLISHED: "*"}.get(cell.mark, "")
    text = f"{stars}{text}{stars}"
    return f"{text} [{escape(cell.low)}, {escape(cell.high)}]" if cell.low else text


def escape(text: str) -> str:
    """Text that Markdown prints as it stands, on one line.

    Example:
        >>> print(escape("a_b <c>"))
        a\\_b \\<c\\>
    """
    for character in "\\|*_<>`":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())
