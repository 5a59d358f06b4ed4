"""Score files: one line per item and metric, full precision, never NaN."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from benchbench.core.errors import CheckError, InputError
from benchbench.core.files import atomic_path, sha256_text

COLUMNS = ("protocol", "object", "view", "metric", "value", "status")


@dataclass(frozen=True)
class Score:
    """One number.

    Attributes:
        protocol: Id.
        object_id: "synset/model".
        view: View or -1.
        metric: Name within the protocol.
        value: As stored, before the reporting factor.
        status: "ok", or why the value is the protocol's penalty.
    """

    protocol: str
    object_id: str
    view: int
    metric: str
    value: float
    status: str = "ok"


def write_scores(path: str | Path, scores: Iterable[Score], note: str = "") -> None:
    """Writes a CSV atomically.

    Args:
        path: The file.
        scores: Lines, in order.
        note: For shards that must be recognised again; it becomes a first line "# note body=...",
            the latter the sha256 of all that follows. "" for none.

    Raises:
        CheckError: A value is NaN or infinite; nothing is written.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        if note:  # a shard: small enough to be hashed before it is written
            body = io.StringIO()
            _write_lines(body, scores)
            file.write(f"# {note} body={sha256_text(body.getvalue())}\n{body.getvalue()}")
        else:
            _write_lines(file, scores)


def _write_lines(file: TextIO, scores: Iterable[Score]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for s in scores:
        if not math.isfinite(s.value):
            raise CheckError(
                f"{s.protocol} gave {s.metric} = {s.value} for '{s.object_id}' view {s.view}"
            )
        row = (s.protocol, s.object_id, s.view, s.metric, repr(float(s.value)), s.status)
        writer.writerow(row)


def read_note(path: str | Path) -> str | None:
    """The note of a score file; None if there is no such file, "" if it has none or is damaged."""
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            first, body = file.readline(), file.read()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""
    note, mark, digest = first.rstrip("\n").removeprefix("# ").rpartition(" body=")
    return note if mark and digest == sha256_text(body) else ""


def read_scores(path: str | Path) -> Iterator[Score]:
    """Reads a score file.

    Raises:
        InputError: It is damaged, or holds NaN.
    """
    number = 0
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            lines = (line for line in file if not line.startswith("# "))
            reader = csv.reader(lines)
            if tuple(next(reader, ())) != COLUMNS:
                raise ValueError("wrong header")
            for number, row in enumerate(reader, 2):  # noqa: B007
                protocol, object_id, view, metric, value, status = row
                score = Score(protocol, object_id, int(view), metric, float(value), status)
                if not math.isfinite(score.value):
                    raise ValueError(f"the value is {value}")
                yield score
    except (ValueError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"'{path}' line {number}: no line of scores ({error})") from error
