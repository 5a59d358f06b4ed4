"""Split rules against the original function's example and by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchbench.datasets.splits import (
    keep_stored,
    repository_split,
    repository_split_with_val,
)


def test_repository_rule_reproduces_the_example(data: Path) -> None:
    example = json.loads((data / "r2n2" / "split_rule_example.json").read_text())
    shuffled = {synset: names[::-1] for synset, names in reversed(example["tree"].items())}
    split = repository_split(shuffled)
    assert split["train"] == ["/".join(pair) for pair in example["train"]]
    assert split["test"] == ["/".join(pair) for pair in example["test"]]
    assert split["val"] == []


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 10, 101, 4045])
def test_sizes(count: int) -> None:
    names = [f"{n:05d}" for n in range(count)]
    plain, with_val = repository_split({"s": names}), repository_split_with_val({"s": names})
    assert len(plain["train"]) == int(count * 0.8)
    assert with_val["test"] == plain["test"]
    assert with_val["train"] + with_val["val"] == plain["train"]
    joined = with_val["train"] + with_val["val"] + with_val["test"]
    assert joined == [f"s/{name}" for name in names]


def test_published_counts() -> None:
    # specs: 4045 airplanes -> 3236 train, 809 test
    split = repository_split({"02691156": [str(n) for n in range(4045)]})
    assert (len(split["train"]), len(split["test"])) == (3236, 809)


def test_names_sort_as_strings() -> None:
    names = ["u1", "10", "9", "A", "a", "00"]
    split = repository_split({"s": names})
    assert split["train"] == ["s/00", "s/10", "s/9", "s/A"]
    assert split["test"] == ["s/a", "s/u1"]


def test_exclusion_moves_nobody() -> None:
    split = repository_split({"s": list("abcde")})
    assert keep_stored(split, ["s/e", "s/b", "s/c"]) == {
        "train": ["s/b", "s/c"],
        "val": [],
        "test": ["s/e"],
    }
