"""`bench prepare shapenet-core --from DIR`: a user's own tree of OBJ files.

Files are read where they are needed, in the process that converts them; memory holds a few models
a process, whatever the size of the tree. From archives a model's files pass through this process.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchbench.core.classes import SYNSETS
from benchbench.core.errors import InputError, MissingError, UsageError
from benchbench.core.names import require
from benchbench.datasets import preparing
from benchbench.datasets.archives import Limits, read_archive, safe_name
from benchbench.datasets.model_folders import Tree, models
from benchbench.datasets.obj_files import MAX_BYTES
from benchbench.datasets.records import ObjectRecord
from benchbench.datasets.shapenet_core.convert import RELEASES, convert, layout
from benchbench.datasets.shapenet_core.spec import SPEC
from benchbench.datasets.sources import ARCHIVES, read_file
from benchbench.datasets.spec import PrepareReport
from benchbench.datasets.split_lists import cut_to_stored, split_list, split_list_names
from benchbench.datasets.splits import Split, repository_split_with_val
from benchbench.datasets.store import Store

COMMAND = "bench prepare shapenet-core"
NAMES = ("ShapeNetCore.v1", "ShapeNetCore.v2", "ShapeNetCore")
OWN_SPLIT = "own-70-10-20"
_LIMITS = Limits(member_bytes=MAX_BYTES, total_bytes=1 << 40)


def locate(folder: Path) -> dict[str, Path]:
    """The folder or archive of every class that is there, or one archive of all.

    Raises:
        MissingError: There is none.
        UsageError: There are two releases.
    """
    whole = {name: path for name in NAMES if (path := _archive(folder, name))}
    trees = {name: found for name in NAMES if (found := _classes(folder / name))}
    if own := _classes(folder):
        trees = {folder.name: own}
    elif len(whole) + len(trees) > 1:
        both = ", ".join([*trees, *(path.name for path in whole.values())])
        raise UsageError(f"'{folder}' holds {both}", hint=f"name one: {COMMAND} --from DIR")
    for found in trees.values():
        return found
    if whole:
        return whole
    raise MissingError(
        f"'{folder}' holds none of the 13 classes as a folder or archive (02691156 and so on)",
        hint=f"give the folder ShapeNetCore.v1 or ShapeNetCore.v2: {COMMAND} --from DIR",
    )


def _classes(folder: Path) -> dict[str, Path]:
    found = {}
    for synset in SYNSETS:
        path = folder / synset if (folder / synset).is_dir() else _archive(folder, synset)
        if path:
            found[synset] = path
    return found


def _archive(folder: Path, name: str) -> Path | None:
    paths = (folder / f"{name}{suffix}" for suffix in ARCHIVES)
    return next((path for path in paths if path.is_file()), None)


@dataclasses.dataclass
class _Core(preparing.Conversion):
    """Nothing is held but the names of models."""

    found: Mapping[str, Path] = dataclasses.field(default_factory=dict)
    release: str = "v1"
    pictures: tuple[str, ...] = ()

    def jobs(self, done: frozenset[str]) -> Iterator[preparing.Job]:
        for name, path in self.found.items():
            if path.is_dir():
                yield from self._from_folder(name, path, done)
            else:
                yield from self._from_archive(path, done)

    def _from_folder(
        self, synset: str, path: Path, done: frozenset[str]
    ) -> Iterator[preparing.Job]:
        obj, mtl = RELEASES[self.release]
        for model in _models(path):
            key, folder = f"{synset}/{model}", path / model
            if key in done:
                continue
            if not (folder / obj).is_file() or (folder / obj).is_symlink():
                self.excluded[key] = f"has no {obj}"
                continue
            materials = folder / mtl if (folder / mtl).is_file() else None
            make = partial(_read, synset, model, self.release, folder / obj, materials)
            yield preparing.Job(key, partial(make, self.pictures))

    def _from_archive(self, path: Path, done: frozenset[str]) -> Iterator[preparing.Job]:
        obj, mtl = RELEASES[self.release]
        tree = Tree(
            f"ShapeNetCore.{self.release}",
            lambda files: obj in files and mtl in files,
            COMMAND,
            want=lambda inside: inside in (obj, mtl),
            limits=_LIMITS,
        )

        def skip(synset: str, model: str) -> bool:
            return synset not in SYNSETS or f"{synset}/{model}" in done

        for model in models(path, tree, skip):
            if skip(model.synset, model.name):
                continue
            if obj not in model.files:
                self.excluded[model.id] = f"has no {obj}"
                continue
            files = (model.files[obj], model.files.get(mtl), self.pictures)
            yield preparing.Job(
                model.id, partial(convert, model.synset, model.name, self.release, *files)
            )

    def splits(self, stored: frozenset[str]) -> Mapping[str, Split]:
        lists = [split_list(name) for name in split_list_names()]
        splits, self.facts["split_lists"] = cut_to_stored(lists, stored)
        folders: dict[str, list[str]] = {}
        for id in stored:
            synset, model = id.split("/")
            folders.setdefault(synset, []).append(model)
        return splits | {OWN_SPLIT: repository_split_with_val(folders)}

    def remarks(self, notes: Iterator[dict[str, Any]]) -> list[str]:
        total = closed = exact = grey = 0
        for one in notes:
            total += 1
            grey += one["faces_without_colour"] > 0
            closed += one["watertight"]
            exact += one["occupancy"] == "winding"
        found = [
            f"{closed} of {total} meshes are closed; occupancy is exact for {exact} and that of "
            f"voxels for {total - exact}"
        ]
        if grey and self.pictures:
            found.append(
                f"{grey} of {total} objects have faces without a colour, which were drawn grey: "
                "their .mtl file is not there, or lacks a material"
            )
        return found


def _models(path: Path) -> list[str]:
    # The names become ids, which stand in reports: as strict as with an archive's members.
    return sorted(
        safe_name(one.name, path) for one in path.iterdir() if one.is_dir() and not one.is_symlink()
    )


def _read(
    synset: str, model: str, release: str, obj: Path, mtl: Path | None, pictures: Sequence[str]
) -> ObjectRecord:
    materials = read_file(mtl) if mtl is not None else None
    return convert(synset, model, release, read_file(obj, MAX_BYTES), materials, pictures)


def read(pictures: tuple[str, ...], found: Mapping[str, Path]) -> preparing.Conversion:
    """Sees which release the files are of; the models are read one by one in `jobs`.

    Raises:
        InputError: There is no model of either release.
    """
    seen = [
        release
        for release, (obj, _) in RELEASES.items()
        if any(_holds(path, obj) for path in found.values())
    ]
    if not seen:
        named = " nor ".join(obj for obj, _ in RELEASES.values())
        raise InputError(f"'{next(iter(found.values()))}' holds neither {named}")
    release = seen[0]
    total = sum(len(_models(path)) for path in found.values() if path.is_dir())
    facts = {"release": f"ShapeNetCore.{release}"}
    return _Core(total=total, facts=facts, found=found, release=release, pictures=pictures)


def _holds(path: Path, obj: str) -> bool:
    if path.is_dir():
        return any((path / model / obj).is_file() for model in _models(path))
    members = read_archive(path, _LIMITS, lambda _: False)
    return any(member.name.endswith(f"/{obj}") for member in members)


def converter(pictures: tuple[str, ...]) -> preparing.Converter:
    """How the set is made with these renderings."""
    return preparing.Converter(
        spec=SPEC,
        version=f"shapenet-core 1, pictures {' '.join(pictures) or 'none'}",
        classes=tuple(SYNSETS.items()),
        layout=layout(pictures),
        axes="x front, y up, right-handed; ShapeNetCore v1, longest side 1, centred",
        locate=locate,
        read=partial(read, pictures),
        most_workers=4,  # some 350 MB each: 256^3 cells, and what the allocator keeps of them
    )


def prepare(root: Path, *, pictures: str | None = None, **options: Any) -> PrepareReport:
    """Make `<root>/shapenet-core.h5`; the same call again goes on where it stopped.

    Args:
        root: Folder of the data sets.
        pictures: Names of renderings with commas between them, or "none"; None for "kato".
        options: As for every set, see `preparing.prepare`.

    Raises:
        UsageError: No such rendering, or the set is prepared with others.
    """
    wanted = SPEC.renderings[0] if pictures is None else pictures
    names = [name.strip() for name in wanted.split(",")]
    if names == ["none"]:
        names = []
    for name in names:
        require(name, SPEC.pictures, "rendering")
    chosen = tuple(name for name in SPEC.pictures if name in names)
    path = Path(root) / f"{SPEC.id}.h5"
    if pictures is not None and options.get("source") is None and path.is_file():
        found = Store(path).renderings
        if found != chosen and not options.get("overwrite"):
            raise UsageError(
                f"'{path}' has the pictures {', '.join(found) or 'none'}",
                hint=f"{COMMAND} --from DIR --pictures {pictures} --overwrite",
            )
    return preparing.prepare(converter(chosen), Path(root), **options)
