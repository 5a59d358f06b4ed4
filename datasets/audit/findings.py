"""From the facts of all objects to what is wrong with the set, and how much it matters.

A finding is an error where numbers computed on the set would be wrong, else a warning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchbench.datasets.audit.objects import ObjectFacts
from benchbench.datasets.store import Store

NEAR = 0.9  # least share of cells near the mask; right grids have 0.98 and more, see docs/audit.md
COVERED = 0.9  # least share of the mask that is covered; right grids have 0.97 and more
MANY = 0.25  # more objects than this disagree: the set's frames are wrong, not some objects
ERROR, WARNING = "error", "warning"

FAULTS = {
    "camera not finite": (ERROR, "cameras with NaN or infinity"),
    "intrinsics": (ERROR, "intrinsics of no camera"),
    "extrinsics": (ERROR, "world_to_camera of no camera"),
    "frame": (ERROR, "frames that are none"),
    "not finite": (ERROR, "NaN or infinity in surfaces or tables"),
    "rotation": (WARNING, "rotations that are not orthonormal"),
    "mirrored": (WARNING, "cameras that mirror"),
    "outside": (WARNING, "points outside the cube"),
}


@dataclass(frozen=True)
class Finding:
    """One kind of fault.

    Attributes:
        level: "error" or "warning".
        check: What was asked, in a few words.
        objects: (id, words) of every object concerned.
    """

    level: str
    check: str
    objects: tuple[tuple[str, str], ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form; complete."""
        return {
            "level": self.level,
            "check": self.check,
            "count": len(self.objects),
            "objects": [list(pair) for pair in self.objects],
        }


def usual_views(facts: Sequence[ObjectFacts], rendering: str) -> int:
    """How many views most objects have; of two equally frequent numbers the larger.

    Args:
        facts: Of all objects.
        rendering: Its name.
    """
    counts = Counter(one.views[rendering] for one in facts if rendering in one.views)
    return max(counts, key=lambda views: (counts[views], views), default=0)


def find_faults(store: Store, facts: Sequence[ObjectFacts]) -> list[Finding]:
    """All findings, errors first; a check without a finding is left out.

    Args:
        store: The data set.
        facts: Of all its objects.
    """
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for level, check, index, words in [
        *_of_views(store, facts),
        *_of_grids(facts),
        *_of_masks(store, facts),
        *_of_numbers(facts),
    ]:
        found.setdefault((level, check), []).append((store.object_ids[index], words))
    findings = [Finding(level, check, tuple(named)) for (level, check), named in found.items()]
    return sorted(findings, key=lambda finding: finding.level)


Found = Iterator[tuple[str, str, int, str]]


def _of_views(store: Store, facts: Sequence[ObjectFacts]) -> Found:
    usual = {rendering: usual_views(facts, rendering) for rendering in store.renderings}
    for one in facts:
        for part, why in one.unreadable:
            yield ERROR, "parts that cannot be read", one.index, f"{part}: {why}"
        for rendering in store.renderings:
            blank = [str(view) for name, view in one.blank if name == rendering]
            if blank:
                words = f"'{rendering}' view {', '.join(blank)}"
                yield ERROR, "pictures with nothing in them", one.index, words
            opaque = [str(view) for name, view in one.unmasked if name == rendering]
            if opaque and store.mode(rendering) == "rgba":
                words = f"'{rendering}' view {', '.join(opaque)}"
                yield WARNING, "pictures without a background", one.index, words
            have = one.views.get(rendering)
            words = f"'{rendering}' {have}, most objects have {usual[rendering]}"
            if have == 0 and usual[rendering]:
                yield ERROR, "objects without any view", one.index, words
            elif have is not None and have < usual[rendering]:
                yield WARNING, "objects with missing views", one.index, words
            elif have is not None and have > usual[rendering]:
                yield WARNING, "objects with more views than usual", one.index, words


def _of_grids(facts: Sequence[ObjectFacts]) -> Found:
    for one in facts:
        for kind, grid in one.grids.items():
            words = f"'{kind}' {grid.occupied} of {grid.cells} cells"
            shell = f"'{kind}' {grid.shell:.2f} of the outer layer"
            if grid.empty:
                yield ERROR, "empty voxel grids", one.index, words
            elif kind in one.inside_out:
                yield ERROR, "voxel grids inside out", one.index, shell
            elif grid.full:
                yield WARNING, "full voxel grids", one.index, words
            elif grid.fills_shell:
                yield WARNING, "voxel grids that fill their outer layer", one.index, shell
            if grid.cavities:
                words = f"'{kind}' {grid.cavities} of {grid.sealed} cells"
                yield WARNING, "voxel grids with sealed cavities", one.index, words


def disagrees(one: ObjectFacts, rendering: str, kind: str) -> bool:
    """Whether an object's grid and the sampled masks of a rendering do not fit."""
    share = one.shares.get((rendering, kind))
    return share is not None and (share.near < NEAR or share.covered < COVERED)


def _of_masks(store: Store, facts: Sequence[ObjectFacts]) -> Found:
    for rendering in store.renderings:
        for kind in store.voxel_kinds:
            asked = [one for one in facts if (rendering, kind) in one.shares]
            wrong = [one for one in asked if disagrees(one, rendering, kind)]
            wrong = [one for one in wrong if kind not in one.inside_out]  # said already
            many = len(wrong) > MANY * len(asked)
            # A mask drawn by a person or a network ends where another thing stands in front.
            exact = store.mode(rendering) != "rgb+mask"
            level = ERROR if many and exact else WARNING
            for one in wrong:
                share = one.shares[rendering, kind]
                words = f"{share.near:.2f} of the cells near it, {share.covered:.2f} of it covered"
                check = f"masks '{rendering}' that disagree with voxels '{kind}'"
                yield level, check, one.index, words


def _of_numbers(facts: Sequence[ObjectFacts]) -> Found:
    for one in facts:
        for fault, (level, check) in FAULTS.items():
            named = [words for name, words in one.faults if name == fault]
            if named:
                more = f" and {len(named) - 3} more" if len(named) > 3 else ""
                yield level, check, one.index, ", ".join(named[:3]) + more
