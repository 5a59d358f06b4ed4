"""How a mesh is laid over its truth before the two are compared, by name.

All work in the truth's frame, in which its box is centred and has the longest side 1. A
normalisation says how the prediction enters it:

    truth-box   moved and scaled as the truth was: place and size of the prediction count
    each-box    its own box centred, longest side 1

An alignment then moves it by a similarity, never by a mirror. Those that search choose on samples
of their own (seed 1), not on those that are scored (seed 0): a score is no minimum over noise.

    none                   not at all
    yaw24                  24 turns about y, normalised again after each (each-box); the smallest
                           Chamfer distance
    cube24+icp-similarity  24 rotations of the cube, each with the cloud's mean at the truth's and
                           its root mean square radius the truth's; from each an iterative closest
                           point fit of a similarity, paired in both directions; the smallest
                           residual
    zeroshape-6912         the rotations and the normalisation of zeroshape-v1; the smallest
                           Chamfer distance

The Chamfer distance of a search is (m1 + m2) / 2, unsquared, between points; on a tie the first
wins. A change that moves a number gets a new name.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Mesh
from benchbench.protocols import zeroshape
from benchbench.protocols.convert import tensor
from benchbench.protocols.icp import best_similarity
from benchbench.protocols.surface import sampled_surface, with_area
from benchbench.protocols.truth import Unscorable

NORMALISATIONS = ("truth-box", "each-box")
ALIGNMENTS = ("none", "yaw24", "cube24+icp-similarity", "zeroshape-6912")
SEARCH_SEED = 1
SEARCH_POINTS = 4096  # a side; zeroshape-6912 takes its protocol's 10,000
YAWS = 24
ROUNDS, TOLERANCE = 100, 1e-4  # of the ICP: at most, and the relative gain that ends it

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Similarity:
    """x to scale turn x + shift.

    Attributes:
        scale: Positive.
        turn: (3, 3) rotation.
        shift: (3,).

    Example:
        >>> Similarity(2.0, np.eye(3), np.ones(3)).points(np.zeros((1, 3))).tolist()
        [[1.0, 1.0, 1.0]]
    """

    scale: float
    turn: Array
    shift: Array

    def points(self, points: Array) -> Array:
        """(N, 3) float64."""
        moved: Array = self.scale * (points.astype(np.float64) @ self.turn.T) + self.shift
        return moved

    def mesh(self, mesh: Mesh) -> Mesh:
        """The mesh, moved.

        Raises:
            Unscorable: It leaves what float32 holds.
        """
        with np.errstate(over="ignore"):
            vertices = self.points(mesh.vertices).astype(np.float32)
        if not np.isfinite(vertices).all():
            raise Unscorable("invalid", "it is too large for the frame of its truth")
        return Mesh(vertices, mesh.faces)


IDENTITY = Similarity(1.0, np.eye(3), np.zeros(3))


def plain(mesh: Mesh) -> Mesh:
    """Triangles with an area, and the vertices that they use.

    Raises:
        Unscorable: No triangle has one.
    """
    faces, _ = with_area(mesh)
    used, index = np.unique(faces, return_inverse=True)
    return Mesh(mesh.vertices[used], index.reshape(-1, 3).astype(np.int32))


def to_box(points: Array, turn: Array | None = None) -> Similarity:
    """What turns points and then lays their box into the middle, with the longest side 1.

    Args:
        points: (N, 3), not all the same.
        turn: (3, 3), or None for none.

    Example:
        >>> to_box(np.array([[1.0, 1, 1], [3, 2, 1]])).points(np.array([[3.0, 2, 1]])).tolist()
        [[0.5, 0.25, 0.0]]
    """
    turn = np.eye(3) if turn is None else turn
    turned = points.astype(np.float64) @ turn.T
    low, high = turned.min(0), turned.max(0)
    scale = 1 / float((high - low).max())
    return Similarity(scale, turn, -scale * (low + high) / 2)


def normalised(preds: Mesh, target: Mesh, norm: str) -> tuple[Mesh, Mesh]:
    """Prediction and truth in the truth's frame.

    Args:
        preds: From `plain`.
        target: From `plain`.
        norm: One of `NORMALISATIONS`.

    Raises:
        Unscorable: The prediction is too large for that frame.
    """
    frame = to_box(target.vertices)
    own = to_box(preds.vertices) if norm == "each-box" else frame
    return own.mesh(preds), frame.mesh(target)


def aligned(preds: Mesh, target: Mesh, name: str, align: str, norm: str) -> Similarity:
    """What an alignment does to a prediction.

    Args:
        preds: Normalised.
        target: Normalised.
        name: Of the pair; keys the samples.
        align: One of `ALIGNMENTS`.
        norm: How they were normalised.

    Raises:
        Unscorable: The prediction has no area left, or absurd coordinates.
    """
    if align == "none":
        return IDENTITY
    count = zeroshape.SAMPLES if align == "zeroshape-6912" else SEARCH_POINTS
    cloud = sampled_surface(preds, f"{name}#-1", count, SEARCH_SEED).points.astype(np.float64)
    if not np.ptp(cloud, axis=0).any():
        raise Unscorable("empty", "beside its truth it is a point")
    goal = sampled_surface(target, name, count, SEARCH_SEED).points.astype(np.float64)
    if align == "yaw24":
        poses = [_turned(preds, turn, norm) for turn in yaws()]
        clouds = (pose.points(cloud)[None] for pose in poses)
        return poses[zeroshape.closest_cloud(clouds, goal)[0]]
    if align == "zeroshape-6912":
        return _zeroshape(cloud, goal)
    return icp_similarity(cloud, goal, [_centred(cloud, goal, turn) for turn in cube_rotations()])


def yaws() -> Iterator[Array]:
    """Rotations about y by multiples of 15 degrees, the first by none."""
    for k in range(YAWS):
        cos, sin = np.cos(2 * np.pi * k / YAWS), np.sin(2 * np.pi * k / YAWS)
        yield np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])


def cube_rotations() -> Iterator[Array]:
    """The 24 rotations of a cube, the first none.

    Example:
        >>> turns = list(cube_rotations())
        >>> len(turns), bool((turns[0] == np.eye(3)).all())
        (24, True)
    """
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            turn = np.eye(3)[list(order)] * signs
            if np.linalg.det(turn) > 0:
                yield turn


def _turned(preds: Mesh, turn: Array, norm: str) -> Similarity:
    if norm == "each-box":
        return to_box(preds.vertices, turn)
    return Similarity(1.0, turn, np.zeros(3))


def _centred(cloud: Array, goal: Array, turn: Array) -> Similarity:
    """A rotation, then the mean and the root mean square radius of the goal."""
    scale = float(np.sqrt(goal.var(0).sum() / cloud.var(0).sum()))
    return Similarity(scale, turn, goal.mean(0) - scale * (turn @ cloud.mean(0)))


def _zeroshape(cloud: Array, goal: Array) -> Similarity:
    turns = zeroshape.rotations(zeroshape.STEPS)
    clouds = zeroshape.turned(cloud, turns)
    n, _, _ = zeroshape.closest_cloud(clouds, zeroshape.normalised(goal))
    turn: Array = turns[n]
    # Its normalisation of the turned cloud, and that of the goal backwards.
    scale = zeroshape.extent(goal) / zeroshape.extent(cloud @ turn.T)
    return Similarity(float(scale), turn, goal.mean(0) - scale * (turn @ cloud.mean(0)))


def icp_similarity(cloud: Array, goal: Array, starts: Sequence[Similarity]) -> Similarity:
    """The best of several iterative closest-point fits, each a similarity.

    Every point is paired with the nearest one of the other cloud, in both directions (in one alone
    the smallest residual is that of a cloud shrunk to a point), and the similarity with the
    smallest sum of squares takes the place of the last. Ends after 100 rounds, or when a round
    gains less than 1e-4 of the residual, the sum of the mean squared distances of both directions.

    Args:
        cloud: (N, 3) float64.
        goal: (N, 3) float64.
        starts: Where to begin; on a tie the first one wins.
    """
    from benchbench.cuda_ops import chamfer_nearest

    poses = list(starts)
    residuals = np.full(len(poses), np.inf)
    active = list(range(len(poses)))
    for round_ in range(ROUNDS + 1):
        moved = tensor(np.stack([poses[k].points(cloud) for k in active]), np.float32)
        many = tensor(goal, np.float32).expand(len(active), -1, -1).contiguous()
        to_goal, goal_index, to_cloud, cloud_index = map(np.asarray, chamfer_nearest(moved, many))
        found = to_goal.mean(1, dtype=np.float64) + to_cloud.mean(1, dtype=np.float64)
        gained = residuals[active] - found > TOLERANCE * found
        residuals[active] = np.minimum(residuals[active], found)
        if round_ == ROUNDS or not gained.any():
            break
        for n in np.flatnonzero(gained):
            source = np.concatenate([cloud, cloud[cloud_index[n]]])
            poses[active[n]] = Similarity(
                *best_similarity(source, np.concatenate([goal[goal_index[n]], goal]))
            )
        active = [k for k, better in zip(active, gained, strict=True) if better]
    return poses[int(np.argmin(residuals))]
