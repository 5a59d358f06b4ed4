"""`bench prepare` as typed: what goes with what, and what raw files come out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchbench.cli.main import cli
from benchbench.datasets.exporting import asymmetric_solid
from benchbench.datasets.shapenet_core.export import export
from benchbench.datasets.shapes13 import export as module
from benchbench.datasets.shapes13 import prepare as preparing
from benchbench.datasets.store import Store


def bench(*words: object, home: Path) -> Result:
    runner = CliRunner(env={"BENCH_HOME": str(home)})
    return runner.invoke(cli, [str(word) for word in words])


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two objects in place of the demo's 182."""
    parts = {"train": [("chair", 0)], "val": [], "test": [("lamp", 1)]}
    monkeypatch.setattr(module, "members", lambda size: parts)


def test_export(two: None, tmp_path: Path) -> None:
    target = tmp_path / "raw files"
    done = bench("prepare", "shapes13", "--export", "shapenet-core", "--to", target, home=tmp_path)
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows == [
        ["shapenet-core", "count"], ["train", "1"], ["val", "0"], ["test", "1"], ["objects", "2"],
    ]  # fmt: skip
    assert done.stderr.splitlines()[-1] == f"next: bench prepare shapenet-core --from '{target}'"
    assert (target / "ShapeNetCore.v1" / "03001627" / "chair0000" / "model.obj").is_file()
    again = bench("prepare", "shapes13", "--export", "shapenet-core", "--to", target, home=tmp_path)
    assert (again.exit_code, again.stdout) == (2, "")
    assert "not empty" in again.stderr and "hint: name a new or empty folder" in again.stderr
    assert not (tmp_path / "shapes13.h5").exists()  # nothing was prepared


def test_export_as_json(two: None, tmp_path: Path) -> None:
    line = ("prepare", "shapes13-demo", "--export", "pascal3d", "--to", tmp_path / "raw")
    done = bench(*line, "--json", "-q", home=tmp_path)
    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(done.stdout)["exported"] == {
        "layout": "pascal3d",
        "left_out": 1,
        "parts": {"train": 1, "val": 0, "test": 0},
        "path": str(tmp_path / "raw"),
    }


@pytest.mark.parametrize(
    "words",
    [
        ("shapes13", "--export", "shapenet"),
        ("shapes13", "--to", "raw"),
        ("shapenet", "--export", "shapenet-core", "--to", "raw"),
        ("shapes13", "shapenet", "--export", "shapenet-core", "--to", "raw"),
        ("shapes13", "--export", "shapenet", "--to", "raw", "--from", "raw"),
        ("shapes13", "--export", "shapenet", "--to", "raw", "--audit"),
        ("shapes13", "--export", "shapenet", "--to", "raw", "--dry-run"),
    ],
)
def test_what_does_not_go_with_export(words: tuple[str, ...], tmp_path: Path) -> None:
    done = bench("prepare", *words, home=tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--export and --to go together" in done.stderr
    assert "hint: bench prepare shapes13 --size demo --export shapenet --to DIR" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_unknown_layout_offers_the_nearest(tmp_path: Path) -> None:
    line = ("prepare", "shapes13", "--export", "shapenet-kat", "--to", tmp_path / "raw")
    done = bench(*line, home=tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "unknown layout 'shapenet-kat'" in done.stderr and "shapenet-kato" in done.stderr


def test_pictures(tmp_path: Path) -> None:
    export([asymmetric_solid("03001627/a")], tmp_path / "raw")
    line = ("prepare", "shapenet-core", "--from", tmp_path / "raw")
    done = bench(*line, "--pictures", "kato,choy", "-q", home=tmp_path)
    assert done.exit_code == 0, done.output
    assert ["pictures", "48"] in [row.split() for row in done.stdout.splitlines()]
    assert Store(tmp_path / "shapenet-core.h5").renderings == ("kato", "choy")
    done = bench(*line, "--pictures", "kat", home=tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "unknown rendering 'kat'" in done.stderr and "'kato'" in done.stderr
    done = bench("prepare", "shapenet", "--pictures", "kato", home=tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--pictures is for shapenet-core" in done.stderr


def test_own_files_are_asked_for(tmp_path: Path) -> None:
    done = bench("prepare", "shapenet-core", "--accept-license", home=tmp_path)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "hint: bench prepare shapenet-core --from DIR" in done.stderr


# -- several files, and the split in use ----------------------------------------------------


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three objects in place of the demo's 182."""
    parts = {"train": [("chair", 0), ("chair", 1)], "val": [], "test": [("lamp", 1)]}
    monkeypatch.setattr(preparing, "members", lambda size: parts)


def test_several_files_are_one_data_set(three: None, tmp_path: Path) -> None:
    line = ("prepare", "shapes13", "--size", "demo", "--objects-per-file", 2)
    done = bench(*line, home=tmp_path)
    assert done.exit_code == 0, done.output
    assert "3 objects, 0 failed" in done.stderr
    store = Store(tmp_path / "shapes13-demo.h5")
    assert [len(Store(path)) for path in store.files] == [2, 1]
    assert bench(*line, home=tmp_path).stderr.startswith("already prepared")
    shown = bench("list", "shapes13", home=tmp_path)
    assert shown.exit_code == 0
    assert "in 2 files, 3 objects" in shown.stdout
    verified = bench("prepare", "shapes13-demo", "--verify", home=tmp_path)
    assert (verified.exit_code, "all 3 objects are" in verified.stderr) == (0, True)
    run = ("run", "--baseline", "gt", "--dataset", "shapes13-demo", "--split", "test")
    scored = bench(*run, "--out", tmp_path / "runs", home=tmp_path)
    assert scored.exit_code == 0, scored.output
    assert "mean over classes 1.000" in scored.stdout


@pytest.mark.parametrize("count", ["0", "-1", "some"])
def test_number_of_objects_a_file(count: str, tmp_path: Path) -> None:
    done = bench("prepare", "shapes13", "--objects-per-file", count, home=tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert count in done.stderr


def test_splits_that_a_set_does_not_have(tmp_path: Path) -> None:
    done = bench("prepare", "shapes13", "--split", "lsm", home=tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "lsm" in done.stderr
    done = bench("prepare", "shapenet", "--from", tmp_path, "--split", "lms", home=tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no split 'lms'" in done.stderr
    assert "hint: known: " in done.stderr
