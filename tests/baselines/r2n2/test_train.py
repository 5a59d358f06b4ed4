"""Training: it learns, it resumes to the same bytes, and its grids come out in the object frame."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from benchbench.baselines import load_baseline
from benchbench.baselines.r2n2.batches import Batches
from benchbench.baselines.r2n2.model import load
from benchbench.baselines.r2n2.spec import R2N2Options
from benchbench.baselines.r2n2.train import HeldOut, R2N2Task, check_options, learning_rate, train
from benchbench.baselines.training import STATE_FILE
from benchbench.core.errors import BenchError, CheckError, UsageError
from benchbench.cuda_ops.house_voxels import house_voxels, unit_cube_grid
from benchbench.datasets.store import Store

DECODER = ("conv7", "conv8", "conv9", "conv10", "conv11")
TINY = R2N2Options(
    network="3d-gru-3",
    steps=4,
    batch=2,
    views=2,
    channels=(2, 2, 2, 2, 2, 2),
    feature=4,
    decoder=(2, 2, 2, 2, 2),
    validate_every=2,
    validate_objects=2,
    save_every=2,
)


def test_training_learns_and_predicts_in_the_object_frame(
    hooks_store: Store, tmp_path: Path
) -> None:
    """From pictures to a file of weights to grids that lie where the object's mesh is."""
    torch.set_num_threads(1)
    options = replace(
        TINY, steps=60, batch=4, learning_rate=2e-2, channels=(4, 4, 4, 8, 8, 8), feature=16,
        decoder=(8, 8, 8, 8, 4), validate_every=0, save_every=60, threshold=None,
    )  # fmt: skip
    path = train(hooks_store, tmp_path, options, quiet=True)
    record = json.loads((tmp_path / "model.json").read_text())
    losses = [entry["loss"] for entry in record["history"]]
    assert losses[-1] < 0.3
    baseline = load_baseline("r2n2", checkpoint=path)
    items = [(int(row), 0) for row in hooks_store.indices("train")]
    for (row, _), voxels in zip(items, baseline.predict_items(hooks_store, items), strict=True):
        mesh = hooks_store.mesh(row)
        assert mesh is not None
        truth = house_voxels(mesh, unit_cube_grid())
        found = voxels.occupancy >= baseline.threshold
        iou = (found & truth).sum() / (found | truth).sum()
        turned = [np.flip(found, axis) for axis in range(3)]
        turned += [found.transpose(order) for order in ((1, 0, 2), (2, 1, 0), (0, 2, 1))]
        others = [(grid & truth).sum() / (grid | truth).sum() for grid in turned]
        assert iou > 0.5 > max(others)


def test_the_grid_of_the_training_voxels_goes_with_the_weights(
    hooks_store: Store, little_store: Store, tmp_path: Path
) -> None:
    path = train(little_store, tmp_path, replace(TINY, rendering="kato"), quiet=True)
    assert (load(path).grid_to_object == little_store.grid_to_object("binvox")).all()
    record = json.loads((tmp_path / "model.json").read_text())
    assert record["voxels"] == "binvox" and record["threshold"] == 0.4


def test_training_resumes_to_the_same_bytes(hooks_store: Store, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    whole = train(hooks_store, tmp_path / "whole", TINY, quiet=True)

    class Stop(Exception):
        pass

    step = R2N2Task.step

    def until_third(self: R2N2Task, number: int) -> dict[str, float]:
        if number == 4:
            raise Stop
        return step(self, number)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stop):
        patch.setattr(R2N2Task, "step", until_third)
        train(hooks_store, tmp_path / "parts", TINY, quiet=True)
    state = json.loads((tmp_path / "parts" / STATE_FILE).read_text())
    assert state["step"] == 2
    parts = train(hooks_store, tmp_path / "parts", TINY, quiet=True)
    assert parts.read_bytes() == whole.read_bytes()
    assert (tmp_path / "parts/model.json").read_bytes() == whole.with_suffix(".json").read_bytes()
    with pytest.raises(CheckError, match="seed 0 there, 1 asked for"):
        train(hooks_store, tmp_path / "parts", replace(TINY, seed=1), quiet=True)


