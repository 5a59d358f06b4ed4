"""Prediction shards: HDF5 files of some dozens of objects, each whole or absent.

Layout, schema 1 (N items; anybody's script may write one, `bench score FILE.h5` reads it)::

    attributes         schema, content (sha256 over items), threshold (of voxel predictions)
    object             (N,) bytes "synset/model";  view (N,) int32, -1 where no picture counts
    status             (N,) bytes: "ok", or why there is no prediction: "empty", "nonfinite",
                       "invalid", "missing", "unreadable", "error";  message (N,) bytes
    kind               (N,) bytes: "mesh", "voxels", "points" or "" (no prediction)
    digest             (N,32) uint8 sha256 of each item
    vertices           (sum V, 3) float32;  vertex_offset (N+1,) int64      meshes and points
    topology           (N,) int32, number of the item's faces in topologies/, or -1
    topologies/<n>     (F, 3) int32: meshes of one topology share one
    grid               (N,) int32, number of the item's grid in grids/, or -1
    grids/<n>          0/1 grids: (R^3/8,) uint8 bits, C order, lowest bit first; others: (R, R, R)
                       float32; attributes resolution, grid_to_object. Equal grids are stored once
    normals/<item>     (N, 3) float32, points that have them

Probabilities keep all 32 bits: 3D-R2N2's p >= 0.4 and its average precision must not depend on
how predictions are stored (0.4 in half precision is less than 0.4).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.core.files import atomic_path
from benchbench.core.types import Mesh, Points, Prediction, Voxels, problem

SCHEMA = 1
OK = "ok"
STATUSES = (OK, "empty", "nonfinite", "invalid", "missing", "unreadable", "error")
_MAX_BYTES = 8 << 30  # of one file from outside, unpacked
_MAX_PART = 512 << 20  # of one array that is read as a whole
_LARGEST_INDEX = np.iinfo(np.int32).max

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Item:
    """One prediction, or the reason why there is none.

    Attributes:
        object_id: "synset/model".
        view: Number of the view, -1 where the method takes no picture.
        prediction: In the object frame; None unless `status` is "ok".
        status: One of `STATUSES`.
        message: Words for people; "" if all is well.
    """

    object_id: str
    view: int
    prediction: Prediction | None
    status: str = OK
    message: str = ""


def make_item(object_id: str, view: int, prediction: Any, message: str = "") -> Item:
    """Checks a prediction and keeps it only if it can be scored.

    Args:
        object_id: "synset/model".
        view: View or -1.
        prediction: What the method returned; None means that it returned nothing.
        message: Why, if it is None.

    Example:
        >>> make_item("a/b", 0, None).status
        'missing'
    """
    if prediction is None:
        return Item(object_id, view, None, "missing", message or "no prediction")
    try:
        prediction = _plain(prediction)
        status = problem(prediction)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        return Item(object_id, view, None, "invalid", f"{type(error).__name__}: {error}")
    if status is not None:
        return Item(object_id, view, None, status, f"the prediction is {status}")
    return Item(object_id, view, prediction)


def _plain(prediction: Any) -> Prediction:
    """The same prediction in the dtypes of the contract; ValueError where that loses something."""
    if isinstance(prediction, Mesh):
        faces = np.asarray(prediction.faces)
        if faces.size and (
            faces.dtype.kind not in "iu" or faces.min() < 0 or faces.max() > _LARGEST_INDEX
        ):
            raise ValueError(f"faces are {faces.dtype}, not indices of 31 bits")
        return Mesh(_floats(prediction.vertices), np.ascontiguousarray(faces, dtype=np.int32))
    if isinstance(prediction, Voxels):
        matrix = _numbers(prediction.grid_to_object)
        if matrix.shape != (4, 4):
            raise ValueError(f"grid_to_object is {matrix.shape}, not (4, 4)")
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        return Voxels(_floats(prediction.occupancy), matrix)
    if isinstance(prediction, Points):
        normals = None if prediction.normals is None else _floats(prediction.normals)
        return Points(_floats(prediction.points), normals)
    raise TypeError(f"a prediction is Mesh, Voxels or Points, not {type(prediction).__name__}")


def _numbers(array: Any) -> Array:
    found = np.asarray(array)
    if found.size and found.dtype.kind not in "biuf":  # a cast would drop or invent something
        raise ValueError(f"an array of {found.dtype} holds no real numbers")
    return found


def _floats(array: Any) -> npt.NDArray[np.float32]:
    array = _numbers(array)
    with np.errstate(over="ignore"):  # becomes infinite, which is then found
        return np.ascontiguousarray(array, dtype=np.float32)


def item_digest(item: Item) -> bytes:
    """sha256 of all that an item says."""
    digest = hashlib.sha256()
    digest.update(f"{item.object_id}\n{item.view}\n{item.status}\n{item.message}\n".encode())
    prediction = item.prediction
    arrays: list[Array] = []
    if isinstance(prediction, Mesh):
        arrays = [prediction.vertices, prediction.faces]
    elif isinstance(prediction, Voxels):
        arrays = [prediction.occupancy, prediction.grid_to_object]
    elif isinstance(prediction, Points):
        arrays = [prediction.points]
        arrays += [] if prediction.normals is None else [prediction.normals]
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()


def write_shard(
    path: str | Path, items: Sequence[Item], threshold: float, notes: Mapping[str, str]
) -> None:
    """Writes one shard under a temporary name and renames it.

    Args:
        path: The file.
        items: In data-set order, views ascending.
        threshold: Of voxel predictions, in (0, 1).
        notes: Further attributes (device, configuration).
    """
    digests = [item_digest(item) for item in items]
    kinds = [_kind(item.prediction) for item in items]
    vertices, offsets = [np.zeros((0, 3), np.float32)], [0]
    topology, grid = np.full(len(items), -1, np.int32), np.full(len(items), -1, np.int32)
    topologies: dict[bytes, tuple[int, Array]] = {}
    grids: dict[bytes, tuple[int, Voxels]] = {}
    for n, item in enumerate(items):
        prediction = item.prediction
        if isinstance(prediction, Mesh):
            vertices.append(prediction.vertices)
            key = hashlib.sha256(prediction.faces.tobytes()).digest()
            topology[n] = topologies.setdefault(key, (len(topologies), prediction.faces))[0]
        elif isinstance(prediction, Points):
            vertices.append(prediction.points)
        elif isinstance(prediction, Voxels):
            key = hashlib.sha256(
                prediction.occupancy.tobytes() + prediction.grid_to_object.tobytes()
            ).digest()
            grid[n] = grids.setdefault(key, (len(grids), prediction))[0]
        offsets.append(offsets[-1] + (len(vertices[-1]) if kinds[n] in ("mesh", "points") else 0))
    # Made in memory: a full disk is then an ordinary error of an ordinary write.
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file.attrs["schema"] = SCHEMA
        file.attrs["content"] = content_hash(digests)
        file.attrs["threshold"] = float(threshold)
        for name, text in sorted(notes.items()):
            file.attrs[name] = text
        file["object"] = _bytes([item.object_id for item in items])
        file["view"] = np.array([item.view for item in items], np.int32)
        file["status"] = _bytes([item.status for item in items])
        file["message"] = _bytes([item.message[:1000] for item in items])
        file["kind"] = _bytes(kinds)
        file["digest"] = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)
        file["vertices"] = np.concatenate(vertices)
        file["vertex_offset"] = np.array(offsets, np.int64)
        file["topology"], file["grid"] = topology, grid
        for number, faces in topologies.values():
            file[f"topologies/{number}"] = faces
        for number, voxels in grids.values():
            _write_grid(file, f"grids/{number}", voxels)
        for n, item in enumerate(items):
            if isinstance(item.prediction, Points) and item.prediction.normals is not None:
                file[f"normals/{n}"] = item.prediction.normals
    with atomic_path(path) as temporary:
        temporary.write_bytes(memory.getvalue())


def content_hash(digests: Sequence[bytes]) -> str:
    """sha256 hex over the digests of the items of a shard, in order."""
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _kind(prediction: Prediction | None) -> str:
    return "" if prediction is None else type(prediction).__name__.lower()


def _bytes(texts: Sequence[str]) -> Array:
    return np.array([text.encode("utf-8") for text in texts] or [b""], dtype=np.bytes_)[
        : len(texts)
    ]


def _write_grid(file: h5py.File, name: str, voxels: Voxels) -> None:
    occupancy = voxels.occupancy
    if ((occupancy == 0) | (occupancy == 1)).all():
        bits = np.packbits(occupancy.reshape(-1) > 0, bitorder="little")
        dataset = file.create_dataset(name, data=bits)
    else:
        dataset = file.create_dataset(
            name, data=occupancy, chunks=occupancy.shape, shuffle=True, compression=4
        )
    dataset.attrs["resolution"] = occupancy.shape[0]
    dataset.attrs["grid_to_object"] = voxels.grid_to_object


class Shard:
    """Reads one shard; every item is checked against its digest.

    Args:
        path: The file, possibly from a stranger.

    Raises:
        InputError: It is no prediction shard, or damaged, or hostile.

    Attributes:
        content: sha256 hex of the items.
        threshold: Of voxel predictions.
        keys: (object id, view) of the items.
        statuses: Of the items.
        messages: Of the items.
        kinds: "mesh", "voxels", "points" or "" of the items.
        notes: All attributes as text.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._file = h5py.File(self.path, "r")
            _refuse_tricks(self._file)
            if int(self._file.attrs["schema"]) != SCHEMA:
                raise ValueError(
                    f"schema {self._file.attrs['schema']}, this version reads {SCHEMA}"
                )
            self.content = str(self._file.attrs["content"])
            self.threshold = float(self._file.attrs["threshold"])
            self.notes = {k: str(v) for k, v in self._file.attrs.items()}
            ids = _texts(self._file["object"])
            views = [int(v) for v in self._file["view"][()]]
            self.keys = list(zip(ids, views, strict=True))
            self.statuses = _texts(self._file["status"])
            self.messages = _texts(self._file["message"])
            self.kinds = _texts(self._file["kind"])
            self._digests = self._file["digest"][()]
            self._offsets = self._file["vertex_offset"][()].astype(np.int64)
            self._topology = self._file["topology"][()]
            self._grid = self._file["grid"][()]
            self._check_tables()
        except (KeyError, ValueError, TypeError, OSError, RuntimeError, UnicodeError) as error:
            self.close()
            raise self._damaged(error) from error
        self._faces: dict[int, Array] = {}

    def _check_tables(self) -> None:
        n = len(self.keys)
        columns = (self.statuses, self.messages, self.kinds, self._digests)
        if any(len(column) != n for column in (*columns, self._topology, self._grid)):
            raise ValueError("columns of different lengths")
        if len(self._offsets) != n + 1 or (np.diff(self._offsets) < 0).any():
            raise ValueError("vertex_offset does not ascend")
        if n and (self._offsets[0] != 0 or self._offsets[-1] != len(self._file["vertices"])):
            raise ValueError("vertex_offset does not cover the vertices")
        if not 0.0 < self.threshold < 1.0:
            raise ValueError(f"threshold {self.threshold} is not in (0, 1)")
        if unknown := set(self.statuses) - set(STATUSES):
            raise ValueError(f"unknown status '{sorted(unknown)[0]}'")
        digests = [bytes(row) for row in self._digests]
        if content_hash(digests) != self.content:
            raise ValueError("the digests do not give the content hash")

    def __enter__(self) -> Shard:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        file = getattr(self, "_file", None)
        if file is not None:
            file.close()

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Item]:
        return (self.item(n) for n in range(len(self)))

    def item(self, n: int) -> Item:
        """Item `n` with its prediction.

        Raises:
            InputError: The stored bytes do not give the item's digest.
        """
        object_id, view = self.keys[n]
        try:
            prediction = self._prediction(n)
        except (KeyError, ValueError, IndexError, OSError, RuntimeError) as error:
            raise self._damaged(error) from error
        item = Item(object_id, view, prediction, self.statuses[n], self.messages[n])
        if item_digest(item) != bytes(self._digests[n]):
            raise self._damaged(f"item {n} ({object_id} view {view}) fails its checksum")
        return item

    def _prediction(self, n: int) -> Prediction | None:
        kind = self.kinds[n]
        if kind == "":
            return None
        if kind == "voxels":
            return _read_grid(self._file[f"grids/{int(self._grid[n])}"])
        points = self._file["vertices"][self._offsets[n] : self._offsets[n + 1]]
        if kind == "points":
            name = f"normals/{n}"
            return Points(points, self._file[name][()] if name in self._file else None)
        if kind != "mesh":
            raise ValueError(f"unknown kind '{kind}'")
        number = int(self._topology[n])
        if number not in self._faces:
            self._faces[number] = self._file[f"topologies/{number}"][()]
        return Mesh(points, self._faces[number])

    def _damaged(self, why: object) -> InputError:
        return InputError(
            f"'{self.path}' is damaged or no file of predictions ({why})",
            hint="delete the file and type the same 'bench run' again; it predicts what is missing",
        )


