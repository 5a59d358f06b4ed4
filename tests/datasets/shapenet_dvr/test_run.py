"""A set whose only truth are points: what is scored, and what is refused in a sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchbench.baselines import load_baseline
from benchbench.core.errors import UsageError
from benchbench.core.keyed import keyed_rng
from benchbench.core.types import Points
from benchbench.datasets.clouds import surface_points
from benchbench.datasets.exporting import asymmetric_solid
from benchbench.datasets.shapenet_dvr.export import export
from benchbench.datasets.shapenet_dvr.prepare import prepare
from benchbench.datasets.store import Store
from benchbench.evaluation.plan import Request, plan_run
from benchbench.evaluation.rescore import choose_protocols
from benchbench.evaluation.truth import TruthSource

COUNT = 2600  # a few more than the protocol takes


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dvr")
    export([asymmetric_solid(f"03001627/{n}", "test", n) for n in "ab"], folder, COUNT)
    prepare(folder / "home", source=folder, quiet=True, workers=1)
    return folder / "home"


def bench(*words: object, home: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchbench", *map(str, words)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "BENCH_HOME": str(home), "OMP_NUM_THREADS": "1"},
        cwd=folder,
        check=False,
    )


def chamfer(preds: np.ndarray, target: np.ndarray) -> float:
    """Every pair of points."""
    distance = np.linalg.norm(preds[:, None].astype(float) - target[None].astype(float), axis=2)
    return float((distance.min(1).mean() + distance.min(0).mean()) / 2)


def test_the_truth_scores_what_its_sampling_leaves(home: Path, tmp_path: Path) -> None:
    words = ("run", "--baseline", "gt", "--dataset", "shapenet-dvr", "--split", "test")
    done = bench(*words, home=home, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    # What is proposed shows what was just scored.
    _, _, proposed = done.stderr.splitlines()[-1].partition("next: bench ")
    assert proposed == "report --metric dibr-chamfer-v1"
    table = bench(*proposed.split(), home=home, folder=tmp_path)
    assert (table.returncode, table.stderr) == (0, "")
    assert "dibr-chamfer-v1:chamfer" in table.stdout
    (path,) = tmp_path.glob("runs/*/*/result.json")
    assert list(json.loads(path.read_text())["protocols"]) == ["dibr-chamfer-v1"]
    scores = path.with_name("scores.csv").read_text().splitlines()
    store = Store(home / "shapenet-dvr.h5")
    for index, name in enumerate(store.object_ids):
        points = store.array(index, "points").astype(np.float32)
        order = keyed_rng("dibr-chamfer-v1", name, -1).permutation(COUNT)
        target = points[np.random.RandomState(123456).permutation(COUNT)[:2500]]
        wanted = chamfer(points[order[:2500]], target)
        (line,) = [row for row in scores if row.startswith(f"dibr-chamfer-v1,{name},-1,chamfer,")]
        assert float(line.split(",")[4]) == pytest.approx(wanted, rel=1e-5)
        assert 0 < wanted < 0.01


def test_what_needs_more_than_points_is_refused(home: Path, tmp_path: Path) -> None:
    for protocol, reason in (
        ("bench-iou-v1", "bench-iou-v1 needs meshes or voxel grids, which"),
        ("bench-surface-v1", "bench-surface-v1 needs meshes, which"),
        ("kato-iou-v1", "needs voxel grids of kind 'kato'"),
    ):
        request = Request(
            "gt", "test", home, "shapenet-dvr", out=tmp_path, protocols=(protocol,), quiet=True
        )
        with pytest.raises(UsageError, match=reason) as caught:
            plan_run(request)
        assert caught.value.exit_code == 2
    store = Store(home / "shapenet-dvr.h5")
    with pytest.raises(UsageError, match="bench-iou-v1 needs meshes or voxel grids") as caught:
        choose_protocols(store, ["bench-iou-v1"])
    assert caught.value.hint == "leave --protocol out for those that fit"
    with pytest.raises(UsageError, match="holds neither meshes nor voxels") as caught:
        load_baseline("mean").predict_items(store, [(0, -1)])
    assert caught.value.hint is not None
    assert "bench run --baseline kato --dataset shapenet-dvr" in caught.value.hint


def test_clouds_of_both_precisions(home: Path) -> None:
    store = Store(home / "shapenet-dvr.h5")
    found = surface_points(store, 1)
    assert found is not None and found.dtype == np.float32
    np.testing.assert_array_equal(found, store.array(1, "points"))
    truth = TruthSource(store)[1]
    np.testing.assert_array_equal(truth.points, found)
    assert truth.mesh is None and truth.voxels == {}
    (prediction,) = load_baseline("gt").predict_items(store, [(1, -1)])
    assert isinstance(prediction, Points)
    np.testing.assert_array_equal(prediction.points, found)

    class Wide:
        array_kinds = ("points", "points_float32")

        def array(self, index: int, name: str) -> np.ndarray:
            return np.zeros((0, 3), np.float16) if name == "points" else np.full((2, 3), 1 / 3)

    wide = surface_points(Wide(), 0)  # type: ignore[arg-type]
    assert wide is not None and wide.tolist() == np.full((2, 3), 1 / 3, np.float32).tolist()
