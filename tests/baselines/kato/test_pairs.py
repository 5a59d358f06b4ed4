"""Draws of training pairs, and that nobody gets at the test split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchbench.baselines.inputs import convert_picture
from benchbench.baselines.kato.pairs import VIEWS, Pairs, check_views
from benchbench.baselines.kato.spec import INPUT
from benchbench.baselines.training_ids import split_rows
from benchbench.core.errors import MissingError, UsageError


@pytest.fixture(scope="module")
def pairs(little_store: Any) -> Pairs:
    return Pairs(little_store, "kato", quiet=True)


def test_only_training_pictures_are_read(little_store: Any, pairs: Pairs) -> None:
    train = little_store.indices("train")
    assert len(pairs.pictures) == len(train) == 8
    np.testing.assert_array_equal(
        pairs.pictures[5, 17], convert_picture(little_store.image(int(train[5]), 17), INPUT)
    )
    for split in ("test", "all"):
        with pytest.raises(UsageError, match=f"never reads the split '{split}'"):
            split_rows(little_store, split, None, None)  # type: ignore[arg-type]


def test_draws_are_keyed_and_uniform(pairs: Pairs) -> None:
    rows, a, b = pairs.draw(0, 1, 64)
    again = pairs.draw(0, 1, 64)
    assert all((x == y).all() for x, y in zip((rows, a, b), again, strict=True))
    assert any((x != y).any() for x, y in zip((rows, a, b), pairs.draw(0, 2, 64), strict=True))
    assert any((x != y).any() for x, y in zip((rows, a, b), pairs.draw(1, 1, 64), strict=True))
    drawn = [pairs.draw(0, step, 64) for step in range(100)]
    objects = np.bincount(np.concatenate([d[0] for d in drawn]), minlength=8)
    assert abs(objects / 6400 - 1 / 8).max() < 0.02
    for k in (1, 2):
        views = np.bincount(np.concatenate([d[k] for d in drawn]), minlength=VIEWS)
        assert len(views) == VIEWS and abs(views / 6400 - 1 / VIEWS).max() < 0.015


def test_classes_are_uniform_even_when_unequal(little_store: Any) -> None:
    unequal = Pairs(little_store, "kato", limit=5, quiet=True)  # four aeroplanes, one chair
    rows = np.concatenate([unequal.draw(0, step, 64)[0] for step in range(50)])
    assert abs((rows == 4).mean() - 0.5) < 0.03


def test_class_selection(little_store: Any) -> None:
    assert len(Pairs(little_store, "kato", ["chair"], quiet=True).pictures) == 4
    with pytest.raises(UsageError, match="'chiar'"):
        Pairs(little_store, "kato", ["chiar"], quiet=True)


class Other:
    """A store whose pictures are not Kato's."""

    id, split_name, renderings = "other", "one", ("kato", "choy")

    def __init__(self, views: int = 24, turn: float = 0.0, size: tuple[int, int] = (64, 64)):
        self.views, self.turn, self.size = views, turn, size

    def indices(self, split: str, classes: object = None, limit: object = None) -> np.ndarray:
        return np.arange(0 if split == "train" else 3)

    def view_count(self, index: int, rendering: str) -> int:
        return self.views

    def picture_size(self, rendering: str) -> tuple[int, int]:
        return self.size

    def source_to_object(self, index: int) -> np.ndarray:
        return np.eye(4)

    def camera(self, index: int, view: int, rendering: str) -> Any:
        from dataclasses import replace

        from benchbench.datasets.cameras import kato_camera

        camera = kato_camera(view)
        matrix = camera.world_to_camera.copy()
        matrix[0, 3] += self.turn
        return replace(camera, world_to_camera=matrix)


def test_other_cameras_are_refused() -> None:
    rows = np.arange(3)
    check_views(Other(), "kato", rows)
    for other in (Other(views=23), Other(turn=0.01), Other(size=(64, 137))):
        with pytest.raises(UsageError, match="Kato's 24 cameras"):
            check_views(other, "kato", rows)
    with pytest.raises(UsageError, match="'koto'"):
        check_views(Other(), "koto", rows)


def test_set_without_training_objects() -> None:
    with pytest.raises(MissingError, match="no training objects"):
        Pairs(Other(), "kato", quiet=True)
