"""A contact sheet: one row a class, to judge the set with one's own eyes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.classes import SYNSETS
from benchbench.core.files import atomic_path
from benchbench.datasets.cameras import Cameras, kato_cameras
from benchbench.datasets.shapes13.generate import Shape, generate
from benchbench.datasets.shapes13.render import draw
from benchbench.datasets.shapes13.spec import SEED

Array = npt.NDArray[Any]

VIEWS = (2, 3, 21)  # Kato's views from the front left, half left and half right
LABEL = 64  # pixels left of a row


def contact_sheet(columns: int = 10, size: int = 96, start: int = 0, seed: int = SEED) -> Array:
    """Draws the first objects of every class on white.

    Args:
        columns: Objects a class.
        size: Pixels per side of a picture.
        start: Index of the first object.
        seed: Seed of the set.

    Returns:
        (13 * size, LABEL + columns * size, 3) uint8.

    Example:
        >>> contact_sheet(columns=1, size=16).shape
        (208, 80, 3)
    """
    from PIL import Image, ImageDraw

    rows = []
    for name in SYNSETS.values():
        label = Image.new("RGB", (LABEL, size), "white")
        ImageDraw.Draw(label).text((4, size // 2 - 6), name, fill="black")
        pictures = [
            on_white(close_up(generate(name, start + k, seed), VIEWS[k % len(VIEWS)], size))
            for k in range(columns)
        ]
        rows.append(np.concatenate([np.asarray(label), *pictures], 1))
    return np.concatenate(rows)


def write_sheet(path: Path, **options: Any) -> None:
    """Writes `contact_sheet(**options)` as a PNG."""
    from PIL import Image

    picture = Image.fromarray(contact_sheet(**options))
    with atomic_path(path) as temporary:
        picture.save(temporary, format="png", optimize=True)


def close_up(shape: Shape, view: int, size: int) -> Array:
    """(size, size, 4) uint8: one of Kato's views, zoomed so that the object fills the picture."""
    cameras = kato_cameras(size)
    seen = shape.solid.vertices @ cameras.world_to_camera[view, :3, :3].T
    seen += cameras.world_to_camera[view, :3, 3]
    flat = seen[:, :2] / seen[:, 2:]
    low, high = flat.min(0), flat.max(0)
    focal = 0.94 * size / float((high - low).max())
    centre = size / 2 - focal * (low + high) / 2
    intrinsics = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1.0]])
    camera = Cameras(
        cameras.world_to_camera[view : view + 1], intrinsics[None], cameras.parameters[:1]
    )
    picture: Array = draw(shape, camera, size, size)[0]
    return picture


def on_white(picture: Array) -> Array:
    """(H, W, 4) straight alpha to (H, W, 3) over white."""
    alpha = picture[..., 3:].astype(np.uint16)
    mixed = picture[..., :3] * alpha + 255 * (255 - alpha) + 127
    return (mixed // 255).astype(np.uint8)
