"""CAD models of PASCAL3D+ files that are broken."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import scipy.io

from benchbench.datasets.pascal3d.cads import read_mat_models


def saved(faces: Any) -> bytes:
    models = np.zeros(1, dtype=[("vertices", object), ("faces", object)])
    models[0] = (np.eye(3), np.asarray(faces, np.float64))
    stream = io.BytesIO()
    scipy.io.savemat(stream, {"car": models})
    return stream.getvalue()


def test_faces_count_from_zero() -> None:
    vertices, faces = read_mat_models(saved([[1, 2, 3]]), "CAD/car.mat", "car")[0]
    assert np.array_equal(vertices, np.eye(3)) and faces.tolist() == [[0, 1, 2]]


def test_whole_numbers_beyond_all_integers_stay_out_of_range() -> None:
    _, faces = read_mat_models(saved([[1e300, -1e300, 2]]), "CAD/car.mat", "car")[0]
    assert faces.min() == -1 and faces.max() > 2**30  # no vertex has such a number


@pytest.mark.parametrize("value", [1.5, float("nan"), float("inf")])
def test_other_numbers_are_named(value: float) -> None:
    (found,) = read_mat_models(saved([[1, 2, value]]), "CAD/car.mat", "car")
    assert isinstance(found, str) and "no whole numbers" in found
