"""Pictures of an object: one colour a face, ambient light and two lamps, 2x2 samples a pixel.

Everything after the projection is whole-number arithmetic, so equal geometry gives equal pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.keyed import keyed_rng
from benchbench.datasets.cameras import Cameras, choy_cameras, kato_cameras
from benchbench.datasets.shapes13.generate import Shape

Array = npt.NDArray[Any]

VIEWS = 24
KATO_SIZE, CHOY_SIZE = 64, 137
SAMPLES = 2  # per pixel side

AMBIENT = 0.42
# Direction towards each lamp in the object frame, and its strength. They differ on all axes, so
# that neighbouring sides of a box never get the same grey.
LAMPS = (((0.45, 0.8, 0.25), 0.5), ((-0.2, 0.3, -0.9), 0.22), ((0.85, 0.1, 0.5), 0.12))


def kato_pictures(shape: Shape) -> tuple[Array, Cameras]:
    """The 24 views of Kato's data set: (24, 64, 64, 4) uint8 straight alpha, and the cameras.

    Example:
        >>> from benchbench.datasets.shapes13.generate import generate
        >>> pictures, cameras = kato_pictures(generate("chair", 0))
        >>> pictures.shape, cameras.world_to_camera.shape
        ((24, 64, 64, 4), (24, 4, 4))
    """
    cameras = kato_cameras(KATO_SIZE)
    return draw(shape, cameras, KATO_SIZE, KATO_SIZE), cameras


def choy_pictures(shape: Shape) -> tuple[Array, Cameras]:
    """24 random views as 3D-R2N2 draws them: (24, 137, 137, 4) uint8, and the cameras.

    3D-R2N2 renders the object with a bounding-box diagonal of 1. The cameras given here stand in
    the object frame instead (longest side 1): the whole scene is scaled, which changes no pixel,
    and the parameters stay those of 3D-R2N2.
    """
    rng = keyed_rng(shape.seed, "shapes13", "choy", shape.id)
    rows = np.zeros((VIEWS, 5))
    for row in rows:
        row[0] = 360 * rng.random()
        row[1] = 25 + 5 * rng.random()
        row[3] = 0.65 + 0.3 * rng.random()
    rows[:, 4] = 25
    cameras = choy_cameras(np.round(rows, 6), CHOY_SIZE, CHOY_SIZE)
    matrix = cameras.world_to_camera.copy()
    matrix[:, :3, 3] *= diagonal(shape.solid.vertices)
    cameras = Cameras(matrix, cameras.intrinsics, cameras.parameters)
    return draw(shape, cameras, CHOY_SIZE, CHOY_SIZE), cameras


def diagonal(vertices: Array) -> float:
    """Length of the bounding box's diagonal."""
    return float(np.linalg.norm(vertices.max(0) - vertices.min(0)))


def draw(shape: Shape, cameras: Cameras, height: int, width: int) -> Array:
    """Draws an object from many cameras.

    Args:
        shape: The object.
        cameras: K cameras in the object frame.
        height, width: Pixels.

    Returns:
        (K, H, W, 4) uint8, straight alpha, RGB 0 where alpha is 0.
    """
    import torch

    from benchbench.cuda_ops.rasterize import rasterize_maps

    screen = to_screen(shape.solid.vertices, cameras, height, width)
    faces = torch.from_numpy(screen[:, shape.solid.faces].astype(np.float32))
    rows, columns = height * SAMPLES, width * SAMPLES
    index, _, _ = rasterize_maps(faces, rows, columns, 0.1, 100.0)
    table = np.zeros((len(shape.solid.faces) + 1, 4), np.uint16)
    table[:-1, :3] = shaded(shape)
    table[:-1, 3] = 255  # the last row, index -1, is the background
    # Four 16-bit channels are looked up and added as one 64-bit number: a sum of four samples
    # stays below 1024, so nothing carries into the next channel.
    packed = table.view(np.uint64)[:, 0]
    samples = packed[index.numpy()].reshape(len(index), height, SAMPLES, width, SAMPLES)
    added = samples[:, :, 0, :, 0] + samples[:, :, 0, :, 1]
    added += samples[:, :, 1, :, 0]
    added += samples[:, :, 1, :, 1]
    total = added.view(np.uint16).reshape(len(index), height, width, 4)
    hits = total[..., 3:] // 255
    out = np.empty(total.shape, np.uint8)
    # Mean over the samples that hit the object: straight alpha.
    out[..., :3] = (2 * total[..., :3] + hits) // np.maximum(2 * hits, 1)
    out[..., 3] = (total[..., 3] + 2) // 4
    return out


def to_screen(vertices: Array, cameras: Cameras, height: int, width: int) -> Array:
    """Projects into the rasteriser's coordinates.

    Args:
        vertices: (V, 3), object frame.
        cameras: K cameras in the object frame.
        height, width: Pixels the intrinsics are meant for.

    Returns:
        (K, V, 3): x to the right and y up in [-1, 1] over the picture, depth.
    """
    rotation, shift = cameras.world_to_camera[:, :3, :3], cameras.world_to_camera[:, :3, 3]
    seen = np.einsum("kij,vj->kvi", rotation, vertices) + shift[:, None]
    focal_x, focal_y = cameras.intrinsics[:, 0, 0], cameras.intrinsics[:, 1, 1]
    centre_x, centre_y = cameras.intrinsics[:, 0, 2], cameras.intrinsics[:, 1, 2]
    depth = seen[..., 2]
    column = focal_x[:, None] * seen[..., 0] / depth + centre_x[:, None]
    row = focal_y[:, None] * seen[..., 1] / depth + centre_y[:, None]
    return np.stack([2 * column / width - 1, 1 - 2 * row / height, depth], -1)


def shaded(shape: Shape) -> Array:
    """(F, 3) uint8: the lit colour of every face, in the object frame's light."""
    corners = shape.solid.vertices[shape.solid.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)
    light = np.full(len(normal), AMBIENT)
    for direction, strength in LAMPS:
        towards = np.asarray(direction) / np.linalg.norm(direction)
        light += strength * np.clip(normal @ towards, 0, None)
    colours = np.array([shape.colours[name] for name in shape.solid.palette])
    lit = colours[shape.solid.colours] * np.minimum(light, 1.0)[:, None]
    return np.rint(255 * np.clip(lit, 0, 1)).astype(np.uint8)
