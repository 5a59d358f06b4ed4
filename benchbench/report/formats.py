"""Tables as text, Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any

from benchbench.core.errors import CheckError
from benchbench.report.tables import Row, Table, cell

MEANS = ("mean over classes", "mean over objects")
_LEGEND = "mean over classes: every class weighs the same; mean over objects: every object does"
FORMATS = ("table", "md", "latex", "csv", "json")


def render(tables: Sequence[Table], form: str) -> str:
    """All tables in one of `FORMATS`.

    Args:
        tables: From `build_tables`.
        form: Which.
    """
    if form == "csv":
        return to_csv(tables)
    if form == "json":
        return to_json(tables)
    one = {"table": to_text, "md": to_markdown, "latex": to_latex}[form]
    return "\n\n".join(one(table) for table in tables)


def _columns(table: Table) -> list[str]:
    return [*(synset for synset, _ in table.classes), *MEANS]


def _number(value: float | None, decimals: int) -> str:
    if value is None:
        return "-"
    if not math.isfinite(value):
        raise CheckError(f"a result holds the number {value}")
    return f"{value:.{decimals}f}"


def _notes(table: Table) -> list[str]:
    """A line per row: weights, what was given, what failed."""
    lines = []
    for row in table.rows:
        words = row.caption or "no caption"
        # Captions usually begin with the method's name.
        line = words if words.startswith(row.label) else f"{row.label}: {words}"
        if row.failed:
            line += f"; {row.failed} of {row.items} items failed and got the penalty"
        if row.seen:
            line += f"; (seen): its weights were trained on {row.seen} of the objects scored"
        lines.append(line)
    return lines


def to_text(table: Table) -> str:
    """For a terminal; the best value of a column bears a star. Never cut off.

    Args:
        table: The table.
    """
    columns = _columns(table)
    lines = [
        ["", *("" for _ in table.classes), "mean over", "mean over", ""],
        ["", *(name for _, name in table.classes), "classes", "objects", "failed"],
    ]
    starred = {column for _, column in table.best}
    for n, row in enumerate(table.rows):
        cells = [row.label]
        for column in columns:
            text = _number(cell(row, column), table.metric.decimals)
            # The digits of a column stay below each other.
            mark = ("*" if (n, column) in table.best else " ") if column in starred else ""
            cells.append(text + mark)
        lines.append([*cells, str(row.failed)])
    widths = [max(len(line[c]) for line in lines) for c in range(len(lines[0]))]
    printed = [
        "  ".join(
            text.ljust(width) if c == 0 else text.rjust(width)
            for c, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    star = ["* best of the methods that are not given the truth"] if table.best else []
    return "\n".join(
        [
            *table.caption(),
            "",
            *printed[:2],
            rule,
            *printed[2:],
            rule,
            *star,
            _LEGEND,
            *_notes(table),
        ]
    )


def to_markdown(table: Table) -> str:
    """A pipe table with alignment; best values bold."""
    header = ["method", *(name for _, name in table.classes), *MEANS, "failed"]
    arrow = "↑" if table.metric.higher_is_better else "↓"
    lines = [f"**{_md(table.caption()[0])}** {arrow}  ", _md(table.caption()[1]), ""]
    lines.append("| " + " | ".join(header) + " |")
    lines.append("|:--" + "|--:" * (len(header) - 1) + "|")
    for n, row in enumerate(table.rows):
        cells = [_md(row.label)]
        for column in _columns(table):
            text = _number(cell(row, column), table.metric.decimals)
            cells.append(f"**{text}**" if (n, column) in table.best else text)
        lines.append("| " + " | ".join([*cells, str(row.failed)]) + " |")
    return "\n".join([*lines, "", *(f"- {_md(note)}" for note in _notes(table))])


def _md(text: str) -> str:
    for character in "\\|*_<>`":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
}  # fmt: skip


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it stands; what is not ASCII becomes a question mark.

    Example:
        >>> latex_escape("50 % of a_b")
        '50 \\\\% of a\\\\_b'
    """
    plain = " ".join(text.split()).encode("ascii", "replace").decode("ascii")
    return "".join(_LATEX.get(character, character) for character in plain)


