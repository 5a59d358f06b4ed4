"""dibr-chamfer-v1: the point distance of DIB-R's single-image repository.

On given points every number equals the script's to the last bit: distances, means and F-scores
are float32, in this order. The draws themselves come from this project's keyed generator, because
the script's come from a GPU generator that cannot be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Mesh, Points, Prediction
from benchbench.protocols.convert import check_size, tensor
from benchbench.protocols.surface import sampled_surface
from benchbench.protocols.truth import NotAccepted, Truth

SAMPLES = 2500
PERMUTATION_SEED = 123456
THRESHOLDS = (0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.045, 0.05)
_START = np.float32(10000.0)  # the script's search starts from this distance

Key = tuple[str, int]
Floats = npt.NDArray[np.float32]


def truth_subset(count: int, samples: int = SAMPLES) -> npt.NDArray[np.int64]:
    """Which of a truth's points the script takes: the first of numpy's seeded permutation.

    The script draws one permutation per file from one stream, so its choice depends on the order
    of files; here every object gets the first of the stream.

    Args:
        count: Number of points the set holds for the object.
        samples: Number of points taken.

    Example:
        >>> truth_subset(10000)[:3].tolist()
        [8369, 5395, 7996]
    """
    order = np.random.RandomState(PERMUTATION_SEED).permutation(count)
    return order[:samples].astype(np.int64)


def directed_distances(preds: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Distance of each point to the nearest of the other cloud, both ways, float32.

    Args:
        preds: (N, 3).
        target: (M, 3).

    Returns:
        (N,) and (M,), at most 10,000.
    """
    from benchbench.cuda_ops import chamfer_nearest

    squared_p, _, squared_t, _ = chamfer_nearest(
        tensor(preds, np.float32)[None], tensor(target, np.float32)[None]
    )
    return (
        np.minimum(np.sqrt(squared_p[0].numpy()), _START),
        np.minimum(np.sqrt(squared_t[0].numpy()), _START),
    )


def point_scores(preds: Floats, target: Floats) -> dict[str, float]:
    """The script's numbers for two given clouds.

    Args:
        preds: (N, 3) float32.
        target: (M, 3) float32.

    Returns:
        "chamfer" (raw; the README's table is times 100) and "fscore@t" for the nine thresholds.
    """
    d_preds, d_target = directed_distances(preds, target)
    half = np.float32(2)
    scores = {"chamfer": float((d_preds.mean() + d_target.mean()) / half)}
    for threshold in THRESHOLDS:
        precision = np.mean(d_preds <= threshold, dtype=np.float32)
        recall = np.mean(d_target <= threshold, dtype=np.float32)
        both = precision + recall + np.float32(1e-8)
        scores[f"fscore@{threshold}"] = float(np.float32(2) * precision * recall / both)
    return scores


def score_dibr(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """dibr-chamfer-v1 of one item; arguments as `benchbench.protocols.surface.score_surface`.

    Raises:
        NotAccepted: The prediction is a voxel grid.
        Unscorable: It has no surface, or absurd coordinates.
    """
    object_id, view = key
    target = truth.remember(("dibr", SAMPLES), lambda: _truth_points(truth))
    if isinstance(prediction, Points):
        from benchbench.core.keyed import keyed_rng

        check_size(Mesh(prediction.points, np.zeros((0, 3), np.int32)))
        order = keyed_rng("dibr-chamfer-v1", object_id, view).permutation(len(prediction.points))
        preds = prediction.points[order[:SAMPLES]].astype(np.float32)
    elif isinstance(prediction, Mesh):
        preds = sampled_surface(prediction, f"{object_id}#{view}", SAMPLES).points
    else:
        raise NotAccepted(
            "dibr-chamfer-v1 names no conversion for voxel predictions",
            hint="--protocol bench-surface-v1",
        )
    return point_scores(preds, target)


def _truth_points(truth: Truth) -> Floats:
    if truth.points is not None:
        return truth.points.astype(np.float32)[truth_subset(len(truth.points))]
    assert truth.mesh is not None  # the run checks what a set holds before it begins
    return sampled_surface(truth.mesh, truth.object_id, SAMPLES).points
