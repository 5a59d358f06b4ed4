"""Training: what a step sees, learning at all, stopping and going on, presets, refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchbench.baselines.kato.model import Meshes
from benchbench.baselines.learn3d.examples import Examples, batch_rows, kato_eyes
from benchbench.baselines.learn3d.fitting import learning_rate, training_rows
from benchbench.baselines.learn3d.forms import FORMS
from benchbench.baselines.learn3d.model import load
from benchbench.baselines.learn3d.pictures import encoder_pictures
from benchbench.baselines.learn3d.spec import PRESETS, Learn3dOptions, Learn3dParameters
from benchbench.baselines.learn3d.train import Learn3dTask, train, widths_of_options
from benchbench.baselines.spec import apply_settings
from benchbench.core.errors import CheckError, UsageError
from benchbench.core.files import read_json
from benchbench.cuda_ops.house_voxels import house_voxels
from benchbench.datasets.exporting import export, snug_solid
from benchbench.datasets.store import Store

TINY = Learn3dOptions(
    steps=12, batch=4, learning_rate=1e-3, channels=(4, 4, 4), hidden=(8, 8), latent=6,
    decoder=(8, 16), vertices=42, discriminator=(6, 5), joint=True, validate_every=6,
    validate_objects=1, save_every=4,
)  # fmt: skip


def test_epochs_see_every_picture_once() -> None:
    seen = [batch_rows(10, 4, 7, step) for step in range(1, 7)]
    assert [len(rows) for rows in seen] == [4, 4, 2, 4, 4, 2]
    for epoch in (seen[:3], seen[3:]):
        assert sorted(np.concatenate(epoch).tolist()) == list(range(10))
    assert not np.array_equal(np.concatenate(seen[:3]), np.concatenate(seen[3:]))
    assert not np.array_equal(seen[0], batch_rows(10, 4, 8, 1))


def test_examples_of_katos_form(little_store: Store) -> None:
    rows = little_store.indices("train").tolist()
    examples = Examples(little_store, FORMS["kato"], rows, None, 64)
    assert len(examples) == 24 * len(rows) and examples.bin_count == 24
    batch = examples.batch(0, 1, 5)
    chosen = batch_rows(len(examples), 5, 0, 1)
    for n, row in enumerate(chosen.tolist()):
        view = row % 24
        assert batch.bins[n] == view
        np.testing.assert_array_equal(batch.cameras[n], kato_eyes()[view])
        alpha = little_store.image(rows[row // 24], view)[..., 3] / np.float32(255)
        np.testing.assert_allclose(batch.targets[n], alpha / alpha.max(), atol=1.01 / 255)
        assert torch.equal(batch.images[n, 3], batch.targets[n])
    two = Examples(little_store, FORMS["kato"], rows, None, 64, views=2)
    assert len(two) == 2 * len(rows) and set(two.bins.tolist()) == {0, 1}


def test_rates_by_hand() -> None:
    assert learning_rate(Learn3dOptions(), 19_999) == 1e-4
    cosine = Learn3dOptions(steps=110, learning_rate=2.0, warmup=10, schedule="cosine")
    assert learning_rate(cosine, 5) == 1.0 and learning_rate(cosine, 11) == 2.0
    assert learning_rate(cosine, 61) == pytest.approx(1.0)
    assert 0 < learning_rate(cosine, 110) < 0.01


def test_recipes_of_train_sh() -> None:
    """The table of learn3d.md 5, to the last constant."""
    kato = apply_settings(Learn3dOptions(), PRESETS["kato"])
    assert (kato.steps, kato.batch, kato.learning_rate, kato.schedule) == (
        20_000,
        128,
        1e-4,
        "constant",
    )
    assert (kato.smoothness, kato.prior, kato.confusion, kato.latent) == (1e-3, 1.0, 1.0, 512)
    assert (kato.validate_every, kato.save_every) == (500, 500)
    lsm = apply_settings(Learn3dOptions(), PRESETS["lsm"])
    assert lsm == replace(kato, form="lsm", train_views=1)
    assert (lsm.azimuth_width, lsm.elevation_width) == (15, 20)
    pascal = apply_settings(Learn3dOptions(), PRESETS["pascal"])
    assert (pascal.steps, pascal.prior, pascal.confusion) == (40_000, 0.01, 0.01)
    assert (pascal.encoder, pascal.image_size, pascal.symmetric) == ("resnet18", 224, True)
    assert pascal.smoothness == 1e-3
    assert apply_settings(Learn3dOptions(), PRESETS["pascal-revision"]).steps == 60_000
    for name in ("kato", "lsm", "pascal"):
        plain = apply_settings(Learn3dOptions(), PRESETS[f"{name}-plain"])
        assert (plain.steps, plain.prior, plain.confusion) == (20_000, 0.0, 0.0)
    for name, preset in PRESETS.items():
        options = apply_settings(Learn3dOptions(), preset)
        widths = widths_of_options(options, FORMS[options.form])
        if not name.startswith("shapes13"):
            assert not options.joint and widths.vertices == 642


@pytest.mark.parametrize(
    "change",
    [{"hidden": (1,)}, {"decoder": (0, 4)}, {"channels": (1, 2)}, {"latent": 0}, {"batch": 0},
     {"learning_rate": 0.0}, {"smoothness": -1.0}, {"prior": -1.0}, {"confusion": float("nan")},
     {"schedule": "linear"}, {"vertices": 100}, {"discriminator": (4,)},
     {"form": "pascal", "encoder": "vgg"},
     {"symmetric": True}, {"image_size": 128}, {"encoder": "resnet18"}, {"azimuth_width": 0.0}],
)  # fmt: skip
def test_silly_options_are_refused(change: dict[str, Any]) -> None:
    options = replace(TINY, **change)
    with pytest.raises(UsageError) as caught:
        widths_of_options(options, FORMS[options.form])
    said = f"{caught.value} {caught.value.hint}"
    assert any(str(name) in said for name in change) or "convolutions do not lead" in said


def test_one_network_a_class_unless_asked_otherwise(little_store: Store) -> None:
    with pytest.raises(UsageError, match="one network a class, and 2 classes") as caught:
        training_rows(little_store, replace(TINY, joint=False), None, "learn3d")
    assert caught.value.hint == "--set classes=airplane, or --set joint=true for one network of all"
    rows, classes = training_rows(
        little_store, replace(TINY, joint=False, classes="chair"), None, "x"
    )
    assert classes == ["chair"] and len(rows) == 4


@pytest.fixture(scope="module")
def finished(little_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(little_store, tmp_path_factory.mktemp("run"), TINY, quiet=True)


def test_output_can_be_loaded_and_explains_itself(finished: Path, little_store: Store) -> None:
    baseline = load(finished)
    assert baseline.network.widths == widths_of_options(TINY, FORMS["kato"])
    assert baseline.form.id == "kato" and baseline.training is not None
    record = read_json(finished.with_suffix(".json"))
    assert record["settings"]["steps"] == 12 and record["settings"]["dataset"] == "blobs"
    assert record["sha256"] == baseline.checkpoint_hash
    assert record["train_split_hash"] == little_store.split_hash("train")
    assert [e["step"] for e in record["history"] if "val_iou" in e] == [6, 12]
    logged = next(e for e in record["history"] if "iou_loss" in e)
    assert {"iou_loss", "smoothness", "prior", "pose_loss", "confusion"} < set(logged)


def test_stopped_and_resumed_gives_the_same_bytes(
    finished: Path, little_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Learn3dTask.step
    for stop in (3, 7, 11):

        def cut(self: Learn3dTask, number: int, stop: int = stop) -> dict[str, float]:
            if number == stop:
                raise RuntimeError("power cut")
            return step(self, number)

        monkeypatch.setattr(Learn3dTask, "step", cut)
        with pytest.raises(RuntimeError, match="power cut"):
            train(little_store, tmp_path, TINY, quiet=True)
    monkeypatch.setattr(Learn3dTask, "step", step)
    path = train(little_store, tmp_path, TINY, quiet=True)
    assert path.read_bytes() == finished.read_bytes()
    assert path.with_suffix(".json").read_bytes() == finished.with_suffix(".json").read_bytes()


def test_other_options_are_refused_in_the_same_folder(finished: Path, little_store: Store) -> None:
    with pytest.raises(CheckError, match=r"confusion 1\.0 there, 0\.5 asked for"):
        train(little_store, finished.parent, replace(TINY, confusion=0.5), quiet=True)


def test_the_opponent_moves_in_odd_iterations_only(little_store: Store) -> None:
    rows = little_store.indices("train").tolist()
    examples = Examples(little_store, FORMS["kato"], rows, None, 64)
    from benchbench.baselines.learn3d.network import PoseDiscriminator

    widths = widths_of_options(TINY, FORMS["kato"])
    task = Learn3dTask(widths, PoseDiscriminator(6, 24, (6, 5)), examples, None, TINY)
    before = {
        name: {k: v.clone() for k, v in m.state_dict().items()} for name, m in task.modules.items()
    }
    for number, still in ((2, True), (3, False)):
        task.step(number)
        for name, module in task.modules.items():
            same = all(torch.equal(before[name][k], v) for k, v in module.state_dict().items())
            assert same == (name == "discriminator" and still), (number, name)
    assert task.pictures(3)["masks, silhouettes"].shape == (128, 512, 3)


def test_it_learns(little_store: Store, tmp_path: Path) -> None:
    """Two classes of stretched balls: the silhouettes end well above the start."""
    options = replace(
        TINY, steps=200, batch=16, learning_rate=3e-3, prior=0.01, confusion=0.1, validate_every=0,
        save_every=200, decoder=(16, 32),
    )  # fmt: skip
    path = train(little_store, tmp_path, options, quiet=True)
    history = read_json(path.with_suffix(".json"))["history"]
    start = load(
        train(little_store, tmp_path / "start", replace(options, steps=1, save_every=1), quiet=True)
    )
    end = load(path, parameters=Learn3dParameters(block_size=8))
    assert history[-1]["iou_loss"] < 0.35
    items = [(index, view) for index in little_store.indices("test").tolist() for view in (0, 9)]
    scores = []
    for baseline in (start, end):
        grids = [
            house_voxels(mesh, little_store.grid_to_object())
            for mesh in baseline.predict_items(little_store, items)
        ]
        truth = [little_store.voxels(index) for index, _ in items]
        overlap = [(a & b).sum() / (a | b).sum() for a, b in zip(grids, truth, strict=True)]
        scores.append(np.mean(overlap))
    assert scores[1] > scores[0] + 0.15


@pytest.mark.parametrize("name", ["shapenet-lsm", "pascal3d-vpl"])
def test_the_two_other_forms(name: str, tmp_path: Path) -> None:
    import importlib

    solids = [
        snug_solid(f"02958343/{n}", part, n) for n, part in enumerate(("train", "train", "test"))
    ]
    raw = export(name, solids, tmp_path / "raw")
    prepare = importlib.import_module(
        f"benchbench.datasets.{name.replace('-', '_')}.prepare"
    ).prepare
    store = Store(prepare(tmp_path / "root", source=raw, quiet=True).path)
    form = FORMS["lsm" if name == "shapenet-lsm" else "pascal"]
    options = replace(
        TINY, form=form.id, steps=3, batch=2, train_views=1 if form.id == "lsm" else 0,
        symmetric=form.id == "pascal", validate_every=3, save_every=3,
    )  # fmt: skip
    path = train(store, tmp_path / "run", options, quiet=True)
    baseline = load(path)
    assert baseline.form == form
    rows = store.indices("train").tolist()
    examples = Examples(store, form, rows, None, 64, views=1)
    assert len(examples) == 2
    batch = examples.batch(0, 1, 2)
    assert batch.images.shape == (2, len(form.channels), 64, 64)
    assert batch.targets.shape == (2, 64, 64) and 0.01 < batch.targets.mean() < 0.9
    mesh = baseline.predict_items(store, [(int(store.indices("test")[0]), 0)])[0]
    assert np.isfinite(mesh.vertices).all()
    with pytest.raises(UsageError):
        train(store, tmp_path / "kato", replace(TINY, form="kato"), quiet=True)


def test_check_on_val_by_a_slow_twin(little_store: Store) -> None:
    """The house's voxeliser, object by object, means over classes."""
    from benchbench.baselines.learn3d.network import Network, initialise
    from benchbench.baselines.learn3d.sphere import sphere
    from benchbench.baselines.learn3d.validation import HeldOut

    widths = widths_of_options(TINY, FORMS["kato"])
    network = Network(widths)
    initialise(network, "all", 1)
    with torch.no_grad():  # a tenth of the meshes' vertices leave the unit cube
        network.generator.bias_layer.bias[::10] += 0.4
    faces = torch.tensor(sphere(widths.vertices)[1])
    held_out = HeldOut(little_store, FORMS["kato"], "kato", 64, None, 2, faces)
    found = held_out(network, "cpu")["val_iou"]
    scores: dict[str, list[float]] = {}
    for n, index in enumerate(little_store.indices("val").tolist()):
        images = encoder_pictures(little_store, [(index, 7 * n % 24)], FORMS["kato"], "kato", 64)
        with torch.no_grad():
            vertices = network(images)[1]
        mesh = Meshes(vertices, faces, FORMS["kato"].frame_to_object(None, 0)).to_object()[0]
        grid = house_voxels(mesh, little_store.grid_to_object())
        truth = little_store.voxels(index)
        iou = (grid & truth).sum() / (grid | truth).sum()
        scores.setdefault(little_store.class_of(index), []).append(iou)
    assert len(scores) == 2 and {len(v) for v in scores.values()} == {2}
    assert found == pytest.approx(np.mean([np.mean(v) for v in scores.values()]), abs=1e-3)
