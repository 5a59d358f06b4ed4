"""`bench prepare shapenet-vpl`: the python-2 pickles of View Prior Learning, read as data.

Expected in the given folder, in `dataset` or `data/dataset` below it, or inside `dataset.zip` (or
.tar.gz) there, as it comes, not unpacked::

    <synset>_{train,val,test}.pkl   a dict of three dicts:
        images       "<synset>_<model>_<view>" to the bytes of a PNG file, 224x224
        viewpoints   the same keys to distance, elevation, azimuth
        voxels       "<synset>_<model>" to a (32, 32, 32) array

A file may be gigabytes long. Held are the keys of one file and where its pictures and grids lie
(about 0.7 KB a picture), and the objects in the workers' hands. In the order of a dict of python 2
the views of an object lie anywhere, so a file inside an archive is first copied to a temporary
file, one at a time.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from benchbench.core.classes import SYNSETS
from benchbench.core.errors import InputError, MissingError, printable
from benchbench.core.files import explain_disk
from benchbench.datasets import preparing
from benchbench.datasets.archives import open_members
from benchbench.datasets.pickle_values import Blob, LateArray
from benchbench.datasets.pickled import PickleLimits, index_pickle
from benchbench.datasets.shapenet_lsm.cameras import VIEWS
from benchbench.datasets.shapenet_vpl.convert import LAYOUT, convert
from benchbench.datasets.shapenet_vpl.spec import SPEC
from benchbench.datasets.sources import ARCHIVES
from benchbench.datasets.split_lists import cut_to_stored, split_list
from benchbench.datasets.splits import Split, keep_stored

Array = npt.NDArray[Any]

ARCHIVE = "dataset"
_FILE = re.compile(r"(\d{8})_(train|val|test)\.pkl", re.ASCII)
_MODEL = re.compile(r"(\d{8})_([A-Za-z0-9_-][A-Za-z0-9_.-]{0,99})", re.ASCII)
_VIEW = re.compile(r"(.{1,110})_(0|[1-9][0-9]?)")
# The largest file has about 6,000 objects: 120,000 pictures, some five million steps.
_LIMITS = PickleLimits(opcodes=40_000_000, bytes=1 << 30)
_PICTURE_BYTES, _VOLUME_BYTES = 1 << 24, 1 << 22


def locate(folder: Path) -> dict[str, Path]:
    """The pickles by name, or the archive."""
    for base in (folder, folder / "dataset", folder / "data" / "dataset"):
        found = {
            path.name: path
            for path in sorted(base.glob("*.pkl"))
            if _wanted(path.name) and path.is_file()
        }
        if not found:
            paths = (base / f"{ARCHIVE}{suffix}" for suffix in ARCHIVES)
            archive = next((path for path in paths if path.is_file()), None)
            found = {ARCHIVE: archive} if archive else {}
        if found:
            return found
    raise MissingError(
        f"'{folder}' holds neither files like 03001627_train.pkl nor {ARCHIVE}.zip",
        hint=f"give the folder which holds them: bench prepare {SPEC.id} --from DIR",
    )


def _wanted(name: str) -> re.Match[str] | None:
    match = _FILE.fullmatch(name.rsplit("/", 1)[-1])
    return match if match and match[1] in SYNSETS else None


@dataclass
class _Vpl(preparing.Conversion):
    found: Mapping[str, Path] = field(default_factory=dict)
    parts: Split = field(default_factory=lambda: {"train": [], "val": [], "test": []})

    def jobs(self, done: frozenset[str]) -> Iterator[preparing.Job]:
        seen: set[str] = set()
        for name, label, file in _files(self.found):
            match = _wanted(name)
            assert match is not None
            for id, place in sorted(self._objects(file, label, match[1]).items()):
                if id in seen:
                    raise InputError(f"'{label}' holds '{id}', which is in another file too")
                seen.add(id)
                self.parts[match[2]].append(id)
                problem = place.problem(id)
                if problem:
                    self.failed[id] = problem
                elif not place.views:
                    self.excluded[id] = "has ground truth but no pictures"
                elif place.volume is None:
                    self.excluded[id] = "has pictures but no ground truth"
                elif id not in done:
                    yield preparing.Job(id, partial(convert, id, *place.read(file)))
        if not seen:
            raise InputError(f"'{next(iter(self.found.values()))}' holds no object of 13 classes")

    def _objects(self, file: BinaryIO, label: str, synset: str) -> dict[str, _Place]:
        """Where the objects of a file lie."""
        images, viewpoints, volumes = _dicts(index_pickle(file, label, _LIMITS), label)
        found: dict[str, _Place] = {}
        for key, picture in images.items():
            match = _VIEW.fullmatch(key)
            id = _id(match[1], synset) if match else None
            if match is None or id is None:
                self.failed[f"{synset}/{_shown(key)}"] = f"'{label}' has an odd key for a picture"
                continue
            place = found.setdefault(id, _Place())
            place.views[int(match[2])] = picture, viewpoints.get(key)
        for key, volume in volumes.items():
            id = _id(key, synset)
            if id is None:
                self.failed[f"{synset}/{_shown(key)}"] = f"'{label}' has an odd key for voxels"
                continue
            found.setdefault(id, _Place()).volume = volume
        return found

    def splits(self, stored: frozenset[str]) -> Mapping[str, Split]:
        listed, self.facts["split_lists"] = cut_to_stored([split_list("lsm")], stored)
        return {SPEC.splits[0]: keep_stored(self.parts, stored)} | listed


def _shown(key: str) -> str:
    """A key of the file as a report may show it: one line, no control characters."""
    return printable(key[:150].replace("\n", " "))


def _id(key: str, synset: str) -> str | None:
    match = _MODEL.fullmatch(key)
    return f"{synset}/{match[2]}" if match and match[1] == synset else None


@dataclass
class _Place:
    """Where an object's pictures and voxels lie, and its viewpoints."""

    views: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    volume: Any = None

    def problem(self, id: str) -> str:
        """Why there is nothing to read, or ""."""
        if self.views and sorted(self.views) != list(range(VIEWS)):
            missing = ", ".join(str(n) for n in range(VIEWS) if n not in self.views) or "none"
            return f"'{id}' has {len(self.views)} views, {VIEWS} belong; missing: {missing}"
        for view, (picture, viewpoint) in sorted(self.views.items()):
            length = picture.length if isinstance(picture, Blob) else 0
            if not isinstance(picture, (bytes, Blob)) or length > _PICTURE_BYTES:
                return f"'{id}', view {view} is no picture"
            if viewpoint is None:
                return f"'{id}', view {view} has no viewpoint"
        volume = self.volume
        if volume is not None and not isinstance(volume, (np.ndarray, LateArray)):
            return f"'{id}' has voxels that are no array"
        if isinstance(volume, LateArray) and volume.blob.length > _VOLUME_BYTES:
            return f"'{id}' has voxels of shape {volume.shape}"
        return ""

    def read(self, file: BinaryIO) -> tuple[list[bytes], list[Any], Array]:
        """Pictures, viewpoints and voxels."""
        pictures = [self.views[view][0] for view in range(VIEWS)]
        viewpoints = [self.views[view][1] for view in range(VIEWS)]
        read = [p.read(file) if isinstance(p, Blob) else p for p in pictures]
        volume = self.volume
        return read, viewpoints, volume.read(file) if isinstance(volume, LateArray) else volume


