"""3D-R2N2's checkpoints: the published pickled list, read as data, beside this project's files.

The original saves `numpy.save(file, list of arrays)`: an .npy file of objects whose body is a
pickle, without any name. `benchbench.datasets.pickled` reads it; no code in it runs.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchbench.baselines.checkpoints import (
    HINT,
    Shapes,
    Tensors,
    check_finite,
    file_layout,
    other_architecture,
    read_metadata,
    read_safetensors,
)
from benchbench.baselines.r2n2.architecture import (
    KINDS,
    Architecture,
    architecture_of,
    named,
)
from benchbench.core.errors import InputError, UsageError
from benchbench.core.names import require
from benchbench.cuda_ops.house_voxels import unit_cube_grid
from benchbench.datasets.pickled import PickleLimits, read_pickled_npy

FORMAT = "benchbench-r2n2-1"
THRESHOLD = 0.4  # the original's test threshold, p >= 0.4
# The published file has 144 MB; ten times as much is no checkpoint of this method.
MAX_BYTES = 3 << 29
_FLOATS = ("float16", "float32", "float64")
# A list without names says what it is by its length alone. The GRU of one convolution a stage and
# the LSTMs have equally many arrays; the published one of them is the GRU.
_BY_COUNT = {63: ("res3d-gru-3",), 33: ("3d-gru-3", "3d-gru-1", "3d-lstm-3", "3d-lstm-1")}


@dataclass(frozen=True)
class Checkpoint:
    """What a file of weights holds.

    Attributes:
        architecture: Which network, and its widths.
        tensors: In the original's names and layouts.
        threshold: A cell is occupied if its probability is at least this.
        grid_to_object: (4, 4), of the grids it was trained on.
    """

    architecture: Architecture
    tensors: Tensors
    threshold: float
    grid_to_object: NDArray[np.float64]


def read_checkpoint(path: str | Path, network: str | None = None) -> Checkpoint:
    """Reads a published `.npy` list or a `.safetensors` file.

    Args:
        path: The file.
        network: Key of `KINDS` where the file does not say; None for the published ones.

    Raises:
        MissingError: There is no such file.
        UsageError: Unknown network, or not the one that the file names.
        InputError: The file cannot be read, holds objects, or claims absurd sizes.
        CheckError: It holds another architecture; the message names both.
    """
    path = Path(path)
    if network is not None:
        require(network, KINDS, "network")
    if file_layout(path) == "npy":
        architecture, tensors = _read_list(path, network)
        threshold, grid = THRESHOLD, unit_cube_grid()
    else:
        architecture, tensors, threshold, grid = _read_named(path, network)
    check_finite(path, tensors)
    return Checkpoint(architecture, tensors, threshold, grid)


def header_of(
    architecture: Architecture, threshold: float, grid_to_object: NDArray[np.float64]
) -> dict[str, str]:
    """What a checkpoint's header says beside its shapes."""
    return {
        "network": architecture.network,
        "threshold": repr(float(threshold)),
        "grid_to_object": json.dumps(np.asarray(grid_to_object, np.float64).tolist()),
    }


def _read_named(
    path: Path, network: str | None
) -> tuple[Architecture, Tensors, float, NDArray[np.float64]]:
    header = read_metadata(path)
    said = header.get("network", network or "res3d-gru-3")
    if said not in KINDS:
        raise InputError(f"checkpoint '{path}' is of an unknown network '{said[:40]}'", HINT)
    if network is not None and said != network:
        raise UsageError(
            f"checkpoint '{path}' holds the network '{said}', not '{network}'",
            hint=f"--set network={said}, or leave it out",
        )
    threshold = _threshold(path, header)
    found: list[Architecture] = []

    def check(shapes: Shapes) -> None:
        one = architecture_of(shapes, said)
        if one is None:
            raise other_architecture(path, shapes, "r2n2", _wanted(said))
        found.append(one)

    tensors = read_safetensors(path, check, "a pickled list of arrays")
    return found[0], tensors, threshold, _grid(path, header)


def _threshold(path: Path, header: dict[str, str]) -> float:
    try:
        value = float(header.get("threshold", THRESHOLD))
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise InputError(f"checkpoint '{path}' states a threshold not between 0 and 1", HINT)
    return value


def _grid(path: Path, header: dict[str, str]) -> NDArray[np.float64]:
    text = header.get("grid_to_object")
    if text is None:
        return unit_cube_grid()
    try:
        matrix = np.array(json.loads(text) if len(text) < 4096 else None, np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise ValueError("not 4x4 numbers")
        if matrix[3].tolist() != [0, 0, 0, 1] or abs(np.linalg.det(matrix)) < 1e-12:
            raise ValueError("not affine")
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(
            f"checkpoint '{path}' states a grid that is none: {error}", HINT
        ) from error
    return matrix


def _read_list(path: Path, network: str | None) -> tuple[Architecture, Tensors]:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InputError(f"checkpoint '{path}' has {size} bytes; refused", HINT)
    limits = PickleLimits(opcodes=20_000, bytes=MAX_BYTES, values=2_000, depth=4)
    values = read_pickled_npy(path.read_bytes(), f"checkpoint '{path}'", limits)
    arrays: list[Any] = values.tolist() if values.dtype.hasobject and values.ndim == 1 else []
    if not arrays or not all(isinstance(value, np.ndarray) for value in arrays):
        raise InputError(f"checkpoint '{path}' is no list of arrays", HINT)
    shapes = [value.shape for value in arrays]
    names = (network,) if network else _BY_COUNT.get(len(arrays), ())
    for name in names:
        by_name = named(shapes, name)
        architecture = architecture_of(by_name, name) if by_name else None
        if by_name is None or architecture is None:
            continue
        odd = [v.dtype.name for v in arrays if v.dtype.name not in _FLOATS]
        if odd:
            raise InputError(f"checkpoint '{path}' holds {odd[0]}, not floats", HINT)
        tensors = {
            key: np.array(value, np.float32) for key, value in zip(by_name, arrays, strict=True)
        }
        return architecture, tensors
    numbered = {f"{place:02d}": shape for place, shape in enumerate(shapes)}
    wanted = _wanted(names[0] if names else "res3d-gru-3")
    raise other_architecture(path, numbered, "r2n2", wanted)


def _wanted(network: str) -> str:
    plain = Architecture(network)
    return f"{plain} (any widths; {len(plain.shapes())} tensors such as {_some(plain)})"


def _some(architecture: Architecture) -> str:
    return ", ".join(list(architecture.shapes())[:3])
