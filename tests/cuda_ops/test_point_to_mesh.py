"""`point_to_mesh` against hand-computed distances and a brute force in double precision."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
import torch
import trimesh

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library, point_to_mesh
from benchbench.cuda_ops.point_to_mesh import _along_a_curve, _finite
from benchbench.cuda_ops.reference.point_to_mesh import point_to_mesh as twin


def ericson_distance2(p: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Squared distances (N, F) by projecting on planes and edges; nothing shared with the kernel.

    The foot on the plane counts if it is on the inner side of all three edges.
    """
    p = p[:, None].astype(np.float64)
    a, b, c = (x[None].astype(np.float64) for x in (a, b, c))
    best = np.full(np.broadcast_shapes(p.shape, a.shape)[:2], np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        edge = end - start
        length2 = np.maximum((edge**2).sum(-1), np.finfo(float).tiny)
        t = np.clip(((p - start) * edge).sum(-1) / length2, 0, 1)
        best = np.minimum(best, ((start + t[..., None] * edge - p) ** 2).sum(-1))
    normal = np.cross(b - a, c - a)
    size = np.linalg.norm(normal, axis=-1)
    sides = np.linalg.norm(b - a, axis=-1) * np.linalg.norm(c - a, axis=-1)
    proper = size > 1e-8 * np.maximum(sides, np.finfo(float).tiny)
    unit = normal / np.where(proper, size, 1)[..., None]
    height = ((p - a) * unit).sum(-1)
    foot = p - height[..., None] * unit
    inside = np.broadcast_to(proper, best.shape).copy()
    for start, end in ((a, b), (b, c), (c, a)):
        inside &= (np.cross(end - start, foot - start) * unit).sum(-1) >= 0
    return np.where(inside, np.minimum(best, height**2), best)


def assert_agrees(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> None:
    """Distance within single precision, the face a nearest one, and both equal to the twin."""
    points, vertices = points.astype(np.float32), vertices.astype(np.float32)
    arguments = [torch.from_numpy(np.ascontiguousarray(x)) for x in (points, vertices, faces)]
    squared, index = point_to_mesh(*arguments)
    every = ericson_distance2(points, *(vertices[faces[:, i]] for i in range(3)))
    least = every.min(axis=1)
    # Double precision still rounds the coordinates' own size.
    size = max(float(np.abs(points).max()), float(np.abs(vertices).max()))
    noise = (1e-15 * size) ** 2 + 4e-16 * size * np.sqrt(least)
    assert np.all(np.abs(squared.numpy() - least) <= 1.2e-7 * least + noise + 1e-45)
    chosen = every[np.arange(len(points)), index.numpy()]
    assert np.all(chosen - least <= 2.4e-7 * least + noise + 1e-45)
    twin_squared, twin_index = twin(*arguments)
    # Sums may be taken in another order there, so a value on the verge may round the other way.
    same = twin_index.numpy() == index.numpy()
    assert same.mean() > 0.98
    torch.testing.assert_close(squared, twin_squared, rtol=2.4e-7, atol=float(noise.max()) + 1e-45)


def ball(subdivisions: int = 2) -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.icosphere(subdivisions, 0.5)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces, dtype=np.int64)


def test_hand_computed_regions() -> None:
    """One point in each of the seven regions of a right triangle in the plane z = 0."""
    vertices = torch.tensor([[0.0, 0, 0], [4, 0, 0], [0, 4, 0]])
    cases = [
        ((1, 1, -3), 9),  # above the inside
        ((2, -5, 0), 25),  # beyond the first edge
        ((-2, 3, 1), 5),  # beyond the third edge
        ((4, 4, 0), 8),  # beyond the long edge: foot (2, 2, 0)
        ((-1, -2, 2), 9),  # nearest to the first corner
        ((6, -1, 0), 5),  # second corner
        ((-1, 7, 0), 10),  # third corner
        ((2, 2, 0), 0),  # on an edge
    ]
    points = torch.tensor([point for point, _ in cases], dtype=torch.float32)
    for order in ([0, 1, 2], [1, 2, 0], [2, 1, 0]):
        squared, index = point_to_mesh(points, vertices, torch.tensor([order]))
        assert squared.dtype == torch.float32 and index.dtype == torch.int64
        torch.testing.assert_close(squared, torch.tensor([float(d) for _, d in cases]))
        assert index.tolist() == [0] * len(cases)


def test_degenerate_triangles() -> None:
    """A point, a segment with a repeated corner, and a segment with its middle as a corner."""
    vertices = torch.tensor([[1.0, 1, 1], [0, 0, 0], [4, 0, 0], [2, 0, 0]])
    points = torch.tensor([[1.0, 1, 3], [3, 2, 0], [6, 0, 0], [-1, 0, 0]])
    point = torch.tensor([[0, 0, 0]])
    for segment in ([1, 2, 2], [2, 1, 2], [1, 1, 2], [1, 2, 3], [3, 1, 2], [2, 3, 1]):
        squared, _ = point_to_mesh(points, vertices, torch.tensor([segment]))
        assert squared.tolist() == [10.0, 4.0, 4.0, 1.0], segment
    assert point_to_mesh(points, vertices, point)[0].tolist() == [4.0, 6.0, 27.0, 6.0]
    both = torch.cat([point, torch.tensor([[1, 2, 3]])])
    squared, index = point_to_mesh(points, vertices, both)
    assert squared.tolist() == [4.0, 4.0, 4.0, 1.0] and index.tolist() == [0, 1, 1, 1]


def test_ties_go_to_the_lowest_face() -> None:
    """The same triangle many times, and a fan whose faces share the nearest corner."""
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    points = torch.tensor([[0.2, 0.2, 1.0], [3.0, 0.0, 0.0]])
    for count in (1, 2, 7, 8, 9, 100):
        faces = torch.tensor([[0, 1, 2]]).repeat(count, 1)
        assert point_to_mesh(points, vertices, faces)[1].tolist() == [0, 0]
        far = torch.cat([vertices, vertices + 50])
        shifted = torch.cat([torch.tensor([[3, 4, 5]]).repeat(37, 1), faces])
        assert point_to_mesh(points, far, shifted)[1].tolist() == [37, 37]
    sphere_vertices, sphere_faces = ball(1)
    tip = torch.from_numpy(3 * sphere_vertices).float()  # above every vertex
    _, index = point_to_mesh(
        tip, torch.from_numpy(sphere_vertices).float(), torch.from_numpy(sphere_faces)
    )
    first = [int(np.flatnonzero((sphere_faces == v).any(axis=1))[0]) for v in range(len(tip))]
    assert index.tolist() == first


@pytest.mark.parametrize("near", [0.0, 1e-5, 0.02, 3.0])
def test_random_points_around_a_ball(near: float) -> None:
    rng = np.random.default_rng(1)
    vertices, faces = ball()
    directions = rng.normal(size=(400, 3))
    points = directions / np.linalg.norm(directions, axis=1, keepdims=True) * 0.5
    assert_agrees(points + near * rng.normal(size=points.shape), vertices, faces)


@pytest.mark.parametrize("face_count", [1, 2, 8, 9, 127, 128, 129, 1500])
def test_random_triangles_of_all_sizes(face_count: int) -> None:
    rng = np.random.default_rng(face_count)
    sizes = 10.0 ** rng.uniform(-4, 0.3, (face_count, 1, 1))
    corners = rng.uniform(-1, 1, (face_count, 1, 3)) + sizes * rng.normal(size=(face_count, 3, 3))
    points = rng.uniform(-1.5, 1.5, (150, 3))
    assert_agrees(points, corners.reshape(-1, 3), np.arange(3 * face_count).reshape(-1, 3))


def test_clustered_collinear_coincident_and_far_sets() -> None:
    rng = np.random.default_rng(5)
    triples = np.arange(300).reshape(-1, 3)
    clusters = rng.choice([-3.0, 0.0, 5.0], (300, 3)) + 1e-3 * rng.normal(size=(300, 3))
    line = np.outer(np.arange(300) % 97, [1.0, 2.0, -1.0]) / 8
    coincident = np.broadcast_to(rng.normal(size=3), (300, 3))
    flat = rng.integers(-4, 5, (300, 3)) * np.array([1.0, 1.0, 0.0])
    points = np.concatenate([rng.normal(size=(80, 3)), clusters[:40], line[:40], flat[:40]])
    for vertices in (clusters, line, coincident, flat):
        assert_agrees(points, vertices, triples)
        assert_agrees(points + 1000, vertices, triples)
        assert_agrees(points * 1e-3, vertices * 1e-3, triples)
    one = np.array([[0.3, -0.2, 0.1]])
    assert_agrees(one, clusters, triples)
    assert_agrees(points, line, rng.integers(0, 300, (50, 3)))


def test_slivers() -> None:
    """Long thin triangles down to the spacing of single precision."""
    rng = np.random.default_rng(9)
    start, along = rng.normal(size=(2, 200, 1, 3))
    steps = np.array([0.0, 0.4, 1.0])[None, :, None]
    width = 10.0 ** rng.uniform(-9, -1, (200, 1, 1)) * rng.normal(size=(200, 3, 3))
    corners = (start + along * steps + width).astype(np.float32)
    points = rng.normal(size=(100, 3)).astype(np.float32)
    faces = np.arange(600).reshape(-1, 3)
    arguments = [torch.from_numpy(x) for x in (points, corners.reshape(-1, 3), faces)]
    squared, _ = point_to_mesh(*arguments)
    least = ericson_distance2(points, corners[:, 0], corners[:, 1], corners[:, 2]).min(axis=1)
    # Which of the two descriptions a sliver gets moves it by up to 1e-8 of its length.
    np.testing.assert_allclose(np.sqrt(squared.numpy()), np.sqrt(least), rtol=2e-7, atol=1e-7)


def test_what_is_not_finite() -> None:
    vertices = torch.tensor(
        [[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [torch.nan, 0, 0], [0, torch.inf, 0]]
    )
    points = torch.tensor([[0.1, 0.1, 1], [torch.nan, 0, 0], [0, -torch.inf, 0]])
    faces = torch.tensor([[0, 1, 3], [4, 1, 2], [0, 1, 2]])
    for function in (point_to_mesh, twin):
        squared, index = function(points, vertices, faces)
        assert squared.tolist() == [1.0, torch.inf, torch.inf] and index.tolist() == [2, -1, -1]
        squared, index = function(points, vertices, faces[:2])
        assert squared.tolist() == [torch.inf] * 3 and index.tolist() == [-1] * 3
        squared, index = function(torch.tensor([[3e38, 0.0, 0.0]]), vertices, faces)
        assert squared.tolist() == [torch.inf] and index.tolist() == [2]


def test_bits_do_not_depend_on_threads_layout_or_instruction_set(
    libraries: dict[str, ctypes.CDLL],
) -> None:
    rng = np.random.default_rng(2)
    vertices, faces = (torch.from_numpy(x) for x in ball())
    vertices = vertices.float()
    points = torch.from_numpy(rng.uniform(-0.6, 0.6, (3000, 3)).astype(np.float32))
    squared, index = point_to_mesh(points, vertices, faces)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            again = point_to_mesh(points.T.contiguous().T, vertices, faces.to(torch.int32))
            assert torch.equal(again[0], squared) and torch.equal(again[1], index)
    finally:
        torch.set_num_threads(before)
    one = point_to_mesh(points[7:8], vertices, faces)
    assert (float(one[0]), int(one[1])) == (float(squared[7]), int(index[7]))
    for level, loaded in libraries.items():
        kernel = loaded.bench_point_to_mesh
        pointer, size = ctypes.c_void_p, ctypes.c_int64
        kernel.argtypes = [pointer, size, pointer, pointer, size, pointer, pointer, ctypes.c_int]
        got = torch.empty_like(squared), torch.empty_like(index)
        code = kernel(
            points.data_ptr(), len(points), vertices.data_ptr(), faces.data_ptr(), len(faces),
            got[0].data_ptr(), got[1].data_ptr(), 2,
        )  # fmt: skip
        assert code == 0 and torch.equal(got[0], squared) and torch.equal(got[1], index), level


def test_works_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "available", lambda device: False)
    corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    squared, index = point_to_mesh(torch.ones(1, 3), corners, torch.tensor([[0, 1, 2]]))
    assert squared.tolist() == [1.5] and index.tolist() == [0]


def test_no_gradient_is_promised() -> None:
    vertices = torch.eye(3, requires_grad=True)
    points = torch.zeros(2, 3, requires_grad=True)
    for result in point_to_mesh(points, vertices, torch.tensor([[0, 1, 2]])):
        assert not result.requires_grad
        result.numpy()


def test_operator_registration() -> None:
    vertices, faces = (torch.from_numpy(x) for x in ball(0))
    torch.library.opcheck(
        torch.ops.benchbench.point_to_mesh.default, (torch.zeros(4, 3), vertices.float(), faces)
    )


def outside_and_infinite(device: str) -> list[torch.Tensor]:
    """Two points; faces with an index outside [0, V) or a NaN corner, and a good one twice."""
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [torch.nan, 0, 0]])
    faces = torch.tensor([[0, 1, 4], [-1, 1, 2], [0, 3, 2], [0, 1, 2], [0, 1, 2]])
    points = torch.tensor([[0.1, 0.1, 1], [torch.nan, 0, 0]])
    return [tensor.to(device) for tensor in (points, vertices, faces)]


