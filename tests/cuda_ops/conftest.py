"""Shared by the kernel tests: every compiled library that this processor can run."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from benchbench.cuda_ops import library


@pytest.fixture(scope="session")
def libraries() -> dict[str, ctypes.CDLL]:
    """Instruction-set level -> library; all must give the same bits."""
    here = library.location("cpu")
    if here is None:
        pytest.skip(f"no compiled kernels: {library.why_unavailable('cpu')}")
    order = ["generic", "x86-64", "x86-64-v3", "x86-64-v4"]
    best = order.index(library.cpu_level())
    return {
        path.stem.removeprefix("libbench_"): ctypes.CDLL(str(path))
        for path in sorted(Path(here).parent.glob("libbench_*.so"))
        if path.stem.removeprefix("libbench_") in order[: best + 1]
    }
