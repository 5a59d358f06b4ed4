"""`bench prepare shapenet-kato`: Kato et al.'s npz files, read object by object.

Expected in the given folder, in a folder `mesh_reconstruction` below it, or inside
`mesh_reconstruction_dataset.zip` there (as it comes, not unpacked)::

    <class>_<split>_images.npz   (N, 24, 4, 64, 64) uint8, one array
    <class>_<split>_voxels.npz   (N, 32, 32, 32) bool, one array

Masks are ignored: they are the fourth channel. The files hold no ids. The authors' lists, where
somebody has them, go into a folder `shapenetcore_ids` beside the files or the archive::

    shapenetcore_ids/<class>_<split>ids.txt   a line "<class>/<object>" for each row
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from benchbench.core.classes import SYNSETS
from benchbench.core.errors import InputError, MissingError
from benchbench.datasets import preparing
from benchbench.datasets.npy_streams import ArrayStream
from benchbench.datasets.shapenet_kato.convert import IMAGES, LAYOUT, VOXELS, convert
from benchbench.datasets.shapenet_kato.spec import SPEC
from benchbench.datasets.sources import read_file
from benchbench.datasets.splits import Split, keep_stored
from benchbench.datasets.store_format import SPLITS
from benchbench.datasets.zip_streams import Entry, entries, open_member

ARCHIVE = "mesh_reconstruction_dataset.zip"
IDS = "shapenetcore_ids"
_FILE = re.compile(r"(\d{8})_(train|val|test)_(images|voxels)\.npz")
_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
_MOST_FILES = 10_000  # of an honest archive
_MOST_OBJECTS = 1_000_000  # of an honest file

Part = tuple[str, str]  # class, split


def locate(folder: Path) -> dict[str, Path]:
    """The npz files by name, or the archive; and the folder of ids if there is one."""
    for base in (folder, folder / "mesh_reconstruction"):
        found = {
            path.name: path
            for path in sorted(base.glob("*.npz"))
            if _wanted(path.name) and path.is_file()
        }
        if not found and (base / ARCHIVE).is_file():
            found = {ARCHIVE: base / ARCHIVE}
        if found:
            ids = [place / IDS for place in (base, folder) if (place / IDS).is_dir()]
            if ids:
                found[IDS] = ids[0]
            return found
    raise MissingError(
        f"'{folder}' holds neither files like 02691156_train_images.npz nor {ARCHIVE}",
        hint=f"give the folder which holds them: bench prepare {SPEC.id} --from DIR",
    )


def _wanted(name: str) -> re.Match[str] | None:
    match = _FILE.fullmatch(name)
    return match if match and match[1] in SYNSETS else None


@dataclass
class _Source:
    """One npz file: a file of its own, or a member of the archive."""

    path: Path
    entry: Entry | None = None

    @contextlib.contextmanager
    def open(self, row: tuple[int, ...], kinds: tuple[str, ...]) -> Iterator[ArrayStream]:
        """Its array, checked to be rows of that shape and one of those types."""
        label = f"{self.path}: {self.entry.name}" if self.entry else str(self.path)
        with self.path.open("rb") as file:
            stream = ArrayStream(
                open_member(file, self.entry, self.path) if self.entry else file, label
            )
            if stream.shape[1:] != row or stream.dtype.str not in kinds:
                raise InputError(
                    f"'{label}' holds {stream.shape} {stream.dtype}, "
                    f"(N, {', '.join(map(str, row))}) {np.dtype(kinds[0])} belongs"
                )
            if stream.shape[0] > _MOST_OBJECTS:
                raise InputError(f"'{label}' claims {stream.shape[0]} objects; refused")
            yield stream

    def images(self) -> contextlib.AbstractContextManager[ArrayStream]:
        """As pictures."""
        return self.open(IMAGES, ("|u1",))

    def voxels(self) -> contextlib.AbstractContextManager[ArrayStream]:
        """As voxels."""
        return self.open(VOXELS, ("|b1", "|u1"))


@dataclass
class _Kato(preparing.Conversion):
    """What is held: an id for each row (44,000 in all), and one row of one pair of files."""

    pairs: dict[Part, tuple[_Source, _Source]] = field(default_factory=dict)
    names: dict[Part, list[str]] = field(default_factory=dict)

    def jobs(self, done: frozenset[str]) -> Iterator[preparing.Job]:
        hidden = 0
        for (synset, part), (images, voxels) in self.pairs.items():
            with images.images() as pictures, voxels.voxels() as grids:
                rows = zip(self.names[synset, part], pictures, grids, strict=True)
                for index, (name, picture, grid) in enumerate(rows):
                    # Counted here and not by the workers: a resumed run must say the same.
                    covered = picture[:, 3:] > 0
                    hidden += int((picture[:, :3].any(axis=1, keepdims=True) & ~covered).sum())
                    if name not in done:
                        place = {"part": part, "index": index}
                        yield preparing.Job(name, partial(convert, name, picture, grid, place))
        self.facts["hidden_pixels"] = hidden

    def splits(self, stored: frozenset[str]) -> Mapping[str, Split]:
        parts: Split = {part: [] for part in SPLITS}
        for (_, part), names in self.names.items():
            parts[part] += names
        return {SPEC.splits[0]: keep_stored(parts, stored)}


def read(found: Mapping[str, Path]) -> preparing.Conversion:
    """Reads all headers; the rows stream by in `jobs`.

    Raises:
        InputError: A file is no array of its kind, or a pair of files or a list of ids does not
            fit.
    """
    conversion = _Kato()
    ids = found.get(IDS)
    digest = hashlib.sha256()
    seen: set[str] = set()
    for place, pair in _pairs(found).items():
        counts = {}
        for kind, source in pair.items():
            with source.images() if kind == "images" else source.voxels() as stream:
                counts[kind] = stream.shape[0]
        if len(set(counts.values())) > 1:
            raise InputError(
                f"{place[0]}_{place[1]} has {counts['images']} objects of pictures and "
                f"{counts['voxels']} of voxels"
            )
        count = next(iter(counts.values()))
        if ids:
            names = _read_ids(ids / f"{place[0]}_{place[1]}ids.txt", place[0], count)
            digest.update("".join(f"{name}\n" for name in names).encode())
        else:  # padded, so that sorted by name they are in the file's order
            names = [f"{place[0]}/{place[1]}/{index:05d}" for index in range(count)]
        for name in names:
            if name in seen:
                raise InputError(f"the lists of '{ids}' name '{name}' twice")
            seen.add(name)
        if len(pair) == 2:
            conversion.names[place] = names
            conversion.pairs[place] = (pair["images"], pair["voxels"])
        else:
            have, lack = ("pictures", "ground truth")[:: 1 if "images" in pair else -1]
            reason = f"has {have} but no {lack}"
            conversion.excluded.update(dict.fromkeys(names, reason))
    conversion.total = sum(map(len, conversion.names.values()))
    conversion.facts = {"ids": f"sha256 {digest.hexdigest()}" if ids else "unknown"}
    return conversion


def _pairs(found: Mapping[str, Path]) -> dict[Part, dict[str, _Source]]:
    """By class and split, in their order: the files' kinds ("images", "voxels") to where."""
    sources: dict[str, _Source] = {}
    for name, path in found.items():
        if name == ARCHIVE:
            sources = _members(path)
        elif name != IDS:
            sources[name] = _Source(path)
    pairs: dict[Part, dict[str, _Source]] = {}
    for synset in SYNSETS:
        for part in SPLITS:
            for kind in ("images", "voxels"):
                if source := sources.get(f"{synset}_{part}_{kind}.npz"):
                    pairs.setdefault((synset, part), {})[kind] = source
    return pairs


