"""`bench run --checkpoint FILE` with files that are no weights of this method, or worse."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


class Bomb:
    """Unpickling this would create a file."""

    def __reduce__(self) -> Any:
        return (open, ("unpickled", "w"))


def safetensors(header: bytes, length: int | None = None, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def other_network() -> bytes:
    from safetensors.numpy import save

    return save({"layer1.0.weight": np.zeros((64, 3, 7, 7), np.float32)})


def npz(arrays: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def bomb_npz() -> bytes:
    """An array that claims a terabyte."""
    stream = io.BytesIO()
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 38,)}
    )
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("encoder/conv1/W.npy", header.getvalue() + bytes(1 << 20))
    return stream.getvalue()


def huge_tensor() -> bytes:
    entry = {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}
    return safetensors(json.dumps({"encoder/conv1/W": entry}).encode())


CASES: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "another network": (other_network, 5, "is of another architecture"),
    "another network as npz": (
        lambda: npz({"conv/W": np.zeros((3, 3), np.float32)}), 5, "is of another architecture",
    ),
    "pickled objects in an npz": (
        lambda: npz({"encoder/conv1/W": np.array([Bomb()], object)}), 1, "holds object, not floats",
    ),
    "a torch pickle": (lambda: pickle.dumps(Bomb()), 1, "is neither a Chainer npz nor safetensors"),
    "a terabyte in an npz": (bomb_npz, 1, "claims shape"),
    "a terabyte in safetensors": (huge_tensor, 1, "is neither a Chainer npz nor safetensors"),
    "a header of 2^62 bytes": (
        lambda: safetensors(b"{}", 1 << 62), 1, "is neither a Chainer npz nor safetensors",
    ),
    "a header that is no JSON": (
        lambda: safetensors(b"{{{{"), 1, "is neither a Chainer npz nor safetensors",
    ),
    "nothing in it": (lambda: safetensors(b"{}"), 5, "is of another architecture"),
    "an empty file": (lambda: b"", 1, "is neither a Chainer npz nor safetensors"),
    "a zip cut off": (
        lambda: npz({"a": np.zeros(99)})[:200], 1, "is a broken npz file",
    ),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(99), 1, "neither a Chainer npz"),
}  # fmt: skip


@pytest.fixture
def run(bench: Any, tiny_home: Path) -> Any:
    return lambda path: bench(
        "run", "--baseline", "kato", "--split", "test", "--checkpoint", path, "--root", tiny_home,
        "--protocol", "bench-iou-v1", "--limit", "1",
    )  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_files_that_are_no_weights(run: Any, refused: Any, tmp_path: Path, case: str) -> None:
    make, code, words = CASES[case]
    (tmp_path / "weights.bin").write_bytes(make())
    refused(run("weights.bin"), code, "checkpoint 'weights.bin'", words)
    assert not (tmp_path / "unpickled").exists()  # nothing in it was executed
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_weights_cut_off(
    run: Any, refused: Any, tmp_path: Path, weights: Path, share: float
) -> None:
    data = weights.read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(data[: int(len(data) * share)])
    refused(run("cut.safetensors"), 1, "checkpoint 'cut.safetensors'")


def test_weights_with_nan(run: Any, refused: Any, tmp_path: Path, weights: Path) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(weights)
    name = sorted(tensors)[3]
    tensors[name].flat[0] = np.nan
    save_file(tensors, tmp_path / "nan.safetensors")
    refused(run("nan.safetensors"), 1, f"tensor {name} holds NaN")


def test_a_folder_instead_of_a_file(run: Any, refused: Any, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    refused(run("folder"), 3, "no checkpoint 'folder'")


def test_weights_for_a_method_without(bench: Any, refused: Any, tiny_home: Path) -> None:
    for name in ("mean", "gt"):
        line = ("run", "--baseline", name, "--split", "test", "--checkpoint", "w.npz")
        assert "--checkpoint" in refused(bench(*line, "--root", tiny_home), 2, "'w.npz'")


def test_the_right_weights_run(run: Any, weights: Path) -> None:
    done = run(weights)
    assert done.exit_code == 0, done.stderr
    assert "tiny.safetensors" in done.stderr
