"""Training: the original's first step, learning at all, stopping and going on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchbench.baselines import load_baseline
from benchbench.baselines.kato.losses import edges_of
from benchbench.baselines.kato.optimizer import SkippingAdam
from benchbench.baselines.kato.spec import KatoOptions
from benchbench.baselines.kato.template import sphere_642
from benchbench.baselines.kato.train import (
    MULTIPLIERS,
    KatoTask,
    check_options,
    learning_rate,
    pair_losses,
    train,
)
from benchbench.core.errors import CheckError, UsageError
from benchbench.core.files import read_json

TINY = KatoOptions(
    steps=12, batch=2, learning_rate=1e-3, channels=(4, 4, 4), encoder_hidden=(8, 8), feature=8,
    decoder_hidden=(8, 16), validate_every=6, validate_objects=1, save_every=4,
)  # fmt: skip


def test_first_step_equals_the_original(shared: Path) -> None:
    """Losses, gradients and the first Adam step of train_step.npz.

    Gradients to 3e-4 of each tensor's largest (the silhouette gradient jumps where an edge
    crosses a pixel's centre by rounding); the first layer, whose ReLU mask differs in single
    activations, to 1e-2. Adam's first step is nearly the sign of the gradient, so where
    |g| < 2e-6 an element may move the other way: three of 20,553 do.
    """
    network = load_baseline("kato", checkpoint=shared / "oracles" / "kato" / "model_full.npz")
    network = network.network.train()
    with np.load(shared / "oracles" / "kato" / "train_step.npz") as file:
        d = dict(file)
    faces = torch.tensor(sphere_642()[1])
    edges = torch.from_numpy(edges_of(sphere_642()[1]))
    silhouettes, smoothness = pair_losses(
        network, torch.tensor(d["images_a"]), torch.tensor(d["images_b"]),
        torch.tensor(d["viewpoints_a"]), torch.tensor(d["viewpoints_b"]), faces, edges,
    )  # fmt: skip
    loss = silhouettes + 0.001 * smoothness
    assert silhouettes.item() == pytest.approx(float(d["loss_silhouettes"]), rel=1e-6)
    assert smoothness.item() == pytest.approx(float(d["loss_smoothness"]), rel=1e-5)
    assert loss.item() == pytest.approx(float(d["loss"]), rel=1e-5)
    loss.backward()
    parameters = network.chainer_parameters()
    stats = zip(d["grad_names"], d["grad_stats_sum_l1_l2_max_zerofrac"], strict=True)
    for raw, (_, l1, l2, largest, zeros) in stats:
        name = raw.decode()
        grad = parameters[name].grad.numpy().astype(np.float64)
        tolerance = 1e-2 if "conv1" in name else 3e-4
        found = [np.abs(grad).sum(), np.sqrt((grad**2).sum()), np.abs(grad).max()]
        np.testing.assert_allclose(found, [l1, l2, largest], rtol=tolerance)
        assert (grad == 0).mean() == pytest.approx(zeros, abs=1e-6)
        if f"grad/{name}" in d:
            assert np.abs(grad - d[f"grad/{name}"]).max() < tolerance * largest, name
    SkippingAdam(dict(parameters), MULTIPLIERS).step(1, 1e-4)
    moved_otherwise = total = 0
    for name in (key.removeprefix("step1/") for key in d if key.startswith("step1/")):
        difference = np.abs(parameters[name].detach().numpy() - d[f"step1/{name}"])
        moved_otherwise += int((difference > 1e-6).sum())
        total += difference.size
    assert total == 20_553 and moved_otherwise <= 4


def test_rates_by_hand() -> None:
    step = KatoOptions(steps=200, learning_rate=1e-4)
    assert learning_rate(step, 190) == 1e-4  # 0.95 of 200 is the last full step
    assert learning_rate(step, 191) == pytest.approx(1e-5)
    cosine = KatoOptions(steps=110, learning_rate=2.0, warmup=10, schedule="cosine")
    assert learning_rate(cosine, 5) == 1.0
    assert learning_rate(cosine, 11) == 2.0
    assert learning_rate(cosine, 61) == pytest.approx(1.0)
    assert 0 < learning_rate(cosine, 110) < 0.01


@pytest.mark.parametrize(
    "change",
    [{"channels": (1, 2)}, {"decoder_hidden": (0, 4)}, {"feature": 0}, {"batch": 0},
     {"learning_rate": 0.0}, {"smoothness": -1.0}, {"schedule": "linear"}, {"steps": 0}],
)  # fmt: skip
def test_silly_options_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(change))):
        check_options(KatoOptions(**change))


def test_options_reach_the_network() -> None:
    assert check_options(KatoOptions()).parameters == 25_960_521
    assert check_options(TINY).decoder_hidden == (8, 16)


@pytest.fixture(scope="module")
def finished(little_store: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(little_store, tmp_path_factory.mktemp("run"), TINY, quiet=True)


def test_output_can_be_loaded_and_explains_itself(finished: Path, little_store: Any) -> None:
    baseline = load_baseline("kato", checkpoint=finished)
    assert baseline.network.widths == check_options(TINY)
    record = read_json(finished.with_suffix(".json"))
    assert record["settings"]["steps"] == 12 and record["settings"]["dataset"] == "blobs"
    assert record["sha256"] == baseline.checkpoint_hash
    assert record["train_split_hash"] == little_store.split_hash("train")
    assert [e["step"] for e in record["history"] if "val_iou" in e] == [6, 12]
    assert all(0 <= e["val_iou"] <= 1 for e in record["history"] if "val_iou" in e)


def test_stopped_and_resumed_gives_the_same_bytes(
    finished: Path, little_store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = KatoTask.step
    for stop in (3, 7, 11):

        def cut(self: KatoTask, number: int, stop: int = stop) -> dict[str, float]:
            if number == stop:
                raise RuntimeError("power cut")
            return step(self, number)

        monkeypatch.setattr(KatoTask, "step", cut)
        with pytest.raises(RuntimeError, match="power cut"):
            train(little_store, tmp_path, TINY, quiet=True)
    monkeypatch.setattr(KatoTask, "step", step)
    path = train(little_store, tmp_path, TINY, quiet=True)
    assert path.read_bytes() == finished.read_bytes()
    assert path.with_suffix(".json").read_bytes() == finished.with_suffix(".json").read_bytes()


def test_other_options_are_refused_in_the_same_folder(finished: Path, little_store: Any) -> None:
    from dataclasses import replace

    with pytest.raises(CheckError, match="steps 12 there, 13 asked for"):
        train(little_store, finished.parent, replace(TINY, steps=13), quiet=True)


def test_half_precision_output(little_store: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    path = train(little_store, tmp_path, replace(TINY, steps=1, half=True), quiet=True)
    whole = train(little_store, tmp_path / "whole", replace(TINY, steps=1), quiet=True)
    assert path.stat().st_size < 0.6 * whole.stat().st_size


def test_mixed_precision_is_another_run(little_store: Any, tmp_path: Path) -> None:
    """Half the bits in the network only: the first loss is near, and the folders are not shared."""
    exact = KatoTask(little_store, check_options(TINY), TINY, "cpu", None, True)
    mixed = KatoTask(little_store, check_options(TINY), TINY, "cpu", None, True, True)
    a, b = exact.step(1), mixed.step(1)
    assert a != b and a["loss"] == pytest.approx(b["loss"], abs=0.01)
    for name, parameter in mixed.parameters.items():
        assert parameter.dtype == torch.float32 and parameter.grad is not None
        error = (parameter.grad - exact.parameters[name].grad).norm()
        assert 0 <= error < 0.3 * exact.parameters[name].grad.norm() + 1e-6, name
    path = train(little_store, tmp_path, TINY, quiet=True, mixed_precision=True)
    assert read_json(path.with_suffix(".json"))["settings"]["mixed_precision"] is True
    with pytest.raises(CheckError, match="mixed_precision True there, None asked for"):
        train(little_store, tmp_path, TINY, quiet=True)


def test_pictures_for_tensorboard(little_store: Any) -> None:
    task = KatoTask(little_store, check_options(TINY), TINY, "cpu", None, True)
    before = {name: value.clone() for name, value in task.state().items()}
    (strip,) = task.pictures(0).values()
    assert strip.shape == (3 * 64, 8 * 64, 3) and strip.dtype == np.uint8
    first = little_store.image(int(little_store.indices("train")[0]), 0)
    opaque = first[..., 3] == 255
    assert opaque.any()
    # straight colours on white; the cut to bytes may lose one
    assert abs(strip[:64, :64][opaque].astype(int) - first[opaque][:, :3]).max() <= 1
    assert (strip[:64, :64][first[..., 3] == 0] == 255).all()
    assert abs(strip[64:128, :64, 0].astype(int) - first[..., 3]).max() <= 1
    assert 0.01 < (strip[128:] > 127).mean() < 0.9
    for name, value in task.state().items():
        assert torch.equal(value, before[name])


def test_it_learns(little_store: Any, tmp_path: Path) -> None:
    """Two classes of stretched balls: sixty steps take the silhouettes well above the start."""
    from dataclasses import replace

    options = replace(TINY, steps=60, batch=4, learning_rate=1e-2, validate_every=20, save_every=50)
    path = train(little_store, tmp_path, options, quiet=True)
    history = [e for e in read_json(path.with_suffix(".json"))["history"] if "val_iou" in e]
    assert history[-1]["val_iou"] > history[0]["val_iou"] + 0.1
    assert history[-1]["val_iou"] > 0.45


SCRIPT = """
import sys
import torch
from benchbench.baselines.kato.train import train
from benchbench.baselines.kato.spec import KatoOptions
from benchbench.datasets.store import Store
torch.set_num_threads(1)
options = KatoOptions(steps=40, batch=2, channels=(4, 4, 4), encoder_hidden=(8, 8), feature=8,
    decoder_hidden=(8, 16), validate_every=0, save_every=3)
