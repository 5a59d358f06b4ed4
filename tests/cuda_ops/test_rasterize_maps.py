"""Forward maps: numbers worked out by hand, the plain twin, and the original kernels' own maps."""

from __future__ import annotations

import ctypes
import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchbench.core.errors import ShapeError, UsageError
from benchbench.cuda_ops import build, library, rasterize_maps
from benchbench.cuda_ops.reference.rasterize import rasterize_maps as twin

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_CUDA)]
FREE_SCENES = [
    "backward_case1_64", "backward_case2_64", "big_faces_40", "depth_triangle_64",
    "odd_33_b2_bg2d", "soup_degenerate_48", "soup_random_48_aa",
]  # fmt: skip


def faces_of(*corners: list[list[float]]) -> Tensor:
    """One picture of the given faces."""
    return torch.tensor(corners, dtype=torch.float32)[None]


def random_faces(kind: int, batch: int = 2) -> Tensor:
    """Triangles of one of seven unpleasant kinds, keyed by the number."""
    rng = np.random.default_rng(kind)
    count = int(rng.integers(1, 30))
    faces = rng.uniform(-1.3, 1.3, (batch, count, 3, 3))
    faces[..., 2] = rng.uniform(0.5, 3, (batch, count, 3))
    match kind % 7:
        case 1:  # corners and edges exactly on pixel centres
            faces[..., :2] = np.round(faces[..., :2] * 8) / 8
        case 2:  # equal depths
            faces[..., 2] = 1
        case 3:  # faces without area
            faces[:, ::3, 1] = faces[:, ::3, 0]
        case 4:  # far off the screen
            faces[..., :2] *= 20
        case 5:  # not numbers, and corners behind the camera
            faces[..., 2] = rng.uniform(-1, 3, (batch, count, 3))
            faces[:, 0, 0, 0], faces[:, -1, 1, 1] = np.nan, np.inf
        case 6:  # duplicates
            faces[:, count // 2 :] = faces[:, : count - count // 2]
    return torch.from_numpy(faces.astype(np.float32))


@pytest.mark.parametrize("device", DEVICES)
def test_top_row_comes_first_and_edges_belong_to_the_face(device: str) -> None:
    # Two rows of pixel centres at y = -0.5, 0.5 and three columns at x = -2/3, 0, 2/3.
    faces = faces_of([[-1, -1, 2], [1, -1, 2], [-1, 1, 2]]).to(device)
    index, weights, depth = rasterize_maps(faces, 2, 3)
    assert index.tolist() == [[[0, -1, -1], [0, 0, -1]]]
    assert depth.tolist() == [[[2, 100, 100], [2, 2, 100]]]
    # Bottom middle, (0, -0.5): corner 1 has (x + 1) / 2 = 1/2, corner 2 (y + 1) / 2 = 1/4.
    assert weights[0, 1, 1].tolist() == pytest.approx([0.25, 0.5, 0.25], abs=1e-6)
    assert weights[0, 0, 1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("device", DEVICES)
def test_depth_is_perspective_correct(device: str) -> None:
    # The pixel at (0, 0) is a quarter of the way to corners 1 and 2; 1 / depth is linear.
    faces = faces_of([[-1, -1, 1], [3, -1, 3], [-1, 3, 1]])
    _, weights, depth = rasterize_maps(faces.to(device), 1, 1)
    assert weights[0, 0, 0].tolist() == pytest.approx([0.5, 0.25, 0.25])
    assert depth.item() == pytest.approx(1 / (0.5 / 1 + 0.25 / 3 + 0.25 / 1))


@pytest.mark.parametrize("device", DEVICES)
def test_the_nearest_face_wins_and_the_first_of_equals(device: str) -> None:
    def flat(z: float) -> list[list[float]]:
        return [[-9, -9, z], [9, -9, z], [0, 9, z]]

    faces = faces_of(flat(3), flat(2), flat(2), flat(4)).to(device)
    assert rasterize_maps(faces, 1, 1)[0].item() == 1
    assert rasterize_maps(faces.flip(1), 1, 1)[0].item() == 1


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("z", "drawn"), [(0.1, False), (0.11, True), (99.9, True), (100.0, False), (-1.0, False)]
)
def test_near_and_far_are_exclusive(device: str, z: float, drawn: bool) -> None:
    faces = faces_of([[-9, -9, z], [9, -9, z], [0, 9, z]]).to(device)
    index, _, depth = rasterize_maps(faces, 1, 1)
    assert (index.item() == 0) == drawn
    assert depth.item() == pytest.approx(z if drawn else 100)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "corners",
    [
        pytest.param([[-9, -9, 1], [0, 9, 1], [9, -9, 1]], id="from behind"),
        pytest.param([[0, 0, 1], [0, 0, 1], [0, 0, 1]], id="a point"),
        pytest.param([[-9, 0, 1], [9, 0, 1], [5, 0, 1]], id="a line"),
        pytest.param([[-9, -9, 1], [9, float("nan"), 1], [0, 9, 1]], id="nan"),
        pytest.param([[-9, -9, 1], [float("inf"), -9, 1], [0, 9, 1]], id="infinite"),
        pytest.param([[-9, -9, 1], [9, -9, float("nan")], [0, 9, 1]], id="nan depth"),
        pytest.param([[-9, -9, 0], [9, -9, 0], [0, 9, 0]], id="depth 0"),
        pytest.param([[1e30, 1e30, 1], [2e30, 1e30, 1], [1e30, 2e30, 1]], id="far away"),
    ],
)
def test_what_is_not_drawn(device: str, corners: list[list[float]]) -> None:
    index, weights, depth = rasterize_maps(faces_of(corners).to(device), 3, 4)
    assert index.unique().tolist() == [-1]
    assert weights.abs().sum() == 0
    assert depth.unique().tolist() == [100]


