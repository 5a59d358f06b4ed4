"""Full and read-only places.

As root (and where mounting is allowed) a small disk is a tmpfs of that size, and a read-only one
is a tmpfs mounted read-only: the kernel itself refuses. Without root a small disk is a folder and
a limit on the size of files (RLIMIT_FSIZE), and a read-only one is a folder without write bits.
`how` tells which.
"""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _mount(*arguments: str) -> bool:
    if os.geteuid() != 0:
        return False
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


class SmallDisk:
    """A folder in which only so many bytes have room.

    Args:
        folder: Where; must not exist.
        size: Bytes.
    """

    def __init__(self, folder: Path, size: int) -> None:
        folder.mkdir(parents=True)
        self.folder, self.size = folder, size
        mounted = _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
        self.how = "tmpfs" if mounted else "RLIMIT_FSIZE"

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Within the block the limit holds (a tmpfs has it always)."""
        if self.how == "tmpfs":
            yield
            return
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def grow(self, size: int) -> None:
        """Somebody made room."""
        self.size = size
        if self.how == "tmpfs":
            assert _mount("-o", f"remount,size={size}", str(self.folder))

    def read_only(self) -> None:
        """From now on nothing can be written."""
        if self.how == "tmpfs":
            assert _mount("-o", "remount,ro", str(self.folder))
        elif os.geteuid() == 0:
            pytest.skip("root may write everywhere, and nothing can be mounted here")
        else:
            self.folder.chmod(0o555)

    def remove(self) -> None:
        """Unmounts."""
        if self.how == "tmpfs":
            subprocess.run(["umount", "-l", str(self.folder)], check=False)
        else:
            self.folder.chmod(0o755)
