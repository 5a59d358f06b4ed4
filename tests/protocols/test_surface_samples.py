"""DISN, DeepSDF, DefTet and SDFNet: by hand and on the reference clouds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchbench.core.types import Mesh, Points, Voxels
from benchbench.evaluation.selftest_case import box, square
from benchbench.protocols import surface_samples
from benchbench.protocols.clouds import Cloud, Pair, nearest_pair
from benchbench.protocols.convert import unit_cube_grid
from benchbench.protocols.surface_samples import (
    deftet_scores,
    disn_scores,
    score_deepsdf,
    score_deftet,
    score_disn,
    score_sdfnet,
)
from benchbench.protocols.truth import NotAccepted, Truth, Unscorable

KEY = ("03001627/a", 0)
SETTINGS = {"threshold": 0.5, "grid": None, "seed": 0}
ALL = (score_disn, score_deepsdf, score_deftet, score_sdfnet)


def test_reference_clouds(
    expected: dict[str, Any], pair: Pair, preds: Cloud, target: Cloud
) -> None:
    found = deftet_scores(pair, preds, target)
    names = expected["chamfer"]
    assert found["chamfer"] == pytest.approx(names["occnet-mesh chamfer-L1 (raw)"], rel=2e-6)
    value = names["deftet chamfer_l1 (true L1 of the L2 neighbour, sum)"]
    assert found["chamfer_l1"] == pytest.approx(value, rel=2e-6)
    assert found["hausdorff"] == pytest.approx(expected["hausdorff"], rel=2e-6)
    fscore = expected["fscore"]["standard t=0.01 <= (P,R,F)"][2]
    assert found["fscore"] == pytest.approx(fscore, abs=1e-12)
    assert disn_scores(pair, 1.0)["chamfer"] == pytest.approx(
        names["pytorch3d chamfer_distance default"], rel=2e-6
    )
    hits = expected["fscore"]["what3d t=0.05 (P,R,F; true P and R)"]
    scores = disn_scores(pair, 1.0)
    found_hits = [scores[f"{name}@0.05"] for name in ("precision", "recall", "fscore")]
    assert found_hits == pytest.approx(hits, abs=1e-12)


def test_disn_by_hand() -> None:
    """One triangle against itself raised by h: its three corners are drawn on both sides, each
    distance is h, so s1 + s2 = 2 (h k)^2 with k the scale of the truth's ball."""
    corners = np.array([[1, 0, 0], [-0.5, 3**0.5 / 2, 0], [-0.5, -(3**0.5) / 2, 0]], np.float32)
    flat = Mesh(corners, np.array([[0, 1, 2]], np.int32))
    raised = Mesh(corners + np.float32([0, 0, 0.04]), flat.faces)
    # Corners at 1 from the middle: k is 1 but for samples that miss the very corners.
    found = score_disn(raised, Truth(flat, {}, KEY[0]), KEY, SETTINGS)
    assert found["chamfer"] == pytest.approx(2 * 0.04**2, rel=0.05)
    for radius in ("0.0125", "0.025"):
        assert found[f"fscore@{radius}"] == 0.0
    for radius in ("0.05", "0.125", "0.25", "0.5"):
        assert found[f"precision@{radius}"] == found[f"recall@{radius}"] == 1.0
    stray = Mesh(np.vstack([corners, [[9, 9, 9]]]).astype(np.float32), flat.faces)
    assert score_disn(stray, Truth(flat, {}, KEY[0]), KEY, SETTINGS)["chamfer"] == 0.0


def test_deftet_by_hand() -> None:
    """(0,0,0) against (1,2,2): the way has length 3, its 1-norm is 5, twice that is 10."""
    a, b = Cloud(np.zeros((1, 3), np.float32)), Cloud(np.array([[1, 2, 2]], np.float32))
    assert deftet_scores(nearest_pair(a, b), a, b) == {
        "chamfer": 3.0, "chamfer_l1": 10.0, "fscore": 0.0, "hausdorff": 3.0
    }  # fmt: skip


def test_parallel_squares() -> None:
    """Unit squares h = 0.1 apart; the box's diagonal is sqrt 2. DeepSDF: 2 h^2 / 2; DefTet: h;
    SDFNet: 2 h, F 0 at 0.1 (<) and 1 at 0.2, normals 1. Samples add less than a thousandth."""
    truth, above = Truth(square(2, 0.0), {}, KEY[0]), square(2, 0.1)
    assert score_deepsdf(above, truth, KEY, SETTINGS)["chamfer"] == pytest.approx(0.01, rel=0.002)
    deftet = score_deftet(above, truth, KEY, SETTINGS)
    assert deftet["chamfer"] == pytest.approx(0.1, rel=0.001)
    assert 0.1 < deftet["hausdorff"] < 0.102
    sdfnet = score_sdfnet(above, truth, KEY, SETTINGS)
    assert sdfnet["chamfer"] == pytest.approx(0.2, rel=0.001)
    assert sdfnet["fscore@0.1"] == 0.0 and sdfnet["fscore@0.2"] == 1.0
    assert sdfnet["normals"] == 1.0


def test_counts_are_the_papers() -> None:
    found = (
        surface_samples.DISN_VERTICES, surface_samples.DEEPSDF_SAMPLES,
        surface_samples.DEFTET_SAMPLES, surface_samples.SDFNET_SAMPLES,
    )  # fmt: skip
    assert found == (2048, 30_000, 100_000, 300_000)
    percent = [100 * radius / 2.5 for radius in surface_samples.DISN_RADII]
    assert percent == pytest.approx([0.5, 1, 2, 5, 10, 20])


def test_kinds_and_broken_things(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEEPSDF_SAMPLES", "DEFTET_SAMPLES", "SDFNET_SAMPLES"):
        monkeypatch.setattr(surface_samples, name, 500)
    brick = box((-0.5, -0.3, -0.15), (0.5, 0.3, 0.15))
    truth = Truth(brick, {}, KEY[0])
    grid = np.zeros((16, 16, 16), np.float32)
    grid[2:14, 4:12, 6:10] = 1
    for scorer in ALL:
        first = scorer(brick, truth, KEY, SETTINGS)
        assert scorer(brick, Truth(brick, {}, KEY[0]), KEY, SETTINGS) == first
        assert scorer(Voxels(grid, unit_cube_grid(16)), truth, KEY, SETTINGS) != first
        with pytest.raises(NotAccepted, match="needs a surface"):
            scorer(Points(np.zeros((4, 3), np.float32)), truth, KEY, SETTINGS)
        with pytest.raises(Unscorable, match="beyond 1e6"):
            scorer(box((0, 0, 0), (1e8, 1, 1)), truth, KEY, SETTINGS)
