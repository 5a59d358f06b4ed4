"""The baseline as it is used: frames, blocks, codes, forms, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchbench.baselines.checkpoints import write_checkpoint
from benchbench.baselines.learn3d.architecture import Widths
from benchbench.baselines.learn3d.forms import FORMS, form_of
from benchbench.baselines.learn3d.model import Learn3dBaseline, load
from benchbench.baselines.learn3d.network import Network, initialise
from benchbench.baselines.learn3d.spec import Learn3dParameters
from benchbench.baselines.learn3d.weights import FORM, FORMAT, tensors_of
from benchbench.core.errors import ShapeError, UsageError
from benchbench.core.types import problem
from benchbench.datasets.exporting import export, snug_solid
from benchbench.datasets.pascal3d_vpl.convert import B
from benchbench.datasets.store import Store

SMALL = Widths(channels=(2, 3, 4), hidden=(5, 6), latent=7, decoder=(8, 9), vertices=162)


def written(folder: Path, widths: Widths, form: str) -> Path:
    network = Network(widths)
    initialise(network, "all", 5)
    path = folder / f"{form}.safetensors"
    write_checkpoint(path, tensors_of(network), FORMAT, metadata={FORM: form})
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("weights"), SMALL, "kato")


@pytest.fixture(scope="module")
def baseline(checkpoint: Path) -> Learn3dBaseline:
    return load(checkpoint, parameters=Learn3dParameters(block_size=4))


def test_codes_and_meshes(baseline: Learn3dBaseline) -> None:
    images = torch.rand(3, 4, 64, 64)
    codes = baseline.encode(images)
    assert codes.shape == (3, 7) and codes.dtype == torch.float32
    meshes, again = baseline.predict(images), baseline.decode(codes)
    assert torch.equal(meshes.vertices, again.vertices) and len(meshes) == 3
    assert meshes.vertices.shape == (3, 162, 3) and meshes.faces.shape == (320, 3)
    for mesh in meshes.to_object():
        assert problem(mesh) is None
        a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
        assert np.einsum("ij,ij->", np.cross(a, b), c) > 0  # wound outward


def test_blocks_are_padded(baseline: Learn3dBaseline, little_store: Store) -> None:
    items = [(0, 0), (3, 7), (9, 23), (1, 1), (2, 2)]
    meshes = baseline.predict_items(little_store, items)
    assert len(meshes) == 5 and baseline.predict_items(little_store, []) == []
    alone = baseline.predict_items(little_store, items[1:2])[0]
    np.testing.assert_allclose(meshes[1].vertices, alone.vertices, atol=1e-6)
    codes = baseline.codes_of(little_store, items)
    direct = baseline.encode(baseline.images(little_store, items))
    torch.testing.assert_close(codes, direct, atol=1e-6, rtol=0)


def test_what_a_run_records(baseline: Learn3dBaseline, checkpoint: Path) -> None:
    import hashlib

    assert baseline.checkpoint_hash == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert baseline.caption == f"learn3d, weights kato.safetensors ({baseline.checkpoint_hash[:8]})"
    assert baseline.settings == {
        "block_size": 4, "rendering": None, "form": "kato", "weights": "shapes13",
    }  # fmt: skip
    assert baseline.uses_views and baseline.threshold is None and baseline.training is None


def test_frame_of_katos_and_of_lsms_form() -> None:
    for name in ("kato", "lsm"):
        matrix = FORMS[name].frame_to_object(None, 0)
        np.testing.assert_array_equal(matrix @ [1, 2, 3, 1], [-3, 2, -1, 1])


@pytest.fixture(scope="module")
def pascal(tmp_path_factory: pytest.TempPathFactory) -> Store:
    from benchbench.datasets.pascal3d_vpl.prepare import prepare

    folder = tmp_path_factory.mktemp("pascal")
    solids = [snug_solid(f"02958343/{n}", part, n) for n, part in enumerate(("train", "test"))]
    raw = export("pascal3d-vpl", solids, folder / "raw")
    return Store(prepare(folder / "root", source=raw, quiet=True).path)


def test_frame_of_pascals_form(pascal: Store) -> None:
    """A cell of the original's evaluation and of the store is the same place."""
    matrix = FORMS["pascal"].frame_to_object(pascal, 0)
    to_grid = np.linalg.inv(pascal.grid_to_object())
    point = np.array([0.31, -0.52, 0.73])  # of the mesh frame, which spans -1 to 1
    # learn3d.md 4.4: cells of (v + 1) / 2, axes (0, 2, 1), all three flipped.
    i, j, k = np.floor((point + 1) / 2 * 32).astype(int)
    volume = 31 - np.array([i, k, j])
    # The file's axes to the object's: [i, k, 31 - j] (pascal3d_vpl).
    expected = [volume[0], volume[2], 31 - volume[1]]
    found = np.floor(to_grid @ matrix @ [*point, 1])[:3]
    np.testing.assert_array_equal(found, expected)
    # The CAD frame by the constant that the data set's own tests hold.
    cad = np.linalg.inv(pascal.source_to_object(0)) @ matrix @ [*point, 1]
    np.testing.assert_allclose(cad[:3], B @ point / 2, atol=1e-12)


