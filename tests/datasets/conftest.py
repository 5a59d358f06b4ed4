"""The fake ShapeNet as fixtures, made by `fake_shapenet.py` beside this file; full disks."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"bench_tests_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


fake = _load(Path(__file__).parent / "fake_shapenet.py")


@pytest.fixture(scope="session")
def disks() -> ModuleType:
    """Small and read-only places."""
    return _load(Path(__file__).parents[1] / "robustness" / "disks.py")


@pytest.fixture(scope="session")
def fake_models() -> dict[str, tuple[dict[str, bytes], bytes, np.ndarray]]:
    """ "synset/model" -> rendering files, binvox bytes, cells: 3 classes of 4 objects."""
    return fake.make_models()


@pytest.fixture(scope="session")
def fake_folders(fake_models: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fake as unpacked folders; never written to by a test (copy it first)."""
    return fake.write_folders(fake_models, tmp_path_factory.mktemp("fake"))


@pytest.fixture(scope="session")
def fake_archives(fake_models: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fake as the two .tgz files."""
    return fake.write_archives(fake_models, tmp_path_factory.mktemp("fake-archives"))