@pytest.mark.parametrize("device", DEVICES)
def test_a_mesh_has_no_cracks(device: str) -> None:
    # A wavy sheet of 2 x 12 x 12 triangles that covers the whole screen.
    rng = np.random.default_rng(7)
    grid = np.stack(np.meshgrid(*[np.linspace(-1.2, 1.2, 13)] * 2, indexing="ij"), -1)
    grid += rng.uniform(-0.05, 0.05, grid.shape)
    points = np.concatenate([grid, rng.uniform(1, 2, (13, 13, 1))], -1).astype(np.float32)
    a, b, c, d = points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:]
    faces = np.stack([np.stack([a, b, c], 2), np.stack([a, c, d], 2)], 2).reshape(1, -1, 3, 3)
    index, weights, _ = rasterize_maps(torch.from_numpy(faces).to(device), 61, 47)
    assert (index >= 0).all()
    assert torch.allclose(weights.sum(-1), torch.ones_like(weights[..., 0]), atol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", range(42))
def test_equals_the_twin(device: str, kind: int) -> None:
    faces = random_faces(kind)
    rng = np.random.default_rng(kind + 1000)
    height, width = (int(side) for side in rng.integers(1, 40, 2))
    found = rasterize_maps(faces.to(device), height, width, 0.3, 2.5)
    for ours, theirs in zip(found, twin(faces, height, width, 0.3, 2.5), strict=True):
        assert torch.equal(ours.cpu(), theirs)


@pytest.mark.parametrize("name", FREE_SCENES)
def test_equals_the_original_kernels(data: Path, name: str) -> None:
    check_scene(data / "nmr" / f"{name}.npz")


def test_equals_the_original_kernels_on_every_scene(shared: Path) -> None:
    scenes = sorted((shared / "oracles" / "nmr" / "scenes").glob("*.npz"))
    assert scenes
    for scene in scenes:
        check_scene(scene)


def check_scene(path: Path) -> None:
    with np.load(path) as scene:
        meta = json.loads(str(scene["meta"]))
        side = scene["face_index"].shape[-1]
        maps = rasterize_maps(
            torch.from_numpy(scene["faces_screen"]), side, side, meta["near"], meta["far"]
        )
        index, weights, depth = (values.numpy()[:, ::-1] for values in maps)
        stable = ~scene["unstable_pix"]
        assert np.array_equal(index[stable], scene["face_index"][stable])
        same = index == scene["face_index"]
        # The weights of faces below a pixel in size are ill-conditioned in float32.
        small = {"teapot_author1_256": 2e-2}.get(path.stem, 5e-3)
        if "weight" in scene and path.stem != "soup_degenerate_48":
            bound = small if path.stem.startswith("teapot") else 1e-4
            assert np.abs(weights - scene["weight"])[same].max() < bound
        # Compiled with fused operations, as the stored maps were, this scene differs by 0.
        bound = 5e-4 if path.stem == "teapot_author2_256_aa" else 3e-4
        assert np.abs(depth - scene["depth_raw"])[same].max() < bound


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_threads_do_not_change_a_bit(batch: int) -> None:
    faces = random_faces(0, batch)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = rasterize_maps(faces, 33, 21)
        for threads in (2, 3, 7):
            torch.set_num_threads(threads)
            for ours, theirs in zip(rasterize_maps(faces, 33, 21), alone, strict=True):
                assert torch.equal(ours, theirs)
    finally:
        torch.set_num_threads(before)


def test_instruction_sets_do_not_change_a_bit() -> None:
    best = library.location("cpu")
    if best is None:
        pytest.skip("no compiled kernels")
    levels = build.cpu_levels()
    usable = levels[levels.index(library.cpu_level()) :]
    faces = random_faces(3)
    pointer, size, real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
    results = []
    for level in usable:
        kernel = ctypes.CDLL(str(Path(best).with_name(build.cpu_library(level))))
        maps = [torch.zeros(2, 20, 30, dtype=torch.int32), torch.zeros(2, 20, 30, 3)]
        maps.append(torch.zeros(2, 20, 30))
        sizes = [size(n) for n in (2, faces.shape[1], 20, 30)]
        places = [pointer(values.data_ptr()) for values in maps]
        assert not kernel.bench_rasterize_maps(
            pointer(faces.data_ptr()), *sizes, real(0.1), real(100), *places, ctypes.c_int(2)
        )
        results.append(maps)
    for maps in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(maps, results[0], strict=True))


