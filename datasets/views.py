"""Pictures of a store as a torch `Dataset`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from benchbench.datasets.store import Store


class ViewDataset(Dataset[dict[str, Any]]):
    """One item per view of the given objects, object-major and view-minor.

    Args:
        path: The store's HDF5 file (or a `Store`, whose file and split are used).
        indices: (n,) rows of objects, as from `Store.indices`.
        rendering: Name of the rendering; None for the default one.

    Each item is a dict: `image` uint8 tensor (4, H, W), straight alpha; `object` row of the
    object; `view` its view; `class` position in `Store.classes`.

    The file is opened in whichever process asks for the first item.
    """

    def __init__(
        self, path: str | Path | Store, indices: Sequence[int], rendering: str | None = None
    ) -> None:
        self.store = path if isinstance(path, Store) else Store(path)
        self.rendering = rendering or self.store.default_rendering
        rows = np.asarray(indices, np.int64)
        counts = [self.store.view_count(int(row), self.rendering) for row in rows]
        self._objects = np.repeat(rows, counts)
        views = [np.arange(count) for count in counts]
        self._views = np.concatenate(views) if views else np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self._objects)

    def __getitem__(self, item: int) -> dict[str, Any]:
        row, view = int(self._objects[item]), int(self._views[item])
        image = self.store.image(row, view, self.rendering)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
            "object": row,
            "view": view,
            "class": int(self.store.class_indices[row]),
        }
