"""What library code tells the user besides progress: a line on stderr, unless it is hushed.

The switch is an environment variable (`BENCH_QUIET=1`), so that worker processes obey it too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SWITCH = "BENCH_QUIET"


def notice(text: str) -> None:
    """Writes one line to stderr.

    Example:
        >>> with hushed():
        ...     notice("building the kernels")
    """
    if os.environ.get(_SWITCH, "0") in ("", "0"):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


@contextmanager
def hushed() -> Iterator[None]:
    """Within the block no notice is written, by this process or those that it starts."""
    before = os.environ.get(_SWITCH)
    os.environ[_SWITCH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SWITCH]
        else:
            os.environ[_SWITCH] = before
