"""Drawing meshes from stored cameras: one colour a face, 2x2 samples a pixel, and depth maps.

Everything after the projection is whole-number arithmetic, so equal geometry gives equal pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Mesh
from benchbench.datasets.cameras import Cameras

Array = npt.NDArray[Any]

SAMPLES = 2  # per pixel side
AMBIENT = 0.42
# Direction towards each lamp in the object frame, and its strength. They differ on all axes, so
# that neighbouring sides of a box never get the same grey.
LAMPS = (((0.45, 0.8, 0.25), 0.5), ((-0.2, 0.3, -0.9), 0.22), ((0.85, 0.1, 0.5), 0.12))
_NEAR, _FAR = 0.05, 1000.0


def draw(mesh: Mesh, colours: Array, cameras: Cameras, height: int, width: int) -> Array:
    """Draws an object from many cameras.

    Args:
        mesh: Its surface, in the cameras' world.
        colours: (F, 3) uint8, as they shall appear (see `lit`). Backs of faces are not drawn.
        cameras: K cameras.
        height: Rows, pixels.
        width: Columns, pixels.

    Returns:
        (K, H, W, 4) uint8, straight alpha, RGB 0 where alpha is 0.

    Example:
        >>> from benchbench.datasets.cameras import kato_cameras
        >>> corner = Mesh(np.float32([[0, 0, 0], [0, 1, 0], [0, 0, -1]]), np.int32([[0, 2, 1]]))
        >>> picture = draw(corner, np.uint8([[200, 0, 0]]), kato_cameras(64), 64, 64)[0]
        >>> picture[28, 34].tolist(), picture[60, 2].tolist()
        ([200, 0, 0, 255], [0, 0, 0, 0])
    """
    index = _maps(mesh, cameras, height, width, SAMPLES)[0]
    table = np.zeros((len(mesh.faces) + 1, 4), np.uint16)
    table[:-1, :3] = colours
    table[:-1, 3] = 255  # the last row, index -1, is the background
    # Four 16-bit channels are looked up and added as one 64-bit number: a sum of four samples
    # stays below 1024, so nothing carries into the next channel.
    packed = table.view(np.uint64)[:, 0]
    samples = packed[index].reshape(len(index), height, SAMPLES, width, SAMPLES)
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


def draw_depth(mesh: Mesh, cameras: Cameras, height: int, width: int) -> Array:
    """Depth of the pixels' centres: (K, H, W) float32 in the cameras' units, inf where nothing is.

    Args:
        mesh: A surface, in the cameras' world.
        cameras: K cameras.
        height: Rows, pixels.
        width: Columns, pixels.
    """
    index, depth = _maps(mesh, cameras, height, width, 1)
    return np.where(index >= 0, depth, np.float32(np.inf))


def lit(mesh: Mesh, colours: Array) -> Array:
    """The colours of faces in the light: ambient light and three lamps fixed to the object frame.

    Args:
        mesh: A surface, in the object frame.
        colours: (F, 3) in [0, 1].

    Returns:
        (F, 3) uint8.
    """
    corners = np.asarray(mesh.vertices)[mesh.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)
    light = np.full(len(normal), AMBIENT)
    for direction, strength in LAMPS:
        towards = np.asarray(direction) / np.linalg.norm(direction)
        light += strength * np.clip(normal @ towards, 0, None)
    bright = np.asarray(colours) * np.minimum(light, 1.0)[:, None]
    return np.rint(255 * np.clip(bright, 0, 1)).astype(np.uint8)


def to_screen(vertices: Array, cameras: Cameras, height: int, width: int) -> Array:
    """Projects into the rasteriser's coordinates.

    Args:
        vertices: (V, 3), in the cameras' world.
        cameras: K cameras.
        height: Rows the intrinsics are meant for, pixels.
        width: Columns.

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


def _maps(
    mesh: Mesh, cameras: Cameras, height: int, width: int, samples: int
) -> tuple[Array, Array]:
    import torch

    from benchbench.cuda_ops.rasterize import rasterize_maps

    screen = to_screen(np.asarray(mesh.vertices), cameras, height, width)
    faces = torch.from_numpy(screen[:, np.asarray(mesh.faces)].astype(np.float32))
    index, _, depth = rasterize_maps(faces, height * samples, width * samples, _NEAR, _FAR)
    return index.numpy(), depth.numpy()