def test_pascals_pictures_and_meshes(pascal: Store, tmp_path: Path) -> None:
    widths = Widths("resnet18", 3, (), (), decoder=(4, 5), symmetric=True)
    path = written(tmp_path, widths, "pascal")
    baseline = load(path, parameters=Learn3dParameters(block_size=2))
    images = baseline.images(pascal, [(0, 0), (1, 0)])
    picture = pascal.image(1, 0, "crop")[..., :3].astype(np.float32) / 255
    wanted = (picture - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(images[1], wanted.transpose(2, 0, 1), atol=1e-5)
    meshes = baseline.predict_items(pascal, [(0, 0), (1, 0)])
    assert len(meshes) == 2 and all(problem(mesh) is None for mesh in meshes)


def test_forms_of_checkpoints(tmp_path: Path) -> None:
    lsm = load(written(tmp_path, SMALL, "lsm"))
    assert lsm.form.id == "lsm"
    assert (
        load(written(tmp_path, SMALL, "lsm"), parameters=Learn3dParameters(form="kato")).form.id
        == "kato"
    )
    with pytest.raises(UsageError, match="3 channels, the encoder of this checkpoint takes 4"):
        form_of("pascal", 4, None)
    with pytest.raises(UsageError, match="unknown form 'nips'"):
        form_of("nips", 4, None)


def test_an_lsm_picture(little_store: Store, tmp_path: Path) -> None:
    """Blue, green, red and mask of a set that has no depth: its alpha."""
    lsm = load(written(tmp_path, SMALL, "lsm"))
    picture = little_store.image(2, 5).astype(np.float32) / 255
    found = lsm.images(little_store, [(2, 5)])[0].numpy()
    wanted = picture[..., :3] * picture[..., 3:]
    np.testing.assert_allclose(found[2::-1].transpose(1, 2, 0), wanted, atol=1.01 / 255)
    np.testing.assert_allclose(found[3], picture[..., 3], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"block_size": 0}, "block_size 0"), ({"weights": "imagenet"}, "unknown weights 'imagenet'")],
)
def test_silly_parameters(checkpoint: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load(checkpoint, parameters=Learn3dParameters(**change))


def test_other_refusals(baseline: Learn3dBaseline, checkpoint: Path) -> None:
    with pytest.raises(UsageError, match="'tpu'"):
        load(checkpoint, "tpu")
    for wrong in (torch.zeros(1, 3, 64, 64), torch.zeros(1, 4, 32, 32)):
        with pytest.raises(ShapeError, match=r"\(B, 4, 64, 64\)"):
            baseline.predict(wrong)
        with pytest.raises(ShapeError, match=r"\(B, 4, 64, 64\)"):
            baseline.encode(wrong)
    for codes in (torch.zeros(2, 6), torch.zeros(7), torch.zeros(2, 7, dtype=torch.float64)):
        with pytest.raises(ShapeError, match=r"\(B, 7\) float32"):
            baseline.decode(codes)
