"""`bench score --selftest`: shapes whose numbers anybody can compute by hand."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from benchbench.core.types import Mesh, Points, Prediction, Voxels
from benchbench.evaluation.predictions import make_item
from benchbench.evaluation.scoring import score_item
from benchbench.protocols.convert import kato_grid, unit_cube_grid
from benchbench.protocols.registry import get_protocol, load_scorer
from benchbench.protocols.truth import Truth

_ID = "00000000/selftest"
_EXACT, _ROUNDING, _SAMPLED = 1e-12, 1e-4, 0.5


@dataclass(frozen=True)
class Case:
    """One number.

    Attributes:
        protocol: Id.
        metric: Name.
        name: What was scored.
        expected: By hand.
        found: By the program.
        tolerance: Absolute: none for counts, float32 rounding, or the spread of 30,000 samples.
    """

    protocol: str
    metric: str
    name: str
    expected: float
    found: float
    tolerance: float

    @property
    def deviation(self) -> float:
        """Absolute difference."""
        return abs(self.found - self.expected)

    @property
    def passed(self) -> bool:
        """Within the tolerance."""
        return self.deviation <= self.tolerance

    def record(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "deviation": self.deviation, "passed": self.passed}


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Mesh:
    """A closed box of 12 triangles, outward winding.

    Example:
        >>> box((0, 0, 0), (1, 1, 1)).faces.shape
        (12, 3)
    """
    corners = np.array([[(low, high)[c >> a & 1][a] for a in range(3)] for c in range(8)])
    faces = [
        (0, 2, 3), (0, 3, 1), (4, 5, 7), (4, 7, 6), (0, 1, 5), (0, 5, 4),
        (2, 6, 7), (2, 7, 3), (0, 4, 6), (0, 6, 2), (1, 3, 7), (1, 7, 5),
    ]  # fmt: skip
    return Mesh(corners.astype(np.float32), np.array(faces, np.int32))


def square(axis: int, offset: float, shift: float = 0.0) -> Mesh:
    """A unit square of two triangles across `axis` at `offset`, moved by `shift` in its plane."""
    across = [a for a in range(3) if a != axis]
    corners = np.zeros((4, 3))
    corners[:, axis] = offset
    corners[:, across[0]] = np.array([-0.5, 0.5, 0.5, -0.5]) + shift
    corners[:, across[1]] = [-0.5, -0.5, 0.5, 0.5]
    return Mesh(corners.astype(np.float32), np.array([[0, 1, 2], [0, 2, 3]], np.int32))


def _cells(low: float, high: float, scale: float, move: float = 0.0) -> Mesh:
    """A box from cell coordinate `low` to `high` on each axis, moved along x, as object mesh."""
    a, b = (low - 16) / scale, (high - 16) / scale
    return box((a + move / scale, a, a), (b + move / scale, b, b))


def _block(start: int, stop: int, value: float = 1.0, move: int = 0) -> np.ndarray:
    grid = np.zeros((32, 32, 32), np.float32)
    grid[start + move : stop + move, start:stop, start:stop] = value
    return grid


def run_selftest() -> list[Case]:
    """All cases.

    A box from cell coordinate 8.5 to 23.5 covers cells 8 to 23, 16 a side, under Kato's voxeliser.
    Moved by 4 cells it shares 12 of 20 layers: IoU 0.6. A box of 8 cells a side inside has
    512 / 4096 = 0.125. Unit squares 0.1 apart have every distance 0.1. Squares that cross at a
    right angle in their middle have mean distance 1/4 and no common normal.
    """
    return [
        *_iou_cases(),
        *_surface_cases(),
        *_point_cases(),
        *_published_grid_cases(),
        *_published_mesh_cases(),
        *_published_point_cases(),
        *_device_cases(),
    ]


def _iou_cases() -> list[Case]:
    grid, kato = unit_cube_grid(), kato_grid()
    mesh_truth = Truth(_cells(8.5, 23.5, 32), {}, _ID)
    kato_truth = Truth(None, {"kato": Voxels(_block(8, 24), kato)}, _ID)
    r2n2_truth = Truth(None, {"binvox": Voxels(_block(8, 24), grid)}, _ID)
    nan = Mesh(np.full((3, 3), np.nan, np.float32), np.array([[0, 1, 2]], np.int32))
    cases = []
    for name, truth, scale in (
        ("bench-iou-v1", mesh_truth, 32.0),
        ("kato-iou-v1", kato_truth, 31.0),
    ):
        for what, prediction, expected in (
            ("the truth itself", _cells(8.5, 23.5, scale), 1.0),
            ("moved by 4 cells", _cells(8.5, 23.5, scale, 4), 12 / 20),
            ("half the side", _cells(12.5, 19.5, scale), 1 / 8),
            ("an empty mesh", Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)), 0.0),
            ("NaN", nan, 0.0),
            ("nothing", None, 0.0),
        ):
            cases += _score(name, what, prediction, truth, {"iou": expected}, _EXACT)
    soft = Voxels(_block(8, 24, 0.4), grid)
    cases += _score(
        "r2n2-iou-v1", "p = 0.4 is occupied", soft, r2n2_truth, {"iou": 1, "ap": 1}, 1e-9
    )
    # All cells of the grid with p = 0.3 < 0.4, and 512 right ones above: precision 1 up to recall
    # 1/8, then 4096 hits in 32768 cells for the rest.
    ranked = Voxels(np.maximum(_block(12, 20, 0.9), np.float32(0.3)), grid)
    precision = 1 / 8 * 1 + 7 / 8 * (4096 / 32768)
    by_rank = {"iou": 1 / 8, "ap": precision}
    cases += _score("r2n2-iou-v1", "half the side, ranked", ranked, r2n2_truth, by_rank, 1e-9)
    return cases


def _surface_cases() -> list[Case]:
    flat = Truth(square(2, 0.0), {}, _ID)
    blocks = Truth(None, {"binvox": Voxels(_block(8, 24), unit_cube_grid())}, _ID)
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
            cases += _score("bench-surface-v1", what, prediction, flat, {metric: value}, slack)
    same = Voxels(_block(8, 24), unit_cube_grid())
    alike = {"chamfer": 0.0, "fscore": 1.0, "normals": 1.0}
    # At a shared edge the nearest triangle may be the neighbour's: normals within 1 %.
    for case in _score("voxel-surface-v1", "the truth itself", same, blocks, alike, 0.01):
        cases.append(case)
    return cases


def _point_cases() -> list[Case]:
    one = Points(np.zeros((1, 3), np.float32))
    truth = Truth(None, {}, _ID, points=np.array([[0, 0, 0], [1, 0, 0]], np.float32))
    # From the one point 0; to it 0 and 1: (0 + 1/2) / 2. P = 1, R = 1/2.
    expected = {"chamfer": 0.25, "fscore@0.01": 2 / 3}
    return _score("dibr-chamfer-v1", "one of two points", one, truth, expected, 1e-6)


def _published_grid_cases() -> list[Case]:
    """Cells 8 to 23 are the truth. Moved by 4 of 16 layers: 12 / 20. Of the soft grid, half is 0.35
    and half 0.45: at 0.2 and 0.3 all 4096 cells are taken, at 0.4 half of them, at 0.5 none."""
    grid = unit_cube_grid()
    truth = Truth(None, {"binvox": Voxels(_block(8, 24), grid)}, _ID)
    moved = Voxels(_block(8, 24, 1.0, 4), grid)
    soft = _block(8, 24, 0.35)
    soft[8:16] = np.minimum(soft[8:16] + np.float32(0.1), 0.45) * (soft[8:16] > 0)
    cases = []
    for name in ("lsm-iou-v1", "ptn-iou-v1", "matryoshka-iou-v1"):
        cases += _score(name, "moved by 4 cells", moved, truth, {"iou": 0.6}, _EXACT)
    by_threshold = {"iou@0.2": 1.0, "iou@0.3": 1.0, "iou@0.4": 0.5, "iou@0.5": 0.0}
    what = "half 0.35, half 0.45"
    cases += _score("pix2vox-iou-v1", what, Voxels(soft, grid), truth, by_threshold, _EXACT)
    cases += _score("lsm-iou-v1", what, Voxels(soft, grid), truth, {"iou": 0.5}, _EXACT)
    for move, expected in ((0.0, 1.0), (4.0, 0.6)):
        box_ = _cells(8.5, 23.5, 32, move)
        what = f"a box moved by {move:g} cells"
        cases += _score("vpl-iou-v1", what, box_, truth, {"iou": expected}, _EXACT)
    return cases


def _published_mesh_cases() -> list[Case]:
    """Unit squares 0.1 apart; their diagonal is sqrt 2. Distances to points are a little longer
    than to the surface: by r^2 / (2 * 0.1) with mean r^2 = 1 / (pi n), below 1 % for 2,500."""
    flat, above = Truth(square(2, 0.0), {}, _ID), square(2, 0.1)
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
        for case in _score(name, "0.1 above", above, flat, expected, _ROUNDING):
            sampled = case.metric.startswith("chamfer")
            cases.append(replace(case, tolerance=0.03 * case.expected) if sampled else case)
    # 0.4 of 1 in length is shared, the other sides are equal; 100,000 points: error 0.003.
    left, right = box((-0.5, -0.3, -0.3), (0.2, 0.3, 0.3)), box((-0.2, -0.3, -0.3), (0.5, 0.3, 0.3))
    truth = Truth(left, {}, _ID)
    cases += _score("onet-iou-v1", "0.4 of 1 shared", right, truth, {"iou": 0.4}, 0.015)
    return [*cases, *_score("dibr-house-iou-v1", "the truth itself", left, truth, {"iou": 1}, 1e-9)]


def _published_point_cases() -> list[Case]:
    """One point 1 above the first of two, which are 2 apart: 1 one way, 1 and sqrt 5 the other."""
    truth = Truth(None, {}, _ID, points=np.array([[0, 0, 0], [2, 0, 0]], np.float32))
    one = Points(np.array([[0, 1, 0]], np.float32))
    root = 5**0.5
    cases = []
    for name, expected in (
        ("onet-points-v1", {"accuracy": 1.0, "completeness": (1 + root) / 2}),
        ("pcg-v1", {"to_truth": 1.0, "to_prediction": (1 + root) / 2}),
        ("psgn-v1", {"chamfer": 3.5}),
        ("p2m-v1", {"chamfer": (0.57 / 2) ** 2 * (1 + 3)}),
    ):
        cases += _score(name, "one of two points", one, truth, expected, 1e-6)
    pair = Points(np.array([[0, 3, 4], [2, 0, 5]], np.float32))
    return [*cases, *_score("emd-exact-v1", "both 5 away", pair, truth, {"emd": 5.0}, 1e-9)]


def _score(
    protocol: str,
    what: str,
    prediction: Prediction | None,
    truth: Truth,
    expected: dict[str, float],
    tolerance: float,
) -> list[Case]:
    spec = get_protocol(protocol)
    item = make_item(_ID, 0, prediction)
    grid = next((kind for kind in truth.voxels), None)
    settings = {"threshold": 0.5, "grid": grid, "seed": 0}
    scores = score_item(spec, load_scorer(spec), item, truth, settings)
    return [
        Case(protocol, s.metric, what, float(expected[s.metric]), s.value, tolerance)
        for s in scores
        if s.metric in expected
    ]


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