def _members(path: Path) -> dict[str, _Source]:
    """The npz files of the archive by name."""
    sources: dict[str, _Source] = {}
    with path.open("rb") as file:
        for number, entry in enumerate(entries(file, path)):
            if number >= _MOST_FILES:
                raise InputError(f"'{path}' holds more than {_MOST_FILES} members")
            name = entry.name.rpartition("/")[2]
            if _wanted(name):
                if name in sources:
                    raise InputError(f"'{path}' holds '{name}' twice")
                sources[name] = _Source(path, entry)
    if not sources:
        raise InputError(f"'{path}' holds no file like 02691156_train_images.npz")
    return sources


def _read_ids(path: Path, synset: str, count: int) -> list[str]:
    """The ids of one file's rows.

    Raises:
        InputError: No such list, another number of lines, or a line that is no id of the class.
    """
    if not path.is_file():
        raise InputError(
            f"the lists lack '{path}'",
            hint=f"complete the folder, or move it away: objects are numbered without {IDS}",
        )
    lines = read_file(path).decode("ascii", "replace").split()
    if len(lines) != count:
        raise InputError(f"'{path}' has {len(lines)} ids, the npz files have {count} objects")
    for number, line in enumerate(lines, 1):
        head, _, model = line.rpartition("/")
        if head.rpartition("/")[2] != synset or not _ID.fullmatch(model):
            raise InputError(f"'{path}', line {number}: {line!r} is no '{synset}/<object>'")
    return [f"{synset}/{line.rpartition('/')[2]}" for line in lines]


CONVERTER = preparing.Converter(
    spec=SPEC,
    version="shapenet-kato 1",
    classes=tuple(SYNSETS.items()),
    layout=LAYOUT,
    axes="x front, y up, right-handed; ShapeNetCore v1, longest side 1, centred",
    locate=locate,
    read=read,
)

prepare = partial(preparing.prepare, CONVERTER)
