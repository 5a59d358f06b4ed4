"""`bench prepare shapenet-dvr`: DVR's NMR_Dataset, a folder or the zip file as it comes.

What the objects are is decided by SoftRas's lists. An object on a list without a folder is
excluded and named, a folder that is on no list too; one whose files are broken is a failure.

Expected in the given folder, or below a folder `data` in it::

    NMR_Dataset/<synset>/softras_{train,val,test}.lst
    NMR_Dataset/<synset>/<model>/{image,mask}/{0000 .. 0023}.png, cameras.npz, pointcloud.npz
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchbench.core.classes import SYNSETS
from benchbench.core.errors import InputError
from benchbench.datasets import preparing
from benchbench.datasets.archives import read_archive
from benchbench.datasets.model_folders import Tree, models
from benchbench.datasets.shapenet_dvr.convert import LAYOUT, NAMES, convert, is_complete
from benchbench.datasets.shapenet_dvr.spec import SPEC
from benchbench.datasets.sources import find, read_file
from benchbench.datasets.splits import Split, keep_stored
from benchbench.datasets.store_format import SPLITS

FOLDER = "NMR_Dataset"
COMMAND = f"bench prepare {SPEC.id}"
TREE = Tree(FOLDER, is_complete, COMMAND, want=NAMES.__contains__)
_LIST = re.compile(r"(?:.*/)?(\d{8})/softras_(train|val|test)\.lst")
_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")


def locate(folder: Path) -> dict[str, Path]:
    """Where the set lies."""
    return {FOLDER: find(folder, [FOLDER], f"{COMMAND} --from DIR", ("data",))}


@dataclass
class _Dvr(preparing.Conversion):
    """What is held: the ids of the lists, and some models on their way."""

    path: Path = Path()
    parts: dict[str, str] = field(default_factory=dict)  # id to part

    def jobs(self, done: frozenset[str]) -> Iterator[preparing.Job]:
        missing = set(self.parts) - done

        def skip(synset: str, name: str) -> bool:
            return (key := f"{synset}/{name}") in done or key not in self.parts

        for model in models(self.path, TREE, skip):
            if model.id in self.parts:
                missing.discard(model.id)
                if model.id not in done:
                    make = partial(convert, model.synset, model.name, model.files)
                    yield preparing.Job(model.id, make)
            elif model.synset in SYNSETS and not model.name.endswith(".lst"):
                self.excluded[model.id] = "is on none of the softras lists"
        for name in missing:
            self.excluded[name] = "is on a softras list but has no folder"

    def splits(self, stored: frozenset[str]) -> Mapping[str, Split]:
        parts: Split = {part: [] for part in SPLITS}
        for name, part in self.parts.items():
            parts[part].append(name)
        return {SPEC.splits[0]: keep_stored(parts, stored)}


def read(found: Mapping[str, Path]) -> preparing.Conversion:
    """Reads the lists; the models stream by in `jobs`.

    Raises:
        InputError: There is no list, or one is broken.
    """
    conversion = _Dvr(path=found[FOLDER])
    for (synset, part), data in sorted(_lists(conversion.path).items()):
        for number, line in enumerate(data.decode("ascii", "replace").split(), 1):
            if not _ID.fullmatch(line):
                raise InputError(f"{synset}/softras_{part}.lst, line {number}: {line!r} is no id")
            if (name := f"{synset}/{line}") in conversion.parts:
                raise InputError(f"the softras lists name '{name}' twice")
            conversion.parts[name] = part
    if not conversion.parts:
        raise InputError(f"'{conversion.path}' holds no softras_train.lst of the 13 classes")
    conversion.total = len(conversion.parts)
    return conversion


def _lists(path: Path) -> dict[tuple[str, str], bytes]:
    """Class and part to the bytes of its list."""
    found: dict[tuple[str, str], bytes] = {}

    def keep(name: str, data: bytes) -> None:
        match = _LIST.fullmatch(name)
        if match and match[1] in SYNSETS:
            if (match[1], match[2]) in found:
                raise InputError(f"'{path}' holds {match[1]}/softras_{match[2]}.lst twice")
            found[match[1], match[2]] = data

    if path.is_dir():
        for file in sorted(path.glob("*/softras_*.lst")):
            keep(file.relative_to(path).as_posix(), read_file(file))
    else:
        for member in read_archive(path, want=lambda name: bool(_LIST.fullmatch(name))):
            if member.data is not None:
                keep(member.name, member.data)
    return found


CONVERTER = preparing.Converter(
    spec=SPEC,
    version="shapenet-dvr 1",
    classes=tuple(SYNSETS.items()),
    layout=LAYOUT,
    axes="x front, y up, right-handed; ShapeNetCore v1, longest side 1, centred",
    locate=locate,
    read=read,
)

prepare = partial(preparing.prepare, CONVERTER)
