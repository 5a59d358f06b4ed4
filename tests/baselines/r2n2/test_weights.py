"""Checkpoints: the published list of arrays, own files, and everything that is neither."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from benchbench.baselines.checkpoints import write_checkpoint
from benchbench.baselines.r2n2.architecture import KINDS, Architecture
from benchbench.baselines.r2n2.weights import FORMAT, header_of, read_checkpoint
from benchbench.core.errors import CheckError, InputError, MissingError, UsageError
from benchbench.core.keyed import keyed_rng
from benchbench.cuda_ops.house_voxels import unit_cube_grid

SMALL = ((2, 3, 2, 3, 2, 2), 5, (3, 3, 3, 2, 2))


def save_list(path: Path, arrays: list[object]) -> Path:
    """As numpy.save of a Python list did: a one-dimensional array of objects."""
    content = np.empty(len(arrays), object)
    for place, value in enumerate(arrays):
        content[place] = value
    np.save(path, content, allow_pickle=True)
    return path


def random_tensors(architecture: Architecture) -> dict[str, np.ndarray]:
    rng = keyed_rng("tensors")
    return {k: rng.normal(size=s).astype(np.float32) for k, s in architecture.shapes().items()}


@pytest.mark.parametrize("file", ["ResidualGRUNet", "GRUNet"])
def test_published_layout_is_read_to_the_byte(data: Path, shared: Path, file: str) -> None:
    found = read_checkpoint(data / f"r2n2/{file}_small.npy")
    meta = json.loads((shared / f"oracles/r2n2/small/{file}_small_meta.json").read_text())
    digests = [hashlib.sha256(value.tobytes()).hexdigest() for value in found.tensors.values()]
    assert digests == meta["sha256"]
    assert found.threshold == 0.4
    assert (found.grid_to_object == unit_cube_grid()).all()


@pytest.mark.parametrize("network", KINDS)
def test_lists_name_no_network(tmp_path: Path, network: str) -> None:
    """The GRU and the LSTM of one kernel have the same list of shapes: the caller decides."""
    architecture = Architecture(network, *SMALL)
    tensors = random_tensors(architecture)
    path = save_list(tmp_path / "weights.npy", list(tensors.values()))
    found = read_checkpoint(path, network)
    assert found.architecture == architecture
    assert all((found.tensors[key] == value).all() for key, value in tensors.items())
    unasked = {"3d-lstm-3": "3d-gru-3", "3d-lstm-1": "3d-gru-1"}.get(network, network)
    assert read_checkpoint(path).architecture.network == unasked
    with pytest.raises(CheckError, match="another architecture"):
        read_checkpoint(path, "3d-gru-3" if network.endswith("-1") else "3d-gru-1")


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("network", KINDS)
def test_own_files_say_what_they_are(tmp_path: Path, network: str, half: bool) -> None:
    architecture = Architecture(network, *SMALL)
    tensors = random_tensors(architecture)
    grid = np.diag([0.5, 0.25, 2.0, 1.0])
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, tensors, FORMAT, half, header_of(architecture, 0.3, grid))
    found = read_checkpoint(path)
    assert (found.architecture, found.threshold) == (architecture, 0.3)
    assert (found.grid_to_object == grid).all()
    kind = np.float16 if half else np.float32
    assert all((found.tensors[k] == v.astype(kind)).all() for k, v in tensors.items())
    assert read_checkpoint(path, network).architecture == architecture
    other = "3d-gru-3" if network != "3d-gru-3" else "3d-gru-1"
    with pytest.raises(UsageError, match=f"'{network}', not '{other}'"):
        read_checkpoint(path, other)


def test_unknown_networks_and_files(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no checkpoint"):
        read_checkpoint(tmp_path / "none.npy")
    with pytest.raises(UsageError, match="unknown network 'gru'"):
        read_checkpoint(tmp_path / "none.npy", "gru")
    (tmp_path / "odd").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="odd"):
        read_checkpoint(tmp_path / "odd")


@pytest.mark.parametrize(
    "change",
    [
        {"network": "resnet"},
        {"threshold": "many"},
        {"threshold": "nan"},
        {"threshold": "1.5"},
        {"threshold": "inf"},
        {"grid_to_object": "[" * 5000},
        {"grid_to_object": "[[1, 2], [3, 4]]"},
        {"grid_to_object": '"x"'},
        {"grid_to_object": "null"},
        {"grid_to_object": json.dumps(np.zeros((4, 4)).tolist())},
        {"grid_to_object": json.dumps(np.diag([1, 1, 0.0, 1]).tolist())},
    ],
)
def test_headers_that_make_no_sense(tmp_path: Path, change: dict[str, str]) -> None:
    architecture = Architecture("3d-gru-1", *SMALL)
    header = {**header_of(architecture, 0.4, unit_cube_grid()), **change}
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, random_tensors(architecture), FORMAT, False, header)
    with pytest.raises(InputError, match="checkpoint"):
        read_checkpoint(path)


def test_other_architectures_are_named(tmp_path: Path, data: Path) -> None:
    path = save_list(tmp_path / "short.npy", [np.zeros((2, 3), np.float32)] * 5)
    with pytest.raises(CheckError) as caught:
        read_checkpoint(path)
    assert "5 tensors (00 2x3" in str(caught.value)
    assert "r2n2 is res3d-gru-3, encoder 96-128-256-256-256-256" in str(caught.value)
    # 63 arrays, of which one has another width.
    arrays = list(read_checkpoint(data / "r2n2/ResidualGRUNet_small.npy").tensors.values())
    path = save_list(tmp_path / "wrong.npy", [*arrays[:40], np.zeros(9, np.float32), *arrays[41:]])
    with pytest.raises(CheckError, match="63 tensors"):
        read_checkpoint(path)
    # The trap of the original: two networks in one process are saved as one list.
    path = save_list(tmp_path / "twice.npy", arrays * 2)
    with pytest.raises(CheckError, match="126 tensors"):
        read_checkpoint(path)
    kato = tmp_path / "kato.safetensors"
    write_checkpoint(kato, {"encoder/conv1/W": np.zeros((4, 4, 5, 5))}, "benchbench-kato-1")
    with pytest.raises(CheckError, match=r"encoder/conv1/W 4x4x5x5.*r2n2 is res3d-gru-3"):
        read_checkpoint(kato)


def test_no_code_of_a_file_runs(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    with pytest.raises(InputError, match="refused"):
        read_checkpoint(save_list(tmp_path / "evil.npy", [Evil()] * 63))
    assert not (tmp_path / "ran").exists()


def test_broken_lists(tmp_path: Path, data: Path) -> None:
    whole = (data / "r2n2/GRUNet_small.npy").read_bytes()
    for cut in (6, 60, 200, 5000, len(whole) - 1):
        path = tmp_path / f"cut{cut}.npy"
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError):
            read_checkpoint(path)
    arrays: list[object] = list(read_checkpoint(data / "r2n2/GRUNet_small.npy").tensors.values())
    for name, value, word in (
        ("text", ["a"] * 33, "no list of arrays"),
        ("plain", None, "no list of arrays"),
        ("integers", [*arrays[:1], np.zeros(6, np.int64), *arrays[2:]], "int64, not floats"),
        ("nan", [*arrays[:1], np.full(6, np.nan, np.float32), *arrays[2:]], "NaN or infinity"),
    ):
        path = tmp_path / f"{name}.npy"
        if value is None:
            np.save(path, np.zeros((3, 3), np.float32))
        else:
            save_list(path, value)
        with pytest.raises(InputError, match=word):
            read_checkpoint(path)
    np.save(tmp_path / "empty.npy", np.empty(0, object), allow_pickle=True)
    with pytest.raises(InputError, match="no list of arrays"):
        read_checkpoint(tmp_path / "empty.npy")


def test_halves_and_doubles_in_a_list_become_floats(tmp_path: Path) -> None:
    architecture = Architecture("3d-gru-1", *SMALL)
    tensors = random_tensors(architecture)
    path = save_list(tmp_path / "d.npy", [v.astype(np.float64) for v in tensors.values()])
    found = read_checkpoint(path).tensors
    assert all(found[k].dtype == np.float32 and (found[k] == v).all() for k, v in tensors.items())


@pytest.mark.slow
def test_a_list_of_the_published_size_is_read(tmp_path: Path) -> None:
    """35,968,706 floats in 63 arrays, 144 MB."""
    shapes = Architecture().shapes()
    arrays = [np.full(shape, n, np.float32) for n, shape in enumerate(shapes.values())]
    path = save_list(tmp_path / "ResidualGRUNet.npy", list(arrays))
    assert path.stat().st_size > 143_000_000
    found = read_checkpoint(path)
    assert found.architecture == Architecture()
    assert all((found.tensors[name] == n).all() for n, name in enumerate(shapes))
