"""What all methods' files of weights share: bytes, layouts, refusals, records."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from benchbench.baselines.checkpoints import (
    Shapes,
    check_finite,
    describe,
    file_layout,
    other_architecture,
    read_metadata,
    read_safetensors,
    read_training,
    shipped_checkpoint,
    shipped_record,
    training_metadata,
    weights_folder,
    write_checkpoint,
    write_trained,
)
from benchbench.baselines.training_ids import TrainingIds, digest
from benchbench.core.errors import CheckError, InputError, MissingError
from benchbench.core.files import read_json, write_json

FORM = "benchbench-test-1"
TRAINING = TrainingIds("set", "identity", "split", "0" * 64, True, frozenset({digest("1/a")}))


def anything(shapes: Shapes) -> None:
    del shapes


def test_there_and_back_with_scalars_and_any_order(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    arrays: dict[str, Any] = {
        "b": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "a": np.array(0.25, np.float32),
        "none": np.zeros((0, 4), np.float32),
    }
    write_checkpoint(path, arrays, FORM, metadata={"note": "é"})
    found = read_safetensors(path, anything)
    assert list(found) == ["a", "b", "none"]
    for name, value in arrays.items():
        assert found[name].dtype == np.float32 and found[name].shape == value.shape
        np.testing.assert_array_equal(found[name], value)
    assert read_metadata(path) == {"format": FORM, "note": "é"}
    before = path.read_bytes()
    write_checkpoint(path, dict(reversed(arrays.items())), FORM, metadata={"note": "é"})
    assert path.read_bytes() == before


def test_the_caller_sees_the_shapes_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    # 1 TB claimed by a header of some bytes: the file is refused by the library or the caller.
    header = json.dumps({"a": {"dtype": "F32", "shape": [1 << 38], "data_offsets": [0, 1 << 40]}})
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode())
    with pytest.raises(InputError, match="neither any layout it reads nor safetensors"):
        read_safetensors(path, anything)
    save_file({"x": np.zeros((2, 3), np.float32)}, path)

    def refuse(shapes: Shapes) -> None:
        raise other_architecture(path, shapes, "kato", "two towers")

    with pytest.raises(CheckError, match=r"it holds 1 tensors \(x 2x3\); kato is two towers$"):
        read_safetensors(path, refuse)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.bool_])
def test_only_floats_are_weights(tmp_path: Path, kind: Any) -> None:
    save_file({"n": np.ones(2, kind)}, tmp_path / "m")
    with pytest.raises(InputError, match=r"n is .*, no float"):
        read_safetensors(tmp_path / "m", anything)


def test_not_finite(tmp_path: Path) -> None:
    for value in (np.nan, np.inf):
        with pytest.raises(CheckError, match="weights x are not finite as float32"):
            write_checkpoint(tmp_path / "m", {"x": np.array([0, value])}, FORM)
        with pytest.raises(InputError, match="tensor x holds NaN or infinity"):
            check_finite("m", {"x": np.array([value, 1])})
    with pytest.raises(CheckError, match="not finite as float16"):
        write_checkpoint(tmp_path / "m", {"x": np.array([1e6])}, FORM, half=True)
    assert not (tmp_path / "m").exists()


def test_layouts(tmp_path: Path) -> None:
    path = tmp_path / "m"
    np.savez(tmp_path / "a.npz", x=np.ones(1))
    np.savez(tmp_path / "none.npz")
    np.save(tmp_path / "a.npy", np.ones(1))
    torch.save({"x": torch.ones(1)}, tmp_path / "a.pt")
    torch.save({"x": torch.ones(1)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    write_checkpoint(path, {"x": np.ones(1)}, FORM)
    found = {p.name: file_layout(p) for p in tmp_path.iterdir()}
    assert found == {
        "a.npz": "zip", "none.npz": "zip", "a.npy": "npy", "a.pt": "zip", "old.pt": "torch",
        "m": "safetensors",
    }  # fmt: skip
    with pytest.raises(MissingError, match="no checkpoint"):
        file_layout(tmp_path / "absent")


def test_a_header_whose_length_spells_pk_is_no_zip(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write_checkpoint(path, {"x": np.ones(1)}, FORM, metadata={"fill": ""})
    short = 0x4B50 - int.from_bytes(path.read_bytes()[:8], "little")
    write_checkpoint(path, {"x": np.ones(1)}, FORM, metadata={"fill": "f" * short})
    assert path.read_bytes()[:2] == b"PK"
    assert file_layout(path) == "safetensors"
    assert read_training(path) is None


def test_what_a_training_writes(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    record = {"settings": {"seed": 1}, "history": []}
    write_trained(path, {"x": np.ones(2)}, FORM, TRAINING, record, half=True, metadata={"v": "1"})
    assert read_training(path) == TRAINING
    assert read_metadata(path) == {"format": FORM, "v": "1", **training_metadata(TRAINING)}
    assert read_json(path.with_suffix(".json")) == {
        "schema": 1,
        **record,
        "training": TRAINING.summary(),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def test_a_record_beside_a_file_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "model.npy"
    np.save(path, np.ones(1))
    assert read_training(path) is None
    digest_of = hashlib.sha256(path.read_bytes()).hexdigest()
    write_json(path.with_suffix(".json"), {"sha256": digest_of, "training": TRAINING.as_dict()})
    assert read_training(path) == TRAINING


def test_what_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shipped_checkpoint("kato")
    assert path == weights_folder("kato") / "shapes13.safetensors"
    assert shipped_record("kato")["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(MissingError, match="no weights of 'mean' come with") as caught:
        shipped_checkpoint("mean")
    assert str(caught.value.hint).startswith("bench train --baseline mean --dataset shapes13")
    monkeypatch.setattr("benchbench.baselines.checkpoints.weights_folder", lambda name: tmp_path)
    (tmp_path / "other.safetensors").touch()
    assert shipped_checkpoint("mean", "other") == tmp_path / "other.safetensors"


def test_describe_names_a_few() -> None:
    assert describe({}) == "no tensors"
    assert describe({"a": (2, 3), "b": ()}) == "2 tensors (a 2x3, b scalar)"
    assert describe(dict.fromkeys("abcde", (1,))).endswith("c 1, ...)")
