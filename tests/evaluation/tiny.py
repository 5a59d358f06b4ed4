"""The tiny data set and the stub methods.

Objects are boxes of different sides (longest 1), so that every score differs and can be checked by
hand: the IoU of two boxes, the distance between parallel faces.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchbench.core.types import Mesh, Points, Voxels
from benchbench.datasets.cameras import KATO_PARAMETERS, Cameras, kato_cameras
from benchbench.datasets.records import Layout, ObjectRecord, Rendering, VoxelKind
from benchbench.datasets.store import open_dataset
from benchbench.datasets.store_writer import StoreWriter
from benchbench.evaluation.plan import Request
from benchbench.evaluation.selftest_case import box
from benchbench.protocols.convert import house_voxels, kato_grid, unit_cube_grid
from benchbench.protocols.iou import kato_voxels

CLASSES = (("02691156", "airplane"), ("03001627", "chair"), ("04379243", "table"))
PER_CLASS = {"train": 2, "val": 1, "test": 4}
VIEWS = 3


def box_of(number: int) -> Mesh:
    """The truth of object `number`: longest side 1 along x."""
    y, z = 0.35 + 0.05 * (number % 7), 0.9 - 0.06 * (number % 5)
    return box((-0.5, -y / 2, -z / 2), (0.5, y / 2, z / 2))


def make_store(
    root: Path, name: str = "shapes13-demo", meshes: bool = True, views: int = VIEWS
) -> Path:
    """Writes the data set."""
    ids: dict[str, list[str]] = {part: [] for part in PER_CLASS}
    records = []
    number = 0
    for synset, _ in CLASSES:
        for part, count in PER_CLASS.items():
            for k in range(count):
                mesh = box_of(number)
                object_id = f"{synset}/{part}{k}"
                ids[part].append(object_id)
                image = np.zeros((views, 8, 8, 4), np.uint8)
                image[:, 2:6, 2:6] = number + 1
                image[..., 3] = (image[..., 0] > 0) * 255
                cameras = kato_cameras(8)
                some = Cameras(*(a[:views] for a in (
                    cameras.world_to_camera, cameras.intrinsics, cameras.parameters)))  # fmt: skip
                records.append(
                    ObjectRecord(
                        id=object_id,
                        synset=synset,
                        images={"kato": image},
                        cameras={"kato": some},
                        voxels={
                            "kato": kato_voxels(mesh),
                            "binvox": house_voxels(mesh, unit_cube_grid()),
                        },
                        mesh=mesh if meshes else None,
                    )
                )
                number += 1
    with StoreWriter(
        root,
        name,
        classes=CLASSES,
        layout=Layout(
            {"kato": Rendering(8, 8, KATO_PARAMETERS)},
            {"kato": VoxelKind(32, kato_grid()), "binvox": VoxelKind(32, unit_cube_grid())},
        ),
        info={"title": "tiny boxes", "licence": "MIT", "citation": [], "axes": "", "converter": "t",
              "sources": {}},
        plan={"name": name, "meshes": meshes},
    ) as writer:  # fmt: skip
        writer.shard(0, records)
        return writer.finish(splits={"tiny": ids})


@dataclass(frozen=True)
class NoParameters:
    """None."""

    scale: float = 1.0


@dataclass(frozen=True)
class StubSpec:
    """As much of a spec as the runner reads."""

    id: str
    title: str = "a stub"
    takes: str = "image"
    output: str = "mesh"
    datasets: tuple[str, ...] = ("shapes13",)
    renderings: tuple[str, ...] = ("kato",)
    parameters: type = NoParameters
    protocols: tuple[str, ...] = ()
    several_views: bool = False


@dataclass
class Stub:
    """A method: the true box scaled a little by view; what goes wrong is told per (row, view).

    `calls` notes every block that was asked for.
    """

    scale: float = 1.0
    uses_views: bool = True
    block_size: int = 4
    threshold: float | None = None
    checkpoint_hash: str = "stub"
    caption: str = "stub: weights made by hand"
    settings: dict[str, Any] = field(default_factory=dict)
    wrong: dict[tuple[int, int], Any] = field(default_factory=dict)
    calls: list[list[tuple[int, int]]] = field(default_factory=list)
    voxels: bool = False
    points: bool = False
    several_views: bool = False

    def rendering(self, store: Any) -> str:
        return "kato"

    def predict_items(self, store: Any, items: list[tuple[int, int]]) -> list[Any]:
        self.calls.append(list(items))
        assert len(items) == self.block_size
        found = []
        for item in items:
            wrong = self.wrong.get(item)
            if isinstance(wrong, Exception):
                raise wrong
            found.append(self._one(store, item) if item not in self.wrong else wrong)
        return found

    def _one(self, store: Any, item: tuple[int, int]) -> Any:
        row, view = item
        mesh = store.mesh(row) or box_of(row)
        factor = np.float32(self.scale * (1 - 0.05 * max(view, 0)))
        moved = Mesh(mesh.vertices * factor, mesh.faces)
        if self.points:
            return Points(moved.vertices)
        if not self.voxels:
            return moved
        grid = house_voxels(moved, unit_cube_grid()).astype(np.float32) * np.float32(0.75)
        return Voxels(grid, unit_cube_grid())


EMPTY = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
NAN = Mesh(np.full((3, 3), np.nan, np.float32), np.array([[0, 1, 2]], np.int32))
FAR_INDEX = Mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 9]], np.int32))
STUBS: dict[str, Stub] = {}


def register(monkeypatch: Any) -> None:
    """Makes `STUBS` known to `benchbench.baselines` for one test."""
    import benchbench.baselines as home

    STUBS.clear()
    real_spec, real_load = home.get_spec, home.load_baseline

    def get_spec(name: str) -> Any:
        if name in STUBS:
            takes = "image" if STUBS[name].uses_views else "class"
            output = "voxels" if STUBS[name].voxels else "points" if STUBS[name].points else "mesh"
            several = STUBS[name].several_views
            return StubSpec(name, takes=takes, output=output, several_views=several)
        return real_spec(name)

    def load_baseline(name: str, checkpoint: Any = None, device: str = "cpu", **params: Any) -> Any:
        if name in STUBS:
            if "views" in params:
                STUBS[name].settings["views"] = params["views"]
            return STUBS[name]
        return real_load(name, checkpoint, device, **params)

    monkeypatch.setattr(home, "get_spec", get_spec)
    monkeypatch.setattr(home, "load_baseline", load_baseline)


def request(root: Path, runs: Path, baseline: str = "stub", **changes: Any) -> Request:
    """A quiet request on the tiny set's test split."""
    values: dict[str, Any] = {
        "baseline": baseline, "split": "test", "root": root, "out": runs, "device": "cpu",
        "protocols": ("bench-iou-v1",), "quiet": True,
    }  # fmt: skip
    return Request(**{**values, **changes})


def tiny_store(root: Path, name: str = "shapes13-demo") -> Any:
    """Opens it."""
    return open_dataset(name, root)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that a run makes, but for locks and logs."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.name.startswith((".lock", "run"))
    }
