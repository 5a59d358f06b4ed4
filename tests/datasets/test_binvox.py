"""binvox: the reference files, a slow writer as a twin, and broken headers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchbench.core.errors import InputError
from benchbench.datasets.binvox import read_binvox, write_binvox

NAMES = sorted(p.stem for p in (Path(__file__).parents[1] / "data" / "binvox").glob("*.binvox"))


@pytest.mark.parametrize("name", NAMES)
def test_reference_files(data: Path, name: str) -> None:
    folder = data / "binvox"
    path = folder / f"{name}.binvox"
    if name.startswith("bad_"):
        with pytest.raises(InputError, match=f"{name}.binvox"):
            read_binvox(path)
        return
    with np.load(folder / "expected.npz", allow_pickle=False) as arrays_:
        expected = dict(arrays_)
    notes = json.loads((folder / "expected.json").read_text())
    grid = read_binvox(path)
    if name == "axes32_written_by_original":
        assert np.array_equal(grid.occupied, expected["axes32__xyz"])
    elif name == "zero_count_written_by_original":
        assert np.array_equal(grid.occupied, np.load(folder / f"{name}.npy", allow_pickle=False))
    else:
        assert np.array_equal(grid.occupied, expected[f"{name}__xyz"])
        assert list(grid.translate) == notes[name]["translate"]
        assert grid.scale == notes[name]["scale"]


def test_all_reference_files_are_here() -> None:
    assert len(NAMES) == 22


def test_axis_order_by_hand() -> None:
    # The file runs x slowest, z, then y fastest: cell (x=0, y=1, z=0) is the second one.
    data = b"#binvox 1\ndim 2 2 2\ntranslate 0 0 0\nscale 1\ndata\n" + bytes([0, 1, 1, 1, 0, 6])
    occupied = read_binvox(data).occupied
    assert np.argwhere(occupied).tolist() == [[0, 1, 0]]


def test_non_cubic_shape() -> None:
    data = b"#binvox 1\ndim 2 3 4\ntranslate 0 0 0\nscale 1\ndata\n" + bytes([1, 24])
    assert read_binvox(data).occupied.shape == (2, 4, 3)


@settings(max_examples=40, deadline=None)
@given(
    arrays(bool, st.tuples(*[st.integers(1, 9)] * 3)),
    st.tuples(*[st.floats(-9, 9)] * 3),
    st.floats(0.1, 9),
)
def test_round_trip(cells: np.ndarray, translate: tuple, scale: float) -> None:
    grid = read_binvox(write_binvox(cells, None, translate, scale))
    assert np.array_equal(grid.occupied, cells)
    assert grid.translate == translate
    assert grid.scale == scale


def test_runs_of_255_and_more() -> None:
    for length in (254, 255, 256, 510, 511, 765):
        cells = np.zeros(1000, bool)
        cells[:length] = True
        data = write_binvox(cells.reshape(10, 10, 10))
        assert 0 not in data[data.index(b"data\n") + 5 :][1::2]
        assert np.array_equal(read_binvox(data).occupied.sum(), length)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "does not start"),
        (b"#binvox 1\n", "ends early"),
        (b"#binvox 1\ndim 0 1 1\ntranslate 0 0 0\nscale 1\ndata\n", "outside"),
        (b"#binvox 1\ndim 99999 99999 99999\ntranslate 0 0 0\nscale 1\ndata\n\1\1", "outside"),
        (b"#binvox 1\ndim 1 1 -1\ntranslate 0 0 0\nscale 1\ndata\n\1\1", "no valid"),
        (b"#binvox 1\ndim 1 1 1\ntranslate 0 0 nan\nscale 1\ndata\n\1\1", "no valid"),
        (b"#binvox 1\ndim 1 1 1\ntranslate 0 0 0\nscale inf\ndata\n\1\1", "no valid"),
        (b"#binvox 1\ndim 1 1 1\ntranslate 0 0 0\nscale 1\ndata\n\1", "no length"),
        (b"#binvox 1\ndim 1 1\ntranslate 0 0 0\nscale 1\ndata\n\1\1", "should hold 3"),
        (b"#binvox " + b"x" * 10000, "does not start"),
    ],
)
def test_broken_headers(data: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        read_binvox(data, "some.binvox")
    assert "some.binvox" in str(caught.value)


def test_writing_to_a_file(tmp_path: Path) -> None:
    cells = np.zeros((3, 3, 3), bool)
    cells[2, 1, 0] = True
    data = write_binvox(cells, tmp_path / "a.binvox")
    assert (tmp_path / "a.binvox").read_bytes() == data
    with pytest.raises(InputError, match="three axes"):
        write_binvox(np.zeros((2, 2), bool))
