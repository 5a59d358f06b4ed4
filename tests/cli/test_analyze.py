"""`bench analyze` as typed, with the weights that ship, on a set of three objects a class."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from click.testing import CliRunner, Result
from PIL import Image

from benchbench.baselines import load_baseline
from benchbench.cli.main import cli
from benchbench.datasets.registry import prepare
from benchbench.datasets.shapes13 import prepare as shapes13
from benchbench.datasets.store import Store


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """shapes13-demo with one test object a class."""
    root = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(shapes13.SIZES, "demo", (1, 0, 1))
        prepare("shapes13", root, size="demo", quiet=True)
    return root


@pytest.fixture
def bench(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> Result:
        runner = CliRunner(env={"BENCH_HOME": str(home)})
        return runner.invoke(cli, ["analyze", *map(str, words)])

    return call


SET = ("--dataset", "shapes13-demo")


def codes(home: Path, method: str, objects: int) -> np.ndarray:
    """(objects, 24, D) by the baseline itself."""
    store = Store(home / "shapes13-demo.h5")
    rows = store.indices("test").tolist()[:objects]
    found = load_baseline(method).codes_of(store, [(row, v) for row in rows for v in range(24)])
    return found.numpy().astype(np.float64).reshape(objects, 24, -1)


@pytest.mark.parametrize("method", ["learn3d", "vpl"])
def test_entanglement(bench: Any, home: Path, method: str) -> None:
    done = bench("entanglement", "--baseline", method, *SET, "--json", "-q")
    assert (done.exit_code, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert (answer["objects"], answer["views"], answer["split"]) == (13, 24, "test")
    z = codes(home, method, 13)
    within = ((z - z.mean(1, keepdims=True)) ** 2).sum(-1).mean()
    between = ((z.mean(1) - z.mean((0, 1))) ** 2).sum(-1).mean()
    assert answer["pose_entanglement"] == pytest.approx((within / between) ** 0.5, rel=1e-4)


def test_mmd_is_a_number_per_pair_of_views(bench: Any, tmp_path: Path) -> None:
    done = bench("mmd", "--baseline", "learn3d", *SET, "--limit", 5, "-o", "found")
    assert done.exit_code == 0 and "learn3d, weights shipped" in done.stderr
    table = list(csv.reader((tmp_path / "found" / "mmd.csv").open()))
    values = np.array(table, object)[1:, 1:].astype(float)
    assert values.shape == (24, 24) and np.allclose(values, values.T) and (values >= 0).all()
    shown = dict(line.split(maxsplit=1) for line in done.stdout.splitlines()[:-1])
    above = values[np.triu_indices(24, 1)]
    assert float(shown["mean_mmd"]) == pytest.approx(above.mean(), rel=1e-3)
    assert shown["objects"] == "5" and done.stdout.splitlines()[-1] == "found/mmd.csv"


def test_tsne_draws_classes_and_views(bench: Any, tmp_path: Path) -> None:
    done = bench("tsne", "--baseline", "vpl", *SET, "--limit", 3, "-q")
    assert (done.exit_code, done.stderr) == (0, "")
    folder = tmp_path / "analysis" / "tsne-vpl"
    for name in ("tsne-class.png", "tsne-pose.png"):
        with Image.open(folder / name) as picture:
            grey = np.asarray(picture.convert("L"))
        assert min(grey.shape) > 200 and grey.std() > 5
    rows = list(csv.reader((folder / "tsne.csv").open()))
    assert rows[0] == ["object", "view", "class", "x", "y"] and len(rows) == 1 + 3 * 24


def test_interpolation_begins_and_ends_at_the_two(bench: Any, home: Path, tmp_path: Path) -> None:
    store = Store(home / "shapes13-demo.h5")
    rows = store.indices("test").tolist()[:2]
    for name, row in zip("ab", rows, strict=True):
        Image.fromarray(store.image(row, 3, "kato")).save(tmp_path / f"{name}.png")
    words = ("a.png", "b.png", "--baseline", "learn3d", "--steps", 2, "-o", "between", "-q")
    done = bench("interpolate", *words)
    assert (done.exit_code, done.stderr) == (0, "")
    files = [tmp_path / "between" / f"step-{n}.obj" for n in range(3)]
    meshes = [trimesh.load(file, process=False) for file in files]
    first, middle, last = (mesh.vertices for mesh in meshes)
    assert all(mesh.is_watertight for mesh in meshes)
    assert np.abs(first - last).max() > 0.01
    assert not np.allclose(middle, first) and not np.allclose(middle, last)
    assert (tmp_path / "between" / "strip.png").is_file()


def test_what_does_not_fit_is_refused(bench: Any) -> None:
    for words, message in (
        (("interpolate", "a.png", "--baseline", "learn3d"), "interpolate takes two pictures"),
        (("mmd", "a.png", "b.png", "--baseline", "learn3d"), "interpolate takes two pictures"),
        (("entanglement", "--baseline", "kato", *SET), "kato"),
    ):
        done = bench(*words)
        assert (done.exit_code, done.stdout) == (2, ""), done.output
        assert message in done.stderr and "hint: " in done.stderr
    done = bench("mmd", "--baseline", "learn3d", "--dataset", "shapenet")
    assert (done.exit_code, done.stdout) == (3, "") and "bench prepare shapenet" in done.stderr