def _dicts(content: Any, label: str) -> list[dict[str, Any]]:
    """Images, viewpoints and voxels by key."""
    top = _by_text(content, label)
    found = []
    for key in ("images", "viewpoints", "voxels"):
        if key not in top:
            raise InputError(f"'{label}' has no '{key}'")
        found.append(_by_text(top[key], f"{label}: {key}"))
    return found


def _by_text(content: Any, label: str) -> dict[str, Any]:
    """A dict whose keys are text, as python 2 (bytes) or 3 wrote it."""
    if not isinstance(content, dict):
        raise InputError(f"'{label}' holds a {type(content).__name__} where a dict belongs")
    return {
        key.decode("latin-1") if isinstance(key, bytes) else str(key): value
        for key, value in content.items()
    }


def _files(found: Mapping[str, Path]) -> Iterator[tuple[str, str, BinaryIO]]:
    """Name, label and open file of each pickle in turn."""
    for name, path in found.items():
        if name != ARCHIVE:
            with path.open("rb") as file:
                yield name, str(path), file
            continue
        seen: set[str] = set()
        for member, stream in open_members(path, large=lambda name: True):
            base = member.rsplit("/", 1)[-1]
            if stream is None or not _wanted(base):
                continue
            if base in seen:
                raise InputError(f"'{path}' holds '{base}' twice")
            seen.add(base)
            with contextlib.ExitStack() as stack:
                with explain_disk(Path(tempfile.gettempdir())):
                    copy = cast(BinaryIO, stack.enter_context(tempfile.TemporaryFile()))
                    shutil.copyfileobj(stream, copy, 1 << 20)
                    copy.seek(0)
                yield base, f"{path}: {base}", copy


def read(found: Mapping[str, Path]) -> preparing.Conversion:
    """The files are read one after the other in `jobs`."""
    return _Vpl(found=found)


CONVERTER = preparing.Converter(
    spec=SPEC,
    version="shapenet-vpl 1",
    classes=tuple(SYNSETS.items()),
    layout=LAYOUT,
    axes="x front, y up, right-handed; DERIVED. ShapeNetCore v1 axes, centred, in LSM's own scale: "
    "the unit cube is its grid (whether the longest side is 1 is unconfirmed)",
    locate=locate,
    read=read,
)

prepare = partial(preparing.prepare, CONVERTER)
