"""Clouds of points from predictions and truths, and the distances that protocols are made of.

Draws are keyed: those of a prediction by (seed 0, object id, view), those of a truth by (seed 0,
object id) alone. A truth that is a cloud of the set's own gives the first points of a keyed
permutation; one that is a mesh gives area-weighted samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.keyed import keyed_rng
from benchbench.core.types import Mesh, Points, Prediction, Voxels
from benchbench.protocols.convert import check_size, meshed, tensor
from benchbench.protocols.surface import sampled_surface
from benchbench.protocols.truth import NotAccepted, Truth, Unscorable, memory_of

Array = npt.NDArray[Any]
Key = tuple[str, int]


@dataclass(frozen=True)
class Cloud:
    """Points on a surface.

    Attributes:
        points: (N, 3) float32.
        normals: (M, 3) unit normals, or None where nobody knows them.
        normal_of: (N,) which of the normals is a point's: its face, where faces are flat. None
            if every point has its own.
    """

    points: Array
    normals: Array | None = None
    normal_of: Array | None = None

    def moved(self, scale: float, shift: Array | None = None) -> Cloud:
        """Every point minus `shift`, times `scale`; computed in float64."""
        points = self.points.astype(np.float64)
        if shift is not None:
            points = points - shift
        return Cloud((points * scale).astype(np.float32), self.normals, self.normal_of)


def as_mesh(protocol: str, prediction: Prediction, settings: Mapping[str, Any]) -> Mesh:
    """A mesh, or marching-cubes-v1 of voxels at the method's threshold.

    Raises:
        NotAccepted: The prediction is a cloud of points.
        Unscorable: No cell reaches the threshold, or the coordinates are absurd.
    """
    if isinstance(prediction, Voxels):
        prediction = meshed(prediction, settings)
    if not isinstance(prediction, Mesh):
        raise NotAccepted(
            f"{protocol} does not take clouds of points: it needs a surface",
            hint="--protocol onet-points-v1",
        )
    check_size(prediction)
    return prediction


def predicted_cloud(
    protocol: str, prediction: Prediction, key: Key, count: int, settings: Mapping[str, Any]
) -> Cloud:
    """`count` points of a prediction: samples of a surface, or some of its own points.

    A prediction of fewer points than `count` gives those it has.

    Raises:
        Unscorable: There is no surface, or the coordinates are absurd.
    """
    object_id, view = key
    if isinstance(prediction, Points):
        check_size(Mesh(prediction.points, np.zeros((0, 3), np.int32)))
        order = keyed_rng(protocol, object_id, view).permutation(len(prediction.points))[:count]
        return Cloud(prediction.points[order].astype(np.float32))
    return sampled(as_mesh(protocol, prediction, settings), f"{object_id}#{view}", count)


def sampled(mesh: Mesh, name: str, count: int) -> Cloud:
    """`count` area-weighted samples of a mesh with the normals of their faces."""
    surface = sampled_surface(mesh, name, count)
    return Cloud(surface.points, surface.normals, surface.point_faces)


def truth_cloud(truth: Truth, count: int) -> Cloud:
    """`count` points of the truth: of the set's own cloud where it has one, else of its mesh.

    Example:
        >>> from benchbench.evaluation.selftest_case import square
        >>> truth_cloud(Truth(square(2, 0.0), {}, "a/b"), 5).points.shape
        (5, 3)
    """
    return truth.remember(("cloud", count), lambda: _truth_cloud(truth, count))


def _truth_cloud(truth: Truth, count: int) -> Cloud:
    if truth.points is None:
        assert truth.mesh is not None  # the run checks what a set holds before it begins
        return sampled(truth.mesh, truth.object_id, count)
    order = keyed_rng("truth cloud", truth.object_id).permutation(len(truth.points))[:count]
    normals = None if truth.normals is None else unit(truth.normals[order])
    return Cloud(truth.points[order].astype(np.float32), normals)


def unit(vectors: Array) -> Array:
    """Vectors of length 1 in float64; zero stays zero."""
    vectors = vectors.astype(np.float64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


def truth_box(truth: Truth) -> tuple[Array, Array]:
    """Lowest and highest corner of the truth's bounding box in the object frame, float64.

    Raises:
        Unscorable: The truth is a single point.
    """

    def box() -> tuple[Array, Array]:
        points = corners(truth)
        low, high = points.min(0), points.max(0)
        if not (high > low).any():
            raise Unscorable("invalid", "the truth has no extent")
        return low, high

    return truth.remember(("box",), box)


def corners(truth: Truth) -> Array:
    """(N, 3) float64: the points whose box is the truth's, its used vertices or its cloud."""
    if truth.points is not None:
        return truth.points.astype(np.float64)
    assert truth.mesh is not None  # the run checks what a set holds before it begins
    return truth.mesh.vertices[np.unique(truth.mesh.faces)].astype(np.float64)


