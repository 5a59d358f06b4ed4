"""Reading a prepared data set, whether it lies in one HDF5 file or in several.

``<root>/<id>.h5`` is the data set, or names the files that hold it (`store_format`), each of which
is a data set by itself. Rows, splits, hashes and identity are the same either way.
"""

from __future__ import annotations

import bisect
import functools
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import DamagedError, MissingError, UsageError
from benchbench.core.names import require
from benchbench.core.notices import notice
from benchbench.core.paths import data_root
from benchbench.core.types import Mesh
from benchbench.datasets.cameras import Camera
from benchbench.datasets.picture_coding import blank
from benchbench.datasets.registry import prepare_command
from benchbench.datasets.store_file import StoreFile
from benchbench.datasets.store_format import SPLITS, part_pattern, split_hash
from benchbench.datasets.view_tables import Views

Array = npt.NDArray[Any]
_MOST_PARTS = 100_000
_SHARED = ("classes", "renderings", "voxel_kinds", "array_kinds", "split_names")


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
        identity: sha256 hex of the content (not of the files' bytes, nor of their number).
        classes: (synset, name) pairs in data-set order.
        object_ids: "synset/model" in data-set order.
        excluded: (id, reason) of objects which the sources name and the store does not hold.
        failed: Those of `excluded` whose pictures or ground truth are broken.
        split_name: The split in use.
        split_names: All splits of the file.
        renderings: Names of the sets of pictures, the default one first.
        voxel_kinds: Names of the voxel grids.
        files: The files that hold the objects; `path` alone where there is only one.

    Raises:
        MissingError: There is no such file.
        InputError: A file is no store of this schema, is damaged, or not the one that was written.
        UsageError: No split has that name.
    """

    def __init__(self, path: str | Path, split_name: str | None = None) -> None:
        self.path = Path(path)
        head = StoreFile(self.path)
        self._head = head
        self._parts = self._open_parts(head) if head.parts else [head]
        self._pictures: dict[str, Views] = {}
        self._checked_kinds: set[str] = set()
        self._starts = list(itertools.accumulate((len(p) for p in self._parts), initial=0))
        self.files = tuple(part.path for part in self._parts)
        self.id, self.identity, self.info = head.id, head.identity, head.info
        self.object_ids = list(itertools.chain.from_iterable(p.object_ids for p in self._parts))
        self._synsets = list(itertools.chain.from_iterable(p.synsets for p in self._parts))
        self.failed = head.pairs("failed")
        self.excluded = sorted(head.pairs("excluded") + self.failed)
        try:
            info = self.info
            self.classes = tuple((str(s), str(n)) for s, n in info["classes"])
            self.renderings: tuple[str, ...] = tuple(r["name"] for r in info["renderings"])
            self.array_kinds: tuple[str, ...] = tuple(a["name"] for a in info["array_kinds"])
            self.voxel_kinds: tuple[str, ...] = tuple(k["name"] for k in info["voxel_kinds"])
            self.split_names: tuple[str, ...] = tuple(info["split_names"])
            default_split = str(info["default_split"])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise self._damaged(error) from error
        self.split_name = split_name or default_split
        require(self.split_name, self.split_names, "split")

    def _open_parts(self, head: StoreFile) -> list[StoreFile]:
        """The files that `head` names, each checked to be the one that was written with it."""
        pattern, parts = part_pattern(head.id), []
        try:
            if len(head.parts) > _MOST_PARTS:
                raise ValueError(f"{len(head.parts)} parts")
            for name, objects, identity in head.parts:
                if not pattern.fullmatch(name):
                    raise ValueError(f"'{name}' is no part of '{head.id}'")
                path = self.path.parent / name
                if not path.is_file():
                    raise ValueError(f"its part '{path}' is missing")
                part = StoreFile(path, self.path.stem)
                if (part.id, part.identity, len(part)) != (head.id, identity, objects):
                    raise ValueError(f"'{path}' is another file than the one written with it")
                if part.parts or any(part.info[key] != head.info[key] for key in _SHARED):
                    raise ValueError(f"'{path}' does not fit the others")
                parts.append(part)
        except (ValueError, TypeError, KeyError) as error:
            raise self._damaged(error) from error
        return parts

    def __len__(self) -> int:
        return len(self.object_ids)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "split_name": self.split_name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], state["split_name"])  # type: ignore[misc]

    def close(self) -> None:
        """Close the files; the next read opens them again."""
        for part in {id(part): part for part in [self._head, *self._parts]}.values():
            part.close()

    def _damaged(self, why: object) -> DamagedError:
        return self._head.damaged(why)

    def _at(self, index: int) -> tuple[StoreFile, int]:
        """The file that holds object `index`, and its row there."""
        if len(self._parts) == 1:
            return self._parts[0], index
        if not 0 <= index < len(self):
            raise self._damaged(f"there is no object {index} of {len(self)}")
        number = bisect.bisect_right(self._starts, index) - 1
        return self._parts[number], index - self._starts[number]

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
            pieces = zip(self._parts, self._starts[:-1], strict=True)
            rows = np.concatenate([p.split_rows(self.split_name, split) + n for p, n in pieces])
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

    def _rendering(self, rendering: str | None) -> str:
        return require(rendering or self.default_rendering, self.renderings, "rendering")

    def _views(self, rendering: str | None) -> Views:
        """The first file's tables of a rendering: what all files have in common."""
        name = self._rendering(rendering)
        if name not in self._pictures:
            kinds = [part.views(name) for part in self._parts]
            if any(kind[:7] != kinds[0][:7] for kind in kinds):
                raise self._damaged(f"rendering '{name}' is another in every file")
            self._pictures[name] = kinds[0]
        return self._pictures[name]

    def picture_size(self, rendering: str | None = None) -> tuple[int, int]:
        """(height, width) of a rendering's pictures, pixels."""
        views = self._views(rendering)
        return views.height, views.width

    def view_count(self, index: int, rendering: str | None = None) -> int:
        """Views of object `index`."""
        part, row = self._at(index)
        offset = part.views(self._rendering(rendering)).view_offset
        return int(offset[row + 1] - offset[row])

    def view_counts(self, rendering: str | None = None) -> Array:
        """(N,) int64: views of every object."""
        name = self._rendering(rendering)
        return np.concatenate([np.diff(part.views(name).view_offset) for part in self._parts])

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
        """Pictures of many objects, read in the order of the files.

        Args:
            rows: (B,) rows of objects.
            views: (B,) their views.
            rendering: Name of the rendering; None for the default one.
            out: Where they go; None for a new array.

        Returns:
            (B, H, W, 4) uint8, or (B, H, W) uint16 of depth, in the order of `rows`.
        """
        table, rows, views = self._views(rendering), np.asarray(rows), np.asarray(views)
        found = blank(table.mode, table.height, table.width, len(rows)) if out is None else out
        which = np.searchsorted(self._starts[1:-1], rows, side="right")
        for number in np.unique(which).tolist():
            where = np.flatnonzero(which == number)
            inside = rows[where] - self._starts[number]
            self._parts[number].read_into(found, where, inside, views[where], table.name)
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
        part, row = self._at(index)
        return part.camera(row, view, self._rendering(rendering))

    # -- shapes -----------------------------------------------------------------------------

    def source_to_object(self, index: int) -> Array:
        """(4, 4) float64 from the frame of the object's cameras to the object frame."""
        part, row = self._at(index)
        return part.source_to_object(row)

    def parameters(self, index: int) -> dict[str, Any] | None:
        """What the set's own maker noted about object `index`, or None."""
        part, row = self._at(index)
        return part.parameters(row)

    def voxels(self, index: int, kind: str | None = None) -> Array:
        """(R, R, R) bool indexed [x, y, z] along the object axes; the first kind if None."""
        part, row = self._at(index)
        return part.voxels(row, self._kind(kind))

    def grid_to_object(self, kind: str | None = None) -> Array:
        """(4, 4) float64: cell index coordinates (cell n spans [n, n+1)) to the object frame."""
        return self._parts[0].voxel_kind(self._kind(kind))[1].copy()

    def _kind(self, kind: str | None) -> str:
        if not self.voxel_kinds:
            raise UsageError(f"data set '{self.id}' holds no voxels")
        name = kind or self.voxel_kinds[0]
        if name not in self._checked_kinds:
            require(name, self.voxel_kinds, "voxel kind")
            kinds = [part.voxel_kind(name) for part in self._parts]
            if any(n != kinds[0][0] or not np.array_equal(m, kinds[0][1]) for n, m in kinds):
                raise self._damaged(f"voxels '{name}' are others in every file")
            self._checked_kinds.add(name)
        return name

    def array(self, index: int, name: str) -> Array:
        """The rows of object `index` in one of the set's further tables (`array_kinds`).

        Raises:
            UsageError: The set has no such table.
        """
        require(name, self.array_kinds, "array")
        part, row = self._at(index)
        return part.array(row, name)

    def shared_mesh(self, index: int) -> str:
        """Key of the mesh that object `index` shares with others, or ""."""
        part, row = self._at(index)
        return part.shared_mesh(row)

    def mesh(self, index: int) -> Mesh | None:
        """The object's surface in the object frame, or None where the set has only voxels."""
        part, row = self._at(index)
        return part.mesh(row)

    # -- for checking -----------------------------------------------------------------------

    def identity_of(self, index: int) -> bytes:
        """sha256 (32 bytes) of what object `index` is."""
        part, row = self._at(index)
        return part.identity_of(row)

    def rows(self, index: int) -> dict[str, Array]:
        """Object `index` as it lies in its file: dataset name to its rows, but for the pixels."""
        part, row = self._at(index)
        return part.stored(row)


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
