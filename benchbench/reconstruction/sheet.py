"""A contact sheet: what a method was shown, what it made of it, and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchbench.core.types import Mesh
from benchbench.cuda_ops.camera import get_points_from_angles
from benchbench.cuda_ops.neural_renderer import Renderer
from benchbench.datasets.store import Store
from benchbench.reconstruction.shapes import as_mesh
from benchbench.reconstruction.strip import DISTANCE, ELEVATION, HALF_ANGLE

Picture = NDArray[np.uint8]
SIDE = 96
_STEP = 15.0  # degrees between Kato's views
_TURN = 120.0  # degrees to the second look


def contact_sheet(baseline: Any, store: Store, items: Sequence[tuple[int, int]]) -> Picture:
    """One column for each picture; from top to bottom: the picture, the reconstruction from there,
    the reconstruction from elsewhere, the truth from elsewhere.

    Args:
        baseline: Ready to predict, from pictures or without.
        store: With meshes, and Kato's rendering.
        items: (object, view of rendering "kato").

    Returns:
        (4 * 96, 96 n, 3) uint8.
    """
    columns = []
    for row, view in items:
        item = (row, view if baseline.uses_views else -1)
        (shape,) = baseline.predict_items(store, [item])
        mesh, truth = as_mesh(shape, baseline.threshold), store.mesh(row)
        assert truth is not None
        azimuth = -_STEP * view
        columns.append(
            np.concatenate(
                [
                    shown(store.image(row, view, "kato")),
                    look(mesh, azimuth),
                    look(mesh, azimuth + _TURN),
                    look(truth, azimuth + _TURN, (0.75, 0.85, 1.0)),
                ]
            )
        )
    return np.concatenate(columns, axis=1)


def look(
    mesh: Mesh, azimuth: float, colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> Picture:
    """A mesh of the object frame from Kato's distance and elevation, on white.

    Args:
        mesh: Object frame.
        azimuth: Degrees; his view k has -15 k.
        colour: Of all faces.

    Returns:
        (96, 96, 3) uint8.
    """
    renderer = Renderer(
        image_size=SIDE,
        camera_mode="look_at",
        viewing_angle=HALF_ANGLE,
        background_color=[1, 1, 1],
        light_intensity_ambient=0.45,
        light_intensity_directional=0.5,
        light_direction=[0.3, 1, -0.4],
    )
    renderer.eye = get_points_from_angles(DISTANCE, ELEVATION, azimuth)
    x, y, z = np.asarray(mesh.vertices, np.float32).T
    vertices = torch.from_numpy(np.stack([-z, y, -x], axis=1))
    faces = torch.from_numpy(np.ascontiguousarray(mesh.faces[:, ::-1], np.int32))
    white = torch.ones(1, len(faces), 2, 2, 2, 3) * torch.tensor(colour)
    with torch.no_grad():
        drawn = renderer(vertices[None], faces[None], white, mode="rgb")[0]
    found: Picture = (drawn.permute(1, 2, 0).numpy() * 255).round().clip(0, 255).astype(np.uint8)
    return found


def shown(picture: Picture) -> Picture:
    """RGBA of any size on white, 96 pixels a side."""
    from PIL import Image

    alpha = picture[..., 3:].astype(np.float32) / 255
    flat = (picture[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
    return np.asarray(Image.fromarray(flat).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