@dataclass(frozen=True)
class Pair:
    """Squared distances from every point to the other cloud's nearest, with who it is.

    Attributes:
        to_target: (N,) float64, of the prediction's points.
        to_preds: (M,) float64, of the truth's points.
        target_index: (N,) which point of the truth is nearest.
        preds_index: (M,) which point of the prediction is nearest.
    """

    to_target: Array
    to_preds: Array
    target_index: Array
    preds_index: Array

    def means(self, scale: float = 1.0) -> tuple[float, float]:
        """Mean distances: of the prediction's points ("accuracy") and of the truth's."""
        to_target, to_preds = self._distances
        return scale * float(to_target.mean()), scale * float(to_preds.mean())

    def square_means(self, scale: float = 1.0) -> tuple[float, float]:
        """Mean squared distances, likewise."""
        return (
            scale**2 * float(self.to_target.mean()),
            scale**2 * float(self.to_preds.mean()),
        )

    def hits(
        self, threshold: float, *, strict: bool, squared: bool = False, scale: float = 1.0
    ) -> tuple[float, float]:
        """Precision and recall: shares of the prediction's and of the truth's points that are near.

        Args:
            threshold: In the protocol's unit.
            strict: `<` instead of `<=`.
            squared: The threshold is compared with squared distances.
            scale: Protocol units in one unit of the clouds.
        """
        found = []
        for distances in (self.to_target, self.to_preds) if squared else self._distances:
            values = distances if scale == 1 else distances * (scale**2 if squared else scale)
            near = values < threshold if strict else values <= threshold
            found.append(np.count_nonzero(near) / len(near))
        return found[0], found[1]

    def cosines(self, preds: Cloud, target: Cloud) -> tuple[Array, Array]:
        """(N,) and (M,) cosines between the normals of each point and of its nearest.

        Raises:
            NotAccepted: A cloud has no normals.
        """
        if preds.normals is None or target.normals is None:
            raise NotAccepted(
                "normals are compared, and one of the clouds has none",
                hint="--protocol onet-points-v1",
            )
        here, there = (_Normals(cloud) for cloud in (preds, target))
        return here.cosines(there, self.target_index), there.cosines(here, self.preds_index)

    @cached_property
    def _distances(self) -> tuple[Array, Array]:
        """Not squared."""
        return np.sqrt(self.to_target), np.sqrt(self.to_preds)


class _Normals:
    """The normals of a cloud's points, looked up by coordinate where its faces share them."""

    def __init__(self, cloud: Cloud) -> None:
        assert cloud.normals is not None
        self._columns = np.ascontiguousarray(cloud.normals.T)
        self._of = cloud.normal_of

    def cosines(self, other: _Normals, index: Array) -> Array:
        """(N,) cosines of every point and the point `index` of another cloud."""
        there = index if other._of is None else other._of[index]
        products = (
            (mine if self._of is None else mine[self._of]) * theirs[there]
            for mine, theirs in zip(self._columns, other._columns, strict=True)
        )
        # A sum over an axis of three costs several times this, and gives the same bits.
        return next(products) + next(products) + next(products)


def nearest_pair(preds: Cloud, target: Cloud) -> Pair:
    """Nearest neighbours both ways, exact in float32, lowest index first.

    Example:
        >>> a = Cloud(np.zeros((1, 3), np.float32))
        >>> b = Cloud(np.array([[0, 0, 0], [3, 4, 0]], np.float32))
        >>> nearest_pair(a, b).means()
        (0.0, 2.5)
    """
    from benchbench.cuda_ops import chamfer_nearest

    to_target, target_index, to_preds, preds_index = chamfer_nearest(
        tensor(preds.points, np.float32)[None], tensor(target.points, np.float32)[None]
    )
    return Pair(
        to_target[0].numpy().astype(np.float64),
        to_preds[0].numpy().astype(np.float64),
        target_index[0].numpy(),
        preds_index[0].numpy(),
    )


def mesh_pair(
    protocol: str,
    prediction: Prediction,
    truth: Truth,
    key: Key,
    count: int,
    settings: Mapping[str, Any],
) -> tuple[Pair, Cloud, Cloud]:
    """`count` samples of a prediction's surface with as many points of the truth, and both clouds.

    The samples depend on the item and `count` alone, so that protocols of the same count share
    them and the search, see `memory_of`.

    Raises:
        NotAccepted: The prediction is a cloud of points.
        Unscorable: It has no surface, or absurd coordinates.
    """
    mesh = as_mesh(protocol, prediction, settings)

    def made() -> tuple[Pair, Cloud, Cloud]:
        preds = predicted_cloud(protocol, mesh, key, count, settings)
        target = truth_cloud(truth, count)
        return nearest_pair(preds, target), preds, target

    return memory_of(settings).remember(("mesh pair", count), made)


def harmonic(precision: float, recall: float, epsilon: float = 0.0) -> float:
    """The F-score 2 P R / (P + R + epsilon), 0 where nothing is near.

    Example:
        >>> harmonic(0.5, 1.0)
        0.6666666666666666
    """
    both = precision + recall + epsilon
    return 2 * precision * recall / both if both else 0.0
