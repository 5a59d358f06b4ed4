"""objects.csv: the score of each object under each metric, and which objects are one unit.

It is what intervals and tests need: `scores.csv` has a line per view, this a line per object.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchbench.core.errors import InputError
from benchbench.core.files import atomic_path
from benchbench.datasets.store import Store
from benchbench.evaluation.truth import truth_grid

COLUMNS = ("protocol", "object", "unit", "views", "failed", "metric", "value")


@dataclass
class ObjectScores:
    """What one protocol says of each object.

    Attributes:
        values: {metric: {object id: mean over its views}}.
        views: {object id: number of views}.
        failed: {object id: how many of them got the penalty}; only objects with any.
        units: {object id: unit} of the objects that are not a unit of their own.
    """

    values: dict[str, dict[str, float]]
    views: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)


def shared_units(store: Store, object_ids: Sequence[str]) -> dict[str, str]:
    """Objects of a class that are the same thing, each with the name of the first of them.

    The same thing: one CAD model, or equal truths (the voxels that stand for the truth; surfaces
    where the set holds no voxels). What holds for one of them holds for all, so that they count
    as one draw when it is asked how sure a mean is.

    Args:
        store: The data set.
        object_ids: Those that were scored, in data-set order.

    Returns:
        {object id: first object id}, the first ones included; none for objects that are alone.
    """
    rows = {object_id: row for row, object_id in enumerate(store.object_ids)}
    kind = truth_grid(store)
    groups: dict[tuple[str, bytes], list[str]] = {}
    for object_id in object_ids:
        key = _likeness(store, rows[object_id], kind)
        if key is not None:
            groups.setdefault((object_id.partition("/")[0], key), []).append(object_id)
    return {i: members[0] for members in groups.values() if len(members) > 1 for i in members}


def _likeness(store: Store, row: int, kind: str | None) -> bytes | None:
    """What equal objects have in common, None where nothing can be said."""
    if key := store.shared_mesh(row):
        return b"CAD " + key.encode()
    if kind is not None:
        grid = store.voxels(row, kind)
        return hashlib.sha256(grid.tobytes()).digest() if grid.any() else None
    mesh = store.mesh(row)
    if mesh is None or not len(mesh.faces):
        return None
    return hashlib.sha256(mesh.vertices.tobytes() + mesh.faces.tobytes()).digest()


def write_objects(path: str | Path, found: Mapping[str, ObjectScores]) -> None:
    """Writes the file atomically.

    Args:
        path: The file.
        found: By protocol.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for protocol, one in found.items():
            for metric, values in one.values.items():
                for i, value in values.items():
                    unit, failed = one.units.get(i, i), one.failed.get(i, 0)
                    writer.writerow(
                        (protocol, i, unit, one.views[i], failed, metric, repr(float(value)))
                    )


def read_objects(path: str | Path) -> dict[str, ObjectScores]:
    """Reads the file.

    Returns:
        {protocol: scores}.

    Raises:
        InputError: It is damaged, holds NaN, or an object twice.
    """
    found: dict[str, ObjectScores] = {}
    number = 1
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            for number, row in _lines(file):  # noqa: B007
                protocol, i, unit, views, failed, metric, text = row
                one = found.setdefault(protocol, ObjectScores({}))
                values = one.values.setdefault(metric, {})
                value = float(text)
                if not math.isfinite(value):
                    raise ValueError(f"the value is {text}")
                if i in values:
                    raise ValueError(f"'{i}' has a second value")
                values[i] = value
                one.views[i] = int(views)
                if int(failed):
                    one.failed[i] = int(failed)
                if unit != i or i in one.units:
                    one.units[i] = one.units[unit] = unit
    except (ValueError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"'{path}' line {number}: no score of an object ({error})") from error
    return found


def _lines(file: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(file)
    if tuple(next(reader, ())) != COLUMNS:
        raise ValueError("wrong header")
    yield from enumerate(reader, 2)
