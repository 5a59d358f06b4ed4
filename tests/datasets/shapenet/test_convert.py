"""One model folder: its scale, its metadata, its faults."""

from __future__ import annotations

import numpy as np
import pytest

from benchbench.core.errors import InputError
from benchbench.datasets.binvox import Binvox, write_binvox
from benchbench.datasets.shapenet.convert import (
    grid_to_object,
    is_complete,
    read_metadata,
    read_voxels,
    source_to_object,
)


def box(*sides: int) -> np.ndarray:
    cells = np.zeros((32, 32, 32), bool)
    low = [(32 - side) // 2 for side in sides]
    cells[tuple(slice(a, a + s) for a, s in zip(low, sides, strict=True))] = True
    return cells


def header(cells: np.ndarray, sides: np.ndarray) -> Binvox:
    raw = sides / np.linalg.norm(sides)
    return Binvox(cells, tuple((-raw / 2).tolist()), float(raw.max()))


def test_scale_from_a_genuine_header() -> None:
    sides = np.array([0.5, 0.25, 1.0])
    matrix, how = source_to_object(header(box(16, 8, 32), sides))
    assert how == "binvox header"
    assert np.allclose(matrix, np.diag([np.linalg.norm(sides)] * 3 + [1]))


@pytest.mark.parametrize(
    ("translate", "scale"),
    [
        ((-0.5, -0.5, -0.5), 1.0),  # what third parties quote
        ((0.0, 0.0, 0.0), 0.9),
        ((-0.218, -0.109, -0.436), 0.5),  # sides fit, scale does not
        ((-0.436, -0.218, -0.109), 0.873),  # another object's header: axes do not fit the cells
    ],
)
def test_scale_from_the_occupied_box(translate: tuple, scale: float) -> None:
    matrix, how = source_to_object(Binvox(box(16, 8, 32), translate, scale))
    assert how == "estimated"
    true = np.linalg.norm([0.5, 0.25, 1.0])
    assert abs(matrix[0, 0] / true - 1) < 0.02


def test_estimate_of_every_shape_is_close() -> None:
    # A conservative solid of n cells is n - 2 to n cells long; so is the estimate's error bounded.
    rng = np.random.default_rng(0)
    for _ in range(200):
        sides = rng.uniform(0.1, 1, 3)
        sides /= sides.max()
        cells = np.maximum(1, np.ceil(sides * 32 - 1e-9)).astype(int)
        matrix, how = source_to_object(Binvox(box(*cells), (0.0, 0.0, 0.0), 1.0))
        assert how == "estimated"
        assert abs(matrix[0, 0] / np.linalg.norm(sides) - 1) < 0.03


def test_grid_to_object() -> None:
    matrix = grid_to_object()
    assert np.allclose(matrix @ [0, 0, 0, 1], [-0.5, -0.5, -0.5, 1])
    assert np.allclose(matrix @ [32, 16, 1, 1], [0.5, 0, -0.5 + 1 / 32, 1])


def test_voxels_that_cannot_be_truth() -> None:
    assert read_voxels(write_binvox(box(4, 4, 4)), "x").occupied.sum() == 64
    with pytest.raises(InputError, match="32x32x32 belong"):
        read_voxels(write_binvox(np.ones((16, 16, 16), bool)), "x")
    with pytest.raises(InputError, match="no occupied cell"):
        read_voxels(write_binvox(np.zeros((32, 32, 32), bool)), "x")


GOOD = b"10 25 0 0.8 25\n" * 24


def test_metadata() -> None:
    assert read_metadata(GOOD, "x").shape == (24, 5)
    assert read_metadata(GOOD.replace(b"\n", b"\r\n"), "x").shape == (24, 5)
    for broken in (
        b"",
        GOOD[:-15],
        GOOD + b"1 2 3 4 5\n",
        GOOD.replace(b"0.8", b"", 1),
        GOOD.replace(b"0.8", b"inf", 1),
        GOOD.replace(b"0.8", b"-1", 1),
        GOOD.replace(b"0.8", b"x", 1),
        b"\xff\xfe" + GOOD,
    ):
        with pytest.raises(InputError, match="'x'"):
            read_metadata(broken, "x")


def test_is_complete(fake_models: dict) -> None:
    files = dict(next(iter(fake_models.values()))[0])
    assert is_complete(files)
    for name in ("00.png", "23.png", "rendering_metadata.txt"):
        assert not is_complete({k: v for k, v in files.items() if k != name})
