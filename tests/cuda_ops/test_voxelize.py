"""`voxelize` against Kato's own grids, hand-counted cells and a twin that tries every line."""

from __future__ import annotations

import ctypes
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library, voxelize
from benchbench.cuda_ops.reference.voxelize import voxelize as twin

BOX_CORNERS = list(itertools.product((0, 1), repeat=3))
BOX_FACES = torch.tensor(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


def box(low: tuple[float, ...], high: tuple[float, ...]) -> torch.Tensor:
    """(8, 3) corners of a box, in the order that BOX_FACES expects."""
    ends = torch.tensor([low, high])
    return torch.tensor([[float(ends[c[d], d]) for d in range(3)] for c in BOX_CORNERS])


def soup(corners: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """(F, 3, 3) corners as a batch of one mesh."""
    vertices = torch.from_numpy(np.ascontiguousarray(corners, np.float32)).reshape(1, -1, 3)
    return vertices, torch.arange(vertices.shape[1]).reshape(-1, 3)


def accepted(archive: np.lib.npyio.NpzFile, name: str, key: str) -> list[np.ndarray]:
    """The grids that count as right: on the collinear mesh also the one with fused operations."""
    keys = [key, key.replace("grid", "grid_fma")] if name == "degenerate" else [key]
    grids = [archive[f"{name}/{k}"] for k in keys]
    if key.endswith("bits"):
        grids = [np.unpackbits(grid).astype(bool).reshape(32, 32, 32) for grid in grids]
    return grids


def test_equals_katos_grids(data: Path) -> None:
    with np.load(data / "kato" / "voxelization.npz") as archive:
        names = sorted({key.split("/")[0] for key in archive.files})
        assert len(names) == 15
        for name in names:
            grid = voxelize(*soup(archive[f"{name}/faces_unit"]))[0].numpy()
            right = accepted(archive, name, "grid_bits")
            assert any(np.array_equal(grid, one) for one in right), name


def test_equals_katos_grids_of_his_own_meshes(shared: Path) -> None:
    with np.load(shared / "oracles" / "kato" / "voxelization.npz") as archive:
        for name in map(str, archive["names"]):
            grid = voxelize(*soup(archive[f"{name}/faces_unit"]))[0].numpy()
            right = accepted(archive, name, "grid")
            assert any(np.array_equal(grid, one) for one in right), name
            # The same through shared vertices, scaled as the evaluation does.
            if name.startswith(("example", "forward")):
                vertices = torch.from_numpy(archive[f"{name}/vertices"]) * 31 / 32 + 0.5
                faces = torch.from_numpy(archive[f"{name}/faces"])
                assert np.array_equal(voxelize(vertices[None], faces)[0].numpy(), grid), name


def test_box_of_known_cells() -> None:
    """A box from 2.5 to 5.5 in x, 1.5 to 3.5 in y, 4.5 to 6.5 in z touches cells 2..5, 1..3, 4..6.

    Lines at 3, 4, 5 in x reach back to cell 2 and forward to 5; all cells of the box are marked
    or enclosed: 4 * 3 * 3 = 36. The other order of axes would give another block.
    """
    vertices = box((2.5, 1.5, 4.5), (5.5, 3.5, 6.5)) / 8
    grid = voxelize(vertices[None], BOX_FACES, resolution=8)[0]
    right = torch.zeros(8, 8, 8, dtype=torch.bool)
    right[2:6, 1:4, 4:7] = True
    assert torch.equal(grid, right)


def test_asymmetric_corner_piece() -> None:
    """Three boxes of different lengths along x, y and z: only [x, y, z] order gives these cells."""
    parts = [
        ((1.5, 1.5, 1.5), (13.5, 3.5, 3.5), np.s_[1:14, 1:4, 1:4]),
        ((1.5, 1.5, 1.5), (3.5, 9.5, 3.5), np.s_[1:4, 1:10, 1:4]),
        ((1.5, 1.5, 1.5), (3.5, 3.5, 6.5), np.s_[1:4, 1:4, 1:7]),
    ]
    vertices = torch.cat([box(low, high) for low, high, _ in parts]) / 16
    faces = torch.cat([BOX_FACES + 8 * i for i in range(3)])
    right = torch.zeros(16, 16, 16, dtype=torch.bool)
    for _, _, cells in parts:
        right[cells] = True
    assert torch.equal(voxelize(vertices[None], faces, resolution=16)[0], right)


def test_open_box_is_not_filled_and_nested_box_is() -> None:
    outer = box((1.5, 1.5, 1.5), (10.5, 10.5, 10.5)) / 12
    lid = 2  # BOX_FACES[2:4] is the side of large x
    closed = voxelize(outer[None], BOX_FACES, 12)[0]
    opened = voxelize(outer[None], torch.cat([BOX_FACES[:lid], BOX_FACES[lid + 2 :]]), 12)[0]
    assert int(closed.sum()) == 10**3
    assert bool(closed[5, 5, 5]) and not bool(opened[5, 5, 5])
    inner = torch.cat([outer, box((4.5, 4.5, 4.5), (7.5, 7.5, 7.5)) / 12])
    nested = voxelize(inner[None], torch.cat([BOX_FACES, BOX_FACES + 8]), 12)[0]
    assert torch.equal(nested, closed)


def test_a_winding_passage_is_found_from_outside() -> None:
    """Walls with alternating gaps: the flood has to go to and fro through the whole box."""
    size = 24
    walls = [box((1.5, 1.5, 1.5), (22.5, 22.5, 22.5))]
    faces = [BOX_FACES[2:]]  # without the side of small x
    for i, x in enumerate(range(5, 20, 3)):
        low, high = (1.5, 19.5) if i % 2 else (4.5, 22.5)
        sheet = torch.tensor([[x + 0.5, low, 1.5], [x + 0.5, high, 1.5], [x + 0.5, high, 22.5],
                              [x + 0.5, low, 22.5]])  # fmt: skip
        faces.append(torch.tensor([[0, 1, 2], [0, 2, 3]]) + 8 + 4 * i)
        walls.append(sheet)
    vertices, all_faces = torch.cat(walls)[None] / size, torch.cat(faces)
    grid = voxelize(vertices, all_faces, size)
    assert torch.equal(grid, twin(vertices, all_faces, size))
    assert not bool(grid[0, 20, 12, 12])  # behind the last wall, yet outside
    blocked = torch.cat([all_faces, BOX_FACES[:2]])
    assert bool(voxelize(vertices, blocked, size)[0, 20, 12, 12])


@pytest.mark.parametrize("resolution", [2, 3, 7, 8, 31, 32, 33, 40, 64, 65, 96, 130])
def test_equals_twin_at_any_resolution(resolution: int) -> None:
    rng = np.random.default_rng(resolution)
    corners = rng.uniform(-0.2, 1.2, (8, 1, 3)) + rng.normal(0, 0.2, (8, 3, 3))
    ball = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
    tetrahedron = rng.uniform(0.05, 0.95, (4, 3))[ball]
    vertices, faces = soup(np.concatenate([corners, tetrahedron]))
    assert torch.equal(voxelize(vertices, faces, resolution), twin(vertices, faces, resolution))


def nasty_faces(rng: np.random.Generator, count: int, resolution: int) -> np.ndarray:
    """Slivers, collinear and repeated corners, lattice planes and diagonals, far corners."""
    start = rng.integers(0, resolution + 1, (count, 1, 3)) / resolution
    along = rng.integers(-3, 4, (count, 1, 3)) / resolution
    collinear = start + along * rng.integers(-3, 8, (count, 3, 1)) / 2
    sliver = collinear + rng.choice([0, 1e-7, 1e-6, 1e-4], (count, 3, 1)) * rng.normal(
        size=(count, 3, 3)
    )
    lattice = rng.integers(-1, resolution + 2, (count, 3, 3)) / resolution
    repeated = rng.uniform(size=(count, 3, 3))
    repeated[:, 2] = repeated[:, 0]
    thirds = start + along * rng.uniform(-3, 4, (count, 3, 1))
    far = lattice * rng.choice([1.0, 30.0, 5e3, 4e5], (count, 3, 1))
    return np.concatenate([collinear, sliver, lattice, repeated, thirds, far])


def test_equals_twin_on_nearly_degenerate_faces() -> None:
    """One grid per face: what the box around a face may lose, another face would hide."""
    rng = np.random.default_rng(7)
    for resolution in (8, 32):
        corners = nasty_faces(rng, 25, resolution).astype(np.float32)
        vertices, faces = torch.from_numpy(corners), torch.tensor([[0, 1, 2]])
        grids = voxelize(vertices, faces, resolution)
        wrong = (grids != twin(vertices, faces, resolution)).flatten(1).any(dim=1)
        assert not wrong.any(), corners[wrong.numpy()][:3]


def test_bad_coordinates_mark_nothing() -> None:
    clean = box((0.2, 0.3, 0.4), (0.6, 0.7, 0.8))
    right = voxelize(clean[None], BOX_FACES, 16)
    for bad in (float("nan"), float("inf"), -float("inf"), 3e38, 2e7, -2e7):
        for axis in range(3):
            spoilt = torch.tensor([[0.1, 0.1, 0.1], [0.9, 0.1, 0.2], [0.1, 0.9, 0.9]])
            spoilt[1, axis] = bad
            vertices = torch.cat([clean, spoilt])
            faces = torch.cat([BOX_FACES, torch.tensor([[8, 9, 10]])])
            assert torch.equal(voxelize(vertices[None], faces, 16), right)
            assert torch.equal(twin(vertices[None], faces, 16), right)
    nothing = torch.full((1, 8, 3), float("nan"))
    assert not voxelize(nothing, BOX_FACES, 16).any()


def test_bits_do_not_depend_on_batch_threads_layout_or_instruction_set(
    libraries: dict[str, ctypes.CDLL],
) -> None:
    rng = np.random.default_rng(3)
    vertices = torch.from_numpy(rng.uniform(0, 1, (5, 40, 3)).astype(np.float32))
    faces = torch.from_numpy(rng.integers(0, 40, (60, 3)))
    right = voxelize(vertices, faces, 32)
    for b in range(5):
        assert torch.equal(voxelize(vertices[b : b + 1], faces, 32)[0], right[b])
    strided = vertices.transpose(0, 1).contiguous().transpose(0, 1)
    assert torch.equal(voxelize(strided, faces.to(torch.int32), 32), right)
    assert torch.equal(voxelize(vertices, faces.T.contiguous().T, 32), right)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            assert torch.equal(voxelize(vertices, faces, 32), right)
    finally:
        torch.set_num_threads(before)
    for level, loaded in libraries.items():
        kernel = loaded.bench_voxelize
        pointer, size = ctypes.c_void_p, ctypes.c_int64
        kernel.argtypes = [pointer, pointer, size, size, size, size, pointer, ctypes.c_int]
        cells = torch.empty_like(right)
        code = kernel(vertices.data_ptr(), faces.data_ptr(), 5, 40, 60, 32, cells.data_ptr(), 2)
        assert code == 0 and torch.equal(cells, right), level


def test_works_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    vertices = box((0.2, 0.3, 0.4), (0.6, 0.7, 0.8))[None]
    right = voxelize(vertices, BOX_FACES, 16)
    monkeypatch.setattr(library, "available", lambda device: False)
    assert torch.equal(voxelize(vertices, BOX_FACES, 16), right)


def test_no_gradient_is_promised() -> None:
    vertices = box((0.2, 0.2, 0.2), (0.7, 0.7, 0.7))[None].requires_grad_()
    grid = voxelize(vertices, BOX_FACES, 8)
    assert not grid.requires_grad and grid.numpy().any()


def test_operator_registration() -> None:
    vertices = box((0.2, 0.3, 0.4), (0.6, 0.7, 0.8))[None]
    torch.library.opcheck(torch.ops.benchbench.voxelize.default, (vertices, BOX_FACES, 8))


@pytest.mark.parametrize(
    ("vertices", "faces", "resolution", "words"),
    [
        (torch.zeros(8, 3), BOX_FACES, 8, "vertices must be (B, V, 3) float32, got (8, 3)"),
        (torch.zeros(1, 8, 3).double(), BOX_FACES, 8, "got (1, 8, 3) float64"),
        (torch.zeros(0, 8, 3), BOX_FACES, 8, "at least one mesh and vertex"),
        (torch.zeros(1, 0, 3), BOX_FACES, 8, "at least one mesh and vertex"),
        (torch.zeros(1, 8, 3), BOX_FACES[:0], 8, "at least one face"),
        (torch.zeros(1, 8, 3), BOX_FACES.float(), 8, "faces must be (F, 3) int32 or int64"),
        (torch.zeros(1, 8, 3), BOX_FACES[None], 8, "faces must be (F, 3) int32 or int64"),
        (torch.zeros(1, 7, 3), BOX_FACES, 8, "faces must be indices in [0, 7), got 7"),
        (torch.zeros(1, 8, 3), BOX_FACES - 1, 8, "faces must be indices in [0, 8), got -1"),
        (torch.zeros(1, 8, 3), BOX_FACES + 2**32, 8, "faces must be indices in [0, 8)"),
        (torch.zeros(1, 8, 3), BOX_FACES, 1, "resolution must be 2 to 1024, got 1"),
        (torch.zeros(1, 8, 3), BOX_FACES.to("meta"), 8, "faces must be on cpu, got on meta"),
    ],
)
def test_refuses(vertices: torch.Tensor, faces: torch.Tensor, resolution: int, words: str) -> None:
    with pytest.raises(ShapeError) as caught:
        voxelize(vertices, faces, resolution)
    assert str(caught.value).startswith("voxelize: ") and words in str(caught.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("resolution", [2, 8, 31, 32, 64, 130])
def test_cuda_gives_the_same_bits(resolution: int) -> None:
    rng = np.random.default_rng(resolution)
    vertices = torch.from_numpy(rng.uniform(-0.1, 1.1, (3, 60, 3)).astype(np.float32))
    faces = torch.from_numpy(rng.integers(0, 60, (50, 3)))
    grid = voxelize(vertices.cuda(), faces.cuda(), resolution)
    assert torch.equal(grid.cpu(), voxelize(vertices, faces, resolution))
