"""kaolin's own tests and results as an outside suite: distances, IoU, areas, voxels.

What kaolin has and this project has not (average edge lengths, points to voxels, surface voxels as
such, the sign of a point) is in the files but has nothing to be compared with here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchbench.baselines.dibr.template import neighbour_means
from benchbench.cuda_ops import dibr, nearest, point_to_mesh, voxel_iou, voxelize

FOLDER = Path(__file__).resolve().parents[1] / "data" / "dibr"
MESHES = range(4)


@pytest.fixture(scope="module")
def cases() -> dict[str, list[dict[str, Any]]]:
    return json.loads((FOLDER / "kaolin_cases.json").read_text())


@pytest.fixture(scope="module")
def ops() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "kaolin_ops.npz") as file:
        return dict(file)


def floats(value: Any) -> Tensor:
    return torch.tensor(np.asarray(value), dtype=torch.float32)


def chamfer(a: Tensor, b: Tensor, w1: float = 1.0, w2: float = 1.0, squared: bool = True) -> Tensor:
    """kaolin's, from this project's neighbours: a weighted sum of the two means."""
    means = []
    for source, target in ((a, b), (b, a)):
        distance = nearest(source, target)[0]
        means.append((distance if squared else distance.sqrt()).mean(1))
    return w1 * means[0] + w2 * means[1]


def f_score(gt: Tensor, pred: Tensor, radius: float) -> Tensor:
    """kaolin's, whose recall counts the hits of predictions."""
    missed = (nearest(gt, pred)[0].sqrt() > radius).sum(1)
    wrong = (nearest(pred, gt)[0].sqrt() > radius).sum(1)
    hits = pred.shape[1] - wrong
    precision, recall = hits / pred.shape[1], hits / (hits + missed)
    return 2 * precision * recall / (precision + recall + 1e-8)


@pytest.mark.parametrize("number", [0, 1])
def test_sided_distance(cases: dict[str, Any], number: int) -> None:
    case = cases["sided_distance"][number]
    distance, index = nearest(floats(case["p1"]), floats(case["p2"]))
    np.testing.assert_allclose(distance, case["dist2"], rtol=1e-5)
    assert index.tolist() == case["idx"]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_chamfer_distance(cases: dict[str, Any], number: int) -> None:
    case = cases["chamfer_distance"][number]
    found = chamfer(floats(case["p1"]), floats(case["p2"]), **case["kwargs"])
    np.testing.assert_allclose(found, case["expected"], rtol=1e-5)


@pytest.mark.parametrize("number", range(6))
def test_f_score(cases: dict[str, Any], number: int) -> None:
    case = cases["f_score"][number]
    found = f_score(floats(case["gt"]), floats(case["pred"]), case["radius"])
    np.testing.assert_allclose(found, case["expected"], atol=1e-4)


def test_larger_clouds(ops: dict[str, np.ndarray]) -> None:
    a, b = floats(ops["cd_p1"]), floats(ops["cd_p2"])
    np.testing.assert_allclose(chamfer(a, b), ops["cd_default"], rtol=1e-5)
    np.testing.assert_allclose(chamfer(a, b, 1.3, 0.8), ops["cd_w"], rtol=1e-5)
    np.testing.assert_allclose(chamfer(a, b, squared=False), ops["cd_l1"], rtol=1e-5)
    for gt, pred, radius, name in (
        (a, b, 0.05, "fs_005"), (a, b, 0.1, "fs_01"), (b, a, 0.05, "fs_005_swapped"),
    ):  # fmt: skip
        np.testing.assert_allclose(f_score(gt, pred, radius), ops[name], rtol=1e-5)


def test_voxel_iou(cases: dict[str, Any]) -> None:
    (case,) = cases["voxel_iou"]
    grids = [torch.tensor(np.asarray(case[name]) != 0) for name in ("pred", "gt")]
    np.testing.assert_allclose(voxel_iou(*grids), case["expected"], atol=case["atol"])


