"""Protocols of methods that predict surfaces: DISN, DeepSDF, DefTet and SDFNet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.keyed import keyed_rng
from benchbench.core.types import Mesh, Prediction
from benchbench.protocols.clouds import (
    Cloud,
    Key,
    Pair,
    as_mesh,
    harmonic,
    mesh_pair,
    nearest_pair,
    truth_box,
    truth_cloud,
)
from benchbench.protocols.occupancy import normal_scores
from benchbench.protocols.point_sets import unit_ball
from benchbench.protocols.truth import Truth

DISN_VERTICES = 2048
DISN_FRAME_POINTS = 16_384  # from which the truth's centre and radius are taken
DISN_RADII = (0.0125, 0.025, 0.05, 0.125, 0.25, 0.5)  # 0.5 to 20 % of 2.5
DEEPSDF_SAMPLES = 30_000
DEFTET_SAMPLES = 100_000
SDFNET_SAMPLES = 300_000
SDFNET_THRESHOLDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


def score_disn(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """disn-v1 of one item: 2,048 random vertices of both meshes, in the truth's unit ball.

    Args:
        prediction: Mesh, or Voxels (marching-cubes-v1).
        truth: Of the object; holds a mesh.
        key: (object id, view).
        settings: "threshold" of voxel predictions.

    Returns:
        chamfer, and precision, recall and fscore at six radii.

    Raises:
        NotAccepted: The prediction is a cloud of points.
        Unscorable: It has no surface, or absurd coordinates.
    """
    mesh = as_mesh("disn-v1", prediction, settings)
    target_mesh = truth.mesh
    assert target_mesh is not None  # the run checks what a set holds before it begins
    frame = truth_cloud(truth, DISN_FRAME_POINTS)
    _, scale = truth.remember(("unit ball", DISN_FRAME_POINTS), lambda: unit_ball(frame.points))
    target = truth.remember(("disn",), lambda: _some_vertices(target_mesh, truth.object_id))
    return disn_scores(nearest_pair(_some_vertices(mesh, f"{key[0]}#{key[1]}"), target), scale)


def _some_vertices(mesh: Mesh, name: str) -> Cloud:
    used = mesh.vertices[np.unique(mesh.faces)]
    chosen = keyed_rng("disn-v1", name).integers(len(used), size=DISN_VERTICES)
    return Cloud(used[chosen].astype(np.float32))


def disn_scores(pair: Pair, scale: float) -> dict[str, float]:
    """DISN's numbers: s1 + s2, and hits within six radii, <."""
    scores = {"chamfer": sum(pair.square_means(scale))}
    for radius in DISN_RADII:
        precision, recall = pair.hits(radius, strict=True, scale=scale)
        scores[f"precision@{radius}"] = precision
        scores[f"recall@{radius}"] = recall
        scores[f"fscore@{radius}"] = harmonic(precision, recall)
    return scores


def score_deepsdf(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """deepsdf-chamfer-v1 of one item: 30,000 samples, s1 + s2 in units of the box's diagonal."""
    low, high = truth_box(truth)
    pair, _, _ = mesh_pair("deepsdf-chamfer-v1", prediction, truth, key, DEEPSDF_SAMPLES, settings)
    return {"chamfer": sum(pair.square_means(1 / float(np.linalg.norm(high - low))))}


def deftet_scores(pair: Pair, preds: Cloud, target: Cloud) -> dict[str, float]:
    """DefTet's numbers for two clouds.

    chamfer_l1 is the length in the 1-norm of the way to the nearest point in the 2-norm, as its
    code computes it, both directions added.
    """
    ways = (
        _length_l1(preds.points - np.take(target.points, pair.target_index, axis=0)),
        _length_l1(target.points - np.take(preds.points, pair.preds_index, axis=0)),
    )
    return {
        "chamfer": sum(pair.means()) / 2,
        "chamfer_l1": sum(float(lengths.mean()) for lengths in ways),
        "fscore": harmonic(*pair.hits(0.01, strict=False)),
        "hausdorff": float(np.sqrt(max(pair.to_target.max(), pair.to_preds.max()))),
    }


def _length_l1(ways: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    # A sum over an axis of three costs several times this, and gives the same bits.
    x, y, z = np.abs(ways.T).astype(np.float64, order="C")
    length: npt.NDArray[np.float64] = x + y + z
    return length


def score_deftet(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """deftet-v1 of one item: 100,000 samples a side."""
    return deftet_scores(*mesh_pair("deftet-v1", prediction, truth, key, DEFTET_SAMPLES, settings))


def score_sdfnet(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """sdfnet-v1 of one item: 300,000 samples, m1 + m2, F at six thresholds (<), normals."""
    pair, preds, target = mesh_pair("sdfnet-v1", prediction, truth, key, SDFNET_SAMPLES, settings)
    scores = {
        "chamfer": sum(pair.means()),
        "normals": normal_scores(pair, preds, target)["normals"],
    }
    for threshold in SDFNET_THRESHOLDS:
        scores[f"fscore@{threshold}"] = harmonic(*pair.hits(threshold, strict=True))
    return scores