def test_twin_passes_over_indices_outside() -> None:
    squared, index = twin(*outside_and_infinite("cpu"))
    assert squared.tolist() == [1.0, torch.inf] and index.tolist() == [3, -1]


CUDA_SCENES = ["ball", "soup", "grid", "far", "one"]


def scene(kind: str) -> list[torch.Tensor]:
    """Points, vertices and faces, ties among them."""
    rng = np.random.default_rng(CUDA_SCENES.index(kind))
    points = rng.uniform(-1, 1, (1500, 3))
    vertices, faces = ball()
    if kind == "soup":
        vertices, faces = rng.normal(size=(3000, 3)), rng.integers(0, 3000, (5000, 3))
    if kind == "grid":  # many equal distances
        vertices, points = (rng.integers(-3, 4, (n, 3)).astype(float) for n in (200, 1500))
        faces = rng.integers(0, 200, (900, 3))
    if kind == "far":
        vertices, points = vertices * 1e19, points * 3e19
    if kind == "one":
        faces, points = faces[:1], points[:1]
    return [torch.from_numpy(x) for x in (np.float32(points), np.float32(vertices), faces)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", CUDA_SCENES)
def test_cuda_gives_the_same_bits(kind: str) -> None:
    arguments = scene(kind)
    for cpu, cuda in zip(
        point_to_mesh(*arguments), point_to_mesh(*(x.cuda() for x in arguments)), strict=True
    ):
        assert torch.equal(cpu, cuda.cpu())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_passes_over_what_it_cannot_refuse() -> None:
    squared, index = point_to_mesh(*outside_and_infinite("cuda"))
    assert squared.tolist() == [1.0, torch.inf] and index.tolist() == [3, -1]


@pytest.mark.parametrize("kind", CUDA_SCENES)
def test_orders_are_permutations(kind: str) -> None:
    """The kernel for CUDA reads through them."""
    points, vertices, _ = scene(kind)
    for positions in (points, vertices, points.expand(3, -1, -1)[:, 0], vertices * torch.inf):
        order = _along_a_curve(_finite(positions))
        assert sorted(order.tolist()) == list(range(len(positions)))


_POINTS, _VERTICES, _FACES = torch.zeros(2, 3), torch.zeros(3, 3), torch.tensor([[0, 1, 2]])


@pytest.mark.parametrize(
    ("points", "vertices", "faces", "words"),
    [
        (_POINTS[0], _VERTICES, _FACES, "points must be (N, 3) float32, got (3,)"),
        (_POINTS.double(), _VERTICES, _FACES, "points must be (N, 3) float32"),
        (_POINTS, _VERTICES.half(), _FACES, "vertices must be (V, 3) float32"),
        (_POINTS, _VERTICES, _FACES.float(), "faces must be (F, 3) int32 or int64"),
        (_POINTS[:0], _VERTICES, _FACES, "points must be at least one row"),
        (_POINTS, _VERTICES, _FACES[:0], "faces must be at least one row"),
        (_POINTS, _VERTICES[:0], _FACES, "vertices must be at least one row"),
        (_POINTS, _VERTICES, _FACES + 1, "faces must be indices in [0, 3), got 3"),
        (_POINTS, _VERTICES, _FACES - 1, "faces must be indices in [0, 3), got -1"),
        (_POINTS, _VERTICES.to("meta"), _FACES, "vertices must be on 'cpu' or 'cuda'"),
        (_POINTS.to("meta"), _VERTICES, _FACES, "points must be on 'cpu' or 'cuda', got on 'meta'"),
    ],
)
def test_refuses(
    points: torch.Tensor, vertices: torch.Tensor, faces: torch.Tensor, words: str
) -> None:
    with pytest.raises(ShapeError) as caught:
        point_to_mesh(points, vertices, faces)
    assert str(caught.value).startswith("point_to_mesh: ") and words in str(caught.value)
