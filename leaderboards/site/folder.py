"""The folder of a site: written file by file, with a list of all; an older site is replaced."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from benchbench.core.errors import UsageError
from benchbench.core.files import explain_disk, write_text

LIST = "files.sha256"
_NAME = r"[A-Za-z0-9][A-Za-z0-9.-]*"
_OURS = re.compile(rf"[0-9a-f]{{64}}  ((?:assets/|objects/{_NAME}/)?{_NAME})")


class SiteFolder:
    """Where a site goes.

    Args:
        path: New, empty, or an older site.

    Raises:
        UsageError: It holds something else.

    Attributes:
        hashes: sha256 hex of the files written so far.
    """

    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_dir():
            raise _other(path)
        if path.is_dir() and any(path.iterdir()) and not (path / LIST).is_file():
            raise _other(path)
        self.path = path
        self.hashes: dict[str, str] = {}

    def put(self, name: str, data: bytes) -> None:
        """Writes a file, unless it is there already with this content."""
        target = self.path / name
        with explain_disk(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_file() or target.read_bytes() != data:
                target.write_bytes(data)
        self.hashes[name] = hashlib.sha256(data).hexdigest()

    def finish(self) -> list[str]:
        """Removes what only the older site had, and writes the list; a build cut short has none
        that fits, and is built again.

        Returns:
            Names of the files, in order.
        """
        names = sorted(self.hashes)
        for name in self._older():
            if name not in self.hashes:
                (self.path / name).unlink(missing_ok=True)
        write_text(self.path / LIST, "".join(f"{self.hashes[name]}  {name}\n" for name in names))
        return names

    def _older(self) -> list[str]:
        """Files of the older site; nothing outside of the folder is believed."""
        if not (self.path / LIST).is_file():
            return []
        text = (self.path / LIST).read_text(encoding="utf-8", errors="replace")
        return [found[1] for line in text.splitlines() if (found := _OURS.fullmatch(line))]


def _other(path: Path) -> UsageError:
    return UsageError(
        f"'{path}' holds something else than a site",
        hint="name a new folder: bench leaderboard build -o site",
    )
