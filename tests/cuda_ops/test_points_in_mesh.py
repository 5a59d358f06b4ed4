"""`points_in_mesh` by hand, in whole numbers, and against its twin, bit for bit."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
import torch

from benchbench.core.errors import ShapeError
from benchbench.core.types import Mesh
from benchbench.cuda_ops import library, points_in_mesh
from benchbench.cuda_ops.reference.points_in_mesh import points_in_mesh as twin
from benchbench.evaluation.selftest_case import box

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
UNIT = box((0.5, 0.5, 0.5), (511.5, 511.5, 511.5))  # scaled to itself
SCENES = ["soup", "grid", "lines", "far", "huge", "tiny", "flat", "upright", "nan", "one"]


def inside(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The kernel's answer, which must be the twin's."""
    points, vertices, faces = (np.ascontiguousarray(x) for x in (points, vertices, faces))
    found = points_in_mesh(*(torch.from_numpy(x) for x in (points, vertices, faces)))
    assert found.dtype == torch.bool and found.shape == (len(points),)
    assert found.tolist() == twin(points, vertices, faces).tolist()
    return found.numpy()


def scene(kind: str, dtype: type[np.floating]) -> list[np.ndarray]:
    """Points, vertices and faces; among the points some on corners, edges and faces."""
    rng = np.random.default_rng(SCENES.index(kind))
    vertices, faces = rng.normal(size=(60, 3)), rng.integers(0, 60, (90, 3))
    if kind == "grid":
        vertices = rng.integers(-3, 4, (60, 3)).astype(float)
    if kind == "lines":  # faces that are almost a line
        vertices = np.outer(vertices[:, 0], [1, 2, 3]) + 1e-7 * vertices
    if kind == "far":
        vertices = vertices + [1e4, -3e5, 0]
    if kind == "huge":
        vertices = vertices * 3e37
    if kind == "tiny":
        vertices = vertices * 1e-42
    if kind == "upright":
        vertices[:, 0] = vertices[:, 1]
    vertices = vertices.astype(dtype)
    if kind == "flat":
        vertices[:, 2] = 1
    if kind == "one":
        faces = faces[:1]
    corners = vertices[faces[rng.integers(0, len(faces), 300)]].astype(np.float64)
    weights = rng.dirichlet([1, 1, 1], 300)
    weights[:100] = np.round(2 * weights[:100]) / 2  # corners, and middles of edges
    on = (corners * weights[..., None]).sum(1)
    low, high = vertices.min(0).astype(np.float64), vertices.max(0).astype(np.float64)
    points = np.concatenate([on, low + (high - low) * rng.uniform(-0.05, 1.05, (300, 3))])
    points[-3:] = [[np.nan, 0, 0], [0, np.inf, 0], [0, 0, -np.inf]]
    if kind == "nan":
        vertices[faces[3, 1], 1] = np.nan
    return [points.astype(dtype), vertices, faces]


def test_a_box_by_hand() -> None:
    """The point's own height counts as above: in the upper face there is one face above and one
    below, in the lower face there are two above. Verticals through an edge, the diagonals of the
    upper and lower face among them, or through a corner, meet nothing."""
    cube = box((0, 0, 0), (1, 1, 1))
    points = {
        (0.3, 0.6, 0.5): True,
        (0.3, 0.6, 1.0): True,  # in the upper face
        (0.3, 0.6, 0.0): False,  # in the lower face
        (0.3, 0.6, 1.0001): False,
        (0.3, 0.6, -0.0001): False,
        (1.3, 0.6, 0.5): False,
        (0.0, 0.6, 0.5): False,  # in a side
        (0.3, 1.0, 0.5): False,
        (0.0, 0.0, 0.5): False,  # on an upright edge
        (0.5, 0.5, 0.5): False,  # under the diagonal
        (1.0, 1.0, 1.0): False,  # a corner
    }
    for faces in (cube.faces, cube.faces[:, ::-1], cube.faces[::-1]):
        found = inside(np.array(list(points)), cube.vertices, faces)
        assert dict(zip(points, found.tolist(), strict=True)) == points


def by_whole_numbers(point: list[int], triangles: list[list[list[int]]]) -> bool:
    """Exact: signs of areas, and heights multiplied by the area instead of divided."""
    x, y, z = point
    above = below = 0
    for a, b, c in triangles:
        parts = [
            (u[0] - x) * (v[1] - y) - (u[1] - y) * (v[0] - x) for u, v in ((b, c), (c, a), (a, b))
        ]
        if all(part < 0 for part in parts):
            parts = [-part for part in parts]
        if not all(part > 0 for part in parts):
            continue
        height = sum(part * corner[2] for part, corner in zip(parts, (a, b, c), strict=True))
        if height >= z * sum(parts):
            above += 1
        else:
            below += 1
    return above % 2 == 1 and below % 2 == 1


