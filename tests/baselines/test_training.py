"""The loop: checkpoints, refusals, signals, and the same end however often it is stopped."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchbench.baselines.training import STATE_FILE, Plan, run_training
from benchbench.core.errors import CheckError, UsageError
from benchbench.core.files import read_json
from benchbench.core.keyed import keyed_rng


class Walk:
    """A random walk with momentum: the end depends on every step and on the state."""

    def __init__(self, stop_at: int | None = None, how: int | None = None) -> None:
        self.position, self.speed = torch.zeros(3), torch.zeros(3)
        self.stop_at, self.how = stop_at, how
        self.steps: list[int] = []

    def step(self, number: int) -> dict[str, float]:
        self.steps.append(number)
        push = torch.from_numpy(keyed_rng("walk", number).standard_normal(3)).float()
        self.speed = 0.9 * self.speed + push
        self.position = self.position + self.speed
        if number == self.stop_at:
            if self.how is None:
                raise RuntimeError("power cut")
            os.kill(os.getpid(), self.how)
        return {"x": float(self.position[0])}

    def validate(self, number: int) -> dict[str, float]:
        return {"val": float(self.position.norm())}

    def state(self) -> dict[str, Tensor]:
        return {"position": self.position, "speed": self.speed}

    def load(self, state: dict[str, Tensor]) -> None:
        self.position, self.speed = state["position"].clone(), state["speed"].clone()


def plan(**changes: object) -> Plan:
    values = {"steps": 57, "save_every": 5, "validate_every": 20, "log_every": 7, "key": {"a": 1}}
    return Plan(**{**values, **changes})  # type: ignore[arg-type]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.name != ".lock"}


@pytest.fixture
def whole(tmp_path: Path) -> tuple[Path, list[dict[str, float]]]:
    folder = tmp_path / "whole"
    return folder, run_training(Walk(), plan(), folder, "walk", quiet=True)


def test_history_holds_means_and_validations(whole: tuple[Path, list[dict[str, float]]]) -> None:
    _, history = whole
    assert [e["step"] for e in history if "x" in e] == [7, 14, 21, 28, 35, 42, 49, 56, 57]
    assert [e["step"] for e in history if "val" in e] == [20, 40, 57]
    walk, values = Walk(), []
    for number in range(1, 8):
        values.append(walk.step(number)["x"])
    assert history[0]["x"] == pytest.approx(sum(values) / 7, rel=1e-12)


@pytest.mark.parametrize("how", [None, signal.SIGTERM, signal.SIGINT])
def test_stopped_run_ends_like_an_uninterrupted_one(
    whole: tuple[Path, list[dict[str, float]]], tmp_path: Path, how: int | None
) -> None:
    folder = tmp_path / "stopped"
    kinds = {None: RuntimeError, signal.SIGTERM: SystemExit, signal.SIGINT: KeyboardInterrupt}
    for stop in (3, 5, 31, 32, 54):
        with pytest.raises(kinds[how]) as caught:
            run_training(Walk(stop, how), plan(), folder, "walk", quiet=True)
        if how == signal.SIGTERM:
            assert caught.value.code == 143
        if how is not None:  # a signal lets the step end and saves it
            assert read_json(folder / STATE_FILE)["step"] == stop
    history = run_training(Walk(), plan(), folder, "walk", quiet=True)
    assert history == whole[1]
    assert contents(folder) == contents(whole[0])


def test_finished_run_does_nothing_more(whole: tuple[Path, list[dict[str, float]]]) -> None:
    before = contents(whole[0])
    walk = Walk()
    assert run_training(walk, plan(), whole[0], "walk", quiet=True) == whole[1]
    assert walk.steps == [] and contents(whole[0]) == before


def test_other_settings_are_refused_by_name(whole: tuple[Path, list[dict[str, float]]]) -> None:
    with pytest.raises(CheckError, match="a 1 there, 2 asked for") as caught:
        run_training(Walk(), plan(key={"a": 2}), whole[0], "walk", quiet=True)
    assert "--out" in str(caught.value.hint) and caught.value.exit_code == 5


def test_damaged_checkpoint_is_refused(whole: tuple[Path, list[dict[str, float]]]) -> None:
    file = next(whole[0].glob("checkpoint-*.safetensors"))
    file.write_bytes(file.read_bytes()[:-3] + b"abc")
    with pytest.raises(CheckError, match="damaged"):
        run_training(Walk(), plan(), whole[0], "walk", quiet=True)
    file.unlink()
    with pytest.raises(CheckError, match="missing"):
        run_training(Walk(), plan(), whole[0], "walk", quiet=True)


def test_leftovers_of_a_kill_between_two_writes_do_no_harm(
    whole: tuple[Path, list[dict[str, float]]], tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    with pytest.raises(RuntimeError):
        run_training(Walk(12), plan(), folder, "walk", quiet=True)
    # The newer tensors are written, the JSON still names the older ones.
    (folder / "checkpoint-000000015.safetensors").write_bytes(b"half")
    (folder / ".checkpoint.json.abc.tmp").write_bytes(b"{")
    assert run_training(Walk(), plan(), folder, "walk", quiet=True) == whole[1]
    assert len(list(folder.glob("checkpoint-*.safetensors"))) == 1


def test_silly_plans_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="save_every"):
        run_training(Walk(), plan(save_every=0), tmp_path, "walk", quiet=True)


def test_runs_outside_the_main_thread(tmp_path: Path) -> None:
    found: list[object] = []
    thread = threading.Thread(
        target=lambda: found.append(run_training(Walk(), plan(), tmp_path, "walk", quiet=True))
    )
    thread.start()
    thread.join()
    assert found
