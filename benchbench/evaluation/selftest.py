"""`bench score --selftest`: shapes whose numbers anybody can compute by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchbench.core.types import Mesh, Points, Voxels
from benchbench.evaluation.selftest_case import (
    OBJECT_ID,
    Case,
    block,
    box,
    cells,
    compared,
    square,
)
from benchbench.evaluation.selftest_shapes import shape_cases
from benchbench.protocols.convert import kato_grid, unit_cube_grid
from benchbench.protocols.truth import Truth

_EXACT, _ROUNDING, _SAMPLED = 1e-12, 1e-4, 0.5


def run_selftest() -> list[Case]:
    """All cases: what is particular to some protocols here, `shape_cases` for every one.

    Unit squares 0.1 apart have every distance 0.1. Squares that cross at a right angle in their
    middle have mean distance 1/4 and no common normal.
    """
    return [
        *_iou_cases(),
        *_surface_cases(),
        *_point_cases(),
        *_published_grid_cases(),
        *_published_mesh_cases(),
        *_published_point_cases(),
        *shape_cases(),
        *_device_cases(),
    ]


def _iou_cases() -> list[Case]:
    grid, kato = unit_cube_grid(), kato_grid()
    mesh_truth = Truth(cells(8.5, 23.5, 32), {}, OBJECT_ID)
    kato_truth = Truth(None, {"kato": Voxels(block(8, 24), kato)}, OBJECT_ID)
    r2n2_truth = Truth(None, {"binvox": Voxels(block(8, 24), grid)}, OBJECT_ID)
    nan = Mesh(np.full((3, 3), np.nan, np.float32), np.array([[0, 1, 2]], np.int32))
    cases = []
    for name, truth in (("bench-iou-v1", mesh_truth), ("kato-iou-v1", kato_truth)):
        cases += compared(name, "NaN", nan, truth, {"iou": 0.0}, _EXACT)
    soft = Voxels(block(8, 24, 0.4), grid)
    cases += compared(
        "r2n2-iou-v1", "p = 0.4 is occupied", soft, r2n2_truth, {"iou": 1, "ap": 1}, 1e-9
    )
    # All cells of the grid with p = 0.3 < 0.4, and 512 right ones above: precision 1 up to recall
    # 1/8, then 4096 hits in 32768 cells for the rest.
    ranked = Voxels(np.maximum(block(12, 20, 0.9), np.float32(0.3)), grid)
    precision = 1 / 8 * 1 + 7 / 8 * (4096 / 32768)
    by_rank = {"iou": 1 / 8, "ap": precision}
    cases += compared("r2n2-iou-v1", "half the side, ranked", ranked, r2n2_truth, by_rank, 1e-9)
    return cases


def _surface_cases() -> list[Case]:
    flat = Truth(square(2, 0.0), {}, OBJECT_ID)
    blocks = Truth(None, {"binvox": Voxels(block(8, 24), unit_cube_grid())}, OBJECT_ID)
    nothing = {"chamfer": 100 * 3**0.5, "fscore": 0.0, "normals": 0.0}
    cases = []
    for what, prediction, expected, tolerance in (
        (
            "the truth itself",
            square(2, 0.0),
            {"chamfer": 0.0, "fscore": 1.0, "normals": 1.0},
            _ROUNDING,
        ),
        ("0.1 above", square(2, 0.1), {"chamfer": 10.0, "fscore": 0.0, "normals": 1.0}, _ROUNDING),
        (
            "0.005 above",
            square(2, 0.005),
            {"chamfer": 0.5, "fscore": 1.0, "normals": 1.0},
            _ROUNDING,
        ),
        ("a right angle", square(0, 0.0), {"chamfer": 25.0, "normals": 0.0}, _SAMPLED),
        ("moved by half a side", square(2, 0.0, 0.5), {"chamfer": 12.5, "normals": 1.0}, _SAMPLED),
        ("nothing", None, nothing, _EXACT),
    ):
        for metric, value in expected.items():
            # Only the mean distance depends on where the samples fall.
            slack = tolerance if metric == "chamfer" else min(tolerance, _ROUNDING)
            cases += compared("bench-surface-v1", what, prediction, flat, {metric: value}, slack)
    same = Voxels(block(8, 24), unit_cube_grid())
    alike = {"chamfer": 0.0, "fscore": 1.0, "normals": 1.0}
    # At a shared edge the nearest triangle may be the neighbour's: normals within 1 %.
    cases += compared("voxel-surface-v1", "the truth itself", same, blocks, alike, 0.01)
    return cases


def _point_cases() -> list[Case]:
    one = Points(np.zeros((1, 3), np.float32))
    truth = Truth(None, {}, OBJECT_ID, points=np.array([[0, 0, 0], [1, 0, 0]], np.float32))
    # From the one point 0; to it 0 and 1: (0 + 1/2) / 2. P = 1, R = 1/2.
    expected = {"chamfer": 0.25, "fscore@0.01": 2 / 3}
    return compared("dibr-chamfer-v1", "one of two points", one, truth, expected, 1e-6)


def _published_grid_cases() -> list[Case]:
    """Cells 8 to 23 are the truth. Moved by 4 of 16 layers: 12 / 20. Of the soft grid, half is 0.35
    and half 0.45: at 0.2 and 0.3 all 4096 cells are taken, at 0.4 half of them, at 0.5 none."""
    grid = unit_cube_grid()
    truth = Truth(None, {"binvox": Voxels(block(8, 24), grid)}, OBJECT_ID)
    moved = Voxels(block(8, 24, 1.0, 4), grid)
    soft = block(8, 24, 0.35)
    soft[8:16] = np.minimum(soft[8:16] + np.float32(0.1), 0.45) * (soft[8:16] > 0)
    cases = []
    for name in ("lsm-iou-v1", "ptn-iou-v1", "matryoshka-iou-v1"):
        cases += compared(name, "a grid moved by 4 cells", moved, truth, {"iou": 0.6}, _EXACT)
    by_threshold = {"iou@0.2": 1.0, "iou@0.3": 1.0, "iou@0.4": 0.5, "iou@0.5": 0.0}
    what = "half 0.35, half 0.45"
    cases += compared("pix2vox-iou-v1", what, Voxels(soft, grid), truth, by_threshold, _EXACT)
    cases += compared("lsm-iou-v1", what, Voxels(soft, grid), truth, {"iou": 0.5}, _EXACT)
    return cases


def _published_mesh_cases() -> list[Case]:
    """Unit squares 0.1 apart; their diagonal is sqrt 2. Distances to points are a little longer
    than to the surface: by r^2 / (2 * 0.1) with mean r^2 = 1 / (pi n), below 1 % for 2,500."""
    flat, above = Truth(square(2, 0.0), {}, OBJECT_ID), square(2, 0.1)
    unit = 0.57 * 0.1 / 2**0.5
    near = {
        "onet-mesh-v1": {"chamfer_l1": 0.1, "chamfer_l2": 0.01, "normals": 1.0},
        "dvr-mesh-v1": {"chamfer_l1": 0.1, "fscore@0.05": 0.0},
        "meshrcnn-gt10-v1": {"chamfer": 2.0, "abs_normals": 1.0, "fscore@0.5": 0.0},
        "meshrcnn-p2m-v1": {"chamfer": 2 * unit**2, "normals": 1.0},
        "atlasnet-v1": {"chamfer": 0.04},
        "psgn-v1": {"chamfer": 0.015},
        "uclid-v1": {"chamfer": 0.08, "fscore": 0.0},
        "deepsdf-chamfer-v1": {"chamfer": 0.01},
        "deftet-v1": {"chamfer": 0.1, "fscore": 0.0},
        "sdfnet-v1": {"chamfer": 0.2, "fscore@0.1": 0.0, "fscore@0.2": 1.0},
        "what3d-fscore-v1": {"fscore@0.05": 0.0, "fscore@0.2": 1.0},
    }
    cases = []
    for name, expected in near.items():
        for case in compared(name, "0.1 above", above, flat, expected, _ROUNDING):
            sampled = case.metric.startswith("chamfer")
            cases.append(replace(case, tolerance=0.03 * case.expected) if sampled else case)
    # 0.4 of 1 in length is shared, the other sides are equal; 100,000 points: error 0.003.
    left, right = box((-0.5, -0.3, -0.3), (0.2, 0.3, 0.3)), box((-0.2, -0.3, -0.3), (0.5, 0.3, 0.3))
    truth = Truth(left, {}, OBJECT_ID)
    cases += compared("onet-iou-v1", "0.4 of 1 shared", right, truth, {"iou": 0.4}, 0.015)
    return cases


def _published_point_cases() -> list[Case]:
    """One point 1 above the first of two, which are 2 apart: 1 one way, 1 and sqrt 5 the other."""
    truth = Truth(None, {}, OBJECT_ID, points=np.array([[0, 0, 0], [2, 0, 0]], np.float32))
    one = Points(np.array([[0, 1, 0]], np.float32))
    root = 5**0.5
    cases = []
    for name, expected in (
        ("onet-points-v1", {"accuracy": 1.0, "completeness": (1 + root) / 2}),
        ("pcg-v1", {"to_truth": 1.0, "to_prediction": (1 + root) / 2}),
        ("psgn-v1", {"chamfer": 3.5}),
        ("p2m-v1", {"chamfer": (0.57 / 2) ** 2 * (1 + 3)}),
    ):
        cases += compared(name, "one of two points", one, truth, expected, 1e-6)
    pair = Points(np.array([[0, 3, 4], [2, 0, 5]], np.float32))
    return [*cases, *compared("emd-exact-v1", "both 5 away", pair, truth, {"emd": 5.0}, 1e-9)]


def _device_cases() -> list[Case]:
    """The kernels on the GPU, where there is one, against the CPU."""
    import torch

    if not torch.cuda.is_available():
        return []
    from benchbench.core.keyed import keyed_rng
    from benchbench.cuda_ops import chamfer_nearest, voxelize

    mesh = box((0.2, 0.3, 0.25), (0.7, 0.8, 0.9))
    vertices, faces = torch.from_numpy(mesh.vertices)[None], torch.from_numpy(mesh.faces)
    here, there = voxelize(vertices, faces), voxelize(vertices.cuda(), faces.cuda()).cpu()
    clouds = torch.from_numpy(keyed_rng("selftest").random((2, 1000, 3), dtype=np.float32))
    a = chamfer_nearest(clouds[:1], clouds[1:])[0]
    b = chamfer_nearest(clouds[:1].cuda(), clouds[1:].cuda())[0].cpu()
    return [
        Case("kernel", "voxelize", "GPU and CPU", 0.0, float((here != there).sum()), 0.0),
        Case("kernel", "chamfer_nearest", "GPU and CPU", 0.0, float((a - b).abs().max()), 0.0),
    ]
