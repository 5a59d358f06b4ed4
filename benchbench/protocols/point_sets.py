"""Protocols of methods that predict points: AtlasNet, PSGN, 3D-PCG, Pix3D, UCLID, and exact EMD."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.keyed import keyed_rng
from benchbench.core.types import Points, Prediction, Voxels
from benchbench.protocols.clouds import (
    Cloud,
    Key,
    Pair,
    harmonic,
    nearest_pair,
    predicted_cloud,
    truth_box,
    truth_cloud,
)
from benchbench.protocols.convert import marching_cubes
from benchbench.protocols.matching import matching_mean
from benchbench.protocols.truth import NotAccepted, Truth, Unscorable

Array = npt.NDArray[Any]

ATLASNET_CLOUD = 30_000  # from which centre, radius and the 2,500 are taken
ATLASNET_POINTS = 2500
ATLASNET_THRESHOLD = 1e-3  # of squared distances
PSGN_POINTS, PSGN_TRUTH_POINTS = 1024, 16_384
PCG_SOURCES, PCG_TRUTH_POINTS = 200, 100_000
PIX3D_POINTS = 1024
PIX3D_LEVEL = 0.1
UCLID_POINTS, UCLID_F_POINTS, UCLID_SHELL_POINTS = 2048, 10_000, 7000
UCLID_THRESHOLD = (2 * 0.05) ** 2  # of squared distances in [-1, 1]
UCLID_CELLS = 50
EMD_POINTS = 1024


def unit_ball(points: Array) -> tuple[Array, float]:
    """Mean of a cloud and the scale 1 / largest radius around it.

    Example:
        >>> unit_ball(np.array([[0.0, 0, 0], [4, 0, 0]]))
        (array([2., 0., 0.]), 0.5)
    """
    points = points.astype(np.float64)
    centre = points.mean(0)
    radius = float(np.linalg.norm(points - centre, axis=1).max())
    if radius <= 0:
        raise Unscorable("invalid", "the truth has no extent")
    return centre, 1 / radius


def atlasnet_scores(pair: Pair, scale: float) -> dict[str, float]:
    """AtlasNet's numbers: s1 + s2 and F at a squared distance of 0.001, <."""
    hits = pair.hits(ATLASNET_THRESHOLD, strict=True, squared=True, scale=scale)
    return {"chamfer": sum(pair.square_means(scale)), "fscore": harmonic(*hits)}


