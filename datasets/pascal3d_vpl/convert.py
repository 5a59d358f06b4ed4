"""One row of View Prior Learning's PASCAL3D+ files to one stored object.

DERIVED, from the programs that read these files (never compared with a genuine file): with p the
CAD frame of PASCAL3D+ (z up, front at -y, the box's diagonal is 1) and R its camera rotation,

- voxels[i, j, k] lies at p = (x: j, y: -i, z: k), over the cube [-1/2, 1/2]^3;
- the renderer's object axes are v = 2 (p_y, -p_z, -p_x), and B below leads from v back to p;
- rotation_matrices = diag(-1, -1, 1) R B;
- images_ref shows the square of side 1 around the CAD origin, seen without perspective.

The unit of the object frame is the CAD box's diagonal, since one grid must serve all objects; its
longest side is below 1 and noted, estimated from the cells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.datasets.cameras import Camera, Cameras, is_orthonormal, project
from benchbench.datasets.pascal3d.camera import CAD_TO_OBJECT_AXES, SIZE, crop_box, into_crop
from benchbench.datasets.pascal3d.convert import resized
from benchbench.datasets.records import Layout, ObjectRecord, Rendering, VoxelKind
from benchbench.datasets.shapes13.voxels import RESOLUTION, unit_grid_to_object

Array = npt.NDArray[Any]

B = np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]])  # from the renderer's axes to the CAD's
TURNED = np.diag([-1.0, -1.0, 1.0])  # the renderer mirrors both axes of its pictures
# A camera with K and [R|t] that is orthographic for our purpose: 0.006 pixels at the border.
DISTANCE = 10_000.0

_ROTATION = tuple(f"r{row}{column}" for row in range(3) for column in range(3))
CROP_PARAMETERS = (
    *_ROTATION,
    *("left", "top", "width", "height"),
    *("crop_left", "crop_top", "crop_width", "crop_height"),
    *("picture_width", "picture_height"),
    *("window_left", "window_top", "window_side"),
)

LAYOUT = Layout(
    {
        "crop": Rendering(
            SIZE,
            SIZE,
            CROP_PARAMETERS,
            "photograph, box with 15 % more on each side, Pillow's bilinear (antialiased) resize; "
            "mask is all; camera estimated",
            mode="rgb+mask",
        ),
        "ref": Rendering(
            SIZE, SIZE, _ROTATION, "images_ref; orthographic, drawn from far", mode="rgb+mask"
        ),
    },
    {
        "vpl": VoxelKind(
            RESOLUTION, unit_grid_to_object(), "as in the file; unit is the CAD box's diagonal"
        )
    },
)


def reference_camera(rotation: Array, distance: float = DISTANCE) -> tuple[Array, Array]:
    """World-to-camera (4, 4) from the CAD frame and intrinsics (3, 3) of a reference picture.

    Args:
        rotation: (3, 3), of rotation_matrices.
        distance: From where it is seen; the farther, the more orthographic.
    """
    matrix = np.eye(4)
    matrix[:3, :3] = TURNED @ rotation @ B.T
    matrix[2, 3] = distance
    focal = SIZE * distance
    return matrix, np.array([[focal, 0, SIZE / 2], [0, focal, SIZE / 2], [0, 0, 1.0]])


def to_object_axes(volume: Array) -> Array:
    """Cells as in the file to [x, y, z] of the object frame.

    Example:
        >>> volume = np.zeros((32, 32, 32), bool)
        >>> volume[1, 2, 3] = True
        >>> np.argwhere(to_object_axes(volume)).tolist()
        [[1, 3, 29]]
    """
    return np.ascontiguousarray(volume[:, ::-1, :].transpose(0, 2, 1))


def convert(
    name: str, picture: Array, reference: Array, box: Array, rotation: Array, volume: Array
) -> ObjectRecord:
    """Check one row and describe it.

    Args:
        name: "synset/file-row".
        picture: (H, W, 3) uint8, the photograph.
        reference: (224, 224, 4) uint8, colour and mask.
        box: (4,) left, top, width, height.
        rotation: (3, 3).
        volume: (32, 32, 32), not 0 where the model is.

    Raises:
        InputError: Something is no box, no rotation or empty.
    """
    if not np.isfinite(box).all() or np.abs(box).max() > 1e6 or box[2] <= 0 or box[3] <= 0:
        raise InputError(f"'{name}' has a box {box.tolist()}")
    rotation = np.asarray(rotation, np.float64)
    if not is_orthonormal(rotation):
        raise InputError(f"'{name}' has a rotation matrix that is none")
    if np.linalg.det(rotation) < 0:
        raise InputError(f"'{name}' has a mirror image for a rotation matrix")
    if not np.isin(volume, (0, 1)).all() or not volume.any():
        raise InputError(f"'{name}' has voxels that are not 0 and 1, or are all empty")
    height, width = picture.shape[:2]
    left, top, across, down = (float(value) for value in box)
    crop = crop_box(left, top, across, down, (height, width))
    if crop[0] >= crop[2] or crop[1] >= crop[3]:
        raise InputError(f"'{name}' has a box {box.tolist()} outside its {width}x{height} pixels")
    cells = to_object_axes(volume != 0)
    matrix, to_reference = reference_camera(rotation)
    seen = _seen_box(reference[..., 3], cells, Camera(matrix, to_reference))
    scale, window = _window((left, top, across, down), seen)
    to_picture = np.array([[scale, 0, window[0]], [0, scale, window[1]], [0, 0, 1.0]])
    to_crop = into_crop(crop) @ to_picture @ to_reference
    image = np.full((SIZE, SIZE, 4), 255, np.uint8)
    image[..., :3] = resized(picture, crop)
    numbers = [
        *rotation.ravel().tolist(),
        *(left, top, across, down),
        *(crop[0], crop[1], crop[2] - crop[0], crop[3] - crop[1], width, height),
        *(window[0], window[1], scale * SIZE),
    ]
    occupied = np.argwhere(cells)
    sides = occupied.max(0) - occupied.min(0) + 1
    to_object = np.eye(4)
    to_object[:3, :3] = CAD_TO_OBJECT_AXES
    return ObjectRecord(
        id=name,
        synset=name.split("/", 1)[0],
        images={"crop": image[None], "ref": np.asarray(reference)[None]},
        cameras={
            "crop": Cameras(matrix[None], to_crop[None], np.array([numbers])),
            "ref": Cameras(matrix[None], to_reference[None], rotation.reshape(1, 9)),
        },
        voxels={"vpl": cells},
        parameters={
            "longest_side": float(sides.max() / RESOLUTION),
            "longest_side_from": "estimated",
            "crop_camera_from": "mask" if (reference[..., 3] > 0).any() else "voxels",
        },
        source_to_object=to_object,
    )


def _seen_box(mask: Array, cells: Array, camera: Camera) -> tuple[float, float, float, float]:
    """Left, top, width, height of the mask, or of the projected voxels if it is empty."""
    if mask.any():
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        low = np.array([columns[0], rows[0]], np.float64)
        high = np.array([columns[-1], rows[-1]], np.float64) + 1
    else:
        points = ((np.argwhere(cells) + 0.5) / RESOLUTION - 0.5) @ CAD_TO_OBJECT_AXES
        pixels, _ = project(camera, points)
        low, high = pixels.min(0), np.maximum(pixels.max(0), pixels.min(0) + 1)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def _window(
    box: tuple[float, float, float, float], seen: tuple[float, float, float, float]
) -> tuple[float, tuple[float, float]]:
    """Photograph's pixels per reference pixel, and where the reference's corner lies there."""
    scale = float(np.sqrt(box[2] * box[3] / (seen[2] * seen[3])))
    left, top = (
        box[axis] + box[axis + 2] / 2 - scale * (seen[axis] + seen[axis + 2] / 2) for axis in (0, 1)
    )
    return scale, (left, top)
