"""The reference arrays of learn3D's own classes (../shared/oracles/learn3d)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

Read = Callable[[str], dict[str, Tensor]]


@pytest.fixture(scope="session")
def oracle(shared: Path) -> Path:
    return shared / "oracles" / "learn3d"


@pytest.fixture(scope="session")
def arrays(oracle: Path) -> Read:
    """Reads an npz of the oracle as tensors; half precision, which is exact, becomes single."""

    def read(name: str) -> dict[str, Tensor]:
        with np.load(oracle / f"{name}.npz", allow_pickle=False) as file:
            found = {key: file[key] for key in file.files}
        return {
            key: torch.tensor(value.astype(np.float32) if value.dtype == np.float16 else value)
            for key, value in found.items()
            if value.dtype.kind != "U"
        }

    return read


@pytest.fixture(scope="session")
def values(oracle: Path) -> dict[str, Any]:
    """Scalars of both JSON files."""
    both = [json.loads((oracle / name).read_text()) for name in ("values.json", "values2.json")]
    return {**both[0], "inside": both[1]}
