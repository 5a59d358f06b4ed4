"""Methods, data sets and protocols of other packages, found through entry points.

A package names its specs in its metadata, one line each::

    [project.entry-points."benchbench.baselines"]
    mine = "my_package.spec:SPEC"

The groups are `benchbench.baselines`, `benchbench.datasets` and `benchbench.protocols`. A plug-in
that cannot be loaded is named on stderr, once, and left out; it never stops anything.
"""

from __future__ import annotations

import functools
import importlib.metadata
from dataclasses import dataclass
from typing import Any

from benchbench.core.errors import printable
from benchbench.core.notices import notice

HOUSE = "benchbench"


@dataclass(frozen=True)
class Plugin:
    """One spec of another package.

    Attributes:
        name: Its id.
        spec: As the package gave it.
        source: Name and version of the package.
    """

    name: str
    spec: Any
    source: str


@functools.cache
def plugins(group: str, kind: type, taken: frozenset[str]) -> dict[str, Plugin]:
    """The plug-ins of a group by name, in the order of their names.

    Args:
        group: Such as "benchbench.baselines".
        kind: The class that a spec must be of.
        taken: Names that the project itself has; a plug-in cannot replace them.

    Example:
        >>> plugins("benchbench.no-such-group", object, frozenset())
        {}
    """
    found: dict[str, Plugin] = {}
    for entry in sorted(
        importlib.metadata.entry_points(group=group), key=lambda e: (e.name, e.value)
    ):
        source = _source(entry)
        try:
            spec = entry.load()
            problem = _problem(entry.name, spec, kind, taken | set(found))
        except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
            problem = f"{type(error).__name__}: {error}"
        if problem:
            notice(printable(f"plug-in '{entry.name}' of {source} is left out: {problem}"[:500]))
        else:
            found[entry.name] = Plugin(entry.name, spec, source)
    return found


def _source(entry: importlib.metadata.EntryPoint) -> str:
    distribution = entry.dist
    return f"{distribution.name} {distribution.version}" if distribution else "an unknown package"


def _problem(name: str, spec: Any, kind: type, taken: set[str] | frozenset[str]) -> str:
    if not isinstance(spec, kind):
        return f"it is a {type(spec).__name__}, no {kind.__name__}"
    if getattr(spec, "id", None) != name:
        return f"its entry point is called '{name}', its spec '{getattr(spec, 'id', None)}'"
    return f"there is a '{name}' already" if name in taken else ""
