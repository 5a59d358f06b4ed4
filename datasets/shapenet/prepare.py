"""`bench prepare shapenet`: 3D-R2N2's two archives.

What the objects are is decided by the folders of ShapeNetVox32, as in 3D-R2N2's repository; the
split rule counts all of them. An object that lacks its pictures or its ground truth is excluded and
named; one whose files are broken is a failure and named.

Expected below the given folder (or below a folder `ShapeNet` in it), as folders or archives::

    ShapeNetRendering/<synset>/<model>/rendering/{00.png .. 23.png, rendering_metadata.txt}
    ShapeNetVox32/<synset>/<model>/model.binvox
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.classes import SYNSETS
from benchbench.core.errors import InputError
from benchbench.datasets import preparing
from benchbench.datasets.binvox import Binvox
from benchbench.datasets.model_folders import Tree, models
from benchbench.datasets.records import ObjectRecord
from benchbench.datasets.shapenet.convert import (
    LAYOUT,
    RESOLUTION,
    convert,
    is_complete,
    read_voxels,
)
from benchbench.datasets.shapenet.spec import SPEC
from benchbench.datasets.sources import find
from benchbench.datasets.split_lists import cut_to_stored, split_list
from benchbench.datasets.splits import (
    Split,
    keep_stored,
    repository_split,
    repository_split_with_val,
)
from benchbench.datasets.store_format import pack_voxels, unpack_voxels

Bits = npt.NDArray[np.uint8]

COMMAND = "bench prepare shapenet"
RENDERINGS = Tree("ShapeNetRendering", is_complete, COMMAND, inner="rendering")
VOXELS = Tree("ShapeNetVox32", lambda files: "model.binvox" in files, COMMAND)
RULES = {"r2n2-80-20": repository_split, "r2n2-70-10-20": repository_split_with_val}


def locate(folder: Path) -> dict[str, Path]:
    """Where renderings and voxels lie."""
    names = (RENDERINGS.what, VOXELS.what)
    below = ("ShapeNet", "shapenet")
    return {name: find(folder, [name], f"{COMMAND} --from DIR", below) for name in names}


@dataclass
class _Shapenet(preparing.Conversion):
    """The voxel side is read first and held packed, with translate and scale (180 MB in all)."""

    renderings: Path = Path()
    grids: dict[str, tuple[Bits, tuple[float, float, float], float]] = field(default_factory=dict)
    folders: dict[str, list[str]] = field(default_factory=dict)  # synset -> all model folders
    moved: list[str] = field(default_factory=list)  # how the rule differs from the published list

    def jobs(self, done: frozenset[str]) -> Iterator[preparing.Job]:
        missing = set(self.grids) - set(done)

        def skip(synset: str, name: str) -> bool:
            key = f"{synset}/{name}"
            return key not in self.grids or key in done

        for model in models(self.renderings, RENDERINGS, skip):
            missing.discard(model.id)
            if model.synset in SYNSETS and model.id not in self.grids:
                if model.id not in self.failed:
                    self.excluded[model.id] = "has pictures but no ground truth"
            elif model.id in self.grids and model.id not in done:
                make = partial(_make, model.synset, model.name, model.files, *self.grids[model.id])
                yield preparing.Job(model.id, make)
        for name in missing:
            self.excluded[name] = "has ground truth but no pictures"

    def splits(self, stored: frozenset[str]) -> Mapping[str, Split]:
        # The rule counts the folders that are there, as 3D-R2N2's code does; the lists are fixed.
        ruled = {name: keep_stored(rule(self.folders), stored) for name, rule in RULES.items()}
        self.moved = moved_by_the_rule(self.folders, ruled)
        lists = [split_list(name) for name in SPEC.splits if name not in RULES]
        listed, self.facts["split_lists"] = cut_to_stored(lists, stored)
        return ruled | listed

    def remarks(self, notes: Iterator[dict[str, Any]]) -> list[str]:
        return self.moved


def moved_by_the_rule(
    folders: Mapping[str, Iterable[str]], ruled: Mapping[str, Split]
) -> list[str]:
    """What to tell where the rule is counted on other folders than those of the published lists.

    Args:
        folders: Synset to the names of all its model folders.
        ruled: The stored objects by the rules of `RULES`.

    Returns:
        One line, or none where the folders are those of the lists or have none of their ids.

    Example:
        >>> names = {"02691156": ["6c432109eee42aed3b053f623496d8f5"]}  # in train of the list
        >>> parts = {name: rule(names) for name, rule in RULES.items()}
        >>> "1 of 1 objects" in moved_by_the_rule(names, parts)[0]
        True
    """
    there = {f"{synset}/{model}" for synset, models in folders.items() for model in models}
    counts = {}
    for name, parts in ruled.items():
        published = {id: part for part, ids in split_list(name).parts.items() for id in ids}
        if there == published.keys() or not there & published.keys():
            return []
        pairs = [(part, published.get(id)) for part, ids in parts.items() for id in ids]
        known = [(here, listed) for here, listed in pairs if listed is not None]
        counts[name] = sum(here != listed for here, listed in known), len(known), len(published)
    (name, (moved, known_ids, all_ids)), *others = counts.items()
    more = "".join(f"; of {other}: {count}" for other, (count, _, _) in others)
    lists = " or ".join(f"--split {one}" for one in SPEC.splits if one not in RULES)
    return [
        f"split {name} is the rule on the {len(there):,} model folders that are there, not the "
        f"published list of {all_ids:,} ids: {moved:,} of {known_ids:,} objects on that list are "
        f"in another part than there{more}; fixed lists: {lists} here, {name} of shapenet-core"
    ]


def read(found: Mapping[str, Path]) -> preparing.Conversion:
    """Reads all voxel grids; the pictures stream by in `jobs`.

    Raises:
        InputError: There is no grid of the 13 classes at all.
    """
    conversion = _Shapenet(renderings=found[RENDERINGS.what])
    path = found[VOXELS.what]
    for model in models(path, VOXELS, lambda *_: False):
        if model.synset not in SYNSETS:
            continue
        conversion.folders.setdefault(model.synset, []).append(model.name)
        try:
            if "model.binvox" not in model.files:
                raise InputError(f"'{model.id}' has a voxel folder without model.binvox")
            grid = read_voxels(model.files["model.binvox"], f"{model.id}/model.binvox")
            packed = pack_voxels(grid.occupied)
            conversion.grids[model.id] = (packed, grid.translate, grid.scale)
        except InputError as error:
            conversion.failed[model.id] = str(error)
    if not conversion.grids and not conversion.failed:
        raise InputError(f"'{path}' holds no model.binvox of the 13 classes")
    conversion.total = len(conversion.grids)
    return conversion


def _make(
    synset: str,
    name: str,
    files: Mapping[str, bytes],
    bits: Bits,
    translate: tuple[float, float, float],
    scale: float,
) -> ObjectRecord:
    grid = Binvox(unpack_voxels(bits, RESOLUTION), translate, scale)
    return convert(synset, name, files, grid)


CONVERTER = preparing.Converter(
    spec=SPEC,
    version="shapenet 4",
    classes=tuple(SYNSETS.items()),
    layout=LAYOUT,
    axes="x front, y up, right-handed; ShapeNetCore v1, longest side 1, centred",
    locate=locate,
    read=read,
)

prepare = partial(preparing.prepare, CONVERTER)
