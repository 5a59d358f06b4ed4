"""The self-test's shapes for every protocol: the truth itself, moved, half its size, and nothing.

Three families. Protocols of grids and volumes get boxes, of which cells can be counted. Those of
surfaces get two specks 1 apart, triangles so small that all their samples are one point: moved by
0.1 across the line between them every distance, of either direction, is 0.1, and at half the size
0.25, however many samples fall on which speck. Those of points get the two points themselves; so do
the two that search a pose, because a search among few points is quick.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from benchbench.core.types import Mesh, Points, Prediction, Voxels
from benchbench.evaluation.selftest_case import (
    OBJECT_ID,
    Case,
    block,
    box,
    cells,
    compared,
    scores_of,
)
from benchbench.protocols.convert import kato_grid, unit_cube_grid
from benchbench.protocols.families import PROTOCOLS
from benchbench.protocols.truth import Truth

Three = tuple[float, float, float]

_SPECK = 1e-4  # the side of a speck
_SHAPES = ("the truth itself", "moved by 0.1", "half the size")
_EXACT = 1e-12
_SHARE = 1e-6  # shares of float32, or with 1e-8 below the line
_NO_CELL = "a grid without an occupied cell"
_OF_GRIDS = {
    "bench-iou-v1": ("iou",),
    "kato-iou-v1": ("iou",),
    "r2n2-iou-v1": ("iou", "ap"),
    "pix2vox-iou-v1": ("iou@0.3", "iou@0.2", "iou@0.4", "iou@0.5"),
    "lsm-iou-v1": ("iou",),
    "ptn-iou-v1": ("iou",),
    "matryoshka-iou-v1": ("iou",),
    "vpl-iou-v1": ("iou",),
}
_RADIUS = 0.07  # of lengths in the unit ball of points that were drawn, see _ON_SPECKS


def shape_cases() -> list[Case]:
    """All cases of this module."""
    return [
        *_grid_cases(),
        *_volume_cases(),
        *_legoformer_cases(),
        *_speck_cases(),
        *_octahedron_cases(),
        *_point_cases(),
        *_other_form_cases(),
        *_empty_cases(),
    ]


def _grid_cases() -> list[Case]:
    """A box from cell coordinate 8.5 to 23.5 covers cells 8 to 23, 16 a side: the truth. Moved by 4
    cells it shares 12 of 20 layers, IoU 0.6. From 12.5 to 19.5 it has 8 a side: 512 / 4096. A grid
    without an occupied cell is a prediction like others, which shares none. Average precision:
    moved, 3/4 of the truth at precision 3/4, the rest with all cells, 1/8 of which are true; half
    the size, 1/8 of the truth at precision 1, the rest likewise; without a cell, all likewise."""
    overlap = (1.0, 12 / 20, 512 / 4096, 0.0)
    precision = (1.0, 3 / 4 * 3 / 4 + 1 / 4 * 1 / 8, 1 / 8 * 1 + 7 / 8 * 1 / 8, 1 / 8)
    whats = (_SHAPES[0], "moved by 4 cells", _SHAPES[2], _NO_CELL)
    cases = []
    for name, metrics in _OF_GRIDS.items():
        kind, matrix = "binvox", unit_cube_grid()
        if name == "kato-iou-v1":
            kind, matrix = "kato", kato_grid()
        scale = 1 / matrix[0, 0]
        solid = cells(8.5, 23.5, scale)
        truth = Truth(None, {kind: Voxels(block(8, 24), matrix)}, OBJECT_ID)
        if name == "bench-iou-v1":
            truth = Truth(solid, {}, OBJECT_ID)
        shapes: tuple[Prediction, ...] = (
            solid,
            cells(8.5, 23.5, scale, 4),
            cells(12.5, 19.5, scale),
            Voxels(block(0, 0), matrix),
        )
        for n, (what, prediction) in enumerate(zip(whats, shapes, strict=True)):
            expected = {m: (precision if m == "ap" else overlap)[n] for m in metrics}
            cases += compared(name, what, prediction, truth, expected, _EXACT)
    return cases


def _volume_cases() -> list[Case]:
    """dibr-house-iou-v1: a cube of side 1 is the truth, 0.9 of 32 cells a side, 28.8: from 1.6 to
    30.4, cells 1 to 30. Moved by 5 cells it covers 6 to 31 within the grid: 25 of 31 layers are
    shared. At half the size it covers 8.8 to 23.2, 16 a side: 16^3 / 30^3. onet-iou-v1: 100,000
    query points in a cube of side 1.1, 75,000 of them in the truth. Moved by 0.1, 0.9 is shared;
    the query cube ends at 0.55, so of the prediction's end only half counts: 0.9 / 1.05. Half the
    size: 1/8. Four standard errors are 0.0055."""
    cube = box((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))
    half = box((-0.25, -0.25, -0.25), (0.25, 0.25, 0.25))
    truth, cell = Truth(cube, {}, OBJECT_ID), 1 / 28.8
    cases = []
    for name, move, expected, tolerance in (
        ("dibr-house-iou-v1", 5 * cell, (1.0, 25 / 31, 16**3 / 30**3), 1e-9),
        ("onet-iou-v1", 0.1, (1.0, 0.9 / 1.05, 1 / 8), 0.0055),
    ):
        moved = box((move - 0.5, -0.5, -0.5), (move + 0.5, 0.5, 0.5))
        what = "moved by 5 cells" if move > 0.1 else _SHAPES[1]
        for words, prediction, value in zip(
            (_SHAPES[0], what, _SHAPES[2]), (cube, moved, half), expected, strict=True
        ):
            slack = _EXACT if value == 1.0 and name == "onet-iou-v1" else tolerance
            cases += compared(name, words, prediction, truth, {"iou": value}, slack)
    return cases


def _legoformer_cases() -> list[Case]:
    """16 cells a side become six faces of 15 x 15 between 12 chamfers of 15 x sqrt 2 and 8 corners
    of area sqrt 3 / 2, in units of 1/33: A = 1611.5 / 33^2 = 1.4798. Around a sample lie
    8192 pi 0.01^2 / A = 1.739 of the other draw within 0.01 on average, none with exp(-1.739): F is
    0.824, a little more at edges. Moved by 4 cells the tube around the four faces along x is shared
    for 11 of its 15: 4 (15 + sqrt 2) 11 / 1611.5 = 0.448 of the area, and where a chamfer is
    within 0.33 cells of the tube, 0.47 long, at most 0.019 more at either end: F between
    0.824 * 0.448 and 0.83 * 0.486. Half the size is nowhere within 0.01. F varies by 0.004."""
    truth = Truth(None, {"binvox": Voxels(block(8, 24), unit_cube_grid())}, OBJECT_ID)
    cases = []
    for what, prediction, low, high in (
        (_SHAPES[0], block(8, 24), 0.824, 0.828),
        ("moved by 4 cells", block(8, 24, move=4), 0.824 * 0.448, 0.83 * 0.486),
        (_SHAPES[2], block(12, 20), 0.0, 0.0),
    ):
        grid = Voxels(prediction, unit_cube_grid())
        slack = (high - low) / 2 + (4 * 0.004 if high else 0.0)
        middle = {"fscore": (low + high) / 2}
        cases += compared("legoformer-fscore-v1", what, grid, truth, middle, slack)
    return cases


def _lengths(unit: float) -> Three:
    """Every distance is 0, 0.1 or 0.25."""
    return 0.0, 0.1 * unit, 0.25 * unit


def _squares(unit: float) -> Three:
    return 0.0, 0.01 * unit, 0.0625 * unit


_SAME, _NEAR = (1.0, 1.0, 1.0), (1.0, 0.0, 0.0)  # alike in all three; within a radius below 0.1
_P2M = 2 * 0.57**2  # both directions, of squares; the diagonal is 1
_ONET = {
    "chamfer_l1": _lengths(1), "chamfer_l2": _squares(1), "accuracy": _lengths(1),
    "completeness": _lengths(1),
}  # fmt: skip

# The unit ball of AtlasNet and DISN: radius 1/2 around the mean of draws, of which either speck has
# half to 4 standard errors, 0.032 of 16,384: the radius is up to 0.516, squared lengths are up to
# 6.1 % less than at 1/2.
_ON_SPECKS: dict[str, dict[str, Three]] = {
    "bench-surface-v1": {"chamfer": _lengths(100), "fscore": _NEAR, "normals": _SAME},
    "dibr-chamfer-v1": {"chamfer": _lengths(1), "fscore@0.01": _NEAR, "fscore@0.05": _NEAR},
    "onet-mesh-v1": {**_ONET, "normals": _SAME},
    "dvr-mesh-v1": {**_ONET, "fscore@0.01": _NEAR, "fscore@0.05": _NEAR},
    "p2m-v1": {"chamfer": _squares(_P2M), "fscore@tau": _NEAR, "fscore@2tau": _NEAR},
    "meshrcnn-gt10-v1": {
        "chamfer": _squares(200), "abs_normals": _SAME, "normals": _SAME, "fscore@0.5": _NEAR,
    },
    "meshrcnn-p2m-v1": {"chamfer": _squares(_P2M), "abs_normals": _SAME, "fscore@0.01": _NEAR},
    "geometrics-fscore-v1": {"fscore": _NEAR},
    "atlasnet-v1": {"chamfer": _squares(8), "fscore": _NEAR},
    "psgn-v1": {"chamfer": _squares(1.5)},
    "uclid-v1": {"chamfer": _squares(8), "fscore": _NEAR, "shell_iou": _NEAR},
    "disn-v1": {"chamfer": _squares(8), "precision@0.125": _NEAR, "recall@0.125": _NEAR,
                "fscore@0.125": _NEAR, "fscore@0.25": (1.0, 1.0, 0.0)},
    "deepsdf-chamfer-v1": {"chamfer": _squares(2)},
    "deftet-v1": {"chamfer": _lengths(1), "chamfer_l1": _lengths(2), "fscore": _NEAR,
                  "hausdorff": _lengths(1)},
    "sdfnet-v1": {"chamfer": _lengths(2), "normals": _SAME, "fscore@0.05": _NEAR,
                  "fscore@0.2": (1.0, 1.0, 0.0)},
    "what3d-fscore-v1": {"precision@0.01": _NEAR, "recall@0.01": _NEAR, "fscore@0.05": _NEAR,
                         "fscore@0.2": (1.0, 1.0, 0.0)},
    # Each is fitted to its own box first: neither place nor size counts.
    "pix3d-chamfer-v1": {"chamfer": (0.0, 0.0, 0.0)},
    "dibr-fscore-v1": {"fscore@0.01": _SAME, "fscore@0.05": _SAME, "chamfer": (0.0, 0.0, 0.0)},
}  # fmt: skip
_ON_POINTS: dict[str, dict[str, Three]] = {
    "onet-points-v1": _ONET,
    "pcg-v1": {"to_truth": _lengths(1), "to_prediction": _lengths(1)},
    "emd-exact-v1": {"emd": _lengths(1)},
    # Fitted to a box, and turned: neither place nor size counts.
    "lmnet-icp-v1": {"chamfer": (0.0, 0.0, 0.0)},
    "zeroshape-v1": {"chamfer": (0.0, 0.0, 0.0), "fscore@0.005": _SAME, "fscore@0.2": _SAME},
}  # fmt: skip


def _speck_cases() -> list[Case]:
    triangle = np.array([[0, 0, 0], [_SPECK, 0, 0], [0, _SPECK, 0]])
    corners = np.concatenate([triangle - [0.5, 0, 0], triangle + [0.5, 0, 0]])
    faces = np.arange(6, dtype=np.int32).reshape(2, 3)
    truth = Truth(Mesh(corners.astype(np.float32), faces), {}, OBJECT_ID)
    cases = []
    for name, expected in _ON_SPECKS.items():
        shapes = (corners, corners + [0, 0, 0.1], corners / 2)
        for n, (what, vertices) in enumerate(zip(_SHAPES, shapes, strict=True)):
            prediction = Mesh(vertices.astype(np.float32), faces)
            for case in compared(
                name, f"two specks, {what}", prediction, truth, _part(expected, n), 0.0
            ):
                cases.append(replace(case, tolerance=_slack(case, max(expected[case.metric]))))
    return cases


def _part(expected: dict[str, Three], n: int) -> dict[str, float]:
    return {metric: values[n] for metric, values in expected.items()}


def _slack(case: Case, largest: float) -> float:
    """Shares are exact but for float32. A length of 0.25 is known to a speck, to 4 in 10,000, its
    square to 8; where every number is 0, lengths of 1 are."""
    if not case.metric.startswith(("chamfer", "accuracy", "completeness", "hausdorff")):
        return _SHARE
    drawn = _RADIUS * case.expected if case.protocol in ("atlasnet-v1", "disn-v1") else 0.0
    return drawn + 8 * _SPECK * (largest or 1.0)


def _octahedron_cases() -> list[Case]:
    """voxel-surface-v1: the surface of one cell of side 1 at 0.5 is an octahedron, its corners 0.5
    from the middle. At p = 2/3 they are 0.25 from it: from there every distance is that of the
    faces, h = 0.25 / sqrt 3. Back it is the root of h^2 + d^2, d being how far a point of a face
    is from the smaller triangle over it. With g = 0.25 / sqrt 6 half of the face is rectangles
    beside that triangle, of d^2 = g^2 / 3 on average, a quarter is corners, of g^2, and a quarter
    lies under it: d^2 is 5/12 g^2 on average and the root at most 0.25 sqrt(29 / 72). Moved by 10
    along x a point is 9.5 + x from the other's corner, or 9.5 - x on the way back, and up to
    0.25 / 18 more where it lies off the axis; the mean of x is 0, of 30,000 draws to 0.005."""
    cell = Voxels(np.ones((1, 1, 1), np.float32), unit_cube_grid(1))
    half = Voxels(np.full((1, 1, 1), 2 / 3, np.float32), unit_cube_grid(1))
    there = unit_cube_grid(1)
    there[0, 3] += 10
    faces = 0.25 / 3**0.5
    truth = Truth(None, {"binvox": cell}, OBJECT_ID)
    cases = []
    for what, prediction, low, high, fscore in (
        (_SHAPES[0], cell, 0.0, 0.0, 1.0),
        ("moved by 10", Voxels(cell.occupancy, there), 9.5 - 0.005, 9.505 + 0.25 / 18, 0.0),
        (_SHAPES[2], half, faces, (faces + 0.25 * (29 / 72) ** 0.5) / 2, 0.0),
    ):
        what = f"an octahedron, {what}"
        middle, slack = 100 * (low + high) / 2, 100 * (high - low) / 2 + 1e-3
        cases += compared("voxel-surface-v1", what, prediction, truth, {"chamfer": middle}, slack)
        share = {"fscore": fscore}
        cases += compared("voxel-surface-v1", what, prediction, truth, share, _SHARE)
    return cases


def _point_cases() -> list[Case]:
    points = np.array([[-0.5, 0, 0], [0.5, 0, 0]], np.float32)
    truth = Truth(None, {}, OBJECT_ID, points=points)
    cases = []
    for name, expected in _ON_POINTS.items():
        for n, cloud in enumerate(np.stack([points, points + [0, 0, 0.1], points / 2])):
            what = f"two points, {_SHAPES[n]}"
            cases += compared(
                name, what, Points(cloud.astype(np.float32)), truth, _part(expected, n), _SHARE
            )
    return cases


def _other_form_cases() -> list[Case]:
    """What a fit cannot mend. Corners of a unit square squeezed to half the height, after the fit
    1 x 0.5: each is 0.25 from the truth's, m1 + m2 = 0.5. A third point between two: it is 0.5 from
    either in every turn, so no turn is better than none: (1/6 + 0) / 2, P = 2/3, R = 1, F = 4/5."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], np.float32)
    flat = Points((corners * [3, 1.5, 3] + [7, 0, 0]).astype(np.float32))
    square = Truth(None, {}, OBJECT_ID, points=corners)
    cases = []
    for name in ("pix3d-chamfer-v1", "lmnet-icp-v1"):
        what = "a square squeezed to half its height"
        cases += compared(name, what, flat, square, {"chamfer": 0.5}, _SHARE)
    line = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0, 0]], np.float32)
    pair = Truth(None, {}, OBJECT_ID, points=line[:2])
    expected = {"chamfer": 1 / 12, "fscore@0.005": 0.8, "fscore@0.2": 0.8}
    what = "a third point between two"
    return [*cases, *compared("zeroshape-v1", what, Points(line), pair, expected, _SHARE)]


