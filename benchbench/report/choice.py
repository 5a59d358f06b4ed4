"""Which objects are worth a look: the best, the median and the worst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KINDS = ("best", "median", "worst")


@dataclass(frozen=True)
class Choice:
    """An object to be shown.

    Attributes:
        synset: Its class.
        kind: Of `KINDS`.
        object_id: "synset/name".
        value: Its score.
    """

    synset: str
    kind: str
    object_id: str
    value: float


def choose(
    values: Mapping[str, float], higher_is_better: bool, count: int, by_class: bool = True
) -> list[Choice]:
    """The best, median and worst objects of each class, each object once.

    Args:
        values: {object id: score}.
        higher_is_better: Direction.
        count: Of each kind, where there are enough.
        by_class: False takes all objects as one class.

    Example:
        >>> scores = {"1/a": 0.9, "1/b": 0.1, "1/c": 0.5, "1/d": 0.4}
        >>> [(c.kind, c.object_id) for c in choose(scores, True, 1)]
        [('best', '1/a'), ('median', '1/c'), ('worst', '1/b')]
    """
    groups: dict[str, list[str]] = {}
    for object_id in sorted(values):
        synset = object_id.partition("/")[0] if by_class else ""
        groups.setdefault(synset, []).append(object_id)
    found = []
    for members in groups.values():
        ranked = sorted(members, key=lambda i: -values[i] if higher_is_better else values[i])
        each = min(count, max(1, len(ranked) // 3))
        best, rest = ranked[:each], ranked[each:]
        worst, rest = rest[-each:], rest[:-each]
        first = max(0, (len(rest) - each) // 2)
        for kind, some in zip(KINDS, (best, rest[first : first + each], worst[::-1]), strict=True):
            found += [Choice(i.partition("/")[0], kind, i, values[i]) for i in some]
    return found
