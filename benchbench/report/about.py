"""What a method is, beside its scores: supervision, training list, networks, size, time."""

from __future__ import annotations

from typing import Any

from benchbench.report.tables import Row

UNKNOWN, NONE = "unknown", "none"
TITLES = {
    "supervision": "learned from",
    "trained_on": "trained on",
    "networks": "networks",
    "parameters": "parameters",
    "training_time": "training",
}


def about(row: Row) -> dict[str, Any]:
    """By the keys of `TITLES`: what the result says, else "unknown"; "none" where nothing is.

    Results of earlier versions, and of predictions that were handed in, do not say it.

    Args:
        row: Of a table.

    Returns:
        Words; "parameters" is a number where it is known.
    """
    content = row.result.content if row.result else {}
    said = content.get("about")
    said = said if isinstance(said, dict) else {}
    return {
        "supervision": _words(said.get("supervision")),
        "trained_on": _trained_on(row, said),
        "networks": _words(said.get("networks")),
        "parameters": _count(said.get("parameters")),
        "training_time": _words(said.get("training_time")),
    }


def _words(value: Any) -> str:
    return value if isinstance(value, str) and value else UNKNOWN


def _count(value: Any) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return UNKNOWN
    return value or NONE


def _trained_on(row: Row, said: dict[str, Any]) -> str:
    """The list of objects with the start of its hash."""
    origin = row.origin()
    if (digest := origin["training_list"]) is not None:
        objects, name = origin["training_objects"], origin["training_set"]
        return f"{objects:,} objects of {name} (list {digest[:8]})"
    # Nothing was learned and nothing was looked up.
    return NONE if said.get("networks") == NONE else UNKNOWN
