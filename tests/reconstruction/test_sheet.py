"""Contact sheets: with the truth as prediction, every row shows the same object."""

from __future__ import annotations

import numpy as np
import pytest

from benchbench.baselines import load_baseline
from benchbench.datasets.registry import prepare
from benchbench.datasets.shapes13 import prepare as shapes13
from benchbench.datasets.store import Store
from benchbench.reconstruction.sheet import SIDE, contact_sheet


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("sheet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(shapes13.SIZES, "demo", (0, 0, 1))
        return Store(prepare("shapes13", root, size="demo", quiet=True, workers=1).path)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_truth_looks_like_its_picture(store: Store) -> None:
    items = [(0, 3), (4, 17), (8, 10)]
    sheet = contact_sheet(load_baseline("gt"), store, items)
    assert sheet.shape == (4 * SIDE, 3 * SIDE, 3) and sheet.dtype == np.uint8
    shown = (sheet < 250).any(axis=2).reshape(4, SIDE, 3, SIDE).transpose(0, 2, 1, 3)
    for n, (row, view) in enumerate(items):
        given, there, elsewhere, truth = shown[:, n]
        # From the picture's own side; the picture was enlarged, which thin parts notice.
        assert iou(given, there) > 0.7, (row, view)
        assert iou(given[:, ::-1], there) < 0.65 and iou(given, elsewhere) < 0.65
        assert iou(elsewhere, truth) > 0.75  # the truth is darker, which edges notice


def test_methods_that_are_told_the_class(store: Store) -> None:
    with pytest.raises(Exception, match="training objects"):  # the set has none
        contact_sheet(load_baseline("mean"), store, [(0, 0)])
