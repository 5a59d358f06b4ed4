"""Writes Wavefront OBJ meshes; textures go into one picture with a tile for each face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.core.files import atomic_path

TILE = 16
"""Side of a face's tile in pixels."""


def save_obj(
    filename: str | Path,
    vertices: Tensor,
    faces: Tensor,
    textures: Tensor | None = None,
) -> None:
    """Saves a mesh; with textures also `<name>.mtl` and `<name>.png` beside it.

    Args:
        filename: The file; the names of the others replace its last ending.
        vertices: (V, 3).
        faces: (F, 3).
        textures: (F, T, T, T, 3) in [0, 1], T at least 2.

    Raises:
        ShapeError: An argument has another shape.
    """
    path = Path(filename)
    _check(
        "vertices",
        vertices,
        vertices.ndim == 2 and vertices.shape[1:] == (3,),
        "(V, 3)",
    )
    _check("faces", faces, faces.ndim == 2 and faces.shape[1:] == (3,), "(F, 3)")
    lines = [f"# {path.name}", "#", ""]
    corners = [f"{a} {b} {c}" for a, b, c in (faces.detach().cpu() + 1).tolist()]
    coordinates: list[str] = []
    if textures is not None:
        side = textures.shape[1] if textures.ndim == 5 else 0
        fits = tuple(textures.shape) == (len(faces), side, side, side, 3) and side >= 2
        _check("textures", textures, fits, f"({len(faces)}, T, T, T, 3) with T at least 2")
        image, uv = texture_atlas(textures.detach())
        _write_material(path, image)
        lines += [f"mtllib {path.with_suffix('.mtl').name}", ""]
        coordinates = [f"vt {u:.8f} {v:.8f}" for u, v in uv.reshape(-1, 2).tolist()]
        corners = [
            " ".join(f"{v}/{3 * i + k}" for k, v in enumerate(line.split(), 1))
            for i, line in enumerate(corners)
        ]
    lines += [f"v {x:.8f} {y:.8f} {z:.8f}" for x, y, z in vertices.detach().cpu().tolist()]
    lines += ["", *coordinates, ""]
    if textures is not None:
        lines.append("usemtl material_1")
    lines += [f"f {line}" for line in corners]
    with atomic_path(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


def texture_atlas(textures: Tensor, tile: int = TILE) -> tuple[Tensor, Tensor]:
    """Lays texture cubes out in one picture.

    Each face owns a square tile, of which the triangle (0, 0), (0, tile - 1),
    (tile - 1, tile - 1) shows it; the pixel right of the slanted edge repeats the edge.

    Args:
        textures: (F, T, T, T, 3).
        tile: Side of a tile in pixels.

    Returns:
        The picture (rows, columns, 3), top row first, and the texture coordinates (F, 3, 2) of
        the faces' corners, v = 0 at the bottom.
    """
    count, side = textures.shape[:2]
    per_row = int((count - 1) ** 0.5) + 1
    rows = (count - 1) // per_row + 1
    cubes = textures.to("cpu", torch.float32)
    steps = torch.arange(tile, dtype=torch.float32)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    parts = torch.stack((1 - y / (tile - 1), (y - x) / (tile - 1), x / (tile - 1)), -1)
    parts = parts / (parts.sum(-1, keepdim=True) + 1e-5)
    place = (parts * (side - 1)).clamp(0, side - 1 - 1e-5)
    low = place.long().clamp_max(side - 2)
    part = place - low
    tiles = torch.zeros((count, tile, tile, 3))
    for corner in range(8):
        bits = [corner >> k & 1 for k in range(3)]
        share = torch.ones(tile, tile)
        for k, bit in enumerate(bits):
            share = share * (part[..., k] if bit else 1 - part[..., k])
        i, j, k3 = (low[..., k] + bit for k, bit in enumerate(bits))
        tiles += share[:, :, None] * cubes[:, i, j, k3]
    above = torch.arange(tile - 1)
    tiles[:, above, above + 1] = tiles[:, above, above]
    sheet = torch.zeros((rows * per_row, tile, tile, 3))
    sheet[:count] = tiles
    picture = sheet.reshape(rows, per_row, tile, tile, 3).transpose(1, 2)
    picture = picture.reshape(rows * tile, per_row * tile, 3)
    face = torch.arange(count)
    start = torch.stack((face % per_row, face // per_row), -1)[:, None] * tile
    corners = torch.tensor([[0, 0], [0, tile - 1], [tile - 1, tile - 1]])
    size = torch.tensor([per_row * tile - 1, rows * tile - 1])
    return picture.flip(0), (start + corners).to(torch.float32) / size


def _write_material(path: Path, image: Tensor) -> None:
    from PIL import Image

    picture = path.with_suffix(".png")
    pixels = (image.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    with atomic_path(picture) as partial:
        Image.fromarray(np.ascontiguousarray(pixels)).save(partial, format="PNG")
    with atomic_path(path.with_suffix(".mtl")) as partial:
        partial.write_text(f"newmtl material_1\nmap_Kd {picture.name}\n", encoding="utf-8")


def _check(name: str, value: Tensor, fits: bool, expected: str) -> None:
    if not fits:
        raise ShapeError("save_obj", name, expected, tuple(value.shape))
