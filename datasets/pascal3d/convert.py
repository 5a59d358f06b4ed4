"""One annotated instance of PASCAL3D+ to one stored object."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchbench.core.errors import InputError
from benchbench.datasets.cameras import Cameras
from benchbench.datasets.pascal3d.annotations import Instance
from benchbench.datasets.pascal3d.cads import Cad
from benchbench.datasets.pascal3d.camera import (
    SIZE,
    crop_box,
    from_matlab,
    into_crop,
    intrinsics,
    world_to_camera,
)
from benchbench.datasets.pascal3d.masks import (
    VOC_NUMBERS,
    Box,
    read_numbers,
    silhouette,
    voc_mask,
)
from benchbench.datasets.pascal3d.spec import CLASSES
from benchbench.datasets.pictures import decode_jpeg
from benchbench.datasets.records import Layout, ObjectRecord, Rendering
from benchbench.datasets.shapes13.voxels import RESOLUTION, VOXEL_KINDS
from benchbench.datasets.store_format import unpack_voxels

Array = npt.NDArray[Any]

PARAMETERS = (
    "azimuth",
    "elevation",
    "theta",
    "distance",
    "focal",
    "px",
    "py",
    "viewport",
    "coarse",
    "bbox_x1",
    "bbox_y1",
    "bbox_x2",
    "bbox_y2",
    "truncated",
    "occluded",
    "difficult",
    "cad_index",
    "crop_left",
    "crop_top",
    "crop_width",
    "crop_height",
    "picture_width",
    "picture_height",
)

LAYOUT = Layout(
    {
        "crop": Rendering(
            SIZE,
            SIZE,
            PARAMETERS,
            "photograph, box with 15 % more on each side, Pillow's bilinear (antialiased) resize",
            mode="rgb+mask",
        )
    },
    {"kato": VOXEL_KINDS["kato"]},
)


def convert(
    instance: Instance, photograph: bytes, cad: Cad, segmentation: tuple[bytes | None, bytes | None]
) -> ObjectRecord:
    """Cut out, mask and describe one instance.

    Args:
        instance: Its annotation.
        photograph: The JPEG file.
        cad: The model it names.
        segmentation: VOC's SegmentationObject and SegmentationClass files of the picture.

    Raises:
        InputError: The photograph, its box or its segmentation is broken.
    """
    name = f"{instance.source}-{instance.image}"
    picture = decode_jpeg(photograph, name)
    height, width = picture.shape[:2]
    if instance.size not in (None, (width, height)):
        wanted = "x".join(map(str, instance.size or ()))
        raise InputError(f"'{name}' is {width}x{height} pixels, annotated for {wanted}")
    box = whole_box(instance.bbox, (height, width), name)
    crop = crop_box(box[0], box[1], box[2] - box[0], box[3] - box[1], (height, width))
    pose = instance.pose
    matrix = world_to_camera(pose.azimuth, pose.elevation, pose.theta, pose.distance)
    to_pixels = intrinsics(pose.focal, pose.viewport, pose.px, pose.py)
    to_crop = into_crop(crop) @ from_matlab() @ to_pixels
    mask, kind = _mask(instance, cad, segmentation, matrix, to_crop, box, crop, (height, width))
    image = np.concatenate([resized(picture, crop), mask[..., None]], -1)
    numbers = [
        *(pose.azimuth, pose.elevation, pose.theta, pose.distance),
        *(pose.focal, pose.px, pose.py, pose.viewport, float(pose.coarse)),
        *instance.bbox,
        *(instance.truncated, instance.occluded, instance.difficult, instance.cad_index),
        *(crop[0], crop[1], crop[2] - crop[0], crop[3] - crop[1], width, height),
    ]
    return ObjectRecord(
        id=instance.id,
        synset=instance.synset,
        images={"crop": image[None]},
        cameras={"crop": Cameras(matrix[None], to_crop[None], np.array([numbers], np.float64))},
        voxels={"kato": unpack_voxels(cad.bits, RESOLUTION)},
        parameters={
            "source": instance.source,
            "image": instance.image,
            "cad": cad.name,
            "mask": kind,
            "annotation": json.loads(instance.original),
        },
        source_to_object=cad.cad_to_object,
        shared_mesh=cad.key,
    )


def whole_box(bbox: tuple[float, float, float, float], size: tuple[int, int], name: str) -> Box:
    """An annotated box, rounded and clipped as DRC does: left, top, right, bottom from 0.

    Raises:
        InputError: Nothing of it is within the picture.

    Example:
        >>> whole_box((1.4, -3, 20.5, 30), (25, 40), "a")
        (0, 0, 21, 25)
    """
    height, width = size
    x1, y1, x2, y2 = (math.floor(value + 0.5) for value in bbox)  # MATLAB's round, if positive
    left, top, right, bottom = max(x1, 1) - 1, max(y1, 1) - 1, min(x2, width), min(y2, height)
    if left >= right or top >= bottom:
        raise InputError(f"'{name}' has a box {list(bbox)} outside its {width}x{height} pixels")
    return left, top, right, bottom


def resized(picture: Array, crop: Box, size: int = SIZE) -> Array:
    """A part of a picture at another size: Pillow's bilinear resize, as scipy's imresize was.

    Args:
        picture: (H, W) or (H, W, 3) uint8.
        crop: Left, top, right, bottom.
        size: Rows and columns of the result; the part's aspect ratio is not kept.
    """
    part = np.ascontiguousarray(picture[crop[1] : crop[3], crop[0] : crop[2]])
    return np.array(Image.fromarray(part).resize((size, size), Image.Resampling.BILINEAR))


def _mask(
    instance: Instance,
    cad: Cad,
    segmentation: tuple[bytes | None, bytes | None],
    matrix: Array,
    to_crop: Array,
    box: Box,
    crop: Box,
    size: tuple[int, int],
) -> tuple[Array, str]:
    """(224, 224) uint8, 0 or 255, and "voc" or "cad"."""
    if segmentation[0] is not None:
        number = VOC_NUMBERS[CLASSES[instance.synset]]
        objects = read_numbers(segmentation[0], f"SegmentationObject/{instance.image}.png", size)
        classes = None
        if segmentation[1] is not None:
            classes = read_numbers(segmentation[1], f"SegmentationClass/{instance.image}.png", size)
        found = voc_mask(objects, classes, number, box)
        if found is not None:
            soft = resized(found.astype(np.uint8) * 255, crop)
            return np.where(soft >= 128, 255, 0).astype(np.uint8), "voc"
    from_object = matrix @ np.linalg.inv(cad.cad_to_object)
    drawn = silhouette(cad.mesh, from_object, to_crop, SIZE)
    return drawn.astype(np.uint8) * 255, "cad"
