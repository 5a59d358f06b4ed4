"""Bins of viewpoints against the original's tables."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from benchbench.baselines.learn3d.bins import (
    euler_angles,
    rotation_bins,
    viewpoint_bin_count,
    viewpoint_bins,
)
from benchbench.core.errors import UsageError


def test_all_viewpoints_of_the_table(oracle: Path) -> None:
    rows = list(csv.DictReader((oracle / "viewpoint2bin.csv").open()))
    assert len(rows) == 384
    for row in rows:
        numbers = {key: float(value) for key, value in row.items()}
        widths = numbers["wAzimuth"], numbers["wElevation"]
        angles = np.array([numbers["azimuth"]]), np.array([numbers["elevation"]])
        found = viewpoint_bins(*angles, *widths)
        assert found.tolist() == [numbers["bin"]]
        assert found[0] < viewpoint_bin_count(*widths)


def test_viewpoints_outside_are_refused() -> None:
    for azimuth, elevation in ((0.0, 41.0), (0.0, -21.0), (181.0, 0.0), (np.nan, 0.0)):
        with pytest.raises(UsageError, match="lies outside"):
            viewpoint_bins(np.array([azimuth]), np.array([elevation]))


def test_rotations_of_the_table(arrays) -> None:
    d = {key: value.numpy() for key, value in arrays("eulers2bin").items()}
    np.testing.assert_allclose(euler_angles(d["rotation_matrices"]), d["eulers_yzx_deg"], atol=1e-6)
    bins, occupied = rotation_bins(d["rotation_matrices"])
    assert np.array_equal(bins, d["view_ids"])
    assert np.array_equal(occupied, d["sorted_occupied_bins"])
    assert np.array_equal(occupied[bins], d["raw_bins"])
