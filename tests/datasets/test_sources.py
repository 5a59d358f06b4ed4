"""The fingerprint of a folder: every file, in one order, in bounded memory."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path

from benchbench.datasets.sources import fingerprint


def slow_twin(folder: Path) -> str:
    """All paths at once, sorted as paths."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink():
            body = hashlib.sha256(file.read_bytes()).hexdigest()
            body = "" if file.suffix in (".png", ".JPG") else body
            name = file.relative_to(folder).as_posix()
            digest.update(f"{name} {file.stat().st_size} {body}\n".encode())
    return digest.hexdigest()


def test_order_is_that_of_paths(tmp_path: Path) -> None:
    # "a-b" and "a.b" sort before "a/" as texts, behind "a" as parts of paths
    for name in (
        "a/x",
        "a/b/y",
        "a-b/x",
        "a.b",
        "B",
        "c.png",
        "c.JPG",
        "\u00e9/z",
        "a/b-c",
        "a0/q",
    ):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "set" / "empty").mkdir()
    (tmp_path / "set" / "link").symlink_to(tmp_path / "set" / "B")
    (tmp_path / "set" / "around").symlink_to(tmp_path, target_is_directory=True)
    assert fingerprint(tmp_path / "set").content == slow_twin(tmp_path / "set")


def test_many_files_take_no_memory(tmp_path: Path) -> None:
    for folder in range(40):
        (tmp_path / f"{folder:04d}").mkdir()
        for file in range(75):
            (tmp_path / f"{folder:04d}" / f"{file:04d}.png").touch()
    tracemalloc.start()
    fingerprint(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000  # a list of the 3,000 paths takes 1,400,000
