"""`voxel_iou` against hand-counted cells and exact fractions."""

from __future__ import annotations

import ctypes
from fractions import Fraction

import numpy as np
import pytest
import torch

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library, voxel_iou
from benchbench.cuda_ops.reference.voxel_iou import voxel_iou as twin


def grids(*boxes: tuple[slice, slice, slice], size: int = 8) -> torch.Tensor:
    """One grid a box."""
    result = torch.zeros(len(boxes), size, size, size, dtype=torch.bool)
    for grid, cells in zip(result, boxes, strict=True):
        grid[cells] = True
    return result


def test_hand_counted_boxes() -> None:
    """4 x 2 x 2 against itself moved by one in x: 12 shared of 20; by two in y: nothing shared."""
    preds = grids(*[np.s_[1:5, 1:3, 1:3]] * 4)
    target = grids(
        np.s_[1:5, 1:3, 1:3], np.s_[2:6, 1:3, 1:3], np.s_[1:5, 3:5, 1:3], np.s_[0:8, 0:8, 0:8]
    )
    assert voxel_iou(preds, target).tolist() == [1.0, 12 / 20, 0.0, 16 / 512]


def test_empty_grids() -> None:
    empty, full = torch.zeros(1, 5, 5, 5, dtype=torch.bool), torch.ones(1, 5, 5, 5).bool()
    assert voxel_iou(empty, empty).tolist() == [1.0]
    assert voxel_iou(empty, full).tolist() == [0.0]
    assert voxel_iou(full, empty).tolist() == [0.0]
    assert voxel_iou(full, full).tolist() == [1.0]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 31, 32, 33, 64])
def test_equals_exact_fractions_at_any_size(size: int) -> None:
    rng = np.random.default_rng(size)
    fills = rng.uniform(0, 1, (3, 1, 1, 1))
    p, t = rng.uniform(size=(2, 3, size, size, size)) < fills
    values = voxel_iou(torch.from_numpy(p), torch.from_numpy(t))
    assert values.dtype == torch.float64
    for value, a, b in zip(values.tolist(), p, t, strict=True):
        both, either = int(np.sum(a & b)), int(np.sum(a | b))
        assert value == (float(Fraction(both, either)) if either else 1.0)
    assert torch.equal(values, twin(torch.from_numpy(p), torch.from_numpy(t)))


def test_bits_do_not_depend_on_threads_layout_or_instruction_set(
    libraries: dict[str, ctypes.CDLL],
) -> None:
    rng = np.random.default_rng(0)
    p, t = torch.from_numpy(rng.uniform(size=(2, 40, 33, 33, 33)) < 0.3)
    right = twin(p, t)
    assert torch.equal(voxel_iou(p, t), right)
    assert torch.equal(voxel_iou(p.transpose(1, 3), t.transpose(1, 3)), right)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            assert torch.equal(voxel_iou(p, t), right)
    finally:
        torch.set_num_threads(before)
    for level, loaded in libraries.items():
        kernel = loaded.bench_voxel_iou
        pointer, size = ctypes.c_void_p, ctypes.c_int64
        kernel.argtypes = [pointer, pointer, size, size, pointer, ctypes.c_int]
        values = torch.empty_like(right)
        assert kernel(p.data_ptr(), t.data_ptr(), 40, 33**3, values.data_ptr(), 2) == 0
        assert torch.equal(values, right), level


def test_any_byte_but_zero_is_occupied() -> None:
    """Boolean tensors made from foreign memory may hold other bytes than 0 and 1."""
    cells = torch.tensor([0, 1, 2, 127, 128, 255, 0, 3], dtype=torch.uint8).repeat(8)
    odd = cells.reshape(1, 4, 4, 4).view(torch.bool)
    full = torch.ones(1, 4, 4, 4, dtype=torch.bool)
    assert voxel_iou(odd, full).tolist() == [6 / 8]


def test_works_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "available", lambda device: False)
    half = torch.tensor([True, False] * 4).reshape(1, 2, 2, 2)
    assert voxel_iou(half, torch.ones_like(half)).tolist() == [0.5]


def test_operator_registration() -> None:
    grid = torch.zeros(2, 3, 3, 3, dtype=torch.bool)
    torch.library.opcheck(torch.ops.benchbench.voxel_iou.default, (grid, grid))


@pytest.mark.parametrize(
    ("preds", "target", "words"),
    [
        (torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2, 2).bool(), "preds must be (B, R, R, R)"),
        (torch.zeros(2, 2, 2).bool(), torch.zeros(2, 2, 2).bool(), "got (2, 2, 2) bool"),
        (torch.zeros(0, 2, 2, 2).bool(), torch.zeros(0, 2, 2, 2).bool(), "not empty"),
        (torch.zeros(2, 2, 2, 2).bool(), torch.zeros(1, 2, 2, 2).bool(), "target must be (2, 2"),
    ],
)
def test_refuses(preds: torch.Tensor, target: torch.Tensor, words: str) -> None:
    with pytest.raises(ShapeError) as caught:
        voxel_iou(preds, target)
    assert str(caught.value).startswith("voxel_iou: ") and words in str(caught.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("size", [1, 5, 32, 33])
def test_cuda_gives_the_same_bits(size: int) -> None:
    rng = np.random.default_rng(size)
    p, t = torch.from_numpy(rng.uniform(size=(2, 5, size, size, size)) < 0.3)
    assert torch.equal(voxel_iou(p.cuda(), t.cuda()).cpu(), twin(p, t))
