"""Training shared by processes: the shares, the gradients of the whole batch, one state."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from benchbench.baselines.distributed import Processes, processes
from benchbench.baselines.kato.spec import KatoOptions
from benchbench.baselines.kato.train import KatoTask, check_options, train
from benchbench.core.errors import CheckError, UsageError
from benchbench.core.files import read_json

TINY = KatoOptions(
    steps=6, batch=5, learning_rate=1e-3, channels=(4, 4, 4), encoder_hidden=(8, 8), feature=8,
    decoder_hidden=(8, 16), smoothness=0.001, validate_every=3, validate_objects=1, save_every=2,
)  # fmt: skip

HEAD = """
import os
import signal
import sys
import torch
from safetensors.torch import save_file
from benchbench.baselines.distributed import processes
from benchbench.baselines.kato.spec import KatoOptions
from benchbench.baselines.kato.train import KatoTask, check_options, train
from benchbench.datasets.store import Store
torch.set_num_threads(1)
store, out = Store(sys.argv[1]), sys.argv[2]
options = KatoOptions(steps=6, batch=5, learning_rate=1e-3, channels=(4, 4, 4),
    encoder_hidden=(8, 8), feature=8, decoder_hidden=(8, 16), smoothness=0.001,
    validate_every=3, validate_objects=1, save_every=2)
"""
GRADIENTS = """
with processes("cpu") as group:
    task = KatoTask(store, check_options(options), options, "cpu", None, True, group=group)
    logged = task.step(1)
    gradients = {name: p.grad.contiguous() for name, p in task.parameters.items()}
    gradients["logged"] = torch.tensor([logged["loss"], logged["smoothness"]], dtype=torch.float64)
    save_file(gradients, f"{out}/{group.index}.safetensors")
# Else it goes with the interpreter, whose end then waits for a thread that waits for it.
assert task.shared_network.reducer is None and task.shared_network.process_group is None
"""
STOPPED = """
step = KatoTask.step
def cut(self, number):
    if number == 4:
        raise SystemExit(9)
    return step(self, number)
def stopped(self, number):
    if number == 3 and self.group.index == 1:
        os.kill(os.getpid(), signal.SIGTERM)
    return step(self, number)
if len(sys.argv) > 3:
    KatoTask.step = {"cut": cut, "stopped": stopped}[sys.argv[3]]
train(store, out, options, quiet=True)
"""


def start(count: int, script: str, *words: Any) -> list[tuple[int, str]]:
    """Runs a script in processes as `torchrun` would; exit code and stderr of each."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = []
    for rank in range(count):
        place = {
            "RANK": rank, "WORLD_SIZE": count, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port, "OMP_NUM_THREADS": 1,
        }  # fmt: skip
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", HEAD + script, *map(str, words)],
                env={**os.environ, **{k: str(v) for k, v in place.items()}},
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return [(p.returncode, text) for p in running for text in [p.communicate(timeout=600)[1]]]


def fine(results: list[tuple[int, str]]) -> None:
    """All ended well; shows what they said if not."""
    for code, text in results:
        assert code == 0, text


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 64])
def test_shares_make_the_batch_and_weights_the_mean(batch: int) -> None:
    values = [Fraction(n * n, 3) for n in range(batch)]
    for count in (n for n in (1, 2, 3, 5) if n <= batch):
        shares = [Processes(n, count).share(batch) for n in range(count)]
        assert [n for share in shares for n in range(share.start, share.stop)] == [*range(batch)]
        sizes = [share.stop - share.start for share in shares]
        assert max(sizes) - min(sizes) <= 1
        # What DistributedDataParallel does: the mean over processes of what each differentiates.
        found = sum(
            sum(values[share.rows]) / size * Fraction(size * count, batch)
            for share, size in zip(shares, sizes, strict=True)
        ) / Fraction(count)
        assert found == sum(values) / Fraction(batch)
        for share, size in zip(shares, sizes, strict=True):
            assert share.weight == size * count / batch


def test_more_processes_than_items_are_refused() -> None:
    with pytest.raises(UsageError, match="a batch of 2 cannot be shared by 3") as caught:
        Processes(0, 3).share(2)
    assert str(caught.value.hint).startswith("--set batch=3")


def test_alone_nothing_is_wrapped_or_sent() -> None:
    alone = Processes()
    network = torch.nn.Linear(2, 2)
    assert alone.first and alone.wrap(network) is network and alone.share(4).weight == 1.0
    assert alone.mean({"a": 0.1}) == {"a": 0.1}
    assert alone.largest(7) == alone.from_first(7) == 7
    copies = alone.state_from_first({"b": torch.ones(1), "a": torch.zeros(2)})
    assert sorted(copies) == ["a", "b"] and copies["b"].tolist() == [1.0]
    with processes("cpu") as group:
        assert group == alone


