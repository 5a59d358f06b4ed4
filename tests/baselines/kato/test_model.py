"""The baseline as it is used: frames, blocks, captions, devices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchbench.baselines import load_baseline
from benchbench.baselines.checkpoints import write_checkpoint
from benchbench.baselines.inputs import convert_picture
from benchbench.baselines.kato.architecture import Widths
from benchbench.baselines.kato.model import TO_OBJECT, KatoBaseline, Meshes
from benchbench.baselines.kato.network import Network
from benchbench.baselines.kato.spec import INPUT
from benchbench.baselines.kato.template import sphere_642
from benchbench.baselines.kato.weights import FORMAT
from benchbench.core.errors import CheckError, ShapeError, UsageError
from benchbench.core.types import problem
from benchbench.cuda_ops.camera import get_points_from_angles
from benchbench.cuda_ops.kato_silhouettes import kato_silhouettes
from benchbench.datasets.cameras import kato_camera, project

SMALL = Widths((2, 3, 4), (5, 6), 7, (8, 9))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = Network(SMALL)
    network.initialise(5)
    path = tmp_path_factory.mktemp("weights") / "little.safetensors"
    write_checkpoint(path, network.tensors(), FORMAT)
    return path


@pytest.fixture(scope="module")
def baseline(checkpoint: Path) -> KatoBaseline:
    return load_baseline("kato", checkpoint=checkpoint, block_size=4)


def signed_volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
    return float(np.einsum("ij,ij->", np.cross(a, b), c) / 6)


def test_frame_change_by_hand() -> None:
    vertices = torch.tensor([[[0.1, 0.2, 0.3], [0.4, 0.0, 0.0], [0.0, 0.0, 0.4]]])
    mesh = Meshes(vertices, torch.tensor([[0, 1, 2]]), TO_OBJECT).to_object()[0]
    # (X, Y, Z) = (-z, y, -x), and the mirror turns the winding around.
    np.testing.assert_allclose(mesh.vertices[0], [-0.3, 0.2, -0.1])
    np.testing.assert_allclose(mesh.vertices[1], [0, 0, -0.4])
    assert mesh.faces.tolist() == [[2, 1, 0]]
    assert mesh.vertices.dtype == np.float32 and mesh.faces.dtype == np.int32


def test_winding_is_outward_in_both_frames(baseline: KatoBaseline) -> None:
    meshes = baseline.predict(torch.rand(2, 4, 64, 64))
    assert len(meshes) == 2
    faces = meshes.faces.numpy()
    assert signed_volume(meshes.vertices[0].numpy(), faces) > 0
    for mesh in meshes.to_object():
        assert problem(mesh) is None
        assert signed_volume(mesh.vertices, mesh.faces) > 0


def test_method_frame_and_object_cameras_agree() -> None:
    """An arm along +X, seen from view k: the silhouette lies where the object's camera puts it."""
    box = np.array([[x, y, z] for x in (0.1, 0.5) for y in (0.2, 0.3) for z in (-0.05, 0.1)])
    matrix = np.linalg.inv(TO_OBJECT)
    kato = box @ matrix[:3, :3].T
    sides = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1),
             (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)]  # fmt: skip
    vertices = torch.tensor(kato[None], dtype=torch.float32)
    for view in (0, 3, 7, 18):
        eye = torch.tensor([get_points_from_angles(2.732, 30.0, -15.0 * view)])
        drawn = kato_silhouettes(vertices, torch.tensor(sides), eye)[0].numpy()
        pixels, _ = project(kato_camera(view), box)
        rows, columns = np.nonzero(drawn > 0.5)
        assert abs(columns.min() - pixels[:, 0].min()) < 1.5
        assert abs(columns.max() + 1 - pixels[:, 0].max()) < 1.5
        assert abs(rows.min() - pixels[:, 1].min()) < 1.5
        assert abs(rows.max() + 1 - pixels[:, 1].max()) < 1.5


def test_blocks_are_padded(baseline: KatoBaseline, little_store) -> None:
    items = [(0, 0), (3, 7), (9, 23), (1, 1), (2, 2), (0, 0)]
    meshes = baseline.predict_items(little_store, items)
    assert len(meshes) == 6
    alone = baseline.predict_items(little_store, items[1:2])[0]
    np.testing.assert_allclose(meshes[1].vertices, alone.vertices, atol=1e-6)
    again = baseline.predict_items(little_store, items)
    assert all((a.vertices == b.vertices).all() for a, b in zip(meshes, again, strict=True))
    picture = convert_picture(little_store.image(9, 23), INPUT)
    image = torch.from_numpy(picture)[None].float() / 255
    direct = baseline.predict(image).to_object()[0]
    np.testing.assert_allclose(meshes[2].vertices, direct.vertices, atol=1e-6)


def test_what_a_run_records(baseline: KatoBaseline, checkpoint: Path) -> None:
    import hashlib

    assert baseline.checkpoint_hash == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert "little.safetensors" in baseline.caption
    assert baseline.settings == {"block_size": 4, "rendering": None}
    assert baseline.uses_views and baseline.threshold is None and baseline.block_size == 4


def test_shipped_weights_name_themselves() -> None:
    shipped = load_baseline("kato")
    assert "shipped" in shipped.caption and shipped.checkpoint_hash[:8] in shipped.caption
    quarter = shipped.predict(torch.zeros(1, 4, 64, 64)).vertices
    assert quarter.shape == (1, 642, 3) and quarter.isfinite().all()


def test_refusals(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="block_size 0"):
        load_baseline("kato", checkpoint=checkpoint, block_size=0)
    with pytest.raises(UsageError, match="'tpu'"):
        load_baseline("kato", checkpoint=checkpoint, device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no CUDA device") as caught:
            load_baseline("kato", checkpoint=checkpoint, device="cuda")
        assert caught.value.hint == "--device cpu"
    np.savez(tmp_path / "other.npz", **{"predictor/l1/W": np.ones((3, 3), np.float32)})
    with pytest.raises(CheckError, match="another architecture"):
        load_baseline("kato", checkpoint=tmp_path / "other.npz")
    with pytest.raises(ShapeError):
        load_baseline("kato", checkpoint=checkpoint).predict(torch.zeros(1, 3, 64, 64))


def test_published_network_end_to_end(shared: Path) -> None:
    kato = load_baseline("kato", checkpoint=shared / "oracles" / "kato" / "model_full.npz")
    with np.load(shared / "oracles" / "kato" / "forward_full.npz") as file:
        meshes = kato.predict(torch.tensor(file["images"]))
        np.testing.assert_allclose(meshes.vertices, file["vertices"], rtol=0, atol=2e-6)
        np.testing.assert_array_equal(meshes.faces, file["faces"])
    assert meshes.faces.dtype == torch.int32
    assert np.array_equal(sphere_642()[1], meshes.faces.numpy())
