"""Sheets for a terminal, never cut off."""

from __future__ import annotations

from benchbench.report.sheets import BEST, PUBLISHED, Cell, Sheet

_BOLD, _GREY, _PLAIN = "\x1b[1m", "\x1b[90m", "\x1b[0m"


def to_text(sheet: Sheet, colour: bool = False) -> str:
    """Best cells bear a star; an interval stands below its number, from above to below.

    Rows of another kind stand below a rule with words.

    Args:
        sheet: The table.
        colour: Best cells bold, published ones and intervals that are not to be leant on grey,
            for a terminal that understands.
    """
    headings = sheet.headings
    # Where a column has a star, the digits of the others stay below each other.
    starred = [any(cells[c].mark == BEST for _, cells in sheet.rows) for c in range(len(headings))]
    grouped = any(h.group for h in headings)
    lines: list[list[tuple[str, str]]] = []  # (text, how)
    if grouped:
        lines.append([("", ""), *((h.group, "") for h in headings)])
    lines.append([("", ""), *((h.text, "") for h in headings)])
    apart: dict[int, str] = {}
    for n, (label, cells) in enumerate(sheet.rows):
        if n in sheet.parts:
            apart[len(lines)] = sheet.parts[n]
        lines.append([(label, ""), *(_printed(c, s) for c, s in zip(cells, starred, strict=True))])
        if any(c.low for c in cells):
            for word, end in (("from", "low"), ("to", "high")):
                ends = [(f"  {word}", "")]
                for c, star in zip(cells, starred, strict=True):
                    text = getattr(c, end)
                    ends.append((text + " " * (star and bool(text)), _GREY if c.faint else ""))
                lines.append(ends)
    widths = [max(len(line[c][0]) for line in lines) for c in range(len(headings) + 1)]
    left = [True, *(h.words for h in headings)]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    printed = []
    for n, line in enumerate(lines):
        if n in apart:
            printed.append(f"-- {apart[n]} ".ljust(len(rule), "-"))
        parts = []
        for (text, how), width, to_the_left in zip(line, widths, left, strict=True):
            padded = text.ljust(width) if to_the_left else text.rjust(width)
            parts.append(how + padded + _PLAIN if how and colour else padded)
        printed.append("  ".join(parts).rstrip())
    above = 1 + grouped
    return "\n".join(
        [*sheet.caption, "", *printed[:above], rule, *printed[above:], rule, *sheet.legend,
         *sheet.notes]
    )  # fmt: skip


def _printed(cell: Cell, starred: bool) -> tuple[str, str]:
    star = ("*" if cell.mark == BEST else " ") if starred else ""
    return cell.text + star, {BEST: _BOLD, PUBLISHED: _GREY}.get(cell.mark, "")
