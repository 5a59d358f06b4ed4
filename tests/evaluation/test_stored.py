"""Where stored predictions lie: in the order of the run, of the right run, or told why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchbench.core.errors import CheckError, MissingError
from benchbench.core.files import sha256_text
from benchbench.evaluation import stored
from benchbench.evaluation.folder import RunFolder
from benchbench.evaluation.stored import prediction_places


class Played:
    """A shard of two views of one object, whose content is its number."""

    def __init__(self, path: Path) -> None:
        self.content = str(int(path.stem.partition("-")[2]))
        self.keys = [(f"1/{self.content}", 0), (f"1/{self.content}", 1)]

    def __enter__(self) -> Played:
        return self

    def __exit__(self, *_: Any) -> None:
        pass


def make(folder: RunFolder, count: int) -> str:
    folder.predictions.mkdir(parents=True)
    for n in range(count):
        folder.prediction_shard(n).touch()
    return sha256_text("\n".join(map(str, range(count))))


def test_by_number_not_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sorted as texts, shard-10000 is before shard-9999, and the hash that of no run."""
    monkeypatch.setattr(stored, "Shard", Played)
    folder = RunFolder(tmp_path / "run")
    expected = make(folder, 10_002)
    found = prediction_places(folder, expected)
    assert len(found) == 2 * 10_002
    assert list(found)[-2:] == [("1/10001", 0), ("1/10001", 1)]
    assert found["1/10000", 1] == (folder.prediction_shard(10_000), 1)


def test_others_and_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "Shard", Played)
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(MissingError, match="holds no predictions"):
        prediction_places(folder, "0" * 64)
    expected = make(folder, 3)
    assert len(prediction_places(folder, expected)) == 6
    folder.prediction_shard(2).unlink()
    with pytest.raises(CheckError, match="other predictions"):
        prediction_places(folder, expected)
