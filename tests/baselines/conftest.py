"""A little data set of boxes and balls, made by the project's own writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchbench.baselines.kato.template import sphere_642
from benchbench.core.types import Mesh
from benchbench.cuda_ops.camera import get_points_from_angles
from benchbench.cuda_ops.kato_silhouettes import kato_silhouettes
from benchbench.datasets.cameras import KATO_PARAMETERS, kato_cameras
from benchbench.datasets.records import Layout, ObjectRecord, Rendering, VoxelKind
from benchbench.datasets.store import Store
from benchbench.datasets.store_writer import StoreWriter

CLASSES = (("02691156", "airplane"), ("03001627", "chair"))
TRAIN, VAL, TEST = 4, 2, 2


def blob(number: int, sides: tuple[float, float, float]) -> Mesh:
    """A ball stretched to the given sides (object frame), longest 1, a little different each."""
    rng = np.random.default_rng(number)
    size = np.array(sides) * rng.uniform(0.85, 1.0, 3)
    vertices, faces = sphere_642()
    stretched = vertices * (size / size.max() / 2)
    return Mesh(stretched.astype(np.float32), faces.copy())


def cells_of(mesh: Mesh) -> np.ndarray:
    """Cells of the unit cube whose centre lies in the ellipsoid, by its equation."""
    centres = (np.arange(32) + 0.5) / 32 - 0.5
    x, y, z = np.meshgrid(centres, centres, centres, indexing="ij")
    a, b, c = np.abs(mesh.vertices).max(0)
    return (x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 <= 1


@pytest.fixture(scope="session")
def little_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two classes of stretched balls with meshes, voxels and Kato's 24 views."""
    torch.set_num_threads(1)
    eyes = torch.tensor(
        [get_points_from_angles(2.732, 30.0, -15.0 * view) for view in range(24)],
        dtype=torch.float32,
    )
    sides = {"02691156": (1.0, 0.3, 0.8), "03001627": (0.5, 1.0, 0.5)}
    records, split = [], {"train": [], "val": [], "test": []}
    for synset, _ in CLASSES:
        for n in range(TRAIN + VAL + TEST):
            mesh = blob(n + int(synset) % 1000, sides[synset])
            # Into Kato's frame: (x, y, z) = (-Z, Y, -X), a mirror image.
            kato = np.stack([-mesh.vertices[:, 2], mesh.vertices[:, 1], -mesh.vertices[:, 0]], 1)
            faces = torch.tensor(mesh.faces[:, ::-1].copy())
            seen = torch.tensor(kato)[None].expand(24, -1, -1).contiguous()
            alpha = (kato_silhouettes(seen, faces, eyes) * 255).round().byte().numpy()
            picture = np.zeros((24, 64, 64, 4), np.uint8)
            picture[..., :3] = (60 + 15 * n, 200, 90)
            picture[alpha == 0] = 0
            picture[..., 3] = alpha
            name = f"{synset}/blob{n}"
            part = "train" if n < TRAIN else "val" if n < TRAIN + VAL else "test"
            split[part].append(name)
            records.append(
                ObjectRecord(
                    name, synset, {"kato": picture}, {"kato": kato_cameras()},
                    {"binvox": cells_of(mesh)}, mesh,
                )
            )  # fmt: skip
    matrix = np.diag([1 / 32] * 3 + [1.0])
    matrix[:3, 3] = -0.5
    with StoreWriter(
        tmp_path_factory.mktemp("data"), "blobs", CLASSES,
        Layout({"kato": Rendering(64, 64, KATO_PARAMETERS)}, {"binvox": VoxelKind(32, matrix)}),
        {"title": "blobs", "licence": "MIT"}, {"seed": 0},
    ) as writer:  # fmt: skip
        writer.shard(0, records)
        path = writer.finish({"blobs": split})
    return Store(path)


@pytest.fixture
def small_data(data: Path) -> dict[str, np.ndarray]:
    """Arrays of the original code without pictures or models of others (tests/data/kato)."""
    with np.load(data / "kato" / "misc_small.npz", allow_pickle=False) as file:
        return dict(file)
