"""Putting shards together: one file of a data set from the rows of many."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from benchbench.core.errors import BenchError
from benchbench.core.types import Mesh
from benchbench.datasets.columns import columns
from benchbench.datasets.hdf5_files import allow_open_files, new_file
from benchbench.datasets.records import Layout
from benchbench.datasets.store_format import (
    SCHEMA,
    SPLITS,
    dump,
    split_hash,
    store_identity,
    write_text,
)
from benchbench.datasets.store_tables import Tables

Array = npt.NDArray[Any]
Pairs = Sequence[tuple[str, str]]
Splits = Mapping[str, Mapping[str, Sequence[str]]]
_COPY = 1 << 22  # bytes in hand while shards are put together; more costs the system time to give


@dataclass(frozen=True)
class Contents:
    """What a file is to hold.

    Attributes:
        dataset: Data set id.
        layout: What every object has.
        info: Title, licence and the like, without what follows from the objects.
        ids: Its objects, in order.
        places: Where each of them lies: (shard, row).
        splits: Split name to {"train": ids, ...}; may name objects of other files too.
        default_split: The split in use when none is named.
        excluded: (id, reason) of what is not stored.
        failed: Those that are broken.
        shared_meshes: Key to mesh; those that no object names are left out.
    """

    dataset: str
    layout: Layout
    info: Mapping[str, Any]
    ids: Sequence[str]
    places: Sequence[tuple[int, int]]
    splits: Splits
    default_split: str
    excluded: Pairs
    failed: Pairs
    shared_meshes: Mapping[str, Mesh]


class Shards:
    """The shards of a conversion, all open at once, without HDF5, which takes 800 KB for each.

    Args:
        paths: Number of each shard to its file.
    """

    def __init__(self, paths: Mapping[int, Path]) -> None:
        def broken(why: object) -> BenchError:
            folder = next(iter(paths.values())).parent
            return BenchError(f"the shards in '{folder}' cannot be read ({why})")

        allow_open_files(len(paths))
        self._files: dict[int, Tables] = {}
        try:
            for number, path in paths.items():
                self._files[number] = Tables(path, broken)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Shards:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all of them."""
        for file in self._files.values():
            file.close()

    def rows(self, shard: int, name: str, start: int, stop: int) -> Array:
        """Rows of a column."""
        return self._files[shard].rows(name, start, stop)

    def offsets(self, shard: int, name: str) -> Array:
        """Where each object's rows of a column begin, and the last one's end."""
        return self._files[shard].all(f"{name}@offset")


def assemble(path: Path, target: Path, shards: Shards, contents: Contents) -> str:
    """Writes one file whole.

    Args:
        path: Where it is written.
        target: What it is to become, for messages; renaming is the caller's.
        shards: Hold the objects.
        contents: What it is to hold.

    Returns:
        Its identity: sha256 hex of what it holds.
    """
    with new_file(path, target) as file:
        runs = _runs(contents.places)
        shared = _shared(shards, runs, contents.shared_meshes)
        _copy_columns(file, shards, runs, shared, contents.layout)
        _write_mesh_rows(file, contents.ids, list(shared))
        _write_tables(file, contents)
        hashes = [row.tobytes() for row in file["objects/identity"][()]]
        identity = store_identity(contents.dataset, zip(contents.ids, hashes, strict=True))
        write_head(file, contents, identity)
    return identity


def write_head(file: h5py.File, contents: Contents, identity: str) -> None:
    """The attributes, and what is not stored."""
    file.attrs["schema"] = SCHEMA
    file.attrs["id"] = np.bytes_(contents.dataset)
    file.attrs["identity"] = np.bytes_(identity)
    file.attrs["info"] = np.bytes_(dump(full_info(contents)))
    for name, pairs in (("excluded", contents.excluded), ("failed", contents.failed)):
        write_text(file, name, dump(sorted([i, str(r)] for i, r in pairs)))


