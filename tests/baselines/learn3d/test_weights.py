"""Checkpoints: published pairs in both of torch's layouts, our own files, and hostile ones."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchbench.baselines.checkpoints import write_checkpoint
from benchbench.baselines.learn3d.architecture import Widths, widths_of
from benchbench.baselines.learn3d.network import Encoder, Generator, Network, initialise
from benchbench.baselines.learn3d.weights import (
    FORM,
    FORMAT,
    load_tensors,
    pair_hash,
    pair_of,
    read_checkpoint,
    tensors_of,
)
from benchbench.baselines.torch_files import read_state_dict
from benchbench.core.errors import CheckError, InputError, MissingError

SMALL = Widths(channels=(2, 3, 4), hidden=(5, 6), latent=7, decoder=(8, 9), vertices=42)


@pytest.fixture
def network() -> Network:
    found = Network(SMALL)
    initialise(found, "all", 3)
    return found


def save_pair(folder: Path, network: Network, flag: str = "last", zipped: bool = True) -> None:
    """As the original saves, the layers that it never uses included."""
    unused = {f"{name}.{part}": torch.ones(shape) for name in ("muLayer", "logvarLayer")
              for part, shape in (("weight", (7, 6)), ("bias", (7,)))}  # fmt: skip
    states = {"E": {**network.encoder.state_dict(), **unused}, "G": network.generator.state_dict()}
    for part, state in states.items():
        path = folder / f"{flag}-{part}.ckpt"
        torch.save(state, path, _use_new_zipfile_serialization=zipped)


def test_published_files_of_both_layouts(oracle: Path, arrays) -> None:
    wanted = arrays("weights_D24")
    for name in ("last-D.legacy.ckpt", "last-D.zip.ckpt"):
        found = read_state_dict(oracle / name)
        assert set(found) == set(wanted)
        for key, value in wanted.items():
            np.testing.assert_array_equal(found[key], value)


def test_a_published_pair(oracle: Path, arrays, tmp_path: Path) -> None:
    """The narrow encoder of the reference beside the published generator."""
    source = oracle / "last-E_small_dim1_16_dim2_128.legacy.ckpt"
    (tmp_path / "last-E.ckpt").write_bytes(source.read_bytes())
    generator = arrays("weights_G")
    torch.save(generator, tmp_path / "last-G.ckpt", _use_new_zipfile_serialization=False)
    widths, tensors, form = read_checkpoint(tmp_path)
    assert widths == Widths(channels=(16, 32, 64), hidden=(128, 128)) and form is None
    network = Network(widths).eval()
    load_tensors(network, tensors)
    d = arrays("io_cvpr18")
    with torch.no_grad():
        codes, _ = network(d["images_uint8"].float() / 255)
        np.testing.assert_allclose(codes, d["z_small_encoder"], atol=1e-5)
        np.testing.assert_allclose(network.generator(d["z"]), d["vertices"], atol=1e-5)


@pytest.mark.parametrize("zipped", [True, False])
def test_pairs_by_folder_and_by_file(network: Network, tmp_path: Path, zipped: bool) -> None:
    save_pair(tmp_path, network, "last", zipped)
    for path in (tmp_path, tmp_path / "last-E.ckpt", tmp_path / "last-G.ckpt"):
        widths, tensors, _ = read_checkpoint(path)
        assert widths == SMALL
        for key, value in tensors_of(network).items():
            np.testing.assert_array_equal(tensors[key], value)
        assert pair_hash(path) == pair_hash(tmp_path)
    first = pair_hash(tmp_path)
    with torch.no_grad():
        network.generator.bias_layer.bias += 1
    save_pair(tmp_path, network, "best", zipped)
    _, tensors, _ = read_checkpoint(tmp_path)  # the best one is taken where there is one
    bias = network.generator.bias_layer.bias.detach()
    np.testing.assert_array_equal(tensors["generator.bias_layer.bias"], bias)
    assert pair_hash(tmp_path) != first


def test_batch_norms_counter_may_be_absent(tmp_path: Path) -> None:
    """torch 0.4.0 wrote none."""
    network = Network(Widths("resnet18", 3, (), (), symmetric=True, decoder=(4, 5)))
    state = network.encoder.state_dict()
    assert any(key.endswith("num_batches_tracked") for key in state)
    old = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    torch.save(network.generator.state_dict(), tmp_path / "last-G.ckpt")
    for encoder in (state, old):
        torch.save(encoder, tmp_path / "last-E.ckpt")
        assert read_checkpoint(tmp_path)[0] == network.widths


def test_own_files_of_any_width(network: Network, tmp_path: Path) -> None:
    for half in (False, True):
        path = tmp_path / "model.safetensors"
        write_checkpoint(path, tensors_of(network), FORMAT, half, {FORM: "lsm"})
        widths, tensors, form = read_checkpoint(path)
        assert (widths, form) == (SMALL, "lsm")
        assert {key: value.shape for key, value in tensors.items()} == SMALL.used_shapes()
        other = Network(widths)
        load_tensors(other, tensors)
        for a, b in zip(network.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(a, b, atol=2e-4 if half else 0, rtol=1e-3 if half else 0)


def test_widths_of_refuses_what_does_not_fit() -> None:
    shapes = SMALL.used_shapes()
    changes: list[dict[str, Any]] = [
        {"encoder.FC.0.weight": (5, 4 * 63)},
        {"generator.bias_layer.weight": (125, 9), "generator.bias_layer.bias": (125,)},
        {"encoder.convBlocks.2.weight": (3, 2, 3, 3)},
        {"generator.fclayers.0.weight": (8, 6)},
        {"encoder.further.weight": (1,)},
        {"encoder.shapeLayer.weight": ()},
    ]
    for change in changes:
        assert widths_of({**shapes, **change}) is None
    for key in shapes:
        assert widths_of({k: s for k, s in shapes.items() if k != key}) is None


def test_another_network_is_named_beside_ours(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, {"fc.weight": np.ones((10, 4), np.float32)}, "other")
    with pytest.raises(
        CheckError, match=r"it holds 1 tensors \(fc.weight 10x4\); learn3d is conv 4-64"
    ):
        read_checkpoint(path)
    with pytest.raises(CheckError, match=r"; vpl is conv 4-64-128-256"):
        read_checkpoint(path, "vpl")


def test_half_a_pair_and_other_names(network: Network, tmp_path: Path) -> None:
    save_pair(tmp_path, network)
    (tmp_path / "last-G.ckpt").rename(tmp_path / "generator.ckpt")
    with pytest.raises(MissingError, match=r"last-G\.ckpt"):
        read_checkpoint(tmp_path)
    with pytest.raises(InputError, match="not one of a pair"):
        read_checkpoint(tmp_path / "generator.ckpt")
    (tmp_path / "last-E.ckpt").unlink()
    with pytest.raises(MissingError, match=r"neither best-E\.ckpt nor last-E\.ckpt"):
        read_checkpoint(tmp_path)
    with pytest.raises(MissingError, match="no checkpoint"):
        read_checkpoint(tmp_path / "absent.safetensors")
    assert pair_of(Path("a/best-E.ckpt"))["G"] == Path("a/best-G.ckpt")


class Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return print, ("code ran",)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_never_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], zipped: bool
) -> None:
    path = tmp_path / "last-E.ckpt"
    torch.save({"a": Evil()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match="cannot be read as torch's state_dict"):
        read_state_dict(path)
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError):
        read_state_dict(path)
    assert capsys.readouterr().out == ""


def test_whole_training_states_and_other_things_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    for content, words in (
        ({"epoch": 3}, "'epoch' of type int"),
        ([torch.ones(1)], "holds a list"),
    ):
        torch.save(content, path)
        with pytest.raises(InputError, match=words):
            read_state_dict(path)
    for data in (b"", b"hello", b"\x80\x02\x8a\n" + b"x" * 50, b"PK\x03\x04" + b"\0" * 50):
        path.write_bytes(data)
        with pytest.raises(InputError):
            read_state_dict(path)


def test_a_zip_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchbench.baselines.torch_files.MAX_BYTES", 1 << 16)
    path = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", b"\0" * (1 << 20))
    assert path.stat().st_size < 1 << 12
    with pytest.raises(InputError, match="unpacks to 1048576 bytes"):
        read_state_dict(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_files_never_crash(network: Network, tmp_path: Path, zipped: bool) -> None:
    save_pair(tmp_path, network, zipped=zipped)
    path = tmp_path / "last-G.ckpt"
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    for turn in range(60):
        data = bytearray(good)
        if turn < 20:
            data = data[: turn * len(good) // 20]
        else:
            # The first part of a file holds the names and shapes.
            for place in rng.integers(0, 2000 if turn % 2 else len(data), 3):
                data[place] = rng.integers(0, 256)
        path.write_bytes(bytes(data))
        try:
            read_checkpoint(tmp_path)
        except (InputError, CheckError):
            pass


def test_weights_that_are_not_finite_are_refused(network: Network, tmp_path: Path) -> None:
    with torch.no_grad():
        network.encoder.FC[0].bias[1] = float("nan")
    save_pair(tmp_path, network)
    with pytest.raises(InputError, match=r"encoder\.FC\.0\.bias holds NaN"):
        read_checkpoint(tmp_path)


def test_words_for_architectures() -> None:
    assert str(SMALL) == "conv 4-2-3-4, linear 5-6, code 7, generator 8-9-126"
    assert "resnet18" in str(Widths("resnet18", 3, (), (), symmetric=True))
    encoder, generator = Encoder(SMALL), Generator(SMALL)
    counted = sum(p.numel() for m in (encoder, generator) for p in m.parameters())
    assert SMALL.parameters == counted + 2 * (7 * 6 + 7)  # those never used count, as published