train(Store(sys.argv[1]), sys.argv[2], options, quiet=True)
"""


def start(store: Any, out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(store.path), str(out)])


def kill_at_random(store: Any, tmp_path: Path, how: int, times: int) -> None:
    """Stops a real process again and again, then compares with one that was left alone."""
    rng = np.random.default_rng(how)
    assert start(store, tmp_path / "whole").wait(120) == 0
    out = tmp_path / "stopped"
    stopped = 0
    for _ in range(times):
        process = start(store, out)
        before = newest(out)
        limit = time.monotonic() + 60
        while process.poll() is None and newest(out) <= before and time.monotonic() < limit:
            time.sleep(0.01)
        time.sleep(float(rng.random()) * 0.1)
        if process.poll() is None:
            process.send_signal(how)
            code = process.wait(60)
            assert code in (0, -signal.SIGKILL if how == signal.SIGKILL else 143)
            stopped += code != 0
        else:
            assert process.returncode == 0
    assert stopped > 0
    assert start(store, out).wait(120) == 0
    for name in ("model.safetensors", "model.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def newest(out: Path) -> int:
    return max((int(p.stem.split("-")[1]) for p in out.glob("checkpoint-*.safetensors")), default=0)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_real_process_survives_being_stopped(little_store: Any, tmp_path: Path, how: int) -> None:
    kill_at_random(little_store, tmp_path, how, times=2)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_real_process_survives_twenty_stops(little_store: Any, tmp_path: Path, how: int) -> None:
    kill_at_random(little_store, tmp_path, how, times=20)
