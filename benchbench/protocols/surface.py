"""Distances between surfaces: bench-surface-v1 and voxel-surface-v1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Mesh, Prediction, Voxels
from benchbench.protocols.convert import check_size, marching_cubes, meshed, tensor
from benchbench.protocols.truth import NotAccepted, Truth, Unscorable, memory_of

SAMPLES = 30_000
SEED = 0
F_RADIUS = 0.01  # of the truth's longest edge

Key = tuple[str, int]
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Surface:
    """A mesh ready to be measured: triangles with an area, their unit normals, samples.

    Attributes:
        vertices: (V, 3) float32.
        faces: (F, 3) int32, none of them without area.
        normals: (F, 3) float64 unit normals.
        points: (30000, 3) float32 samples.
        point_faces: (30000,) face of each sample.
    """

    vertices: Array
    faces: Array
    normals: Array
    points: Array
    point_faces: Array


def sampled_surface(mesh: Mesh, name: str, count: int, seed: int = SEED) -> Surface:
    """Drops triangles without area and samples the rest.

    Args:
        mesh: Object frame.
        name: Key of the sampler; the points depend on the mesh, `count`, `seed` and this alone.
        count: Number of samples.
        seed: Of the protocol.

    Raises:
        Unscorable: No triangle has an area, or the coordinates are absurd.
    """
    from benchbench.cuda_ops import sample_surface

    check_size(mesh)
    faces, normals = with_area(mesh)
    vertices = tensor(mesh.vertices, np.float32)
    points, index = sample_surface(vertices, tensor(faces, np.int32), count, seed, name)
    return Surface(vertices.numpy(), faces, normals, points.numpy(), index.numpy())


def with_area(mesh: Mesh) -> tuple[Array, Array]:
    """Faces that have an area, (F, 3) int32, and their unit normals, (F, 3) float64.

    Raises:
        Unscorable: There is none.
    """
    corners = np.take(mesh.vertices.astype(np.float64), mesh.faces, axis=0)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    double_area = np.linalg.norm(cross, axis=1)
    # Float32 corners on a line leave a cross product of rounding size in float64 only if they
    # are not exactly on it; what counts as "no area" is therefore exact zero.
    keep = double_area > 0
    if not keep.any():
        raise Unscorable("empty", "no triangle of the mesh has an area")
    faces = np.ascontiguousarray(mesh.faces[keep], dtype=np.int32)
    return faces, cross[keep] / double_area[keep, None]


def _to_surface(points: Array, surface: Surface) -> tuple[Array, Array]:
    from benchbench.cuda_ops import point_to_mesh

    squared, index = point_to_mesh(
        tensor(points, np.float32),
        tensor(surface.vertices, np.float32),
        tensor(surface.faces, np.int32),
    )
    distance = np.sqrt(np.maximum(squared.numpy().astype(np.float64), 0.0))
    return distance, surface.normals[index.numpy()]


@dataclass(frozen=True)
class Distances:
    """How far two surfaces are from each other, in units of the truth's longest edge.

    Attributes:
        to_target: (N,) float64, of the prediction's samples to the truth's triangles.
        to_preds: (M,) float64, of the truth's samples to the prediction's triangles.
        cos_target: (N,) |cosine| between the normals of each sample and of the triangle there.
        cos_preds: (M,) likewise.
    """

    to_target: Array
    to_preds: Array
    cos_target: Array
    cos_preds: Array

    def chamfer(self) -> float:
        """Mean of both directions, percent of the longest edge."""
        return 100.0 * (float(np.mean(self.to_target)) + float(np.mean(self.to_preds))) / 2.0

    def fscore(self, radius: float) -> float:
        """2 P R / (P + R) within `radius`, <=."""
        precision = float(np.mean(self.to_target <= radius))
        recall = float(np.mean(self.to_preds <= radius))
        both = precision + recall
        return 2.0 * precision * recall / both if both else 0.0

    def normals(self) -> float:
        """Mean of both directions; winding does not matter."""
        return min((float(np.mean(self.cos_target)) + float(np.mean(self.cos_preds))) / 2.0, 1.0)


def distances(preds: Surface, target: Surface) -> Distances:
    """Distances and normals both ways.

    Args:
        preds: The prediction.
        target: The truth; its longest bounding-box edge is the unit of length.

    Raises:
        Unscorable: The truth's bounding box is a point (a broken truth).
    """
    used = target.vertices[np.unique(target.faces)].astype(np.float64)
    edge = float((used.max(axis=0) - used.min(axis=0)).max())
    if edge <= 0:
        raise Unscorable("invalid", "the truth has no extent")
    d_preds, n_target = _to_surface(preds.points, target)
    d_target, n_preds = _to_surface(target.points, preds)
    return Distances(
        d_preds / edge,
        d_target / edge,
        np.abs(_dots(preds.normals[preds.point_faces], n_target)),
        np.abs(_dots(target.normals[target.point_faces], n_preds)),
    )


def _dots(a: Array, b: Array) -> Array:
    # A sum over an axis of three costs several times this, and gives the same bits.
    return a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2]


def compare(preds: Surface, target: Surface) -> dict[str, float]:
    """The numbers of the protocol for two sampled surfaces; arguments and errors of `distances`.

    Returns:
        chamfer (percent of the longest edge), fscore, normals.
    """
    found = distances(preds, target)
    return {
        "chamfer": found.chamfer(),
        "fscore": found.fscore(F_RADIUS),
        "normals": found.normals(),
    }


def score_surface(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """bench-surface-v1 of one item.

    Args:
        prediction: Mesh, or Voxels (marching-cubes-v1 at the threshold), in the object frame.
        truth: Of the object; must hold a mesh.
        key: (object id, view): keys the prediction's samples.
        settings: "threshold" of voxel predictions.

    Returns:
        chamfer, fscore, normals.

    Raises:
        NotAccepted: The prediction is a cloud of points.
        Unscorable: It has no surface, or absurd coordinates.
    """
    assert truth.mesh is not None  # the run checks what a set holds before it begins
    mesh = truth.mesh
    target = truth.remember(
        ("surface", SEED, SAMPLES), lambda: sampled_surface(mesh, truth.object_id, SAMPLES)
    )
    return compare(_predicted(prediction, key, settings), target)


def score_voxel_surface(
    prediction: Prediction, truth: Truth, key: Key, settings: Mapping[str, Any]
) -> dict[str, float]:
    """voxel-surface-v1 of one item: as `score_surface`, the truth is the surface of its voxels.

    `settings["grid"]` names the kind of grid; the first one where it is absent.
    """
    kind = settings.get("grid") or next(iter(truth.voxels))
    grid = truth.voxels[kind]
    target = truth.remember(
        ("voxel-surface", kind, SEED, SAMPLES),
        lambda: sampled_surface(marching_cubes(grid, 0.5), truth.object_id, SAMPLES),
    )
    return compare(_predicted(prediction, key, settings), target)


def _predicted(prediction: Prediction, key: Key, settings: Mapping[str, Any]) -> Surface:
    return memory_of(settings).remember(
        ("surface", SEED, SAMPLES), lambda: _sampled(prediction, key, settings)
    )


def _sampled(prediction: Prediction, key: Key, settings: Mapping[str, Any]) -> Surface:
    if isinstance(prediction, Voxels):
        prediction = meshed(prediction, settings)
    if not isinstance(prediction, Mesh):
        raise NotAccepted(
            "the surface protocols do not take clouds of points: they have no triangles",
            hint="--protocol dibr-chamfer-v1",
        )
    object_id, view = key
    return sampled_surface(prediction, f"{object_id}#{view}", SAMPLES)
