"""AtlasNet, PSGN, 3D-PCG, Pix3D, UCLID and exact EMD: by hand and on the reference clouds."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from benchbench.core.types import Points, Voxels
from benchbench.evaluation.selftest_case import box, square
from benchbench.protocols import point_sets
from benchbench.protocols.clouds import Cloud, Pair, nearest_pair
from benchbench.protocols.convert import unit_cube_grid
from benchbench.protocols.point_sets import (
    assignment_mean,
    atlasnet_scores,
    psgn_score,
    score_atlasnet,
    score_emd,
    score_pcg,
    score_pix3d,
    score_psgn,
    score_uclid,
    shell,
    unit_ball,
    unit_cube,
)
from benchbench.protocols.truth import NotAccepted, Truth, Unscorable

KEY = ("03001627/a", 0)
SETTINGS = {"threshold": 0.5, "grid": None, "seed": 0}
ALL = (score_atlasnet, score_psgn, score_pix3d, score_uclid, score_emd)


def points_truth(*points: tuple[float, float, float]) -> Truth:
    return Truth(None, {}, KEY[0], points=np.array(points, np.float32))


def cloud(*points: tuple[float, float, float]) -> Points:
    return Points(np.array(points, np.float32))


def test_reference_atlasnet(expected: dict[str, Any], pair: Pair, target: Cloud) -> None:
    _, scale = unit_ball(target.points)
    names = expected["chamfer"]
    assert scale == pytest.approx(names["atlasnet-unitball scale k (from gt cloud)"], rel=1e-6)
    found = atlasnet_scores(pair, scale)
    value = names["atlasnet-unitball x1000 (same transform on both)"]
    assert 1000 * found["chamfer"] == pytest.approx(value, rel=2e-6)
    fscore = expected["fscore"]["atlasnet sq<0.001 after k"][2]
    assert found["fscore"] == pytest.approx(fscore, abs=1e-12)


def test_reference_psgn_pix3d_and_pcg(
    expected: dict[str, Any], pair: Pair, preds: Cloud, target: Cloud
) -> None:
    names = expected["chamfer"]
    value = names["psgn training value (gt->pred + pred->gt/2)*1e4"]
    assert 1e4 * psgn_score(pair) == pytest.approx(value, rel=2e-6)
    fitted = nearest_pair(unit_cube(preds), unit_cube(target))
    value = names[
        "each cloud to unit cube (bbox centre, longest edge): sum of unsq means "
        "(lmnet/pix3d style, no ICP)"
    ]
    assert sum(fitted.means()) == pytest.approx(value, rel=2e-6)
    both = names["3d-pcg two numbers x100 (pred->gt, gt->pred)"]
    assert [100 * m for m in pair.means()] == pytest.approx(both, rel=2e-6)


def test_reference_emd(expected: dict[str, Any], preds: Cloud, target: Cloud) -> None:
    value = expected["emd (first 500 of each)"]["exact, mean unsquared"]
    found = assignment_mean(preds.points[:500], target.points[:500])
    assert found == pytest.approx(value, rel=1e-12)


def test_emd_equals_trying_every_matching() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 6, 3))
    slow = min(
        np.mean([np.linalg.norm(p - b[n]) for p, n in zip(a, order, strict=True)])
        for order in itertools.permutations(range(6))
    )
    assert assignment_mean(a, b) == pytest.approx(slow, rel=1e-12)


def test_emd_by_hand() -> None:
    """Three points in a row, moved by half a step to the right: every matching in order costs 0.5.
    Two predicted points are matched with two of the truth's."""
    truth = points_truth((0, 0, 0), (1, 0, 0), (2, 0, 0))
    moved = cloud((2.5, 0, 0), (0.5, 0, 0), (1.5, 0, 0))
    assert score_emd(moved, truth, KEY, SETTINGS) == {"emd": 0.5}
    assert point_sets.EMD_POINTS == 1024
    one = points_truth((0, 0, 0))
    assert score_emd(cloud((0, 3, 4), (0, 3, 4)), one, KEY, SETTINGS) == {"emd": 5.0}


def test_atlasnet_by_hand() -> None:
    """The truth at +-2 has mean 0 and radius 2: scale 1/2. A point 1 above the first is 0.5 away,
    squared 0.25; the second is sqrt(17) away, squared 17/4. Draws with replacement take either
    point about as often: s1 = 0.25, s2 = (0.25 + 4.25) / 2 = 2.25 and a little of chance."""
    truth = points_truth((-2, 0, 0), (2, 0, 0))
    found = score_atlasnet(cloud((-2, 1, 0)), truth, KEY, SETTINGS)
    # The share of 2,500 draws has a standard error of 0.01; s2 moves by 4 times that.
    assert found["chamfer"] == pytest.approx(0.25 + 2.25, abs=0.16)
    assert found["fscore"] == 0.0
    near = score_atlasnet(cloud((-2, 0.06, 0), (2, 0.07, 0)), truth, KEY, SETTINGS)
    # 0.03^2 = 0.0009 is below 0.001, 0.035^2 is above: P = 1/2, R = about 1/2.
    assert near["fscore"] == pytest.approx(0.5, abs=0.03)


def test_psgn_by_hand() -> None:
    """One point 1 from the nearest of two, which are 2 apart: s1 = 1; s2 = (1 + 5) / 2 = 3."""
    truth = points_truth((0, 0, 0), (2, 0, 0))
    assert score_psgn(cloud((0, 1, 0)), truth, KEY, SETTINGS) == {"chamfer": 3 + 0.5}