@pytest.mark.parametrize("most", [6, 510])
def test_equals_whole_numbers(most: int) -> None:
    """A box of [0.5, 511.5]^3 is scaled to itself, and halves up to 512 multiply exactly: points
    on edges, corners, faces and the borders of buckets are decided without rounding."""
    rng = np.random.default_rng(most)
    corners = rng.integers(1, most + 2, (90, 3))
    doubled = np.concatenate([2 * corners, (2 * UNIT.vertices).astype(int)])
    faces = np.concatenate([rng.integers(0, 90, (60, 3)), UNIT.faces + 90])
    lattice = rng.integers(1, 2 * most + 3, (250, 3))
    points = np.concatenate([lattice, doubled[rng.integers(0, 90, 50)]])
    expected = [by_whole_numbers(p, doubled[faces].tolist()) for p in points.tolist()]
    assert 30 < sum(expected) < 270
    assert inside(points / 2, doubled / 2, faces).tolist() == expected


def test_beside_a_face_that_is_almost_a_line() -> None:
    """All its x are below 8, where a bucket ends, and the point's is 8; yet in double precision
    all three products are positive. It is not looked at, and the box around decides."""
    sliver = [[7.999999999999997, 153.02718566277684, 400],
              [7.998631233136215, 153.0266310908261, 400],
              [2.5002729859445765, 150.79890675026297, 400]]  # fmt: skip
    vertices = np.concatenate([UNIT.vertices, sliver])
    faces = np.concatenate([UNIT.faces, [[8, 9, 10]]])
    assert inside(np.array([[8.0, 153.02718566277684, 256]]), vertices, faces).tolist() == [True]
    p, q = (vertices[k, :2] - vertices[10, :2] for k in (8, 9))
    x, y = np.array([8.0, 153.02718566277684]) - vertices[10, :2]
    area, u, v = p[0] * q[1] - q[0] * p[1], q[1] * x - q[0] * y, p[0] * y - p[1] * x
    assert u * area > 0 and v * area > 0 and abs(u + v) < abs(area)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", SCENES)
def test_equals_the_twin(kind: str, dtype: type[np.floating]) -> None:
    points, vertices, faces = scene(kind, dtype)
    found = inside(points, vertices, faces)
    assert found.any() == (kind not in ("flat", "upright", "nan", "one"))
    assert not found[-3:].any()
    assert (inside(points[::7], vertices, faces.astype(np.int32)) == found[::7]).all()


def test_one_mesh_in_another() -> None:
    """Hollow: two faces above, two below. Three times over, each face counts three times."""
    outer, inner = box((0, 0, 0), (4, 4, 4)), box((1, 1, 1), (3, 3, 3))
    vertices = np.concatenate([outer.vertices, inner.vertices])
    faces = np.concatenate([outer.faces, inner.faces + 8])
    points = np.array([[2.1, 2.3, 2.2], [0.4, 0.3, 0.2], [2.1, 2.3, 3.5]])
    for times, expected in ((1, [False, True, True]), (2, [False] * 3), (3, [False, True, True])):
        assert inside(points, vertices, np.tile(faces, (times, 1))).tolist() == expected


def test_nothing_in_an_argument() -> None:
    nothing = np.zeros((0, 3))
    assert inside(nothing, UNIT.vertices, UNIT.faces).shape == (0,)
    assert inside(nothing, nothing, np.zeros((0, 3), int)).shape == (0,)
    assert inside(np.ones((2, 3)), nothing, np.zeros((0, 3), int)).tolist() == [False] * 2
    assert inside(np.ones((2, 3)), UNIT.vertices, UNIT.faces[:0]).tolist() == [False] * 2


def test_vertices_that_no_face_uses() -> None:
    extra = [[np.nan] * 3, [1e30] * 3, [np.inf] * 3]
    vertices = np.concatenate([box((0, 0, 0), (1, 1, 1)).vertices, extra])
    assert inside(np.array([[0.3, 0.6, 0.5]]), vertices, UNIT.faces).tolist() == [True]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e308, -1e308])
def test_corners_beyond_numbers(axis: int, value: float) -> None:
    """NaN, infinity, and a box whose side is beyond the greatest double."""
    vertices = box((0, 0, 0), (1, 1, 1)).vertices.astype(np.float64)
    vertices[0, axis] = value
    if abs(value) == 1e308:
        vertices[1, axis] = -value
    points = np.random.default_rng(0).uniform(-0.1, 1.1, (200, 3))
    assert not inside(points, vertices, UNIT.faces).any()


