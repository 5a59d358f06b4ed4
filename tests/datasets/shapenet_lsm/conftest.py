"""Objects exported as LSM's release, and prepared from it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchbench.datasets.cameras import project
from benchbench.datasets.exporting import export, snug_solid
from benchbench.datasets.shapenet_lsm.prepare import prepare
from benchbench.datasets.store import Store

IDS = {"02691156/d": "test", "03001627/a": "train", "03001627/b-1": "val", "03001627/c": "test"}


@pytest.fixture(scope="session")
def parts() -> dict[str, str]:
    """Id to part of the split."""
    return IDS


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked release and its splits.json; a test copies what it changes."""
    solids = [snug_solid(name, part, n) for n, (name, part) in enumerate(IDS.items())]
    return export("shapenet-lsm", solids, tmp_path_factory.mktemp("lsm") / "raw")


@pytest.fixture(scope="session")
def prepared(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    report = prepare(tmp_path_factory.mktemp("root"), source=raw, quiet=True)
    assert (report.counts["objects"], report.counts["pictures"]) == (4, 80)
    assert (report.failed, report.excluded) == ([], [])
    said = "of 4 objects 4 have pictures with alpha, 4 occupy 32 cells along their longest side"
    assert any(line.startswith(said) and "4 with 16-bit depth" in line for line in report.messages)
    return Store(report.path)


@pytest.fixture
def folder(raw: Path, tmp_path: Path) -> Path:
    """A copy with one object, to be changed."""
    target = tmp_path / "raw" / "shapenet_release"
    for inner in ("renders", "voxels/modelVoxels32", "voxels/modelVoxels64"):
        (target / inner / "03001627").mkdir(parents=True)
        for path in (raw / "shapenet_release" / inner / "03001627").glob("a*"):
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, target / inner / "03001627" / path.name)
    return tmp_path / "raw"


@pytest.fixture
def model(folder: Path) -> Path:
    """The folder of that object's pictures."""
    return folder / "shapenet_release" / "renders" / "03001627" / "a"


@pytest.fixture(scope="session")
def share_inside() -> Callable[[Store, int, np.ndarray], float]:
    """Measures which share of cells' middles fall on visible pixels."""
    return _share_inside


def _share_inside(store: Store, index: int, cells: np.ndarray) -> float:
    """Share of the cells' middles that fall on visible pixels, of those within the pictures."""
    to_object = store.grid_to_object()
    points = (np.argwhere(cells) + 0.5) @ to_object[:3, :3].T + to_object[:3, 3]
    back = np.linalg.inv(store.source_to_object(index))
    points = points @ back[:3, :3].T + back[:3, 3]
    hit = total = 0
    for view in range(20):
        pixels, _ = project(store.camera(index, view), points)
        inside = ((pixels >= 0) & (pixels < 224)).all(axis=1)
        column, row = np.floor(pixels[inside]).astype(int).T
        hit += int((store.image(index, view)[row, column, 3] > 0).sum())
        total += int(inside.sum())
    return hit / total
