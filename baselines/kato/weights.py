"""Reading and writing checkpoints: the published Chainer layout and this project's safetensors.

Neither Chainer nor pickle is involved. A file from outside is read header first, and nothing is
unpacked before its shapes are known to be those of the network.
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from importlib import resources
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from benchbench.baselines.kato.architecture import Widths, describe, widths_of
from benchbench.baselines.tensor_files import with_metadata
from benchbench.baselines.training_ids import TrainingIds
from benchbench.core.errors import CheckError, InputError, MissingError
from benchbench.core.files import atomic_path, read_json, sha256_file
from benchbench.datasets.npy_header import read_npy_header

FORMAT = "benchbench-kato-1"
SHIPPED = "shapes13"
# Twenty times the published network; a file that asks for more is no checkpoint of this method.
MAX_BYTES = 2 << 30
_HINT = "fetch or train the file again; without --checkpoint the shipped weights are used"
TRAINING = "training"  # where the record of the training objects stands
_MAX_RECORD = 64 << 20  # bytes of the JSON beside a checkpoint
_FLOATS = ("float16", "float32", "float64")
Tensors = dict[str, NDArray[np.float32]]


def shipped_checkpoint() -> Path:
    """The weights that come with the package.

    Raises:
        MissingError: This installation has none.
    """
    path = Path(str(resources.files("benchbench.baselines.kato") / "weights" / SHIPPED))
    path = path.with_suffix(".safetensors")
    if not path.is_file():
        raise MissingError(
            "no weights come with this installation",
            hint="bench train --baseline kato --dataset shapes13, or name a file with --checkpoint",
        )
    return path


def shipped_record() -> dict[str, Any]:
    """Recipe, seed and scores of the shipped weights, from the JSON beside them."""
    path = shipped_checkpoint().with_suffix(".json")
    return json.loads(path.read_text(encoding="utf-8"))


def read_checkpoint(path: str | Path) -> tuple[Widths, Tensors]:
    """Reads Kato's network from a Chainer `.npz` or a `.safetensors` file.

    Returns:
        The widths found and the tensors as float32 under their Chainer keys.

    Raises:
        MissingError: There is no such file.
        InputError: The file cannot be read, holds objects, or claims absurd sizes.
        CheckError: It holds another architecture; the message names both.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingError(f"no checkpoint '{path}'", hint="name a file with --checkpoint")
    with path.open("rb") as file:
        start = file.read(4)
    tensors = _read_npz(path) if start[:2] == b"PK" else _read_safetensors(path)
    widths = widths_of({key: value.shape for key, value in tensors.items()})
    if widths is None:
        raise _other_architecture(path, {key: value.shape for key, value in tensors.items()})
    for key, value in tensors.items():
        if not np.isfinite(value).all():
            raise InputError(f"checkpoint '{path}': tensor {key} holds NaN or infinity", _HINT)
    return widths, tensors


