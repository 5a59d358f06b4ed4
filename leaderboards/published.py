"""Published numbers: a CSV a protocol, every row with its place, unit and source. Light.

Columns::

    dataset, split      in the source's words
    protocol            the name of the file; a slug of `ProtocolSpec.slugs` where there is one
    method, year, supervision
    class               a synset, a class's name, "mean" (over classes), "mean_per_instance" (over
                        items) or "mean_per_batch" (over means of batches)
    metric, unit, higher_is_better, value
    source              where the number stands
    note                what the reader should know, or nothing
    our_set, our_split  the data set and RULE:PART of this project that hold the same objects, or
                        nothing
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from benchbench.core.errors import InputError
from benchbench.protocols.specs import MetricSpec, ProtocolSpec

FOLDER = Path(__file__).parent / "published"
MEANS = {
    "mean": "mean over classes",
    "mean_per_instance": "mean over items",
    "mean_per_batch": "mean of batches",
}
_MAY_BE_EMPTY = {"note", "our_set", "our_split"}
_MAX_BYTES, _MAX_CELL = 4 << 20, 500
_CLASS = re.compile(r"\d{8}|[a-z]+")
_SPLIT = re.compile(r"[a-z0-9-]+:(train|val|test|all)")
_GUESS = re.compile(r"unconfirmed|from memory|remembered|not stated|unknown|\?", re.IGNORECASE)


@dataclass(frozen=True)
class PublishedRow:
    """One number that somebody printed; the columns of the file.

    Attributes:
        dataset: In the source's words.
        split: In the source's words.
        protocol: Slug.
        method: As printed, with what tells it from others of that name.
        year: Of the method.
        supervision: What it learned from.
        cls: Synset, name of a class, or a key of `MEANS`.
        metric: Name; that of `MetricSpec.name` where this project computes the protocol.
        unit: What 1 means.
        higher_is_better: Direction.
        text: The value as printed.
        source: Where it stands.
        note: "" or what the reader should know.
        our_set: Data set here with the same objects and pictures, or "".
        our_split: "RULE:PART" there, or "".
    """

    dataset: str
    split: str
    protocol: str
    method: str
    year: int
    supervision: str
    cls: str
    metric: str
    unit: str
    higher_is_better: bool
    text: str
    source: str
    note: str = ""
    our_set: str = ""
    our_split: str = ""

    @property
    def value(self) -> float:
        """The number."""
        return float(self.text)


_RENAMED = {"cls": "class", "text": "value"}
COLUMNS = tuple(_RENAMED.get(field.name, field.name) for field in fields(PublishedRow))


def read_published(folder: Path = FOLDER) -> list[PublishedRow]:
    """All published numbers, by file, in the order of the lines.

    Raises:
        InputError: A line is not of the form above; it is named.

    Example:
        >>> rows = read_published()
        >>> [r.text for r in rows if r.protocol == "voxiou32-kato" and "released" in r.method]
        ['0.5988']
    """
    found: list[PublishedRow] = []
    for path in sorted(folder.glob("*.csv")):
        found += _read_file(path)
    return found


def _read_file(path: Path) -> list[PublishedRow]:
    seen: dict[tuple[str, ...], PublishedRow] = {}
    number = 1
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES >> 20} MiB")
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, strict=True)
            if tuple(next(reader, ())) != COLUMNS:
                raise ValueError(f"the columns are not {','.join(COLUMNS)}")
            for number, cells in enumerate(reader, 2):  # noqa: B007
                row = _row(cells)
                if row.protocol != path.stem:
                    raise ValueError(f"protocol '{row.protocol}' does not belong in this file")
                key = (row.dataset, row.split, row.method, row.cls, row.metric)
                if key in seen:
                    raise ValueError(f"{' / '.join(key)} has a second value")
                _same_metric(row, seen.values())
                seen[key] = row
    except (ValueError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"'{path}' line {number}: no published number ({error})") from error
    return list(seen.values())


def _row(cells: list[str]) -> PublishedRow:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"{len(cells)} columns instead of {len(COLUMNS)}")
    named = dict(zip(COLUMNS, cells, strict=True))
    for name, text in named.items():
        if not text and name not in _MAY_BE_EMPTY:
            raise ValueError(f"{name} is empty")
        if len(text) > _MAX_CELL or not text.isprintable() or text != text.strip():
            raise ValueError(f"{name} is no line of text of at most {_MAX_CELL} characters")
    for name in ("source", "split", "supervision", "unit", "metric"):
        if _GUESS.search(named[name]):
            raise ValueError(f"{name} '{named[name]}' is a guess")
    if not re.fullmatch(r"(19|20)\d\d", named["year"]):
        raise ValueError(f"year '{named['year']}'")
    if named["class"] not in MEANS and not _CLASS.fullmatch(named["class"]):
        raise ValueError(f"class '{named['class']}'")
    if named["higher_is_better"] not in ("true", "false"):
        raise ValueError(f"higher_is_better '{named['higher_is_better']}'")
    if not re.fullmatch(r"-?\d+(\.\d+)?", named["value"]) or not math.isfinite(
        float(named["value"])
    ):
        raise ValueError(f"value '{named['value']}'")
    if bool(named["our_set"]) != bool(named["our_split"]):
        raise ValueError("our_set and our_split stand together or not at all")
    if named["our_split"] and not _SPLIT.fullmatch(named["our_split"]):
        raise ValueError(f"our_split '{named['our_split']}'")
    row = PublishedRow(
        dataset=named["dataset"], split=named["split"], protocol=named["protocol"],
        method=named["method"], year=int(named["year"]), supervision=named["supervision"],
        cls=named["class"], metric=named["metric"], unit=named["unit"],
        higher_is_better=named["higher_is_better"] == "true", text=named["value"],
        source=named["source"], note=named["note"], our_set=named["our_set"],
        our_split=named["our_split"],
    )  # fmt: skip
    top = {"ratio": 1.0, "percent": 100.0}.get(row.unit)
    if top is not None and not -top <= row.value <= top:
        raise ValueError(f"{row.value} is no {row.unit}")
    return row


def _same_metric(row: PublishedRow, others: Iterable[PublishedRow]) -> None:
    """One metric has one direction within a protocol."""
    for other in others:
        if other.metric == row.metric and other.higher_is_better != row.higher_is_better:
            raise ValueError(f"{row.metric} is better both ways")


def comparable(
    rows: Iterable[PublishedRow],
    spec: ProtocolSpec,
    metric: MetricSpec,
    dataset: str,
    split: str,
) -> list[tuple[PublishedRow, float]]:
    """The published numbers that may stand beside measured ones, in the unit of the latter.

    Args:
        rows: From `read_published`.
        spec: The protocol of the table.
        metric: Its metric.
        dataset: Id of the data set.
        split: "RULE:PART".

    Returns:
        (row, value as a table of this project shows it); none where data set, split, protocol,
        metric or unit differ.

    Example:
        >>> from benchbench.protocols.registry import get_protocol
        >>> kato = get_protocol("kato-iou-v1")
        >>> found = comparable(read_published(), kato, kato.metrics[0], "shapenet-kato",
        ...                    "kato:test")
        >>> [(row.year, value) for row, value in found]
        [(2018, 0.5988), (2018, 0.6031)]
    """
    found = []
    for row in rows:
        if row.protocol not in spec.slugs or row.metric != metric.name:
            continue
        if (row.our_set, row.our_split) != (dataset, split):
            continue
        value = as_shown(row, metric)
        if value is not None:
            found.append((row, value))
    return found


def as_shown(row: PublishedRow, metric: MetricSpec) -> float | None:
    """A published value in the unit of a table of this project; None where the units differ.

    Example:
        >>> from benchbench.protocols.registry import get_protocol
        >>> row = next(r for r in read_published() if r.text == "61.838")
        >>> row.unit, as_shown(row, get_protocol("kato-iou-v1").metrics[0])
        ('percent', 0.61838)
    """
    ratio = metric.unit.startswith("ratio")  # some say what chance gives
    if row.unit == metric.unit or (row.unit == "ratio" and ratio):
        return row.value
    if row.unit == "percent":
        return row.value if metric.unit == "%" else row.value / 100 if ratio else None
    return None
