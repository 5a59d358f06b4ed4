"""One HDF5 file of a prepared data set, read row by row.

A data set lies in one such file or in several; `benchbench.datasets.store.Store` is what its users
see. The layout is described in `benchbench.datasets.store_format`, how it is read in
`store_tables`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import DamagedError, InputError, MissingError, UsageError
from benchbench.core.types import Mesh
from benchbench.datasets.cameras import Camera
from benchbench.datasets.picture_coding import decode_into
from benchbench.datasets.registry import prepare_command, remake_hint
from benchbench.datasets.store_format import SCHEMA, unpack_voxels
from benchbench.datasets.store_tables import Tables
from benchbench.datasets.view_tables import Views, attribute_text, read_views

Array = npt.NDArray[Any]


class StoreFile:
    """One file with rows of objects.

    Args:
        path: The file.
        store: Id that errors name in the command which makes it anew; None for the file's name.

    Attributes:
        path: The file.
        id: Data set id.
        info: Title, licence, renderings, splits and the like.
        identity: sha256 hex of the content (not of the file's bytes).
        object_ids: "synset/model" of each row.
        synsets: Of each row.

    Raises:
        MissingError: There is no such file.
        InputError: The file is no store of this schema, or is damaged.
    """

    def __init__(self, path: Path, store: str | None = None) -> None:
        self.path = path
        self._store = store or path.stem
        self._tables: Tables | None = None
        tables = self.tables()
        try:
            root = tables.attributes[""]
            self.id = attribute_text(root, "id")
            self.identity = attribute_text(root, "identity")
            self.info: dict[str, Any] = json.loads(attribute_text(root, "info"))
            self.parts: list[list[Any]] = (
                json.loads(tables.text("parts")) if "parts" in tables else []
            )
            own = [] if self.parts else tables.all("objects/id").tolist()
            self.object_ids = [name.decode("ascii") for name in own]
            own = [] if self.parts else tables.all("objects/synset").tolist()
            self.synsets = [synset.decode("ascii") for synset in own]
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise self.damaged(error) from error
        if len(self.synsets) != len(self.object_ids):
            raise self.damaged("objects/synset and objects/id differ in length")
        self._views: dict[str, Views] = {}
        self._kinds: dict[str, tuple[int, Array]] = {}

    def __len__(self) -> int:
        return len(self.object_ids)

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._tables is not None:
            self._tables.close()
        self._tables = None

    def tables(self) -> Tables:
        """The file's tables; opens it where it is closed."""
        if self._tables is not None:
            return self._tables
        if not self.path.is_file():
            raise MissingError(
                f"there is no data set file '{self.path}'", hint=prepare_command(self._store)
            )
        tables = Tables(self.path, self.damaged)
        try:
            schema = int(tables.attributes[""].get("schema", 0))
        except (ValueError, TypeError, OverflowError) as error:
            raise self.damaged(error) from error
        if schema != SCHEMA:
            raise InputError(
                f"'{self.path}' has store schema {schema}, this version reads {SCHEMA}",
                hint=remake_hint(self._store),
            )
        self._tables = tables
        return tables

    def damaged(self, why: object) -> DamagedError:
        """The error to raise when something in the file is wrong."""
        return DamagedError(
            f"'{self.path}' is damaged or no data set file ({why})",
            hint=remake_hint(self._store),
        )

    def pairs(self, name: str) -> list[tuple[str, str]]:
        """A list of (id, reason)."""
        try:
            content = json.loads(self.tables().text(name))
            return [(str(object_id), str(reason)) for object_id, reason in content]
        except (ValueError, TypeError) as error:
            raise self.damaged(error) from error

    def split_rows(self, split: str, part: str) -> Array:
        """(n,) int64: this file's rows in a part of a split, ascending."""
        name = f"splits/{split}/{part}"
        self.tables().expect(name, np.int64, ())
        rows = self.tables().all(name)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise self.damaged(f"split '{split}/{part}' leaves the table")
        return rows

    # -- pictures ---------------------------------------------------------------------------

    def views(self, rendering: str) -> Views:
        """The small tables of a rendering."""
        if rendering not in self._views:
            self._views[rendering] = read_views(self.tables(), rendering, len(self), self.damaged)
        return self._views[rendering]

    def read_into(
        self, out: Array, where: Array, rows: Array, views: Array, rendering: str
    ) -> None:
        """Pictures of some rows into some places of `out`, read in the order of the file."""
        table = self.views(rendering)
        places = self._places(table, rows, views)
        spans = np.stack([table.byte_offset[places], table.byte_offset[places + 1]], 1).tolist()
        tables, name = self.tables(), f"{table.group}/pixels"
        boxes, order = table.box[places].tolist(), np.argsort(places, kind="stable").tolist()
        if len(order) > 1:
            tables.announce(name, [spans[n] for n in order])
        targets = where.tolist()
        for n in order:
            data = tables.bytes(name, *spans[n])
            try:
                decode_into(out[targets[n]], boxes[n], data)
            except InputError as error:
                label = f"{self.object_ids[int(rows[n])]} view {int(views[n])}"
                raise self.damaged(f"{label}: {error}") from error

    def _places(self, table: Views, rows: Array, views: Array) -> Array:
        """Rows of views in a rendering's tables."""
        found = table.view_offset[rows] + views
        wrong = np.flatnonzero((views < 0) | (found >= table.view_offset[rows + 1]))
        if len(wrong):
            row, view = int(rows[wrong[0]]), int(views[wrong[0]])
            held = int(table.view_offset[row + 1] - table.view_offset[row])
            raise UsageError(f"object '{self.object_ids[row]}' has {held} views, no view {view}")
        return found

    def camera(self, row: int, view: int, rendering: str) -> Camera:
        """The camera of one picture."""
        views, tables = self.views(rendering), self.tables()
        place = int(self._places(views, np.array([row]), np.array([view]))[0])
        values = tables.row(f"{views.group}/parameters", place).tolist()
        return Camera(
            tables.row(f"{views.group}/world_to_camera", place),
            tables.row(f"{views.group}/intrinsics", place),
            dict(zip(views.columns, values, strict=True)),
        )

    # -- shapes -----------------------------------------------------------------------------

    def source_to_object(self, row: int) -> Array:
        """(4, 4) float64 from the frame of the object's cameras to the object frame."""
        self.tables().expect("objects/source_to_object", np.float64, (4, 4), len(self))
        return self.tables().row("objects/source_to_object", row)

    def parameters(self, row: int) -> dict[str, Any] | None:
        """What the set's own maker noted about an object, or None."""
        data = self.span("objects/parameters", np.uint8, (), row)
        try:
            return json.loads(data.tobytes().decode("utf-8")) if len(data) else None
        except ValueError as error:
            raise self.damaged(f"notes of {self.object_ids[row]}: {error}") from error

    def voxels(self, row: int, kind: str) -> Array:
        """(R, R, R) bool indexed [x, y, z] along the object axes."""
        resolution, _ = self.voxel_kind(kind)
        return unpack_voxels(self.tables().row(f"voxels/{kind}/bits", row), resolution)

    def voxel_kind(self, name: str) -> tuple[int, Array]:
        """Cells a side, and the (4, 4) matrix from cell indices to the object frame."""
        if name not in self._kinds:
            try:
                attributes = self.tables().attributes[f"voxels/{name}"]
                matrix = np.asarray(attributes["grid_to_object"], np.float64)
                resolution = int(attributes["resolution"])
            except (KeyError, ValueError, TypeError, OverflowError) as error:
                raise self.damaged(f"voxels/{name}: {error}") from error
            if matrix.shape != (4, 4) or not 0 < resolution < 1 << 12:
                raise self.damaged(f"voxels/{name} has grids of {resolution} cells a side")
            self.tables().expect(
                f"voxels/{name}/bits", np.uint8, ((resolution**3 + 7) // 8,), len(self)
            )
            self._kinds[name] = (resolution, matrix)
        return self._kinds[name]

    def array(self, row: int, name: str) -> Array:
        """The rows of an object in one of the set's further tables."""
        table = self.tables().table(f"arrays/{name}/values")
        return self.span(f"arrays/{name}/values", table.dtype, table.shape[1:], row)

    def shared_mesh(self, row: int) -> str:
        """Key of the mesh that an object shares with others, or ""."""
        key = self.span("objects/shared_mesh", np.uint8, (), row).tobytes()
        return key.decode("ascii", "backslashreplace")

    def mesh(self, row: int) -> Mesh | None:
        """The object's surface in the object frame, or None where the set has only voxels."""
        self.tables().expect("objects/mesh", np.int64, (), len(self))
        place = int(self.tables().row("objects/mesh", row))
        faces = self.span("meshes/faces", np.int32, (3,), place)
        if not len(faces):
            return None
        vertices = self.span("meshes/vertices", np.float32, (3,), place)
        if faces.min() < 0 or faces.max() >= len(vertices):
            raise self.damaged(f"the mesh of {self.object_ids[row]} has a face without corners")
        return Mesh(vertices, faces)

    def span(self, values: str, dtype: Any, shape: tuple[int, ...], row: int) -> Array:
        """The rows of an object in a ragged table."""
        folder, last = values.rsplit("/", 1)
        offsets = f"{folder}/offset" if last == "values" else f"{values}_offset"
        self.tables().expect(values, dtype, shape)
        self.tables().expect(offsets, np.int64, ())
        return self.tables().span(values, offsets, row)

    # -- for checking -----------------------------------------------------------------------

    def identity_of(self, row: int) -> bytes:
        """sha256 (32 bytes) of what an object is."""
        self.tables().expect("objects/identity", np.uint8, (32,), len(self))
        return self.tables().row("objects/identity", row).tobytes()

    def stored(self, row: int) -> dict[str, Array]:
        """An object as it lies in the file: dataset name to its rows, but for the pixels."""
        tables = self.tables()
        found = {
            "objects/source_to_object": self.source_to_object(row)[None],
            "objects/shared_mesh": self.span("objects/shared_mesh", np.uint8, (), row),
            "objects/parameters": self.span("objects/parameters", np.uint8, (), row),
            "meshes/vertices": self.span("meshes/vertices", np.float32, (3,), row),
            "meshes/faces": self.span("meshes/faces", np.int32, (3,), row),
        }
        for kind in (k["name"] for k in self.info["voxel_kinds"]):
            self.voxel_kind(kind)
            found[f"voxels/{kind}/bits"] = tables.rows(f"voxels/{kind}/bits", row, row + 1)
        for name in (a["name"] for a in self.info["array_kinds"]):
            found[f"arrays/{name}/values"] = self.array(row, name)
        for name in (r["name"] for r in self.info["renderings"]):
            views = self.views(name)
            first, after = views.view_offset[row : row + 2].tolist()
            for column in ("box", "world_to_camera", "intrinsics", "parameters"):
                found[f"{views.group}/{column}"] = tables.rows(
                    f"{views.group}/{column}", first, after
                )
        return found
