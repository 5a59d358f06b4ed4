"""Objects that are the same thing, within and across the parts of each split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from benchbench.datasets.audit.objects import ObjectFacts


@dataclass(frozen=True)
class Twins:
    """Objects that are equal in one respect.

    Attributes:
        what: In what, plural: "voxels 'binvox'", "pictures 'choy'", "meshes", "CAD models" (a mesh
            that the set stores once for several objects), "identities".
        groups: Rows of equal objects, two or more each.
    """

    what: str
    groups: tuple[tuple[int, ...], ...]

    @property
    def objects(self) -> int:
        """Objects that have a twin."""
        return sum(len(group) for group in self.groups)


@dataclass(frozen=True)
class Sharing:
    """What two parts of a split share in one respect.

    Attributes:
        split: Its name.
        what: As in `Twins`.
        first, second: The parts.
        of_first, of_second: Objects of each that have a twin in the other.
        first_objects, second_objects: Sizes of the parts.
        different: Different things shared.
    """

    split: str
    what: str
    first: str
    second: str
    of_first: int
    of_second: int
    first_objects: int
    second_objects: int
    different: int

    def sentence(self) -> str:
        """In words.

        Example:
            >>> print(Sharing("voc", "CAD models", "train", "test", 3, 2, 4, 2, 1).sentence())
            split voc: train and test share their CAD models: 2 of 2 test objects have one that a
            train object has too (3 of 4 train objects, 1 different)
        """
        return (
            f"split {self.split}: {self.first} and {self.second} share their {self.what}: "
            f"{self.of_second} of {self.second_objects} {self.second} objects have one that a "
            f"{self.first} object has too ({self.of_first} of {self.first_objects} {self.first} "
            f"objects, {self.different} different)"
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {**vars(self), "sentence": self.sentence()}


def find_twins(facts: Iterable[ObjectFacts]) -> list[Twins]:
    """All twins, one entry for each respect in which there are any.

    Args:
        facts: Of all objects, in data-set order.
    """
    places: dict[str, dict[bytes, list[int]]] = {}

    def note(what: str, key: bytes, index: int) -> None:
        places.setdefault(what, {}).setdefault(key, []).append(index)

    for one in facts:
        for kind, key in one.grid_hashes.items():
            note(f"voxels '{kind}'", key, one.index)
        for rendering, key in one.pictures.items():
            note(f"pictures '{rendering}'", key, one.index)
        if one.shared_mesh:
            note("CAD models", one.shared_mesh.encode(), one.index)
        elif one.mesh:
            note("meshes", one.mesh, one.index)
        if one.identity:
            note("identities", one.identity, one.index)
    twins = []
    for what in sorted(places):
        groups = tuple(tuple(rows) for rows in places[what].values() if len(rows) > 1)
        if groups:
            twins.append(Twins(what, groups))
    return twins


def find_sharing(
    split: str, parts: Mapping[str, Sequence[int]], twins: Iterable[Twins]
) -> list[Sharing]:
    """What every two parts of a split share.

    Args:
        split: Its name.
        parts: Rows of each part.
        twins: From `find_twins`.

    Example:
        >>> found = find_sharing("a", {"train": [0, 1], "test": [2]}, [Twins("meshes", ((1, 2),))])
        >>> [(s.first, s.second, s.of_first, s.of_second) for s in found]
        [('train', 'test', 1, 1)]
    """
    part_of = {row: part for part, rows in parts.items() for row in rows}
    found = []
    for kind in twins:
        for first, second in combinations(parts, 2):
            of_first = of_second = different = 0
            for group in kind.groups:
                count = Counter(part_of.get(row) for row in group)
                if count[first] and count[second]:
                    of_first += count[first]
                    of_second += count[second]
                    different += 1
            if different:
                sizes = len(parts[first]), len(parts[second])
                found.append(
                    Sharing(split, kind.what, first, second, of_first, of_second, *sizes, different)
                )
    return found
