"""`bench prepare shapenet-lsm`: the release of LSM, packed or unpacked.

Expected in the given folder, or in `data` below it::

    shapenet_release.tar.gz, or a folder shapenet_release, holding
        renders/<synset>/<model>/{render,depth}_{0..19}.png, camera_{0..19}.mat, view.txt
        voxels/modelVoxels{32,64}/<synset>/<model>.mat
    splits.json, splits1.json, splits2.json   (where one has lists of one's own)

Archives within (`renders/<synset>.tar.gz`, as the release comes) are read where they lie. `renders`
and `voxels` may also lie in the folder itself, as prepare_data.sh of the authors leaves them.

What the objects are is decided by the 32^3 voxels. Memory holds their cells and those of 64^3,
deflated: about 3 KB an object, 130 MB in all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchbench.core.classes import SYNSETS
from benchbench.core.errors import InputError
from benchbench.datasets import preparing
from benchbench.datasets.model_folders import Tree, models
from benchbench.datasets.shapenet_lsm.convert import (
    LAYOUT,
    convert,
    deflate,
    is_complete,
    needed,
    read_volume,
)
from benchbench.datasets.shapenet_lsm.release import (
    COMMAND,
    RELEASE,
    RENDERS,
    SPLIT_FILES,
    VOXELS,
    locate,
    read_splits,
    renders_inside,
    volumes,
)
from benchbench.datasets.shapenet_lsm.spec import SPEC, SPLIT_CLASSES
from benchbench.datasets.split_lists import SplitList, cut_to_stored, split_list
from benchbench.datasets.splits import Split

TREE = Tree(RENDERS, is_complete, COMMAND, want=needed, inside=renders_inside, most_files=100)


@dataclass
class _Lsm(preparing.Conversion):
    renders: Path = Path()
    lists: dict[str, Split] = field(default_factory=dict)
    cells: dict[str, bytes] = field(default_factory=dict)
    cells64: dict[str, bytes] = field(default_factory=dict)

    def jobs(self, done: frozenset[str]) -> Iterator[preparing.Job]:
        missing = set(self.cells) - set(done)

        def skip(synset: str, name: str) -> bool:
            key = f"{synset}/{name}"
            return key not in self.cells or key in done

        for model in models(self.renders, TREE, skip):
            missing.discard(model.id)
            if model.id in self.cells:
                if model.id not in done:
                    cells = self.cells[model.id], self.cells64.get(model.id)
                    make = partial(convert, model.synset, model.name, model.files, *cells)
                    yield preparing.Job(model.id, make)
            elif model.synset in SYNSETS and model.id not in self.failed:
                self.excluded[model.id] = "has pictures but no ground truth"
        for name in missing:
            self.excluded[name] = "has ground truth but no pictures"

    def splits(self, stored: frozenset[str]) -> Mapping[str, Split]:
        found, self.facts["split_lists"] = cut_to_stored(split_lists(self.lists), stored)
        return found or {SPEC.splits[0]: {"train": [], "val": [], "test": []}}

    def remarks(self, notes: Iterator[dict[str, Any]]) -> list[str]:
        counts: Counter[str] = Counter()
        for one in notes:
            counts["objects"] += 1
            counts["alpha"] += one["alpha"]
            counts["full"] += max(one["occupied_cells"]) == 32
            counts["lost"] += not one["hidden_colours_kept"]
            counts.update(f"{bits}-bit depth" for bits in one["depth_bits"])
        depths = ", ".join(f"{n} with {k}" for k, n in sorted(counts.items()) if "depth" in k)
        return [
            f"of {counts['objects']} objects {counts['alpha']} have pictures with alpha, "
            f"{counts['full']} occupy 32 cells along their longest side; {depths}",
            *(
                [f"{counts['lost']} have more colours under alpha 0 than are kept"]
                if counts["lost"]
                else []
            ),
        ]


def split_lists(own: Mapping[str, Split]) -> list[SplitList]:
    """LSM's list, its two halves by class, and those files that say something else.

    Args:
        own: File's name without its suffix to what it holds.
    """
    whole = split_list("lsm")
    lists = [whole]
    for name, classes in SPLIT_CLASSES.items():
        parts = {
            part: [id for id in ids if id.split("/")[0] in classes]
            for part, ids in whole.parts.items()
        }
        note = "the list restricted to classes, for training on the one and testing on the other"
        lists.append(SplitList(name, parts, f"data/{name[4:]}.json of akar43/lsm", note))
    known = [{part: set(ids) for part, ids in one.parts.items()} for one in lists]
    for name, parts in own.items():
        if {part: set(ids) for part, ids in parts.items()} not in known:
            lists.append(SplitList(name, parts, f"{name}.json beside the files"))
    return lists


def read(found: Mapping[str, Path]) -> preparing.Conversion:
    """Reads all voxels and lists; the pictures stream by in `jobs`.

    Raises:
        InputError: There is no 32^3 grid of the 13 classes at all, or a list is broken.
    """
    conversion = _Lsm(renders=found.get(RENDERS) or found[RELEASE])
    conversion.lists = {name: read_splits(found[name]) for name in SPLIT_FILES if name in found}
    path = found.get(VOXELS) or found[RELEASE]
    for resolution, synset, model, data in volumes(path):
        key = f"{synset}/{model}"
        held = conversion.cells if resolution == 32 else conversion.cells64
        if key in held:
            raise InputError(f"'{path}' holds the voxels of '{key}' twice")
        try:
            held[key] = deflate(read_volume(data, f"modelVoxels{resolution}/{key}.mat", resolution))
        except InputError as error:
            conversion.failed[key] = str(error)
    for key in conversion.failed:
        conversion.cells.pop(key, None)
    if not conversion.cells and not conversion.failed:
        raise InputError(f"'{path}' holds no modelVoxels32/<synset>/<model>.mat of the 13 classes")
    conversion.total = len(conversion.cells)
    return conversion


CONVERTER = preparing.Converter(
    spec=SPEC,
    version="shapenet-lsm 1",
    classes=tuple(SYNSETS.items()),
    layout=LAYOUT,
    axes="x front, y up, right-handed; ShapeNetCore v1 axes, centred, in LSM's own scale: the unit "
    "cube is its grid (whether the longest side is 1 is unconfirmed)",
    locate=locate,
    read=read,
)

prepare = partial(preparing.prepare, CONVERTER)
