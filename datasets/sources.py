"""What a conversion reads: folders or archives found in a user's folder, and their fingerprints."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchbench.core.errors import InputError, MissingError
from benchbench.core.files import sha256_file

ARCHIVES = (".tgz", ".tar.gz", ".tar", ".zip")
_NOT_HASHED = (".png", ".jpg", ".jpeg")  # millions of files; their names and sizes count
_FILE_BYTES = 1 << 26

HASH_TITLE = (
    "sha256 of the archive; of a folder, over the names and sizes of its files and the contents "
    "of all but the pictures"
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
        bytes: Of all its files.
    """

    content: str
    moment: str
    bytes: int


def fingerprint(path: Path) -> Fingerprint:
    """Looks at every file of a folder and reads all but its pictures; reads an archive whole."""
    if path.is_file():
        content = sha256_file(path)
        return Fingerprint(content, content, path.stat().st_size)
    digest, times, total = hashlib.sha256(), hashlib.sha256(), 0
    for name, entry in _entries(path):
        facts = entry.stat(follow_symlinks=False)
        pictures = os.path.splitext(name)[1].lower() in _NOT_HASHED
        body = "" if pictures else _hash(entry.path, facts.st_size)
        digest.update(f"{name} {facts.st_size} {body}\n".encode("utf-8", "surrogateescape"))
        times.update(f"{facts.st_mtime_ns}\n".encode())
        total += facts.st_size
    times.update(digest.digest())
    return Fingerprint(digest.hexdigest(), times.hexdigest(), total)


def _hash(file: str, size: int) -> str:
    if size > 1 << 20:
        return sha256_file(file)
    with open(file, "rb", buffering=0) as short:  # millions of them: no buffer, no loop
        return hashlib.sha256(short.read()).hexdigest()


def files_below(folder: Path) -> Iterator[str]:
    """Relative paths of all files, no links, in the order of their parts; holds a folder at a time.

    The largest set has 3.4 million files; a sorted list of their paths takes 1.6 GB.
    """
    return (name for name, _ in _entries(folder))


def _entries(folder: str | Path, inside: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(entry.path, f"{inside}{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            yield f"{inside}{entry.name}", entry


def find(folder: Path, names: Iterable[str], command: str, below: Iterable[str] = ()) -> Path:
    """The folder or archive of one of these names in `folder`.

    Args:
        folder: Where the user says the files are.
        names: Names without an archive's suffix, the likeliest first.
        command: What to type, for the hint.
        below: Folders inside `folder` where it may lie too.

    Raises:
        MissingError: None is there.
    """
    names = list(names)
    for base in (folder, *(folder / inner for inner in below)):
        for name in names:
            if (base / name).is_dir():
                return base / name
            for suffix in ARCHIVES:
                if (base / f"{name}{suffix}").is_file():
                    return base / f"{name}{suffix}"
    wanted = " or ".join(f"'{name}'" for name in names)
    raise MissingError(
        f"'{folder}' holds neither a folder {wanted} nor such a .tgz, .tar or .zip",
        hint=f"give the folder which holds {names[0]}: {command}",
    )


def read_file(file: Path, most: int = _FILE_BYTES) -> bytes:
    """A file's bytes.

    Raises:
        InputError: It is longer than `most` bytes.
    """
    size = file.stat().st_size
    if size > most:
        raise InputError(f"'{file}' is {size} bytes long; refused")
    return file.read_bytes()