def score_atlasnet(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """atlasnet-v1 of one item: 2,500 points a side in the unit ball of the truth.

    Args:
        prediction: Mesh, Voxels (marching-cubes-v1) or Points.
        truth: Of the object; 2,500 points with replacement of 30,000.
        key: (object id, view).
        settings: "threshold" of voxel predictions.

    Raises:
        Unscorable: Nothing is there, or the coordinates are absurd.
    """
    cloud = truth_cloud(truth, ATLASNET_CLOUD)
    _, scale = truth.remember(("unit ball", ATLASNET_CLOUD), lambda: unit_ball(cloud.points))
    target = truth.remember(("atlasnet", ATLASNET_CLOUD), lambda: _replaced(cloud, truth))
    preds = predicted_cloud("atlasnet-v1", prediction, key, ATLASNET_POINTS, settings)
    # Moving both clouds changes no distance; only the scale does.
    return atlasnet_scores(nearest_pair(preds, target), scale)


def _replaced(cloud: Cloud, truth: Truth) -> Cloud:
    rng = keyed_rng("atlasnet-v1", truth.object_id)
    return Cloud(cloud.points[rng.integers(len(cloud.points), size=ATLASNET_POINTS)])


def psgn_score(pair: Pair) -> float:
    """s2 + s1 / 2: from the truth in full, from the prediction by half."""
    from_preds, from_truth = pair.square_means()
    return from_truth + from_preds / 2


def score_psgn(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """psgn-v1 of one item: 1,024 points with 16,384 of the truth; arguments as `score_atlasnet`."""
    preds = predicted_cloud("psgn-v1", prediction, key, PSGN_POINTS, settings)
    return {"chamfer": psgn_score(nearest_pair(preds, truth_cloud(truth, PSGN_TRUTH_POINTS)))}


def score_pcg(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """pcg-v1 of one item: mean distance of 200 points of each cloud to all of the other.

    Raises:
        NotAccepted: The prediction is no cloud of points.
        Unscorable: It has absurd coordinates.
    """
    if not isinstance(prediction, Points):
        raise NotAccepted(
            "pcg-v1 is for methods that predict points", hint="--protocol onet-mesh-v1"
        )
    preds = predicted_cloud("pcg-v1", prediction, key, len(prediction.points), settings)
    target = truth_cloud(truth, PCG_TRUTH_POINTS)
    # Both clouds come in the order of a keyed permutation or of independent samples.
    some_preds, some_target = (Cloud(c.points[:PCG_SOURCES]) for c in (preds, target))
    return {
        "to_truth": nearest_pair(some_preds, target).means()[0],
        "to_prediction": nearest_pair(preds, some_target).means()[1],
    }


def unit_cube(cloud: Cloud) -> Cloud:
    """A cloud with its box centred and the longest edge 1.

    Raises:
        Unscorable: It has no extent.
    """
    low, high = (f(cloud.points.astype(np.float64), axis=0) for f in (np.min, np.max))
    edge = float((high - low).max())
    if edge <= 0:
        raise Unscorable("invalid", "all points are one")
    return cloud.moved(1 / edge, (low + high) / 2)


def score_pix3d(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """pix3d-chamfer-v1 of one item: 1,024 points, each cloud to its own unit cube, m1 + m2.

    Voxel predictions become meshes by marching-cubes-v1 at 0.1, whatever the method's threshold.
    """
    if isinstance(prediction, Voxels):
        prediction = marching_cubes(prediction, PIX3D_LEVEL)
    preds = predicted_cloud("pix3d-chamfer-v1", prediction, key, PIX3D_POINTS, settings)
    target = truth_cloud(truth, PIX3D_POINTS)
    return {"chamfer": sum(nearest_pair(unit_cube(preds), unit_cube(target)).means())}


def shell(points: Array) -> npt.NDArray[np.bool_]:
    """(50, 50, 50) cells of [-1, 1]^3 that hold a point; points outside are not counted.

    Example:
        >>> np.argwhere(shell(np.array([[-1, 0, 0.99], [2, 0, 0]]))).tolist()
        [[0, 25, 49]]
    """
    cell = np.floor((points.astype(np.float64) + 1) / 2 * UCLID_CELLS).astype(np.int64)
    inside = cell[((cell >= 0) & (cell < UCLID_CELLS)).all(1)]
    grid = np.zeros((UCLID_CELLS,) * 3, np.bool_)
    grid[tuple(inside.T)] = True
    return grid


def score_uclid(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """uclid-v1 of one item: Chamfer of 2,048 points, F of 10,000, cells of 7,000 in [-1, 1]^3."""
    low, high = truth_box(truth)
    centre, scale = (low + high) / 2, 2 / float((high - low).max())
    most = max(UCLID_POINTS, UCLID_F_POINTS, UCLID_SHELL_POINTS)
    # The first n of the draws are the draws of n.
    preds = predicted_cloud("uclid-v1", prediction, key, most, settings).moved(scale, centre)
    target = truth_cloud(truth, most).moved(scale, centre)

    def first(count: int) -> tuple[Cloud, Cloud]:
        return Cloud(preds.points[:count]), Cloud(target.points[:count])

    hits = nearest_pair(*first(UCLID_F_POINTS)).hits(UCLID_THRESHOLD, strict=True, squared=True)
    a, b = (shell(cloud.points) for cloud in first(UCLID_SHELL_POINTS))
    union = np.count_nonzero(a | b)
    return {
        "chamfer": sum(nearest_pair(*first(UCLID_POINTS)).square_means()),
        "fscore": harmonic(*hits),
        "shell_iou": float(np.count_nonzero(a & b) / union) if union else 0.0,
    }


def assignment_mean(preds: Array, target: Array) -> float:
    """Mean unsquared distance of the best one-to-one matching, exact in float64.

    Args:
        preds: (N, 3).
        target: (N, 3).

    Example:
        >>> a = np.array([[0.0, 0, 0], [1, 0, 0]])
        >>> assignment_mean(a, a[::-1] + [0, 0, 2])
        2.0
    """
    from scipy.spatial.distance import cdist

    return matching_mean(cdist(preds.astype(np.float64), target.astype(np.float64)))


def score_emd(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """emd-exact-v1 of one item: 1,024 points a side, or as many as a cloud of fewer has."""
    preds = predicted_cloud("emd-exact-v1", prediction, key, EMD_POINTS, settings).points
    target = truth_cloud(truth, EMD_POINTS).points
    count = min(len(preds), len(target))
    return {"emd": assignment_mean(preds[:count], target[:count])}
