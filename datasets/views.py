"""Pictures of a store as a torch `Dataset`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from benchbench.core.errors import UsageError
from benchbench.datasets.store import Store


class ViewDataset(Dataset[dict[str, Any]]):
    """One item per view of the given objects, object-major and view-minor.

    Each item is a dict: `image` uint8 tensor (4, H, W), straight alpha; `object` row of the
    object; `view` its view; `class` position in `Store.classes`. A `DataLoader` asks for a whole
    batch at once, which is read in the order of the file; `ViewLoader` is faster still.

    Args:
        path: The store's HDF5 file (or a `Store`, whose file and split are used).
        indices: (n,) rows of objects, as from `Store.indices`.
        rendering: Name of the rendering; None for the default one.

    Raises:
        UsageError: The rendering holds depth; `Store.depth` gives that.
    """

    def __init__(
        self, path: str | Path | Store, indices: Sequence[int], rendering: str | None = None
    ) -> None:
        self.store = path if isinstance(path, Store) else Store(path)
        self.rendering = rendering or self.store.default_rendering
        if self.store.mode(self.rendering) == "depth":
            raise UsageError(f"rendering '{self.rendering}' holds depth, no pictures")
        rows = np.asarray(indices, np.int64)
        counts = self.store.view_counts(self.rendering)[rows]
        self._objects = np.repeat(rows, counts)
        starts = np.cumsum(counts) - counts
        self._views = np.arange(len(self._objects)) - np.repeat(starts, counts)

    def __len__(self) -> int:
        return len(self._objects)

    def __getitem__(self, item: int) -> dict[str, Any]:
        return self.__getitems__([item])[0]

    def __getitems__(self, items: Sequence[int]) -> list[dict[str, Any]]:
        """Many items, read in the order of the file."""
        images, numbers = self.batch(items)
        tensors = torch.from_numpy(images).permute(0, 3, 1, 2)
        columns = [numbers[name].tolist() for name in ("object", "view", "class")]
        return [
            {"image": image, "object": row, "view": view, "class": kind}
            for image, row, view, kind in zip(tensors, *columns, strict=True)
        ]

    def batch(
        self, items: Sequence[int], out: npt.NDArray[np.uint8] | None = None
    ) -> tuple[npt.NDArray[np.uint8], dict[str, npt.NDArray[np.int64]]]:
        """Many items as arrays: pictures (B, H, W, 4), and `object`, `view`, `class` (B,).

        Args:
            items: Their numbers.
            out: Where the pictures go.
        """
        chosen = np.asarray(items, np.int64)
        rows, views = self._objects[chosen], self._views[chosen]
        images = self.store.batch(rows, views, self.rendering, out)
        return images, {"object": rows, "view": views, "class": self.store.class_indices[rows]}
