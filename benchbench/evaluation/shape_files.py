"""The files of a stranger's folder that hold shapes."""

from __future__ import annotations

import os
from pathlib import Path

from benchbench.core.errors import CheckError
from benchbench.evaluation.meshes_in import SUFFIXES


def shape_files(folder: Path) -> tuple[list[Path], int]:
    """Shapes at any depth, sorted by path, and the number of other files.

    Nothing is passed over in silence: what a link or a closed folder hides would be missing.

    Args:
        folder: Itself perhaps a link, as a user said.

    Raises:
        CheckError: A link in place of a folder or a shape, something with the ending of a shape
            that is no plain file, or a folder that cannot be read.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.obj").write_text(""), (folder / "notes.txt").write_text("")
        >>> files, others = shape_files(folder)
        >>> [file.name for file in files], others
        (['a.obj'], 1)
    """
    found: list[Path] = []
    others = 0
    for parent, folders, names in os.walk(folder, onerror=_closed):
        for name in folders:
            if (link := Path(parent, name)).is_symlink():
                raise CheckError(f"'{link}' is a link to a folder", hint="links are not followed")
        for file in (Path(parent, name) for name in names):
            if is_shape(file):
                found.append(file)
            else:
                others += 1
    return sorted(found), others


def is_shape(file: Path) -> bool:
    """Whether its name ends as that of a shape.

    Raises:
        CheckError: It does, and is a link, a pipe or a device.

    Example:
        >>> is_shape(Path("notes.txt"))
        False
    """
    if file.suffix.lower() not in SUFFIXES:
        return False
    if file.is_symlink() or not file.is_file():
        raise CheckError(f"'{file}' is no plain file", hint="links are not followed")
    return True


def _closed(error: OSError) -> None:
    raise CheckError(
        f"'{error.filename}' cannot be read: {error.strerror}",
        hint=f"chmod -R u+rX '{error.filename}'",
    ) from error
