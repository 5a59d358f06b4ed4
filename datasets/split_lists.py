"""Published splits of ShapeNet's 13 classes, as lists of ids that travel with the package.

"Choy's split" means several different things in the literature; a number without the name of its
list compares with nothing. Two thirds of one list's test part are another's training ids.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from benchbench.core.errors import CheckError
from benchbench.core.names import require
from benchbench.datasets.splits import Split, repository_split, repository_split_with_val
from benchbench.datasets.store_format import SPLITS, split_hash

FILE = "shapenet13.csv.gz"
SHA256 = "4a783f2356e690ad991d318e29149f0d0cecf740901f31a3076e89937d0aa336"  # unpacked

ALIASES = {"pix2vox": "lsm"}


@dataclass(frozen=True)
class SplitList:
    """One published split.

    Attributes:
        name: Its name here.
        parts: {"train": ids, "val": ids, "test": ids} of "synset/model"; an id is in one part only.
        source: Whose list it is, and where it is published.
        note: What is known to be odd about it, or "".
    """

    name: str
    parts: Split
    source: str
    note: str = ""

    @property
    def sha256(self) -> dict[str, str]:
        """Hash of each part's ids in ascending order: that of a store which holds all of them."""
        return {part: split_hash(sorted(self.parts[part])) for part in SPLITS}


_SOURCES = {
    "r2n2-80-20": "the rule of chrischoy/3D-R2N2, lib/data_io.py, on all 43,784 ids",
    "r2n2-70-10-20": "the same rule; the last eighth of every class's train part is val",
    "pixel2mesh": "test_list of nywang16/Pixel2Mesh",
    "lsm": "data/splits.json of akar43/lsm, which is datasets/ShapeNet.json of hzxie/Pix2Vox",
}
_RULE_NOTE = (
    "The rule is younger than 3D-R2N2's paper and weights, whose own lists were never published."
)
_NOTES = {
    "r2n2-80-20": _RULE_NOTE,
    "r2n2-70-10-20": _RULE_NOTE,
    "pixel2mesh": (
        "The published list names pictures (views 00 to 04). Every model with a picture in it is "
        "test here; of 11 models it leaves some of the five views to training. Train is the rest "
        "of the 43,784 ids; there is no val part."
    ),
    "lsm": (
        "Random 70/10/20 per class. It holds 43,784 ids; the often quoted 43,783 has one car less, "
        "probably 02958343/207e69af994efa9330714334794526d4 of its train part, whose model has no "
        "geometry (unconfirmed)."
    ),
}


def split_list_names() -> tuple[str, ...]:
    """Names of all lists, without the aliases.

    Example:
        >>> split_list_names()
        ('r2n2-80-20', 'r2n2-70-10-20', 'pixel2mesh', 'lsm')
    """
    return tuple(_SOURCES)


def split_list(name: str) -> SplitList:
    """One of the lists.

    Args:
        name: One of `split_list_names`, or "pix2vox", which is "lsm".

    Raises:
        UsageError: No such list; near names are offered.
        CheckError: The list's file is not the one that belongs to this version.

    Example:
        >>> found = split_list("lsm")
        >>> {part: len(ids) for part, ids in found.parts.items()}
        {'train': 30643, 'val': 4371, 'test': 8770}
        >>> found.sha256["test"][:12], found.parts["test"][0]
        ('92c1bf75dd7b', '02691156/6c432109eee42aed3b053f623496d8f5')
    """
    name = ALIASES.get(name, name)
    require(name, split_list_names(), "split list")
    rows = _rows()
    if name == "lsm":
        parts: Split = {part: [id for id, its, _ in rows if its == part] for part in SPLITS}
    elif name == "pixel2mesh":
        parts = {"train": [], "val": [], "test": []}
        for id, _, views in rows:
            parts["test" if views else "train"].append(id)
    else:
        models: dict[str, list[str]] = {}
        for id, _, _ in rows:
            synset, model = id.split("/")
            models.setdefault(synset, []).append(model)
        rule = repository_split if name == "r2n2-80-20" else repository_split_with_val
        parts = rule(models)
    return SplitList(name, parts, _SOURCES[name], _NOTES[name])


def pixel2mesh_test_views(id: str) -> tuple[int, ...]:
    """Which views of a model are in Pixel2Mesh's test list; the others of 0 to 4 are in training.

    Example:
        >>> pixel2mesh_test_views("02691156/d004d0e86ea3d77a65a6ed5c458f6a32")
        (0, 1, 2, 3, 4)
    """
    for known, _, views in _rows():
        if known == id:
            return tuple(map(int, views))
    return ()


def lost_ids(facts: dict[str, Any]) -> list[str]:
    """One line for people about every list that is not whole in a store.

    Args:
        facts: As `cut_to_stored` gives them.

    Example:
        >>> both = frozenset(["02691156/6c432109eee42aed3b053f623496d8f5", "02691156/mine"])
        >>> for line in lost_ids(cut_to_stored([split_list("lsm")], both)[1]):
        ...     print(line)
        split lsm has 0 of 30643 train, 0 of 4371 val, 1 of 8770 test; objects outside it: 1
    """
    lines = []
    for name, one in facts.items():
        if sum(one["missing"].values()) or one["unlisted"]:
            have = ", ".join(
                f"{count - one['missing'][part]} of {count} {part}"
                for part in SPLITS
                if (count := one["listed"][part])
            )
            lines.append(f"split {name} has {have}; objects outside it: {one['unlisted']}")
    return lines


def cut_to_stored(
    lists: Iterable[SplitList], stored: frozenset[str]
) -> tuple[dict[str, Split], dict[str, Any]]:
    """Lists without the ids that a store lacks, and what was lost.

    Args:
        lists: The lists.
        stored: All ids of the store.

    Returns:
        Name to split, of the lists that cover at least one stored id; and JSON-able facts for the
        store: for each of them its source, its note, per part how many ids it lists, how many of
        them are missing and the sha256 of the whole list, and how many stored ids it does not list.
    """
    splits: dict[str, Split] = {}
    facts: dict[str, Any] = {}
    for one in lists:
        kept = {part: [id for id in ids if id in stored] for part, ids in one.parts.items()}
        covered = sum(map(len, kept.values()))
        if not covered:
            continue
        splits[one.name] = kept
        facts[one.name] = {
            "source": one.source,
            "note": one.note,
            "listed": {part: len(ids) for part, ids in one.parts.items()},
            "missing": {part: len(ids) - len(kept[part]) for part, ids in one.parts.items()},
            "sha256": one.sha256,
            "unlisted": len(stored) - covered,
        }
    return splits, facts


@lru_cache(maxsize=1)
def _rows() -> tuple[tuple[str, str, str], ...]:
    """(id, part in LSM's list, views in Pixel2Mesh's test list) in the file's order."""
    packed = (resources.files("benchbench.datasets.lists") / FILE).read_bytes()
    try:
        text = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged() from error
    if hashlib.sha256(text).hexdigest() != SHA256:
        raise _damaged()
    table = csv.reader(io.StringIO(text.decode("ascii")))
    next(table)
    return tuple((f"{synset}/{model}", part, views) for synset, model, part, views in table)


def _damaged() -> CheckError:
    return CheckError(
        f"the package's list of ids '{FILE}' is not the one that belongs to this version",
        hint="install the package again",
    )