def _texts(dataset: h5py.Dataset) -> list[str]:
    if dataset.dtype.kind != "S" or dataset.ndim != 1:
        raise ValueError(f"'{dataset.name}' is not a column of bytes")
    return [value.decode("utf-8") for value in dataset[()].tolist()]


def _read_grid(dataset: h5py.Dataset) -> Voxels:
    matrix = np.asarray(dataset.attrs["grid_to_object"], np.float64)
    resolution = int(dataset.attrs["resolution"])
    cells = -(-(resolution**3) // 8) if dataset.dtype == np.uint8 else resolution**3
    if resolution < 1 or dataset.size != cells:
        raise ValueError(f"'{dataset.name}' does not hold {resolution}^3 cells")
    if dataset.dtype == np.uint8:
        flat = np.unpackbits(dataset[()], count=resolution**3, bitorder="little")
        values = flat.astype(np.float32)
    else:
        values = dataset[()].astype(np.float32, copy=False)
    return Voxels(values.reshape(resolution, resolution, resolution), matrix)


def _refuse_tricks(file: h5py.File) -> None:
    """Only plain datasets inside this very file, of a sane size in all."""
    total = 0
    stack: list[tuple[h5py.Group, int]] = [(file, 0)]
    while stack:
        group, depth = stack.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"'{name}' is a link")
            entry = group[name]
            if isinstance(entry, h5py.Group):
                if depth > 0 or entry == file["/"]:
                    raise ValueError("groups too deep")
                stack.append((entry, depth + 1))
                continue
            if not isinstance(entry, h5py.Dataset) or entry.is_virtual or entry.external:
                raise ValueError(f"'{name}' keeps its data elsewhere")
            if entry.dtype.kind not in "iufSb" or entry.dtype.hasobject:
                raise ValueError(f"'{name}' holds {entry.dtype}")
            size = entry.size * entry.dtype.itemsize
            if size > _MAX_PART and name != "vertices":
                raise ValueError(f"'{name}' takes more than {_MAX_PART >> 20} MiB")
            total += size
            if total > _MAX_BYTES:
                raise ValueError(f"more than {_MAX_BYTES >> 30} GiB when unpacked")
