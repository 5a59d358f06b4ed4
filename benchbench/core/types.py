"""What a method predicts: a mesh, a voxel grid or a set of points, in numpy arrays."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Mesh:
    """Triangles in the object frame.

    Attributes:
        vertices: (V, 3) float32, object units (longest side of the truth is 1).
        faces: (F, 3) int32, counter-clockwise seen from outside.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]


@dataclass(frozen=True)
class Voxels:
    """A cubic grid of occupancy.

    Attributes:
        occupancy: (R, R, R) float32 in [0, 1], indexed [x, y, z] along the object axes.
        grid_to_object: (4, 4) float64, maps cell index coordinates (cell n spans [n, n + 1))
            to object coordinates.
    """

    occupancy: NDArray[np.float32]
    grid_to_object: NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    """A cloud of surface points.

    Attributes:
        points: (N, 3) float32 in the object frame.
        normals: (N, 3) float32 unit normals, or None.
    """

    points: NDArray[np.float32]
    normals: NDArray[np.float32] | None = field(default=None)


Prediction = Mesh | Voxels | Points


def problem(prediction: Prediction | None) -> str | None:
    """Says in one word why a prediction cannot be scored, or None when it can.

    Returns:
        "missing" (None), "empty" (nothing there), "nonfinite" (NaN or infinity),
        "invalid" (wrong shapes, face indices out of range, occupancy outside [0, 1]) or None.

    Example:
        >>> import numpy as np
        >>> triangle = Mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32))
        >>> print(problem(triangle))
        None
        >>> problem(Mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 3]], np.int32)))
        'invalid'
    """
    if prediction is None:
        return "missing"
    if isinstance(prediction, Mesh):
        return _mesh_problem(prediction)
    if isinstance(prediction, Voxels):
        grid = prediction.occupancy
        if grid.ndim != 3 or len(set(grid.shape)) != 1:
            return "invalid"
        if grid.size == 0:
            return "empty"
        if not np.isfinite(grid).all() or not np.isfinite(prediction.grid_to_object).all():
            return "nonfinite"
        return "invalid" if grid.min() < 0 or grid.max() > 1 else None
    if prediction.points.ndim != 2 or prediction.points.shape[1] != 3:
        return "invalid"
    if len(prediction.points) == 0:
        return "empty"
    return None if np.isfinite(prediction.points).all() else "nonfinite"


def _mesh_problem(mesh: Mesh) -> str | None:
    for array in (mesh.vertices, mesh.faces):
        if array.ndim != 2 or array.shape[1] != 3:
            return "invalid"
    if len(mesh.vertices) == 0 or len(mesh.faces) == 0:
        return "empty"
    if not np.isfinite(mesh.vertices).all():
        return "nonfinite"
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        return "invalid"
    return None
