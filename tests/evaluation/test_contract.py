"""The checks of a new method find each fault that they are for, and nothing in a sound one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from benchbench.cli.main import cli
from benchbench.core.errors import MissingError
from benchbench.core.types import Mesh, Points, Voxels
from benchbench.cuda_ops.house_voxels import unit_cube_grid
from benchbench.datasets.exporting import asymmetric_cells, snug_solid
from benchbench.datasets.records import Layout, ObjectRecord, VoxelKind
from benchbench.datasets.store import Store
from benchbench.datasets.store_writer import StoreWriter
from benchbench.evaluation.contract import check_baseline, orientations

FACES = snug_solid("03001627/a").mesh.faces


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine asymmetric objects in two classes, without pictures."""
    folder = tmp_path_factory.mktemp("contract")
    classes = (("02691156", "airplane"), ("03001627", "chair"))
    ids = [f"{classes[n > 3][0]}/{n}" for n in range(9)]
    layout = Layout({}, {"cells": VoxelKind(32, unit_cube_grid())})
    with StoreWriter(folder, "shapes13-demo", classes, layout, {"title": "toy"}, {}) as writer:
        records = []
        for n, name in enumerate(ids):
            mesh = snug_solid(name).mesh
            mesh = Mesh(mesh.vertices + np.float32(1e-5 * n), mesh.faces)
            records.append(
                ObjectRecord(name, name[:8], {}, {}, {"cells": asymmetric_cells()}, mesh=mesh)
            )
        writer.shard(0, records)
        writer.finish({"all": {"test": ids}})
    return folder


@pytest.fixture(scope="module")
def store(root: Path) -> Store:
    return Store(root / "shapes13-demo.h5")


class Spec:
    id, output = "sound", "mesh"


class Sound:
    """Hands on the truth."""

    uses_views, block_size, threshold, caption = False, 4, None, "sound"

    def __init__(self) -> None:
        self.spec = Spec()
        self.calls = 0

    def predict_items(self, store: Any, items: Sequence[tuple[int, int]]) -> list[Any]:
        assert len(items) == self.block_size
        self.calls += 1
        return [self.shape(store, row, items) for row, _ in items]

    def shape(self, store: Any, row: int, items: Any) -> Any:
        return store.mesh(row)


def names(baseline: Sound, store: Store) -> dict[str, bool]:
    return {check.name: check.passed for check in check_baseline(baseline, store)}


def test_sound_method_passes(store: Store) -> None:
    found = check_baseline(Sound(), store)
    assert [(check.name, check.passed) for check in found] == [
        ("shapes", True), ("same twice", True), ("alone as in a block", True), ("frame", True),
    ]  # fmt: skip
    assert found[0].found == "9 predictions, mesh"
    assert found[3].found.startswith("IoU 1.000 as it is, 0.")


@pytest.mark.parametrize("name", [name for name in orientations() if name != "+x +y +z"])
def test_every_wrong_orientation_is_found(store: Store, name: str) -> None:
    axes, signs = orientations()[name]

    class Turned(Sound):
        def shape(self, store: Any, row: int, items: Any) -> Any:
            mesh = store.mesh(row)
            return Mesh(mesh.vertices[:, axes] * np.array(signs, np.float32), mesh.faces)

    last = check_baseline(Turned(), store, 2)[-1]
    assert (last.name, last.passed) == ("frame", False)
    assert "1.000 at best otherwise" in last.found  # turned back


def test_orientation_is_told_as_what_undoes_it(store: Store) -> None:
    class Voxelled(Sound):
        threshold = 0.5

        def __init__(self) -> None:
            super().__init__()
            self.spec.output = "voxels"

        def shape(self, store: Any, row: int, items: Any) -> Any:
            cells = store.voxels(row, "cells").transpose(2, 1, 0)[:, :, ::-1]  # z, y, -x
            return Voxels(cells.astype(np.float32), unit_cube_grid())

    found = check_baseline(Voxelled(), store, 1)
    assert "(as -z +y +x)" in found[-1].found