def test_mask_iou(cases: dict[str, Any]) -> None:
    (case,) = cases["mask_iou_loss"]
    loss = dibr.mask_iou(floats(case["lhs"]), floats(case["rhs"]))
    assert float(loss) == pytest.approx(case["expected"], abs=1e-4)


@pytest.mark.parametrize("number", [0, 1])
def test_point_to_mesh(cases: dict[str, Any], number: int) -> None:
    case = cases["point_to_mesh"][number]
    faces = torch.tensor(case["faces"])
    distance, face = point_to_mesh(floats(case["points"]), floats(case["vertices"]), faces)
    np.testing.assert_allclose(distance, case["dist2"], rtol=1e-4, atol=1e-6)
    assert face.tolist() == case["face"]


@pytest.mark.parametrize("mesh", MESHES)
def test_point_to_deformed_sphere(ops: dict[str, np.ndarray], mesh: int) -> None:
    faces = torch.tensor(ops["faces"].astype(np.int64))
    points, vertices = floats(ops["p2m_points"][mesh]), floats(ops["vertices"][mesh])
    distance, face = point_to_mesh(points, vertices, faces)
    np.testing.assert_allclose(distance, ops["p2m_dist2"][mesh], rtol=1e-5, atol=1e-9)
    # On an edge or a corner (type > 0) several faces are as near: the lowest index here, in
    # kaolin's double precision whichever rounding prefers.
    inside = ops["p2m_type"][mesh] == 0
    assert inside.sum() > 100
    assert np.array_equal(face.numpy()[inside], ops["p2m_face"][mesh][inside])


def test_face_areas(cases: dict[str, Any]) -> None:
    (case,) = cases["face_areas"]
    faces = torch.tensor(case["faces"])
    corners = dibr.index_vertices_by_faces(floats(case["vertices"]), faces)
    areas = torch.linalg.vector_norm(dibr.face_normals(corners), dim=-1) / 2
    np.testing.assert_allclose(areas, case["expected"], rtol=1e-6)


def test_means_of_neighbours(cases: dict[str, Any]) -> None:
    (case,) = cases["uniform_laplacian_smoothing"]
    means = neighbour_means(np.asarray(case["faces"], np.int32))
    np.testing.assert_allclose(means @ np.asarray(case["vertices"]), case["expected"], atol=1e-6)


@pytest.mark.parametrize("resolution", [16, 32])
def test_solids_and_their_overlap(ops: dict[str, np.ndarray], resolution: int) -> None:
    """kaolin's filled grids: overlaps as kaolin has them, and nearly the cells that we fill.

    kaolin's cells are centred on k / (R - 1), so a point p lies at (p (R - 1) + 1/2) / R of ours.
    Its surface is where subdivided corners round to, ours what a face crosses.
    """

    def grids(name: str) -> Tensor:
        bits = np.unpackbits(ops[f"vox{resolution}_{name}"])[: 4 * resolution**3]
        return torch.tensor(bits.reshape(4, resolution, resolution, resolution).astype(bool))

    solid = grids("filled")
    overlap = voxel_iou(solid, solid.roll(-1, 0))
    np.testing.assert_allclose(overlap, ops[f"iou{resolution}_roll"], rtol=1e-6)
    vertices, faces = floats(ops["vertices"]), torch.tensor(ops["faces"].astype(np.int64))
    low = vertices.amin(1, keepdim=True)
    longest = (vertices - low).amax((1, 2))[:, None, None]

    def ours(unit: Tensor) -> Tensor:
        return voxelize((unit * (resolution - 1) + 0.5) / resolution, faces, resolution)

    assert voxel_iou(ours(vertices + 0.5), solid).min() > (0.93 if resolution == 16 else 0.95)
    for unit, surface in (
        (vertices + 0.5, grids("unitcube")), ((vertices - low) / longest, grids("default")),
    ):  # fmt: skip
        missing = surface & ~ours(unit)
        assert surface.any() and missing.sum() < 0.02 * surface.sum()
