"""binvox files: 32^3 occupancy grids as run-length pairs behind five lines of text.

The header is read by position and by keyword at once: both must be right, words are parted by
single blanks, trailing blanks and CR LF are allowed, the fifth line is not looked at (the original
reader of 3D-R2N2 ignores it). Files which that reader only accepts by accident are refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.core.files import atomic_path

Array = npt.NDArray[Any]

MAX_SIDE = 1024
_MAX_LINE = 256


@dataclass(frozen=True)
class Binvox:
    """The content of a binvox file.

    Attributes:
        occupied: bool, indexed [x, y, z]; cell (i, j, k) spans
            ((i, j, k) .. + 1) / side * scale + translate in the coordinates of the model.
        translate: Three numbers; informative, the archives' values do not agree with their models.
        scale: One number; informative.
    """

    occupied: Array
    translate: tuple[float, float, float]
    scale: float


def read_binvox(
    source: str | Path | bytes, name: str | None = None, max_side: int = MAX_SIDE
) -> Binvox:
    """Read a binvox file.

    Args:
        source: Path, or the file's bytes.
        name: What to call it in errors; the path if None.
        max_side: Longer sides are refused before anything is unpacked.

    Returns:
        The grid with axes x, y, z (the file holds x, z, y with y fastest). Any value but 0 is
        occupied; runs of length 0 are legal, the original writer makes them.

    Raises:
        InputError: Not a binvox file, a broken header, or runs which do not fill the grid.

    Example:
        >>> grid = np.zeros((2, 2, 2), bool)
        >>> grid[1, 0, 1] = True
        >>> bool((read_binvox(write_binvox(grid)).occupied == grid).all())
        True
    """
    label = name or (str(source) if not isinstance(source, bytes) else "binvox data")
    data = source if isinstance(source, bytes) else Path(source).read_bytes()

    def broken(why: str) -> InputError:
        return InputError(f"'{label}' is not a readable binvox file: {why}")

    lines, body = _header(data)
    if not lines or not lines[0].startswith("#binvox"):
        raise broken("the first line does not start with #binvox")
    if len(lines) < 5:
        raise broken("the header ends early")
    sides = [int(word) for word in _words(lines[1], "dim", 3, broken, str.isdecimal)]
    translate = [float(w) for w in _words(lines[2], "translate", 3, broken, _is_number)]
    scale = float(_words(lines[3], "scale", 1, broken, _is_number, more=True)[0])
    if not all(1 <= side <= max_side for side in sides):
        raise broken(f"sides of {sides} cells are outside 1 to {max_side}")
    runs = np.frombuffer(data, np.uint8, offset=body)
    if runs.size % 2:
        raise broken("its last run has no length")
    values, counts = runs[0::2], runs[1::2]
    cells, expected = int(counts.sum(dtype=np.int64)), math.prod(sides)
    if cells != expected:  # before anything of that size is made
        raise broken(f"its runs hold {cells} cells, {expected} belong")
    depth, height, width = sides
    raw = np.repeat(values != 0, counts).reshape(depth, height, width)
    occupied = np.ascontiguousarray(raw.transpose(0, 2, 1))
    return Binvox(occupied, (translate[0], translate[1], translate[2]), scale)


def _header(data: bytes) -> tuple[list[str], int]:
    """First five lines, and where the body starts."""
    lines: list[str] = []
    start = 0
    while len(lines) < 5:
        end = data.find(b"\n", start, start + _MAX_LINE)
        if end < 0:
            break
        lines.append(data[start:end].decode("latin-1").strip())
        start = end + 1
    return lines, start


def _words(
    line: str, keyword: str, count: int, broken: Any, valid: Any, more: bool = False
) -> Sequence[str]:
    words = line.split(" ")
    if words[0] != keyword:
        raise broken(f"a line '{keyword}' belongs where '{line[:40]}' is")
    values = words[1:]
    if len(values) < count or (len(values) > count and not more):
        raise broken(f"'{line[:40]}' should hold {count} numbers parted by single blanks")
    if not all(valid(word) for word in values[:count]):
        raise broken(f"'{line[:40]}' holds no valid numbers")
    return values


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def write_binvox(
    occupied: Array,
    path: str | Path | None = None,
    translate: Sequence[float] = (-0.5, -0.5, -0.5),
    scale: float = 1.0,
) -> bytes:
    """Write a binvox file.

    Args:
        occupied: (D, W, H) bool indexed [x, y, z].
        path: Where to write it (atomically), or None.
        translate: Stored in the header.
        scale: Stored in the header.

    Returns:
        The file's bytes. Runs are 1 to 255 cells long, never 0.
    """
    grid = np.asarray(occupied, bool)
    if grid.ndim != 3 or grid.size == 0:
        raise InputError(f"a binvox grid has three axes, not shape {grid.shape}")
    raw = np.ascontiguousarray(grid.transpose(0, 2, 1))
    flat = raw.reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(np.append(starts, flat.size))
    pieces = -(-lengths // 255)
    values = np.repeat(flat[starts], pieces)
    counts = np.full(values.size, 255, np.int64)
    last = np.cumsum(pieces) - 1
    counts[last] = lengths - 255 * (pieces - 1)
    words = " ".join(repr(float(t)) for t in translate)
    header = f"#binvox 1\ndim {raw.shape[0]} {raw.shape[1]} {raw.shape[2]}\n"
    header += f"translate {words}\nscale {float(scale)!r}\ndata\n"
    body = np.stack([values.astype(np.uint8), counts.astype(np.uint8)], axis=1)
    data = header.encode("ascii") + body.tobytes()
    if path is not None:
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
    return data
