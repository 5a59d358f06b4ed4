"""shapes13: procedural solids in the 13 ShapeNet classes, made from a seed.

The object frame is that of ShapeNetCore v1: right-handed, y up, the front of an object (the nose
of an aeroplane, the sitter's view, a screen) towards +x.
"""

from __future__ import annotations

from typing import Any

_EXPORTS = {
    "generate": "benchbench.datasets.shapes13.generate",
    "Shape": "benchbench.datasets.shapes13.generate",
    "audit": "benchbench.datasets.shapes13.audit",
    "surface_points": "benchbench.datasets.shapes13.points",
    "query_points": "benchbench.datasets.shapes13.points",
}


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_EXPORTS[name]), name)