def test_training_goes_on_after_kill_9(hooks_store: Store, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    options = replace(TINY, steps=15, validate_every=0, save_every=1)
    script = (
        "import sys, torch\n"
        "torch.set_num_threads(1)\n"
        "from benchbench.baselines.r2n2.spec import R2N2Options\n"
        "from benchbench.baselines.r2n2.train import train\n"
        "from benchbench.datasets.store import Store\n"
        f"train(Store(sys.argv[1]), sys.argv[2], {options!r}, quiet=True)\n"
    )
    killed = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", script, str(hooks_store.path), str(killed)])
    deadline = time.monotonic() + 120
    while not (killed / STATE_FILE).is_file() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 1 <= json.loads((killed / STATE_FILE).read_text())["step"] < 15
    assert not (killed / "model.safetensors").exists()
    resumed = train(hooks_store, killed, options, quiet=True)
    whole = train(hooks_store, tmp_path / "whole", options, quiet=True)
    assert resumed.read_bytes() == whole.read_bytes()


def test_validation_sees_val_only_and_changes_nothing(hooks_store: Store) -> None:
    batches = Batches(hooks_store, TINY)
    held_out = HeldOut(batches)
    val = set(hooks_store.indices("val").tolist())
    assert {row for row, _ in held_out.items} == val
    task = R2N2Task(batches, check_options(TINY), "cpu")
    before = {name: value.clone() for name, value in task.state().items()}
    found = task.validate(1)
    assert set(found) == {"val_loss", "val_iou"} and 0 <= found["val_iou"] <= 1
    assert all(torch.equal(before[name], value) for name, value in task.state().items())


def test_thresholds_are_compared_on_val(hooks_store: Store, tmp_path: Path) -> None:
    path = train(hooks_store, tmp_path, replace(TINY, threshold=None), quiet=True)
    record = json.loads((tmp_path / "model.json").read_text())
    scores = {float(level): iou for level, iou in record["val_iou_by_threshold"].items()}
    assert scores[record["threshold"]] == max(scores.values())
    baseline = load(path)
    assert baseline.threshold == record["threshold"]
    # The same scores by hand, one picture at a time.
    held_out = HeldOut(Batches(hooks_store, TINY))
    ious: dict[str, list[float]] = {}
    for row, view in held_out.items:
        (grid,) = baseline.predict_items(hooks_store, [(row, view)])
        truth, found = hooks_store.voxels(row, "binvox"), grid.occupancy >= np.float32(0.3)
        union = max(int((truth | found).sum()), 1)
        ious.setdefault(hooks_store.class_of(row), []).append((truth & found).sum() / union)
    assert scores[0.3] == pytest.approx(np.mean([np.mean(v) for v in ious.values()]), abs=2e-3)


def test_mixed_precision_is_another_run(hooks_store: Store, tmp_path: Path) -> None:
    options = replace(TINY, steps=2)
    exact = train(hooks_store, tmp_path / "exact", options, quiet=True)
    mixed = train(hooks_store, tmp_path / "mixed", options, quiet=True, mixed_precision=True)
    one, other = (load(path).network.tensors() for path in (exact, mixed))
    furthest = max(float(np.abs(one[name] - other[name]).max()) for name in one)
    assert 0 < furthest < 1e-2
    with pytest.raises(CheckError, match="mixed_precision None there, True asked for"):
        train(hooks_store, tmp_path / "exact", options, quiet=True, mixed_precision=True)


def test_pictures_for_tensorboard(hooks_store: Store) -> None:
    """Picture, truth and prediction below each other, x to the right, y upwards."""
    batches = Batches(hooks_store, replace(TINY, background=(240, 240), crop=0, mirror=False))
    (shown,) = R2N2Task(batches, check_options(TINY), "cpu").pictures(1).values()
    assert shown.shape == (3 * 128, 2 * 128, 3) and shown.dtype == np.uint8
    batch = batches.read(1)
    assert (shown[:127, :127] == batch.images[0, 0].transpose(1, 2, 0)).all()
    truth = shown[128:256:4, 0:128:4, 0]  # one pixel a cell: rows from y = 31 down to 0
    wanted = batch.occupied[0].any(2)
    assert ((truth > 0) == wanted.T[::-1]).all()


def test_two_processes_get_the_gradients_of_one(hooks_store: Store, tmp_path: Path) -> None:
    options = replace(TINY, batch=3)
    script = (
        "import sys, torch\n"
        "torch.set_num_threads(1)\n"
        "from safetensors.torch import save_file\n"
        "from benchbench.baselines.distributed import processes\n"
        "from benchbench.baselines.r2n2.batches import Batches\n"
        "from benchbench.baselines.r2n2.spec import R2N2Options\n"
        "from benchbench.baselines.r2n2.train import R2N2Task, check_options\n"
        "from benchbench.datasets.store import Store\n"
        f"options = {options!r}\n"
        "with processes('cpu') as group:\n"
        "    batches = Batches(Store(sys.argv[1]), options)\n"
        "    task = R2N2Task(batches, check_options(options), 'cpu', False, group)\n"
        "    task.step(1)\n"
        "    found = {name: p.grad.contiguous() for name, p in task.parameters.items()}\n"
        "    save_file(found, f'{sys.argv[2]}/{group.index}.safetensors')\n"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(hooks_store.path), str(tmp_path)],
            env={**os.environ, **place, "RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": "1"},
        )
        for rank in "01"
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    alone = R2N2Task(Batches(hooks_store, options), check_options(options), "cpu")
    alone.step(1)
    for rank in "01":
        found = load_file(str(tmp_path / f"{rank}.safetensors"))
        for name, parameter in alone.parameters.items():
            assert parameter.grad is not None
            torch.testing.assert_close(found[name], parameter.grad, rtol=1e-4, atol=1e-6)


