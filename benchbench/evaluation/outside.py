"""Predictions that somebody else made: a folder of shapes or an HDF5 file of this schema."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchbench.core.errors import CheckError, InputError, MissingError, UsageError
from benchbench.core.files import sha256_file
from benchbench.core.names import closest
from benchbench.datasets.store import Store
from benchbench.evaluation.meshes_in import SUFFIXES, read_shape
from benchbench.evaluation.predictions import Item, Shard, make_item
from benchbench.evaluation.shape_files import shape_files


@dataclass(frozen=True)
class Outside:
    """What was found.

    Attributes:
        name: For the table.
        entries: (object id, view) to a function that reads the item; view -1 stands for all views.
        content: sha256 hex of everything that is read.
        ignored: Files that are no predictions.
        threshold: That the file itself states for voxels, or None.
    """

    name: str
    entries: dict[tuple[str, int], Callable[[], Item]]
    content: str
    ignored: int
    threshold: float | None

    def views(self) -> list[int]:
        """Views that occur anywhere, -1 left out.

        Example:
            >>> Outside("a", {}, "", 0, None).views()
            []
        """
        return sorted({view for _, view in self.entries if view >= 0})


def open_outside(path: Path, store: Store) -> Outside:
    """Lists the predictions under `path`.

    Args:
        path: A folder `<synset or class>/<object>/<view>.{obj,off,ply,glb,npy,npz,binvox}` or
            `<synset or class>/<object>.{...}`; an `.h5`; or a folder of `shard-*.h5`.
        store: The data set that they belong to.

    Raises:
        CheckError: An object or view that the data set does not have, two files for one item, a
            link, or a folder that cannot be read.
        MissingError: There is nothing.
    """
    if not path.exists():
        raise MissingError(f"there are no predictions at '{path}'", hint="bench score --help")
    if path.is_file():
        if path.suffix.lower() not in (".h5", ".hdf5"):
            raise UsageError(
                f"'{path}' is neither a folder nor an .h5 file of predictions",
                hint="bench score FOLDER, with <synset>/<object>/<view>.obj in it",
            )
        return _from_shards(path.stem, [path], store)
    shards = sorted(path.glob("shard-*.h5"))
    if shards:
        return _from_shards(path.resolve().name, shards, store)
    return _from_folder(path, store)


def _from_shards(name: str, paths: list[Path], store: Store) -> Outside:
    entries: dict[tuple[str, int], Callable[[], Item]] = {}
    contents, thresholds = [], set()
    for path in paths:
        shard = Shard(path)
        contents.append(shard.content)
        thresholds.add(shard.threshold)
        for n, key in enumerate(shard.keys):
            _check_known(store, *key, str(path))
            if key in entries:
                raise CheckError(f"'{path}' holds '{key[0]}' view {key[1]} twice")
            entries[key] = lambda shard=shard, n=n: _checked(shard.item(n))  # type: ignore[misc]
    if len(thresholds) > 1:
        raise CheckError(f"the files of '{name}' state different thresholds {sorted(thresholds)}")
    if not entries:
        raise MissingError(f"'{name}' holds no predictions")
    digest = hashlib.sha256("\n".join(contents).encode()).hexdigest()
    return Outside(name, entries, digest, 0, thresholds.pop())


def _checked(item: Item) -> Item:
    # A stranger's file may call something "ok" that is not.
    if item.prediction is None:
        return item if item.status != "ok" else make_item(item.object_id, item.view, None)
    return make_item(item.object_id, item.view, item.prediction)


def _from_folder(path: Path, store: Store) -> Outside:
    synset_of = {name: synset for synset, name in store.classes}
    entries: dict[tuple[str, int], Callable[[], Item]] = {}
    digest = hashlib.sha256()
    files, ignored = shape_files(path)
    for file in files:
        parts = file.relative_to(path).parts
        if len(parts) not in (2, 3):
            raise CheckError(
                f"'{file}' is no <synset>/<object>/<view>{file.suffix}",
                hint="other depths are not followed",
            )
        synset = synset_of.get(parts[0], parts[0])
        if len(parts) == 2:
            object_id, view = f"{synset}/{file.stem}", -1
        else:
            object_id = f"{synset}/{parts[1]}"
            if not file.stem.isdigit():
                raise CheckError(f"'{file}': '{file.stem}' is no number of a view")
            view = int(file.stem)
        _check_known(store, object_id, view, str(file))
        if (object_id, view) in entries:
            raise CheckError(f"'{file}': '{object_id}' view {view} is there twice")
        entries[object_id, view] = lambda i=object_id, v=view, f=file: _read(i, v, f)  # type: ignore[misc]
        what = f"{object_id} {view} {file.suffix.lower()} {sha256_file(file)}"
        digest.update(f"{what}\n".encode())
    if not entries:
        raise MissingError(
            f"'{path}' holds no predictions ({ignored} other files)",
            hint=f"name them <synset>/<object>/<view>{{{','.join(SUFFIXES)}}}",
        )
    return Outside(path.resolve().name, entries, digest.hexdigest(), ignored, None)


def _read(object_id: str, view: int, file: Path) -> Item:
    try:
        return make_item(object_id, view, read_shape(file))
    except InputError as error:
        return Item(object_id, view, None, "unreadable", str(error)[:1000])


def _check_known(store: Store, object_id: str, view: int, where: str) -> None:
    try:
        row = store.index_of(object_id)
    except UsageError as error:
        near = closest(object_id, store.object_ids)
        raise CheckError(
            f"'{where}': data set '{store.id}' has no object '{object_id}'",
            hint=f"did you mean '{near[0]}'?" if near else error.hint,
        ) from error
    most = max((store.view_count(row, r) for r in store.renderings), default=0)
    if view >= most or view < -1:
        raise CheckError(
            f"'{where}': object '{object_id}' has {most} views, no view {view}",
            hint=f"views count from 0 to {most - 1}",
        )


def select(
    found: Outside, store: Store, rows: list[int], views: list[int] | None
) -> tuple[list[tuple[int, int]], int]:
    """Which items are scored, in data-set order, and how many found ones are left aside.

    An object that has a file without a view is one item. Every other object is expected in every
    view that occurs anywhere (or that was asked for); what is absent becomes a missing item.

    Args:
        found: From `open_outside`.
        store: The data set.
        rows: Objects of the split.
        views: Asked for, or None for those that occur.
    """
    expected = found.views() if views is None else views
    items: list[tuple[int, int]] = []
    for row in rows:
        object_id = store.object_ids[row]
        if (object_id, -1) in found.entries or not expected:
            items.append((row, -1))
            continue
        most = max((store.view_count(row, r) for r in store.renderings), default=0)
        items += [(row, view) for view in expected if view < most]
    keys = {(store.object_ids[row], view) for row, view in items}
    return items, len(set(found.entries) - keys)


def read_item(found: Outside, object_id: str, view: int) -> Item:
    """The item, or a missing one."""
    reader = found.entries.get((object_id, view))
    if reader is None:
        return Item(object_id, view, None, "missing", "no file for it")
    return reader()
