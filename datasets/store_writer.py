"""Writing a data set: whole shards first, then one file put together and renamed.

A shard is written under a temporary name and renamed, so after `kill -9` at any moment it exists or
it does not; the next run makes only the missing ones. The final file is put together from the
shards and renamed last; the same objects give the same bytes whatever the shards were.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from benchbench.core.errors import BenchError, InputError
from benchbench.core.files import FileLock, explain_disk, read_json, write_json
from benchbench.core.types import Mesh
from benchbench.datasets.columns import columns
from benchbench.datasets.hdf5_files import allow_open_files, new_file, sync
from benchbench.datasets.records import Encoded, Layout, ObjectRecord, encode
from benchbench.datasets.store_format import (
    SCHEMA,
    SPLITS,
    check_splits,
    dump,
    read_attribute,
    read_text,
    split_hash,
    store_identity,
    write_text,
)
from benchbench.datasets.store_tables import Tables

Array = npt.NDArray[Any]
_COPY = 1 << 22  # bytes in hand while shards are put together; more costs the system time to give


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
    ) -> None:
        self.root, self.dataset = Path(root), dataset
        self.path = self.root / f"{dataset}.h5"
        self.sidecar = self.root / f"{dataset}.json"
        self.partial = self.root / ".partial" / dataset
        self._classes = tuple(classes)
        self.layout = layout
        self._columns = columns(layout)
        self._info = json.loads(dump(dict(info)))
        self._plan = json.loads(dump({"schema": SCHEMA, **plan}))
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
                info = json.loads(read_attribute(file, "info"))
                if info["plan"] != self._plan:
                    return False
                facts = _facts(file, info, self.path)
        except (OSError, RuntimeError, KeyError, ValueError):
            return False
        if _content(self.sidecar) != facts:
            write_json(self.sidecar, facts)
        shutil.rmtree(self.partial, ignore_errors=True)
        return True

    def sidecar_is_right(self) -> bool:
        """Whether the sidecar says what the file does; looks without the lock."""
        with h5py.File(self.path, "r") as file:
            info = json.loads(read_attribute(file, "info"))
            return bool(_content(self.sidecar) == _facts(file, info, self.path))

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
        failed = self.failed()
        info = self._full_info(ids, splits, default_split or next(iter(splits)), len(failed))
        info |= json.loads(dump(dict(facts or {})))
        temporary = self.partial / "assembled.tmp"
        with contextlib.ExitStack() as stack:
            files = self._open_shards(stack)
            runs = _runs([places[name] for name in ids])
            with new_file(temporary, self.path) as file:
                shared = dict(sorted((shared_meshes or {}).items()))
                self._assemble(file, files, runs, shared)
                self._write_mesh_rows(file, ids, list(shared))
                self._write_tables(file, ids, splits)
                hashes = [row.tobytes() for row in file["objects/identity"][()]]
                identity = store_identity(self.dataset, zip(ids, hashes, strict=True))
                file.attrs["schema"] = SCHEMA
                file.attrs["id"] = np.bytes_(self.dataset)
                file.attrs["identity"] = np.bytes_(identity)
                file.attrs["info"] = np.bytes_(dump(info))
                write_text(file, "excluded", dump(sorted([i, r] for i, r in excluded)))
                write_text(file, "failed", dump(sorted([i, r] for i, r in failed)))
        with explain_disk(self.path):
            self.sidecar.unlink(missing_ok=True)  # never a sidecar that speaks of another file
            temporary.replace(self.path)
            sync(self.root)
        with h5py.File(self.path, "r") as file:
            write_json(self.sidecar, _facts(file, info, self.path))
        shutil.rmtree(self.partial, ignore_errors=True)
        return self.path

    def _open_shards(self, stack: contextlib.ExitStack) -> dict[int, Tables]:
        """All shards at once, without HDF5, which takes 800 KB for each."""

        def broken(why: object) -> BenchError:
            return BenchError(f"the shards in '{self.partial}' cannot be read ({why})")

        numbers = self.shards()
        allow_open_files(len(numbers))
        files = {}
        for number in numbers:
            files[number] = Tables(self._shard_path(number), broken)
            stack.callback(files[number].close)
        return files

    def _full_info(
        self,
        ids: Sequence[str],
        splits: Mapping[str, Mapping[str, Sequence[str]]],
        default_split: str,
        failures: int,
    ) -> dict[str, Any]:
        per_class = {synset: 0 for synset, _ in self._classes}
        for name in ids:
            per_class[name.split("/", 1)[0]] += 1
        in_order = {name: n for n, name in enumerate(ids)}
        notes: dict[str, dict[str, dict[str, Any]]] = {}
        for split, parts in splits.items():
            notes[split] = {}
            for part in SPLITS:
                members = sorted(parts.get(part, ()), key=in_order.__getitem__)
                notes[split][part] = {"count": len(members), "sha256": split_hash(members)}
        info = dict(self._info)
        info |= {
            "classes": [list(pair) for pair in self._classes],
            "objects": len(ids),
            "objects_per_class": per_class,
            "renderings": [
                {
                    "name": n,
                    "title": r.title,
                    "height": r.height,
                    "width": r.width,
                    "mode": r.mode,
                    "colours": r.colours,
                }
                for n, r in self.layout.renderings.items()
            ],
            "voxel_kinds": [
                {"name": n, "title": k.title, "resolution": k.resolution}
                for n, k in self.layout.voxel_kinds.items()
            ],
            "array_kinds": [
                {"name": n, "title": a.title, "shape": list(a.shape), "dtype": a.dtype}
                for n, a in self.layout.array_kinds.items()
            ],
            "split_names": list(splits),
            "default_split": default_split,
            "splits": notes,
            "failed": failures,
            "plan": self._plan,
        }
        return json.loads(dump(info))

    def _assemble(
        self,
        file: h5py.File,
        shards: Mapping[int, Tables],
        runs: list[tuple[int, int, int]],
        shared: Mapping[str, Mesh],
    ) -> None:
        more: dict[str, list[Array]] = {
            "meshes/vertices": [np.asarray(m.vertices, np.float32) for m in shared.values()],
            "meshes/faces": [np.asarray(m.faces, np.int32) for m in shared.values()],
        }
        for name, (row, dtype) in self._columns.items():
            extra = more.get(name, [])
            offsets = {number: shard.all(f"{name}@offset") for number, shard in shards.items()}
            counts = [np.diff(offsets[s][a : b + 1]) for s, a, b in runs]
            sizes = np.array([len(rows) for rows in extra], np.int64)
            offset = np.cumsum(np.concatenate([[0], *counts, sizes])).astype(np.int64)
            target = file.create_dataset(name, (int(offset[-1]), *row), dtype)
            written = 0
            step = _COPY // max(1, math.prod(row) * target.dtype.itemsize)
            for number, first, after in runs:
                start, stop = int(offsets[number][first]), int(offsets[number][after])
                for begin in range(start, stop, step):
                    end = min(begin + step, stop)
                    rows = shards[number].rows(name, begin, end)
                    target[written : written + end - begin] = rows
                    written += end - begin
            for rows in extra:
                target[written : written + len(rows)] = rows
                written += len(rows)
            self._write_offsets(file, name, offset)

    def _write_mesh_rows(self, file: h5py.File, ids: Sequence[str], shared: Sequence[str]) -> None:
        """Objects with a mesh of their own come first in the table, then the shared ones."""
        offset = file["objects/shared_mesh_offset"][()]
        keys = file["objects/shared_mesh"][()].tobytes()
        place = {key: len(ids) + n for n, key in enumerate(shared)}
        rows = np.arange(len(ids), dtype=np.int64)
        for n, name in enumerate(ids):
            key = keys[offset[n] : offset[n + 1]].decode("ascii")
            if key and key not in place:
                raise BenchError(f"object '{name}' shares a mesh '{key}' that nobody gave")
            rows[n] = place.get(key, n)
        file["objects/mesh"] = rows

    def _write_offsets(self, file: h5py.File, name: str, offset: Array) -> None:
        group, part = name.rsplit("/", 1)
        if name in ("objects/parameters", "objects/shared_mesh") or group == "meshes":
            file[f"{name}_offset"] = offset
        elif group.startswith("arrays/"):
            file[f"{group}/offset"] = offset
        elif part == "box":
            file[f"{group}/view_offset"] = offset
        elif part == "view_bytes":
            sizes = file[name][()]
            file[f"{group}/byte_offset"] = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
            del file[name]

    def _write_tables(
        self, file: h5py.File, ids: Sequence[str], splits: Mapping[str, Mapping[str, Sequence[str]]]
    ) -> None:
        file["objects/id"] = np.array([name.encode("ascii") for name in ids], np.bytes_)
        synsets = [name.split("/", 1)[0].encode("ascii") for name in ids]
        file["objects/synset"] = np.array(synsets, np.bytes_)
        for name, rendering in self.layout.renderings.items():
            attributes = file[f"renderings/{name}"].attrs
            attributes["height"], attributes["width"] = rendering.height, rendering.width
            attributes["mode"] = np.bytes_(rendering.mode)
            attributes["depth_unit"] = rendering.depth_unit
            attributes["parameters"] = np.bytes_(dump(list(rendering.parameters)))
        for name, kind in self.layout.voxel_kinds.items():
            attributes = file[f"voxels/{name}"].attrs
            attributes["resolution"] = kind.resolution
            attributes["grid_to_object"] = np.asarray(kind.grid_to_object, np.float64)
        row = {name: n for n, name in enumerate(ids)}
        for split, parts in splits.items():
            for part in SPLITS:
                rows = sorted(row[name] for name in parts.get(part, ()))
                file[f"splits/{split}/{part}"] = np.array(rows, np.int64)


def _runs(places: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Neighbouring rows of one shard become one copy: (shard, first row, row after the last)."""
    runs: list[tuple[int, int, int]] = []
    for shard, row in places:
        if runs and runs[-1][0] == shard and runs[-1][2] == row:
            runs[-1] = (shard, runs[-1][1], row + 1)
        else:
            runs.append((shard, row, row + 1))
    return runs


def _content(note: Path) -> Any:
    try:
        return read_json(note)
    except (OSError, InputError):
        return None


def _facts(file: h5py.File, info: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What the sidecar says; enough for listing without HDF5."""
    return {
        "schema": SCHEMA,
        "id": read_attribute(file, "id"),
        "identity": read_attribute(file, "identity"),
        "bytes": path.stat().st_size,
        "excluded": len(json.loads(read_text(file, "excluded"))),
        **info,
    }
