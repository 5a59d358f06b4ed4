"""Where data lives: `--root`, then `BENCH_HOME`, then `$XDG_CACHE_HOME`, then `~/.cache`."""

from __future__ import annotations

import os
from pathlib import Path


def data_root(root: str | Path | None = None) -> Path:
    """Resolves the folder of prepared data sets, without creating it.

    Args:
        root: The value of `--root`, or None.

    Example:
        >>> data_root("/data").name
        'data'
    """
    if root is not None:
        return Path(root).expanduser().absolute()
    if home := os.environ.get("BENCH_HOME"):
        return Path(home).expanduser().absolute()
    if cache := os.environ.get("XDG_CACHE_HOME"):
        return Path(cache).expanduser().absolute() / "benchbench"
    return Path.home() / ".cache" / "benchbench"
