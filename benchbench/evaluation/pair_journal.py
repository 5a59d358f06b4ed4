"""Comparisons that are done, kept beside the file that will hold them all.

A search takes half a minute a pair: a command that was interrupted goes on where it stopped. The
first line says what is compared; where that has changed, everything begins anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchbench.core.files import explain_disk, write_text

Key = tuple[str, str]


class Journal:
    """Records by pair and alignment, a line of JSON each.

    Args:
        out: The file that is to be written in the end; the journal is `<out>.partial`. None, or
            what is no plain file: nothing is kept.
        about: What is compared; a journal of something else is not read.

    Example:
        >>> import tempfile
        >>> out = Path(tempfile.mkdtemp()) / "pairs.csv"
        >>> Journal(out, {"n": 1}).add(("a", "none"), {"status": "ok"})
        >>> Journal(out, {"n": 1}).records, Journal(out, {"n": 2}).records
        ({('a', 'none'): {'status': 'ok'}}, {})
    """

    def __init__(self, out: Path | None, about: dict[str, Any]) -> None:
        self.records: dict[Key, dict[str, Any]] = {}
        self._path: Path | None = None
        if out is None or (out.exists() and not out.is_file()):
            return
        self._path = out.with_name(f"{out.name}.partial")
        self._head = json.dumps(about, sort_keys=True)
        self._kept = self._read()
        self._begun = False

    def _read(self) -> list[str]:
        """The whole lines of a journal of the same comparison; the last one may be cut off."""
        assert self._path is not None
        try:
            first, *rest = self._path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError, ValueError):
            return []
        kept = []
        for line in rest if first == self._head else []:
            try:
                name, align, record = json.loads(line, parse_constant=_no_number)
            except (ValueError, RecursionError):
                break
            if not (isinstance(name, str) and isinstance(align, str) and isinstance(record, dict)):
                break
            self.records[name, align] = record
            kept.append(line)
        return kept

    def add(self, key: Key, record: dict[str, Any]) -> None:
        """Keeps one; NaN is refused."""
        self.records[key] = record
        if self._path is not None:
            line = json.dumps([*key, record], allow_nan=False)
            if not self._begun:  # what could not be read goes, and no journal is left of nothing
                lines = [self._head, *self._kept]
                write_text(self._path, "".join(f"{one}\n" for one in lines))
                self._begun = True
            with explain_disk(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def close(self) -> None:
        """All is done and written."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")
