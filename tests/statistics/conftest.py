"""Loads the slow twins, which are no package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def slow() -> ModuleType:
    path = Path(__file__).with_name("slow.py")
    spec = importlib.util.spec_from_file_location("bench_tests_slow_statistics", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def ragged() -> dict[str, float]:
    """Three classes of 12, 3 and 7 objects, some failures with penalty 0, some ties."""
    values = {
        "a": [0.61, 0.55, 0.0, 0.72, 0.61, 0.48, 0.9, 0.33, 0.0, 0.81, 0.5, 0.66],
        "b": [0.2, 0.35, 0.11],
        "c": [0.95, 0.91, 0.99, 0.95, 0.0, 0.93, 0.97],
    }
    return {f"{c}/{n:02d}": v for c, some in values.items() for n, v in enumerate(some)}


@pytest.fixture(scope="session")
def ragged_units() -> dict[str, str]:
    """Objects that share a CAD model: three in class a, two in c."""
    return {"a/01": "a/00", "a/07": "a/00", "c/05": "c/02"}
