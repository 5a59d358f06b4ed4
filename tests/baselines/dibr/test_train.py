"""Training: the authors' constants, learning at all, stopping and going on."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchbench.baselines import checkpoints, get_spec, load_baseline
from benchbench.baselines.dibr import imagenet
from benchbench.baselines.dibr.architecture import Widths
from benchbench.baselines.dibr.losses import Softness, Weights
from benchbench.baselines.dibr.network import Network, normalise_meshes
from benchbench.baselines.dibr.spec import DibrOptions
from benchbench.baselines.dibr.train import (
    DibrTask,
    check_options,
    check_shares,
    learning_rate,
    step_losses,
    train,
)
from benchbench.baselines.distributed import Processes
from benchbench.baselines.spec import apply_settings
from benchbench.core.errors import CheckError, MissingError, UsageError
from benchbench.core.files import read_json
from benchbench.datasets.network_weights import NETWORK_WEIGHTS, weights_file

TINY = DibrOptions(
    steps=8, batch=4, learning_rate=1e-3, stages=(4, 4, 4, 4), units=(1, 1, 1, 1), code=8,
    hidden=8, blocks=2, level=1, image_size=64, validate_every=4, validate_objects=1, save_every=3,
)  # fmt: skip


def test_constants_are_the_authors() -> None:
    """dibr.md 3, each of them."""
    options = DibrOptions()
    assert (options.epochs, options.steps, options.batch, options.views) == (600, None, 32, 2)
    assert (options.learning_rate, options.halve_every, options.schedule) == (1e-4, 400_000, "step")
    assert (options.warmup, options.seed, options.image_size) == (0, 1234569527, 224)
    assert (options.point_gain, options.imagenet, options.half) == (1.0, None, False)
    assert check_options(options) == Widths()
    assert Weights(
        options.colour, options.silhouette, options.laplacian, options.flatten
    ) == Weights(3.0, 1.0, 0.01, 0.001)
    assert Softness(options.sigmainv, options.boxlen) == Softness(7000.0, 0.02)
    rates = [learning_rate(options, step, 10**6) for step in (1, 400_000, 400_001, 800_001)]
    assert rates == [1e-4, 1e-4, 5e-5, 2.5e-5]


def test_presets_are_recipes() -> None:
    presets = get_spec("dibr").presets
    made = {name: apply_settings(DibrOptions(), values) for name, values in presets.items()}
    assert made["full"] == DibrOptions()
    # The README's checkpoint 469,999 is the state after the 470,000th step.
    assert made["published"] == replace(DibrOptions(), steps=470_000)
    small = check_options(made["shapes13"])
    assert small.parameters * 2 < 4_000_000 and made["shapes13"].image_size == 64
    assert check_options(made["shapes13-second"]) == small  # it goes on from the other's file
    for options in made.values():
        check_options(options)


def test_cosine_by_hand() -> None:
    options = replace(TINY, learning_rate=2.0, warmup=10, schedule="cosine")
    assert learning_rate(options, 5, 110) == 1.0
    assert learning_rate(options, 11, 110) == 2.0
    assert learning_rate(options, 61, 110) == pytest.approx(1.0)
    assert 0 < learning_rate(options, 110, 110) < 0.01


@pytest.mark.parametrize(
    "change",
    [{"stages": (1, 2)}, {"units": (0, 1, 1, 1)}, {"code": 0}, {"batch": 0}, {"level": 9},
     {"learning_rate": 0.0}, {"laplacian": -1.0}, {"schedule": "linear"}, {"steps": 0},
     {"views": 0}, {"sigmainv": 0.0}, {"boxlen": -1.0}, {"point_gain": 0.0},
     {"image_size": 16}, {"epochs": 0}],
)  # fmt: skip
def test_silly_options_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(change))):
        check_options(replace(DibrOptions(), **change))


def test_a_step_of_adam_equals_its_formula(little_store: Any) -> None:
    """Losses of two views, their gradient, and the first step: -rate g / (|g| + eps)."""
    rows = little_store.indices("train").tolist()
    task = DibrTask(little_store, check_options(TINY), TINY, 8, rows, True)
    with torch.no_grad():
        task.network.residual_coef.fill_(0.5)
        task.network.decoder.blocks[1].fc_1.weight.normal_(0, 0.1)
    twin = Network(task.network.widths).train()
    twin.load_tensors(task.network.tensors())
    from benchbench.baselines.dibr.data import draw

    seen = task.objects.views(*draw(8, 24, TINY.seed, 1, 4, 2), 64)
    before = {name: value.detach().clone() for name, value in task.learned.items()}
    logged = task.step(1)
    found = step_losses(twin, seen, task.topology, Weights(), Softness())
    found["total"].backward()
    assert logged["loss"] == pytest.approx(float(found["total"].detach()), rel=1e-6)
    assert set(logged) == {"loss", "silhouette", "colour", "laplacian", "flatten"}
    for name, parameter in twin.named_parameters():
        if parameter.requires_grad:
            g = parameter.grad
            expected = before[name] - TINY.learning_rate * g / (g.abs() + 1e-8)
            # Where the gradient is as small as rounding, its sign is open.
            clear = g.abs() > 1e-6
            np.testing.assert_allclose(
                task.learned[name].detach()[clear], expected[clear].detach(), atol=2e-6
            )
    # Every view was a pass of its own: two updates of the running means.
    state = task.network.state_dict()
    assert int(state["encoder.features.bn1.num_batches_tracked"]) == 2


@pytest.fixture(scope="module")
def finished(little_store: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(little_store, tmp_path_factory.mktemp("run"), TINY, quiet=True)


def test_output_can_be_loaded_and_explains_itself(finished: Path, little_store: Any) -> None:
    baseline = load_baseline("dibr", checkpoint=finished)
    assert baseline.network.widths == check_options(TINY) and baseline.input.size == 64
    record = read_json(finished.with_suffix(".json"))
    assert record["settings"]["steps"] == 8 and record["settings"]["dataset"] == "blobs"
    assert record["sha256"] == baseline.checkpoint_hash
    assert record["train_split_hash"] == little_store.split_hash("train")
    assert len(baseline.training.digests) == 8
    scores = [entry for entry in record["history"] if "val_iou" in entry]
    assert [entry["step"] for entry in scores] == [4, 8]
    assert all(0 <= entry["val_silhouette"] <= 1 for entry in scores)


def test_stopped_and_resumed_gives_the_same_bytes(
    finished: Path, little_store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = DibrTask.step
    for stop in (2, 5, 8):

        def cut(self: DibrTask, number: int, stop: int = stop) -> dict[str, float]:
            if number == stop:
                raise RuntimeError("power cut")
            return step(self, number)

        monkeypatch.setattr(DibrTask, "step", cut)
        with pytest.raises(RuntimeError, match="power cut"):
            train(little_store, tmp_path, TINY, quiet=True)
    monkeypatch.setattr(DibrTask, "step", step)
    path = train(little_store, tmp_path, TINY, quiet=True)
    assert path.read_bytes() == finished.read_bytes()
    assert path.with_suffix(".json").read_bytes() == finished.with_suffix(".json").read_bytes()


def test_validation_changes_nothing(finished: Path, little_store: Any, tmp_path: Path) -> None:
    options = replace(TINY, validate_every=0)
    path = train(little_store, tmp_path, options, quiet=True)
    one, two = (load_baseline("dibr", checkpoint=p).network.tensors() for p in (finished, path))
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_epochs_become_steps(little_store: Any, tmp_path: Path) -> None:
    options = replace(TINY, steps=None, epochs=3, batch=5, validate_every=0)
    path = train(little_store, tmp_path, options, quiet=True)
    assert read_json(path.with_suffix(".json"))["steps"] == 6  # 8 objects: 5 + 3, three times


def test_other_options_are_refused_in_the_same_folder(finished: Path, little_store: Any) -> None:
    with pytest.raises(CheckError, match="steps 8 there, 9 asked for"):
        train(little_store, finished.parent, replace(TINY, steps=9), quiet=True)


def test_it_learns(little_store: Any, tmp_path: Path) -> None:
    """Two classes of stretched balls: a hundred steps take the solids well above the sphere."""
    options = replace(TINY, steps=100, learning_rate=1e-2, validate_every=100, save_every=100)
    rows = little_store.indices("train").tolist()
    start = DibrTask(little_store, check_options(options), options, 100, rows, True).validate(0)
    path = train(little_store, tmp_path, options, quiet=True)
    end = read_json(path.with_suffix(".json"))["history"][-1]
    assert end["val_iou"] > start["val_iou"] + 0.1
    assert end["val_silhouette"] > start["val_silhouette"] + 0.1


def test_shares_leave_nobody_without_work() -> None:
    check_shares(1300, 32, Processes(0, 8))  # the last batch has 20
    with pytest.raises(UsageError, match="has 1 of 33 objects, too few for 2"):
        check_shares(33, 32, Processes(0, 2))
    with pytest.raises(UsageError, match="has 3 of 3 objects"):
        check_shares(3, 32, Processes(0, 4))


def resnet18(path: Path, seed: int = 0) -> Path:
    """A file with torchvision's names and shapes."""
    rng = np.random.default_rng(seed)
    prefix = "encoder.features."
    tensors = {
        name.removeprefix(prefix): torch.tensor(rng.random(shape, np.float32))
        for name, shape in Widths().shapes().items()
        if name.startswith(prefix)
    }
    tensors |= {"fc.weight": torch.rand(1000, 512), "fc.bias": torch.rand(1000)}
    torch.save(tensors, path)
    return path


