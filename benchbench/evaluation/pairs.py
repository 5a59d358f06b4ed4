"""Two folders of meshes, paired by name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from benchbench.core.errors import CheckError, InputError, MissingError, UsageError
from benchbench.core.files import sha256_file
from benchbench.core.names import closest
from benchbench.core.types import Mesh, Points, Voxels
from benchbench.evaluation.alignment import plain
from benchbench.evaluation.meshes_in import SUFFIXES, read_shape
from benchbench.evaluation.predictions import make_item
from benchbench.evaluation.shape_files import is_shape, shape_files
from benchbench.protocols.convert import marching_cubes
from benchbench.protocols.truth import Unscorable

LEVEL = 0.5  # of grids, whose surface marching-cubes-v1 takes


@dataclass(frozen=True)
class Side:
    """The shapes of one folder.

    Attributes:
        path: The folder, or the one file.
        files: By name: the path below the folder without its ending, with / between.
        content: sha256 hex of the list of names with endings, each with the hash of its file.
        ignored: Files that are no shapes.
    """

    path: Path
    files: dict[str, Path]
    content: str
    ignored: int


@dataclass(frozen=True)
class Pairs:
    """What is compared.

    Attributes:
        preds: The predictions.
        truths: The truths; each is one pair, in the order of their names.
    """

    preds: Side
    truths: Side


def find_pairs(preds: Path, truths: Path) -> Pairs:
    """Pairs the shapes of two folders by name; two files are one pair whatever they are called.

    A truth without a prediction is a pair; the prediction is missing.

    Args:
        preds: A folder of shapes at any depth, or one file.
        truths: Likewise.

    Raises:
        CheckError: A prediction without a truth, two files of one name, a name that cannot be
            printed, a link, or something that cannot be read.
        MissingError: A folder is not there or holds no shapes.
        UsageError: One is a folder and the other a file.
    """
    for path, word in ((preds, "predictions"), (truths, "truths")):
        if not path.exists():
            raise MissingError(f"there are no {word} at '{path}'", hint="bench score --help")
    if preds.is_dir() != truths.is_dir():
        raise UsageError(
            f"'{preds}' and '{truths}' are a folder and a file",
            hint="bench score FOLDER --gt FOLDER, or bench score FILE --gt FILE",
        )
    pairs = Pairs(_side(preds, "predictions", truths.stem), _side(truths, "truths", truths.stem))
    for name, file in pairs.preds.files.items():
        if name not in pairs.truths.files:
            near = closest(name, pairs.truths.files)
            raise CheckError(
                f"'{file}' has no truth: there is no '{name}' in '{truths}'",
                hint=f"did you mean '{near[0]}'?"
                if near
                else "a prediction and its truth have the same path below their folders, "
                "but for the ending",
            )
    return pairs


def _side(path: Path, word: str, name: str) -> Side:
    """The shapes of a folder, or the one of a file, which is then called `name`."""
    files: dict[str, Path] = {}
    if path.is_dir():
        found, ignored = shape_files(path)
    else:
        found, ignored = ([path], 0) if is_shape(path) else ([], 1)
    for file in found:
        key = file.relative_to(path).with_suffix("").as_posix() if path.is_dir() else name
        if not key.isprintable():  # it is printed, and written into files of lines
            raise CheckError(f"'{file}' has a name that cannot be printed", hint="rename it")
        if key in files:
            raise CheckError(f"'{file}': '{key}' is there twice, '{files[key]}' is the other")
        files[key] = file
    digest = hashlib.sha256()
    for key in sorted(files):
        digest.update(f"{key}{files[key].suffix.lower()}\n{_hash(files[key])}\n".encode())
    if not files:
        raise MissingError(
            f"'{path}' holds no {word} ({ignored} other files)",
            hint=f"shapes end in {', '.join(SUFFIXES)}",
        )
    return Side(path, dict(sorted(files.items())), digest.hexdigest(), ignored)


def _hash(file: Path) -> str:
    try:
        return sha256_file(file)
    except OSError as error:
        raise CheckError(
            f"'{file}' cannot be read: {error.strerror}", hint=f"chmod u+r '{file}'"
        ) from error


def read_mesh(file: Path, name: str) -> Mesh:
    """The triangles of a file that have an area.

    A grid becomes its surface at 0.5 (marching-cubes-v1).

    Args:
        file: One of those of a `Side`.
        name: Of the pair.

    Raises:
        Unscorable: It is unreadable, empty, not finite, without an area, or has no triangles.
    """
    try:
        shape = read_shape(file)
    except (InputError, OSError) as error:
        raise Unscorable("unreadable", str(error)[:1000]) from error
    item = make_item(name, -1, shape)
    if item.prediction is None:
        raise Unscorable(item.status, item.message)
    shape = item.prediction
    if isinstance(shape, Points):
        raise Unscorable("invalid", "a cloud of points has no surface")
    return plain(marching_cubes(shape, LEVEL) if isinstance(shape, Voxels) else shape)
