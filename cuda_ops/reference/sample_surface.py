"""Plain twin of `sample_surface` in numpy, bit for bit: random numbers, faces, points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def philox4x32(counter: NDArray[np.uint32], key: tuple[int, int]) -> NDArray[np.uint32]:
    """Philox4x32-10 of Salmon et al. (SC 2011), for many counters at once.

    Args:
        counter: (N, 4) uint32.
        key: Two 32-bit words.

    Returns:
        (N, 4) uint32 random words.

    Example:
        The first known answer that Random123 publishes:

        >>> import numpy as np
        >>> words = philox4x32(np.zeros((1, 4), np.uint32), (0, 0))
        >>> " ".join(f"{word:08x}" for word in words[0])
        '6627e8d5 e169c58d bc57ac4c 9b00dbd8'
    """
    c0, c1, c2, c3 = counter.astype(np.uint64).T
    k0, k1 = key
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (
            (p1 >> _SHIFT) ^ c1 ^ np.uint64(k0),
            p1 & _LOW,
            (p0 >> _SHIFT) ^ c3 ^ np.uint64(k1),
            p0 & _LOW,
        )
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


def double_areas(vertices: NDArray[np.float32], faces: NDArray[np.int64]) -> NDArray[np.float64]:
    """Twice the area of every face.

    Args:
        vertices: (V, 3) float32.
        faces: (F, 3) int64 in [0, V).

    Returns:
        (F,) float64; not finite where a corner is not.
    """
    a, b, c = (vertices.astype(np.float64)[faces[:, k]] for k in range(3))
    (ux, uy, uz), (vx, vy, vz) = (b - a).T, (c - a).T
    x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    areas: NDArray[np.float64] = np.sqrt(x * x + y * y + z * z)
    return areas


def sample_surface(
    vertices: NDArray[np.float32],
    faces: NDArray[np.int64],
    areas: NDArray[np.float64],
    count: int,
    seed: int,
    key: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Area-weighted points on a mesh; see `benchbench.cuda_ops.sample_surface`.

    Args:
        vertices: (V, 3) float32.
        faces: (F, 3) int64 in [0, V).
        areas: (F,) from `double_areas`, finite, not all 0.
        count: Number of points N.
        seed: 64 bits.
        key: 64 bits that stand for the object.

    Returns:
        points (N, 3) float32, face_index (N,) int64.
    """
    # Areas become integers before they are added, so that no order of addition matters.
    bits = (len(faces) - 1).bit_length()
    weights = (areas / areas.max() * float(1 << (62 - bits))).astype(np.uint64)
    ends = np.cumsum(weights, dtype=np.uint64)

    number = np.arange(count, dtype=np.uint64)
    object_words = (np.full(count, word, np.uint64) for word in (key & 0xFFFFFFFF, key >> 32))
    counter = np.stack([number & _LOW, number >> _SHIFT, *object_words], axis=1)
    words = philox4x32(counter.astype(np.uint32), (seed & 0xFFFFFFFF, seed >> 32))
    high, low, first, second = words.astype(np.uint64).T
    face = np.searchsorted(ends, _multiply_high(high, low, ends[-1]), side="right")

    s = np.sqrt((first + 0.5) * 2.0**-32)[:, None]
    r = ((second + 0.5) * 2.0**-32)[:, None]
    a, b, c = (vertices.astype(np.float64)[faces[face, k]] for k in range(3))
    points = (1.0 - s) * a + s * (1.0 - r) * b + s * r * c
    return points.astype(np.float32), face.astype(np.int64)


def _multiply_high(
    high: NDArray[np.uint64], low: NDArray[np.uint64], factor: np.uint64
) -> NDArray[np.uint64]:
    """Upper 64 bits of (high * 2^32 + low) * factor, for 32-bit halves."""
    f_high, f_low = factor >> _SHIFT, factor & _LOW
    middle = high * f_low + ((low * f_low) >> _SHIFT)
    carried = (low * f_high + (middle & _LOW)) >> _SHIFT
    product: NDArray[np.uint64] = high * f_high + (middle >> _SHIFT) + carried
    return product
