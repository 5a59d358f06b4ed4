"""LSM's cameras by azimuth, elevation and distance, and what world its matrices belong to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.datasets.cameras import look_at

Array = npt.NDArray[Any]

SIZE = 224
VIEWS = 20
FOCAL = 420.0  # pixels: 112 / tan(atan(16 / 60)), half the field of view that VPL's renderer takes
_DEGREES, _SHIFT = 1.0, 0.02  # how far two descriptions of a camera may lie apart

# LSM's world (X, Y, Z) = (z, x, y) of the object frame. Derived from its reader, its grid and its
# own az_el_to_rot(azimuth + 90, elevation); used for writing, measured when reading.
WORLD_TO_OBJECT = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])


def view_cameras(azimuth: Array, elevation: Array, distance: Array) -> Array:
    """World-to-camera matrices in the object frame, from LSM's angles.

    The camera stands at d (cos e cos a, sin e, -cos e sin a) and looks at the origin, y up. That
    is what learn3D (in a mirrored world) and VPL (with azimuth -a, 90 degrees on) draw.

    Args:
        azimuth: (K,) degrees.
        elevation: (K,) degrees.
        distance: (K,).

    Returns:
        (K, 4, 4) float64; x right, y down, z forward.

    Example:
        >>> matrix = view_cameras(np.array([0.0]), np.array([0.0]), np.array([2.0]))[0]
        >>> (matrix @ [0.5, 0.0, 0.0, 1.0]).round(9).tolist()  # the front comes closer
        [0.0, 0.0, 1.5, 1.0]
    """
    a, e = np.radians(azimuth), np.radians(elevation)
    toward = np.stack([np.cos(e) * np.cos(a), np.sin(e), -np.cos(e) * np.sin(a)], axis=-1)
    return np.array([look_at(eye) for eye in np.asarray(distance)[:, None] * toward])


def view_intrinsics(views: int = VIEWS) -> Array:
    """(K, 3, 3): focal length 420 pixels, principal point in the middle of 224x224.

    Example:
        >>> view_intrinsics(1)[0].tolist()
        [[420.0, 0.0, 112.0], [0.0, 420.0, 112.0], [0.0, 0.0, 1.0]]
    """
    matrix = np.array([[FOCAL, 0, SIZE / 2], [0, FOCAL, SIZE / 2], [0, 0, 1.0]])
    return np.tile(matrix, (views, 1, 1))


def world_to_object(matrices: Array, by_angles: Array) -> Array:
    """Measure which axes the world of matrices from a file has.

    The file gives every camera twice: by a matrix in a world whose axes are nowhere written, and by
    angles in the object frame. Both together give the turn from that world to the object frame; it
    must be the same for all views, and lead axes to axes.

    Args:
        matrices: (K, 4, 4) world to camera, from the file.
        by_angles: (K, 4, 4) object frame to camera, by `view_cameras`.

    Returns:
        (3, 3) float64 of -1, 0 and 1.

    Raises:
        InputError: The two disagree by more than a degree, or 2 % of the distance; says where.
    """
    turns = by_angles[:, :3, :3].transpose(0, 2, 1) @ matrices[:, :3, :3]
    axes = np.rint(turns[0])
    exact = np.array_equal(np.abs(axes).sum(axis=0), np.ones(3)) and np.linalg.det(axes) > 0
    if not exact:
        axes = WORLD_TO_OBJECT  # to say how far off it is
    off = by_angles[:, :3, :3] @ axes - matrices[:, :3, :3]
    angles = np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(off, axis=(1, 2)) / 8**0.5, 0, 1)))
    distance = np.linalg.norm(by_angles[:, :3, 3], axis=1)
    shift = np.linalg.norm(by_angles[:, :3, 3] - matrices[:, :3, 3], axis=1) / distance
    view = int(np.argmax(angles))
    if not angles[view] <= _DEGREES:
        raise InputError(
            f"the matrix and the angles of view {view} lie {angles[view]:.1f} degrees apart"
        )
    view = int(np.argmax(shift))
    if not shift[view] <= _SHIFT:
        raise InputError(
            f"the matrix and the angles of view {view} lie {100 * shift[view]:.0f} % of the "
            "distance apart"
        )
    return axes + 0.0  # no -0.0


def quaternion(rotation: Array) -> Array:
    """(4,) w, x, y, z of a rotation matrix, w not negative.

    Example:
        >>> quaternion(np.diag([1.0, -1.0, -1.0])).tolist()
        [0.0, 1.0, 0.0, 0.0]
    """
    # the eigenvector of Bar-Itzhack's symmetric matrix: no case is special
    (a, b, c), (d, e, f), (g, h, i) = np.asarray(rotation, np.float64)
    matrix = np.array(
        [
            [a + e + i, h - f, c - g, d - b],
            [h - f, a - e - i, b + d, c + g],
            [c - g, b + d, e - a - i, f + h],
            [d - b, c + g, f + h, i - a - e],
        ]
    )
    found = np.linalg.eigh(matrix)[1][:, -1]
    first = found[np.flatnonzero(np.abs(found) > 1e-9)[0]]
    return np.round(found * math.copysign(1.0, first), 15) + 0.0
