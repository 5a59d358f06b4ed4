"""Data sets: light specs, fetching, the HDF5 store and its readers.

Names are imported when asked for, so that listing what exists loads neither h5py nor torch.
"""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "Camera": "cameras",
    "Cameras": "cameras",
    "Store": "store",
    "open_dataset": "store",
    "ViewDataset": "views",
    "ViewLoader": "loading",
    "StoreWriter": "store_writer",
    "ArrayKind": "records",
    "Layout": "records",
    "ObjectRecord": "records",
    "Rendering": "records",
    "VoxelKind": "records",
    "DatasetSpec": "spec",
    "PrepareReport": "spec",
    "dataset_names": "registry",
    "dataset_spec": "registry",
    "prepare": "registry",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'benchbench.datasets' has no attribute '{name}'")
    return getattr(importlib.import_module(f"benchbench.datasets.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return __all__
