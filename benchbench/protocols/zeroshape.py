"""zeroshape-v1: ZeroShape's evaluation, the best of 6,912 rotations of the prediction."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Prediction
from benchbench.protocols.clouds import Key, harmonic, predicted_cloud, truth_cloud
from benchbench.protocols.convert import tensor
from benchbench.protocols.truth import Truth, Unscorable

Array = npt.NDArray[Any]

SAMPLES = 10_000
STEPS = (24, 24, 12)  # azimuths, elevations and rolls, each over the full circle
THRESHOLDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_BATCH = 24
_AXES = np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]])  # the original's exchange of axes


@functools.cache
def rotations(steps: tuple[int, int, int] = STEPS) -> Array:
    """(6912, 3, 3) float64, rolls fastest: Rz(roll) Rx(elevation) Ry(azimuth) and the axes.

    Example:
        >>> turns = rotations()
        >>> len(turns), bool(np.isclose(turns, np.eye(3), atol=1e-9).all((1, 2)).any())
        (6912, True)
    """
    circles = [[2 * np.pi * k / n for k in range(n)] for n in steps]
    return np.stack([_turn(*angles) for angles in itertools.product(*circles)])


def _turn(azimuth: float, elevation: float, roll: float) -> Array:
    (ca, ce, cr), (sa, se, sr) = (f([azimuth, elevation, roll]) for f in (np.cos, np.sin))
    about_y = np.array([[ca, 0, sa], [0, 1, 0], [-sa, 0, ca]])
    about_x = np.array([[1, 0, 0], [0, ce, -se], [0, se, ce]])
    about_z = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    turn: Array = about_z @ about_x @ about_y @ _AXES
    return turn


def normalised(points: Array) -> Array:
    """Clouds minus their mean, divided by the larger extent along x and y; z does not count.

    Args:
        points: (..., N, 3).

    Example:
        >>> normalised(np.array([[0.0, 0, 0], [2, 0, 8]])).round(3).tolist()
        [[-0.5, 0.0, -2.0], [0.5, 0.0, 2.0]]
    """
    centred = points - points.mean(-2, keepdims=True)
    extent = centred.max(-2) - centred.min(-2)
    return centred / (extent[..., :2].max(-1) + 1e-7)[..., None, None]


def best_distances(preds: Array, target: Array, turns: Array) -> tuple[Array, Array]:
    """Distances both ways at the rotation with the smallest Chamfer distance; the first one wins.

    Args:
        preds: (N, 3).
        target: (M, 3), normalised.
        turns: (R, 3, 3) rotations of `preds`, each followed by a normalisation.

    Returns:
        (N,) and (M,) float64.
    """
    from benchbench.cuda_ops import chamfer_nearest

    best: tuple[float, Array, Array] | None = None
    for first in range(0, len(turns), _BATCH):
        some = turns[first : first + _BATCH]
        turned = tensor(normalised(preds @ some.transpose(0, 2, 1)), np.float32)
        many = tensor(target, np.float32).expand(len(some), -1, -1).contiguous()
        to_target, _, to_preds, _ = chamfer_nearest(turned, many)
        a, b = (np.sqrt(d.numpy().astype(np.float64)) for d in (to_target, to_preds))
        chamfer = (a.mean(1) + b.mean(1)) / 2
        n = int(np.argmin(chamfer))
        if best is None or chamfer[n] < best[0]:
            best = (float(chamfer[n]), a[n], b[n])
    assert best is not None
    return best[1], best[2]


def score_zeroshape(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """zeroshape-v1 of one item.

    Args:
        prediction: Mesh, Voxels (marching-cubes-v1) or Points.
        truth: Of the object.
        key: (object id, view); a view's camera gives the frame of the search.
        settings: "threshold" of voxel predictions.

    Raises:
        Unscorable: Nothing is there, or the coordinates are absurd; or the truth has no extent.
    """
    preds = predicted_cloud("zeroshape-v1", prediction, key, SAMPLES, settings).points
    target = truth_cloud(truth, SAMPLES).points
    view = key[1]
    turn = np.eye(3) if truth.turn is None or view < 0 else truth.turn(view)
    if not np.ptp(target, axis=0).any():
        raise Unscorable("invalid", "the truth has no extent")
    seen = normalised(target.astype(np.float64) @ turn.T)
    a, b = best_distances(preds.astype(np.float64) @ turn.T, seen, rotations(STEPS))
    scores = {"chamfer": (float(a.mean()) + float(b.mean())) / 2}
    for threshold in THRESHOLDS:
        hits = (float(np.mean(a < threshold)), float(np.mean(b < threshold)))
        scores[f"fscore@{threshold}"] = harmonic(*hits)
    return scores
