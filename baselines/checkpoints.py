"""Files of weights that every method shares: writing, reading, what ships, what they were made of.

A checkpoint of this project is one safetensors file: tensors by name, the format's id and the
record of the training objects as text in its header. A file from outside is read header first,
and nothing is unpacked before the method has agreed to the shapes. Layouts of other programs are
read by the methods themselves; nothing here or there runs code from a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchbench.baselines.tensor_files import with_metadata
from benchbench.baselines.training_ids import TrainingIds
from benchbench.core.errors import CheckError, InputError, MissingError
from benchbench.core.files import atomic_path, read_json, sha256_file, write_json

SHIPPED = "shapes13"
TRAINING = "training"  # where the record of the training objects stands
HINT = "fetch or train the file again; without --checkpoint the shipped weights are used"
_MAX_RECORD = 64 << 20  # bytes of the JSON beside a checkpoint
_MAGIC: dict[bytes, Literal["zip", "npy", "torch"]] = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",  # without entries
    b"\x93NUM": "npy",
    b"\x80\x02\x8a\x0a": "torch",  # the stream that torch wrote before 1.6
}
Tensors = dict[str, NDArray[np.float32]]
Shapes = dict[str, tuple[int, ...]]


def weights_folder(name: str) -> Path:
    """Where a baseline's shipped weights stand, there or not."""
    return Path(str(resources.files(f"benchbench.baselines.{name}"))) / "weights"


def shipped_checkpoint(name: str, stem: str = SHIPPED) -> Path:
    """The weights of a baseline that come with the package.

    Args:
        name: Baseline id.
        stem: Of the file: what it was trained on, or which variant it is.

    Raises:
        MissingError: This installation has none.

    Example:
        >>> shipped_checkpoint("kato").name
        'shapes13.safetensors'
    """
    path = weights_folder(name) / f"{stem}.safetensors"
    if not path.is_file():
        raise MissingError(
            f"no weights of '{name}' come with this installation",
            hint=f"bench train --baseline {name} --dataset {SHIPPED}, or name a file with "
            "--checkpoint",
        )
    return path


