"""Shared by the examples: arguments, shapes made by code, and moving pictures."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import benchbench.cuda_ops.neural_renderer as nr

FRAME = 160
"""Side of the frames that are written."""


def arguments(about: str, output: str) -> argparse.Namespace:
    """Command line of an example.

    `data` is a folder with the original authors' files, which do not travel with this project.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--output", type=Path, default=Path(output), help="GIF to write")
    parser.add_argument("--data", type=Path, help="folder with the original authors' files")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", type=int, default=300, help="at most")
    return parser.parse_args()


def load(options: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """The authors' teapot from `--data`, else a knot: vertices (1, V, 3), faces (1, F, 3)."""
    if options.data is not None:
        vertices, faces = nr.load_obj(find(options.data, "teapot.obj"))
    else:
        vertices, faces = knot()
    return vertices[None].to(options.device), faces[None].to(options.device)


def find(folder: Path, name: str) -> Path:
    """A file somewhere below a folder."""
    return next(iter(sorted(folder.rglob(name))), folder / name)


def knot(along: int = 120, around: int = 12, thickness: float = 0.14) -> tuple[Tensor, Tensor]:
    """A trefoil knot with longest side 2, faces counter-clockwise from outside."""
    t = torch.arange(along) * (2 * math.pi / along)
    line = torch.stack(
        (
            torch.sin(t) + 2 * torch.sin(2 * t),
            torch.cos(t) - 2 * torch.cos(2 * t),
            -torch.sin(3 * t),
        ),
        dim=-1,
    )
    line = line / 3.2
    ahead = torch.nn.functional.normalize(line.roll(-1, 0) - line.roll(1, 0), dim=-1)
    side = torch.linalg.cross(ahead, torch.tensor([[0.0, 0, 1]]).expand_as(ahead), dim=-1)
    side = torch.nn.functional.normalize(side, dim=-1)
    up = torch.linalg.cross(side, ahead, dim=-1)
    angle = torch.arange(around) * (2 * math.pi / around)
    circle = (
        side[:, None] * torch.cos(angle)[:, None] + up[:, None] * torch.sin(angle)[:, None]
    ) * thickness
    vertices = (line[:, None] + circle).reshape(-1, 3)
    vertices = vertices - (vertices.amax(0) + vertices.amin(0)) / 2
    vertices = vertices * (2 / (vertices.amax(0) - vertices.amin(0)).max())
    return vertices, _tube(along, around)


def _tube(along: int, around: int) -> Tensor:
    """Faces of a closed tube of rings."""
    ring, step = torch.meshgrid(torch.arange(along), torch.arange(around), indexing="ij")
    a = ring * around + step
    b = (ring + 1) % along * around + step
    c = (ring + 1) % along * around + (step + 1) % around
    d = ring * around + (step + 1) % around
    return (
        torch.stack((torch.stack((a, b, c), -1), torch.stack((a, c, d), -1)), 2)
        .reshape(-1, 3)
        .int()
    )


def sphere(rings: int = 24, around: int = 48) -> tuple[Tensor, Tensor]:
    """A sphere of radius 1, faces counter-clockwise from outside."""
    down = torch.arange(1, rings) * (math.pi / rings)
    turn = torch.arange(around) * (2 * math.pi / around)
    ring = torch.stack(
        (
            torch.sin(down)[:, None] * torch.cos(turn),
            torch.cos(down)[:, None].expand(-1, around),
            -torch.sin(down)[:, None] * torch.sin(turn),
        ),
        dim=-1,
    ).reshape(-1, 3)
    poles = torch.tensor([[0.0, 1, 0], [0.0, -1, 0]])
    top, bottom, faces = len(ring), len(ring) + 1, []
    for k in range(around):
        after = (k + 1) % around
        faces.append([top, k, after])
        last = (rings - 2) * around
        faces.append([bottom, last + after, last + k])
        for r in range(rings - 2):
            a, b = r * around + k, r * around + after
            faces += [[a, a + around, b], [b, a + around, b + around]]
    return torch.cat((ring, poles)), torch.tensor(faces, dtype=torch.int32)


def write_gif(path: Path, frames: list[Tensor], seconds: float = 4.0) -> None:
    """Writes pictures (H, W) or (3, H, W) in [0, 1] as a GIF that repeats for ever."""
    pictures = []
    for frame in frames:
        values = frame.detach().cpu().clamp(0, 1)
        values = values.expand(3, *values.shape) if values.ndim == 2 else values
        array = (values.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        picture = Image.fromarray(np.ascontiguousarray(array))
        picture = picture.resize((FRAME, FRAME), Image.Resampling.LANCZOS)
        pictures.append(picture.quantize(64))
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], loop=0,
        duration=round(1000 * seconds / len(pictures)), optimize=True,
    )  # fmt: skip


def read_picture(path: Path, device: str) -> Tensor:
    """A picture file as (3, H, W) float32 in [0, 1]."""
    with Image.open(path) as image:
        array = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(array.transpose(2, 0, 1).copy()).to(device)
