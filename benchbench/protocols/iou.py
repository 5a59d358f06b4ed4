"""Voxel IoU: the house's, Kato's and 3D-R2N2's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Mesh, Points, Prediction, Voxels
from benchbench.protocols.convert import (
    RESOLUTION,
    check_size,
    house_voxels,
    kato_grid,
    nearest_cell,
    same_grid,
    tensor,
    unit_cube_grid,
)
from benchbench.protocols.truth import NotAccepted, Truth

BoolGrid = npt.NDArray[np.bool_]
Key = tuple[str, int]

R2N2_THRESHOLD = 0.4


def grid_iou(preds: BoolGrid, target: BoolGrid) -> float:
    """|P and T| / |P or T| of two grids; two empty ones give 1.

    Example:
        >>> a = np.array([True, True, False]); b = np.array([True, False, True])
        >>> round(grid_iou(a, b), 4)
        0.3333
    """
    union = int(np.count_nonzero(preds | target))
    return int(np.count_nonzero(preds & target)) / union if union else 1.0


def score_bench_iou(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """bench-iou-v1 of one item.

    Args:
        prediction: Mesh or Voxels in the object frame.
        truth: Of the object.
        key: (object id, view); not used, nothing is drawn.
        settings: "threshold" of voxel predictions; "grid" names the truth's voxel kind where the
            set holds no meshes.

    Returns:
        {"iou": float}.

    Raises:
        NotAccepted: The prediction is a cloud of points.
        Unscorable: The prediction's coordinates are absurd.
    """
    target, grid = _house_truth(truth, settings.get("grid"))
    resolution = target.shape[0]
    if isinstance(prediction, Mesh):
        preds = house_voxels(prediction, grid, resolution)
    elif isinstance(prediction, Voxels):
        preds = nearest_cell(prediction, float(settings["threshold"]), grid, resolution)
    else:
        raise no_points("bench-iou-v1")
    return {"iou": grid_iou(preds, target)}


def _house_truth(truth: Truth, kind: str | None) -> tuple[BoolGrid, npt.NDArray[np.float64]]:
    if truth.mesh is not None:
        mesh, grid = truth.mesh, unit_cube_grid()
        return truth.remember(("house-voxeliser-v1",), lambda: house_voxels(mesh, grid)), grid
    voxels = truth.voxels[kind or next(iter(truth.voxels))]
    return voxels.occupancy >= 0.5, voxels.grid_to_object


def kato_voxels(mesh: Mesh) -> BoolGrid:
    """Kato's grid of a mesh of the object frame, returned along the object axes.

    The mesh goes back into Kato's frame, (x, y, z) = (-Z, Y, -X), is scaled in float32 exactly as
    models.py does, and voxelised there: the voxeliser treats both ends of an axis differently
    where a face lies on a cell border, so the frame matters.

    Args:
        mesh: Object frame.

    Returns:
        (32, 32, 32) bool [X, Y, Z]: grid[X, Y, Z] = P[x = 31 - Z, y = Y, z = 31 - X].
    """
    from benchbench.cuda_ops import voxelize

    check_size(mesh)
    v = mesh.vertices.astype(np.float32, copy=False)
    kato = np.stack([-v[:, 2], v[:, 1], -v[:, 0]], axis=1)
    unit = kato * np.float32(31) / np.float32(32) + np.float32(0.5)
    # The mirror turns the winding around; the voxeliser does not care, but keep it outward.
    faces = tensor(mesh.faces[:, ::-1], np.int32)
    grid = voxelize(tensor(unit, np.float32)[None], faces, resolution=RESOLUTION)
    return np.ascontiguousarray(grid[0].numpy().transpose(2, 1, 0)[::-1, :, ::-1])


def score_kato_iou(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """kato-iou-v1 of one item; arguments as `score_bench_iou`.

    Raises:
        NotAccepted: Points, or voxels on another grid than Kato's.
        Unscorable: The prediction's coordinates are absurd.
    """
    target = truth.voxels["kato"].occupancy >= 0.5
    if isinstance(prediction, Mesh):
        preds = kato_voxels(prediction)
    elif isinstance(prediction, Voxels):
        if not same_grid(prediction, RESOLUTION, kato_grid()):
            raise NotAccepted(
                "kato-iou-v1 takes voxel predictions only on Kato's own 32^3 grid",
                hint="--protocol bench-iou-v1",
            )
        preds = prediction.occupancy >= np.float32(settings["threshold"])
    else:
        raise no_points("kato-iou-v1")
    return {"iou": grid_iou(preds, target)}


def voxel_counts(preds: BoolGrid, target: BoolGrid) -> tuple[int, int, int, int, int]:
    """What 3D-R2N2 stores of a sample: xor, intersection, union, false positives and negatives."""
    both = int(np.count_nonzero(preds & target))
    false_positive = int(np.count_nonzero(preds)) - both
    false_negative = int(np.count_nonzero(target)) - both
    wrong = false_positive + false_negative
    return wrong, both, both + wrong, false_positive, false_negative


def average_precision(probability: npt.NDArray[np.float32], target: BoolGrid) -> float:
    """Average precision over all cells: sum_n (R_n - R_(n-1)) P_n over descending p, ties grouped.

    Args:
        probability: Any shape.
        target: The same shape; without a positive the result is 1 if nothing is predicted
            (all p = 0) and 0 otherwise.

    Example:
        >>> p = np.array([0.9, 0.8, 0.7], np.float32)
        >>> round(average_precision(p, np.array([True, False, True])), 4)
        0.8333
    """
    values, truth = probability.reshape(-1), target.reshape(-1)
    positives = int(np.count_nonzero(truth))
    if positives == 0:
        return 0.0 if bool(values.any()) else 1.0
    order = np.argsort(-values, kind="stable")
    values, truth = values[order], truth[order]
    last_of_tie = np.flatnonzero(np.append(values[1:] != values[:-1], True))
    hits = np.cumsum(truth)[last_of_tie]
    precision = hits / (last_of_tie + 1)
    recall = hits / positives
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def score_r2n2_iou(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """r2n2-iou-v1 of one item; arguments as `score_bench_iou`, the threshold is always 0.4.

    Raises:
        NotAccepted: Points, or voxels on another grid.
        Unscorable: The prediction's coordinates are absurd.
    """
    stored = truth.voxels["binvox"]
    target = stored.occupancy >= 0.5
    probability = probability_on("r2n2-iou-v1", prediction, stored)
    _, both, union, _, _ = voxel_counts(probability >= np.float32(R2N2_THRESHOLD), target)
    return {
        "iou": both / union if union else 1.0,
        "ap": average_precision(probability, target),
    }


def probability_on(
    protocol: str, prediction: Prediction, stored: Voxels
) -> npt.NDArray[np.float32]:
    """A prediction as probabilities on a stored grid: its own, or house-voxeliser-v1 of a mesh.

    Args:
        protocol: Id, for the refusal.
        prediction: Mesh, or Voxels on the stored grid.
        stored: The truth's grid.

    Returns:
        (R, R, R) float32.

    Raises:
        NotAccepted: Points, or voxels on another grid.
        Unscorable: The prediction's coordinates are absurd.
    """
    resolution = stored.occupancy.shape[0]
    if isinstance(prediction, Mesh):
        return house_voxels(prediction, stored.grid_to_object, resolution).astype(np.float32)
    if not isinstance(prediction, Voxels):
        raise no_points(protocol)
    if not same_grid(prediction, resolution, stored.grid_to_object):
        name = "ShapeNetVox32" if protocol == "r2n2-iou-v1" else "the truth"
        raise NotAccepted(
            f"{protocol} takes voxel predictions only on the grid of {name}",
            hint="--protocol bench-iou-v1",
        )
    return prediction.occupancy.astype(np.float32, copy=False)


def no_points(protocol: str) -> NotAccepted:
    """The refusal of a cloud of points."""
    return NotAccepted(
        f"{protocol} does not take clouds of points ({Points.__name__}): they enclose nothing",
        hint="bench list --kind protocol",
    )