def test_pcg_by_hand() -> None:
    """The same: m1 = 1, m2 = (1 + sqrt 5) / 2. With 200 sources of many, only 200 count."""
    truth = points_truth((0, 0, 0), (2, 0, 0))
    found = score_pcg(cloud((0, 1, 0)), truth, KEY, SETTINGS)
    assert found == pytest.approx({"to_truth": 1.0, "to_prediction": (1 + 5**0.5) / 2})
    many = np.zeros((400, 3), np.float32)
    many[:200, 1] = 1  # half of them are 1 away; 200 drawn of 400 give a multiple of 1/200
    share = score_pcg(Points(many), points_truth((0, 0, 0)), KEY, SETTINGS)["to_truth"] * 200
    assert share == pytest.approx(round(share)) and 70 < share < 130
    with pytest.raises(NotAccepted, match="methods that predict points"):
        score_pcg(square(2, 0.0), truth, KEY, SETTINGS)


def test_pix3d_fits_each_cloud() -> None:
    """A prediction ten times as large and far away is the truth; one squeezed to half its height
    is not: corners of a unit square against corners of 1 x 0.5, each 0.25 away: m1 + m2 = 0.5."""
    corners = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0))
    truth = points_truth(*corners)
    large = cloud(*((10 * x + 7, 10 * y - 3, 5) for x, y, _ in corners))
    assert score_pix3d(large, truth, KEY, SETTINGS)["chamfer"] == pytest.approx(0, abs=1e-6)
    flat = cloud(*((x, y / 2, 0) for x, y, _ in corners))
    assert score_pix3d(flat, truth, KEY, SETTINGS)["chamfer"] == pytest.approx(0.5)
    with pytest.raises(Unscorable, match="all points are one"):
        score_pix3d(cloud((1, 1, 1), (1, 1, 1)), truth, KEY, SETTINGS)
    faint = np.zeros((8, 8, 8), np.float32)
    faint[2:6, 2:6, 2:6] = 0.2  # above 0.1, whatever the method's threshold
    assert score_pix3d(Voxels(faint, unit_cube_grid(8)), truth, KEY, SETTINGS)["chamfer"] > 0


def test_uclid_by_hand() -> None:
    """Truth from (0,0,0) to (2,0,0): edge 2, so [-1, 1] is x - 1. A point at (0, 0.09, 0) is 0.09
    from the first, 2 from the second: s1 = 0.0081, s2 = (0.0081 + 4.0081) / 2. F: 0.0081 < 0.01, so
    P = 1, R = 1/2. Cells: x = -1 is cell 0 and x = 1 lies outside; y = 0.09 is cell 27, y = 0 is
    cell 25: nothing in common."""
    truth = points_truth((0, 0, 0), (2, 0, 0))
    found = score_uclid(cloud((0, 0.09, 0)), truth, KEY, SETTINGS)
    assert found["chamfer"] == pytest.approx(0.0081 + (0.0081 + 4.0081) / 2, rel=1e-6)
    assert found["fscore"] == pytest.approx(2 / 3) and found["shell_iou"] == 0.0
    same = score_uclid(cloud((0, 0, 0)), truth, KEY, SETTINGS)
    assert same["shell_iou"] == 1.0
    assert shell(np.array([[-1, -1, -1], [0.999, 0.999, 0.999], [1, 0, 0]])).sum() == 2


def test_parallel_squares() -> None:
    """Unit squares h = 0.2 apart. PSGN: 1.5 h^2; EMD: at least h; UCLID (scale 2): 2 (2 h)^2."""
    truth = Truth(square(2, 0.0), {}, KEY[0])
    above = square(2, 0.2)
    assert score_psgn(above, truth, KEY, SETTINGS)["chamfer"] == pytest.approx(0.06, rel=0.02)
    assert 0.2 < score_emd(above, truth, KEY, SETTINGS)["emd"] < 0.22
    found = score_uclid(above, truth, KEY, SETTINGS)
    assert found["chamfer"] == pytest.approx(0.32, rel=0.01)
    # Farthest of the truth from its middle: a corner at sqrt(1/2), so the scale is sqrt 2.
    found = score_atlasnet(above, truth, KEY, SETTINGS)
    assert found["chamfer"] == pytest.approx(2 * 0.04 * 2, rel=0.03)


def test_draws_are_keyed_and_broken_things_refused() -> None:
    brick = box((-0.5, -0.3, -0.15), (0.5, 0.3, 0.15))
    for scorer in ALL:
        first = scorer(brick, Truth(brick, {}, KEY[0]), KEY, SETTINGS)
        assert scorer(brick, Truth(brick, {}, KEY[0]), KEY, SETTINGS) == first
        assert scorer(brick, Truth(brick, {}, KEY[0]), (KEY[0], 1), SETTINGS) != first
        with pytest.raises(Unscorable, match="beyond 1e6"):
            scorer(box((0, 0, 0), (1e8, 1, 1)), Truth(brick, {}, KEY[0]), KEY, SETTINGS)
        with pytest.raises(Unscorable, match="no cell"):
            empty = Voxels(np.zeros((4, 4, 4), np.float32), unit_cube_grid(4))
            scorer(empty, Truth(brick, {}, KEY[0]), KEY, SETTINGS)
    with pytest.raises(Unscorable, match="no extent"):
        score_atlasnet(brick, points_truth((1, 1, 1)), KEY, SETTINGS)
