"""Occupancy Networks' and DVR's evaluation: point IoU, accuracy, completeness, normals, F-score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.keyed import keyed_rng
from benchbench.core.types import Points, Prediction
from benchbench.protocols.clouds import (
    Cloud,
    Key,
    Pair,
    as_mesh,
    harmonic,
    mesh_pair,
    nearest_pair,
    predicted_cloud,
    truth_cloud,
)
from benchbench.protocols.inside import contains
from benchbench.protocols.truth import NotAccepted, Truth, Unscorable

SAMPLES = 100_000
QUERIES = 100_000
PADDING = 0.1
DVR_THRESHOLDS = (0.01, 0.015, 0.02, 0.05, 0.1)


def query_points(object_id: str, count: int) -> npt.NDArray[np.float32]:
    """(count, 3) points uniform in the cube of side 1.1 around the origin, keyed by the object."""
    uniform = keyed_rng("onet-iou-v1", object_id).random((count, 3), dtype=np.float32)
    return (uniform - np.float32(0.5)) * np.float32(1 + PADDING)


def score_iou(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """onet-iou-v1 of one item.

    Args:
        prediction: Mesh, or Voxels (marching-cubes-v1 at the method's threshold).
        truth: Of the object; holds a mesh.
        key: (object id, view); the query points depend on the object alone.
        settings: "threshold" of voxel predictions.

    Raises:
        NotAccepted: The prediction is a cloud of points.
        Unscorable: It has no surface, or absurd coordinates; or the truth contains no point.
    """
    mesh = as_mesh("onet-iou-v1", prediction, settings)
    target_mesh = truth.mesh
    assert target_mesh is not None  # the run checks what a set holds before it begins
    points = truth.remember(("queries", QUERIES), lambda: query_points(truth.object_id, QUERIES))
    target = truth.remember(("occupied", QUERIES), lambda: contains(target_mesh, points))
    if not target.any():
        raise Unscorable("invalid", "the truth's mesh contains no point: is it open?")
    preds = contains(mesh, points)
    return {"iou": float(np.count_nonzero(preds & target) / np.count_nonzero(preds | target))}


def chamfer_scores(pair: Pair) -> dict[str, float]:
    """The distances of eval.py: accuracy, completeness, chamfer-L1 and chamfer-L2."""
    accuracy, completeness = pair.means()
    return {
        "chamfer_l1": (accuracy + completeness) / 2,
        "chamfer_l2": sum(pair.square_means()) / 2,
        "accuracy": accuracy,
        "completeness": completeness,
    }


def normal_scores(pair: Pair, preds: Cloud, target: Cloud) -> dict[str, float]:
    """Normal consistency without sign, of both directions and their mean, at most 1."""
    accuracy, completeness = (
        min(float(np.abs(cosines).mean()), 1.0) for cosines in pair.cosines(preds, target)
    )
    return {
        "normals": (accuracy + completeness) / 2,
        "normals_accuracy": accuracy,
        "normals_completeness": completeness,
    }


def score_mesh(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """onet-mesh-v1 of one item: 100,000 samples a side; arguments as `score_iou`.

    The truth may be a mesh or the set's own cloud with normals.
    """
    pair, preds, target = mesh_pair("onet-mesh-v1", prediction, truth, key, SAMPLES, settings)
    return {**chamfer_scores(pair), **normal_scores(pair, preds, target)}


def score_points(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """onet-points-v1 of one item: a method's own points, all of them, with 100,000 of the truth.

    Raises:
        NotAccepted: The prediction is no cloud of points.
        Unscorable: It has absurd coordinates.
    """
    if not isinstance(prediction, Points):
        raise NotAccepted(
            "onet-points-v1 is for methods that predict points",
            hint="--protocol onet-mesh-v1",
        )
    count = len(prediction.points)
    preds = predicted_cloud("onet-points-v1", prediction, key, count, settings)
    return chamfer_scores(nearest_pair(preds, truth_cloud(truth, SAMPLES)))


def score_dvr(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """dvr-mesh-v1 of one item: as `score_mesh` without normals, with F-scores (<=)."""
    pair, _, _ = mesh_pair("dvr-mesh-v1", prediction, truth, key, SAMPLES, settings)
    scores = chamfer_scores(pair)
    for threshold in DVR_THRESHOLDS:
        scores[f"fscore@{threshold}"] = harmonic(*pair.hits(threshold, strict=False))
    return scores