def test_bits_do_not_depend_on_threads_layout_or_instruction_set(
    libraries: dict[str, ctypes.CDLL],
) -> None:
    scenes = [scene(kind, np.float64) for kind in ("soup", "grid", "lines")]
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    for points, vertices, faces in scenes:
        points = np.concatenate([points] * 20)  # several pieces
        expected = torch.from_numpy(twin(points, vertices, faces))
        arguments = [torch.from_numpy(x) for x in (points, vertices, faces)]
        transposed = [x.T.contiguous().T for x in arguments]
        before = torch.get_num_threads()
        try:
            for threads in (1, 2, 5):
                torch.set_num_threads(threads)
                assert torch.equal(points_in_mesh(*arguments), expected)
                assert torch.equal(points_in_mesh(*transposed), expected)
        finally:
            torch.set_num_threads(before)
        for level, loaded in libraries.items():
            kernel = loaded.bench_points_in_mesh
            kernel.argtypes = [*[pointer, size] * 3, pointer, ctypes.c_int]
            for threads in (1, 2, 64):
                got = torch.ones(len(points), dtype=torch.bool)
                lengths = [(x.data_ptr(), len(x)) for x in arguments]
                code = kernel(*sum(lengths, ()), got.data_ptr(), threads)
                assert code == 0 and torch.equal(got, expected), level


@pytest.mark.slow
def test_more_pairs_than_31_bits_count() -> None:
    """100,000 points and 21,476 faces in one bucket: 5,369 times the same tetrahedron, an odd
    number, so that once decides alike; a face far off makes the box large."""
    rng = np.random.default_rng(3)
    points = 0.004 * rng.uniform(0, 1, (100_000, 3))
    corners = 0.004 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.3, 0.3, 1]])
    vertices = np.concatenate([corners, [[1, 1, 1]]])
    once, far = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]]), np.array([[4, 4, 4]])
    faces = np.concatenate([np.tile(once, (5369, 1)), far])
    assert len(points) * (len(faces) - 1) > 2**31
    expected = twin(points, vertices, np.concatenate([once, far]))
    assert 10_000 < expected.sum() < 25_000
    found = points_in_mesh(*(torch.from_numpy(x) for x in (points, vertices, faces)))
    assert found.tolist() == expected.tolist()


def test_works_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "available", lambda device: False)
    points, vertices, faces = (torch.from_numpy(x) for x in (UNIT.vertices, *_arrays(UNIT)))
    assert points_in_mesh(points * 0.5 + 70, vertices, faces).any()
    assert points_in_mesh(points[:0], vertices, faces).shape == (0,)


def test_no_gradient_is_promised() -> None:
    vertices, faces = (torch.from_numpy(x) for x in _arrays(UNIT))
    points = torch.full((2, 3), 9.0, requires_grad=True)
    assert points_in_mesh(points, vertices.requires_grad_(), faces).numpy().shape == (2,)


def test_operator_registration() -> None:
    vertices, faces = (torch.from_numpy(x) for x in _arrays(UNIT))
    arguments = (torch.full((4, 3), 9.0), vertices, faces)
    torch.library.opcheck(torch.ops.benchbench.points_in_mesh.default, arguments)


@NO_CUDA
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", SCENES)
def test_cuda_gives_the_same_bits(kind: str, dtype: type[np.floating]) -> None:
    arguments = [torch.from_numpy(x) for x in scene(kind, dtype)]
    there = points_in_mesh(*(x.cuda() for x in arguments)).cpu()
    assert torch.equal(there, points_in_mesh(*arguments))


def outside_index(device: str) -> list[torch.Tensor]:
    vertices, faces = _arrays(UNIT)
    faces = np.concatenate([faces, [[0, 1, 8]]])
    return [torch.from_numpy(x).to(device) for x in (np.array([[9.0, 8, 8]]), vertices, faces)]


@NO_CUDA
def test_cuda_contains_nothing_where_it_cannot_refuse() -> None:
    assert points_in_mesh(*outside_index("cuda")).tolist() == [False]


def test_twin_contains_nothing_with_an_index_outside() -> None:
    points, vertices, faces = (x.numpy() for x in outside_index("cpu"))
    assert twin(points, vertices, faces[:-1]).tolist() == [True]
    assert twin(points, vertices, faces).tolist() == [False]


def _arrays(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    return mesh.vertices, mesh.faces


_POINTS, _VERTICES, _FACES = torch.zeros(2, 3), torch.zeros(3, 3), torch.tensor([[0, 1, 2]])


@pytest.mark.parametrize(
    ("points", "vertices", "faces", "words"),
    [
        (_POINTS[0], _VERTICES, _FACES, "points must be (N, 3) float32 or float64, got (3,)"),
        (_POINTS.half(), _VERTICES, _FACES, "points must be (N, 3) float32 or float64"),
        (_POINTS, _VERTICES[:, :2], _FACES, "vertices must be (V, 3) float32 or float64"),
        (_POINTS, _VERTICES.int(), _FACES, "vertices must be (V, 3) float32 or float64"),
        (_POINTS, _VERTICES, _FACES.float(), "faces must be (F, 3) int32 or int64"),
        (_POINTS, _VERTICES, _FACES[0], "faces must be (F, 3) int32 or int64"),
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
        points_in_mesh(points, vertices, faces)
    assert str(caught.value).startswith("points_in_mesh: ") and words in str(caught.value)