def test_imagenet_weights_are_checked_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "imagenet-resnet18-f37072fd"
    with pytest.raises(MissingError, match=f"'{name}' is not prepared"):
        imagenet.imagenet_weights(name, Widths(), tmp_path)
    path = weights_file(name, tmp_path)
    path.parent.mkdir()
    resnet18(path)
    content = path.read_bytes()
    start = hashlib.sha256(content).hexdigest()[:8]
    with pytest.raises(CheckError, match=r"f37072fd.* belongs"):
        imagenet.imagenet_weights(name, Widths(), tmp_path)
    known = NETWORK_WEIGHTS[name]
    ours = replace(known, archive=replace(known.archive, sha256_start=start))
    monkeypatch.setitem(NETWORK_WEIGHTS, name, ours)
    path.write_bytes(content)
    found = imagenet.imagenet_weights(name, Widths(), tmp_path)
    network = Network(Widths())
    network.initialise(0)
    before = network.tensors()
    network.load_tensors(found)
    after = network.tensors()
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {name for name in before if name.startswith("encoder.features.")}
    with pytest.raises(UsageError, match="fit a ResNet-18 of full width"):
        imagenet.imagenet_weights(name, check_options(TINY), tmp_path)
    with pytest.raises(UsageError, match=r"unknown weights 'absent\.pth'"):
        imagenet.imagenet_weights("absent.pth", Widths(), tmp_path)


