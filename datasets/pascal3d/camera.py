"""PASCAL3D+'s camera and crops: from annotated numbers to matrices.

Four public programs agree on the camera (CategoryShapes' projectp3d.m, the Python port of the
toolbox, ObjectNet3D's project_3d.m, NeMo). CAD frame: x lateral, y along the length with the front
at -y, z up; the diagonal of the model's box is 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SIZE = 224  # of a crop, as View Prior Learning's
PADDING = 0.15
# Object axes of ShapeNetCore v1 from CAD axes: x_s = -y, y_s = z, z_s = -x.
CAD_TO_OBJECT_AXES = np.array([[0.0, -1, 0], [0, 0, 1], [-1, 0, 0]])


def rotation(azimuth: float, elevation: float, theta: float) -> Array:
    """Rotation (3, 3) from the CAD frame to the camera's: x right, y down, z forward.

    Args:
        azimuth: Degrees; 0 looks at the front.
        elevation: Degrees.
        theta: Degrees; positive turns the picture counter-clockwise.

    Example:
        >>> (rotation(0, 0, 0).round(9) + 0.0).tolist()  # from -y: x right, z up, y away
        [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]
    """
    a, e, t = (math.radians(value) for value in (azimuth, elevation, theta))
    down = np.diag([1.0, -1.0, -1.0])
    return down @ _about_z(t) @ _about_x(e - math.pi / 2) @ _about_z(-a)


def centre(azimuth: float, elevation: float, distance: float) -> Array:
    """Where the camera stands (3,), CAD frame."""
    a, e = math.radians(azimuth), math.radians(elevation)
    direction = [math.cos(e) * math.sin(a), -math.cos(e) * math.cos(a), math.sin(e)]
    return distance * np.array(direction)


def world_to_camera(azimuth: float, elevation: float, theta: float, distance: float) -> Array:
    """(4, 4) float64 from the CAD frame: x right, y down, z forward."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(azimuth, elevation, theta)
    matrix[:3, 3] = -matrix[:3, :3] @ centre(azimuth, elevation, distance)
    return matrix


def intrinsics(focal: float, viewport: float, px: float, py: float) -> Array:
    """(3, 3) float64 to the annotation's pixels (MATLAB's: the middle of the first one is 1)."""
    scale = focal * viewport
    return np.array([[scale, 0, px], [0, scale, py], [0, 0, 1.0]])


def crop_box(
    left: float, top: float, width: float, height: float, picture: tuple[int, int]
) -> tuple[int, int, int, int]:
    """View Prior Learning's crop of a box: 15 % more on each side, in whole pixels, clipped.

    Args:
        left: First column, from 0.
        top: First row, from 0.
        width: Columns.
        height: Rows.
        picture: (height, width) of the picture.

    Returns:
        Left, top, right, bottom; the last two are behind the crop. It may be empty.

    Example:
        >>> crop_box(30, 20, 70, 60, (120, 160))
        (19, 11, 110, 89)
    """
    x0, x1 = int(left - PADDING * width), int(left + width + PADDING * width)
    y0, y1 = int(top - PADDING * height), int(top + height + PADDING * height)
    return max(0, x0), max(0, y0), min(x1, picture[1]), min(y1, picture[0])


def into_crop(box: tuple[int, int, int, int], size: int = SIZE) -> Array:
    """(3, 3) from the whole picture's pixels (column c covers [c, c + 1)) to those of a crop.

    Example:
        >>> (into_crop((10, 20, 122, 132)) @ [10, 20, 1]).tolist()
        [0.0, 0.0, 1.0]
    """
    left, top, right, bottom = box
    x, y = size / (right - left), size / (bottom - top)
    return np.array([[x, 0, -x * left], [0, y, -y * top], [0, 0, 1.0]])


def from_matlab() -> Array:
    """(3, 3) from MATLAB's pixels (the first spans [0.5, 1.5)) to ours (the first spans [0, 1))."""
    return np.array([[1.0, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])


def _about_z(angle: float) -> Array:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def _about_x(angle: float) -> Array:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])
