"""Checkpoints: the authors' layout, safetensors of any width, and everything that is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchbench.baselines import checkpoints
from benchbench.baselines.dibr.architecture import Widths, widths_of
from benchbench.baselines.dibr.network import Network
from benchbench.baselines.dibr.template import sphere
from benchbench.baselines.dibr.weights import FORMAT, SIZE, read_checkpoint
from benchbench.core.errors import CheckError, InputError, MissingError

Tensors = dict[str, np.ndarray]


def write(path: Path, tensors: Tensors, size: str | None = "64", half: bool = False) -> Path:
    metadata = {} if size is None else {SIZE: size}
    checkpoints.write_checkpoint(path, tensors, FORMAT, half, metadata)
    return path


def test_widths_are_read_from_either_layout(small_network: Network, tmp_path: Path) -> None:
    torch.save(small_network.state_dict(), tmp_path / "g_model_469999.pth")
    write(tmp_path / "model.safetensors", small_network.tensors())
    for name, size in (("g_model_469999.pth", 224), ("model.safetensors", 64)):
        widths, found, tensors = read_checkpoint(tmp_path / name)
        assert widths == small_network.widths and found == size
        assert set(tensors) == set(widths.shapes())
        for key, value in small_network.tensors().items():
            np.testing.assert_array_equal(tensors[key], value)


def test_the_published_layout(recipe_weights: Tensors, original: Tensors, tmp_path: Path) -> None:
    """163 tensors as the original's `torch.save(model.state_dict())` writes them, 58 MB."""
    from benchbench.baselines import load_baseline

    state = {name: torch.tensor(value) for name, value in recipe_weights.items()}
    torch.save(state, tmp_path / "model.pth")
    dibr = load_baseline("dibr", checkpoint=tmp_path / "model.pth")
    images = torch.tensor(original["preprocessed_224"]).permute(0, 3, 1, 2)[:, :3].contiguous()
    meshes = dibr.predict(images)
    np.testing.assert_allclose(meshes.vertices, original["vertices_normalized"], atol=5e-6)
    np.testing.assert_allclose(meshes.colours.flip(-1), original["rgb"], atol=5e-6)
    np.testing.assert_array_equal(meshes.faces, original["faces"])


def test_half_precision_keeps_the_template(small_network: Network, tmp_path: Path) -> None:
    tensors = small_network.tensors()
    _, _, found = read_checkpoint(write(tmp_path / "model.safetensors", tensors, half=True))
    np.testing.assert_array_equal(found["template"], sphere(1)[0])
    np.testing.assert_allclose(found["encoder.fc.weight"], tensors["encoder.fc.weight"], rtol=1e-3)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("change", ["missing", "extra", "shape", "other", "empty", "scalar"])
def test_another_architecture_is_refused_and_both_are_named(
    small_network: Network, tmp_path: Path, suffix: str, change: str
) -> None:
    tensors: dict[str, Any] = small_network.tensors()
    if change == "missing":
        del tensors["decoder.blocks.1.alpha"]
    elif change == "extra":
        tensors["encoder.features.fc.weight"] = np.ones((3, 3), np.float32)
    elif change == "shape":
        tensors["decoder.fc_out.weight"] = np.ones((3, 7), np.float32)
    elif change == "scalar":
        tensors["decoder.fc_c.0.weight"] = np.ones((), np.float32)
    else:
        tensors = {} if change == "empty" else {"fc.weight": np.ones((10, 4), np.float32)}
    path = tmp_path / f"model.{suffix}"
    if suffix == "pth":
        torch.save({name: torch.tensor(value) for name, value in tensors.items()}, path)
    else:
        write(path, tensors)
    with pytest.raises(CheckError, match=r"it holds .*; dibr is resnet 64-128-256-512") as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value) and caught.value.exit_code == 5
    if change == "other":
        assert "fc.weight 10x4" in str(caught.value)


class Bomb:
    """Unpickling this would create a file."""

    def __reduce__(self) -> Any:
        return (open, ("unpickled", "w"))


def test_nothing_from_a_file_is_run(
    small_network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pth"
    torch.save({"template": Bomb()}, path)
    with pytest.raises(InputError, match=r"evil\.pth"):
        read_checkpoint(path)
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InputError, match=r"evil\.pth"):
        read_checkpoint(path)
    assert not (tmp_path / "unpickled").exists()
    with pytest.raises(MissingError, match="no checkpoint"):
        read_checkpoint(tmp_path / "absent.pth")


def test_broken_contents_are_refused(small_network: Network, tmp_path: Path) -> None:
    tensors = small_network.tensors()
    tensors["encoder.fc.bias"][0] = np.nan
    with pytest.raises(CheckError, match=r"encoder\.fc\.bias are not finite"):
        write(tmp_path / "nan.safetensors", tensors)
    torch.save({name: torch.tensor(v) for name, v in tensors.items()}, tmp_path / "nan.pth")
    with pytest.raises(InputError, match=r"tensor encoder\.fc\.bias holds NaN"):
        read_checkpoint(tmp_path / "nan.pth")
    moved = small_network.tensors()
    moved["template"] = moved["template"][::-1].copy()
    with pytest.raises(CheckError, match="another template than the icosphere of 42 vertices"):
        read_checkpoint(write(tmp_path / "moved.safetensors", moved))
    for size in ("0", "-64", "64.0", "9" * 30, "x", "1e3", "٦٤"):
        path = write(tmp_path / "size.safetensors", small_network.tensors(), size)
        with pytest.raises(InputError, match="names pictures of"):
            read_checkpoint(path)
    path = write(tmp_path / "default.safetensors", small_network.tensors(), None)
    assert read_checkpoint(path)[1] == 224


def test_a_claim_of_many_units_is_refused_quickly() -> None:
    shapes = Widths((2,) * 4, (1,) * 4, 4, 4, 1, 0).shapes()
    for n in range(1, 200):
        shapes[f"encoder.features.layer1.{n}.conv1.weight"] = (2, 2, 3, 3)
    assert widths_of(shapes) is None
    assert widths_of({**Widths().shapes(), "template": (643, 3)}) is None
