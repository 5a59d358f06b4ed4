"""Reading a prepared data set: one HDF5 file, opened in every process that reads.

The layout is described in `benchbench.datasets.store_format`.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from benchbench.core.errors import DamagedError, InputError, MissingError, UsageError
from benchbench.core.names import require
from benchbench.core.notices import notice
from benchbench.core.paths import data_root
from benchbench.core.types import Mesh
from benchbench.datasets.cameras import Camera
from benchbench.datasets.picture_coding import blank, decode_picture
from benchbench.datasets.registry import prepare_command, remake_hint
from benchbench.datasets.store_format import (
    SCHEMA,
    SPLITS,
    read_attribute,
    read_text,
    split_hash,
    unpack_voxels,
)

Array = npt.NDArray[Any]


class _Views(NamedTuple):
    """The small tables of one rendering."""

    height: int
    width: int
    mode: str
    depth_unit: float
    columns: tuple[str, ...]
    view_offset: Array  # (N+1,)
    byte_offset: Array  # (K+1,)
    box: Array  # (K, 4)


class Store:
    """A prepared data set.

    Small tables (ids, offsets, splits) are read once; pictures, voxels and meshes when asked for.
    The file is opened in the process that reads it, so a Store may be given to DataLoader workers,
    forked or spawned.

    Args:
        path: The HDF5 file.
        split_name: Which of the file's splits to use; None for its default one.

    Attributes:
        path: The file.
        id: Data set id.
        info: Title, licence, citation, axes, converter, sources and the like.
        identity: sha256 hex of the content (not of the file's bytes).
        classes: (synset, name) pairs in data-set order.
        object_ids: "synset/model" in data-set order.
        excluded: (id, reason) of objects which the sources name and the store does not hold.
        failed: Those of `excluded` whose pictures or ground truth are broken.
        split_name: The split in use.
        split_names: All splits of the file.
        renderings: Names of the sets of pictures, the default one first.
        voxel_kinds: Names of the voxel grids.

    Raises:
        MissingError: There is no such file.
        InputError: The file is no store of schema 1, or is damaged.
        UsageError: No split has that name.
    """

    def __init__(self, path: str | Path, split_name: str | None = None) -> None:
        self.path = Path(path)
        self._handle: h5py.File | None = None
        self._process = -1
        file = self._file()
        try:
            self.id = read_attribute(file, "id")
            self.identity = read_attribute(file, "identity")
            self.info: dict[str, Any] = json.loads(read_attribute(file, "info"))
            self.classes = tuple((str(s), str(n)) for s, n in self.info["classes"])
            self.failed = _pairs(read_text(file, "failed"))
            self.excluded = sorted(_pairs(read_text(file, "excluded")) + self.failed)
            self.renderings: tuple[str, ...] = tuple(r["name"] for r in self.info["renderings"])
            self.array_kinds: tuple[str, ...] = tuple(a["name"] for a in self.info["array_kinds"])
            self.voxel_kinds: tuple[str, ...] = tuple(k["name"] for k in self.info["voxel_kinds"])
            self.split_names: tuple[str, ...] = tuple(self.info["split_names"])
            self.object_ids = [name.decode("ascii") for name in file["objects/id"][()].tolist()]
            self._synsets = [s.decode("ascii") for s in file["objects/synset"][()].tolist()]
        except (KeyError, ValueError, TypeError, OSError, RuntimeError) as error:
            raise self._damaged(error) from error
        if len(self._synsets) != len(self.object_ids):
            raise self._damaged("objects/synset and objects/id differ in length")
        self.split_name = split_name or str(self.info["default_split"])
        require(self.split_name, self.split_names, "split")

    def __len__(self) -> int:
        return len(self.object_ids)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "split_name": self.split_name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], state["split_name"])  # type: ignore[misc]

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._handle is not None and self._process == os.getpid():
            self._handle.close()
        self._handle = None

    def _file(self) -> h5py.File:
        if self._handle is not None and self._process == os.getpid():
            return self._handle
        if not self.path.is_file():
            raise MissingError(
                f"there is no data set file '{self.path}'", hint=prepare_command(self.path.stem)
            )
        try:
            file = h5py.File(self.path, "r")
            schema = int(file.attrs.get("schema", 0))
        except (OSError, RuntimeError, ValueError, TypeError) as error:
            raise self._damaged(error) from error
        if schema != SCHEMA:
            raise InputError(
                f"'{self.path}' has store schema {schema}, this version reads {SCHEMA}",
                hint=remake_hint(self.path.stem),
            )
        self._handle, self._process = file, os.getpid()
        return file

    def _damaged(self, why: object) -> DamagedError:
        return DamagedError(
            f"'{self.path}' is damaged or no data set file ({why})",
            hint=remake_hint(self.path.stem),
        )

    def _read(self, name: str, key: Any) -> Array:
        try:
            return np.asarray(self._file()[name][key])
        except (KeyError, OSError, RuntimeError) as error:
            raise self._damaged(f"{name}: {error}") from error

    # -- objects and splits -----------------------------------------------------------------

    def class_of(self, index: int) -> str:
        """Synset of object `index`."""
        return self._synsets[index]

    @functools.cached_property
    def class_indices(self) -> Array:
        """(N,) int64: position of each object's synset in `classes`."""
        number = {synset: n for n, (synset, _) in enumerate(self.classes)}
        return np.array([number[synset] for synset in self._synsets], np.int64)

    @functools.cached_property
    def _index_of(self) -> dict[str, int]:
        return {name: n for n, name in enumerate(self.object_ids)}

    def index_of(self, object_id: str) -> int:
        """Row of "synset/model".

        Raises:
            UsageError: No such object; near names are offered.
        """
        if object_id not in self._index_of:
            require(object_id, self.object_ids, "object")
        return self._index_of[object_id]

    def indices(
        self, split: str, classes: Sequence[str] | None = None, limit: int | None = None
    ) -> Array:
        """Rows of the objects of a split, in data-set order.

        Args:
            split: "train", "val", "test" or "all".
            classes: Synsets or class names to keep; None keeps all.
            limit: Keep the first that many objects of the selection.

        Returns:
            (n,) int64; may be empty (the rule of 3D-R2N2 has no val part).

        Raises:
            UsageError: Unknown split or class.
        """
        require(split, (*SPLITS, "all"), "split")
        if split == "all":
            rows = np.arange(len(self), dtype=np.int64)
        else:
            rows = self._read(f"splits/{self.split_name}/{split}", ()).astype(np.int64)
            if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
                raise self._damaged(f"split '{self.split_name}/{split}' leaves the table")
        if classes is not None:
            by_name = {name: synset for synset, name in self.classes}
            known = [synset for synset, _ in self.classes] + list(by_name)
            wanted = {by_name.get(c, c) for c in (require(c, known, "class") for c in classes)}
            keep = np.array([s in wanted for s, _ in self.classes], bool)
            rows = rows[keep[self.class_indices[rows]]]
        if limit is not None:
            if limit < 1:
                raise UsageError(f"a limit of {limit} objects leaves nothing")
            rows = rows[:limit]
        return rows

    def split_hash(self, split: str) -> str:
        """sha256 hex of the ids of a split, one a line, in data-set order."""
        return split_hash(self.object_ids[row] for row in self.indices(split))

    def split_counts(self) -> dict[str, int]:
        """Objects in train, val and test."""
        return {part: len(self.indices(part)) for part in SPLITS}

    # -- pictures ---------------------------------------------------------------------------

    @property
    def default_rendering(self) -> str:
        """Name of the first rendering."""
        return self.renderings[0]

    def _views(self, rendering: str | None) -> _Views:
        name = rendering or self.default_rendering
        cache: dict[str, _Views] = self.__dict__.setdefault("_view_tables", {})
        if name not in cache:
            require(name, self.renderings, "rendering")
            group = f"renderings/{name}"
            try:
                attributes = self._file()[group].attrs
                height, width = int(attributes["height"]), int(attributes["width"])
                mode = read_attribute(self._file()[group], "mode")
                unit = float(attributes["depth_unit"])
                columns = tuple(json.loads(read_attribute(self._file()[group], "parameters")))
            except (KeyError, ValueError, OSError, RuntimeError) as error:
                raise self._damaged(f"{group}: {error}") from error
            tables = [self._read(f"{group}/{t}", ()) for t in ("view_offset", "byte_offset", "box")]
            cache[name] = _Views(height, width, mode, unit, columns, *tables)
        return cache[name]

    def picture_size(self, rendering: str | None = None) -> tuple[int, int]:
        """(height, width) of a rendering's pictures, pixels."""
        views = self._views(rendering)
        return views.height, views.width

    def view_count(self, index: int, rendering: str | None = None) -> int:
        """Views of object `index`."""
        offset = self._views(rendering).view_offset
        return int(offset[index + 1] - offset[index])

    def _row(self, views: _Views, index: int, view: int) -> int:
        first, after = int(views.view_offset[index]), int(views.view_offset[index + 1])
        if not 0 <= view < after - first:
            raise UsageError(
                f"object '{self.object_ids[index]}' has {after - first} views, no view {view}"
            )
        return first + view

    def image(self, index: int, view: int, rendering: str | None = None) -> Array:
        """One picture.

        Args:
            index: Row of the object.
            view: Number of the view, from 0.
            rendering: Name of the rendering; None for the default one.

        Returns:
            (H, W, 4) uint8: RGBA, straight alpha, RGB 0 where alpha is 0; or, in a rendering of
            mode "rgb+mask", the whole picture and its mask. (H, W) uint16 counts of a "depth"
            rendering; `depth` gives these in the world's units.
        """
        name = rendering or self.default_rendering
        views = self._views(name)
        row = self._row(views, index, view)
        start, stop = int(views.byte_offset[row]), int(views.byte_offset[row + 1])
        data = self._read(f"renderings/{name}/pixels", slice(start, stop))
        try:
            return decode_picture(
                views.box[row].tolist(), data.data, views.height, views.width, views.mode
            )
        except InputError as error:
            raise self._damaged(f"{self.object_ids[index]} view {view}: {error}") from error

    def images(self, index: int, rendering: str | None = None) -> Array:
        """All pictures of object `index`: (K, H, W, 4) uint8, or (K, H, W) uint16 of depth."""
        name = rendering or self.default_rendering
        views = self._views(name)
        stack = [self.image(index, v, name) for v in range(self.view_count(index, name))]
        return np.stack(stack) if stack else blank(views.mode, views.height, views.width, 0)

    def mode(self, rendering: str | None = None) -> str:
        """What the pictures of a rendering are: "rgba", "rgb+mask" or "depth"."""
        return self._views(rendering).mode

    def depth(self, index: int, view: int, rendering: str) -> Array:
        """One depth map: (H, W) float32 in the units of the camera's world, inf where nothing is.

        Raises:
            UsageError: The rendering holds no depth.
        """
        views = self._views(rendering)
        if views.mode != "depth":
            raise UsageError(f"rendering '{rendering}' holds {views.mode} pictures, no depth")
        counts = self.image(index, view, rendering)
        return np.where(counts > 0, counts * np.float32(views.depth_unit), np.float32(np.inf))

    def camera(self, index: int, view: int, rendering: str | None = None) -> Camera:
        """The camera of one picture; its world is the source's frame (`source_to_object`)."""
        name = rendering or self.default_rendering
        views = self._views(name)
        row = self._row(views, index, view)
        group = f"renderings/{name}"
        values = self._read(f"{group}/parameters", row).tolist()
        return Camera(
            self._read(f"{group}/world_to_camera", row),
            self._read(f"{group}/intrinsics", row),
            dict(zip(views.columns, values, strict=True)),
        )

    # -- shapes -----------------------------------------------------------------------------

    def source_to_object(self, index: int) -> Array:
        """(4, 4) float64 from the frame of the object's cameras to the object frame."""
        return self._read("objects/source_to_object", index)

    def parameters(self, index: int) -> dict[str, Any] | None:
        """What the set's own maker noted about object `index`, or None."""
        start, stop = self._read("objects/parameters_offset", slice(index, index + 2)).tolist()
        text = self._read("objects/parameters", slice(start, stop)).tobytes().decode("utf-8")
        return json.loads(text) if text else None

    def voxels(self, index: int, kind: str | None = None) -> Array:
        """(R, R, R) bool indexed [x, y, z] along the object axes; the first kind if None."""
        name, resolution, _ = self._kind(kind)
        return unpack_voxels(self._read(f"voxels/{name}/bits", index), resolution)

    def grid_to_object(self, kind: str | None = None) -> Array:
        """(4, 4) float64: cell index coordinates (cell n spans [n, n+1)) to the object frame."""
        return self._kind(kind)[2].copy()

    def _kind(self, kind: str | None) -> tuple[str, int, Array]:
        if not self.voxel_kinds:
            raise UsageError(f"data set '{self.id}' holds no voxels")
        name = kind or self.voxel_kinds[0]
        cache: dict[str, tuple[str, int, Array]] = self.__dict__.setdefault("_kinds", {})
        if name not in cache:
            require(name, self.voxel_kinds, "voxel kind")
            try:
                attributes = self._file()[f"voxels/{name}"].attrs
                matrix = np.asarray(attributes["grid_to_object"], np.float64)
                cache[name] = (name, int(attributes["resolution"]), matrix)
            except (KeyError, ValueError, OSError, RuntimeError) as error:
                raise self._damaged(f"voxels/{name}: {error}") from error
        return cache[name]

    def array(self, index: int, name: str) -> Array:
        """The rows of object `index` in one of the set's further tables (`array_kinds`).

        Raises:
            UsageError: The set has no such table.
        """
        require(name, self.array_kinds, "array")
        start, stop = self._read(f"arrays/{name}/offset", slice(index, index + 2)).tolist()
        return self._read(f"arrays/{name}/values", slice(start, stop))

    def shared_mesh(self, index: int) -> str:
        """Key of the mesh that object `index` shares with others, or ""."""
        start, stop = self._read("objects/shared_mesh_offset", slice(index, index + 2)).tolist()
        return self._read("objects/shared_mesh", slice(start, stop)).tobytes().decode("ascii")

    def mesh(self, index: int) -> Mesh | None:
        """The object's surface in the object frame, or None where the set has only voxels."""
        row = int(self._read("objects/mesh", index))
        v0, v1 = self._read("meshes/vertices_offset", slice(row, row + 2)).tolist()
        f0, f1 = self._read("meshes/faces_offset", slice(row, row + 2)).tolist()
        if f0 == f1:
            return None
        vertices = self._read("meshes/vertices", slice(v0, v1))
        return Mesh(vertices, self._read("meshes/faces", slice(f0, f1)))

    # -- for checking -----------------------------------------------------------------------

    def identity_of(self, index: int) -> bytes:
        """sha256 (32 bytes) of what object `index` is."""
        return self._read("objects/identity", index).tobytes()

    def rows(self, index: int) -> dict[str, Array]:
        """Object `index` as it lies in the file: dataset name to its rows, but for the pixels."""
        one = slice(index, index + 1)
        v0, v1 = self._read("meshes/vertices_offset", slice(index, index + 2)).tolist()
        f0, f1 = self._read("meshes/faces_offset", slice(index, index + 2)).tolist()
        p0, p1 = self._read("objects/parameters_offset", slice(index, index + 2)).tolist()
        shared = self.shared_mesh(index).encode("ascii")
        rows = {
            "objects/source_to_object": self._read("objects/source_to_object", one),
            "objects/shared_mesh": np.frombuffer(shared, np.uint8),
            "objects/parameters": self._read("objects/parameters", slice(p0, p1)),
            "meshes/vertices": self._read("meshes/vertices", slice(v0, v1)),
            "meshes/faces": self._read("meshes/faces", slice(f0, f1)),
        }
        for kind in self.voxel_kinds:
            rows[f"voxels/{kind}/bits"] = self._read(f"voxels/{kind}/bits", one)
        for name in self.array_kinds:
            rows[f"arrays/{name}/values"] = self.array(index, name)
        for name in self.renderings:
            views = self._views(name)
            k0, k1 = int(views.view_offset[index]), int(views.view_offset[index + 1])
            for part in ("box", "world_to_camera", "intrinsics", "parameters"):
                key = f"renderings/{name}/{part}"
                rows[key] = self._read(key, slice(k0, k1))
        return rows


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(str(name), str(reason)) for name, reason in json.loads(text)]


_FALLBACK = {"shapes13": "shapes13-demo"}  # a smaller set that stands in under the same name


def open_dataset(name: str, root: str | Path | None = None, split_name: str | None = None) -> Store:
    """Open a prepared data set by name.

    Args:
        name: Data set id; "shapes13" means "shapes13-demo" where only that is prepared.
        root: Folder of the data sets; None for BENCH_HOME or the cache folder.
        split_name: One of the set's splits; None for its default.

    Raises:
        MissingError: Not prepared; the hint is the command that prepares it.
    """
    folder = data_root(root)
    for candidate in (name, _FALLBACK.get(name)):
        if candidate and (folder / f"{candidate}.h5").is_file():
            if candidate != name:
                notice(f"'{name}' is not prepared in full; '{candidate}' stands in")
            return Store(folder / f"{candidate}.h5", split_name)
    raise MissingError(
        f"data set '{name}' is not prepared in '{folder}'", hint=prepare_command(name)
    )
