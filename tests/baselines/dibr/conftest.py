"""Arrays of the original network, and its weights by recipe."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchbench.baselines.dibr.architecture import Widths
from benchbench.baselines.dibr.network import Network

SMALL = Widths((2, 3, 4, 5), (1, 2, 1, 1), 6, 7, 2, 1)


@pytest.fixture(scope="session")
def original(data: Path) -> dict[str, np.ndarray]:
    """Inputs and outputs of the original classes on the CPU (tests/data/dibr/README.md)."""
    with np.load(data / "dibr" / "network.npz") as file:
        return dict(file)


@pytest.fixture(scope="session")
def original_state(data: Path) -> dict[str, Any]:
    """Shape, type, sum and first values of every tensor of the original's state_dict."""
    content: dict[str, Any] = json.loads((data / "dibr" / "network_state.json").read_text())
    return content


@pytest.fixture(scope="session")
def recipe_weights(
    original: dict[str, np.ndarray], original_state: dict[str, Any]
) -> dict[str, np.ndarray]:
    """The weights behind `original`: drawn by the key's checksum, not stored (58 MB)."""
    weights = {}
    for key, (shape, *_) in original_state["state_dict"].items():
        value = _drawn(key, tuple(shape))
        weights[key] = original["template"] if value is None else value
    return weights


def _drawn(key: str, shape: tuple[int, ...]) -> np.ndarray | None:
    rs = np.random.RandomState(zlib.crc32(key.encode()) & 0xFFFFFFFF)
    if key == "template":
        return None
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key == "residual_coef":
        value = np.full(shape, 0.3)
    elif key.endswith(("running_mean", "bias")):
        value = 0.1 * rs.standard_normal(shape)
    elif ".bn" in key or "downsample.1" in key or key.endswith("alpha"):
        value = 0.5 + rs.random_sample(shape)
    else:  # convolutions and linear layers
        value = rs.standard_normal(shape) * np.sqrt(1 / np.prod(shape[1:]))
    return value.astype(np.float32)


@pytest.fixture(scope="session")
def small_network() -> Network:
    """A little network with weights that are not at their start."""
    network = Network(SMALL)
    network.initialise(5)
    tensors = network.tensors()
    rng = np.random.default_rng(5)
    for name, value in tensors.items():
        if name != "template":
            noise = rng.normal(0, 0.2, value.shape).astype(np.float32)
            tensors[name] = np.abs(value + noise) if "running_var" in name else value + noise
    network.load_tensors(tensors)
    return network.eval()
