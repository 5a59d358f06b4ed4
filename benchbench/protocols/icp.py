"""lmnet-icp-v1: 3D-LMNet's Chamfer distance after an iterative-closest-point fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Prediction
from benchbench.protocols.clouds import Cloud, Key, nearest_pair, predicted_cloud, truth_cloud
from benchbench.protocols.point_sets import unit_cube
from benchbench.protocols.truth import Truth

Array = npt.NDArray[Any]
POINTS = 1024
ITERATIONS = 1000
TOLERANCE = 1e-10


def best_fit(source: Array, target: Array) -> tuple[Array, Array]:
    """Rotation and shift that bring paired points nearest to each other (least squares).

    Args:
        source: (N, 3).
        target: (N, 3), the partner of each.

    Returns:
        (3, 3) R and (3,) t with R s + t near to the partner of s; never a mirror.

    Example:
        >>> a = np.eye(3)
        >>> turn, shift = best_fit(a, a + [0, 0, 5])
        >>> np.allclose(turn, np.eye(3)), shift.round(9).tolist()
        (True, [0.0, 0.0, 5.0])
    """
    from_mean, to_mean = source.mean(0), target.mean(0)
    u, _, vt = np.linalg.svd((source - from_mean).T @ (target - to_mean))
    turn = vt.T @ u.T
    if np.linalg.det(turn) < 0:
        vt[2] *= -1
        turn = vt.T @ u.T
    return turn, to_mean - turn @ from_mean


def best_similarity(source: Array, target: Array) -> tuple[float, Array, Array]:
    """As `best_fit`, with a scale: Umeyama, PAMI 1991.

    Returns:
        s, (3, 3) R and (3,) t with s R p + t near to the partner of p.

    Example:
        >>> a = np.eye(3)
        >>> scale, turn, shift = best_similarity(a, 2 * a + [0, 0, 5])
        >>> round(scale, 9), np.allclose(turn, np.eye(3)), shift.round(9).tolist()
        (2.0, True, [0.0, 0.0, 5.0])
    """
    turn, _ = best_fit(source, target)
    from_mean, to_mean = source.mean(0), target.mean(0)
    turned = (source - from_mean) @ turn.T
    scale = float((turned * (target - to_mean)).sum() / (turned**2).sum())
    return scale, turn, to_mean - scale * (turn @ from_mean)


def icp(source: Array, target: Array) -> tuple[Array, Array]:
    """Rotation and shift from `source` onto `target`, starting where they lie.

    Stops after 1,000 rounds, or when the mean distance of a round changes by less than 1e-10.

    Args:
        source: (N, 3).
        target: (M, 3).
    """
    moved, before = source, 0.0
    for _ in range(ITERATIONS):
        pair = nearest_pair(Cloud(moved.astype(np.float32)), Cloud(target.astype(np.float32)))
        turn, shift = best_fit(moved, target[pair.target_index])
        moved = moved @ turn.T + shift
        distance = pair.means()[0]
        if abs(before - distance) < TOLERANCE:
            break
        before = distance
    return best_fit(source, moved)


def score_lmnet(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """lmnet-icp-v1 of one item: the truth is fitted to the prediction, which is moved back.

    Args:
        prediction: Points, Mesh or Voxels (marching-cubes-v1).
        truth: Of the object.
        key: (object id, view).
        settings: "threshold" of voxel predictions.

    Raises:
        Unscorable: Nothing is there, no extent, or the coordinates are absurd.
    """
    preds = unit_cube(predicted_cloud("lmnet-icp-v1", prediction, key, POINTS, settings))
    target = unit_cube(truth_cloud(truth, POINTS))
    points = preds.points.astype(np.float64)
    turn, shift = icp(target.points.astype(np.float64), points)
    # The original's inverse: the shift is not turned back.
    back = Cloud((points @ turn - shift).astype(np.float32))
    return {"chamfer": sum(nearest_pair(back, target).means())}
