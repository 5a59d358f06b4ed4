"""The baseline as it is used: frames, colours, blocks, captions, refusals."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchbench.baselines import checkpoints, load_baseline
from benchbench.baselines.dibr.losses import draw
from benchbench.baselines.dibr.model import ColouredMeshes, DibrBaseline
from benchbench.baselines.dibr.network import Network
from benchbench.baselines.dibr.weights import FORMAT, SIZE
from benchbench.core.errors import CheckError, ShapeError, UsageError
from benchbench.core.types import Mesh, problem
from benchbench.cuda_ops.house_voxels import house_voxels, unit_cube_grid
from benchbench.datasets.cameras import kato_camera, project


@pytest.fixture(scope="module")
def checkpoint(small_network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "little.safetensors"
    checkpoints.write_checkpoint(path, small_network.tensors(), FORMAT, metadata={SIZE: "64"})
    return path


@pytest.fixture(scope="module")
def baseline(checkpoint: Path) -> DibrBaseline:
    return load_baseline("dibr", checkpoint=checkpoint, block_size=4)


def arm() -> Mesh:
    """A bar along x with a fin up at its +x end and a wedge to +z there: no symmetry at all."""
    boxes = [((-0.5, -0.1, -0.1), (0.5, 0.1, 0.1)), ((0.3, 0.1, -0.1), (0.5, 0.4, 0.1)),
             ((0.3, -0.1, 0.1), (0.5, 0.1, 0.25))]  # fmt: skip
    sides = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1),
             (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)]  # fmt: skip
    vertices, faces = [], []
    for number, (low, high) in enumerate(boxes):
        pairs = list(zip(low, high, strict=True))
        vertices += [(x, y, z) for x in pairs[0] for y in pairs[1] for z in pairs[2]]
        faces += [[8 * number + n for n in side] for side in sides]
    return Mesh(np.array(vertices, np.float32), np.array(faces, np.int32))


def test_an_asymmetric_object_comes_out_in_the_object_frame() -> None:
    """Its cells in the object frame are known by hand; nothing is turned, swapped or mirrored."""
    mesh = arm()
    vertices = torch.tensor(mesh.vertices)[None]
    out = ColouredMeshes(vertices, torch.tensor(mesh.faces), vertices * 0).to_object()[0]
    grid = house_voxels(out, unit_cube_grid())

    def at(x: float, y: float, z: float) -> bool:
        return bool(grid[tuple(int((v + 0.5) * 32) for v in (x, y, z))])

    assert at(-0.45, 0, 0) and at(0.45, 0, 0) and at(0.4, 0.3, 0) and at(0.4, 0, 0.2)
    for turned in ((-0.4, 0.3, 0), (0.4, -0.3, 0), (0.4, 0, -0.2), (0, 0.45, 0), (0, 0, 0.45),
                   (0.4, 0, 0.3), (-0.4, 0, 0.2)):  # fmt: skip
        assert not at(*turned), turned


@pytest.mark.parametrize("view", [0, 3, 7, 18])
def test_training_draws_it_where_the_data_sets_cameras_see_it(view: int, little_store: Any) -> None:
    """A mesh in the object frame and the store's own camera: so what is learned lies there too."""
    from benchbench.baselines.dibr.cameras import renderer_camera

    mesh = arm()
    rotation, centre = (
        torch.tensor(part)[None]
        for part in renderer_camera(
            little_store.camera(0, view).world_to_camera, little_store.source_to_object(0)
        )
    )
    vertices = torch.tensor(mesh.vertices)[None]
    _, mask, _ = draw(vertices, vertices * 0, torch.tensor(mesh.faces), rotation, centre, 64)
    pixels, _ = project(kato_camera(view), mesh.vertices)
    rows, columns = np.nonzero(mask[0].numpy() > 0.9)
    assert abs(columns.min() - pixels[:, 0].min()) < 1.5
    assert abs(columns.max() + 1 - pixels[:, 0].max()) < 1.5
    assert abs(rows.min() - pixels[:, 1].min()) < 1.5
    assert abs(rows.max() + 1 - pixels[:, 1].max()) < 1.5


def test_predictions_fill_the_unit_box_and_wind_outward(baseline: DibrBaseline) -> None:
    meshes = baseline.predict(torch.rand(3, 3, 64, 64))
    assert len(meshes) == 3 and meshes.vertices.shape == meshes.colours.shape == (3, 42, 3)
    assert meshes.colours.min() >= 0 and meshes.colours.max() <= 1
    for mesh in meshes.to_object():
        assert problem(mesh) is None
        low, high = mesh.vertices.min(0), mesh.vertices.max(0)
        assert np.ptp(mesh.vertices, axis=0).max() == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(low + high, 0, atol=1e-6)


def test_colours_come_out_red_first(small_network: Network, baseline: DibrBaseline) -> None:
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        blue_first = small_network(images)[2]
    np.testing.assert_array_equal(baseline.predict(images).colours[..., 0], blue_first[..., 2])


def test_blocks_are_padded(baseline: DibrBaseline, little_store: Any) -> None:
    items = [(0, 0), (3, 7), (9, 23), (1, 1), (2, 2), (0, 0)]
    meshes = baseline.predict_items(little_store, items)
    assert len(meshes) == 6 and baseline.predict_items(little_store, []) == []
    alone = baseline.predict_items(little_store, items[1:2])[0]
    np.testing.assert_allclose(meshes[1].vertices, alone.vertices, atol=1e-5)
    again = baseline.predict_items(little_store, items)
    assert all((a.vertices == b.vertices).all() for a, b in zip(meshes, again, strict=True))
    # By hand: over white, blue first.
    picture = little_store.image(9, 23).astype(np.float32)
    alpha = picture[..., 3:] / 255
    colour = np.rint(picture[..., :3] * alpha + 255 * (1 - alpha))[..., ::-1] / 255
    image = torch.tensor(colour.transpose(2, 0, 1)[None].copy())
    direct = baseline.predict(image.float()).to_object()[0]
    np.testing.assert_allclose(meshes[2].vertices, direct.vertices, atol=1e-4)


def test_what_a_run_records(baseline: DibrBaseline, checkpoint: Path) -> None:
    assert baseline.checkpoint_hash == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert "little.safetensors" in baseline.caption
    assert baseline.settings == {"block_size": 4, "rendering": None}
    assert baseline.uses_views and baseline.threshold is None and baseline.block_size == 4
    assert baseline.training is None and baseline.input.size == 64


def test_refusals(checkpoint: Path, baseline: DibrBaseline, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="block_size 0"):
        load_baseline("dibr", checkpoint=checkpoint, block_size=0)
    with pytest.raises(UsageError, match="'tpu'"):
        load_baseline("dibr", checkpoint=checkpoint, device="tpu")
    torch.save({"fc.weight": torch.ones(3, 3)}, tmp_path / "other.pth")
    with pytest.raises(CheckError, match="another architecture"):
        load_baseline("dibr", checkpoint=tmp_path / "other.pth")
    with pytest.raises(ShapeError, match=r"\(B, 3, 64, 64\)"):
        baseline.predict(torch.zeros(1, 3, 224, 224))
    with pytest.raises(ShapeError):
        baseline.predict(torch.zeros(1, 4, 64, 64))
