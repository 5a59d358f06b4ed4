"""Where the files of LSM's release lie: a folder, an archive, or archives within either."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchbench.core.classes import SYNSETS
from benchbench.core.errors import InputError, MissingError
from benchbench.core.files import read_json
from benchbench.datasets.archives import read_archive, safe_name
from benchbench.datasets.sources import ARCHIVES, read_file
from benchbench.datasets.splits import Split
from benchbench.datasets.store_format import SPLITS

COMMAND = "bench prepare shapenet-lsm"
RELEASE, RENDERS, VOXELS = "shapenet_release", "renders", "voxels"
SPLIT_FILES = ("splits", "splits1", "splits2")
_INNER = (".tar.gz", ".tgz", ".tar")
_VOLUME = re.compile(r"modelVoxels(32|64)/(\d{8})/([A-Za-z0-9_-]{1,100})\.mat")
_SPLIT_BYTES = 1 << 26


def locate(folder: Path) -> dict[str, Path]:
    """Where renderings, voxels and lists lie, by name.

    Raises:
        MissingError: Renderings or voxels are nowhere.
    """
    found: dict[str, Path] = {}
    for base in (folder, folder / "data", folder / RELEASE, folder / "data" / RELEASE):
        if RELEASE not in found and (place := _folder_or_archive(base, RELEASE)):
            found[RELEASE] = place
        for name in (RENDERS, VOXELS):
            if name not in found and (place := _folder_or_archive(base, name)):
                found[name] = place
        for name in SPLIT_FILES:
            path = base / f"{name}.json"
            if name not in found and path.is_file():
                found[name] = path
    if RENDERS in found and VOXELS in found:
        found.pop(RELEASE, None)
    elif RELEASE in found and found[RELEASE].is_file():
        found.pop(RENDERS, None)
        found.pop(VOXELS, None)
    else:
        raise MissingError(
            f"'{folder}' holds neither {RELEASE} (as a folder, .tar.gz or .zip) nor both "
            f"'{RENDERS}' and '{VOXELS}'",
            hint=f"give the folder which holds {RELEASE}.tar.gz: {COMMAND} --from DIR",
        )
    return found


def _folder_or_archive(base: Path, name: str) -> Path | None:
    if (base / name).is_dir():
        return base / name
    return next((p for end in ARCHIVES if (p := base / f"{name}{end}").is_file()), None)


def renders_inside(name: str) -> bool:
    """Whether a file is an archive of renderings (for `Tree.inside`)."""
    return name.endswith(_INNER) and RENDERS in name.split("/")


def _volumes_inside(name: str) -> bool:
    return name.endswith(_INNER) and RENDERS not in name.split("/")


def volumes(path: Path) -> Iterator[tuple[int, str, str, bytes]]:
    """The voxel files below a folder or in an archive: resolution, synset, model, bytes.

    Memory holds one.

    Raises:
        InputError: Broken or hostile files.
    """
    for name, data in _files(path):
        place = _place(name)
        if place:
            yield int(place[1]), place[2], place[3], data


def _place(name: str) -> re.Match[str] | None:
    start = name.rfind("modelVoxels")
    place = _VOLUME.fullmatch(name[start:]) if start >= 0 else None
    return place if place and place[2] in SYNSETS else None


def _want(name: str) -> bool:
    return _place(name) is not None


def _want_below(folder: str, name: str) -> bool:
    return _want(f"{folder}/{name}")


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_file():
        for member in read_archive(path, want=_want, inside=_volumes_inside):
            if member.data is not None and _want(member.name):
                yield member.name, member.data
        return
    for file in sorted(path.rglob("*")):
        name = safe_name(file.relative_to(path).as_posix(), path)
        if file.is_symlink() or not file.is_file():
            continue
        if _volumes_inside(name):
            folder = name.rpartition("/")[0]
            for member in read_archive(file, want=partial(_want_below, folder)):
                if member.data is not None and _want_below(folder, member.name):
                    yield f"{folder}/{member.name}", member.data
        elif _want(name):
            yield name, read_file(file)


def read_splits(path: Path) -> Split:
    """A list like data/splits.json: {synset: {"train": [model, ...], "val": ..., "test": ...}}.

    Raises:
        InputError: Another form, or an id twice.
    """
    read_file(path, _SPLIT_BYTES)
    content = read_json(path)
    parts: Split = {part: [] for part in SPLITS}
    seen: set[str] = set()
    if not isinstance(content, dict):
        raise InputError(f"'{path}' is no list of classes")
    for synset, lists in content.items():
        for part in SPLITS:
            names = lists.get(part, []) if isinstance(lists, dict) else None
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise InputError(f"'{path}': class '{synset}' has no list '{part}' of ids")
            ids = [f"{synset}/{name}" for name in names]
            if len(set(ids)) < len(ids) or not seen.isdisjoint(ids):
                raise InputError(f"'{path}': class '{synset}' has an id twice")
            seen.update(ids)
            parts[part] += ids
    return parts
