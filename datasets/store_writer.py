"""Writing a data set: whole shards first, then one file put together and renamed.

A shard is written under a temporary name and renamed, so after `kill -9` at any moment it exists or
it does not; the next run makes only the missing ones. The final file is put together from the
shards and renamed last; the same objects give the same bytes whatever the shards were.
"""

from __future__ import annotations

import dataclasses
import glob
import itertools
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchbench.core.errors import BenchError, InputError, UsageError
from benchbench.core.files import FileLock, explain_disk, read_json, write_json
from benchbench.core.types import Mesh
from benchbench.datasets.columns import columns
from benchbench.datasets.hdf5_files import new_file, sync
from benchbench.datasets.records import Encoded, Layout, ObjectRecord, encode
from benchbench.datasets.store_assembly import Contents, Shards, assemble, write_head
from benchbench.datasets.store_format import (
    SCHEMA,
    check_splits,
    dump,
    part_name,
    part_pattern,
    read_attribute,
    read_text,
    store_identity,
    write_text,
)


class StoreWriter:
    """Writes ``<root>/<id>.h5`` and its sidecar ``<root>/<id>.json``, resuming by whole shards.

    Use as a context manager; it holds an advisory lock for the data set, so a second process waits.

    Args:
        root: Folder of the data sets.
        dataset: Data set id.
        classes: (synset, name) in data-set order.
        layout: What every object has.
        info: title, licence, citation, axes, converter, sources and so on: JSON-able, identifying,
            without dates or paths.
        plan: What decides the content (sources' hashes, seed, size, converter version). Shards and
            files of another plan are not reused.
        overwrite: Forget what is there and start anew.
        resume_key: What more must be unchanged for shards to be reused; not kept in the file.
        objects_per_file: Most objects of a file: a data set of more lies in several, which
            ``<root>/<id>.h5`` names. None puts all in one.

    Example:
        >>> import tempfile
        >>> from benchbench.datasets.cameras import kato_cameras
        >>> from benchbench.datasets.records import Rendering, VoxelKind
        >>> from benchbench.datasets.store import Store
        >>> grid = np.zeros((2, 2, 2), bool)
        >>> grid[0, 1, 0] = True
        >>> record = ObjectRecord("03001627/a", "03001627", {"kato": np.zeros((24, 64, 64, 4),
        ...     np.uint8)}, {"kato": kato_cameras()}, {"kato": grid})
        >>> with StoreWriter(tempfile.mkdtemp(), "toy", (("03001627", "chair"),),
        ...         Layout({"kato": Rendering(64, 64, ("azimuth", "elevation", "distance"))},
        ...             {"kato": VoxelKind(2, np.eye(4))}),
        ...         {"title": "toy"}, {"seed": 0}) as writer:
        ...     if not writer.done(0):
        ...         writer.shard(0, [record])
        ...     path = writer.finish({"all": {"test": ["03001627/a"]}})
        >>> store = Store(path)
        >>> store.object_ids, store.voxels(0).sum().item(), store.view_count(0)
        (['03001627/a'], 1, 24)
    """

    def __init__(
        self,
        root: str | Path,
        dataset: str,
        classes: Sequence[tuple[str, str]],
        layout: Layout,
        info: Mapping[str, Any],
        plan: Mapping[str, Any],
        overwrite: bool = False,
        resume_key: str = "",
        objects_per_file: int | None = None,
    ) -> None:
        if objects_per_file is not None and objects_per_file < 1:
            raise UsageError(f"a file of {objects_per_file} objects holds nothing")
        self.root, self.dataset = Path(root), dataset
        self.path = self.root / f"{dataset}.h5"
        self.sidecar = self.root / f"{dataset}.json"
        self.partial = self.root / ".partial" / dataset
        self._classes = tuple(classes)
        self.layout = layout
        self._columns = columns(layout)
        self._info = json.loads(dump(dict(info)))
        self.objects_per_file = objects_per_file
        several = {} if objects_per_file is None else {"objects_per_file": objects_per_file}
        self._plan = json.loads(dump({"schema": SCHEMA, **plan, **several}))
        self._note = {**self._plan, "resume_key": resume_key}
        self._overwrite = overwrite
        lock = self.root / ".partial" / f"{dataset}.lock"
        self._lock = FileLock(lock, f"data set '{dataset}'")

    def __enter__(self) -> StoreWriter:
        self._lock.__enter__()
        try:
            with explain_disk(self.partial):
                self._begin()
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._lock.__exit__(*exc_info)

    def _begin(self) -> None:
        note = self.partial / "plan.json"
        if self._overwrite or _content(note) != self._note:
            if self.partial.exists():
                shutil.rmtree(self.partial)
            self.partial.mkdir(parents=True)
            write_json(note, self._note)
        for leftover in [*self.partial.glob("*.tmp"), *self.partial.glob(".*.tmp")]:
            leftover.unlink(missing_ok=True)

    @property
    def finished(self) -> bool:
        """Whether the final file of this very plan is there (and was not to be overwritten).

        A sidecar lost to a kill between the two renames, or broken, is written again.
        """
        if self._overwrite or not self.path.is_file():
            return False
        try:
            with h5py.File(self.path, "r") as file:
                if int(file.attrs.get("schema", 0)) != SCHEMA:
                    return False
                if json.loads(read_attribute(file, "info"))["plan"] != self._plan:
                    return False
                facts = _facts(file, self.path)  # fails where a part is gone
        except (OSError, RuntimeError, KeyError, ValueError):
            return False
        if _content(self.sidecar) != facts:
            write_json(self.sidecar, facts)
        shutil.rmtree(self.partial, ignore_errors=True)
        return True

    def sidecar_is_right(self) -> bool:
        """Whether the sidecar says what the file does; looks without the lock."""
        with h5py.File(self.path, "r") as file:
            return bool(_content(self.sidecar) == _facts(file, self.path))

    # -- shards -----------------------------------------------------------------------------

    def _shard_path(self, number: int) -> Path:
        return self.partial / f"shard-{number:06d}.h5"

    def done(self, number: int) -> bool:
        """Whether shard `number` was written whole."""
        path = self._shard_path(number)
        if not path.is_file():
            return False
        try:
            with h5py.File(path, "r") as file:
                whole = bool(file.attrs.get("complete", False))
        except (OSError, RuntimeError):
            whole = False
        if not whole:
            path.unlink()
        return whole

    def shard(
        self,
        number: int,
        records: Iterable[ObjectRecord | Encoded],
        failed: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Write one shard whole.

        Args:
            number: From 0; any order, any size (some dozens of objects).
            records: Its objects, packed or not.
            failed: (id, reason) of objects which belong here and could not be made.
        """
        packed = [r if isinstance(r, Encoded) else encode(r, self.layout) for r in records]
        for item in packed:
            self._check(item)
        path = self._shard_path(number)
        temporary = path.with_suffix(".tmp")
        with new_file(temporary, path) as file:
            write_text(file, "ids", dump([p.id for p in packed]))
            write_text(file, "failed", dump([[i, str(r)] for i, r in failed]))
            for name, (row, dtype) in self._columns.items():
                rows = [p.columns[name] for p in packed]
                counts = np.array([len(r) for r in rows], np.int64)
                empty = np.zeros((0, *row), dtype)
                file[name] = np.concatenate([empty, *rows]).astype(empty.dtype, copy=False)
                file[f"{name}@offset"] = np.concatenate([[0], np.cumsum(counts)])
            file.attrs["complete"] = True
        with explain_disk(path):
            temporary.replace(path)

    def shards(self) -> list[int]:
        """Numbers of the shards that are there."""
        return sorted(int(p.stem.split("-")[1]) for p in self.partial.glob("shard-*.h5"))

    def stored(self) -> dict[str, tuple[int, int]]:
        """Object id to (shard, row) of everything in the shards, in shard order."""
        places: dict[str, tuple[int, int]] = {}
        for number in self.shards():
            with h5py.File(self._shard_path(number), "r") as file:
                for row, name in enumerate(json.loads(read_text(file, "ids"))):
                    if name in places:
                        raise BenchError(f"object '{name}' is in two shards")
                    places[name] = (number, row)
        return places

    def parameters(self) -> Iterator[dict[str, Any]]:
        """Notes of the maker on each object in the shards."""
        for number in self.shards():
            with h5py.File(self._shard_path(number), "r") as file:
                text = file["objects/parameters"][()].tobytes()
                offset = file["objects/parameters@offset"][()].tolist()
            for start, stop in itertools.pairwise(offset):
                yield json.loads(text[start:stop] or "{}")

    def failed(self) -> list[tuple[str, str]]:
        """(id, reason) noted in the shards."""
        found: list[tuple[str, str]] = []
        for number in self.shards():
            with h5py.File(self._shard_path(number), "r") as file:
                found += [(str(i), str(r)) for i, r in json.loads(read_text(file, "failed"))]
        return found

    def _check(self, item: Encoded) -> None:
        if item.synset not in dict(self._classes) or not item.id.startswith(f"{item.synset}/"):
            raise InputError(f"object '{item.id}' of class '{item.synset}' does not fit the set")
        for name, (row, _) in self._columns.items():
            if name not in item.columns:
                raise InputError(f"object '{item.id}' lacks {name}")
            if item.columns[name].shape[1:] != row:
                raise InputError(
                    f"object '{item.id}': {name} has rows of {item.columns[name].shape[1:]}, "
                    f"not {row}"
                )

    # -- the final file ---------------------------------------------------------------------

    def finish(
        self,
        splits: Mapping[str, Mapping[str, Sequence[str]]],
        default_split: str | None = None,
        excluded: Sequence[tuple[str, str]] = (),
        order: Sequence[str] | None = None,
        shared_meshes: Mapping[str, Mesh] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> Path:
        """Put the shards together, rename, write the sidecar, remove the shards.

        Args:
            splits: Split name to {"train": ids, "val": ids, "test": ids} (parts may be left out).
            default_split: The one used when none is named; the first if None.
            excluded: (id, reason) of what the sources name and the store does not hold, besides
                the failed ones of the shards.
            order: Ids in data-set order; None for shard order.
            shared_meshes: The meshes that records name by key, each stored once.
            facts: Further entries of `info`, known only now.

        Returns:
            The path of the file.
        """
        places = self.stored()
        ids = list(order) if order is not None else list(places)
        if set(ids) != set(places) or len(ids) != len(places):
            raise BenchError("the order of objects does not name what the shards hold")
        check_splits(splits, set(ids))
        info = {**self._info, "classes": [list(pair) for pair in self._classes]}
        whole = Contents(
            dataset=self.dataset,
            layout=self.layout,
            info={**info, "plan": self._plan, **json.loads(dump(dict(facts or {})))},
            ids=ids,
            places=[places[name] for name in ids],
            splits=splits,
            default_split=default_split or next(iter(splits)),
            excluded=excluded,
            failed=self.failed(),
            shared_meshes=shared_meshes or {},
        )
        temporary = self.partial / "assembled.tmp"
        with Shards({number: self._shard_path(number) for number in self.shards()}) as shards:
            if self.objects_per_file is None or len(ids) <= self.objects_per_file:
                assemble(temporary, self.path, shards, whole)
            else:
                self._write_parts(temporary, shards, whole, self.objects_per_file)
        with explain_disk(self.path):
            self.sidecar.unlink(missing_ok=True)  # never a sidecar that speaks of another file
            temporary.replace(self.path)
            sync(self.root)
        with h5py.File(self.path, "r") as file:
            content = _facts(file, self.path)
            self._remove_parts(keep=[name for name, _, _ in _parts(file)])
        write_json(self.sidecar, content)
        shutil.rmtree(self.partial, ignore_errors=True)
        return self.path

    def _write_parts(self, temporary: Path, shards: Shards, whole: Contents, objects: int) -> None:
        """The parts under their final names, then the file that names them under `temporary`.

        A part's name says what it holds, so those of an older file stay whole beside them.
        """
        starts = range(0, len(whole.ids), objects)
        parts: list[tuple[str, int, str]] = []
        for number, start in enumerate(starts, 1):
            part = dataclasses.replace(
                whole,
                ids=whole.ids[start : start + objects],
                places=whole.places[start : start + objects],
                excluded=(),
                failed=(),
            )
            made = self.partial / "part.tmp"
            identity = assemble(made, self.path, shards, part)
            name = part_name(self.dataset, number, len(starts), identity)
            with explain_disk(self.root / name):
                made.replace(self.root / name)
            parts.append((name, len(part.ids), identity))
        hashes = []
        for name, _, _ in parts:
            with h5py.File(self.root / name, "r") as file:
                hashes += [row.tobytes() for row in file["objects/identity"][()]]
        with new_file(temporary, self.path) as file:
            write_text(file, "parts", dump(parts))
            identity = store_identity(self.dataset, zip(whole.ids, hashes, strict=True))
            write_head(file, whole, identity)

    def _remove_parts(self, keep: Sequence[str]) -> None:
        """Parts of an older file of this id, or of a conversion that was killed."""
        pattern = part_pattern(self.dataset)
        for path in self.root.glob(f"{glob.escape(self.dataset)}-*.h5"):
            if pattern.fullmatch(path.name) and path.name not in keep:
                path.unlink(missing_ok=True)


def _content(note: Path) -> Any:
    try:
        return read_json(note)
    except (OSError, InputError):
        return None


def _parts(file: h5py.File) -> list[tuple[str, int, str]]:
    """Name, objects and identity of the files that hold the objects, where there are several."""
    return [tuple(part) for part in json.loads(read_text(file, "parts"))] if "parts" in file else []


def _facts(file: h5py.File, path: Path) -> dict[str, Any]:
    """What the sidecar says; enough for listing without HDF5."""
    files = [path, *(path.parent / name for name, _, _ in _parts(file))]
    return {
        "schema": SCHEMA,
        "id": read_attribute(file, "id"),
        "identity": read_attribute(file, "identity"),
        "files": len(files),
        "bytes": sum(one.stat().st_size for one in files),
        "excluded": len(json.loads(read_text(file, "excluded"))),
        **json.loads(read_attribute(file, "info")),
    }
