"""The mask of an instance: VOC's segmentation where it has one, else the CAD model's silhouette."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.core.types import Mesh
from benchbench.datasets.cameras import Cameras
from benchbench.datasets.drawing import draw_depth
from benchbench.datasets.pictures import decode_png

Array = npt.NDArray[Any]
Box = tuple[int, int, int, int]

# Numbers of the classes in VOC's SegmentationClass pictures.
VOC_NUMBERS = {
    "aeroplane": 1, "bicycle": 2, "boat": 4, "bottle": 5, "bus": 6, "car": 7, "chair": 9,
    "diningtable": 11, "motorbike": 14, "sofa": 18, "train": 19, "tvmonitor": 20,
}  # fmt: skip
VOID = 255
_LEAST_IOU = 0.5


def voc_colours() -> Array:
    """(256, 3) uint8: VOC's colour of every number, bits of the number spread over R, G and B.

    Example:
        >>> voc_colours()[[1, 7, 255]].tolist()
        [[128, 0, 0], [128, 128, 128], [224, 224, 192]]
    """
    numbers = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for step in range(3):
        for channel in range(3):
            bit = numbers >> (3 * step + channel) & 1
            colours[:, channel] |= (bit << (7 - step)).astype(np.uint8)
    return colours


def read_numbers(data: bytes, name: str, size: tuple[int, int]) -> Array:
    """(H, W) uint8 numbers of a VOC segmentation picture.

    Raises:
        InputError: No PNG of that (height, width), or with colours that are not VOC's.
    """
    colours = decode_png(data, name, size)[..., :3]
    numbers = np.zeros(size, np.uint8)
    for step in range(3):
        for channel in range(3):
            if 3 * step + channel < 8:
                bit = colours[..., channel] >> (7 - step) & 1
                numbers |= (bit << (3 * step + channel)).astype(np.uint8)
    if (voc_colours()[numbers] != colours).any():
        raise InputError(f"'{name}' has colours that are not those of VOC's segmentations")
    return numbers


def voc_mask(objects: Array, classes: Array | None, number: int, box: Box) -> Array | None:
    """The object of a segmentation that an annotated box means.

    Args:
        objects: (H, W) uint8 numbers of SegmentationObject.
        classes: The same of SegmentationClass, or None.
        number: The class.
        box: Left, top, right, bottom of the annotated box, from 0, the last two behind it.

    Returns:
        (H, W) bool: the object of that class whose box fits best, or None where none reaches an
        IoU of 0.5 (the order of annotated objects is not known to be VOC's).
    """
    best, mask = _LEAST_IOU, None
    for index in np.unique(objects):
        if index in (0, VOID):
            continue
        here = objects == index
        if classes is not None and 2 * (classes[here] == number).sum() <= here.sum():
            continue
        rows, columns = np.flatnonzero(here.any(1)), np.flatnonzero(here.any(0))
        other = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        overlap = _box_iou(box, other)
        if overlap >= best:
            best, mask = overlap, here
    return mask


def _box_iou(one: Box, other: Box) -> float:
    sides = [min(one[n + 2], other[n + 2]) - max(one[n], other[n]) for n in (0, 1)]
    common = max(0, sides[0]) * max(0, sides[1])
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return common / (sum(areas) - common)


def silhouette(mesh: Mesh, world_to_camera: Array, intrinsics: Array, size: int) -> Array:
    """(size, size) bool: pixels whose middle a mesh covers, whichever way its faces are wound.

    Args:
        mesh: In the camera's world.
        world_to_camera: (4, 4); may scale.
        intrinsics: (3, 3), pixels.
        size: Rows and columns.
    """
    faces = np.concatenate([mesh.faces, mesh.faces[:, ::-1]])
    matrix = world_to_camera.copy()
    # Only directions matter; at depth 1 the rasteriser's near and far planes are out of the way.
    matrix[:3] /= max(abs(matrix[2, 3]), 1e-9)
    cameras = Cameras(matrix[None], intrinsics[None], np.zeros((1, 0)))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        depth = draw_depth(Mesh(mesh.vertices, faces), cameras, size, size)
    return np.isfinite(depth[0])
