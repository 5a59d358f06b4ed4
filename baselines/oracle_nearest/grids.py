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

    They are kept in the order of their counts of cells, so that those which a bound leaves in
    lie side by side.

    Args:
        grids: (N, W) words of `pack`, N >= 1.
    """

    def __init__(self, grids: Words) -> None:
        counts = np.bitwise_count(grids).sum(1, dtype=np.int64)
        self.rows = np.argsort(counts, kind="stable")
        self.grids, self.counts = grids[self.rows], counts[self.rows]

    def best(self, query: Words) -> tuple[int, float]:
        """The first row with the largest IoU, and that; two empty grids agree.

        The smaller of two grids at most lies in the larger one, so IoU is at most the ratio of
        their counts: chunks are compared in the order of that bound, until no other can win.

        Args:
            query: (W,) words.

        Example:
            >>> rows = np.array([[0b0111], [0b1100], [0b1111]], np.uint64)
            >>> Grids(rows).best(np.array([0b0110], np.uint64))[0]
            0
        """
        own = int(np.bitwise_count(query).sum(dtype=np.int64))
        starts = np.arange(0, len(self.grids), _CHUNK)
        low = self.counts[starts]
        high = self.counts[np.minimum(starts + _CHUNK, len(self.grids)) - 1]
        bounds = np.ones(len(starts))
        bounds[own < low] = own / low[own < low]
        bounds[own > high] = high[own > high] / own
        row, value = -1, -1.0
        for chunk in np.argsort(-bounds, kind="stable").tolist():
            if bounds[chunk] < value:
                break
            part = slice(starts[chunk], starts[chunk] + _CHUNK)
            both = np.bitwise_count(self.grids[part] & query).sum(1, dtype=np.int64)
            union = self.counts[part] + own - both
            found = np.where(union > 0, both / np.maximum(union, 1), 1.0)
            here = float(found.max())
            first = int(self.rows[part][found == here].min())
            if here > value or (here == value and first < row):
                row, value = first, here
        return row, value
