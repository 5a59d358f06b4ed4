"""Every fault put into a clean store is found, named by id, and nothing else is accused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

from benchbench.core.types import Mesh
from benchbench.datasets.audit.objects import SAMPLED_VIEWS, sampled_views
from benchbench.datasets.audit.report import StoreReport
from benchbench.datasets.audit.run import audit_store
from benchbench.datasets.cameras import Cameras
from benchbench.datasets.records import ArrayKind, Layout, ObjectRecord, Rendering
from benchbench.datasets.store import Store

MASKS = "masks 'kato' that disagree with voxels 'cells'"


def found(report: StoreReport) -> dict[tuple[str, str], list[str]]:
    return {(f.level, f.check): [name for name, _ in f.objects] for f in report.findings}


def audited(hand_made: ModuleType, root: Path, items: list[ObjectRecord], **options: Any) -> Any:
    return audit_store(hand_made.write(root, items, **options), workers=1)


def test_a_clean_store_is_not_accused(hand_made: ModuleType, tmp_path: Path) -> None:
    report = audited(hand_made, tmp_path, hand_made.records())
    assert report.passed
    assert (report.findings, report.twins, report.sharing) == ((), (), ())
    (agreement,) = report.agreements
    assert (agreement.objects, agreement.views, agreement.disagree) == (8, 24, 0)
    assert agreement.near[1] == 1.0
    assert agreement.inside[1] > 0.95
    assert agreement.covered[1] > 0.99
    assert report.views == {"kato": 4}
    assert report.per_class == {"02691156": 4, "03001627": 4}
    parts = report.splits["half"]
    assert {part: entry["objects"] for part, entry in parts.items()} == {
        "train": 4,
        "val": 2,
        "test": 2,
    }
    assert parts["val"]["per_class"] == {"02691156": 1, "03001627": 1}
    store = Store(tmp_path / "toy.h5")
    for part in ("train", "val", "test"):
        assert parts[part]["sha256"] == store.split_hash(part)
    assert "nothing found that is wrong" in report.table()


def blank(made: ModuleType, item: ObjectRecord) -> ObjectRecord:
    images = item.images["kato"].copy()
    images[2] = 0
    return made.change(item, images={"kato": images})


def opaque(made: ModuleType, item: ObjectRecord) -> ObjectRecord:
    images = item.images["kato"].copy()
    images[..., 3] = 255
    return made.change(item, images={"kato": images})


def fewer(made: ModuleType, item: ObjectRecord, count: int) -> ObjectRecord:
    images, cameras = made.pictures(item.mesh, count)
    return made.change(item, images={"kato": images}, cameras={"kato": cameras})


def grid(made: ModuleType, item: ObjectRecord, edit: Callable[[np.ndarray], Any]) -> ObjectRecord:
    cells = item.voxels["cells"].copy()
    other = edit(cells)
    return made.change(item, voxels={"cells": cells if other is None else other})


def matrices(place: tuple[Any, ...], value: Any, lens: bool = False) -> Callable[..., None]:
    def edit(world: np.ndarray, intrinsics: np.ndarray) -> None:
        (intrinsics if lens else world)[place] = value

    return edit


def scaled(world: np.ndarray, _lens: np.ndarray) -> None:
    world[1, :3, :3] *= 1.01


def nearly(world: np.ndarray, _lens: np.ndarray) -> None:
    world[1, :3, :3] *= 1.0004  # R R^T differs by 0.0008 from the unit matrix


def mirrored(world: np.ndarray, lens: np.ndarray) -> None:
    world[:, 0] *= -1  # x left; the intrinsics keep the picture as it is only at the middle


def points(made: ModuleType, item: ObjectRecord, name: str, value: float) -> ObjectRecord:
    table = item.arrays[name].copy()
    table[1, 2] = value
    return made.change(item, arrays={**item.arrays, name: table})


def vertices(made: ModuleType, item: ObjectRecord, value: float) -> ObjectRecord:
    moved = item.mesh.vertices.copy()
    moved[0, 1] = value
    return made.change(item, mesh=Mesh(moved, item.mesh.faces))


def sealed(cells: np.ndarray) -> None:
    cells[2:4, 6, 10] = False


Change = Callable[[ModuleType, ObjectRecord], ObjectRecord]
FAULTS: dict[str, tuple[str, str, Change]] = {
    "blank picture": ("error", "pictures with nothing in them", blank),
    "no background": ("warning", "pictures without a background", opaque),
    "fewer views": ("warning", "objects with missing views", lambda m, r: fewer(m, r, 3)),
    "more views": ("warning", "objects with more views than usual", lambda m, r: fewer(m, r, 5)),
    "no views": ("error", "objects without any view", lambda m, r: fewer(m, r, 0)),
    "empty grid": (
        "error",
        "empty voxel grids",
        lambda m, r: grid(m, r, np.zeros_like),
    ),
    "inside out": ("error", "voxel grids inside out", lambda m, r: grid(m, r, np.invert)),
    "sealed": ("warning", "voxel grids with sealed cavities", lambda m, r: grid(m, r, sealed)),
    "NaN in a matrix": (
        "error",
        "cameras with NaN or infinity",
        lambda m, r: m.with_cameras(r, matrices((1, 0, 3), np.nan)),
    ),
    "infinite focus": (
        "error",
        "cameras with NaN or infinity",
        lambda m, r: m.with_cameras(r, matrices((3, 1, 1), np.inf, lens=True)),
    ),
    "no focus": (
        "error",
        "intrinsics of no camera",
        lambda m, r: m.with_cameras(r, matrices((0, 0, 0), 0.0, lens=True)),
    ),
    "no last row": (
        "error",
        "world_to_camera of no camera",
        lambda m, r: m.with_cameras(r, matrices((0, 3, 3), 0.0)),
    ),
    "scaled rotation": (
        "warning",
        "rotations that are not orthonormal",
        lambda m, r: m.with_cameras(r, scaled),
    ),
    "NaN frame": (
        "error",
        "frames that are none",
        lambda m, r: m.change(r, source_to_object=np.full((4, 4), np.nan)),
    ),
    "flat frame": (
        "error",
        "frames that are none",
        lambda m, r: m.change(r, source_to_object=np.diag([1.0, 0, 1, 1])),
    ),
    "NaN normals": (
        "error",
        "NaN or infinity in surfaces or tables",
        lambda m, r: points(m, r, "normals", np.nan),
    ),
    "infinite vertex": (
        "error",
        "NaN or infinity in surfaces or tables",
        lambda m, r: vertices(m, r, np.inf),
    ),
    "point outside": (
        "warning",
        "points outside the cube",
        lambda m, r: points(m, r, "points", -0.57),
    ),
    "vertex outside": ("warning", "points outside the cube", lambda m, r: vertices(m, r, 0.52)),
    "turned grid": (
        "warning",
        MASKS,
        lambda m, r: grid(m, r, lambda c: c.transpose(2, 1, 0).copy()),
    ),
    "shifted grid": ("warning", MASKS, lambda m, r: grid(m, r, lambda c: np.roll(c, 6, axis=1))),
    "half a grid": ("warning", MASKS, lambda m, r: grid(m, r, lambda c: c & (M_INDEX < 12))),
}
M_INDEX = np.arange(32)[:, None, None]


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_and_nothing_else(
    hand_made: ModuleType, tmp_path: Path, name: str
) -> None:
    level, check, change = FAULTS[name]
    items = hand_made.records()
    items[5] = change(hand_made, items[5])
    report = audited(hand_made, tmp_path, items)
    assert found(report) == {(level, check): [items[5].id]}
    assert report.passed == (level == "warning")
    assert items[5].id in report.table()
    # The bounds: what is just right is not accused.
    content = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert content["findings"][0]["count"] == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda m, r: points(m, r, "points", -0.55),
        lambda m, r: points(m, r, "normals", 7.0),
        lambda m, r: vertices(m, r, 0.505),
        lambda m, r: m.with_cameras(r, matrices((0, 0, 3), 1e-5)),
        lambda m, r: m.with_cameras(r, nearly),
    ],
)
def test_what_is_just_right_is_not_accused(
    hand_made: ModuleType, tmp_path: Path, change: Change
) -> None:
    items = hand_made.records()
    items[2] = change(hand_made, items[2])
    assert found(audited(hand_made, tmp_path, items)) == {}


def test_blocks_fill_their_layer_and_are_only_warned_of(
    hand_made: ModuleType, tmp_path: Path
) -> None:
    items = hand_made.records()
    boxes = {3: [((0, 0, 0), (32, 32, 32))], 5: [((0, 0, 1), (32, 31, 32))]}
    for number, parts in boxes.items():
        mesh = hand_made.surface(parts)
        images, cameras = hand_made.pictures(mesh)
        items[number] = hand_made.change(
            items[number], mesh=mesh, images={"kato": images}, cameras={"kato": cameras},
            voxels={"cells": hand_made.cells(parts)},
        )  # fmt: skip
    report = audited(hand_made, tmp_path, items)
    assert found(report) == {
        ("warning", "full voxel grids"): [items[3].id],
        ("warning", "voxel grids that fill their outer layer"): [items[5].id],
    }
    assert report.passed


def test_without_pictures_a_filled_layer_is_only_warned_of(
    hand_made: ModuleType, tmp_path: Path
) -> None:
    items = [
        hand_made.change(item, images={}, cameras={}, voxels={"cells": ~item.voxels["cells"]})
        for item in hand_made.records()
    ]
    layout = Layout({}, hand_made.LAYOUT.voxel_kinds, hand_made.LAYOUT.array_kinds)
    report = audited(hand_made, tmp_path, items, layout=layout)
    assert list(found(report)) == [("warning", "voxel grids that fill their outer layer")]
    assert report.views == {}


@pytest.mark.parametrize("count", [2, 3])
def test_many_disagreements_make_the_set_wrong(
    hand_made: ModuleType, tmp_path: Path, count: int
) -> None:
    items = hand_made.records()
    for number in range(count):
        items[number] = grid(hand_made, items[number], lambda c: c.transpose(0, 2, 1).copy())
    report = audited(hand_made, tmp_path, items)
    # 2 of 8 are a quarter, 3 of 8 are more than a quarter
    level = "error" if count == 3 else "warning"
    assert found(report) == {(level, MASKS): [item.id for item in items[:count]]}
    assert report.agreements[0].disagree == count


def test_masks_drawn_by_others_only_warn(hand_made: ModuleType, tmp_path: Path) -> None:
    layout = Layout(
        {"kato": Rendering(48, 48, ("a", "e", "d"), mode="rgb+mask")},
        hand_made.LAYOUT.voxel_kinds,
        hand_made.LAYOUT.array_kinds,
    )
    items = [
        grid(hand_made, item, lambda c: c.transpose(0, 2, 1).copy()) for item in hand_made.records()
    ]
    report = audited(hand_made, tmp_path, items, layout=layout)
    assert list(found(report)) == [("warning", MASKS)]
    assert report.passed


def test_photographs_without_a_mask_are_not_compared(hand_made: ModuleType, tmp_path: Path) -> None:
    layout = Layout(
        {"kato": Rendering(48, 48, ("a", "e", "d"), mode="rgb+mask")},
        hand_made.LAYOUT.voxel_kinds,
        hand_made.LAYOUT.array_kinds,
    )
    items = [opaque(hand_made, item) for item in hand_made.records()]
    report = audited(hand_made, tmp_path, items, layout=layout)
    assert (report.findings, report.agreements) == ((), ())


def test_mirrored_cameras_are_named(hand_made: ModuleType, tmp_path: Path) -> None:
    items = hand_made.records()
    items[0] = hand_made.with_cameras(items[0], mirrored)
    names = found(audited(hand_made, tmp_path, items))
    assert names["warning", "cameras that mirror"] == [items[0].id]
    assert names["warning", MASKS] == [items[0].id]


def test_a_picture_that_does_not_decode(hand_made: ModuleType, tmp_path: Path) -> None:
    items = hand_made.records()
    path = hand_made.write(tmp_path, items)
    with h5py.File(path, "r+") as file:
        group = file["renderings/kato"]
        view = int(group["view_offset"][3]) + 1
        start = int(group["byte_offset"][view])
        group["pixels"][start + 3] ^= 0xFF
    report = audit_store(path, workers=1)
    assert found(report) == {("error", "parts that cannot be read"): [items[3].id]}
    assert "'kato' view 1" in report.findings[0].objects[0][1]


def test_depth_maps_have_masks_too(hand_made: ModuleType, tmp_path: Path) -> None:
    items = []
    layout = Layout(
        {"depth": Rendering(48, 48, ("a", "e", "d"), mode="depth", depth_unit=0.001)},
        hand_made.LAYOUT.voxel_kinds,
        hand_made.LAYOUT.array_kinds,
    )
    for number, item in enumerate(hand_made.records()):
        counts = (item.images["kato"][..., 3] > 0).astype(np.uint16) * (2000 + number)
        cameras = Cameras(*vars(item.cameras["kato"]).values())
        cells = item.voxels["cells"]
        items.append(
            hand_made.change(
                item, images={"depth": counts}, cameras={"depth": cameras},
                voxels={"cells": cells[::-1].copy() if number == 6 else cells},
            )
        )  # fmt: skip
    report = audited(hand_made, tmp_path, items, layout=layout)
    check = "masks 'depth' that disagree with voxels 'cells'"
    assert found(report) == {("warning", check): [items[6].id]}


def test_processes_change_nothing(hand_made: ModuleType, tmp_path: Path) -> None:
    items = hand_made.records()
    items[1] = blank(hand_made, items[1])
    items[4] = grid(hand_made, items[4], np.zeros_like)
    path = hand_made.write(tmp_path, items)
    assert audit_store(path, workers=2).as_dict() == audit_store(path, workers=1).as_dict()


def test_views_are_chosen_by_the_object(hand_made: ModuleType, tmp_path: Path) -> None:
    store = Store(hand_made.write(tmp_path, hand_made.records()))
    chosen = [tuple(sampled_views(store, name, "kato", 24)) for name in store.object_ids]
    assert all(len(set(views)) == SAMPLED_VIEWS and max(views) < 24 for views in chosen)
    assert chosen == [tuple(sampled_views(store, n, "kato", 24)) for n in store.object_ids]
    assert len(set(chosen)) > 4
    assert sampled_views(store, "a", "kato", 2) == [0, 1]
    assert sampled_views(store, "a", "kato", 0) == []


def test_integer_tables_are_left_alone(hand_made: ModuleType, tmp_path: Path) -> None:
    kinds = {"points_of_nothing": ArrayKind((3,), "int32"), "box": ArrayKind((4,), "float32")}
    layout = Layout(hand_made.LAYOUT.renderings, hand_made.LAYOUT.voxel_kinds, kinds)
    items = [
        hand_made.change(
            item, arrays={"points_of_nothing": np.full((2, 3), 9, np.int32),
                          "box": np.full((1, 4), 99, np.float32)},
        )
        for item in hand_made.records()
    ]  # fmt: skip
    assert found(audited(hand_made, tmp_path, items, layout=layout)) == {}


def test_genuine_sample(shared: Path, tmp_path: Path) -> None:
    from benchbench.datasets.shapenet.prepare import prepare

    source = shared / "author_data" / "shapenet_sample"
    if not source.is_dir():
        pytest.skip("the genuine sample is not beside the project")
    report = audit_store(prepare(tmp_path, source=source, quiet=True, workers=1).path, workers=1)
    assert report.findings == ()
    assert (report.excluded, report.failed) == (1, 0)
    (agreement,) = report.agreements
    assert agreement.inside[1] > 0.95 and agreement.near[1] == 1.0  # measured: 0.959, 1.000
