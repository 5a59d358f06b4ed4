"""`prepare`: same bytes however it was made, resumed after any end, failures named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchbench.core.classes import SYNSETS
from benchbench.core.errors import UsageError
from benchbench.datasets import registry
from benchbench.datasets.records import Encoded
from benchbench.datasets.shapes13 import prepare as module
from benchbench.datasets.shapes13 import render, voxels
from benchbench.datasets.shapes13.generate import generate
from benchbench.datasets.store import Store

TINY = {"demo": (2, 1, 1), "full": (100, 10, 40)}
FEW = {"02828884": "bench", "03001627": "chair", "03636649": "lamp", "04401088": "phone"}


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIZES", TINY)
    monkeypatch.setattr(module, "SYNSETS", FEW)
    monkeypatch.setattr(module, "_SHARD", 6)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2/1/1 objects of four classes, made by two workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SIZES", TINY)
        patch.setattr(module, "SYNSETS", FEW)
        root = tmp_path_factory.mktemp("shapes13")
        report = module.prepare(root, size="demo", quiet=True, workers=2)
    assert report.failed == []
    assert report.counts["objects"] == 16
    assert report.counts["chair"] == 4
    assert report.counts["pictures"] == 16 * 72
    return report.path


def test_store_holds_what_the_generator_makes(prepared: Path) -> None:
    store = Store(prepared)
    assert store.id == "shapes13-demo"
    assert store.split_counts() == {"train": 8, "val": 4, "test": 4}
    assert store.renderings == ("kato", "choy", "wild")
    assert list(dict(store.classes).values()) == list(FEW.values())
    # The first objects of each part of the full set: 100 is the first of val, 110 of test.
    chairs = store.indices("all", ["03001627"])
    names = [store.object_ids[i] for i in chairs]
    assert names == [f"03001627/chair{k:04d}" for k in (0, 1, 100, 110)]
    for index, number in zip(chairs, (0, 1, 100, 110), strict=True):
        shape = generate("chair", number)
        assert store.identity_of(index) == shape.identity
        mesh = store.mesh(index)
        assert mesh is not None
        np.testing.assert_array_equal(mesh.vertices, shape.mesh.vertices)
        np.testing.assert_array_equal(mesh.faces, shape.mesh.faces)
        kato, choy = render.kato_pictures(shape)[0], render.choy_pictures(shape)[0]
        np.testing.assert_array_equal(store.images(index, "kato"), kato)
        np.testing.assert_array_equal(store.images(index, "choy"), choy)
        solid = shape.solid
        grid = voxels.kato_grid(solid.vertices, solid.faces)
        np.testing.assert_array_equal(store.voxels(index, "kato"), grid)
        grid = voxels.unit_grid(solid.vertices, solid.faces)
        np.testing.assert_array_equal(store.voxels(index, "binvox"), grid)
        assert store.parameters(index) == shape.parameters
        np.testing.assert_array_equal(store.source_to_object(index), np.eye(4))


def test_one_worker_makes_the_same_bytes(prepared: Path, tmp_path: Path) -> None:
    again = module.prepare(tmp_path, size="demo", quiet=True, workers=1)
    assert again.path.read_bytes() == prepared.read_bytes()
    assert (
        again.path.with_suffix(".json").read_bytes() == prepared.with_suffix(".json").read_bytes()
    )


def test_goes_on_after_an_interruption(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = module.make, []

    def stops(item: module.Item) -> Encoded | tuple[str, str]:
        if len(made) == 9:
            raise KeyboardInterrupt
        made.append(item)
        return make(item)

    monkeypatch.setattr(module, "make", stops)
    with pytest.raises(KeyboardInterrupt):
        module.prepare(tmp_path, size="demo", quiet=True, workers=1)
    assert not (tmp_path / "shapes13-demo.h5").exists()
    made.clear()
    monkeypatch.setattr(module, "make", lambda item: (made.append(item), make(item))[1])
    report = module.prepare(tmp_path, size="demo", quiet=True, workers=1)
    assert len(made) == 16 - 6  # the first shard was whole
    assert report.path.read_bytes() == prepared.read_bytes()


def test_second_call_makes_nothing(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "make", None)
    report = module.prepare(prepared.parent, size="demo", quiet=True)
    assert "already prepared" in report.messages[0]


def test_verify_reads_everything(prepared: Path) -> None:
    report = module.prepare(prepared.parent, size="demo", verify=True, quiet=True)
    assert "all 16 objects" in report.messages[0]


def test_an_object_that_fails_is_named_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = module.make

    def fails(item: module.Item) -> Encoded | tuple[str, str]:
        if item[:2] == ("lamp", 1):
            return "03636649/lamp0001", "no reason"
        return make(item)

    monkeypatch.setattr(module, "make", fails)
    monkeypatch.setattr(module, "SIZES", {"demo": (2, 0, 0)})
    report = module.prepare(tmp_path, size="demo", quiet=True, workers=1)
    assert report.failed == [("03636649/lamp0001", "no reason")]
    assert report.counts["lamp"] == 1
    assert "03636649/lamp0001" not in Store(report.path).object_ids


def test_broken_geometry_is_a_reason_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    import benchbench.datasets.shapes13.classes.lamp as lamp
    from benchbench.datasets.shapes13.parts import box

    def build(p: object, c: object, a: object) -> None:
        vertices, faces = box((0, 0, 0), (1, 1, 1))
        a.add("metal", (vertices, faces[:-1]))  # type: ignore[attr-defined]

    monkeypatch.setattr(lamp, "build", build)
    name, reason = module.make(("lamp", 3, 0))
    assert name == "03636649/lamp0003"
    assert "not a closed solid" in reason


def test_dry_run_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SYNSETS", SYNSETS)
    report = module.prepare(tmp_path / "none", size="full", dry_run=True)
    assert not (tmp_path / "none").exists()
    assert "1950 objects" in report.messages[0]


def test_wrong_use() -> None:
    with pytest.raises(UsageError, match="made on this machine"):
        module.prepare(Path("/nowhere"), source=Path("/tmp"))
    with pytest.raises(UsageError, match="no size 'tiny'"):
        module.prepare(Path("/nowhere"), size="tiny")


def test_listed_without_heavy_imports() -> None:
    code = (
        "import sys, benchbench.datasets.registry as r; spec = r.dataset_spec('shapes13');"
        "import benchbench.datasets.shapes13;"
        "assert not {'numpy', 'torch', 'h5py', 'manifold3d'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert registry.dataset_spec("shapes13").sizes == ("full", "demo")


_CHILD = """
import sys
from pathlib import Path
from benchbench.datasets.shapes13 import prepare as module
module.SIZES = {"demo": (2, 1, 1)}
module.SYNSETS = FEW
module._SHARD = 6
if __name__ == "__main__":
    module.prepare(Path(sys.argv[1]), size="demo", quiet=True, workers=2)
"""


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc to find the workers")
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_killed_parent_leaves_no_worker_and_a_set_that_goes_on(
    ending: signal.Signals, prepared: Path, tmp_path: Path
) -> None:
    script = tmp_path / "child.py"
    script.write_text(_CHILD.replace("FEW", repr(FEW)))
    root = tmp_path / "root"
    process = subprocess.Popen([sys.executable, str(script), str(root)], stderr=subprocess.DEVNULL)
    first = root / ".partial" / "shapes13-demo" / "shard-000000.h5"
    end = time.monotonic() + 120
    while not first.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    workers = children(process.pid)
    os.kill(process.pid, ending)
    process.wait(60)
    end = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    report = module.prepare(root, size="demo", quiet=True, workers=1)
    assert report.path.read_bytes() == prepared.read_bytes()
