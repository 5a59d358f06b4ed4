"""F-scores of What3D, LegoFormer and DIB-R (2019)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchbench.core.types import Mesh, Points, Prediction, Voxels
from benchbench.protocols.clouds import (
    Key,
    Pair,
    as_mesh,
    harmonic,
    nearest_pair,
    predicted_cloud,
    sampled,
    truth_cloud,
)
from benchbench.protocols.dibr import SAMPLES as DIBR_SAMPLES
from benchbench.protocols.dibr import point_scores
from benchbench.protocols.iou import probability_on
from benchbench.protocols.truth import Truth, Unscorable

WHAT3D_POINTS = 10_000
WHAT3D_THRESHOLDS = (0.01, 0.005, 0.02, 0.05, 0.1, 0.2)
LEGOFORMER_POINTS = 8192
LEGOFORMER_THRESHOLD = 0.01
DIBR_EXTENT = 0.9


def what3d_mesh(occupied: np.ndarray, grid_to_object: np.ndarray) -> Mesh:
    """what3d-marching-cubes-v1: What3D's surface of a grid of 0 and 1, in the object frame.

    The grid is padded by one empty cell, the surface lies at level 0, that is through the centres
    of the first empty cells, and the padded indices are divided by the padded side minus one: the
    solid grows by half a cell on each side and shrinks by (R + 1) / R.

    Args:
        occupied: (R, R, R) bool.
        grid_to_object: (4, 4), cell n spanning [n, n + 1).

    Raises:
        Unscorable: No cell is occupied.

    Example:
        >>> grid = np.zeros((20, 20, 20), bool)
        >>> grid[5:15, 5:15, 5:15] = True
        >>> mesh = what3d_mesh(grid, np.eye(4))
        >>> round(np.ptp(mesh.vertices[:, 0]).item() * 21 / 20, 3)  # ten cells are eleven wide
        11.0
    """
    from skimage.measure import marching_cubes

    if not occupied.any():
        raise Unscorable("empty", "no cell is occupied")
    padded = np.pad(occupied, 1).astype(np.float32)
    vertices, faces, _, _ = marching_cubes(padded, level=0.0)
    resolution = len(occupied)
    cells = vertices.astype(np.float64) * (resolution / (resolution + 1))
    points = cells @ grid_to_object[:3, :3].T + grid_to_object[:3, 3]
    return Mesh(points.astype(np.float32), np.ascontiguousarray(faces, dtype=np.int32))


def what3d_scores(pair: Pair) -> dict[str, float]:
    """F at six thresholds (<), and precision and recall at 0.01 under their right names."""
    scores = {}
    for threshold in WHAT3D_THRESHOLDS:
        precision, recall = pair.hits(threshold, strict=True)
        scores[f"fscore@{threshold}"] = harmonic(precision, recall)
        if threshold == WHAT3D_THRESHOLDS[0]:
            scores.update({f"precision@{threshold}": precision, f"recall@{threshold}": recall})
    return scores


def score_what3d(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """what3d-fscore-v1 of one item: 10,000 points a side, or all of a cloud's.

    Args:
        prediction: Mesh, Points, or Voxels (what3d-marching-cubes-v1 at the method's threshold).
        truth: Of the object.
        key: (object id, view).
        settings: "threshold" of voxel predictions.

    Raises:
        Unscorable: Nothing is there, or the coordinates are absurd.
    """
    if isinstance(prediction, Voxels):
        occupied = prediction.occupancy >= np.float32(settings["threshold"])
        prediction = what3d_mesh(occupied, prediction.grid_to_object)
    count = len(prediction.points) if isinstance(prediction, Points) else WHAT3D_POINTS
    preds = predicted_cloud("what3d-fscore-v1", prediction, key, count, settings)
    return what3d_scores(nearest_pair(preds, truth_cloud(truth, WHAT3D_POINTS)))


def score_legoformer(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """legoformer-fscore-v1 of one item: both grids by what3d-marching-cubes-v1, 8,192 points.

    Args:
        prediction: Voxels on the stored grid, or Mesh (house-voxeliser-v1).
        truth: Of the object; holds the grid that `settings` names.
        key: (object id, view).
        settings: "grid" and "threshold".

    Raises:
        NotAccepted: Points, or voxels on another grid.
        Unscorable: No cell is occupied, or the coordinates are absurd.
    """
    stored = truth.voxels[settings["grid"]]
    probability = probability_on("legoformer-fscore-v1", prediction, stored)
    # Lengths are those of the cube that the grid fills, as in the original.
    cube = np.diag([1 / len(probability)] * 3 + [1.0])
    mesh = what3d_mesh(probability >= np.float32(settings["threshold"]), cube)
    target = truth.remember(
        ("legoformer", settings["grid"], LEGOFORMER_POINTS),
        lambda: sampled(
            what3d_mesh(stored.occupancy >= 0.5, cube), truth.object_id, LEGOFORMER_POINTS
        ),
    )
    preds = sampled(mesh, f"{key[0]}#{key[1]}", LEGOFORMER_POINTS)
    hits = nearest_pair(preds, target).hits(LEGOFORMER_THRESHOLD, strict=True)
    return {"fscore": harmonic(*hits)}


def score_dibr_fscore(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """dibr-fscore-v1 of one item: both meshes to half-extent 0.45, 2,500 samples a side, <=.

    Raises:
        NotAccepted: The prediction is a cloud of points.
        Unscorable: It has no surface, no extent, or absurd coordinates.
    """
    mesh = as_mesh("dibr-fscore-v1", prediction, settings)
    target_mesh = truth.mesh
    assert target_mesh is not None  # the run checks what a set holds before it begins
    target = truth.remember(
        ("dibr-fscore", DIBR_SAMPLES),
        lambda: sampled(fitted(target_mesh), truth.object_id, DIBR_SAMPLES),
    )
    preds = sampled(fitted(mesh), f"{key[0]}#{key[1]}", DIBR_SAMPLES)
    return point_scores(preds.points, target.points)


def fitted(mesh: Mesh) -> Mesh:
    """A mesh with its box centred and the longest edge 0.9.

    Raises:
        Unscorable: It has no extent.
    """
    used = mesh.vertices[np.unique(mesh.faces)].astype(np.float64)
    low, high = used.min(0), used.max(0)
    edge = float((high - low).max())
    if edge <= 0:
        raise Unscorable("empty", "the mesh has no extent")
    moved = (mesh.vertices.astype(np.float64) - (low + high) / 2) * (DIBR_EXTENT / edge)
    return Mesh(moved.astype(np.float32), mesh.faces)
