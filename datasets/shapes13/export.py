"""`bench prepare shapes13 --export LAYOUT`: the objects as raw files of another data set."""

from __future__ import annotations

import importlib
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchbench.core.classes import SYNSETS
from benchbench.core.errors import UsageError
from benchbench.core.files import explain_disk
from benchbench.core.names import require
from benchbench.core.progress import Progress
from benchbench.datasets import exporting
from benchbench.datasets.exporting import Solid
from benchbench.datasets.shapes13.generate import SYNSET_OF, generate
from benchbench.datasets.shapes13.prepare import members
from benchbench.datasets.shapes13.spec import SEED, SIZES


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: The folder to give to `bench prepare <layout> --from`.
        parts: Objects of train, val and test.
        left_out: Objects whose class the layout does not have.
    """

    path: Path
    parts: dict[str, int]
    left_out: int


def solids(size: str = "demo", seed: int = SEED) -> Iterator[Solid]:
    """The objects of a size, made one by one, in data-set order.

    Args:
        size: "demo" or "full".
        seed: Seed of the set.

    Example:
        >>> first = next(solids("demo"))
        >>> first.id, first.part, len(first.colours) == len(first.mesh.faces)
        ('02691156/airplane0000', 'train', True)
    """
    require(size, SIZES, "size")
    number = 0
    for part, items in members(size).items():
        for name, index in items:
            shape = generate(name, index, seed)
            colours = np.array([shape.colours[colour] for colour in shape.solid.palette])
            yield Solid(shape.id, part, shape.mesh, colours[shape.solid.colours], number)
            number += 1


def export(layout: str, folder: Path, size: str = "demo", quiet: bool = False) -> Exported:
    """Write the objects as the raw files of a data set.

    The folder appears once all is written. Pictures are drawn with the layout's cameras, voxels
    made on its grid. Classes that the layout does not have are left out.

    Args:
        layout: One of `exporting.layouts`.
        folder: New or empty.
        size: "demo" or "full".
        quiet: No progress on stderr.

    Raises:
        UsageError: No such layout or size, or the folder is not empty.
        MissingError: The folder cannot be written.
    """
    require(layout, exporting.layouts(), "layout")
    require(size, SIZES, "size")
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            f"'{folder}' is not empty; nothing was written", hint="name a new or empty folder"
        )
    known = layout_classes(layout)
    wanted = {
        part: [name for name, _ in items if SYNSET_OF[name] in known]
        for part, items in members(size).items()
    }
    total = sum(map(len, wanted.values()))
    partial = folder.parent / f".{folder.name}.partial"
    written: Counter[str] = Counter()
    with explain_disk(folder):
        shutil.rmtree(partial, ignore_errors=True)  # of a killed export
        try:
            with Progress(f"{layout} layout", total, "objects", quiet) as progress:

                def counted() -> Iterator[Solid]:
                    for solid in solids(size):
                        if solid.synset in known:
                            yield solid
                            written[solid.part] += 1
                            progress.update()

                exporting.export(layout, counted(), partial)
            if folder.is_dir():
                folder.rmdir()
            partial.replace(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    parts = {part: written[part] for part in wanted}
    return Exported(folder, parts, sum(map(len, members(size).values())) - total)


def layout_classes(layout: str) -> tuple[str, ...]:
    """Synsets of the classes that a layout has.

    Example:
        >>> layout_classes("shapenet")[:2], len(layout_classes("shapenet"))
        (('02691156', '02828884'), 13)
    """
    spec = importlib.import_module(f"benchbench.datasets.{layout.replace('-', '_')}.spec")
    return tuple(getattr(spec, "CLASSES", SYNSETS))