def test_a_training_goes_on_from_a_checkpoint(
    finished: Path, little_store: Any, tmp_path: Path
) -> None:
    options = replace(TINY, steps=1, validate_every=0, learning_rate=1e-9, start=str(finished))
    path = train(little_store, tmp_path / "on", options, quiet=True)
    before, after = (
        load_baseline("dibr", checkpoint=p).network.tensors() for p in (finished, path)
    )
    for name, value in before.items():
        if "running" not in name:  # these move with the pictures
            np.testing.assert_allclose(after[name], value, atol=1e-6)
    record = read_json(path.with_suffix(".json"))
    assert record["settings"]["start"] == read_json(finished.with_suffix(".json"))["sha256"]
    with pytest.raises(UsageError, match="asked for is resnet 4-4-4-8"):
        train(little_store, tmp_path / "a", replace(options, stages=(4, 4, 4, 8)), quiet=True)
    with pytest.raises(UsageError, match="start and imagenet"):
        train(little_store, tmp_path / "b", replace(options, imagenet="x"), quiet=True)
    with pytest.raises(MissingError, match="no checkpoint 'x'"):
        train(little_store, tmp_path / "c", replace(options, start="x"), quiet=True)


def test_a_random_start_is_said(
    little_store: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(little_store, tmp_path, replace(TINY, steps=1, validate_every=0), quiet=False)
    assert "the encoder starts from random numbers" in capsys.readouterr().err


SCRIPT = """
import sys
import torch
from benchbench.baselines.dibr.train import train
from benchbench.baselines.dibr.spec import DibrOptions
from benchbench.datasets.store import Store
torch.set_num_threads(1)
options = DibrOptions(steps=20, batch=2, stages=(4, 4, 4, 4), units=(1, 1, 1, 1), code=8, hidden=8,
    blocks=2, level=1, image_size=64, validate_every=0, save_every=2)
train(Store(sys.argv[1]), sys.argv[2], options, quiet=True)
"""


def test_a_killed_process_goes_on_to_the_same_bytes(little_store: Any, tmp_path: Path) -> None:
    def start(out: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", SCRIPT, str(little_store.path), str(out)])

    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert start(whole).wait(900) == 0
    process = start(stopped)
    limit = time.monotonic() + 900
    while not list(stopped.glob("checkpoint-*")) and time.monotonic() < limit:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(900) == -signal.SIGKILL
    assert not (stopped / "model.safetensors").exists()
    assert start(stopped).wait(900) == 0
    for name in ("model.safetensors", "model.json"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes()


def test_mixed_precision_is_an_option(little_store: Any, tmp_path: Path) -> None:
    options = replace(TINY, steps=2, validate_every=0)
    path = train(little_store, tmp_path, options, quiet=True, mixed_precision=True)
    assert read_json(path.with_suffix(".json"))["settings"]["mixed_precision"] is True
    images = torch.rand(1, 3, 64, 64)
    network = load_baseline("dibr", checkpoint=path).network
    assert normalise_meshes(network(images)[0]).isfinite().all()
    assert checkpoints.read_training(path) is not None
