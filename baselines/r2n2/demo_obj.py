"""The OBJ text of the original's demo: a little cube for every occupied cell.

Only to compare with files that the original wrote: its faces do not all wind outward and its cubes
do not touch. `bench reconstruct` writes surfaces.

Source: r2n2.md 7.2, `voxel2obj` of lib/voxel.py.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchbench.core.errors import ShapeError

SIZE = 0.01  # of a cube; the next one begins 1.1 times as far
_CORNERS = np.array([(n >> 2 & 1, n >> 1 & 1, n & 1) for n in range(8)], np.float64)
_TRIANGLES = np.array(list(map(int, "012132236376026064051045675654173157"))).reshape(12, 3)


def demo_obj(occupied: NDArray[np.bool_], surface_only: bool = True) -> str:
    """The text of the file.

    Args:
        occupied: (R, R, R) bool, [x, y, z]; the demo takes probabilities above 0.4.
        surface_only: Leave out cells whose 26 neighbours are all occupied; those at the grid's
            border always have an empty one.

    Returns:
        Vertices in units of the original's own, 0.011 a cell.

    Raises:
        ShapeError: Not a cube of bool.

    Example:
        >>> text = demo_obj(np.ones((1, 1, 1), bool))
        >>> text.splitlines()[:3], text.count("f ")
        (['g', '# 8 vertex', 'v 0.000000 0.000000 0.000000'], 12)
    """
    if occupied.ndim != 3 or len(set(occupied.shape)) != 1 or occupied.dtype != np.bool_:
        got = f"{occupied.shape} {occupied.dtype}"
        raise ShapeError("demo_obj", "occupied", "(R, R, R) bool", got)
    kept = occupied & ~_inside(occupied) if surface_only else occupied
    cells = np.argwhere(kept)
    vertices = (SIZE * (_CORNERS + 1.1 * cells[:, None])).reshape(-1, 3)
    faces = (_TRIANGLES + 8 * np.arange(len(cells))[:, None, None]).reshape(-1, 3) + 1
    lines = ["g", f"# {len(vertices)} vertex"]
    lines += ["v {:f} {:f} {:f}".format(*vertex) for vertex in vertices.tolist()]
    lines.append(f"# {len(faces)} faces")
    lines += ["f {} {} {}".format(*face) for face in faces.tolist()]
    return "\n".join(lines) + "\n"


def _inside(occupied: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells whose whole 3x3x3 neighbourhood is occupied."""
    inside = np.pad(occupied, 1)
    for axis in range(3):
        inside = inside & np.roll(inside, 1, axis) & np.roll(inside, -1, axis)
    return inside[1:-1, 1:-1, 1:-1]
