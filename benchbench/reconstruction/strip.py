"""A shape from 16 sides, as Kato's reconstruct.py draws it (kato.md 9)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from benchbench.core.types import Mesh
from benchbench.cuda_ops.camera import get_points_from_angles
from benchbench.cuda_ops.neural_renderer import Renderer

VIEWS, SIDE, ROWS = 16, 64, 4
DISTANCE, ELEVATION, HALF_ANGLE = 2.732, 30.0, 15.0


def strip_of_object(mesh: Mesh) -> NDArray[np.uint8]:
    """The strip of a mesh in the object frame; Kato's own frame is its mirror image.

    Args:
        mesh: Object frame, longest side about 1, centred.

    Returns:
        (256, 256, 3) uint8.

    Example:
        >>> corners = np.array([[-0.4, -0.4, 0], [0.4, -0.4, 0], [0, 0.4, 0]], np.float32)
        >>> strip = strip_of_object(Mesh(corners, np.array([[0, 1, 2]], np.int32)))
        >>> strip.shape, bool(strip.any())
        ((256, 256, 3), True)
    """
    x, y, z = np.asarray(mesh.vertices, np.float32).T
    return tile(views_of(np.stack([-z, y, -x], axis=1), mesh.faces[:, ::-1]))


def views_of(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """A mesh in Kato's frame from 16 sides.

    Azimuth 22.5 i degrees, elevation 30, distance 2.732; white, half ambient light and half from
    above, flat shading, both sides of faces, on black, means of 2 x 2 pixels.

    Args:
        vertices: (V, 3).
        faces: (F, 3).

    Returns:
        (16, 3, 64, 64) float32 in [0, 1].
    """
    renderer = Renderer(
        image_size=SIDE,
        camera_mode="look_at",
        viewing_angle=HALF_ANGLE,
        light_intensity_ambient=0.5,
        light_intensity_directional=0.5,
        light_direction=[0, 1, 0],
    )
    corners = torch.from_numpy(np.ascontiguousarray(vertices, np.float32))
    triangles = torch.from_numpy(np.ascontiguousarray(faces, np.int32))
    white = torch.ones(1, len(triangles), 2, 2, 2, 3)
    drawn = []
    with torch.no_grad():
        for view in range(VIEWS):
            renderer.eye = get_points_from_angles(DISTANCE, ELEVATION, 360.0 / VIEWS * view)
            drawn.append(renderer(corners[None], triangles[None], white, mode="rgb")[0])
    return torch.stack(drawn).numpy()


def tile(views: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Pictures as a square of rows: (16, 3, 64, 64) in [0, 1] to (256, 256, 3) uint8, truncated."""
    count, channels, height, width = views.shape
    rows = views.reshape(count // ROWS, ROWS, channels, height, width)
    picture = rows.transpose(0, 3, 1, 4, 2).reshape(count // ROWS * height, ROWS * width, channels)
    return (picture * 255).clip(0, 255).astype(np.uint8)
