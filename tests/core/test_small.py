"""Errors, names, keyed random numbers, prediction checks, progress lines, paths."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from benchbench.core import progress
from benchbench.core.errors import InputError, UsageError
from benchbench.core.keyed import keyed_rng
from benchbench.core.names import require
from benchbench.core.paths import data_root
from benchbench.core.types import Mesh, Points, Voxels, problem

TRIANGLE = np.array([[0, 1, 2]], np.int32)


def test_require_offers_near_names() -> None:
    with pytest.raises(UsageError, match="unknown baseline 'kat'") as caught:
        require("kat", ["kato", "mean"], "baseline")
    assert caught.value.hint == "did you mean 'kato'?"
    with pytest.raises(UsageError) as caught:
        require("zzzz", ["kato", "mean"], "baseline")
    assert caught.value.hint == "known: kato, mean"


def test_messages_never_move_the_cursor() -> None:
    error = InputError("'a\x1b[2J\r\udce9\x9b\u202e' is no file", hint="rm 'b\x07'")
    assert str(error) == r"'a\x1b[2J\r\udce9\x9b\u202e' is no file"
    assert error.hint == r"rm 'b\x07'"
    assert str(InputError("Müller's Ωx\nnext line")) == "Müller's Ωx\nnext line"


def test_keyed_rng_depends_on_the_whole_key_only() -> None:
    def draw(*key: str | int) -> float:
        return float(keyed_rng(*key).random())

    assert draw("a", 1) == draw("a", 1)
    keys = [("a", 1), ("a", "1"), ("a1",), ("a", 1, ""), ("a", 2), ("a", -1)]
    assert len({draw(*key) for key in keys}) == len(keys)


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        (None, "missing"),
        (Mesh(np.zeros((0, 3), np.float32), TRIANGLE), "empty"),
        (Mesh(np.zeros((3, 3), np.float32), TRIANGLE[:0]), "empty"),
        (Mesh(np.full((3, 3), np.nan, np.float32), TRIANGLE), "nonfinite"),
        (Mesh(np.zeros((3, 3), np.float32), TRIANGLE + 1), "invalid"),
        (Mesh(np.zeros((3, 3), np.float32), -TRIANGLE), "invalid"),
        (Mesh(np.zeros((3, 2), np.float32), TRIANGLE), "invalid"),
        (Mesh(np.zeros((3, 3), np.float32), TRIANGLE), None),
        (Voxels(np.zeros((2, 2, 2), np.float32), np.eye(4)), None),
        (Voxels(np.zeros((0, 0, 0), np.float32), np.eye(4)), "empty"),
        (Voxels(np.zeros((2, 2, 3), np.float32), np.eye(4)), "invalid"),
        (Voxels(np.full((2, 2, 2), 1.5, np.float32), np.eye(4)), "invalid"),
        (Voxels(np.full((2, 2, 2), np.inf, np.float32), np.eye(4)), "nonfinite"),
        (Points(np.zeros((0, 3), np.float32)), "empty"),
        (Points(np.zeros((2, 3), np.float32)), None),
        (Points(np.full((2, 3), np.nan, np.float32)), "nonfinite"),
    ],
)
def test_problem_names_what_is_wrong(prediction: object, expected: str | None) -> None:
    assert problem(prediction) == expected  # type: ignore[arg-type]


def test_data_root_precedence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BENCH_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_root() == tmp_path / ".cache" / "benchbench"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert data_root() == tmp_path / "x" / "benchbench"
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "home"))
    assert data_root() == tmp_path / "home"
    assert data_root(tmp_path / "flag") == tmp_path / "flag"


def test_progress_off_terminal_writes_one_line_each_30_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = {"now": 0.0}
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock["now"])
    stream = io.StringIO()
    with progress.Progress("kato test", 100, stream=stream) as meter:
        for _ in range(100):
            clock["now"] += 1.0
            meter.update(failed=0)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4  # at 30, 60 and 90 s, and the last word
    assert lines[0].endswith("kato test 30/100 items 30% 1.00/s eta 1m 10s failed 0")
    assert lines[-1].endswith("kato test 100/100 items 100% 1.00/s took 1m 40s failed 0")


def test_progress_quiet_says_nothing() -> None:
    stream = io.StringIO()
    with progress.Progress("x", 1, quiet=True, stream=stream) as meter:
        meter.update()
    assert stream.getvalue() == ""