def test_a_loss_that_explodes_ends_the_training(hooks_store: Store, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"above 0\.01: this training has failed"):
        train(hooks_store, tmp_path, replace(TINY, stop_loss=0.01), quiet=True)
    assert not (tmp_path / "model.safetensors").exists()
    wild = replace(TINY, learning_rate=1e30, steps=20, validate_every=0)
    with pytest.raises(BenchError, match="this training has failed"):
        train(hooks_store, tmp_path / "wild", wild, quiet=True)


def test_schedules() -> None:
    options = R2N2Options(steps=110, learning_rate=1.0, schedule="cosine", warmup=10)
    assert learning_rate(options, 5) == 0.5
    assert learning_rate(options, 11) == 1.0
    assert learning_rate(options, 61) == pytest.approx(0.5)
    assert learning_rate(options, 110) < 1e-3
    steps = R2N2Options(reduce_after=(2, 4))
    assert [learning_rate(steps, n) for n in (2, 3, 4, 5)] == [1e-4, 1e-5, 1e-5, 1e-6]


def test_encoder_and_cell_may_learn_slower(hooks_store: Store) -> None:
    batches = Batches(hooks_store, TINY)
    moved = {}
    for slower in (1.0, 0.1):
        task = R2N2Task(batches, check_options(TINY), "cpu")
        task.options = replace(TINY, slower=slower)
        before = task.network.tensors()
        task.step(1)
        after = task.network.tensors()
        moved[slower] = {name: np.abs(after[name] - before[name]).max() for name in before}
    for name, whole in moved[1.0].items():
        share = 1.0 if name.split(".")[0] in DECODER else 0.1
        assert moved[0.1][name] == pytest.approx(share * whole, rel=0.1, abs=1e-7), name


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"network": "vgg"}, "unknown network 'vgg'"),
        ({"channels": (1, 2)}, "6 widths"),
        ({"steps": 0}, "steps"),
        ({"views": 0}, "views"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"decay": -1.0}, "decay"),
        ({"slower": -1.0}, "slower"),
        ({"schedule": "linear"}, "schedule 'linear'"),
        ({"background": (255, 225)}, "background"),
        ({"background": (1,)}, "background"),
        ({"crop": 12}, "crop"),
        ({"threshold": 1.0}, "threshold"),
    ],
)
def test_options_that_make_no_sense(change: dict[str, object], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        check_options(replace(TINY, **change))
