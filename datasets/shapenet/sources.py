"""Where the renderings and voxels come from: unpacked folders or archives, read as streams.

Expected below the given folder (or below a folder `ShapeNet` in it)::

    ShapeNetRendering/<synset>/<model>/rendering/{00.png .. 23.png, rendering_metadata.txt}
    ShapeNetVox32/<synset>/<model>/model.binvox

each as a folder or as .tgz, .tar.gz, .tar or .zip.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchbench.core.errors import InputError, MissingError
from benchbench.core.files import sha256_file
from benchbench.datasets.archives import read_archive, safe_name

RENDERING = "ShapeNetRendering"
VOXELS = "ShapeNetVox32"
_SUFFIXES = (".tgz", ".tar.gz", ".tar", ".zip")
_PENDING = 1 << 31  # bytes of half-seen models held in memory while an archive is read
_MODEL_FILES = 64  # a genuine model folder has 26
_NOT_HASHED = ".png"  # a million files of the full set; their names and sizes count


@dataclass(frozen=True)
class Model:
    """One model folder.

    Attributes:
        synset: Its class.
        name: Its id within the class.
        files: File name to bytes, without the folder `rendering`.
    """

    synset: str
    name: str
    files: dict[str, bytes]

    @property
    def id(self) -> str:
        """ "synset/model"."""
        return f"{self.synset}/{self.name}"


def find(folder: Path, what: str) -> Path:
    """The folder or archive `what` below `folder`.

    Raises:
        MissingError: Neither is there.
    """
    for base in (folder, folder / "ShapeNet", folder / "shapenet"):
        if (base / what).is_dir():
            return base / what
        for suffix in _SUFFIXES:
            if (base / f"{what}{suffix}").is_file():
                return base / f"{what}{suffix}"
    raise MissingError(
        f"'{folder}' holds neither a folder '{what}' nor '{what}.tgz'",
        hint="give the folder which holds ShapeNetRendering and ShapeNetVox32: "
        "bench prepare shapenet --from DIR",
    )


@dataclass(frozen=True)
class Fingerprint:
    """What tells one source from another.

    Attributes:
        content: The hash that is stored: sha256 of an archive; of a folder, sha256 over the sorted
            relative paths and sizes of its files and the contents of all but the pictures. Equal
            for equal copies.
        moment: The hash that an interrupted conversion must find again before it goes on: the
            content's, and for a folder when each file was last written, so that a picture mended
            meanwhile is not mixed with what was made from the broken one.
    """

    content: str
    moment: str


def fingerprint(path: Path) -> Fingerprint:
    """Looks at every file of a folder and reads all but its pictures; reads an archive whole."""
    if path.is_file():
        content = sha256_file(path)
        return Fingerprint(content, content)
    digest, times = hashlib.sha256(), hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if not file.is_file() or file.is_symlink():
            continue
        name, facts = file.relative_to(path).as_posix(), file.stat()
        body = "" if file.suffix.lower() == _NOT_HASHED else sha256_file(file)
        digest.update(f"{name} {facts.st_size} {body}\n".encode("utf-8", "surrogateescape"))
        times.update(f"{facts.st_mtime_ns}\n".encode())
    times.update(digest.digest())
    return Fingerprint(digest.hexdigest(), times.hexdigest())


def models(
    path: Path,
    what: str,
    skip: Callable[[str, str], bool],
    complete: Callable[[dict[str, bytes]], bool],
) -> Iterator[Model]:
    """Model folders of a source.

    Args:
        path: Folder or archive, as from `find`.
        what: `RENDERING` or `VOXELS`.
        skip: Function of (synset, model): True spares reading it; it is yielded without files.
        complete: Says from a model's files that no more will come, so that an archive's models
            can be handed on before its end.

    Yields:
        Each model once: sorted for a folder, for an archive in the order in which they complete.
    """
    if path.is_dir():
        yield from _from_folder(path, skip)
    else:
        yield from _from_archive(path, what, skip, complete)


def _from_folder(path: Path, skip: Callable[[str, str], bool]) -> Iterator[Model]:
    for synset in _folders(path):
        for name in _folders(path / synset):
            if skip(synset, name):
                yield Model(synset, name, {})
                continue
            folder = path / synset / name
            inner = folder / "rendering"
            files = {
                file.name: _read(file)
                for file in sorted((inner if inner.is_dir() else folder).iterdir())[:_MODEL_FILES]
                if file.is_file()
            }
            yield Model(synset, name, files)


def _folders(path: Path) -> list[str]:
    # The names become ids, which stand in reports: as strict as with an archive's members.
    return sorted(safe_name(p.name, path) for p in path.iterdir() if p.is_dir())


def _read(file: Path) -> bytes:
    if file.stat().st_size > 1 << 26:
        raise InputError(f"'{file}' is {file.stat().st_size} bytes long; refused")
    return file.read_bytes()


def _from_archive(
    path: Path,
    what: str,
    skip: Callable[[str, str], bool],
    complete: Callable[[dict[str, bytes]], bool],
) -> Iterator[Model]:
    pending: dict[tuple[str, str], dict[str, bytes]] = {}
    handed: set[tuple[str, str]] = set()
    held = 0

    def want(name: str) -> bool:
        place = _place(name, what)
        return place is not None and (place[0], place[1]) not in handed and not skip(*place[:2])

    for member in read_archive(path, want=want):
        place = _place(member.name, what)
        if place is None:
            continue
        key = (place[0], place[1])
        if key in handed:
            continue
        if skip(*key):
            handed.add(key)
            yield Model(*key, {})
            continue
        files = pending.setdefault(key, {})
        if member.data is None or place[2] is None:
            continue
        if place[2] in files or len(files) >= _MODEL_FILES:
            raise InputError(f"'{path}' holds '{member.name}' twice, or too many files of a model")
        files[place[2]] = member.data
        held += len(member.data)
        if complete(files):
            held -= sum(map(len, files.values()))
            handed.add(key)
            yield Model(*key, pending.pop(key))
        elif held > _PENDING:
            raise InputError(
                f"'{path}' mixes the files of thousands of models",
                hint=f"unpack it, and type: bench prepare shapenet --from {path.parent}",
            )
    for key in sorted(pending):
        yield Model(*key, pending[key])


def _place(name: str, what: str) -> tuple[str, str, str | None] | None:
    """Synset, model and file name of a member's path, or None if it is none of ours."""
    parts = name.split("/")
    if what in parts:
        parts = parts[parts.index(what) + 1 :]
    if len(parts) < 2 or len(parts) > 4:
        return None
    synset, model = parts[0], parts[1]
    rest = [part for part in parts[2:] if part != "rendering"]
    return synset, model, rest[-1] if rest else None
