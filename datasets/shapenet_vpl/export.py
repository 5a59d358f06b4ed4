"""Objects as View Prior Learning's python-2 pickles: LSM's views of them, and voxels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchbench.core.classes import SYNSETS
from benchbench.core.names import require
from benchbench.datasets.exporting import Solid
from benchbench.datasets.pickle_writing import END, START, add_items, open_dict, write_value
from benchbench.datasets.pictures import encode_png
from benchbench.datasets.shapenet_lsm.export import draw_views, random_views, volume_of


def export(solids: Iterable[Solid], folder: Path) -> None:
    """Write `<synset>_<part>.pkl`. Memory holds the solids and one object's pictures.

    Raises:
        UsageError: A class is none of the 13.
    """
    groups: dict[tuple[str, str], list[Solid]] = {}
    for solid in solids:
        require(solid.synset, SYNSETS, "class")
        groups.setdefault((solid.synset, solid.part), []).append(solid)
    for (synset, part), members in groups.items():
        with (folder / f"{synset}_{part}.pkl").open("wb") as file:
            file.writelines(_pickle(members))


def _pickle(members: list[Solid]) -> Iterator[bytes]:
    yield START
    yield open_dict()
    for name, items in (
        (b"images", _images(members)),
        (b"viewpoints", _viewpoints(members)),
        (b"voxels", ((_key(solid), volume_of(solid, 32)) for solid in members)),
    ):
        yield from write_value(name)
        yield open_dict()
        yield from add_items(items)
        yield b"s"
    yield END


def _key(solid: Solid, view: int | None = None) -> bytes:
    tail = "" if view is None else f"_{view}"
    return f"{solid.synset}_{solid.model}{tail}".encode("ascii")


def _images(members: list[Solid]) -> Iterator[tuple[bytes, bytes]]:
    for solid in members:
        pictures, _ = draw_views(solid, random_views(solid))
        for view, picture in enumerate(pictures):
            yield _key(solid, view), encode_png(picture)


def _viewpoints(members: list[Solid]) -> Iterator[tuple[bytes, Any]]:
    for solid in members:
        for view, (azimuth, elevation, _, distance) in enumerate(random_views(solid).tolist()):
            yield _key(solid, view), [distance, elevation, -azimuth]