def full_info(contents: Contents) -> dict[str, Any]:
    """`info` with what follows from the objects: counts, tables and hashes of the splits."""
    per_class = {synset: 0 for synset, _ in contents.info["classes"]}
    for name in contents.ids:
        per_class[name.split("/", 1)[0]] += 1
    in_order = {name: n for n, name in enumerate(contents.ids)}
    notes: dict[str, dict[str, dict[str, Any]]] = {}
    for split, parts in contents.splits.items():
        notes[split] = {}
        for part in SPLITS:
            members = _members(parts.get(part, ()), in_order)
            notes[split][part] = {"count": len(members), "sha256": split_hash(members)}
    layout = contents.layout
    return dict(contents.info) | {
        "objects": len(contents.ids),
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
            for n, r in layout.renderings.items()
        ],
        "voxel_kinds": [
            {"name": n, "title": k.title, "resolution": k.resolution}
            for n, k in layout.voxel_kinds.items()
        ],
        "array_kinds": [
            {"name": n, "title": a.title, "shape": list(a.shape), "dtype": a.dtype}
            for n, a in layout.array_kinds.items()
        ],
        "split_names": list(contents.splits),
        "default_split": contents.default_split,
        "splits": notes,
        "failed": len(contents.failed),
    }


def _members(ids: Sequence[str], in_order: Mapping[str, int]) -> list[str]:
    """Those of a split's ids that are here, in data-set order."""
    return sorted((name for name in ids if name in in_order), key=in_order.__getitem__)


def _copy_columns(
    file: h5py.File,
    shards: Shards,
    runs: list[tuple[int, int, int]],
    shared: Mapping[str, Mesh],
    layout: Layout,
) -> None:
    more: dict[str, list[Array]] = {
        "meshes/vertices": [np.asarray(m.vertices, np.float32) for m in shared.values()],
        "meshes/faces": [np.asarray(m.faces, np.int32) for m in shared.values()],
    }
    numbers = sorted({shard for shard, _, _ in runs})
    for name, (row, dtype) in columns(layout).items():
        extra = more.get(name, [])
        offsets = {number: shards.offsets(number, name) for number in numbers}
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
                target[written : written + end - begin] = shards.rows(number, name, begin, end)
                written += end - begin
        for rows in extra:
            target[written : written + len(rows)] = rows
            written += len(rows)
        _write_offsets(file, name, offset)


def _shared(
    shards: Shards, runs: list[tuple[int, int, int]], meshes: Mapping[str, Mesh]
) -> dict[str, Mesh]:
    """The shared meshes that these objects name, by key."""
    if not meshes:
        return {}
    named = set()
    for number, first, after in runs:
        offsets = shards.offsets(number, "objects/shared_mesh")[first : after + 1].tolist()
        keys = shards.rows(number, "objects/shared_mesh", offsets[0], offsets[-1]).tobytes()
        cuts = [place - offsets[0] for place in offsets]
        named |= {keys[a:b].decode("ascii") for a, b in itertools.pairwise(cuts)}
    return {key: meshes[key] for key in sorted(named & set(meshes))}


def _write_mesh_rows(file: h5py.File, ids: Sequence[str], shared: Sequence[str]) -> None:
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


def _write_offsets(file: h5py.File, name: str, offset: Array) -> None:
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


def _write_tables(file: h5py.File, contents: Contents) -> None:
    file["objects/id"] = np.array([name.encode("ascii") for name in contents.ids], np.bytes_)
    synsets = [name.split("/", 1)[0].encode("ascii") for name in contents.ids]
    file["objects/synset"] = np.array(synsets, np.bytes_)
    for name, rendering in contents.layout.renderings.items():
        attributes = file[f"renderings/{name}"].attrs
        attributes["height"], attributes["width"] = rendering.height, rendering.width
        attributes["mode"] = np.bytes_(rendering.mode)
        attributes["depth_unit"] = rendering.depth_unit
        attributes["parameters"] = np.bytes_(dump(list(rendering.parameters)))
    for name, kind in contents.layout.voxel_kinds.items():
        attributes = file[f"voxels/{name}"].attrs
        attributes["resolution"] = kind.resolution
        attributes["grid_to_object"] = np.asarray(kind.grid_to_object, np.float64)
    row = {name: n for n, name in enumerate(contents.ids)}
    for split, parts in contents.splits.items():
        for part in SPLITS:
            rows = [row[name] for name in _members(parts.get(part, ()), row)]
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
