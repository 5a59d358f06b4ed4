"""Which points of a cube lie inside a mesh: exact where the mesh is closed, by voxels elsewhere.

Most models of ShapeNetCore are not closed: sheets without thickness, gaps, walls inside. "Inside"
then has no exact meaning. By voxels it means: in a cell of 1.1/256 that the surface touches, or
that cannot be reached from outside. So a sheet comes out one or two cells thick, gaps narrower than
a cell are closed, and a model with a wider gap is hollow: a shell of cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.core.keyed import keyed_rng
from benchbench.core.types import Mesh
from benchbench.datasets.winding import winding_numbers

Array = npt.NDArray[Any]

COUNT = 100_000
HALF = 0.55  # half the cube's side, as in Occupancy Networks: 1 and a padding of 0.1
STEPS = 1 << 16
RESOLUTION = 256
_MOST_PAIRS = 1 << 29  # some minutes; honest meshes stay below a hundredth


@dataclass(frozen=True)
class Occupancy:
    """Points and answers.

    Attributes:
        points: (100000, 3) uint16, see `decode_points`.
        bits: (12500,) uint8, lowest bit first.
        watertight: Whether every edge is used as often one way as the other.
        method: "winding" (exact) or "voxels".
        agreement: Share of points to which voxels give the same answer; 1 for "voxels".
    """

    points: Array
    bits: Array
    watertight: bool
    method: str
    agreement: float


def occupancy(mesh: Mesh, seed: int, object_id: str) -> Occupancy:
    """Draw the points and answer them.

    A closed mesh is asked for its winding number; inside is where that is not 0, so a mesh whose
    faces all look inward is answered right too, and parts that overlap are one solid. Its vertices
    are rounded to 1.7e-5 for that.

    Args:
        mesh: Object frame: within [-0.5, 0.5].
        seed: Seed of the points.
        object_id: Names the object, so that two objects get different points.

    Example:
        >>> from benchbench.datasets.shapes13.parts import box
        >>> vertices, faces = box((-0.5, -0.25, -0.25), (0.5, 0.25, 0.25))
        >>> found = occupancy(Mesh(vertices.astype(np.float32), faces.astype(np.int32)), 0, "a")
        >>> found.method, round(float(np.unpackbits(found.bits).mean()) * 1.1**3, 2)
        ('winding', 0.25)
    """
    rng = keyed_rng(seed, "occupancy", object_id)
    points = rng.integers(0, STEPS, (COUNT, 3), dtype=np.uint16)
    by_voxels = _by_voxels(mesh, points)
    vertices = 2 * np.rint(np.asarray(mesh.vertices, np.float64) * (STEPS / HALF / 2))
    corners = vertices.astype(np.int64)[mesh.faces]
    watertight = is_closed(corners)
    inside, method = by_voxels, "voxels"
    if watertight:
        try:
            odd = 2 * points.astype(np.int64) + 1 - STEPS
            inside, method = winding_numbers(odd, corners, _MOST_PAIRS) != 0, "winding"
        except InputError:
            pass  # too many faces over each other
    agreement = float((inside == by_voxels).mean())
    bits = np.packbits(inside, bitorder="little")
    return Occupancy(points, bits, watertight, method, agreement)


def decode_points(points: Array) -> Array:
    """Stored points as coordinates of the object frame: (N, 3) float32 within +-0.55.

    Example:
        >>> decode_points(np.uint16([[0, 32768, 65535]])).round(5).tolist()
        [[-0.5499899983406067, 9.999999747378752e-06, 0.5499899983406067]]
    """
    odd = 2 * np.asarray(points).astype(np.int64) + 1 - STEPS
    return (odd * (HALF / STEPS)).astype(np.float32)


def decode_inside(bits: Array, count: int = COUNT) -> Array:
    """Stored answers: (N,) bool.

    Example:
        >>> decode_inside(np.uint8([5]), 4).tolist()
        [True, False, True, False]
    """
    return np.unpackbits(np.asarray(bits), count=count, bitorder="little").astype(bool)


def is_closed(corners: Array) -> bool:
    """Whether every edge of a mesh is used as often one way as the other; equal corners are one.

    Args:
        corners: (F, 3, 3) int64 within +-2^20.
    """
    keys = (corners + (1 << 20)) @ np.array([1 << 42, 1 << 21, 1])
    names, index = np.unique(keys, return_inverse=True)
    index = index.reshape(-1, 3).astype(np.int64)
    start, end = index.reshape(-1), np.roll(index, -1, axis=1).reshape(-1)
    low, high = np.minimum(start, end), np.maximum(start, end)
    _, edge = np.unique(low * len(names) + high, return_inverse=True)
    return not np.bincount(edge.reshape(-1), np.sign(end - start)).any()


def _by_voxels(mesh: Mesh, points: Array) -> Array:
    import torch

    from benchbench.cuda_ops.voxelize import voxelize

    unit = (np.asarray(mesh.vertices, np.float64) / (2 * HALF) + 0.5).astype(np.float32)
    faces = torch.from_numpy(np.asarray(mesh.faces, np.int64))
    grid = voxelize(torch.from_numpy(unit)[None], faces, RESOLUTION)[0].numpy()
    x, y, z = (points // np.uint16(STEPS // RESOLUTION)).T
    found: Array = grid[x, y, z]
    return found
