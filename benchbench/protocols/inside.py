"""parity-v1: Occupancy Networks' rule for which points a mesh contains.

A vertical ray through a point hits a triangle if the point lies strictly inside its projection;
the point is inside if the hits above and the hits below are both odd in number. A ray through an
edge or a corner hits nothing, so that a point on it is outside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Mesh
from benchbench.cuda_ops.house_voxels import tensor

Array = npt.NDArray[Any]


def contains(mesh: Mesh, points: Array) -> npt.NDArray[np.bool_]:
    """Which points a mesh contains.

    Args:
        mesh: Finite; need not be closed, but then parity means little.
        points: (N, 3), in the mesh's frame.

    Returns:
        (N,) bool. A mesh whose box is flat contains nothing.

    Example:
        >>> from benchbench.evaluation.selftest_case import box
        >>> points = np.array([[0.1, 0.2, 0.3], [1.1, 0.2, 0.3]])
        >>> contains(box((0, 0, 0), (1, 1, 1)), points).tolist()
        [True, False]
    """
    from benchbench.cuda_ops import points_in_mesh

    vertices, queries = tensor(mesh.vertices, np.float64), tensor(points, np.float64)
    inside: npt.NDArray[np.bool_] = points_in_mesh(
        queries, vertices, tensor(mesh.faces, np.int64)
    ).numpy()
    return inside
