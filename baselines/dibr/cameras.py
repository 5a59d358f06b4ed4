"""The cameras of a data set as DIB-R's renderer takes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchbench.core.errors import UsageError

FIELD_OF_VIEW = 30.0
"""Degrees, both ways; the authors use it whatever the data says."""
_TURNING_ERROR = 1e-3  # what an honest matrix in 32 bits keeps
_FLIP = np.diag([1.0, -1.0, -1.0])  # x right, y down, z forward to x right, y up, z backward


def renderer_camera(
    world_to_camera: NDArray[np.float64], source_to_object: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cameras for points of the object frame.

    Args:
        world_to_camera: (..., 4, 4) from the source's frame; x right, y down, z forward.
        source_to_object: (4, 4) from that frame to the object frame: any similarity.

    Returns:
        Rotations (..., 3, 3), rows x right, y up, z backward, and the cameras' centres (..., 3),
        float32.

    Raises:
        UsageError: The matrices are no similarities, or mirror.

    Example:
        >>> rotation, centre = renderer_camera(
        ...     np.array([[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 3], [0, 0, 0, 1]]), np.eye(4))
        >>> bool((rotation == np.eye(3)).all()), (centre + 0).tolist()
        (True, [0.0, 0.0, 3.0])
    """
    matrix = world_to_camera @ np.linalg.inv(source_to_object)
    scale = np.cbrt(np.linalg.det(matrix[..., :3, :3]))[..., None]
    # A picture does not change when the camera's frame is scaled.
    turn = matrix[..., :3, :3] / np.where(scale > 0, scale, np.nan)[..., None]
    if not np.abs(turn @ turn.swapaxes(-1, -2) - np.eye(3)).max() < _TURNING_ERROR:
        raise UsageError("a camera of this data set mirrors or shears the object frame")
    shift = matrix[..., :3, 3] / scale
    centre = -(turn.swapaxes(-1, -2) @ shift[..., None])[..., 0]
    return (_FLIP @ turn).astype(np.float32), centre.astype(np.float32)


def renderer_cameras(
    store: Any, rendering: str, indices: Sequence[int], views: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """All cameras of some objects.

    Args:
        store: The data set.
        rendering: Name of its rendering.
        indices: Rows of the objects, N.
        views: Cameras of each, K.

    Returns:
        Rotations (N, K, 3, 3) and centres (N, K, 3) float32.

    Raises:
        UsageError: An object has another number of views, or a lens is not the method's.
    """
    rotations = np.empty((len(indices), views, 3, 3), np.float32)
    centres = np.empty((len(indices), views, 3), np.float32)
    size = store.picture_size(rendering)
    for row, index in enumerate(indices):
        if store.view_count(index, rendering) != views:
            raise UsageError(
                f"object '{store.object_ids[index]}' has {store.view_count(index, rendering)} "
                f"views in rendering '{rendering}' and the first object {views}",
                hint=f"renderings there: {', '.join(store.renderings)}",
            )
        cameras = [store.camera(index, view, rendering) for view in range(views)]
        lenses = np.stack([camera.intrinsics for camera in cameras])
        check_lens(lenses, size, f"rendering '{rendering}' of '{store.id}'")
        matrices = np.stack([camera.world_to_camera for camera in cameras])
        rotations[row], centres[row] = renderer_camera(matrices, store.source_to_object(index))
    return rotations, centres


def check_lens(intrinsics: NDArray[np.float64], size: tuple[int, int], where: str) -> None:
    """Refuses a lens other than 30 degrees on a square picture, its middle in the middle.

    Args:
        intrinsics: (..., 3, 3), pixels.
        size: (height, width) of the picture, pixels.
        where: For the message.

    Raises:
        UsageError: It is another one.
    """
    height, width = size
    focal = width / 2 / math.tan(math.radians(FIELD_OF_VIEW / 2))
    wanted = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    if height != width or not np.allclose(intrinsics, wanted, rtol=0, atol=width / 100):
        raise UsageError(
            f"{where} has cameras of another lens: 'dibr' renders with a field of view of "
            f"{FIELD_OF_VIEW:g} degrees",
            hint="of shapes13 and ShapeNet the rendering 'kato' has it: --set rendering=kato",
        )
