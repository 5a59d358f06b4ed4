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
_NUMBERS = "biuf"  # kinds of dtype: no complex numbers, texts, dates or objects


def problem(prediction: Prediction | None) -> str | None:
    """Says in one word why a prediction cannot be scored, or None when it can.

    Returns:
        "missing" (None), "empty" (nothing there), "nonfinite" (NaN or infinity),
        "invalid" (wrong shapes or dtypes, face indices out of range, occupancy outside [0, 1],
        cells without a volume) or None.

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
    first = {Mesh: "vertices", Voxels: "occupancy", Points: "points"}[type(prediction)]
    if getattr(prediction, first).dtype.kind not in _NUMBERS:
        return "invalid"
    if isinstance(prediction, Mesh):
        return _mesh_problem(prediction)
    if isinstance(prediction, Voxels):
        grid = prediction.occupancy
        if grid.ndim != 3 or len(set(grid.shape)) != 1:
            return "invalid"
        if grid.size == 0:
            return "empty"
        matrix = prediction.grid_to_object
        if matrix.shape != (4, 4) or matrix.dtype.kind not in "biuf":
            return "invalid"
        if not np.isfinite(grid).all() or not np.isfinite(matrix).all():
            return "nonfinite"
        if grid.min() < 0 or grid.max() > 1:
            return "invalid"
        return None if _is_affine(matrix) else "invalid"
    points, normals = prediction.points, prediction.normals
    if points.ndim != 2 or points.shape[1] != 3:
        return "invalid"
    if normals is not None and (
        normals.shape != points.shape or normals.dtype.kind not in _NUMBERS
    ):
        return "invalid"
    if len(points) == 0:
        return "empty"
    finite = np.isfinite(points).all() and (normals is None or np.isfinite(normals).all())
    return None if finite else "nonfinite"


def _is_affine(matrix: NDArray[np.float64]) -> bool:
    """True if cells have a volume and the last row is 0 0 0 1."""
    if not np.array_equal(matrix[3], [0, 0, 0, 1]):
        return False
    sizes = np.linalg.svd(matrix[:3, :3].astype(np.float64), compute_uv=False)
    return bool(sizes[-1] > 1e-9 * sizes[0] and sizes[-1] > 1e-12)


def _mesh_problem(mesh: Mesh) -> str | None:
    if mesh.faces.size and mesh.faces.dtype.kind not in "iu":
        return "invalid"
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
