"""Batches: the pictures that `Store.image` gives, whoever reads them, in whatever order."""

from __future__ import annotations

import gc
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader

from benchbench.core.errors import DamagedError, UsageError
from benchbench.datasets.cameras import Cameras
from benchbench.datasets.loading import ViewLoader
from benchbench.datasets.records import Layout, ObjectRecord, Rendering
from benchbench.datasets.store import Store
from benchbench.datasets.store_writer import StoreWriter
from benchbench.datasets.views import ViewDataset

VIEWS = (3, 0, 1, 5, 2)
CLASSES = (("a", "first"), ("b", "second"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    rng = np.random.default_rng(0)
    layout = Layout({
        "c": Rendering(11, 6, ()), "d": Rendering(11, 6, (), mode="depth", depth_unit=1.0),
    }, {})  # fmt: skip
    records = []
    for n, count in enumerate(VIEWS):
        pictures = rng.integers(0, 256, (count, 11, 6, 4), np.uint8)
        pictures[..., 3] *= rng.random((count, 11, 6)) > 0.6
        depth = rng.integers(0, 9, (count, 11, 6)).astype(np.uint16)
        cameras = Cameras(np.zeros((count, 4, 4)), np.zeros((count, 3, 3)), np.zeros((count, 0)))
        synset = CLASSES[n % 2][0]
        records.append(
            ObjectRecord(
                f"{synset}/{n}",
                synset,
                {"c": pictures, "d": depth},
                {"c": cameras, "d": cameras},
                {},
            )
        )
    folder = tmp_path_factory.mktemp("store")
    with StoreWriter(folder, "toy", CLASSES, layout, {"title": "toy"}, {}) as writer:
        writer.shard(0, records)
        return Store(writer.finish({"s": {"test": [r.id for r in records]}}))


@pytest.fixture
def views(store: Store) -> ViewDataset:
    return ViewDataset(store, [4, 0, 3, 1, 2])


EXPECTED = [(row, view) for row in (4, 0, 3, 1, 2) for view in range(VIEWS[row])]


def check(batches: list[dict[str, Any]], store: Store, order: list[int], size: int) -> None:
    """All batches, item by item, against pictures read one by one."""
    assert [len(b["view"]) for b in batches] == [
        len(order[k : k + size]) for k in range(0, len(order), size)
    ]
    items = iter(order)
    for batch in batches:
        for n in range(len(batch["view"])):
            row, view = EXPECTED[next(items)]
            assert (int(batch["object"][n]), int(batch["view"][n])) == (row, view)
            assert int(batch["class"][n]) == row % 2
            image = batch["image"][n]
            assert image.shape == (4, 11, 6) and image.dtype == torch.uint8
            assert np.array_equal(image.permute(1, 2, 0).numpy(), store.image(row, view))


def test_a_batch_is_its_pictures(store: Store) -> None:
    rows, views = np.array([3, 0, 3, 4, 3]), np.array([4, 0, 4, 1, 0])
    for rendering in ("c", "d"):
        found = store.batch(rows, views, rendering)
        for n in range(5):
            assert np.array_equal(found[n], store.image(int(rows[n]), int(views[n]), rendering))
    out = np.full((5, 11, 6, 4), 77, np.uint8)
    assert store.batch(rows, views, "c", out) is out
    assert np.array_equal(out, store.batch(rows, views))
    assert store.batch(rows[:0], views[:0]).shape == (0, 11, 6, 4)
    assert store.view_counts().tolist() == list(VIEWS)


@pytest.mark.parametrize(("row", "view"), [(1, 0), (0, 3), (0, -1), (4, 2)])
def test_views_that_are_not_there(store: Store, row: int, view: int) -> None:
    with pytest.raises(UsageError, match=rf"/{row}' has {VIEWS[row]} views, no view {view}"):
        store.batch(np.array([3, row]), np.array([0, view]))


def test_a_batch_is_read_in_the_order_of_the_file(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = store._parts[0].tables()
    read: list[int] = []
    real = tables.bytes
    monkeypatch.setattr(
        tables, "bytes", lambda name, start, stop: (read.append(start), real(name, start, stop))[1]
    )
    store.batch(np.array([4, 0, 3, 2, 3]), np.array([1, 2, 0, 0, 4]))
    assert len(read) == 5 and read == sorted(read)


def test_damage_is_named(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "toy.h5"
    data = bytearray(store.path.read_bytes())
    table = store._parts[0].tables().table("renderings/c/pixels")
    first = table.offset + int(store._views("c").byte_offset[3])  # of object 2, view 0
    data[first + 9] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DamagedError, match=r"a/2 view 0"):
        Store(path).batch(np.array([0, 2]), np.array([0, 0]))


def test_items(views: ViewDataset, store: Store) -> None:
    assert len(views) == len(EXPECTED)
    assert len(ViewDataset(store, [])) == 0
    order = [7, 0, 10, 7]
    items = views.__getitems__(order)
    check([torch.utils.data.default_collate(items)], store, order, 4)
    assert items[1]["object"] == views[0]["object"] and items[1]["image"].equal(views[0]["image"])
    with pytest.raises(UsageError, match="holds depth"):
        ViewDataset(store, [0], "d")


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("loader", [DataLoader, ViewLoader])
def test_loaders_give_the_same(views: ViewDataset, loader: Any, workers: int) -> None:
    for size in (1, 4, len(EXPECTED), 64):
        found = list(loader(views, batch_size=size, num_workers=workers))
        check(found, views.store, list(range(len(EXPECTED))), size)


def test_the_same_random_order_as_a_data_loader(views: ViewDataset) -> None:
    def order(loader: Any) -> list[int]:
        made = loader(views, batch_size=3, shuffle=True, drop_last=True,
                      generator=torch.Generator().manual_seed(5))  # fmt: skip
        return [int(row) * 10 + int(view) for batch in made
                for row, view in zip(batch["object"], batch["view"], strict=True)]  # fmt: skip

    assert order(ViewLoader) == order(DataLoader)
    assert len(order(ViewLoader)) == 9


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_that_are_kept_stay_as_they_are(views: ViewDataset, workers: int) -> None:
    items = list(range(len(EXPECTED))) * 12
    loader = ViewLoader(views, batch_size=4, sampler=items, num_workers=workers)
    check(list(loader), views.store, items, 4)  # far more than there are pieces


@pytest.mark.parametrize("workers", [0, 1])
def test_pieces_are_used_again(views: ViewDataset, workers: int) -> None:
    items = list(range(len(EXPECTED))) * 12
    loader = ViewLoader(views, batch_size=4, sampler=items, num_workers=workers)
    addresses = set()
    for batch in loader:
        addresses.add(batch["image"].data_ptr())
        part = batch["image"][0, 1]
        kept = part.clone()
        del batch
        gc.collect()
        assert part.equal(kept)  # a view of it keeps it
        del part
    assert len(addresses) <= 5


def test_iterations_one_after_the_other_and_broken_off(views: ViewDataset) -> None:
    items = list(range(len(EXPECTED))) * 3
    for persistent in (False, True):
        loader = ViewLoader(
            views, batch_size=2, sampler=items, num_workers=2, persistent_workers=persistent
        )
        kept = list(itertools.islice(loader, 3))
        for _ in range(2):
            check(list(loader), views.store, items, 2)
        check(kept, views.store, items[:6], 2)


@pytest.mark.parametrize("workers", [0, 1])
def test_two_iterations_at_once(views: ViewDataset, workers: int) -> None:
    items = list(range(len(EXPECTED))) * 3
    loader = ViewLoader(views, batch_size=3, sampler=items, num_workers=workers)
    pairs = list(zip(loader, loader, strict=True))
    for side in range(2):
        check([pair[side] for pair in pairs], views.store, items, 3)


def test_several_views_of_sets_as_one(views: ViewDataset, store: Store) -> None:
    both = ConcatDataset([views, ViewDataset(store, [3])])
    found = list(DataLoader(both, batch_size=5))
    check(found[:2] + [{k: v[:1] for k, v in found[2].items()}], store, list(range(11)), 5)
    assert found[2]["object"].tolist()[1:] == [3] * 4


def test_spawned_workers(views: ViewDataset) -> None:
    loader = ViewLoader(views, batch_size=4, num_workers=1, multiprocessing_context="spawn")
    check(list(loader), views.store, list(range(len(EXPECTED))), 4)


def test_arguments_it_does_not_take(views: ViewDataset) -> None:
    for name in ("collate_fn", "batch_sampler"):
        with pytest.raises(UsageError, match=name):
            ViewLoader(views, **{name: None})
    channels_last = next(iter(ViewLoader(views)))["image"]
    assert channels_last.is_contiguous(memory_format=torch.channels_last)
