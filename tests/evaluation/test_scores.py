"""Score files and averages."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbench.core.errors import CheckError, InputError
from benchbench.evaluation.aggregate import mean, object_means, summarize
from benchbench.evaluation.scores import Score, read_note, read_scores, write_scores


def test_round_trip_to_the_last_bit(tmp_path: Path) -> None:
    scores = [
        Score("p-v1", "a/b,c", 3, "iou", 1 / 3),
        Score("p-v1", 'a/"x"', -1, "iou", 5e-324, "empty"),
    ]
    write_scores(tmp_path / "s.csv", scores, "key=1")
    assert list(read_scores(tmp_path / "s.csv")) == scores
    assert read_note(tmp_path / "s.csv") == "key=1" and read_note(tmp_path / "none") is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_nan_is_never_written_nor_read(tmp_path: Path, value: float) -> None:
    path = tmp_path / "s.csv"
    with pytest.raises(CheckError, match="iou"):
        write_scores(path, [Score("p", "a/b", 0, "iou", 0.5), Score("p", "a/b", 0, "iou", value)])
    assert not path.exists()
    write_scores(path, [Score("p", "a/b", 0, "iou", 0.5)])
    path.write_text(path.read_text().replace("0.5", str(value)))
    with pytest.raises(InputError, match="the value is"):
        list(read_scores(path))
    with pytest.raises(CheckError):
        object_means([("a/b", value)])


@pytest.mark.parametrize("text", ["", "a,b\n", "protocol,object,view,metric,value,status\np,a\n"])
def test_broken_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(InputError, match="no line of scores"):
        list(read_scores(tmp_path / "s.csv"))


def test_two_means_by_hand() -> None:
    """The toy table of the reference: failures count 0; macro .5322, micro .62."""
    values = [0.9, 0.8, 0.85, 0.95, 0.9, 0.3, 0.4, 0.6, 0.0, 0.5]
    classes = "AAAAABBCCC"
    objects = {f"{c}/{n}": v for n, (c, v) in enumerate(zip(classes, values, strict=True))}
    table = summarize({"iou": objects}, [("A", "a"), ("B", "b"), ("C", "c"), ("D", "none of it")])
    assert table["mean_over_classes"]["iou"] == pytest.approx(0.5322222222222223, abs=1e-15)
    assert table["mean_over_objects"]["iou"] == pytest.approx(0.62, abs=1e-15)
    assert list(table["per_class"]) == ["A", "B", "C"]
    assert table["per_class"]["B"] == {
        "name": "b", "objects": 2, "metrics": {"iou": pytest.approx(0.35)},
    }  # fmt: skip


def test_reference_toy_table(shared: Path) -> None:
    toy = json.loads((shared / "oracles/protocols/expected.json").read_text())["averaging"]
    objects = {
        f"{c}/{n}": 0.0 if v is None else v
        for n, (c, v) in enumerate(zip(toy["classes"], toy["values"], strict=True))
    }
    table = summarize({"m": objects}, [(c, c) for c in "ABC"])
    assert table["mean_over_classes"]["m"] == pytest.approx(toy["macro, failures = 0"], abs=1e-15)
    assert table["mean_over_objects"]["m"] == pytest.approx(toy["micro, failures = 0"], abs=1e-15)


def test_an_object_weighs_the_same_whatever_its_views() -> None:
    found = object_means([("a/1", 1.0), ("a/1", 0.0), ("a/2", 0.25)])
    assert found == {"a/1": 0.5, "a/2": 0.25}


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.integers())
def test_order_does_not_matter(values: list[float], seed: int) -> None:
    shuffled = list(values)
    random.Random(seed).shuffle(shuffled)
    assert mean(values) == mean(shuffled)
