"""Which objects, pictures and cells a step sees."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchbench.baselines.r2n2.batches import Batches, voxel_kind
from benchbench.baselines.r2n2.spec import R2N2Options
from benchbench.core.errors import MissingError, UsageError
from benchbench.datasets.store import Store

from .conftest import CLASSES, TRAIN, VIEWS, cells

OPTIONS = R2N2Options(batch=3, views=5)


def original_epochs(count: int, batch: int, steps: int) -> list[tuple[int, int]]:
    """Epoch and first place of every batch, by the original's own loop."""
    epoch, position, found = 0, 0, []
    for _ in range(steps):
        if position + batch >= count and found:
            epoch, position = epoch + 1, 0
        found.append((epoch, position))
        position += batch
    return found


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 7, 8, 9, 100])
def test_epochs_are_the_originals(hooks_store: Store, batch: int) -> None:
    batches = Batches(hooks_store, replace(OPTIONS, batch=batch))
    count = len(CLASSES) * TRAIN
    assert len(batches.rows) == count
    orders: dict[int, list[int]] = {}
    for step, (epoch, place) in enumerate(original_epochs(count, batch, 3 * count), 1):
        rows = batches.objects(step).tolist()
        assert len(rows) == min(batch, count)
        assert len(orders.setdefault(epoch, [])) == place
        orders[epoch] += rows
    assert all(len(set(order)) == len(order) for order in orders.values())
    assert set(orders[0]) | set(orders[1]) <= set(batches.rows.tolist())
    # Another permutation every epoch.
    assert len({tuple(order) for order in list(orders.values())[:-1]}) > 1 or batch >= count


def test_cells_and_pictures_belong_to_the_object(hooks_store: Store) -> None:
    """Targets are [x, y, z] of the object frame: three arms of different lengths tell."""
    batches = Batches(hooks_store, replace(OPTIONS, background=(240, 240), crop=0, mirror=False))
    for step in (1, 2, 5):
        batch = batches.read(step)
        for n, row in enumerate(batch.rows.tolist()):
            synset, name = hooks_store.object_ids[row].split("/")
            place = [known for known, _ in CLASSES].index(synset)
            assert (batch.occupied[n] == cells(place, int(name[-1]))).all()
            for k, view in enumerate(batch.views[n].tolist()):
                picture = hooks_store.image(row, view, "choy")[5:132, 5:132]
                wanted = np.where(picture[..., 3:] > 0, picture[..., :3], 240)
                assert (batch.images[n, k].transpose(1, 2, 0) == wanted).all()


def test_numbers_and_choices_of_views(hooks_store: Store) -> None:
    batches = Batches(hooks_store, OPTIONS)
    seen = [batches.read(step) for step in range(1, 41)]
    assert {batch.views.shape[1] for batch in seen} == {1, 2, 3, 4, 5}
    assert {int(view) for batch in seen for view in batch.views.flat} == set(range(VIEWS))
    # Five views of three: with replacement, so repeats cannot be avoided.
    assert any(len(set(row)) < len(row) for batch in seen for row in batch.views.tolist())


def test_a_step_is_the_same_whatever_was_read_before(hooks_store: Store) -> None:
    one, other = Batches(hooks_store, OPTIONS), Batches(hooks_store, OPTIONS)
    one.read(1)
    one.read(2)
    a, b = one.read(7), other.read(7)
    assert all((getattr(a, k) == getattr(b, k)).all() for k in ("rows", "views", "images"))
    different = Batches(hooks_store, replace(OPTIONS, seed=1)).read(7)
    assert different.images.shape != a.images.shape or (different.images != a.images).any()


def test_shares_of_a_batch_are_parts_of_the_whole(hooks_store: Store) -> None:
    batches = Batches(hooks_store, replace(OPTIONS, batch=5))
    whole = batches.read(3)
    for part in (slice(0, 2), slice(2, 5)):
        share = batches.read(3, part)
        for name in ("rows", "views", "images", "occupied"):
            assert (getattr(share, name) == getattr(whole, name)[part]).all()


def test_only_training_objects_are_ever_read(hooks_store: Store) -> None:
    train = set(hooks_store.indices("train").tolist())
    batches = Batches(hooks_store, OPTIONS)
    assert {int(row) for step in range(1, 30) for row in batches.objects(step)} == train
    chairs = Batches(hooks_store, replace(OPTIONS, classes="chair"))
    assert {hooks_store.class_of(row) for row in chairs.rows.tolist()} == {"03001627"}
    assert len(Batches(hooks_store, OPTIONS, limit=3).rows) == 3


def test_what_does_not_fit(hooks_store: Store, little_store: Store) -> None:
    with pytest.raises(UsageError, match="unknown rendering 'choy'"):
        Batches(little_store, OPTIONS)
    assert Batches(little_store, replace(OPTIONS, rendering="kato")).read(1).images.shape[2:] == (
        3, 127, 127,
    )  # fmt: skip
    with pytest.raises(UsageError, match="unknown voxel kind 'kato'"):
        Batches(hooks_store, replace(OPTIONS, kind="kato"))
    with pytest.raises((UsageError, MissingError)):
        Batches(hooks_store, replace(OPTIONS, classes="table"))


def test_grids_of_another_size_are_refused() -> None:
    class Fine:
        id = "fine"
        voxel_kinds: tuple[str, ...] = ("sixty-four",)

        def indices(self, *_: Any, **__: Any) -> np.ndarray:
            return np.array([0])

        def voxels(self, *_: Any) -> np.ndarray:
            return np.zeros((64, 64, 64), bool)

    with pytest.raises(UsageError, match="have 64 cells a side, not 32"):
        voxel_kind(Fine(), None)
    Fine.voxel_kinds = ()
    with pytest.raises(UsageError, match="holds no voxels"):
        voxel_kind(Fine(), None)