def write_checkpoint(
    path: str | Path, tensors: Tensors, half: bool = False, metadata: dict[str, str] | None = None
) -> None:
    """Writes safetensors, whole or not at all; the same tensors give the same bytes.

    Args:
        path: The file.
        tensors: Under their Chainer keys.
        half: Store 16-bit floats; a weight beyond their range is an error.
        metadata: Further text for the file's header.
    """
    from safetensors.numpy import save

    kind = np.float16 if half else np.float32
    content = {}
    for key in sorted(tensors):
        with np.errstate(over="ignore"):
            value = np.ascontiguousarray(tensors[key], dtype=kind)
        if not np.isfinite(value).all():
            raise CheckError(f"weights {key} are not finite as {np.dtype(kind).name}")
        content[key] = value
    data = with_metadata(save(content), {"format": FORMAT, **(metadata or {})})
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def read_training(path: str | Path) -> TrainingIds | None:
    """Which objects a checkpoint was trained on; None where it does not say.

    It stands in the header of a safetensors file, or in the JSON beside it that names its hash.

    Args:
        path: A file that `read_checkpoint` reads.

    Raises:
        InputError: The record is damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            return None  # Chainer's layout has no place for it
    try:
        with safe_open(str(path), framework="np") as tensors:
            text = (tensors.metadata() or {}).get(TRAINING)
    except (SafetensorError, OSError) as error:
        raise InputError(f"checkpoint '{path}' cannot be read: {error}", _HINT) from error
    if text is not None:
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            content = None
        return TrainingIds.from_dict(content, f"checkpoint '{path}'")
    beside = path.with_suffix(".json")
    if not beside.is_file() or beside.stat().st_size > _MAX_RECORD:
        return None
    content = read_json(beside)
    if not isinstance(content, dict) or content.get("sha256") != sha256_file(path):
        return None  # of another file
    record = content.get(TRAINING)
    if not isinstance(record, dict) or "ids" not in record:
        return None
    return TrainingIds.from_dict(record, f"'{beside}'")


def _read_safetensors(path: Path) -> Tensors:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
            kinds = {key: file.get_slice(key).get_dtype() for key in shapes}
            if widths_of(shapes) is None:
                raise _other_architecture(path, shapes)
            odd = [key for key, kind in kinds.items() if kind not in ("F16", "F32", "F64")]
            if odd:
                raise InputError(
                    f"checkpoint '{path}': {odd[0]} is {kinds[odd[0]]}, no float", _HINT
                )
            return {key: file.get_tensor(key).astype(np.float32) for key in sorted(shapes)}
    except (SafetensorError, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"checkpoint '{path}' is neither a Chainer npz nor safetensors: {error}",
            hint="files of other frameworks are not read; convert to safetensors",
        ) from error


def _read_npz(path: Path) -> Tensors:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > 256 or sum(e.file_size for e in entries) > MAX_BYTES:
                raise InputError(
                    f"checkpoint '{path}' unpacks to {sum(e.file_size for e in entries)} bytes "
                    f"in {len(entries)} arrays; refused",
                    hint=_HINT,
                )
            headers = {}
            for entry in entries:
                with archive.open(entry) as file:
                    headers[entry.filename.removesuffix(".npy")] = _npy_header(path, entry, file)
            shapes = {key: shape for key, (shape, _, _) in headers.items()}
            if widths_of(shapes) is None:
                raise _other_architecture(path, shapes)
            tensors = {}
            for entry in entries:
                key = entry.filename.removesuffix(".npy")
                with archive.open(entry) as file:
                    shape, fortran, kind = _npy_header(path, entry, file)
                    count = math.prod(shape)
                    data = file.read(count * kind.itemsize)
                if len(data) != count * kind.itemsize:
                    raise InputError(f"checkpoint '{path}': array {key} is cut short", _HINT)
                array = np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C")
                tensors[key] = np.ascontiguousarray(array, np.float32)
            return tensors
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise InputError(f"checkpoint '{path}' is a broken npz file: {error}", _HINT) from error


def _npy_header(
    path: Path, entry: zipfile.ZipInfo, file: IO[bytes]
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and kind of one array, checked against the size of its entry."""
    try:
        shape, fortran, kind, _ = read_npy_header(cast(BinaryIO, file), entry.filename)
    except InputError as error:
        raise InputError(f"checkpoint '{path}': {error}", _HINT) from error
    if kind.hasobject or kind.name not in _FLOATS:
        raise InputError(
            f"checkpoint '{path}': array '{entry.filename}' holds {kind.name}, not floats",
            hint="files with Python objects are never loaded",
        )
    if math.prod(shape) * kind.itemsize > entry.file_size:
        raise InputError(f"checkpoint '{path}': '{entry.filename}' claims shape {shape}", _HINT)
    return shape, fortran, kind


def _other_architecture(path: Path, shapes: dict[str, tuple[int, ...]]) -> CheckError:
    return CheckError(
        f"checkpoint '{path}' is of another architecture: it holds {describe(shapes)}; "
        f"kato is {Widths()} (any widths) under keys like encoder/conv1/W",
        hint="bench run --baseline kato without --checkpoint uses the shipped weights",
    )