def test_shapes_of_another_kind(store: Store) -> None:
    class Cells(Sound):
        def shape(self, store: Any, row: int, items: Any) -> Any:
            return Voxels(np.ones((4, 4, 4), np.float32), unit_cube_grid(4))

    class Broken(Sound):
        def shape(self, store: Any, row: int, items: Any) -> Any:
            return Mesh(np.full((32, 3), np.nan, np.float32), FACES)

    class Clouds(Sound):
        def __init__(self) -> None:
            super().__init__()
            self.spec.output = "mesh or voxels"

        def shape(self, store: Any, row: int, items: Any) -> Any:
            return Points(store.mesh(row).vertices)

    assert names(Cells(), store) == {
        "shapes": False, "same twice": True, "alone as in a block": True,
    }  # fmt: skip
    assert check_baseline(Broken(), store)[0].found == "a prediction is nonfinite"
    assert all(names(Clouds(), store).values())


def test_what_raises_or_miscounts(store: Store) -> None:
    class Raises(Sound):
        def shape(self, store: Any, row: int, items: Any) -> Any:
            raise RuntimeError("out of order")

    class Short(Sound):
        def predict_items(self, store: Any, items: Any) -> Any:
            return super().predict_items(store, items)[1:]

    (check,) = check_baseline(Raises(), store)
    assert (check.passed, check.found) == (False, "RuntimeError: out of order")
    (check,) = check_baseline(Short(), store)
    assert (check.passed, check.found) == (False, "3 shapes for 4 items")


def test_what_changes_from_call_to_call(store: Store) -> None:
    class Drifts(Sound):
        def shape(self, store: Any, row: int, items: Any) -> Any:
            mesh = store.mesh(row)
            return Mesh(mesh.vertices + np.float32(1e-6 * self.calls), mesh.faces)

    assert names(Drifts(), store)["same twice"] is False


@pytest.mark.parametrize(("size", "passes"), [(1e-6, True), (1e-4, False)])
def test_what_depends_on_its_neighbours(store: Store, size: float, passes: bool) -> None:
    class Leans(Sound):
        def shape(self, store: Any, row: int, items: Any) -> Any:
            others = len({row for row, _ in items})
            mesh = store.mesh(row)
            return Mesh(mesh.vertices * np.float32(1 + size * others), mesh.faces)

    found = names(Leans(), store)
    assert found["alone as in a block"] is passes
    assert found["same twice"]


def test_no_test_objects(store: Store) -> None:
    class Empty:
        id = "empty"

        def indices(self, split: str) -> np.ndarray:
            return np.zeros(0, np.int64)

    with pytest.raises(MissingError, match="'empty' has no test objects"):
        check_baseline(Sound(), Empty())  # type: ignore[arg-type]


def test_objects_are_spread_over_the_classes(store: Store) -> None:
    looked: set[int] = set()

    class Watches(Sound):
        def shape(self, store: Any, row: int, items: Any) -> Any:
            looked.add(row)
            return store.mesh(row)

    check_baseline(Watches(), store, 3)
    assert [store.class_of(row) for row in sorted(looked)] == ["02691156", "02691156", "03001627"]


def test_command(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = ["check", "gt", "--root", str(root)]
    done = CliRunner().invoke(cli, line)
    assert done.exit_code == 0, done.output
    rows = [text.split()[:3] for text in done.stdout.splitlines()]
    assert rows[0] == ["check", "passed", "found"] and len(rows) == 5
    assert done.stderr == "gt: the truth itself, handed in as a prediction\n"
    done = CliRunner().invoke(cli, [*line, "--json", "-q"])
    answer = json.loads(done.stdout)
    assert (done.exit_code, done.stderr, answer["passed"]) == (0, "", True)

    import benchbench.baselines

    class Mirrors(Sound):
        def shape(self, store: Any, row: int, items: Any) -> Any:
            mesh = store.mesh(row)
            return Mesh(mesh.vertices * np.array([1, 1, -1], np.float32), mesh.faces)

    monkeypatch.setattr(benchbench.baselines, "load_baseline", lambda *_a, **_k: Mirrors())
    done = CliRunner().invoke(cli, line)
    assert done.exit_code == 5
    assert "frame" in done.stdout and " no " in done.stdout
    assert done.stderr.endswith(
        "error: 'gt' does not pass: frame\nhint: docs/plugins.md says what a method must keep\n"
    )
    done = CliRunner().invoke(cli, ["check", "katoo", "--root", str(root)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "kato" in done.stderr
