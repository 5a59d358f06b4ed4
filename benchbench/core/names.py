"""Unknown names get the nearest known ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from benchbench.core.errors import UsageError


def closest(name: str, known: Iterable[str]) -> list[str]:
    """The known names that look like `name`, best first, at most three.

    Example:
        >>> closest("shapnet", ["shapenet", "shapes13", "pascal3d"])
        ['shapenet', 'shapes13']
    """
    return difflib.get_close_matches(name.lower(), list(known), n=3, cutoff=0.5)


def require(name: str, known: Iterable[str], kind: str) -> str:
    """Returns `name` if it is known.

    Raises:
        UsageError: It is not; the message offers the nearest names.

    Example:
        >>> require("kato", ["kato", "mean"], "baseline")
        'kato'
    """
    names = sorted(known)
    if name in names:
        return name
    near = closest(name, names)
    offer = "did you mean " + " or ".join(f"'{n}'" for n in near) + "?" if near else None
    raise UsageError(
        f"unknown {kind} '{name}'",
        hint=offer or f"known: {', '.join(names)}",
    )