def to_latex(table: Table) -> str:
    r"""A table environment with booktabs rules; best values in \textbf.

    Needs `\usepackage{booktabs}` and nothing else.
    """
    arrow = r"$\uparrow$" if table.metric.higher_is_better else r"$\downarrow$"
    header = ["", *(name for _, name in table.classes), "classes", "objects", "failed"]
    count = len(table.classes)
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering\scriptsize\setlength{\tabcolsep}{2.5pt}",
        rf"\caption{{{'. '.join(map(latex_escape, [*table.caption(), *_notes(table)]))}.}}",
        rf"\begin{{tabular}}{{l{'r' * (count + 3)}}}",
        r"\toprule",
        rf" & \multicolumn{{{max(count, 1)}}}{{c}}{{{latex_escape(table.metric.title)} {arrow}}}"
        r" & \multicolumn{2}{c}{mean over} & \\",
        rf"\cmidrule(lr){{2-{count + 1}}} \cmidrule(lr){{{count + 2}-{count + 3}}}",
        " & ".join(map(latex_escape, header)) + r" \\",
        r"\midrule",
    ]
    for n, row in enumerate(table.rows):
        cells = [latex_escape(row.label)]
        for column in _columns(table):
            text = _number(cell(row, column), table.metric.decimals)
            text = "--" if text == "-" else text
            cells.append(rf"\textbf{{{text}}}" if (n, column) in table.best else text)
        lines.append(" & ".join([*cells, str(row.failed)]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"])


def _facts(table: Table, row: Row) -> dict[str, Any]:
    d = table.dataset
    return {
        "method": row.label,
        "dataset": d["id"],
        "dataset_identity": d["identity"],
        "split": d["split"],
        "split_name": d["split_name"],
        "split_hash": d["split_hash"],
        "objects": table.objects,
        "views": table.views,
        "protocol": table.protocol.id,
        "metric": table.metric.name,
        "unit": table.metric.unit,
        "higher_is_better": table.metric.higher_is_better,
        "complete": row.complete,
        "failed": row.failed,
        "items": row.items,
        "seen": row.seen,
        "run": row.run,
        "caption": row.caption,
    }


def to_csv(tables: Sequence[Table]) -> str:
    """One line per run and table, full precision; classes are columns by synset.

    Text that a spreadsheet would take for a formula is set off by an apostrophe.
    """
    synsets = list(dict.fromkeys(s for table in tables for s, _ in table.classes))
    names = {s: n for table in tables for s, n in table.classes}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    keys = list(_facts(tables[0], tables[0].rows[0])) if tables else []
    writer.writerow(
        [*keys, "mean_over_classes", "mean_over_objects", *(f"{s} {names[s]}" for s in synsets)]
    )
    for table in tables:
        for row in table.rows:
            values: list[float | None] = [row.mean_over_classes, row.mean_over_objects]
            values += [row.cells.get(s) for s in synsets]
            for value in values:
                if value is not None and not math.isfinite(value):
                    raise CheckError(f"a result holds the number {value}")
            facts = [_inert(v) for v in _facts(table, row).values()]
            writer.writerow([*facts, *("" if v is None else repr(float(v)) for v in values)])
    return out.getvalue().rstrip("\n")


def _inert(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in "=+-@\t\r" and value:
        return "'" + value
    return value


def table_record(table: Table) -> dict[str, Any]:
    """A table as plain data."""
    return {
        "caption": table.caption(),
        "protocol": table.protocol.id,
        "metric": table.metric.name,
        "unit": table.metric.unit,
        "higher_is_better": table.metric.higher_is_better,
        "decimals": table.metric.decimals,
        "dataset": table.dataset["id"],
        "classes": [{"synset": s, "name": n} for s, n in table.classes],
        "objects": table.objects,
        "rows": [
            {
                **_facts(table, row),
                "ceiling": row.ceiling,
                "per_class": {s: row.cells.get(s) for s, _ in table.classes},
                "mean_over_classes": row.mean_over_classes,
                "mean_over_objects": row.mean_over_objects,
                "best": [c for c in _columns(table) if (n, c) in table.best],
            }
            for n, row in enumerate(table.rows)
        ],
    }


def to_json(tables: Sequence[Table]) -> str:
    """Strict JSON, full precision; a NaN is refused."""
    content = {"schema": 1, "tables": [table_record(table) for table in tables]}
    try:
        return json.dumps(content, allow_nan=False, indent=1, ensure_ascii=False)
    except ValueError as error:
        raise CheckError(f"a result holds a number that is none: {error}") from error