def shipped_record(name: str, stem: str = SHIPPED) -> dict[str, Any]:
    """Recipe, seeds and scores of the shipped weights, from the JSON beside them.

    Raises:
        MissingError: This installation has none.
    """
    path = shipped_checkpoint(name, stem).with_suffix(".json")
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def file_layout(path: str | Path) -> Literal["zip", "npy", "torch", "safetensors"]:
    """What a file of weights is, by its first four bytes; "safetensors" has no mark of its own.

    Raises:
        MissingError: There is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingError(f"no checkpoint '{path}'", hint="name a file with --checkpoint")
    with path.open("rb") as file:
        return _MAGIC.get(file.read(4), "safetensors")


def write_checkpoint(
    path: str | Path,
    tensors: Mapping[str, NDArray[Any]],
    form: str,
    half: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Writes safetensors, whole or not at all; the same tensors give the same bytes.

    Args:
        path: The file.
        tensors: Float arrays by name.
        form: Id of the format, such as "benchbench-kato-1".
        half: Store 16-bit floats; a weight beyond their range is an error.
        metadata: Further text for the file's header.

    Raises:
        CheckError: A weight is not finite, or not as 16 bits.
    """
    from safetensors.numpy import save

    kind = np.float16 if half else np.float32
    content = {}
    for key in sorted(tensors):
        with np.errstate(over="ignore"):
            # ascontiguousarray alone would make a scalar an array of one.
            value = np.asarray(tensors[key], dtype=kind, order="C")
        if not np.isfinite(value).all():
            raise CheckError(f"weights {key} are not finite as {np.dtype(kind).name}")
        content[key] = value
    data = with_metadata(save(content), {"format": form, **(metadata or {})})
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_trained(
    path: Path,
    tensors: Mapping[str, NDArray[Any]],
    form: str,
    training: TrainingIds,
    record: Mapping[str, Any],
    half: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Writes what a training was for: the weights, and beside them how they were made.

    Args:
        path: The file of weights; its record has the ending `.json`.
        tensors: Float arrays by name.
        form: Id of the format.
        training: The training objects; in full in the header, in short in the record.
        record: Architecture, settings, history and what else belongs there.
        half: Store 16-bit floats.
        metadata: Further text for the file's header.

    Raises:
        CheckError: A weight is not finite.
    """
    write_checkpoint(path, tensors, form, half, {**training_metadata(training), **(metadata or {})})
    summary = {"schema": 1, **record, TRAINING: training.summary(), "sha256": sha256_file(path)}
    write_json(path.with_suffix(".json"), summary)


def training_metadata(training: TrainingIds) -> dict[str, str]:
    """The record of the training objects as a checkpoint's header holds it."""
    return {TRAINING: json.dumps(training.as_dict(), sort_keys=True)}


def read_safetensors(
    path: str | Path, check: Callable[[Shapes], None], others: str = "any layout it reads"
) -> Tensors:
    """Reads a safetensors file of floats, header first.

    Args:
        path: The file.
        check: Called with the shape of every tensor before any is read; raises `CheckError`
            where they are not those of the method (`other_architecture`).
        others: Other layouts that the method reads, for the message.

    Returns:
        The tensors as float32 by name.

    Raises:
        InputError: It is no such file, or holds something else than floats.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
            kinds = {key: file.get_slice(key).get_dtype() for key in shapes}
            check(shapes)
            odd = [key for key, kind in kinds.items() if kind not in ("F16", "F32", "F64")]
            if odd:
                raise InputError(
                    f"checkpoint '{path}': {odd[0]} is {kinds[odd[0]]}, no float", HINT
                )
            return {key: file.get_tensor(key).astype(np.float32) for key in sorted(shapes)}
    except (SafetensorError, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"checkpoint '{path}' is neither {others} nor safetensors: {error}",
            hint="files of other frameworks are not read; convert to safetensors",
        ) from error


def read_metadata(path: str | Path) -> dict[str, str]:
    """The text in the header of a safetensors file.

    Raises:
        InputError: It is no such file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as tensors:
            return dict(tensors.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise InputError(f"checkpoint '{path}' cannot be read: {error}", HINT) from error


def check_finite(path: str | Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Refuses weights that hold NaN or infinity.

    Raises:
        InputError: A tensor does; it is named.
    """
    for key, value in tensors.items():
        if not np.isfinite(value).all():
            raise InputError(f"checkpoint '{path}': tensor {key} holds NaN or infinity", HINT)


def read_training(path: str | Path) -> TrainingIds | None:
    """Which objects a checkpoint was trained on; None where it does not say.

    It stands in the header of a safetensors file, or in the JSON beside a file of any layout that
    names its hash.

    Args:
        path: A file that the method reads.

    Raises:
        InputError: The record is damaged.
    """
    path = Path(path)
    text = read_metadata(path).get(TRAINING) if file_layout(path) == "safetensors" else None
    if text is not None:
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            content = None
        return TrainingIds.from_dict(content, f"checkpoint '{path}'")
    record = (read_record(path) or {}).get(TRAINING)
    if not isinstance(record, dict) or "ids" not in record:
        return None
    return TrainingIds.from_dict(record, f"'{path.with_suffix('.json')}'")


def read_record(path: str | Path) -> dict[str, Any] | None:
    """What the JSON beside a file of weights says; None where there is none, or of another file.

    Args:
        path: The weights; the JSON has the ending `.json` and names their sha256.

    Raises:
        InputError: It is no JSON.
    """
    path = Path(path)
    beside = path.with_suffix(".json")
    if not path.is_file() or not beside.is_file() or beside.stat().st_size > _MAX_RECORD:
        return None
    content = read_json(beside)
    if not isinstance(content, dict) or content.get("sha256") != sha256_file(path):
        return None
    return content


def describe(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Some words on what a file holds, for an error message.

    Example:
        >>> describe({"a": (2, 3), "b": ()})
        '2 tensors (a 2x3, b scalar)'
    """
    if not shapes:
        return "no tensors"
    first = sorted(shapes)[:3]
    some = ", ".join(f"{name} {'x'.join(map(str, shapes[name])) or 'scalar'}" for name in first)
    return f"{len(shapes)} tensors ({some}{', ...' if len(shapes) > 3 else ''})"


def other_architecture(
    path: str | Path, shapes: Mapping[str, tuple[int, ...]], name: str, wanted: str
) -> CheckError:
    """The refusal of a file of another network; names both.

    Args:
        path: The file.
        shapes: What it holds.
        name: Baseline id.
        wanted: The method's own architecture in words.
    """
    return CheckError(
        f"checkpoint '{path}' is of another architecture: it holds {describe(shapes)}; "
        f"{name} is {wanted}",
        hint=f"bench run --baseline {name} without --checkpoint uses the shipped weights",
    )
