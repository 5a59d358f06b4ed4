"""The training grid with the best IoU, found without comparing with all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
_CHUNK = 512  # grids compared at once: 2 MB of bits, which fit a processor's cache


def pack(grid: NDArray[np.bool_]) -> Words:
    """A grid's cells as 64-bit words.

    Example:
        >>> pack(np.ones((4, 4, 4), bool)).tolist() == [2**64 - 1]
        True
    """
    bits = np.packbits(grid.reshape(-1))
    padded = np.zeros(-(-len(bits) // 8) * 8, np.uint8)
    padded[: len(bits)] = bits
    words: Words = padded.view(np.uint64)
    return words


class Grids:
    """Packed grids of one size, to be searched.

    Args:
        grids: (N, W) words of `pack`, N >= 1.
    """

    def __init__(self, grids: Words) -> None:
        self.grids = grids
        self.counts = np.bitwise_count(grids).sum(1, dtype=np.int64)

    def best(self, query: Words) -> tuple[int, float]:
        """The first row with the largest IoU, and that; two empty grids agree.

        The smaller of two grids at most lies in the larger one, so IoU is at most the ratio of
        their counts: rows are compared in the order of that bound, until no other can win.

        Args:
            query: (W,) words.

        Example:
            >>> rows = np.array([[0b0111], [0b1100], [0b1111]], np.uint64)
            >>> Grids(rows).best(np.array([0b0110], np.uint64))[0]
            0
        """
        own = int(np.bitwise_count(query).sum(dtype=np.int64))
        smaller, larger = np.minimum(self.counts, own), np.maximum(self.counts, own)
        bounds = np.where(larger > 0, smaller / np.maximum(larger, 1), 1.0)
        order = np.argsort(-bounds, kind="stable")
        row, value = -1, -1.0
        for start in range(0, len(order), _CHUNK):
            rows = order[start : start + _CHUNK]
            if bounds[rows[0]] < value:
                break
            both = np.bitwise_count(self.grids[rows] & query).sum(1, dtype=np.int64)
            union = self.counts[rows] + own - both
            found = np.where(union > 0, both / np.maximum(union, 1), 1.0)
            here = float(found.max())
            first = int(rows[found == here].min())
            if here > value or (here == value and first < row):
                row, value = first, here
        return row, value
