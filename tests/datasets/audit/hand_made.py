"""Stores without a fault: L-shaped solids along cell borders, drawn from their own cameras."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchbench.core.types import Mesh
from benchbench.datasets.cameras import KATO_PARAMETERS, Cameras, kato_cameras
from benchbench.datasets.drawing import draw
from benchbench.datasets.records import ArrayKind, Layout, ObjectRecord, Rendering, VoxelKind
from benchbench.datasets.store_writer import StoreWriter

CLASSES = (("02691156", "airplane"), ("03001627", "chair"))
COUNT, VIEWS, SIDE = 8, 4, 48
GRID = np.diag([1 / 32] * 3 + [1.0])
GRID[:3, 3] = -0.5
LAYOUT = Layout(
    {"kato": Rendering(SIDE, SIDE, KATO_PARAMETERS)},
    {"cells": VoxelKind(32, GRID)},
    {"points": ArrayKind((3,), "float32"), "normals": ArrayKind((3,), "float32")},
)
_SIDES = np.array(
    [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]
)  # fmt: skip


def arms(number: int) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Boxes of cells, first and last-plus-one; longest side 32 along x, no symmetry."""
    return [
        ((0, 4, 8), (32, 10, 14)),
        ((0, 10, 8), (6, 18 + number, 14)),
        ((24, 4, 14), (32, 10, 24 - number // 2)),
    ]


def cells(boxes: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> np.ndarray:
    grid = np.zeros((32, 32, 32), bool)
    for low, high in boxes:
        grid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return grid


def surface(boxes: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> Mesh:
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    vertices = [np.array(a) + corners * (np.array(b) - np.array(a)) for a, b in boxes]
    faces = np.concatenate([_SIDES + 8 * n for n in range(len(boxes))])
    flat = np.concatenate(vertices) / 32 - 0.5
    return Mesh(flat.astype(np.float32), faces.astype(np.int32))


def pictures(mesh: Mesh, views: int = VIEWS) -> tuple[np.ndarray, Cameras]:
    every = kato_cameras(SIDE)
    chosen = np.arange(views) * 5
    cameras = Cameras(
        every.world_to_camera[chosen], every.intrinsics[chosen], every.parameters[chosen]
    )
    if views == 0:
        return np.zeros((0, SIDE, SIDE, 4), np.uint8), cameras
    colours = np.tile(np.uint8([200, 100, 50]), (len(mesh.faces), 1))
    return draw(mesh, colours, cameras, SIDE, SIDE), cameras


def records(count: int = COUNT) -> list[ObjectRecord]:
    """Objects that differ in everything; the first half is airplanes."""
    made = []
    for number in range(count):
        boxes = arms(number)
        mesh = surface(boxes)
        images, cameras = pictures(mesh)
        synset = CLASSES[number * 2 // count][0]
        made.append(
            ObjectRecord(
                id=f"{synset}/m{number}",
                synset=synset,
                images={"kato": images},
                cameras={"kato": cameras},
                voxels={"cells": cells(boxes)},
                mesh=mesh,
                arrays={
                    "points": np.asarray(mesh.vertices, np.float32),
                    "normals": np.full((3, 3), 5.0, np.float32),
                },
            )
        )
    return made


def change(record: ObjectRecord, **fields: Any) -> ObjectRecord:
    """A record with some fields replaced; identities are made anew."""
    return dataclasses.replace(record, **fields)


def with_cameras(record: ObjectRecord, edit: Callable[[np.ndarray, np.ndarray], None]) -> Any:
    """A record whose matrices (K, 4, 4) and intrinsics (K, 3, 3) were edited in place."""
    old = record.cameras["kato"]
    world, lens = old.world_to_camera.copy(), old.intrinsics.copy()
    edit(world, lens)
    return change(record, cameras={"kato": Cameras(world, lens, old.parameters)})


def ids(items: Sequence[ObjectRecord]) -> dict[str, list[str]]:
    """Every second object is train, of the others every second val."""
    names = [item.id for item in items]
    return {"train": names[::2], "val": names[1::4], "test": names[3::4]}


def write(
    root: Path,
    items: Sequence[ObjectRecord],
    splits: dict[str, dict[str, list[str]]] | None = None,
    layout: Layout = LAYOUT,
    name: str = "toy",
    **options: Any,
) -> Path:
    """The store of these objects."""
    with StoreWriter(root, name, CLASSES, layout, {"title": "toy"}, {"n": len(items)}) as writer:
        writer.shard(0, list(items))
        return writer.finish(splits or {"half": ids(items)}, **options)