_CUBE = math.sqrt(3)  # the diagonal of the cube of side 1 that holds a truth

_ONET_WORST = {
    "chamfer_l1": _CUBE, "chamfer_l2": 3.0, "accuracy": _CUBE, "completeness": _CUBE,
}  # fmt: skip

# The worst values: a distance is the diagonal of what may hold the truth, both directions where
# they are added; a share is 0, and a consistency of normals -1 where the original gives that.
_WORST: dict[str, dict[str, float]] = {
    "bench-surface-v1": {"chamfer": 100 * _CUBE},
    "voxel-surface-v1": {"chamfer": 100 * _CUBE},
    "dibr-chamfer-v1": {"chamfer": _CUBE},
    "onet-mesh-v1": {
        **_ONET_WORST, "normals": -1.0, "normals_accuracy": -1.0, "normals_completeness": -1.0,
    },
    "onet-points-v1": _ONET_WORST,
    "dvr-mesh-v1": _ONET_WORST,
    "p2m-v1": {"chamfer": 2 * 0.57**2},
    "meshrcnn-gt10-v1": {"chamfer": 2 * 300.0},
    "meshrcnn-p2m-v1": {"chamfer": 2 * 0.57**2},
    "atlasnet-v1": {"chamfer": 2 * 4.0},
    "psgn-v1": {"chamfer": 1.5 * 3.0},
    "pcg-v1": {"to_truth": _CUBE, "to_prediction": _CUBE},
    "pix3d-chamfer-v1": {"chamfer": 2 * _CUBE},
    "uclid-v1": {"chamfer": 2 * 12.0},
    "emd-exact-v1": {"emd": _CUBE},
    "disn-v1": {"chamfer": 2 * 4.0},
    "deepsdf-chamfer-v1": {"chamfer": 2.0},
    "deftet-v1": {"chamfer": _CUBE, "chamfer_l1": 6.0, "hausdorff": _CUBE},
    "sdfnet-v1": {"chamfer": 2 * _CUBE, "normals": -1.0},
    "dibr-fscore-v1": {"chamfer": _CUBE},
    "lmnet-icp-v1": {"chamfer": 2 * _CUBE},
    "zeroshape-v1": {"chamfer": _CUBE},
}  # fmt: skip


