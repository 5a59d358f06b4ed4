"""shapes13 as raw files of other sets: out, and in again through their own readers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchbench.core.errors import MissingError, UsageError
from benchbench.datasets import exporting, registry
from benchbench.datasets.shapes13 import export as module
from benchbench.datasets.shapes13.export import export, layout_classes, solids
from benchbench.datasets.shapes13.generate import generate
from benchbench.datasets.shapes13.voxels import kato_grid
from benchbench.datasets.store import Store

FEW = {"train": 1, "val": 1, "test": 1}
NAMES = ("chair", "lamp")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two classes of three objects in place of 13 of 14."""

    def members(size: str) -> dict[str, list[tuple[str, int]]]:
        start = itertools.accumulate(FEW.values(), initial=0)
        return {
            part: [(name, first + n) for name in NAMES for n in range(count)]
            for (part, count), first in zip(FEW.items(), start, strict=False)
        }

    monkeypatch.setattr(module, "members", members)


@pytest.mark.parametrize("layout", [name for name in exporting.layouts() if "pascal" not in name])
def test_out_and_in_again(layout: str, tmp_path: Path) -> None:
    done = export(layout, tmp_path / "raw", quiet=True)
    assert (done.path, done.parts, done.left_out) == (
        tmp_path / "raw",
        {"train": 2, "val": 2, "test": 2},
        0,
    )
    report = registry.prepare(layout, tmp_path / "root", source=done.path, quiet=True)
    assert (report.failed, report.counts["objects"]) == ([], 6)
    store = Store(report.path)
    by_voxels = {
        store.voxels(n, store.voxel_kinds[0]).tobytes() for n in range(len(store))
        if store.voxel_kinds
    }  # fmt: skip
    assert len(by_voxels) in (0, 6)  # no object is another's


def test_truth_of_the_layout_is_that_of_the_objects(tmp_path: Path) -> None:
    done = export("shapenet-kato", tmp_path / "raw", quiet=True)
    store = Store(
        registry.prepare("shapenet-kato", tmp_path, source=done.path, quiet=True).path
    )  # his files hold no ids: the first object of a class and part
    for name, (part, index) in itertools.product(
        ("chair", "lamp"), (("train", 0), ("val", 1), ("test", 2))
    ):
        shape = generate(name, index)
        row = store.index_of(f"{shape.id.split('/')[0]}/{part}/00000")
        grid = kato_grid(shape.mesh.vertices, shape.mesh.faces)
        np.testing.assert_array_equal(store.voxels(row), grid)


def test_pascal_has_other_classes(tmp_path: Path) -> None:
    assert set(layout_classes("pascal3d")) & {"03636649", "03001627"} == {"03001627"}  # no lamp
    done = export("pascal3d", tmp_path / "raw", quiet=True)
    assert (done.parts, done.left_out) == ({"train": 1, "val": 1, "test": 1}, 3)
    report = registry.prepare("pascal3d", tmp_path / "root", source=done.path, quiet=True)
    assert (report.failed, report.counts["objects"]) == ([], 3)


def test_solids() -> None:
    found = list(solids())
    assert [solid.part for solid in found] == ["train"] * 2 + ["val"] * 2 + ["test"] * 2
    assert [solid.seed for solid in found] == list(range(6))  # no two get the same cameras
    shape = generate("chair", 0)
    chair = found[0]
    assert chair.id == shape.id
    np.testing.assert_array_equal(chair.mesh.faces, shape.mesh.faces)
    for face, colour in zip(shape.solid.colours, np.asarray(chair.colours), strict=True):
        assert tuple(colour) == shape.colours[shape.solid.palette[face]]


def test_nothing_half_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable = module.generate

    def broken(name: str, index: int, seed: int) -> object:
        if name == "lamp":
            raise KeyboardInterrupt
        return real(name, index, seed)

    monkeypatch.setattr(module, "generate", broken)
    with pytest.raises(KeyboardInterrupt):
        export("shapenet", tmp_path / "raw", quiet=True)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".raw.partial").mkdir()  # of an export that was killed
    (tmp_path / ".raw.partial" / "x").touch()
    (tmp_path / "raw").mkdir()  # an empty folder is as good as none
    monkeypatch.setattr(module, "generate", real)
    export("shapenet-core", tmp_path / "raw", quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["ShapeNetCore.v1"]


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="shapnet") as caught:
        export("shapnet", tmp_path / "raw")
    assert "'shapenet'" in str(caught.value.hint)
    with pytest.raises(UsageError, match="shapes13"):
        export("shapes13", tmp_path / "raw")  # made, not read from files
    with pytest.raises(UsageError, match="huge"):
        export("shapenet", tmp_path / "raw", "huge")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="not empty"):
        export("shapenet", tmp_path)
    for target in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(MissingError, match="cannot write"):
            export("shapenet", target, quiet=True)
        assert (tmp_path / "file").is_file()
