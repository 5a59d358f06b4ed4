"""separating-axis-v1: View Prior Learning's voxeliser, exact overlap of triangles and cells.

A cell is marked where a triangle meets the closed cell (13-axis separating-axis test, Akenine-
Moeller 2001; touching counts), then everything that empty cells do not reach from the border of
the grid is filled.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Mesh
from benchbench.protocols.convert import RESOLUTION, Matrix, check_size, tensor

BoolGrid = npt.NDArray[np.bool_]


def separating_axis_voxels(
    mesh: Mesh, grid_to_object: Matrix, resolution: int = RESOLUTION
) -> BoolGrid:
    """Cells of a grid that a mesh meets or encloses.

    Args:
        mesh: Object frame.
        grid_to_object: (4, 4), cell n spanning [n, n + 1).
        resolution: R, cells per side.

    Returns:
        (R, R, R) bool, [x, y, z].

    Raises:
        Unscorable: The coordinates are absurd.

    Example:
        >>> from benchbench.protocols.convert import unit_cube_grid
        >>> corners = np.array([[-0.4, -0.4, 0.01], [0.4, -0.4, 0.01], [0, 0.4, 0.01]], np.float32)
        >>> triangle = Mesh(corners, np.array([[0, 1, 2]], np.int32))
        >>> grid = separating_axis_voxels(triangle, unit_cube_grid())
        >>> grid.any((0, 1)).nonzero()[0].tolist()
        [16]
    """
    from benchbench.cuda_ops import separating_axis

    check_size(mesh)
    to_grid = np.linalg.inv(grid_to_object)
    cells = mesh.vertices.astype(np.float64) @ to_grid[:3, :3].T + to_grid[:3, 3]
    # Float32 as in the original, and so that a border computed in float64 is met exactly.
    corners = cells.astype(np.float32).astype(np.float64)[mesh.faces]
    return fill(separating_axis(tensor(corners, np.float64), resolution).numpy())


def fill(surface: BoolGrid) -> BoolGrid:
    """Adds every cell that cannot be reached from an empty border cell, by six neighbours.

    Example:
        >>> shell = np.ones((3, 3, 3), bool); shell[1, 1, 1] = False
        >>> bool(fill(shell).all())
        True
    """
    from scipy.ndimage import label

    # A layer of empty cells around the grid joins all empty border cells into one region.
    regions, _ = label(np.pad(~surface, 1, constant_values=True))
    outside: BoolGrid = regions == regions[0, 0, 0]
    return ~outside[1:-1, 1:-1, 1:-1]
