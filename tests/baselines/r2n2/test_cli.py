"""r2n2 as a user types it: train, predict from several views, report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchbench.cli.main import cli
from benchbench.datasets.store import Store

NARROW = (
    "--set", "channels=2,2,2,2,2,2", "--set", "feature=4", "--set", "decoder=2,2,2,2,2",
    "--set", "batch=2", "--set", "steps=2",
)  # fmt: skip


@pytest.fixture
def bench(hooks_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls the program in an empty folder where the bodies are prepared as the demo set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_HOME", str(Path(hooks_store.path).parent))

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(cli, [str(a) for a in arguments])

    return call


def test_train_run_with_several_views_and_report(bench: Any) -> None:
    line = ("train", "--baseline", "r2n2", "--dataset", "shapes13-demo", "--preset", "3d-lstm-1")
    done = bench(*line, *NARROW, "--out", "weights")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.strip() == "weights/model.safetensors"
    assert "training r2n2 on shapes13-demo (train split only)" in done.stderr
    assert json.loads(Path("weights/model.json").read_text())["settings"]["network"] == "3d-lstm-1"
    run = (
        "run", "--baseline", "r2n2", "--split", "test", "--checkpoint", "weights/model.safetensors",
        "--protocol", "r2n2-iou-v1",
    )  # fmt: skip
    for views, items, words in ((2, 4, "0-1 together"), (1, 4, "0"), ("all", 12, "all")):
        done = bench(*run, "--views", views)
        assert done.exit_code == 0, done.stderr
        assert done.stdout.startswith("r2n2-iou-v1:iou  mean over classes 0.")
        (path,) = (
            path
            for path in Path("runs").rglob("result.json")
            if json.loads(path.read_text())["selection"]["views"] == words
        )
        result = json.loads(path.read_text())
        assert result["selection"]["items"] == items
        assert "(3D-LSTM-1), weights model.safetensors" in result["baseline"]["caption"]
    done = bench("report", "--metric", "r2n2-iou-v1:iou")
    assert done.exit_code == 0, done.stderr
    assert "views 0-1 together of 3" in done.stdout and "view 0" in done.stdout


def test_what_is_refused(bench: Any, data: Path) -> None:
    weights = data / "r2n2" / "GRUNet_small.npy"
    run = ("run", "--baseline", "r2n2", "--split", "test", "--checkpoint", weights)
    done = bench(*run, "--set", "views=2")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "error: how many views are seen together is not a setting" in done.stderr
    assert "hint: --views 2" in done.stderr
    done = bench(*run, "--set", "network=3d-gru-1")
    assert (done.exit_code, done.stdout) == (5, "")
    assert "another architecture" in done.stderr and "r2n2 is 3d-gru-1" in done.stderr
    done = bench(*run, "--set", "network=3d-lstm-3", "--dry-run", "--views", "3")
    assert done.exit_code == 0 and "r2n2 (3D-LSTM-3)" in done.stdout
    done = bench(
        "train", "--baseline", "r2n2", "--dataset", "shapes13-demo", "--set", "decoder=1,2,3,4,5"
    )
    assert (done.exit_code, done.stdout) == (2, "")
    assert "the first three of decoder are equal" in done.stderr


def test_presets_are_the_papers_networks(bench: Any) -> None:
    for preset in ("res3d-gru-3", "3d-gru-3", "3d-gru-1", "3d-lstm-3", "3d-lstm-1"):
        done = bench(
            "train", "--baseline", "r2n2", "--dataset", "shapes13-demo", "--preset", preset,
            "--dry-run", "--json",
        )  # fmt: skip
        assert (done.exit_code, done.stderr) == (0, "")
        settings = json.loads(done.stdout)["settings"]
        assert settings["network"] == preset
        assert (settings["batch"], settings["views"], settings["steps"]) == (24, 5, 60_001)
        assert (settings["learning_rate"], settings["decay"]) == (1e-4, 5e-5)
        assert settings["reduce_after"] == [20_001, 60_001]
        assert (settings["background"], settings["crop"]) == ([225, 255], 10)
        assert settings["mirror"] is True and settings["threshold"] == 0.4
