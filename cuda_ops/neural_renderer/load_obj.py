"""Reads Wavefront OBJ meshes, with their materials as texture cubes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from benchbench.core.errors import InputError, MissingError
from benchbench.cuda_ops.neural_renderer.load_textures import read_image, texture_cubes

_GREY = 0.5


@dataclass
class _Obj:
    """What an OBJ file says; indices count from 0, -1 is none."""

    vertices: list[list[float]] = field(default_factory=list)
    coordinates: list[list[float]] = field(default_factory=list)
    faces: list[list[int]] = field(default_factory=list)
    face_coordinates: list[list[int]] = field(default_factory=list)
    face_materials: list[str] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)


@dataclass
class _Material:
    colour: list[float] | None = None
    picture: Path | None = None


def load_obj(
    filename_obj: str | Path,
    normalization: bool = True,
    texture_size: int = 4,
    load_texture: bool = False,
    texture_wrapping: str = "REPEAT",
    use_bilinear: bool = True,
    device: str | torch.device = "cpu",
) -> tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Tensor]:
    """Loads a mesh; polygons become fans of triangles.

    Args:
        filename_obj: The file; `v`, `vt`, `f`, `usemtl` and `mtllib` are read. Indices may be
            negative (counted from the end).
        normalization: Move and scale so that the longest side is 2 and the box is centred.
        texture_size: Side T of the texture cubes.
        load_texture: Also return textures. A face has its material's `Kd` colour, or the picture
            `map_Kd` where the face has texture coordinates, else grey 0.5.
        texture_wrapping: See `texture_cubes`.
        use_bilinear: See `texture_cubes`.
        device: Where the tensors go.

    Returns:
        vertices (V, 3) float32, faces (F, 3) int32, and with `load_texture` textures
        (F, T, T, T, 3) float32.

    Raises:
        MissingError: There is no such file.
        InputError: The file is broken, or textures are asked of one that names no `mtllib`.
    """
    path = Path(filename_obj)
    obj = _read(path)
    vertices = torch.tensor(obj.vertices, dtype=torch.float32)
    faces = torch.tensor(obj.faces, dtype=torch.int32)
    if normalization:
        vertices = vertices - vertices.amin(0)
        vertices = vertices / vertices.abs().max().clamp_min(torch.finfo(torch.float32).tiny)
        vertices = vertices * 2
        vertices = vertices - vertices.amax(0) / 2
    if not load_texture:
        return vertices.to(device), faces.to(device)
    textures = _textures(path, obj, texture_size, texture_wrapping, use_bilinear)
    return vertices.to(device), faces.to(device), textures.to(device)


def _read(path: Path) -> _Obj:
    obj, material = _Obj(), ""
    for number, words in _lines(path):
        try:
            if words[0] == "v":
                obj.vertices.append(_numbers(words[1:], 3))
            elif words[0] == "vt":
                obj.coordinates.append(_numbers(words[1:], 2))
            elif words[0] == "usemtl":
                material = " ".join(words[1:])
            elif words[0] == "mtllib":
                obj.libraries.append(" ".join(words[1:]))
            elif words[0] == "f":
                corners = [word.split("/") for word in words[1:]]
                if len(corners) < 3:
                    raise ValueError("a face needs three corners")
                places = [_index(c[0], len(obj.vertices)) for c in corners]
                given = [
                    _index(c[1], len(obj.coordinates)) if len(c) > 1 and c[1] else -1
                    for c in corners
                ]
                for k in range(1, len(corners) - 1):
                    obj.faces.append([places[0], places[k], places[k + 1]])
                    obj.face_coordinates.append([given[0], given[k], given[k + 1]])
                    obj.face_materials.append(material)
        except ValueError as error:
            raise InputError(f"'{path}' line {number}: {error}") from error
    if not obj.faces:
        raise InputError(f"'{path}' holds no faces")
    for what, faces, most in (
        ("vertex", obj.faces, len(obj.vertices)),
        ("texture coordinate", obj.face_coordinates, len(obj.coordinates)),
    ):
        highest = max(max(face) for face in faces)
        if highest >= most:
            raise InputError(f"'{path}': a face names {what} {highest + 1} of {most}")
    return obj


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        raise MissingError(f"no file '{path}'") from error
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield number, words


def _numbers(words: list[str], count: int) -> list[float]:
    if len(words) < count:
        raise ValueError(f"{count} numbers expected, got {len(words)}")
    found = [float(word) for word in words[:count]]
    if not all(math.isfinite(number) for number in found):
        raise ValueError(f"a number is not finite in '{' '.join(words)}'")
    return found


def _index(word: str, count: int) -> int:
    """From the file's counting (1 first, -1 last so far) to ours."""
    index = int(word)
    found = index - 1 if index > 0 else count + index
    if index == 0 or found < 0:
        raise ValueError(f"index {index} names nothing")
    return found


def _textures(
    path: Path, obj: _Obj, texture_size: int, texture_wrapping: str, use_bilinear: bool
) -> Tensor:
    if not obj.libraries:
        raise InputError(
            f"'{path}' names no mtllib, so it has no textures",
            hint="use load_texture=False",
        )
    materials: dict[str, _Material] = {}
    for library in obj.libraries:
        materials.update(_read_materials(path.parent / library))
    coordinates = torch.tensor(obj.coordinates, dtype=torch.float32).reshape(-1, 2)
    uv_index = torch.tensor(obj.face_coordinates)
    names = obj.face_materials
    textures = torch.full((len(names), *[texture_size] * 3, 3), _GREY)
    for name in dict.fromkeys(names):
        if (material := materials.get(name)) is None:
            continue
        mine = torch.tensor([other == name for other in names])
        if material.colour is not None:
            textures[mine] = torch.tensor(material.colour)
        mapped = mine & (uv_index >= 0).all(1)
        if material.picture is not None and mapped.any():
            uv = coordinates[uv_index[mapped]]
            image = read_image(material.picture)
            textures[mapped] = texture_cubes(
                image, uv, texture_size, texture_wrapping, use_bilinear
            )
    return textures


def _read_materials(path: Path) -> dict[str, _Material]:
    materials: dict[str, _Material] = {}
    current = _Material()
    for number, words in _lines(path):
        if words[0] == "newmtl":
            current = materials.setdefault(" ".join(words[1:]), _Material())
        elif words[0] == "Kd":
            try:
                current.colour = _numbers(words[1:], 3)
            except ValueError as error:
                raise InputError(f"'{path}' line {number}: {error}") from error
        elif words[0] == "map_Kd" and len(words) > 1:
            # Names may hold spaces; if there are options before the name, it is the last word.
            whole = path.parent / " ".join(words[1:]).replace("\\", "/")
            last = path.parent / words[-1].replace("\\", "/")
            current.picture = whole if whole.exists() else last
    return materials
