"""What is wrong with one voxel grid, by the grid alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SHELL_SHARE = 0.5  # an object that is not a block touches its cube with far less


@dataclass(frozen=True)
class GridFacts:
    """Counts of one grid.

    Attributes:
        cells: All cells, R^3.
        occupied: Occupied ones.
        shell: Share of the cells of the outermost layer that are occupied.
        sealed: Empty cells that no way along empty cells' faces joins to the outside.
        cavities: Into how many pieces these fall.
    """

    cells: int
    occupied: int
    shell: float
    sealed: int
    cavities: int

    @property
    def empty(self) -> bool:
        """No cell is occupied."""
        return self.occupied == 0

    @property
    def full(self) -> bool:
        """Every cell is occupied."""
        return self.occupied == self.cells

    @property
    def fills_shell(self) -> bool:
        """More than half of the outermost layer is occupied: a block, or a grid inside out."""
        return self.shell > SHELL_SHARE


def grid_facts(grid: Array) -> GridFacts:
    """Counts of a grid.

    Args:
        grid: (R, R, R) bool.

    Example:
        >>> ball = np.zeros((5, 5, 5), bool)
        >>> ball[1:4, 1:4, 1:4] = True
        >>> ball[2, 2, 2] = False
        >>> grid_facts(ball)
        GridFacts(cells=125, occupied=26, shell=0.0, sealed=1, cavities=1)
    """
    from scipy import ndimage

    outer = np.ones(grid.shape, bool)
    outer[1:-1, 1:-1, 1:-1] = False
    # One empty layer around joins everything that reaches the border to one outside.
    labels, pieces = ndimage.label(~np.pad(grid, 1))
    outside = labels[0, 0, 0]
    sealed = int(np.count_nonzero(labels)) - int(np.count_nonzero(labels == outside))
    shell = float(grid[outer].mean()) if grid.size else 0.0
    return GridFacts(grid.size, int(grid.sum()), shell, sealed, pieces - 1)
