"""Model folders `<what>/<synset>/<model>/...`, from an unpacked folder or streamed from an archive.

Most of the field's ShapeNet archives have this form; `Tree` says what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchbench.core.errors import InputError
from benchbench.datasets.archives import Limits, read_archive, safe_name
from benchbench.datasets.sources import files_below, read_file

_PENDING = 1 << 29  # bytes of half-seen models held in memory while an archive is read

_DEEPEST = 5  # synset, model, and a file at most two folders down

Skip = Callable[[str, str], bool]


class FolderFiles(Mapping[str, bytes]):
    """Files of a folder, read when asked for: by the process that converts the model.

    Args:
        folder: The folder.
        places: What a file is called here to its path in the folder.
    """

    def __init__(self, folder: Path, places: Mapping[str, str]) -> None:
        self._folder, self._places = folder, dict(places)

    def __getitem__(self, name: str) -> bytes:
        return read_file(self._folder / self._places[name])

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@dataclass(frozen=True)
class Model:
    """One model folder.

    Attributes:
        synset: Its class.
        name: Its id within the class.
        files: Path within the model's folder (without the tree's `inner` folder) to bytes.
    """

    synset: str
    name: str
    files: Mapping[str, bytes]

    @property
    def id(self) -> str:
        """ "synset/model"."""
        return f"{self.synset}/{self.name}"


@dataclass(frozen=True)
class Tree:
    """The form of a tree of model folders.

    Attributes:
        what: Name of the folder that holds the synsets.
        complete: Says from a model's files that no more will come, so that an archive's models can
            be handed on before its end.
        command: What to type for a folder instead of an archive, for hints.
        inner: A folder inside each model's whose name is left out of the files' paths, or "".
        want: Function of a file's path within the model; False spares reading it.
        most_files: An honest model folder has fewer.
        limits: What an archive must stay below; None for the limits of small files.
        inside: Function of a file's path: True for an archive in the folder or archive, whose
            members count as if it were unpacked where it lies.
    """

    what: str
    complete: Callable[[dict[str, bytes]], bool]
    command: str
    inner: str = ""
    want: Callable[[str], bool] = lambda _: True
    most_files: int = 64
    limits: Limits | None = None
    inside: Callable[[str], bool] | None = None


def models(path: Path, tree: Tree, skip: Skip) -> Iterator[Model]:
    """Model folders of a source.

    Args:
        path: Folder or archive.
        tree: Its form.
        skip: Function of (synset, model): True spares reading it; it is yielded without files.

    Yields:
        Each model once: sorted for a folder, for an archive in the order in which they complete.

    Raises:
        InputError: Broken or hostile files.
    """
    if path.is_dir():
        yield from _from_folder(path, tree, skip)
    else:
        yield from _from_archive(path, tree, skip)


def _from_folder(path: Path, tree: Tree, skip: Skip) -> Iterator[Model]:
    for synset in _folders(path):
        for name in _folders(path / synset):
            if skip(synset, name):
                yield Model(synset, name, {})
                continue
            folder = path / synset / name
            places: dict[str, str] = {}
            for below in files_below(folder):
                inside = _inside(below, tree)
                if not tree.want(inside):
                    continue
                if len(places) >= tree.most_files:
                    raise InputError(f"'{folder}' holds too many files for one model")
                places[inside] = below
            yield Model(synset, name, FolderFiles(folder, places))
    if tree.inside is not None:
        for file in sorted(path.iterdir()):
            if file.is_file() and tree.inside(f"{tree.what}/{file.name}"):
                yield from _from_archive(file, tree, skip)


def _folders(path: Path) -> list[str]:
    # The names become ids, which stand in reports: as strict as with an archive's members.
    return sorted(safe_name(p.name, path) for p in path.iterdir() if p.is_dir())


def _from_archive(path: Path, tree: Tree, skip: Skip) -> Iterator[Model]:
    pending: dict[tuple[str, str], dict[str, bytes]] = {}
    handed: set[tuple[str, str]] = set()
    held = 0

    def want(name: str) -> bool:
        place = _place(name, tree)
        if place is None or place[:2] in handed or skip(*place[:2]):
            return False
        return place[2] is not None and tree.want(place[2])

    for member in read_archive(path, want=want, inside=tree.inside):
        place = _place(member.name, tree)
        if place is None or place[:2] in handed:
            continue
        key, inside = place[:2], place[2]
        if skip(*key):
            handed.add(key)
            yield Model(*key, {})
            continue
        files = pending.setdefault(key, {})
        if member.data is None or inside is None or not tree.want(inside):
            continue
        if inside in files or len(files) >= tree.most_files:
            raise InputError(f"'{path}' holds '{member.name}' twice, or too many files of a model")
        files[inside] = member.data
        held += len(member.data)
        if tree.complete(files):
            held -= sum(map(len, files.values()))
            handed.add(key)
            yield Model(*key, pending.pop(key))
        elif held > _PENDING:
            raise InputError(
                f"'{path}' mixes the files of thousands of models",
                hint=f"unpack it, and type: {tree.command} --from '{path.parent}'",
            )
    for key in sorted(pending):
        yield Model(*key, pending[key])


def _place(name: str, tree: Tree) -> tuple[str, str, str | None] | None:
    """Synset, model and path within the model of a member, or None if it is none of ours."""
    parts = name.split("/")
    if tree.what in parts:  # the last one: an archive inside may name the folder again
        parts = parts[len(parts) - parts[::-1].index(tree.what) :]
    if not 2 <= len(parts) <= _DEEPEST:
        return None
    inside = _inside("/".join(parts[2:]), tree)
    return parts[0], parts[1], inside or None


def _inside(path: str, tree: Tree) -> str:
    if tree.inner and (path == tree.inner or path.startswith(f"{tree.inner}/")):
        return path[len(tree.inner) + 1 :]
    return path
