"""View Prior Learning: training, stopping and going on, what comes out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchbench.baselines.learn3d.examples import Examples
from benchbench.baselines.learn3d.fitting import conv_widths
from benchbench.baselines.learn3d.forms import FORMS
from benchbench.baselines.spec import apply_settings
from benchbench.baselines.vpl.discriminator import Judge, ViewDiscriminator
from benchbench.baselines.vpl.model import load
from benchbench.baselines.vpl.spec import PRESETS, VplOptions
from benchbench.baselines.vpl.train import VplTask, train
from benchbench.core.errors import CheckError, UsageError
from benchbench.core.files import read_json
from benchbench.datasets.store import Store

TINY = VplOptions(
    steps=6, batch=3, learning_rate=1e-3, channels=(4, 4, 4), hidden=(8, 8), latent=6,
    decoder=(8, 16), vertices=42, discriminator=(2, 3, 4, 5), joint=True, validate_every=3,
    validate_objects=1, save_every=2,
)  # fmt: skip


def test_recipe_of_train_sh() -> None:
    """learn3d.md 5: trainCVPR19."""
    options = apply_settings(VplOptions(), PRESETS["kato"])
    assert (options.steps, options.batch, options.learning_rate) == (20_000, 128, 1e-4)
    assert (options.smoothness, options.adversarial, options.latent) == (1e-3, 1.0, 512)
    assert options.discriminator == (128, 256, 512, 1024) and not options.joint


@pytest.fixture(scope="module")
def finished(little_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(little_store, tmp_path_factory.mktemp("run"), TINY, quiet=True)


def test_output_can_be_loaded_and_explains_itself(finished: Path, little_store: Store) -> None:
    baseline = load(finished)
    assert baseline.spec.id == "vpl" and baseline.caption.startswith("vpl, weights model")
    assert baseline.settings == {"block_size": 64, "rendering": None, "form": "kato"}
    mesh = baseline.predict_items(little_store, [(0, 3)])[0]
    assert mesh.vertices.shape == (42, 3) and np.isfinite(mesh.vertices).all()
    record = read_json(finished.with_suffix(".json"))
    assert record["settings"]["baseline"] == "vpl"
    assert {"iou_loss", "smoothness", "view_loss", "deception"} < set(record["history"][-2])


def test_stopped_and_resumed_gives_the_same_bytes(
    finished: Path, little_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = VplTask.step

    def cut(self: VplTask, number: int) -> dict[str, float]:
        if number == 4:
            raise RuntimeError("power cut")
        return step(self, number)

    monkeypatch.setattr(VplTask, "step", cut)
    with pytest.raises(RuntimeError, match="power cut"):
        train(little_store, tmp_path, TINY, quiet=True)
    monkeypatch.setattr(VplTask, "step", step)
    path = train(little_store, tmp_path, TINY, quiet=True)
    assert path.read_bytes() == finished.read_bytes()
    assert path.with_suffix(".json").read_bytes() == finished.with_suffix(".json").read_bytes()


def test_the_opponent_moves_in_odd_iterations_only(little_store: Store) -> None:
    rows = little_store.indices("train").tolist()
    examples = Examples(little_store, FORMS["kato"], rows, None, 64)
    judge = Judge(ViewDiscriminator(25, TINY.discriminator))
    task = VplTask(conv_widths(TINY, FORMS["kato"], 64, False), judge, examples, None, TINY)
    weights = dict(judge.named_parameters())
    before = {name: value.detach().clone() for name, value in weights.items()}
    assert set(task.step(2)) == {"iou_loss", "smoothness", "deception"}
    assert all(torch.equal(before[name], value) for name, value in weights.items())
    assert set(task.step(3)) == {"iou_loss", "smoothness", "view_loss"}
    assert not any(torch.equal(before[name], value) for name, value in weights.items())


@pytest.mark.parametrize(
    "change", [{"discriminator": (4, 4)}, {"adversarial": -1.0}, {"batch": 0}, {"channels": (4,)}]
)
def test_silly_options_are_refused(
    change: dict[str, Any], little_store: Store, tmp_path: Path
) -> None:
    with pytest.raises(UsageError):
        train(little_store, tmp_path, replace(TINY, **change), quiet=True)


def test_one_network_a_class_unless_asked_otherwise(little_store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="vpl trains one network a class"):
        train(little_store, tmp_path, replace(TINY, joint=False), quiet=True)


def test_another_network_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"fc.weight": np.ones((2, 2), np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckError, match=r"fc\.weight 2x2\); vpl is conv 4-64-128-256"):
        load(tmp_path / "other.safetensors")
