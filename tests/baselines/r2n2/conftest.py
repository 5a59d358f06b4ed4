"""A little data set of bodies without any symmetry, whose cells are known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchbench.core.keyed import keyed_rng
from benchbench.core.types import Mesh
from benchbench.datasets.cameras import CHOY_PARAMETERS, choy_cameras, random_choy_rows
from benchbench.datasets.drawing import draw, lit
from benchbench.datasets.records import Layout, ObjectRecord, Rendering, VoxelKind
from benchbench.datasets.shapes13.parts import box
from benchbench.datasets.store import Store
from benchbench.datasets.store_writer import StoreWriter

CLASSES = (("02691156", "airplane"), ("03001627", "chair"))
TRAIN, VAL, TEST = 4, 2, 2
VIEWS = 3
# Cells of the unit cube in the object frame: [x from, to), [y from, to), [z from, to).
Bounds = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


def bodies(class_number: int, number: int) -> list[Bounds]:
    """Three boxes: a long arm along x, a shorter one upwards at its end, the shortest along z."""
    up, out = 10 + number, 6 + class_number * 8
    return [
        ((0, 32), (4, 10), (4, 10)),
        ((24, 32), (10, 10 + up), (4, 10)),
        ((0, 8), (4, 10), (10, 10 + out)),
    ]


def cells(class_number: int, number: int) -> np.ndarray:
    """(32, 32, 32) bool, [x, y, z]."""
    grid = np.zeros((32, 32, 32), bool)
    for (x0, x1), (y0, y1), (z0, z1) in bodies(class_number, number):
        grid[x0:x1, y0:y1, z0:z1] = True
    return grid


def solid(class_number: int, number: int) -> Mesh:
    """The boxes' faces, object frame."""
    parts = []
    for bounds in bodies(class_number, number):
        low, high = np.array(bounds).T / 32 - 0.5
        parts.append(box(tuple(low), tuple(high)))
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    faces = [f + start for (_, f), start in zip(parts, starts, strict=False)]
    vertices = np.concatenate([v for v, _ in parts]).astype(np.float32)
    return Mesh(vertices, np.concatenate(faces).astype(np.int32))


@pytest.fixture(scope="session")
def hooks_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two classes with meshes, cells of the unit cube and three of 3D-R2N2's views each."""
    torch.set_num_threads(1)
    records, split = [], {"train": [], "val": [], "test": []}
    for place, (synset, _) in enumerate(CLASSES):
        for n in range(TRAIN + VAL + TEST):
            mesh = solid(place, n)
            rows = random_choy_rows(keyed_rng("hooks", place, n), VIEWS)
            cameras = choy_cameras(rows)
            colours = np.full((len(mesh.faces), 3), (60 + 15 * n, 200, 90), np.uint8)
            pictures = draw(mesh, lit(mesh, colours), cameras, 137, 137)
            name = f"{synset}/hook{n}"
            part = "train" if n < TRAIN else "val" if n < TRAIN + VAL else "test"
            split[part].append(name)
            records.append(
                ObjectRecord(
                    name, synset, {"choy": pictures}, {"choy": cameras},
                    {"binvox": cells(place, n)}, mesh,
                )
            )  # fmt: skip
    matrix = np.diag([1 / 32] * 3 + [1.0])
    matrix[:3, 3] = -0.5
    with StoreWriter(
        tmp_path_factory.mktemp("data"), "shapes13-demo", CLASSES,
        Layout({"choy": Rendering(137, 137, CHOY_PARAMETERS)}, {"binvox": VoxelKind(32, matrix)}),
        {"title": "hooks", "licence": "MIT"}, {"seed": 0},
    ) as writer:  # fmt: skip
        writer.shard(0, records)
        path = writer.finish({"hooks": split})
    return Store(path)
