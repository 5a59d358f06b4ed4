"""The domains of learn3D: into which bin of viewpoints a picture falls."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from benchbench.core.errors import UsageError

_EULER_WIDTH = 45.0
_ELEVATION_RANGE = (-20.0, 60.0)  # lowest, and how far up from there
_EULER_BINS = int(360 / _EULER_WIDTH)


def viewpoint_bins(
    azimuth: NDArray[np.float64],
    elevation: NDArray[np.float64],
    azimuth_width: float = 15.0,
    elevation_width: float = 20.0,
) -> NDArray[np.int64]:
    """Bins of LSM's viewpoints: azimuth -180 to 180, elevation -20 to 40 degrees.

    Args:
        azimuth: (N,) degrees.
        elevation: (N,) degrees.
        azimuth_width: Degrees a bin.
        elevation_width: Degrees a bin.

    Returns:
        (N,) below `viewpoint_bin_count`.

    Raises:
        UsageError: A viewpoint lies outside that range.

    Example:
        >>> viewpoint_bins(np.array([-180.0, 180.0]), np.array([-20.0, 40.0])).tolist()
        [0, 71]
    """
    azimuth = np.where(azimuth == 180, 179.9, azimuth)
    elevation = np.where(elevation == 40, 39.9, elevation)
    a = np.floor((azimuth + 180) / azimuth_width)
    e = np.floor((elevation - _ELEVATION_RANGE[0]) / elevation_width)
    columns = math.ceil(_ELEVATION_RANGE[1] / elevation_width)
    outside = (a < 0) | (a >= math.ceil(360 / azimuth_width)) | (e < 0) | (e >= columns)
    if outside.any() or not np.isfinite(a + e).all():
        n = int(np.argmax(outside | ~np.isfinite(a + e)))
        raise UsageError(
            f"azimuth {azimuth.flat[n]}, elevation {elevation.flat[n]} lies outside "
            "-180 to 180, -20 to 40"
        )
    return (a * columns + e).astype(np.int64)


def viewpoint_bin_count(azimuth_width: float = 15.0, elevation_width: float = 20.0) -> int:
    """Number of bins.

    Example:
        >>> viewpoint_bin_count(), viewpoint_bin_count(15, 10)
        (72, 144)
    """
    return math.ceil(360 / azimuth_width) * math.ceil(_ELEVATION_RANGE[1] / elevation_width)


def rotation_bins(
    rotations: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bins of PASCAL3D+'s rotations: 45 degrees of each Euler angle, of those that occur.

    Args:
        rotations: (N, 3, 3).

    Returns:
        bins (N,) numbered from 0 without gaps, and the raw number (K,) of each bin: which of the
        512 cells of angles (extrinsic, about y, z, x) it is. Both depend on the pictures at hand.

    Example:
        >>> bins, raw = rotation_bins(np.stack([np.eye(3), np.diag([-1.0, -1.0, 1.0]), np.eye(3)]))
        >>> bins.tolist(), len(raw)
        ([0, 1, 0], 2)
    """
    angles = euler_angles(rotations)
    angles = np.where(np.abs(angles) == 180, np.sign(angles) * 179.9, angles)
    cells = np.floor((angles + 180) / _EULER_WIDTH).astype(np.int64)
    raw = (cells[:, 0] * _EULER_BINS + cells[:, 1]) * _EULER_BINS + cells[:, 2]
    occupied, bins = np.unique(raw, return_inverse=True)
    return bins.reshape(-1).astype(np.int64), occupied


def euler_angles(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) degrees about the fixed axes y, z, x of (N, 3, 3) rotations, as scipy has them."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(rotations).as_euler("yzx", degrees=True)
