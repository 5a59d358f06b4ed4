"""Pixel2Mesh, Mesh R-CNN and GEOMetrics: distances in units fixed by the truth's box.

All three work in the camera's frame. A turn changes no distance, so clouds stay in the object
frame; only Mesh R-CNN's scale looks at the turned box.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchbench.core.types import Points, Prediction
from benchbench.protocols.clouds import (
    Cloud,
    Key,
    Pair,
    as_mesh,
    corners,
    harmonic,
    mesh_pair,
    nearest_pair,
    predicted_cloud,
    truth_box,
    truth_cloud,
)
from benchbench.protocols.truth import Truth

UNIT = 0.57  # Pixel2Mesh units in a ShapeNet unit; a ShapeNet model's box has diagonal 1
P2M_TRUTH_POINTS = 10_000
MESHRCNN_SAMPLES = 10_000
GEOMETRICS_SAMPLES = 2466
P2M_THRESHOLDS = {"tau": 1e-4, "2tau": 2e-4}  # of squared distances
GT10_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
P2M_MODE_THRESHOLDS = (0.01, 0.014142)
_EPSILON = 1e-8


def unit_scale(truth: Truth) -> float:
    """Pixel2Mesh units in one unit of the object frame: 0.57 / diagonal of the truth's box."""
    low, high = truth_box(truth)
    return UNIT / float(np.linalg.norm(high - low))


def p2m_scores(pair: Pair, scale: float) -> dict[str, float]:
    """Pixel2Mesh's numbers: s1 + s2 and F at two thresholds of squared distances, <=."""
    scores = {"chamfer": sum(pair.square_means(scale))}
    for name, threshold in P2M_THRESHOLDS.items():
        hits = pair.hits(threshold, strict=False, squared=True, scale=scale)
        scores[f"fscore@{name}"] = harmonic(*hits, _EPSILON)
    return scores


def score_p2m(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """p2m-v1 of one item: the prediction's vertices with points of the truth.

    Args:
        prediction: Mesh (the vertices its faces use), Voxels (marching-cubes-v1) or Points.
        truth: Of the object.
        key: (object id, view).
        settings: "threshold" of voxel predictions.

    Raises:
        Unscorable: Nothing is there, or the coordinates are absurd.
    """
    target = truth_cloud(truth, P2M_TRUTH_POINTS)
    return p2m_scores(nearest_pair(_vertices(prediction, key, settings), target), unit_scale(truth))


def _vertices(prediction: Prediction, key: Key, settings: Mapping[str, Any]) -> Cloud:
    if isinstance(prediction, Points):
        return predicted_cloud("p2m-v1", prediction, key, len(prediction.points), settings)
    mesh = as_mesh("p2m-v1", prediction, settings)
    return Cloud(mesh.vertices[np.unique(mesh.faces)].astype(np.float32))


def meshrcnn_scores(
    pair: Pair, preds: Cloud, target: Cloud, scale: float, thresholds: tuple[float, ...]
) -> dict[str, float]:
    """Mesh R-CNN's numbers: s1 + s2, normals with and without sign, F at thresholds, <."""
    cosines = pair.cosines(preds, target)
    scores = {
        "chamfer": sum(pair.square_means(scale)),
        "abs_normals": min(sum(float(np.abs(c).mean()) for c in cosines) / 2, 1.0),
        "normals": min(max(sum(float(c.mean()) for c in cosines) / 2, -1.0), 1.0),
    }
    for threshold in thresholds:
        hits = pair.hits(threshold, strict=True, scale=scale)
        scores[f"fscore@{threshold}"] = harmonic(*hits, _EPSILON)
    return scores


def gt10_scale(truth: Truth, view: int) -> float:
    """10 / longest edge of the truth's box along the axes of a view's camera.

    Without a view, or in a set without pictures, along the object's axes.
    """
    turn = truth.turn
    if turn is None or view < 0:
        low, high = truth_box(truth)
    else:
        low, high = truth.remember(
            ("turned box", view), lambda: _box(corners(truth) @ turn(view).T)
        )
    return 10 / float((high - low).max())


def _box(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return points.min(0), points.max(0)


def score_meshrcnn_gt10(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """meshrcnn-gt10-v1 of one item: 10,000 samples a side, longest edge of the truth 10.

    Raises:
        NotAccepted: The prediction is a cloud of points.
        Unscorable: It has no surface, or absurd coordinates.
    """
    scale = gt10_scale(truth, key[1])
    return _meshrcnn("meshrcnn-gt10-v1", prediction, truth, key, settings, scale, GT10_THRESHOLDS)


def score_meshrcnn_p2m(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """meshrcnn-p2m-v1 of one item: as `score_meshrcnn_gt10`, in Pixel2Mesh's units."""
    scale = unit_scale(truth)
    return _meshrcnn(
        "meshrcnn-p2m-v1", prediction, truth, key, settings, scale, P2M_MODE_THRESHOLDS
    )


def _meshrcnn(
    protocol: str,
    prediction: Prediction,
    truth: Truth,
    key: Key,
    settings: Mapping[str, Any],
    scale: float,
    thresholds: tuple[float, ...],
) -> dict[str, float]:
    found = mesh_pair(protocol, prediction, truth, key, MESHRCNN_SAMPLES, settings)
    return meshrcnn_scores(*found, scale, thresholds)


def score_geometrics(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """geometrics-fscore-v1 of one item: 2,466 points a side, F at 0.01 of Pixel2Mesh's unit, <=."""
    name = "geometrics-fscore-v1"
    preds = predicted_cloud(name, prediction, key, GEOMETRICS_SAMPLES, settings)
    pair = nearest_pair(preds, truth_cloud(truth, GEOMETRICS_SAMPLES))
    return {"fscore": harmonic(*pair.hits(1e-2, strict=False, scale=unit_scale(truth)))}
