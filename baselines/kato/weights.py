"""Kato's checkpoints: the published Chainer layout beside this project's safetensors.

Neither Chainer nor pickle is involved. A file from outside is read header first, and nothing is
unpacked before its shapes are known to be those of the network.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np

from benchbench.baselines.checkpoints import (
    HINT,
    Shapes,
    Tensors,
    check_finite,
    file_layout,
    other_architecture,
    read_safetensors,
)
from benchbench.baselines.kato.architecture import Widths, widths_of
from benchbench.core.errors import InputError
from benchbench.datasets.archives import members_of
from benchbench.datasets.npy_header import read_npy_header

FORMAT = "benchbench-kato-1"
# Twenty times the published network; a file that asks for more is no checkpoint of this method.
MAX_BYTES = 2 << 30
_FLOATS = ("float16", "float32", "float64")


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

    def check(shapes: Shapes) -> None:
        if widths_of(shapes) is None:
            wanted = f"{Widths()} (any widths) under keys like encoder/conv1/W"
            raise other_architecture(path, shapes, "kato", wanted)

    if file_layout(path) == "zip":
        tensors = _read_npz(path, check)
    else:
        tensors = read_safetensors(path, check, "a Chainer npz")
    widths = widths_of({key: value.shape for key, value in tensors.items()})
    assert widths is not None  # checked before anything was read
    check_finite(path, tensors)
    return widths, tensors


def _read_npz(path: Path, check: Callable[[Shapes], None]) -> Tensors:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = members_of(archive)
            if len(entries) > 256 or sum(e.file_size for e in entries) > MAX_BYTES:
                raise InputError(
                    f"checkpoint '{path}' unpacks to {sum(e.file_size for e in entries)} bytes "
                    f"in {len(entries)} arrays; refused",
                    hint=HINT,
                )
            headers = {}
            for entry in entries:
                with archive.open(entry) as file:
                    headers[entry.filename.removesuffix(".npy")] = _npy_header(path, entry, file)
            shapes = {key: shape for key, (shape, _, _) in headers.items()}
            check(shapes)
            tensors = {}
            for entry in entries:
                key = entry.filename.removesuffix(".npy")
                with archive.open(entry) as file:
                    shape, fortran, kind = _npy_header(path, entry, file)
                    count = math.prod(shape)
                    data = file.read(count * kind.itemsize)
                if len(data) != count * kind.itemsize:
                    raise InputError(f"checkpoint '{path}': array {key} is cut short", HINT)
                array = np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C")
                tensors[key] = np.ascontiguousarray(array, np.float32)
            return tensors
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise InputError(f"checkpoint '{path}' is a broken npz file: {error}", HINT) from error


def _npy_header(
    path: Path, entry: zipfile.ZipInfo, file: IO[bytes]
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and kind of one array, checked against the size of its entry."""
    try:
        shape, fortran, kind, _ = read_npy_header(cast(BinaryIO, file), entry.filename)
    except InputError as error:
        raise InputError(f"checkpoint '{path}': {error}", HINT) from error
    if kind.hasobject or kind.name not in _FLOATS:
        raise InputError(
            f"checkpoint '{path}': array '{entry.filename}' holds {kind.name}, not floats",
            hint="files with Python objects are never loaded",
        )
    if math.prod(shape) * kind.itemsize > entry.file_size:
        raise InputError(f"checkpoint '{path}': '{entry.filename}' claims shape {shape}", HINT)
    return shape, fortran, kind