def _draw_in_child(queue: multiprocessing.Queue) -> None:
    queue.put(rasterize_maps(random_faces(0), 16, 16)[0].numpy().tobytes())


def test_works_in_a_fork_after_a_parallel_call() -> None:
    expected = rasterize_maps(random_faces(0), 16, 16)[0].numpy().tobytes()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_draw_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == expected
    child.join(60)
    assert child.exitcode == 0


def test_takes_what_is_not_contiguous() -> None:
    faces = random_faces(0)
    strided = faces.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    assert not strided.is_contiguous()
    for ours, theirs in zip(
        rasterize_maps(strided, 9, 9), rasterize_maps(faces, 9, 9), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_many_faces_on_a_large_picture() -> None:
    faces = torch.rand(1, 100_000, 3, 3, generator=torch.Generator().manual_seed(0))
    faces[..., :2] = faces[..., :1, :2] * 2 - 1 + faces[..., :2] * 0.03
    index, weights, depth = rasterize_maps(faces, 300, 400, -1.0, 2.0)
    assert int(index.max()) < 100_000
    covered = index >= 0
    assert covered.float().mean() > 0.2
    assert (depth[covered] < 2).all()
    assert (weights[covered].sum(-1) - 1).abs().max() < 1e-5


def test_the_op_is_sound() -> None:
    torch.library.opcheck(
        torch.ops.benchbench.rasterize_maps.default, (random_faces(0), 5, 7, 0.1, 100.0)
    )


@pytest.mark.parametrize(
    ("faces", "size", "argument"),
    [
        (torch.zeros(2, 3, 3), (4, 4), "faces"),
        (torch.zeros(1, 2, 3, 2), (4, 4), "faces"),
        (torch.zeros(1, 0, 3, 3), (4, 4), "faces"),
        (torch.zeros(0, 2, 3, 3), (4, 4), "faces"),
        (torch.zeros(1, 2, 3, 3, dtype=torch.float64), (4, 4), "faces"),
        (torch.zeros(1, 2, 3, 3, device="meta"), (4, 4), "faces"),
        (np.zeros((1, 2, 3, 3), np.float32), (4, 4), "faces"),
        (torch.zeros(1, 2, 3, 3), (0, 4), "height"),
        (torch.zeros(1, 2, 3, 3), (4, 4.0), "width"),
        (torch.zeros(1, 2, 3, 3), (4, 10**6), "width"),
    ],
)
def test_refuses_by_name(faces: Tensor, size: tuple[int, int], argument: str) -> None:
    with pytest.raises(ShapeError) as error:
        rasterize_maps(faces, *size)
    assert error.value.argument == argument
    assert str(error.value).startswith("rasterize_maps: ")


def test_refuses_an_empty_depth_range() -> None:
    with pytest.raises(UsageError, match="near must be less than far, got 2"):
        rasterize_maps(torch.zeros(1, 1, 3, 3), 2, 2, near=2.0, far=1.0)
