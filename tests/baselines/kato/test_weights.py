"""Checkpoints: Chainer's layout, safetensors, and everything that is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchbench.baselines.checkpoints import write_checkpoint
from benchbench.baselines.kato.architecture import Widths, widths_of
from benchbench.baselines.kato.weights import FORMAT, read_checkpoint
from benchbench.core.errors import CheckError, InputError, MissingError

SMALL = Widths((2, 3, 4), (5, 6), 7, (8, 9))


def tensors(widths: Widths = SMALL, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {k: rng.normal(size=s).astype(np.float32) for k, s in widths.shapes().items()}


def npz(path: Path, arrays: dict[str, np.ndarray], **more: bytes) -> Path:
    np.savez_compressed(path, **arrays)
    with zipfile.ZipFile(path, "a") as archive:
        for name, content in more.items():
            archive.writestr(name, content)
    return path


def test_published_shapes() -> None:
    shapes = Widths().shapes()
    assert len(shapes) == 20
    assert shapes["encoder/linear1/W"] == (1024, 16384)
    assert shapes["decoder/linear_bias/W"] == (1926, 2048)
    assert Widths().parameters == 25_960_521
    # The reduced network of the reference files: conv 4-8-16-32, linear 2048-64-64-64.
    small = Widths((8, 16, 32), (64, 64), 64, (1024, 2048))
    assert small.shapes()["encoder/linear1/W"] == (64, 2048)
    assert widths_of(small.shapes()) == small


def test_widths_are_read_from_the_file(tmp_path: Path) -> None:
    arrays = tensors()
    for path in (npz(tmp_path / "model.npz", arrays), tmp_path / "model.safetensors"):
        if path.suffix == ".safetensors":
            write_checkpoint(path, arrays, FORMAT)
        widths, read = read_checkpoint(path)
        assert widths == SMALL
        for key, value in arrays.items():
            np.testing.assert_array_equal(read[key], value)


def test_same_tensors_same_bytes(tmp_path: Path) -> None:
    arrays = tensors()
    write_checkpoint(tmp_path / "a", arrays, FORMAT)
    write_checkpoint(tmp_path / "b", dict(reversed(arrays.items())), FORMAT)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_half_precision_halves_the_file(tmp_path: Path) -> None:
    arrays = tensors()
    write_checkpoint(tmp_path / "a.safetensors", arrays, FORMAT)
    write_checkpoint(tmp_path / "b.safetensors", arrays, FORMAT, half=True)
    _, read = read_checkpoint(tmp_path / "b.safetensors")
    assert read["encoder/conv1/W"].dtype == np.float32
    np.testing.assert_allclose(read["encoder/conv1/W"], arrays["encoder/conv1/W"], rtol=1e-3)
    sizes = [(tmp_path / name).stat().st_size for name in ("a.safetensors", "b.safetensors")]
    assert sizes[1] < 0.6 * sizes[0]
    with pytest.raises(CheckError, match="not finite as float16"):
        write_checkpoint(tmp_path / "c", {"x": np.array([1e6], np.float32)}, FORMAT, half=True)
    assert not (tmp_path / "c").exists()


def test_fortran_order_and_doubles(tmp_path: Path) -> None:
    arrays = {k: np.asfortranarray(v.astype(np.float64)) for k, v in tensors().items()}
    _, read = read_checkpoint(npz(tmp_path / "f.npz", arrays))
    np.testing.assert_array_equal(read["decoder/linear1/W"], arrays["decoder/linear1/W"])


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
@pytest.mark.parametrize("change", ["missing", "extra", "shape", "other", "empty"])
def test_another_architecture_is_refused_and_both_are_named(
    tmp_path: Path, suffix: str, change: str
) -> None:
    arrays = tensors()
    if change == "missing":
        del arrays["encoder/linear2/b"]
    elif change == "extra":
        arrays["encoder/bn1/gamma"] = np.ones(3, np.float32)
    elif change == "shape":
        arrays["decoder/linear_bias/W"] = np.ones((300, 9), np.float32)
    elif change == "other":
        arrays = {"fc/weight": np.ones((10, 4), np.float32)}
    else:
        arrays = {}
    path = tmp_path / f"model.{suffix}"
    if suffix == "npz":
        npz(path, arrays)
    else:
        write_checkpoint(path, arrays, FORMAT)
    with pytest.raises(CheckError, match=r"it holds .*kato is conv 4-64-128-256") as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value) and caught.value.exit_code == 5
    if change == "other":
        assert "fc/weight 10x4" in str(caught.value)


def test_objects_are_never_loaded(tmp_path: Path) -> None:
    arrays: dict[str, np.ndarray] = dict(tensors())
    arrays["encoder/conv1/b"] = np.array([{"a": 1}, None], dtype=object)
    with pytest.raises(InputError, match="not floats") as caught:
        read_checkpoint(npz(tmp_path / "evil.npz", arrays))
    assert "never" in str(caught.value.hint)


def bomb_entry(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue()


def test_header_that_claims_more_than_the_entry_holds(tmp_path: Path) -> None:
    for shape in ((1 << 40,), (1 << 20, 1 << 20), (7, -1)):
        path = npz(tmp_path / "bomb.npz", {}, **{"encoder/conv1/W.npy": bomb_entry(shape)})
        with pytest.raises(InputError, match=r"claims shape|no npy file"):
            read_checkpoint(path)


def test_zip_bomb_is_refused_before_unpacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchbench.baselines.kato.weights.MAX_BYTES", 1 << 20)
    path = npz(tmp_path / "bomb.npz", {"encoder/conv1/W": np.zeros(1 << 20, np.float32)})
    assert path.stat().st_size < 1 << 14
    with pytest.raises(InputError, match="unpacks to"):
        read_checkpoint(path)


@pytest.mark.parametrize("cut", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_cut_files_are_refused(tmp_path: Path, suffix: str, cut: float) -> None:
    path = tmp_path / f"model.{suffix}"
    if suffix == "npz":
        npz(path, tensors())
    else:
        write_checkpoint(path, tensors(), FORMAT)
    data = path.read_bytes()
    path.write_bytes(data[: int(cut * len(data))])
    with pytest.raises((InputError, CheckError)):
        read_checkpoint(path)


def test_flipped_bytes_never_crash(tmp_path: Path) -> None:
    good = npz(tmp_path / "good.npz", tensors()).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(good)
        for place in rng.integers(0, len(data), 3):
            data[place] = rng.integers(0, 256)
        path = tmp_path / "flipped.npz"
        path.write_bytes(bytes(data))
        try:
            read_checkpoint(path)
        except (InputError, CheckError):
            pass


def test_torch_and_text_files_are_refused(tmp_path: Path) -> None:
    for content in (b"\x80\x02}q\x00.", b"hello", b"{}" * 100):
        path = tmp_path / "model.pt"
        path.write_bytes(content)
        with pytest.raises(InputError, match="neither a Chainer npz nor safetensors"):
            read_checkpoint(path)
    with pytest.raises(MissingError, match=r"no checkpoint"):
        read_checkpoint(tmp_path / "absent.npz")


def test_nan_weights_are_refused(tmp_path: Path) -> None:
    arrays = tensors()
    arrays["encoder/conv2/b"][1] = np.nan
    with pytest.raises(InputError, match="encoder/conv2/b holds NaN"):
        read_checkpoint(npz(tmp_path / "nan.npz", arrays))
