"""The hand-made stores of these tests, from `hand_made.py` beside this file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def hand_made() -> ModuleType:
    path = Path(__file__).parent / "hand_made.py"
    spec = importlib.util.spec_from_file_location("bench_tests_hand_made", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
