"""Reading a prepared data set: one HDF5 file, read row by row.

The layout is described in `benchbench.datasets.store_format`, how it is read in `store_tables`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import DamagedError, InputError, MissingError, UsageError
from benchbench.core.names import require
from benchbench.core.notices import notice
from benchbench.core.paths import data_root
from benchbench.core.types import Mesh
from benchbench.datasets.cameras import Camera
from benchbench.datasets.picture_coding import blank, decode_into
from benchbench.datasets.registry import prepare_command, remake_hint
from benchbench.datasets.store_format import SCHEMA, SPLITS, split_hash, unpack_voxels
from benchbench.datasets.store_tables import Tables
from benchbench.datasets.view_tables import Views, attribute_text, read_views

Array = npt.NDArray[Any]


class Store:
    """A prepared data set.

    Small tables (ids, offsets, splits) are read once; pictures, voxels and meshes when asked for.
    A Store may be given to DataLoader workers, forked or spawned, and read in threads.

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
        InputError: The file is no store of this schema, or is damaged.
        UsageError: No split has that name.
    """

    def __init__(self, path: str | Path, split_name: str | None = None) -> None:
        self.path = Path(path)
        self._tables: Tables | None = None
        tables = self._open()
        try:
            root = tables.attributes[""]
            self.id = attribute_text(root, "id")
            self.identity = attribute_text(root, "identity")
            self.info: dict[str, Any] = json.loads(attribute_text(root, "info"))
            self.classes = tuple((str(s), str(n)) for s, n in self.info["classes"])
            self.failed = _pairs(tables.text("failed"))
            self.excluded = sorted(_pairs(tables.text("excluded")) + self.failed)
            self.renderings: tuple[str, ...] = tuple(r["name"] for r in self.info["renderings"])
            self.array_kinds: tuple[str, ...] = tuple(a["name"] for a in self.info["array_kinds"])
            self.voxel_kinds: tuple[str, ...] = tuple(k["name"] for k in self.info["voxel_kinds"])
            self.split_names: tuple[str, ...] = tuple(self.info["split_names"])
            self.object_ids = [name.decode("ascii") for name in tables.all("objects/id").tolist()]
            self._synsets = [s.decode("ascii") for s in tables.all("objects/synset").tolist()]
            default_split = str(self.info["default_split"])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise self._damaged(error) from error
        if len(self._synsets) != len(self.object_ids):
            raise self._damaged("objects/synset and objects/id differ in length")
        self.split_name = split_name or default_split
        require(self.split_name, self.split_names, "split")

    def __len__(self) -> int:
        return len(self.object_ids)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "split_name": self.split_name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], state["split_name"])  # type: ignore[misc]

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._tables is not None:
            self._tables.close()
        self._tables = None

    def _open(self) -> Tables:
        if self._tables is not None:
            return self._tables
        if not self.path.is_file():
            raise MissingError(
                f"there is no data set file '{self.path}'", hint=prepare_command(self.path.stem)
            )
        tables = Tables(self.path, self._damaged)
        try:
            schema = int(tables.attributes[""].get("schema", 0))
        except (ValueError, TypeError, OverflowError) as error:
            raise self._damaged(error) from error
        if schema != SCHEMA:
            raise InputError(
                f"'{self.path}' has store schema {schema}, this version reads {SCHEMA}",
                hint=remake_hint(self.path.stem),
            )
        self._tables = tables
        return tables

    def _damaged(self, why: object) -> DamagedError:
        return DamagedError(
            f"'{self.path}' is damaged or no data set file ({why})",
            hint=remake_hint(self.path.stem),
        )

    # -- objects and splits -----------------------------------------------------------------

    def class_of(self, index: int) -> str:
        """Synset of object `index`."""
        return self._synsets[index]

    @functools.cached_property
    def class_indices(self) -> Array:
        """(N,) int64: position of each object's synset in `classes`."""
        number = {synset: n for n, (synset, _) in enumerate(self.classes)}
        try:
            return np.array([number[synset] for synset in self._synsets], np.int64)
        except KeyError as error:
            raise self._damaged(f"an object is of the unknown class {error}") from error

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
            name = f"splits/{self.split_name}/{split}"
            self._open().expect(name, np.int64, ())
            rows = self._open().all(name)
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
        """Name of the first rendering.

        Raises:
            UsageError: The set was prepared without pictures.
        """
        if not self.renderings:
            raise UsageError(
                f"'{self.path}' holds no pictures",
                hint=f"bench prepare {self.id} --from DIR --pictures kato --overwrite",
            )
        return self.renderings[0]

    def _views(self, rendering: str | None) -> Views:
        name = rendering or self.default_rendering
        cache: dict[str, Views] = self.__dict__.setdefault("_view_tables", {})
        if name not in cache:
            require(name, self.renderings, "rendering")
            cache[name] = read_views(self._open(), name, len(self), self._damaged)
        return cache[name]

    def picture_size(self, rendering: str | None = None) -> tuple[int, int]:
        """(height, width) of a rendering's pictures, pixels."""
        views = self._views(rendering)
        return views.height, views.width

    def view_count(self, index: int, rendering: str | None = None) -> int:
        """Views of object `index`."""
        offset = self._views(rendering).view_offset
        return int(offset[index + 1] - offset[index])

    def view_counts(self, rendering: str | None = None) -> Array:
        """(N,) int64: views of every object."""
        return np.diff(self._views(rendering).view_offset)

    def _places(self, table: Views, rows: Array, views: Array) -> Array:
        """Rows of views in a rendering's tables."""
        found = table.view_offset[rows] + views
        wrong = np.flatnonzero((views < 0) | (found >= table.view_offset[rows + 1]))
        if len(wrong):
            row, view = int(rows[wrong[0]]), int(views[wrong[0]])
            raise UsageError(
                f"object '{self.object_ids[row]}' has {self.view_count(row, table.name)} views, "
                f"no view {view}"
            )
        return found

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
        return self.batch(np.array([index]), np.array([view]), rendering)[0]

    def batch(
        self, rows: Array, views: Array, rendering: str | None = None, out: Array | None = None
    ) -> Array:
        """Pictures of many objects, read in the order of the file.

        Args:
            rows: (B,) rows of objects.
            views: (B,) their views.
            rendering: Name of the rendering; None for the default one.
            out: Where they go; None for a new array.

        Returns:
            (B, H, W, 4) uint8, or (B, H, W) uint16 of depth, in the order of `rows`.
        """
        table = self._views(rendering)
        found = blank(table.mode, table.height, table.width, len(rows)) if out is None else out
        places = self._places(table, np.asarray(rows), np.asarray(views))
        spans = np.stack([table.byte_offset[places], table.byte_offset[places + 1]], 1).tolist()
        tables, name = self._open(), f"{table.group}/pixels"
        boxes, order = table.box[places].tolist(), np.argsort(places, kind="stable").tolist()
        if len(order) > 1:
            tables.announce(name, [spans[n] for n in order])
        for n in order:
            data = tables.bytes(name, *spans[n])
            try:
                decode_into(found[n], boxes[n], data)
            except InputError as error:
                where = f"{self.object_ids[int(rows[n])]} view {int(views[n])}"
                raise self._damaged(f"{where}: {error}") from error
        return found

    def images(self, index: int, rendering: str | None = None) -> Array:
        """All pictures of object `index`: (K, H, W, 4) uint8, or (K, H, W) uint16 of depth."""
        count = self.view_count(index, rendering)
        return self.batch(np.full(count, index), np.arange(count), rendering)

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
        views, tables = self._views(rendering), self._open()
        row = int(self._places(views, np.array([index]), np.array([view]))[0])
        values = tables.row(f"{views.group}/parameters", row).tolist()
        return Camera(
            tables.row(f"{views.group}/world_to_camera", row),
            tables.row(f"{views.group}/intrinsics", row),
            dict(zip(views.columns, values, strict=True)),
        )

    # -- shapes -----------------------------------------------------------------------------

    def source_to_object(self, index: int) -> Array:
        """(4, 4) float64 from the frame of the object's cameras to the object frame."""
        self._open().expect("objects/source_to_object", np.float64, (4, 4), len(self))
        return self._open().row("objects/source_to_object", index)

    def parameters(self, index: int) -> dict[str, Any] | None:
        """What the set's own maker noted about object `index`, or None."""
        data = self._span("objects/parameters", np.uint8, (), index)
        try:
            return json.loads(data.tobytes().decode("utf-8")) if len(data) else None
        except ValueError as error:
            raise self._damaged(f"notes of {self.object_ids[index]}: {error}") from error

    def voxels(self, index: int, kind: str | None = None) -> Array:
        """(R, R, R) bool indexed [x, y, z] along the object axes; the first kind if None."""
        name, resolution, _ = self._kind(kind)
        return unpack_voxels(self._open().row(f"voxels/{name}/bits", index), resolution)

    def _span(self, values: str, dtype: Any, row: tuple[int, ...], index: int) -> Array:
        """The rows of object `index` in a ragged table."""
        folder, last = values.rsplit("/", 1)
        offsets = f"{folder}/offset" if last == "values" else f"{values}_offset"
        self._open().expect(values, dtype, row)
        self._open().expect(offsets, np.int64, ())
        return self._open().span(values, offsets, index)

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
                attributes = self._open().attributes[f"voxels/{name}"]
                matrix = np.asarray(attributes["grid_to_object"], np.float64)
                resolution = int(attributes["resolution"])
            except (KeyError, ValueError, TypeError, OverflowError) as error:
                raise self._damaged(f"voxels/{name}: {error}") from error
            if matrix.shape != (4, 4) or not 0 < resolution < 1 << 12:
                raise self._damaged(f"voxels/{name} has grids of {resolution} cells a side")
            self._open().expect(
                f"voxels/{name}/bits", np.uint8, ((resolution**3 + 7) // 8,), len(self)
            )
            cache[name] = (name, resolution, matrix)
        return cache[name]

    def array(self, index: int, name: str) -> Array:
        """The rows of object `index` in one of the set's further tables (`array_kinds`).

        Raises:
            UsageError: The set has no such table.
        """
        require(name, self.array_kinds, "array")
        table = self._open().table(f"arrays/{name}/values")
        return self._span(f"arrays/{name}/values", table.dtype, table.shape[1:], index)

    def shared_mesh(self, index: int) -> str:
        """Key of the mesh that object `index` shares with others, or ""."""
        key = self._span("objects/shared_mesh", np.uint8, (), index).tobytes()
        return key.decode("ascii", "backslashreplace")

    def mesh(self, index: int) -> Mesh | None:
        """The object's surface in the object frame, or None where the set has only voxels."""
        self._open().expect("objects/mesh", np.int64, (), len(self))
        row = int(self._open().row("objects/mesh", index))
        faces = self._span("meshes/faces", np.int32, (3,), row)
        if not len(faces):
            return None
        vertices = self._span("meshes/vertices", np.float32, (3,), row)
        if faces.min() < 0 or faces.max() >= len(vertices):
            raise self._damaged(f"the mesh of {self.object_ids[index]} has a face without corners")
        return Mesh(vertices, faces)

    # -- for checking -----------------------------------------------------------------------

    def identity_of(self, index: int) -> bytes:
        """sha256 (32 bytes) of what object `index` is."""
        self._open().expect("objects/identity", np.uint8, (32,), len(self))
        return self._open().row("objects/identity", index).tobytes()

    def rows(self, index: int) -> dict[str, Array]:
        """Object `index` as it lies in the file: dataset name to its rows, but for the pixels."""
        tables = self._open()
        rows = {
            "objects/source_to_object": self.source_to_object(index)[None],
            "objects/shared_mesh": self._span("objects/shared_mesh", np.uint8, (), index),
            "objects/parameters": self._span("objects/parameters", np.uint8, (), index),
            "meshes/vertices": self._span("meshes/vertices", np.float32, (3,), index),
            "meshes/faces": self._span("meshes/faces", np.int32, (3,), index),
        }
        for kind in self.voxel_kinds:
            self._kind(kind)
            rows[f"voxels/{kind}/bits"] = tables.rows(f"voxels/{kind}/bits", index, index + 1)
        for name in self.array_kinds:
            rows[f"arrays/{name}/values"] = self.array(index, name)
        for name in self.renderings:
            views = self._views(name)
            first, after = views.view_offset[index : index + 2].tolist()
            for part in ("box", "world_to_camera", "intrinsics", "parameters"):
                rows[f"{views.group}/{part}"] = tables.rows(f"{views.group}/{part}", first, after)
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
