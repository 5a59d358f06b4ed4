"""The three standard streams, whatever the caller did to them.

A command is run for its files and its answer; its talk on stderr must never end it. And where a
stream is closed, its number would be given to the next file that is opened, so that a stray word
of a library could end up in a data set.
"""

from __future__ import annotations

import io
import os
import sys


def prepare_streams() -> None:
    """Opens closed streams on nothing, and lets stderr swallow errors of writing."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # the lowest free number is the one that was missing
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    old = sys.stderr
    sys.stderr = io.TextIOWrapper(
        _Forgiving(2, "w", closefd=False),  # type: ignore[arg-type]
        encoding=getattr(old, "encoding", None) or "utf-8",
        errors="backslashreplace",
        write_through=True,
    )


class _Forgiving(io.FileIO):
    """What cannot be written (a full disk, a reader that left, a terminal hung up) is dropped."""

    def write(self, data: object) -> int:
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        done = 0
        try:
            while done < len(view):
                done += super().write(view[done:]) or 0
        except OSError:
            pass
        return len(view)