def _empty_cases() -> list[Case]:
    """No prediction, one without a face or a point, a grid without an occupied cell: how many of a
    protocol's metrics have the status and the worst value."""
    truth = Truth(
        box((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5)),
        {"binvox": Voxels(block(8, 24), unit_cube_grid())},
        OBJECT_ID,
    )
    none = np.zeros((0, 3), np.float32)
    mesh, points = Mesh(none, np.zeros((0, 3), np.int32)), Points(none)
    grid = Voxels(block(0, 0), unit_cube_grid())
    cases = []
    for spec in PROTOCOLS:
        given: list[tuple[str, Prediction | None, str]] = [("nothing", None, "missing")]
        if "mesh" in spec.accepts:
            given.append(("a mesh without faces", mesh, "empty"))
        if "points" in spec.accepts:
            given.append(("a cloud without points", points, "empty"))
        if "voxels" in spec.accepts and spec.id not in _OF_GRIDS:
            given.append((_NO_CELL, grid, "empty"))
        cases += [_penalties(spec.id, what, shape, truth, status) for what, shape, status in given]
    return cases


def _penalties(
    protocol: str, what: str, prediction: Prediction | None, truth: Truth, status: str
) -> Case:
    worst = _WORST.get(protocol, {})
    scores = scores_of(protocol, prediction, truth)
    right = sum(
        s.status == status and math.isclose(s.value, worst.get(s.metric, 0.0), rel_tol=1e-12)
        for s in scores
    )
    return Case(protocol, "penalties", f"{what} is '{status}'", len(scores), right, 0.0)
