"""Sheets as data: CSV and JSON, full precision, no NaN."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any

from benchbench.core.errors import CheckError
from benchbench.report.sheets import Sheet


def to_csv(sheets: Sequence[Sheet]) -> str:
    """All lines of all sheets; a column that a line lacks is empty.

    Text that a spreadsheet would take for a formula is set off by an apostrophe.
    """
    lines = [line for sheet in sheets for line in sheet.lines]
    keys = list(dict.fromkeys(key for line in lines for key in line))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_inert(key) for key in keys])
    for line in lines:
        writer.writerow([_inert(line.get(key)) for key in keys])
    return out.getvalue().rstrip("\n")


def _inert(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise CheckError(f"a result holds the number {value}")
        return repr(value)
    if isinstance(value, str) and value[:1] in "=+-@\t\r" and value:
        return "'" + value
    return value


def to_json(sheets: Sequence[Sheet]) -> str:
    """Strict JSON: the records by kind; a NaN is refused."""
    content: dict[str, Any] = {"schema": 1}
    for sheet in sheets:
        content.setdefault(sheet.kind, []).append(sheet.record)
    try:
        return json.dumps(content, allow_nan=False, indent=1, ensure_ascii=False)
    except ValueError as error:
        raise CheckError(f"a result holds a number that is none: {error}") from error
