"""A release that the exporter writes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchbench.core.types import Mesh
from benchbench.datasets.exporting import Solid, asymmetric_solid, export

CAR, CHAIR, BOAT = "02958343", "03001627", "02858304"
HEIGHTS = (1.0, 0.8, 0.6)  # of the three car models


def flattened(solid: Solid, height: float) -> Solid:
    vertices = np.asarray(solid.mesh.vertices) * np.float32([1, height, 1])
    return dataclasses.replace(solid, mesh=Mesh(vertices, solid.mesh.faces))


def solids() -> list[Solid]:
    """Six cars of three models, two chairs, one boat; odd seeds are ImageNet pictures."""
    found = []
    for seed, (model, part) in enumerate(
        [(0, "train"), (1, "train"), (2, "test"), (0, "test"), (2, "train"), (1, "val")]
    ):
        found.append(flattened(asymmetric_solid(f"{CAR}/{seed}", part, seed), HEIGHTS[model]))
    found.append(asymmetric_solid(f"{CHAIR}/0", "test", 6))
    found.append(asymmetric_solid(f"{CHAIR}/1", "train", 7))
    found.append(asymmetric_solid(f"{BOAT}/0", "test", 9))
    return found


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported release; never written to (copy it first)."""
    return export("pascal3d", solids(), tmp_path_factory.mktemp("raw"))
