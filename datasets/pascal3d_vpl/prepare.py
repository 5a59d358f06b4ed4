"""`bench prepare pascal3d-vpl`: the npz files of View Prior Learning, row by row.

Expected in the given folder, below it in `dataset` or `data/dataset`, or inside `dataset.zip` there
(as it comes, not unpacked)::

    {aeroplane,car,chair}_{train,val,imagenet}.npz

    images (N,) objects, each (H, W, 3) uint8   python-2 pickle, read as data
    images_ref (N, 224, 224, 4) uint8           bounding_boxes (N, 4)
    rotation_matrices (N, 3, 3)                 voxels (N, 32, 32, 32)

Held are one row of one file, boxes and rotations of that file, and where each of its pictures lies
(about 1 KB a row).
"""

from __future__ import annotations

import contextlib
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError, MissingError
from benchbench.datasets import preparing
from benchbench.datasets.member_files import MemberFile
from benchbench.datasets.npy_header import read_npy_header
from benchbench.datasets.pascal3d.camera import SIZE
from benchbench.datasets.pascal3d_vpl.convert import LAYOUT, convert
from benchbench.datasets.pascal3d_vpl.spec import CLASSES, SPEC
from benchbench.datasets.pickle_values import LateArray
from benchbench.datasets.pickled import index_pickle
from benchbench.datasets.records import ObjectRecord
from benchbench.datasets.shapes13.voxels import RESOLUTION
from benchbench.datasets.splits import Split, keep_stored
from benchbench.datasets.zip_streams import Entry, entries

Array = npt.NDArray[Any]

ARCHIVE = "dataset.zip"
PARTS = {"train": "train", "imagenet": "train", "val": "test"}
_FILE = re.compile(rf"({'|'.join(CLASSES.values())})_({'|'.join(PARTS)})\.npz")
_MOST_OBJECTS = 100_000  # of an honest file
_MOST_PIXELS = 1 << 25
_MOST_MEMBERS = 10_000
_ROWS = {
    "images_ref": ((SIZE, SIZE, 4), "u"),
    "bounding_boxes": ((4,), "iuf"),
    "rotation_matrices": ((3, 3), "f"),
    "voxels": ((RESOLUTION,) * 3, "biuf"),
}


def locate(folder: Path) -> dict[str, Path]:
    """The npz files by name, or the archive."""
    for base in (folder, folder / "dataset", folder / "data" / "dataset"):
        found = {
            path.name: path
            for path in sorted(base.glob("*.npz"))
            if _FILE.fullmatch(path.name) and path.is_file()
        }
        if not found and (base / ARCHIVE).is_file():
            found = {ARCHIVE: base / ARCHIVE}
        if found:
            return found
    raise MissingError(
        f"'{folder}' holds neither files like car_val.npz nor {ARCHIVE}",
        hint=f"give the folder which holds them: bench prepare {SPEC.id} --from DIR",
    )


@dataclass
class _Npz:
    """One npz file: where its arrays are, and how many rows they have."""

    label: str
    opened: Callable[[], BinaryIO]
    members: dict[str, Entry] = field(default_factory=dict)
    count: int = 0

    def open(self, key: str) -> BinaryIO:
        """An array's file from its header on."""
        return _member(self.opened, self.members[key], self.label)

    def look(self) -> None:
        """Read the directory and all headers.

        Raises:
            InputError: An array is missing, of another kind, or not as long as the others.
        """
        with contextlib.closing(self.opened()) as file:
            for number, entry in enumerate(entries(file, self.label)):
                if number >= _MOST_MEMBERS:
                    raise InputError(f"'{self.label}' holds too many members; refused")
                self.members[entry.name.removesuffix(".npy")] = entry
        counts = set()
        for key in ("images", *_ROWS):
            if key not in self.members:
                raise InputError(f"'{self.label}' has no array '{key}'")
            with contextlib.closing(self.open(key)) as file:
                counts.add(self._rows(file, key)[0])
        if len(counts) != 1:
            raise InputError(f"'{self.label}' has arrays of different lengths: {sorted(counts)}")
        self.count = counts.pop()

    def _rows(self, file: BinaryIO, key: str) -> tuple[int, np.dtype[Any]]:
        """Number and type of the rows; leaves the file at the first one."""
        name = f"{self.label}: {key}"
        shape, fortran, dtype, length = read_npy_header(file, name)
        row, kinds = _ROWS.get(key, ((), "O"))
        size = length + math.prod(shape) * dtype.itemsize
        if fortran or shape[1:] != row or dtype.kind not in kinds or not shape:
            wanted = ", ".join(map(str, ("N", *row)))
            raise InputError(f"'{name}' is {shape} {dtype}, ({wanted}) belongs")
        if kinds == "u" and dtype != np.uint8:
            raise InputError(f"'{name}' is of type {dtype}, not uint8")
        if shape[0] > _MOST_OBJECTS or (key != "images" and size != self.members[key].size):
            raise InputError(f"'{name}' claims {shape[0]} rows; refused")
        return shape[0], dtype

    def rows(self, key: str) -> Iterator[Array]:
        """The rows of a plain array; one is held."""
        shape = _ROWS[key][0]
        with contextlib.closing(self.open(key)) as file:
            count, dtype = self._rows(file, key)
            size = math.prod(shape) * dtype.itemsize
            for _ in range(count):
                data = file.read(size)
                if len(data) != size:
                    raise InputError(f"'{self.label}: {key}' is cut off")
                yield np.frombuffer(data, dtype).reshape(shape)

    def pictures(self) -> Iterator[Array | str]:
        """The photographs in turn; for one that is none, why."""
        name = f"{self.label}: images"
        with contextlib.closing(self.open("images")) as file:
            count, _ = self._rows(file, "images")
            found = index_pickle(file, name)
            if not isinstance(found, np.ndarray) or found.shape != (count,):
                raise InputError(f"'{name}' claims {count} pictures and holds something else")
            last: tuple[Any, Array | str] = (None, "")
            for item in found:
                if item is not last[0]:  # rows may share a picture
                    last = item, _picture(item, file)
                yield last[1]


