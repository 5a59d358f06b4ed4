"""Voxel IoU on stored grids as Pix2Vox, LSM, PTN, Matryoshka and View Prior Learning count it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Mesh, Prediction, Voxels
from benchbench.protocols.convert import check_size, house_voxels, unit_cube_grid
from benchbench.protocols.iou import grid_iou, no_points, probability_on
from benchbench.protocols.separating_axis import separating_axis_voxels
from benchbench.protocols.truth import NotAccepted, Truth

Key = tuple[str, int]
PIX2VOX_THRESHOLDS = (0.2, 0.3, 0.4, 0.5)
DIBR_HALF_EXTENT = 0.45


def score_pix2vox(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """pix2vox-iou-v1 of one item: IoU at four thresholds, p >= t.

    Args:
        prediction: Voxels on the stored grid, or Mesh (house-voxeliser-v1).
        truth: Of the object; holds the grid that `settings` names.
        key: (object id, view); not used, nothing is drawn.
        settings: "grid", the kind of the truth's grid; "threshold" is not used.

    Raises:
        NotAccepted: Points, or voxels on another grid.
        Unscorable: The prediction's coordinates are absurd.
    """
    stored = truth.voxels[settings["grid"]]
    probability = probability_on("pix2vox-iou-v1", prediction, stored)
    target = stored.occupancy >= 0.5
    return {f"iou@{t}": grid_iou(probability >= np.float32(t), target) for t in PIX2VOX_THRESHOLDS}


def score_lsm(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """lsm-iou-v1 of one item: occupied if p > 0.4; arguments as `score_pix2vox`."""
    return _above("lsm-iou-v1", 0.4, prediction, truth, settings)


def score_ptn(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """ptn-iou-v1 of one item: occupied if p > 0.5; arguments as `score_pix2vox`."""
    return _above("ptn-iou-v1", 0.5, prediction, truth, settings)


def score_matryoshka(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """matryoshka-iou-v1 of one item: grids of 0 and 1; arguments as `score_pix2vox`.

    A grid of probabilities is cut at the method's own threshold.
    """
    stored = truth.voxels[settings["grid"]]
    probability = probability_on("matryoshka-iou-v1", prediction, stored)
    occupied = probability >= np.float32(settings["threshold"])
    return {"iou": grid_iou(occupied, stored.occupancy >= 0.5)}


def _above(
    protocol: str,
    threshold: float,
    prediction: Prediction,
    truth: Truth,
    settings: Mapping[str, Any],
) -> dict[str, float]:
    stored = truth.voxels[settings["grid"]]
    occupied = probability_on(protocol, prediction, stored) > np.float32(threshold)
    return {"iou": grid_iou(occupied, stored.occupancy >= 0.5)}


def score_vpl(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """vpl-iou-v1 of one item: the mesh under separating-axis-v1; arguments as `score_pix2vox`.

    Raises:
        NotAccepted: Points, or voxels on another grid.
        Unscorable: The prediction's coordinates are absurd.
    """
    stored = truth.voxels[settings["grid"]]
    if isinstance(prediction, Mesh):
        preds = separating_axis_voxels(prediction, stored.grid_to_object, stored.occupancy.shape[0])
    else:
        probability = probability_on("vpl-iou-v1", prediction, stored)
        preds = probability >= np.float32(settings["threshold"])
    return {"iou": grid_iou(preds, stored.occupancy >= 0.5)}


def score_dibr_house(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """dibr-house-iou-v1 of one item: both meshes on the grid in which the truth has side 0.9.

    Raises:
        NotAccepted: The prediction is no mesh.
        Unscorable: Its coordinates are absurd.
    """
    mesh = truth.mesh
    assert mesh is not None  # the run checks what a set holds before it begins
    if isinstance(prediction, Voxels):
        raise NotAccepted(
            "dibr-house-iou-v1 names no conversion for voxel predictions",
            hint="--protocol bench-iou-v1",
        )
    if not isinstance(prediction, Mesh):
        raise no_points("dibr-house-iou-v1")
    grid = truth.remember(("dibr-house-grid",), lambda: _dibr_grid(mesh))
    target = truth.remember(("dibr-house-voxels",), lambda: house_voxels(mesh, grid))
    preds = house_voxels(prediction, grid)
    both = int(np.count_nonzero(preds & target))
    return {"iou": both / (int(np.count_nonzero(preds | target)) + 1e-8)}


def _dibr_grid(mesh: Mesh) -> npt.NDArray[np.float64]:
    """`grid_to_object` of the cube in which the truth has half-extent 0.45 and is centred."""
    check_size(mesh)
    used = mesh.vertices[np.unique(mesh.faces)].astype(np.float64)
    low, high = used.min(0), used.max(0)
    side = float((high - low).max()) / (2 * DIBR_HALF_EXTENT)
    matrix = unit_cube_grid()
    matrix[:3] *= side
    matrix[:3, 3] += (low + high) / 2
    return matrix
