"""What one object of a store is like: everything is read once, small facts are kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.core.keyed import keyed_rng
from benchbench.datasets.audit.grids import GridFacts, grid_facts
from benchbench.datasets.audit.silhouettes import OPAQUE, Shares, coarse, mean, shares
from benchbench.datasets.cameras import Camera
from benchbench.datasets.store import Store

Array = npt.NDArray[Any]

SAMPLED_VIEWS = 3  # of every rendering; a wrong frame shows in nearly every view
ORTHONORMAL = 1e-3  # greatest deviation of R R^T from the unit matrix; text files hold 6 digits
SURFACE_LIMIT = 0.5 + 0.01  # greatest coordinate of a surface; the cube ends at 0.5
POINTS_LIMIT = 0.5 + 0.06  # occupancy samples are drawn from a cube of side 1.1


@dataclass
class ObjectFacts:
    """Facts of one object; hashes are 16 bytes.

    Attributes:
        index: Its row.
        views: Views by rendering.
        unreadable: Parts that cannot be read, and why; a picture's part is "rendering view n".
        blank: (rendering, view) of pictures in which nothing is visible.
        unmasked: (rendering, view) of pictures all of whose pixels are opaque: they have no mask.
        pictures: Hash by rendering; none where a view is unreadable or all are blank.
        grids: `GridFacts` by kind.
        grid_hashes: By kind; none for empty grids.
        shares: By (rendering, kind), mean over `sampled` views.
        inside_out: Kinds whose empty cells fit the masks better than the occupied ones.
        sampled: Number of views looked at, by rendering.
        faults: (check, words) of cameras, frames, surfaces and tables.
        mesh: Hash of the surface, or None.
        shared_mesh: Key of the surface shared with others, or "".
        identity: As stored.
    """

    index: int
    views: dict[str, int] = field(default_factory=dict)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    blank: list[tuple[str, int]] = field(default_factory=list)
    unmasked: list[tuple[str, int]] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    grids: dict[str, GridFacts] = field(default_factory=dict)
    grid_hashes: dict[str, bytes] = field(default_factory=dict)
    shares: dict[tuple[str, str], Shares] = field(default_factory=dict)
    inside_out: list[str] = field(default_factory=list)
    sampled: dict[str, int] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)
    mesh: bytes | None = None
    shared_mesh: str = ""
    identity: bytes = b""


def examine_block(store: Store, rows: range) -> list[ObjectFacts]:
    """Facts of several objects (a unit of work for another process)."""
    try:
        return [examine(store, index) for index in rows]
    finally:
        store.close()


def examine(store: Store, index: int) -> ObjectFacts:
    """Reads all of an object and looks at it.

    Args:
        store: The data set.
        index: Row of the object.
    """
    facts = ObjectFacts(index)
    try:
        rows = store.rows(index)
        facts.identity = store.identity_of(index)
        facts.shared_mesh = store.shared_mesh(index)
        mesh = store.mesh(index)
    except (InputError, UnicodeDecodeError) as error:
        facts.unreadable.append(("its rows", str(error)[:300]))
        return facts
    frame = rows["objects/source_to_object"][0]
    usable = _check_frame(frame, facts)
    grids = _look_at_grids(store, index, facts)
    if mesh is not None:
        _check_points("the surface", mesh.vertices, SURFACE_LIMIT, facts)
        facts.mesh = _hash(np.asarray(mesh.vertices), np.asarray(mesh.faces))
    for name in store.array_kinds:
        values = rows[f"arrays/{name}/values"]
        points = "point" in name and values.shape[1:] == (3,)
        _check_points(f"'{name}'", values, POINTS_LIMIT if points else None, facts)
    to_source = np.linalg.inv(frame) if usable else None
    for rendering in store.renderings:
        cameras = _check_cameras(rendering, rows, facts)
        _look_at_pictures(store, index, rendering, cameras, grids, to_source, facts)
    return facts


def _hash(*arrays: Array) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype.str}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()


def _check_frame(frame: Array, facts: ObjectFacts) -> bool:
    if not np.isfinite(frame).all():
        facts.faults.append(("frame", "source_to_object is not finite"))
    elif abs(np.linalg.det(frame[:3, :3])) < 1e-12 or frame[3].tolist() != [0, 0, 0, 1]:
        facts.faults.append(("frame", "source_to_object is no invertible affine matrix"))
    else:
        return True
    return False


def _check_points(what: str, values: Array, limit: float | None, facts: ObjectFacts) -> None:
    if values.dtype.kind != "f" or not values.size:
        return
    if not np.isfinite(values).all():
        facts.faults.append(("not finite", f"{what} holds NaN or infinity"))
        return
    largest = float(np.abs(values).max())
    if limit is not None and largest > limit:
        facts.faults.append(("outside", f"{what} reaches {largest:.3f}, the cube ends at 0.5"))


def _look_at_grids(store: Store, index: int, facts: ObjectFacts) -> dict[str, tuple[Array, Array]]:
    """Notes the facts of all grids; returns the grids, coarse, with their matrices."""
    grids = {}
    for kind in store.voxel_kinds:
        try:
            grid = store.voxels(index, kind)
        except InputError as error:
            facts.unreadable.append((f"voxels '{kind}'", str(error)[:300]))
            continue
        facts.grids[kind] = grid_facts(grid)
        if not facts.grids[kind].empty:
            facts.grid_hashes[kind] = _hash(np.packbits(grid), np.array(grid.shape))
        grids[kind] = coarse(grid, store.grid_to_object(kind))
    return grids


def _check_cameras(rendering: str, rows: dict[str, Array], facts: ObjectFacts) -> list[Camera]:
    """Notes what is wrong with the cameras; returns them, those that are no use with focus 0."""
    worlds = rows[f"renderings/{rendering}/world_to_camera"]
    lenses = rows[f"renderings/{rendering}/intrinsics"]
    cameras = []
    for view, (world, lens) in enumerate(zip(worlds, lenses, strict=True)):
        turn, where = world[:3, :3], f"'{rendering}' view {view}"
        fault = ""
        if not (np.isfinite(world).all() and np.isfinite(lens).all()):
            fault = "camera not finite"
        elif lens[0, 0] <= 0 or lens[1, 1] <= 0 or lens[2].tolist() != [0, 0, 1]:
            fault = "intrinsics"
        elif world[3].tolist() != [0, 0, 0, 1] or np.linalg.det(turn) == 0:
            fault = "extrinsics"
        elif np.abs(turn @ turn.T - np.eye(3)).max() > ORTHONORMAL:
            facts.faults.append(("rotation", where))
        elif np.linalg.det(turn) < 0:
            facts.faults.append(("mirrored", where))
        if fault:
            facts.faults.append((fault, where))
        cameras.append(Camera(world, lens if not fault else np.zeros((3, 3))))
    return cameras


def sampled_views(store: Store, object_id: str, rendering: str, count: int) -> list[int]:
    """Which views are compared with the voxels: the same in every audit of the same set.

    Args:
        store: The data set.
        object_id: "synset/model".
        rendering: Its name.
        count: Views that the object has.
    """
    rng = keyed_rng("audit", store.id, object_id, rendering)
    chosen = rng.choice(count, min(SAMPLED_VIEWS, count), replace=False)
    return sorted(chosen.tolist())


def _look_at_pictures(
    store: Store,
    index: int,
    rendering: str,
    cameras: list[Camera],
    grids: dict[str, tuple[Array, Array]],
    to_source: Array | None,
    facts: ObjectFacts,
) -> None:
    count = facts.views[rendering] = store.view_count(index, rendering)
    chosen = set(sampled_views(store, store.object_ids[index], rendering, count))
    depth = store.mode(rendering) == "depth"
    digest = hashlib.blake2b(digest_size=16)
    found: dict[str, list[Shares]] = {kind: [] for kind in grids}
    turned: dict[str, list[Shares]] = {k: [] for k in grids if facts.grids[k].fills_shell}
    blank = broken = used = 0
    for view in range(count):
        try:
            image = store.image(index, view, rendering)
        except InputError as error:
            facts.unreadable.append((f"'{rendering}' view {view}", str(error)[:300]))
            broken += 1
            continue
        digest.update(image.tobytes())
        visible = image > 0 if depth else image[..., 3] > 0
        if not visible.any():
            facts.blank.append((rendering, view))
            blank += 1
        elif not depth and (image[..., 3] == 255).all():
            facts.unmasked.append((rendering, view))
        elif view in chosen and to_source is not None and cameras[view].intrinsics.any():
            solid = visible if depth else image[..., 3] >= OPAQUE
            used += 1
            for kind, (grid, matrix) in grids.items():
                place = to_source @ matrix
                one = shares(grid, place, cameras[view], visible, solid)
                found[kind] += [one] if one else []
                if kind in turned:
                    other = shares(~grid, place, cameras[view], visible, solid)
                    turned[kind] += [other] if other else []
    facts.sampled[rendering] = used
    for kind, several in found.items():
        if several:
            facts.shares[rendering, kind] = mean(several)
            opposite = turned.get(kind)
            if opposite and mean(opposite).near > facts.shares[rendering, kind].near:
                facts.inside_out.append(kind)
    if count and not broken and blank < count:
        facts.pictures[rendering] = digest.digest()