def _picture(item: Any, file: BinaryIO) -> Array | str:
    if not isinstance(item, (np.ndarray, LateArray)):
        return f"has a {type(item).__name__} for a picture"
    shape, dtype = item.shape, item.dtype
    fits = len(shape) == 3 and shape[2] == 3 and dtype == np.uint8
    if not fits or not 1 <= math.prod(shape[:2]) <= _MOST_PIXELS:
        return f"has a picture of shape {shape} {dtype}, (H, W, 3) uint8 belongs"
    return item.read(file) if isinstance(item, LateArray) else item


def _member(opened: Callable[[], BinaryIO], entry: Entry, label: str) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(MemberFile(opened, entry, label), 1 << 16))


@dataclass
class _Vpl(preparing.Conversion):
    files: dict[tuple[str, str], _Npz] = field(default_factory=dict)

    def jobs(self, done: frozenset[str]) -> Iterator[preparing.Job]:
        for (synset, part), npz in self.files.items():
            names = self.names(synset, part)
            if all(name in done or name in self.failed for name in names):
                continue
            columns = [npz.rows(key) for key in _ROWS]
            for name, picture, row in zip(
                names, npz.pictures(), zip(*columns, strict=True), strict=True
            ):
                if isinstance(picture, str):
                    self.failed[name] = f"'{name}' {picture}"
                elif name not in done:
                    yield preparing.Job(name, partial(_make, name, picture, *row))

    def names(self, synset: str, part: str) -> list[str]:
        return [f"{synset}/{part}-{row:05d}" for row in range(self.files[synset, part].count)]

    def splits(self, stored: frozenset[str]) -> Mapping[str, Split]:
        split: Split = {"train": [], "val": [], "test": []}
        for synset, part in self.files:
            split[PARTS[part]] += self.names(synset, part)
        return {SPEC.splits[0]: keep_stored(split, stored)}


def _make(
    name: str, picture: Array, reference: Array, box: Array, rotation: Array, volume: Array
) -> ObjectRecord:
    return convert(name, picture, reference, box, rotation, volume)


def read(found: Mapping[str, Path]) -> preparing.Conversion:
    """Reads all headers; the rows stream by in `jobs`.

    Raises:
        InputError: A file lacks an array, or its arrays do not fit each other.
    """
    conversion = _Vpl()
    number = {name: synset for synset, name in CLASSES.items()}
    for file, npz in sorted(_files(found), key=lambda pair: pair[0]):
        match = _FILE.fullmatch(file)
        assert match is not None
        npz.look()
        conversion.files[number[match[1]], match[2]] = npz
        conversion.total += npz.count
    if not conversion.files:
        raise InputError(f"'{found[ARCHIVE]}' holds no file like car_val.npz")
    conversion.facts["rows"] = {
        f"{CLASSES[synset]}_{part}": npz.count for (synset, part), npz in conversion.files.items()
    }
    return conversion


def _files(found: Mapping[str, Path]) -> Iterator[tuple[str, _Npz]]:
    for name, path in found.items():
        opened = partial(_open, path)
        if name != ARCHIVE:
            yield name, _Npz(str(path), opened)
            continue
        seen: set[str] = set()
        with path.open("rb") as file:
            for number, entry in enumerate(entries(file, path)):
                if number >= _MOST_MEMBERS:
                    raise InputError(f"'{path}' holds too many members; refused")
                base = entry.name.rsplit("/", 1)[-1]
                if _FILE.fullmatch(base):
                    if base in seen:
                        raise InputError(f"'{path}' holds '{base}' twice")
                    seen.add(base)
                    yield base, _Npz(f"{path}: {base}", partial(_member, opened, entry, str(path)))


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


CONVERTER = preparing.Converter(
    spec=SPEC,
    version="pascal3d-vpl 1",
    classes=tuple(CLASSES.items()),
    layout=LAYOUT,
    axes=(
        "x front, y up, right-handed, centred; DERIVED. The unit is the diagonal of the CAD "
        "model's box (the longest side is below 1); cameras are in the CAD frame (z up, front -y)"
    ),
    locate=locate,
    read=read,
)

prepare = partial(preparing.prepare, CONVERTER)
