"""zeroshape-v1: ZeroShape's evaluation, the best of 6,912 rotations of the prediction."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
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
    return (points - points.mean(-2, keepdims=True)) / extent(points)[..., None, None]


def extent(points: Array) -> Array:
    """(...) the larger extent along x and y of clouds (..., N, 3), and 1e-7 as in the original."""
    sides = points.max(-2) - points.min(-2)
    larger: Array = sides[..., :2].max(-1) + 1e-7
    return larger


def closest_cloud(clouds: Iterable[Array], target: Array) -> tuple[int, Array, Array]:
    """Which of many clouds has the smallest Chamfer distance to a target; the first one wins.

    Args:
        clouds: Batches (B, N, 3).
        target: (M, 3).

    Returns:
        Its number over all batches; (N,) and (M,) float64 distances to and from the target.

    Example:
        >>> clouds = np.array([[[0.0, 0, 3]], [[0, 0, 1]]])
        >>> closest_cloud([clouds, clouds], np.zeros((1, 3)))
        (1, array([1.]), array([1.]))
    """
    from benchbench.cuda_ops import chamfer_nearest

    best: tuple[float, int, Array, Array] | None = None
    first = 0
    for batch in clouds:
        many = tensor(target, np.float32).expand(len(batch), -1, -1).contiguous()
        to_target, _, to_preds, _ = chamfer_nearest(tensor(batch, np.float32), many)
        a, b = (np.sqrt(d.numpy().astype(np.float64)) for d in (to_target, to_preds))
        chamfer = (a.mean(1) + b.mean(1)) / 2
        n = int(np.argmin(chamfer))
        if best is None or chamfer[n] < best[0]:
            best = (float(chamfer[n]), first + n, a[n], b[n])
        first += len(batch)
    assert best is not None
    return best[1:]


def turned(preds: Array, turns: Array) -> Iterator[Array]:
    """Batches (B, N, 3) of a cloud after each rotation, normalised again each time.

    Args:
        preds: (N, 3).
        turns: (R, 3, 3).
    """
    for first in range(0, len(turns), _BATCH):
        some = turns[first : first + _BATCH]
        yield normalised(preds @ some.transpose(0, 2, 1))


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
    clouds = turned(preds.astype(np.float64) @ turn.T, rotations(STEPS))
    _, a, b = closest_cloud(clouds, seen)
    scores = {"chamfer": (float(a.mean()) + float(b.mean())) / 2}
    for threshold in THRESHOLDS:
        hits = (float(np.mean(a < threshold)), float(np.mean(b < threshold)))
        scores[f"fscore@{threshold}"] = harmonic(*hits)
    return scores
