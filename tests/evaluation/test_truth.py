"""What a truth says of its object: the turn to a view's camera, normals of the set's own cloud."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np

from benchbench.datasets.cameras import kato_cameras
from benchbench.evaluation.truth import TruthSource, _normals, _turn


def test_the_turn_is_the_cameras(tiny: ModuleType, tiny_root: Path) -> None:
    """The tiny set's cameras see the object frame itself: the turn is their rotation."""
    store = tiny.tiny_store(tiny_root)
    truth = TruthSource(store)[3]
    assert truth.turn is not None
    for view in range(3):
        expected = kato_cameras().world_to_camera[view][:3, :3]
        assert np.allclose(truth.turn(view), expected, atol=1e-9)
    assert truth.points is None and truth.normals is None


def test_a_scaled_and_mirrored_source_leaves_a_turn() -> None:
    """Source coordinates are a third of object ones and mirrored in x: the turn undoes both, up to
    the mirror: lengths stay."""
    to_object = np.diag([-3.0, 3, 3, 1])
    camera = SimpleNamespace(world_to_camera=np.eye(4))
    store = SimpleNamespace(
        source_to_object=lambda index: to_object, camera=lambda index, view: camera
    )
    assert np.allclose(_turn(store, 0, 0), np.diag([-1.0, 1, 1]))  # type: ignore[arg-type]


def test_normals_come_from_the_table_of_the_points() -> None:
    """Sixteen bits where nothing is lost, else the second table, else none."""
    tables = {"normals": np.zeros((0, 3), np.float16), "normals_float32": np.ones((2, 3))}
    store = SimpleNamespace(array_kinds=tables, array=lambda index, name: tables[name])
    assert (_normals(store, 0) == 1).all()  # type: ignore[arg-type, operator]
    tables["normals"] = np.full((2, 3), 2, np.float16)
    assert (_normals(store, 0) == 2).all()  # type: ignore[arg-type, operator]
    assert _normals(SimpleNamespace(array_kinds={}), 0) is None  # type: ignore[arg-type]
