"""The reference clouds and the numbers that other code found for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchbench.core.types import Mesh
from benchbench.protocols.clouds import Cloud, Pair, nearest_pair


@pytest.fixture(scope="session")
def expected(data: Path) -> dict[str, Any]:
    """Numbers of the specification."""
    return json.loads((data / "protocols" / "expected.json").read_text())  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def arrays(data: Path) -> dict[str, np.ndarray]:
    """Points, normals and meshes."""
    with np.load(data / "protocols" / "clouds.npz") as file:
        return dict(file)


@pytest.fixture(scope="session")
def preds(arrays: dict[str, np.ndarray]) -> Cloud:
    """2,500 points of the ellipsoid."""
    return Cloud(arrays["pred"], arrays["pred_normals"].astype(np.float64))


@pytest.fixture(scope="session")
def target(arrays: dict[str, np.ndarray]) -> Cloud:
    """4,000 points of the box."""
    return Cloud(arrays["gt"], arrays["gt_normals"].astype(np.float64))


@pytest.fixture(scope="session")
def pair(preds: Cloud, target: Cloud) -> Pair:
    """Their nearest neighbours."""
    return nearest_pair(preds, target)


@pytest.fixture(scope="session")
def ellipsoid(arrays: dict[str, np.ndarray]) -> Mesh:
    """5,120 triangles."""
    return Mesh(arrays["pred_vertices"], arrays["pred_faces"].astype(np.int32))


@pytest.fixture(scope="session")
def brick(arrays: dict[str, np.ndarray]) -> Mesh:
    """The box."""
    return Mesh(arrays["gt_mesh_vertices"], arrays["gt_mesh_faces"].astype(np.int32))