def test_an_environment_that_torchrun_did_not_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with (
        pytest.raises(UsageError, match="WORLD_SIZE is 2, but MASTER_ADDR") as caught,
        processes("cpu"),
    ):
        pass
    assert "torchrun" in str(caught.value.hint)
    monkeypatch.setenv("RANK", "x")
    with pytest.raises(UsageError, match="must be integers"), processes("cpu"):
        pass


def test_two_processes_have_the_gradients_of_one(little_store: Any, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    task = KatoTask(little_store, check_options(TINY), TINY, "cpu", None, True)
    logged = task.step(1)
    fine(start(2, GRADIENTS, little_store.path, tmp_path))
    first, second = (load_file(tmp_path / f"{rank}.safetensors") for rank in (0, 1))
    for name, parameter in task.parameters.items():
        assert parameter.grad is not None
        wanted = parameter.grad.numpy()
        assert np.abs(wanted).max() > 0, name
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_allclose(first[name], wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    wanted_log = [logged["loss"], logged["smoothness"]]
    np.testing.assert_allclose(first["logged"], wanted_log, rtol=1e-6)
    np.testing.assert_array_equal(first["logged"], second["logged"])


def test_two_processes_train_as_one_and_go_on(little_store: Any, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    alone = train(little_store, tmp_path / "alone", TINY, quiet=True)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    fine(start(2, STOPPED, little_store.path, whole))
    # Process 0 is the only one to write, and both stop: the state is that after step 2.
    assert [c for c, _ in start(2, STOPPED, little_store.path, cut, "cut")] == [9, 9]
    assert read_json(cut / "checkpoint.json")["step"] == 2
    assert not (cut / "model.safetensors").exists()
    fine(start(2, STOPPED, little_store.path, cut))
    for name in ("model.safetensors", "model.json"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()
    a, b = load_file(alone), load_file(whole / "model.safetensors")
    for name, value in a.items():
        # Adam's steps are nearly signs: what rounds to another sign may move by a step or two.
        assert np.abs(value - b[name]).mean() < 1e-5, name
        assert np.abs(value - b[name]).max() <= 6 * 2 * TINY.learning_rate
    ours, theirs = (read_json(p.parent / "model.json") for p in (alone, whole / "model.json"))
    assert theirs["settings"] == {**ours["settings"], "processes": 2}
    for mine, other in zip(ours["history"], theirs["history"], strict=True):
        assert mine == pytest.approx(other, rel=1e-3)


def test_a_signal_to_one_stops_all_at_the_same_step(little_store: Any, tmp_path: Path) -> None:
    """Otherwise the others would wait for it until their patience ends."""
    results = start(2, STOPPED, little_store.path, tmp_path, "stopped")
    assert [code for code, _ in results] == [143, 143]
    assert read_json(tmp_path / "checkpoint.json")["step"] == 3  # out of turn: saved because of it
    assert not (tmp_path / "model.safetensors").exists()


def test_another_number_of_processes_is_another_run(little_store: Any, tmp_path: Path) -> None:
    train(little_store, tmp_path, TINY, quiet=True)
    results = start(2, STOPPED, little_store.path, tmp_path)
    # The first one says why; the other follows with the same code, and without a word.
    assert "processes None there, 2 asked for" in results[0][1]
    assert results[0][0] != 0 and results[1][0] == CheckError.exit_code
    assert "Traceback" not in results[1][1]


def test_the_command_under_torchrun(little_store: Any, tmp_path: Path) -> None:
    """The line of the help, and what it says."""
    settings = ("steps=2", "batch=2", "channels=4,4,4", "encoder_hidden=8,8", "feature=8",
                "decoder_hidden=8,16", "validate_every=0", "save_every=1")  # fmt: skip
    words = [word for setting in settings for word in ("--set", setting)]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "-m", "benchbench", "train", "--baseline", "kato", "--dataset", "blobs",
         "--out", str(tmp_path / "out"), "--json", "-q", *words],
        env={**os.environ, "BENCH_HOME": str(Path(little_store.path).parent),
             "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)  # one answer, of the first process
    assert content["checkpoint"] == str(tmp_path / "out" / "model.safetensors")
    assert read_json(tmp_path / "out" / "model.json")["settings"]["processes"] == 2
