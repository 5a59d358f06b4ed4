"""OBJ meshes with their materials' colours, from bytes that nobody vouches for."""

from __future__ import annotations

import io
import math
from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError

Array = npt.NDArray[Any]

MAX_BYTES = 1 << 28
_LONGEST_REASON = 100
_MAX_LINE = 1 << 20
_MAX_ITEMS = 1 << 21  # vertices, and triangles: half a kilobyte each further on
_MAX_MATERIALS = 1 << 16
_MATERIAL_BYTES = 1 << 22


@dataclass(frozen=True)
class ObjMesh:
    """The content of an OBJ file.

    Attributes:
        vertices: (V, 3) float64, as in the file.
        faces: (F, 3) int32; polygons as fans of triangles.
        material: (F,) int32 into `names`.
        names: Names of materials; the first is b"", that of faces before any `usemtl`.
    """

    vertices: Array
    faces: Array
    material: Array
    names: tuple[bytes, ...]


def read_obj(data: bytes, name: str) -> ObjMesh:
    """Read `v`, `f` and `usemtl`; all other lines, and what faces say of textures, are not looked
    at. Faces of fewer than three corners are no surface and left out.

    Args:
        data: The file's bytes.
        name: What to call it in errors.

    Raises:
        InputError: A number that is none or not finite, an index that names no vertex, no face at
            all, or more lines, vertices or triangles than an honest file has (2 million each).

    Example:
        >>> text = b"v 0 0 0\\nv 1 0 0\\nv 1 1 0\\nv 0 1 0\\nusemtl red\\nf 1/1 2/2 3/3 -1/4\\n"
        >>> mesh = read_obj(text, "square.obj")
        >>> mesh.faces.tolist(), mesh.names[mesh.material[0]]
        ([[0, 1, 2], [0, 2, 3]], b'red')
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"'{name}' has {len(data)} bytes, more than {MAX_BYTES >> 20} MiB")
    if b"\\\n" in data or b"\\\r\n" in data:
        data = data.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ")
    vertices, faces, material = array("d"), array("i"), array("i")
    numbers = {b"": 0}
    current = 0
    lines = io.BytesIO(data)
    count = 0
    while line := lines.readline(_MAX_LINE):
        count += 1
        if line[0] <= 32:
            line = line.lstrip()
        try:
            if line.startswith((b"v ", b"v\t")):
                words = line.split(None, 4)
                x, y, z = float(words[1]), float(words[2]), float(words[3])
                if not math.isfinite(x + y + z):
                    raise ValueError("a number is not finite")
                vertices.extend((x, y, z))
            elif line.startswith((b"f ", b"f\t")):
                corners = [_index(word, len(vertices) // 3) for word in line.split()[1:]]
                for k in range(1, len(corners) - 1):
                    faces.extend((corners[0], corners[k], corners[k + 1]))
                    material.append(current)
            elif line.startswith(b"usemtl"):
                current = numbers.setdefault(line[6:].strip(), len(numbers))
        except (ValueError, IndexError) as error:
            reason = "three numbers belong there"
            if isinstance(error, ValueError):
                reason = str(error)[:_LONGEST_REASON]  # it quotes the word, whatever its length
            raise InputError(f"'{name}' line {count}: {reason}") from error
        if len(line) >= _MAX_LINE or len(numbers) > _MAX_MATERIALS:
            raise InputError(f"'{name}' line {count} is no line of an honest OBJ file")
        if len(vertices) > 3 * _MAX_ITEMS or len(material) > _MAX_ITEMS:
            raise InputError(f"'{name}' holds more than {_MAX_ITEMS} vertices or triangles")
    if not material:
        raise InputError(f"'{name}' holds no face")
    found = np.frombuffer(faces, np.int32).reshape(-1, 3)
    total = len(vertices) // 3
    if found.max() >= total:
        raise InputError(f"'{name}': a face names vertex {found.max() + 1} of {total}")
    return ObjMesh(
        np.frombuffer(vertices, np.float64).reshape(-1, 3),
        found,
        np.frombuffer(material, np.int32),
        tuple(numbers),
    )


def _index(word: bytes, count: int) -> int:
    """From the file's counting (1 first, -1 the last so far) to ours."""
    index = int(word.split(b"/", 1)[0])
    found = index - 1 if index > 0 else count + index
    if index == 0 or found < 0 or found >= 1 << 31:
        raise ValueError(f"a face names vertex {index}")
    return found


def read_colours(data: bytes, name: str) -> dict[bytes, tuple[float, float, float]]:
    """Diffuse colours `Kd` of the materials of an MTL file.

    A line `Kd` that does not hold three finite numbers gives no colour; others are cut to [0, 1].

    Args:
        data: The file's bytes.
        name: What to call it in errors.

    Raises:
        InputError: It is longer than 4 MiB.

    Example:
        >>> read_colours(b"newmtl red\\nKd 1 0.5 0\\nmap_Kd x.png\\nnewmtl odd\\nKd x", "a.mtl")
        {b'red': (1.0, 0.5, 0.0)}
    """
    if len(data) > _MATERIAL_BYTES:
        raise InputError(f"'{name}' has {len(data)} bytes; refused")
    colours: dict[bytes, tuple[float, float, float]] = {}
    current = b""
    for line in data.splitlines():
        words = line.split()
        if line.strip().startswith(b"newmtl"):
            current = line.strip()[6:].strip()
        elif words and words[0] == b"Kd":
            try:
                red, green, blue = (float(word) for word in words[1:4])
            except ValueError:
                continue
            if math.isfinite(red + green + blue):
                red, green, blue = (min(1.0, max(0.0, v)) for v in (red, green, blue))
                colours[current] = (red, green, blue)
    return colours
