"""A tiny data set and stub methods whose behaviour is known."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

_FILE = Path(__file__).with_name("tiny.py")


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_tests_tiny", _FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """The helper module."""
    return _load()


@pytest.fixture(scope="session")
def tiny_root(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root in which "shapes13-demo" (3 classes, meshes and grids) is prepared."""
    root = tmp_path_factory.mktemp("root")
    tiny.make_store(root)
    return root


@pytest.fixture
def stubs(tiny: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Registers the stub methods beside the real ones."""
    tiny.register(monkeypatch)
    # The contracts tested here hold for any number of samples; the real one costs time only.
    monkeypatch.setattr("benchbench.protocols.surface.SAMPLES", 600)
    # Two runs are compared byte for byte; the checkout may change between them.
    monkeypatch.setattr("benchbench.evaluation.result.git_commit", lambda: "a commit")
    return tiny


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of about two objects, so that a tiny run has several."""
    monkeypatch.setattr("benchbench.evaluation.plan.SHARD_OBJECTS", 2)
