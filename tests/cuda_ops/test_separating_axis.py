"""`separating_axis` by hand, by clipping, and against its twin, bit for bit."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
import torch

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library, separating_axis
from benchbench.cuda_ops.reference.separating_axis import separating_axis as twin

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
SCENES = [
    "soup", "lattice", "halves", "slivers", "small", "far", "huge", "overflowing", "partly huge",
    "outside", "not finite",
]  # fmt: skip
R = 12


def cells(triangles: np.ndarray, resolution: int = R) -> np.ndarray:
    """The kernel's answer, which must be the twin's."""
    found = separating_axis(torch.from_numpy(triangles), resolution)
    assert found.dtype == torch.bool and found.shape == (resolution,) * 3
    assert (found.numpy() == twin(triangles, resolution)).all()
    return found.numpy()


def scene(kind: str) -> np.ndarray:
    """(F, 3, 3); many touch cells in a corner or along an edge."""
    rng = np.random.default_rng(SCENES.index(kind))
    triangles = rng.uniform(-2, R + 2, (80, 3, 3))
    if kind == "lattice":
        triangles = rng.integers(-1, R + 2, (80, 3, 3)).astype(float)
    if kind == "halves":
        triangles = rng.integers(-2, 2 * R + 3, (80, 3, 3)) / 2
    if kind == "slivers":  # lines, and points, and what rounding leaves of them
        step = rng.normal(size=(80, 1, 3))
        triangles = triangles[:, :1] + step * rng.normal(size=(80, 3, 1))
        triangles[:10] = triangles[:10, :1]
    if kind == "small":
        triangles = triangles[:, :1] + rng.normal(size=(80, 3, 3)) * 0.05
    if kind in ("far", "huge", "overflowing"):  # all but the last run through the grid's middle
        size = {"far": 1e6, "huge": 1e100, "overflowing": 1e300}[kind]
        triangles = (triangles - triangles.mean(1, keepdims=True)) * size + R / 2
    if kind == "partly huge":  # products overflow on some axes alone
        triangles[rng.random((80, 3, 3)) < 0.4] *= 1e301
    if kind == "outside":
        triangles = triangles + [[[2 * R, 0, 0]]]
    if kind == "not finite":
        values = rng.choice([np.nan, np.inf, -np.inf], 80)
        triangles[np.arange(80), rng.integers(0, 3, 80), rng.integers(0, 3, 80)] = values
    return triangles


def clipped(triangle: np.ndarray, cell: tuple[int, ...]) -> bool:
    """Slow twin in other arithmetic: cut by the six planes of the cell, something is left."""
    polygon = [corner - (np.array(cell) + 0.5) for corner in triangle]
    for axis in range(3):
        for sign in (1.0, -1.0):
            kept = []
            for n, a in enumerate(polygon):
                b = polygon[(n + 1) % len(polygon)]
                da, db = 0.5 - sign * a[axis], 0.5 - sign * b[axis]
                if da >= 0:
                    kept.append(a)
                if (da < 0) != (db < 0):
                    kept.append(a + (b - a) * (da / (da - db)))
            polygon = kept
            if not polygon:
                return False
    return True


def test_equals_clipping() -> None:
    rng = np.random.default_rng(7)
    for size in (0.3, 2.0, 9.0):
        for _ in range(12):
            triangle = rng.uniform(0, 6, (1, 3)) + rng.normal(size=(3, 3)) * size
            slow = [clipped(triangle, cell) for cell in np.ndindex(6, 6, 6)]
            assert cells(triangle[None], 6).ravel().tolist() == slow


@pytest.mark.parametrize(
    ("triangle", "met"),
    [
        # strictly within a cell
        ([[1.2, 2.2, 3.2], [1.8, 2.2, 3.4], [1.2, 2.8, 3.6]], [(1, 2, 3)]),
        # a point on a corner: the eight cells around
        ([[1, 1, 1]] * 3, [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]),
        # a segment along x, through the middle of cells
        ([[0.5, 0.5, 0.5], [2.5, 0.5, 0.5], [1.5, 0.5, 0.5]], [(x, 0, 0) for x in (0, 1, 2)]),
        # in the border of the grid, seen from outside
        ([[0, 0.2, 0.2], [0, 0.8, 0.2], [0, 0.2, 0.8]], [(0, 0, 0)]),
        # cuts the corner of four columns off: x + y = 2.5 misses cells (0, 0) and (3, .)
        (
            [[2.5, 0, 0.5], [0, 2.5, 0.5], [1.25, 1.25, 0.5]],
            [(x, y, 0) for x, y in ((0, 1), (0, 2), (1, 0), (1, 1), (2, 0))],
        ),
        # below the grid, beside it, and beyond x + y = 8.5, where only its box is in it
        ([[-9, -9, -1], [-9, 9, -1], [9, -9, -1]], []),
        ([[5, 5, 5], [6, 5, 5], [5, 6, 5]], []),
        ([[13.5, -5, 0.5], [-5, 13.5, 0.5], [13.5, 13.5, 0.5]], []),
    ],
)
def test_by_hand(triangle: list[list[float]], met: list[tuple[int, int, int]]) -> None:
    for turn in range(3):
        for winding in (1, -1):
            corners = np.roll(np.array([triangle], float), turn, 1)[:, ::winding]
            found = cells(np.ascontiguousarray(corners), 4)
            assert [tuple(c) for c in np.argwhere(found).tolist()] == sorted(met)


@pytest.mark.parametrize("kind", SCENES)
def test_equals_the_twin(kind: str) -> None:
    triangles = scene(kind)
    found = cells(triangles)
    assert found.any() == (kind not in ("overflowing", "outside", "not finite"))
    single = [cells(triangles[n : n + 1]) for n in range(len(triangles))]
    assert (np.logical_or.reduce(single) == found).all()


@pytest.mark.parametrize("resolution", [1, 2, 33])
def test_other_grids(resolution: int) -> None:
    assert cells(scene("soup") * (resolution / R), resolution).any()


def test_no_triangles() -> None:
    assert not cells(np.zeros((0, 3, 3))).any()


def test_bits_do_not_depend_on_threads_layout_or_instruction_set(
    libraries: dict[str, ctypes.CDLL],
) -> None:
    for kind in SCENES:
        triangles = np.concatenate([scene(kind)] * 3)  # several runs
        expected = torch.from_numpy(twin(triangles, R))
        before = torch.get_num_threads()
        try:
            for threads in (1, 2, 5):
                torch.set_num_threads(threads)
                turned = torch.from_numpy(triangles).permute(2, 1, 0).contiguous().permute(2, 1, 0)
                assert torch.equal(separating_axis(torch.from_numpy(triangles), R), expected)
                assert torch.equal(separating_axis(turned, R), expected)
        finally:
            torch.set_num_threads(before)
        for kernels in libraries.values():
            grid = np.zeros((R, R, R), np.bool_)
            code = kernels.bench_separating_axis(
                ctypes.c_void_p(triangles.ctypes.data), ctypes.c_int64(len(triangles)),
                ctypes.c_int64(R), ctypes.c_void_p(grid.ctypes.data), ctypes.c_int(2),
            )  # fmt: skip
            assert code == 0 and (grid == expected.numpy()).all()


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    triangles = torch.from_numpy(scene("soup"))
    expected = separating_axis(triangles, R)
    monkeypatch.setattr(library, "available", lambda device: False)
    assert torch.equal(separating_axis(triangles, R), expected)


@pytest.mark.parametrize(
    ("triangles", "resolution", "what"),
    [
        (torch.zeros(3, 3, dtype=torch.float64), 4, "triangles"),
        (torch.zeros(2, 3, 2, dtype=torch.float64), 4, "triangles"),
        (torch.zeros(2, 3, 3), 4, "triangles"),
        (torch.zeros(2, 3, 3, dtype=torch.float64, device="meta"), 4, "triangles"),
        (torch.zeros(2, 3, 3, dtype=torch.float64), 0, "resolution"),
        (torch.zeros(2, 3, 3, dtype=torch.float64), 1025, "resolution"),
    ],
)
def test_refuses(triangles: torch.Tensor, resolution: int, what: str) -> None:
    with pytest.raises(ShapeError, match=f"separating_axis: {what}"):
        separating_axis(triangles, resolution)


@NO_CUDA
@pytest.mark.parametrize("kind", SCENES)
def test_cuda_gives_the_same_bits(kind: str) -> None:
    triangles = torch.from_numpy(scene(kind))
    assert torch.equal(separating_axis(triangles.cuda(), R).cpu(), separating_axis(triangles, R))
