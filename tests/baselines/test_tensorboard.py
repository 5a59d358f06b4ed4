"""What TensorBoard is shown: the history and pictures; it changes nothing, and is optional."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from torch import Tensor

from benchbench.baselines.tensorboard import FOLDER, Board, check_tensorboard
from benchbench.baselines.training import Plan, run_training
from benchbench.cli.main import cli
from benchbench.core.errors import MissingError

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


class Count:
    """Logs its step's number; stops once where it is told."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at

    def step(self, number: int) -> dict[str, float]:
        if number == self.stop_at:
            raise RuntimeError("power cut")
        return {"x": float(number)}

    def validate(self, number: int) -> dict[str, float]:
        return {"val": number / 2}

    def state(self) -> dict[str, Tensor]:
        return {}

    def load(self, state: dict[str, Tensor]) -> None:
        pass


class Showing(Count):
    """Has a picture too."""

    def pictures(self, number: int) -> dict[str, np.ndarray]:
        return {"seen": PICTURE + np.uint8(number)}


PLAN = Plan(steps=9, save_every=2, validate_every=4, log_every=3, key={})


def accumulated(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder / FOLDER))
    found.Reload()
    return found


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in accumulated(folder).Scalars(name)]


def test_numbers_are_the_history_and_pictures_are_the_task_s(tmp_path: Path) -> None:
    history = run_training(Showing(), PLAN, tmp_path, "x", quiet=True, tensorboard=True)
    assert [e for e in history if "x" in e] == [
        {"step": 3, "x": 2.0}, {"step": 6, "x": 5.0}, {"step": 9, "x": 8.0},
    ]  # fmt: skip
    assert scalars(tmp_path, "x") == [(3, 2.0), (6, 5.0), (9, 8.0)]
    assert scalars(tmp_path, "val") == [(4, 2.0), (8, 4.0), (9, 4.5)]
    images = accumulated(tmp_path).Images("seen")
    assert [image.step for image in images] == [4, 8, 9]
    shown = np.asarray(Image.open(io.BytesIO(images[0].encoded_image_string)))
    np.testing.assert_array_equal(shown, PICTURE + np.uint8(4))


def test_a_resumed_run_shows_every_step_once(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="power cut"):
        run_training(Count(stop_at=8), PLAN, tmp_path, "x", quiet=True, tensorboard=True)
    run_training(Count(), PLAN, tmp_path, "x", quiet=True, tensorboard=True)
    assert scalars(tmp_path, "x") == [(3, 2.0), (6, 5.0), (9, 8.0)]
    assert accumulated(tmp_path).Tags()["images"] == []


def test_it_changes_nothing_else(tmp_path: Path) -> None:
    for name, wanted in (("with", True), ("without", False)):
        run_training(Showing(), PLAN, tmp_path / name, "x", quiet=True, tensorboard=wanted)
    files = [
        {p.name: p.read_bytes() for p in (tmp_path / name).iterdir() if p.is_file()}
        for name in ("with", "without")
    ]
    assert files[0] == files[1] and "checkpoint.json" in files[0]
    assert not (tmp_path / "without" / FOLDER).exists()


def test_without_the_library_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, little_store: Any
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *a: None if name == "tensorboard" else find(name)
    )
    with pytest.raises(MissingError, match="TensorBoard is not installed"):
        Board(tmp_path, wanted=True)
    Board(tmp_path, wanted=False)
    monkeypatch.chdir(tmp_path)
    line = ["train", "--baseline", "kato", "--dataset", "blobs", "--tensorboard",
            "--root", str(Path(little_store.path).parent)]  # fmt: skip
    done = CliRunner().invoke(cli, line)
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.splitlines() == [
        "error: TensorBoard is not installed",
        "hint: python -m pip install tensorboard, or leave --tensorboard out",
    ]
    assert not (tmp_path / "checkpoints").exists()  # found before anything was read
    monkeypatch.undo()
    check_tensorboard()
