"""Progress on stderr: a line that moves on a terminal, one line every 30 s elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_OFF_TERMINAL_SECONDS = 30.0
_ON_TERMINAL_SECONDS = 0.2


def format_seconds(seconds: float) -> str:
    """Short words for a duration.

    Example:
        >>> format_seconds(5), format_seconds(144), format_seconds(3720)
        ('5s', '2m 24s', '1h 02m')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


class Progress:
    """Counts items done and says so with rate and time left.

    Args:
        label: What is being done.
        total: Number of items, at least 0; once more than that are done it counts as unknown.
        unit: Word for one item, plural.
        quiet: Say nothing.
        done: Items that were already there (a resumed job); they do not count for the rate.
        stream: Where to write; stderr by default.

    Example:
        >>> import io
        >>> with Progress("demo", 2, stream=io.StringIO()) as progress:
        ...     progress.update()
        ...     progress.done
        1
    """

    def __init__(
        self,
        label: str,
        total: int,
        unit: str = "items",
        quiet: bool = False,
        done: int = 0,
        stream: TextIO | None = None,
    ) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done = done
        self._start_done = done
        self._quiet = quiet
        self._stream = stream if stream is not None else sys.stderr
        self._terminal = self._stream.isatty()
        self._extra: dict[str, object] = {}
        self._start = self._last = time.monotonic()
        self._width = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if not self._quiet and (self._terminal or kind is None):
            self._write(final=True)

    def update(self, n: int = 1, **extra: object) -> None:
        """Counts `n` more items; `extra` values (failed=3) are shown at the end of the line."""
        self.done += n
        self._extra.update(extra)
        if self._quiet:
            return
        now = time.monotonic()
        if now - self._last >= (_ON_TERMINAL_SECONDS if self._terminal else _OFF_TERMINAL_SECONDS):
            self._last = now
            self._write()

    def _write(self, final: bool = False) -> None:
        elapsed = max(time.monotonic() - self._start, 1e-9)
        rate = (self.done - self._start_done) / elapsed
        share = 100.0 * self.done / self.total if self.total else 100.0
        speed = f"{rate:.0f}/s" if rate >= 10 else f"{rate:.2f}/s"
        if final and self.done >= self.total:
            end = f"took {format_seconds(elapsed)}"
        elif self.done > self.total:
            end = f"for {format_seconds(elapsed)}"
        else:
            end = f"eta {format_seconds((self.total - self.done) / rate)}" if rate > 0 else "eta ?"
        extra = "".join(f" {key} {value}" for key, value in self._extra.items())
        clock = time.strftime("%H:%M:%S")
        if self.done > self.total:
            line = f"{clock} {self.label} {self.done} {self.unit} {speed} {end}{extra}"
        else:
            line = (
                f"{clock} {self.label} {self.done}/{self.total} {self.unit} "
                f"{share:.0f}% {speed} {end}{extra}"
            )
        if self._terminal:
            self._stream.write("\r" + line.ljust(self._width) + ("\n" if final else ""))
            self._width = len(line)
        else:
            self._stream.write(line + "\n")
        self._stream.flush()
