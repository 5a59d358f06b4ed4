"""Objects exported as View Prior Learning's pickles, and prepared from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchbench.datasets.exporting import export, snug_solid
from benchbench.datasets.shapenet_vpl.prepare import prepare
from benchbench.datasets.store import Store

IDS = {"02691156/d": "test", "03001627/a": "train", "03001627/b_1-x": "val", "03001627/c": "val"}


@pytest.fixture(scope="session")
def parts() -> dict[str, str]:
    """Id to part of the split."""
    return IDS


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pickles of two classes; a test copies what it changes."""
    solids = [snug_solid(name, part, n) for n, (name, part) in enumerate(IDS.items())]
    return export("shapenet-vpl", solids, tmp_path_factory.mktemp("vpl") / "raw")


@pytest.fixture(scope="session")
def prepared(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    report = prepare(tmp_path_factory.mktemp("root"), source=raw, quiet=True)
    assert (report.counts["objects"], report.counts["pictures"]) == (4, 80)
    assert (report.failed, report.excluded) == ([], [])
    return Store(report.path)
