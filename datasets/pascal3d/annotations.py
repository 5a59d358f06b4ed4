"""One annotation file of PASCAL3D+ to the instances that can be used, and why others cannot.

The rules are those of the set's readers:

- another class than the folder's: not an instance of this folder (all readers);
- no viewpoint, or azimuth, elevation and theta all 0: not annotated (RenderForCNN, PoseFromShape);
- distance 0 or absent: only coarse angles, which make no camera (the toolbox' Python port and
  CategoryShapes skip these; RenderForCNN takes the coarse angles, needing no camera);
- azimuth absent: the coarse angles; theta absent: 0 (DRC).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchbench.core.errors import InputError
from benchbench.datasets.matlab import read_mat
from benchbench.datasets.store_format import dump

_MOST_BYTES = 1 << 20  # an honest annotation has some ten thousand

NO_VIEWPOINT = "no viewpoint is annotated"
NO_ANGLES = "the viewpoint has no azimuth"
ALL_ZERO = "azimuth, elevation and theta are all 0: taken as not annotated"
NO_DISTANCE = "distance is 0 or absent: there are only coarse angles, which make no camera"


@dataclass(frozen=True)
class Pose:
    """The camera numbers of an instance (degrees; pixels as MATLAB counts them).

    Attributes:
        coarse: The angles are the coarse ones.
    """

    azimuth: float
    elevation: float
    theta: float
    distance: float
    focal: float
    px: float
    py: float
    viewport: float
    coarse: bool


@dataclass(frozen=True)
class Instance:
    """One usable annotated object.

    Attributes:
        id: "<synset>/<source>-<image>-<k>".
        synset: Its class.
        source: "pascal" or "imagenet".
        image: Name of the picture without suffix.
        pose: Its camera.
        bbox: x1, y1, x2, y2 as annotated: from 1, inclusive, perhaps outside.
        cad_index: From 1.
        truncated, occluded, difficult: 0 or 1; 0 where the field is absent.
        size: (width, height) that the annotation was made for, or None.
        original: Every number of the annotation as it stands, as JSON text (a third of the
            memory of objects).
    """

    id: str
    synset: str
    source: str
    image: str
    pose: Pose
    bbox: tuple[float, float, float, float]
    cad_index: int
    truncated: int
    occluded: int
    difficult: int
    size: tuple[int, int] | None
    original: str


@dataclass
class Found:
    """What a file, or many of them, gave."""

    instances: list[Instance] = field(default_factory=list)
    excluded: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    other_classes: int = 0


def read_annotation(
    data: bytes, name: str, synset: str, wanted: str, source: str, image: str, found: Found
) -> None:
    """Adds the instances of one file to `found`; what is wrong with one of them is noted there.

    Args:
        data: The .mat file.
        name: What to call it.
        synset: Synset of the folder's class.
        wanted: Name of the folder's class.
        source: "pascal" or "imagenet".
        image: Name of the picture without suffix.
        found: Where to put them.
    """
    label = f"{synset}/{source}-{image}"
    try:
        record = _one_struct(read_mat(data, name, _MOST_BYTES).get("record"), f"'{name}': record")
        objects = record.get("objects")
        size = _size(record.get("imgsize"), name)
        if objects is None:
            raise InputError(f"'{name}' has no objects")
    except InputError as error:
        found.failed[label] = str(error)
        return
    for number, fields in enumerate(objects if isinstance(objects, list) else [], 1):
        if not isinstance(fields, dict) or fields.get("class") != wanted:
            found.other_classes += 1
            continue
        key = f"{label}-{number}"
        try:
            reason = _reason(fields, name)
            if reason:
                found.excluded[key] = reason
                continue
            found.instances.append(
                Instance(
                    id=key,
                    synset=synset,
                    source=source,
                    image=image,
                    pose=_pose(fields, name),
                    bbox=_box(fields.get("bbox"), name),
                    cad_index=_whole(fields, "cad_index", name),
                    truncated=_flag(fields, "truncated", name),
                    occluded=_flag(fields, "occluded", name),
                    difficult=_flag(fields, "difficult", name),
                    size=size,
                    original=dump(_original(fields)),
                )
            )
        except InputError as error:
            found.failed[key] = str(error)


def _one_struct(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        raise InputError(f"{what} is no struct")
    fields: dict[str, Any] = value[0]
    return fields


def _number(fields: dict[str, Any], key: str, name: str) -> float | None:
    """A field's number; None where it is absent or empty.

    Raises:
        InputError: It is something else than one finite number.
    """
    value = fields.get(key)
    if value is None or (isinstance(value, (np.ndarray, list)) and len(value) == 0):
        return None
    if not isinstance(value, np.ndarray) or value.size != 1 or not math.isfinite(value.item()):
        raise InputError(f"'{name}': {key} is not one finite number")
    return float(value.item())


def _viewpoint(fields: dict[str, Any]) -> dict[str, Any] | None:
    value = fields.get("viewpoint")
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return value[0]
    return None


def _reason(fields: dict[str, Any], name: str) -> str:
    """Why the readers leave an instance out, or ""."""
    view = _viewpoint(fields)
    if not view:
        return NO_VIEWPOINT
    fine = _number(view, "azimuth", name) is not None
    suffix = "" if fine else "_coarse"
    azimuth = _number(view, f"azimuth{suffix}", name)
    if azimuth is None:
        return NO_ANGLES
    if not _number(view, "distance", name):
        return NO_DISTANCE
    elevation = _number(view, f"elevation{suffix}", name)
    if not azimuth and not elevation and not _number(view, "theta", name):
        return ALL_ZERO
    return ""


def _pose(fields: dict[str, Any], name: str) -> Pose:
    view = _viewpoint(fields) or {}
    coarse = _number(view, "azimuth", name) is None
    suffix = "_coarse" if coarse else ""

    def need(key: str) -> float:
        value = _number(view, key, name)
        if value is None:
            raise InputError(f"'{name}': the viewpoint has no {key}")
        return value

    pose = Pose(
        azimuth=need(f"azimuth{suffix}"),
        elevation=need(f"elevation{suffix}"),
        theta=_number(view, "theta", name) or 0.0,
        distance=need("distance"),
        focal=need("focal"),
        px=need("px"),
        py=need("py"),
        viewport=need("viewport"),
        coarse=coarse,
    )
    if min(pose.distance, pose.focal, pose.viewport) <= 0:
        raise InputError(f"'{name}': distance, focal and viewport must be positive")
    return pose


def _box(value: Any, name: str) -> tuple[float, float, float, float]:
    if not isinstance(value, np.ndarray) or value.size != 4 or not np.isfinite(value).all():
        raise InputError(f"'{name}': bbox is not four finite numbers")
    x1, y1, x2, y2 = value.ravel().astype(float).tolist()
    return x1, y1, x2, y2


def _whole(fields: dict[str, Any], key: str, name: str) -> int:
    value = _number(fields, key, name)
    if value is None or value != int(value):
        raise InputError(f"'{name}': {key} is no whole number")
    return int(value)


def _flag(fields: dict[str, Any], key: str, name: str) -> int:
    return int(bool(_number(fields, key, name)))


def _size(value: Any, name: str) -> tuple[int, int] | None:
    if not isinstance(value, np.ndarray) or value.size < 2:
        return None
    width, height = value.ravel()[:2].astype(float).tolist()
    if not (1 <= width <= 1e6 and 1 <= height <= 1e6):
        raise InputError(f"'{name}': imgsize says {width}x{height}")
    return int(width), int(height)


def _original(value: Any) -> Any:
    """The annotation as JSON: single numbers plain, arrays as lists, empty or no number as null."""
    if isinstance(value, dict):
        return {key: _original(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return _original(value[0]) if len(value) == 1 else [_original(inner) for inner in value]
    if isinstance(value, np.ndarray):
        numbers = [x if math.isfinite(x) else None for x in value.ravel(order="F").tolist()]
        return numbers[0] if len(numbers) == 1 else numbers or None
    return value
