"""`sample_surface`: published random numbers, hand-computed areas, the numpy twin."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.core.keyed import keyed_rng
from benchbench.cuda_ops import library, sample_surface
from benchbench.cuda_ops.reference.sample_surface import philox4x32

CORNERS = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
TETRAHEDRON = torch.tensor([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def soup(faces: int, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """Random triangles of very different sizes, some without area."""
    rng = keyed_rng("soup", faces)
    vertices = rng.normal(size=(faces + 2, 3)) * 10.0 ** rng.uniform(-3, 1, (faces + 2, 1))
    triangles = rng.integers(0, faces + 2, (faces, 3))
    triangles[::7, 2] = triangles[::7, 0]
    if faces < 3:
        triangles[:] = (0, 1, 2)
    return (
        torch.from_numpy((vertices * scale).astype(np.float32)),
        torch.from_numpy(triangles),
    )


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [  # kat_vectors of Random123 1.14.0, "philox4x32 10"
        ("00000000 00000000 00000000 00000000", "00000000 00000000",
         "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
         "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_philox_gives_the_published_numbers(counter: str, key: str, words: str) -> None:
    numbers = np.array([[int(word, 16) for word in counter.split()]], dtype=np.uint32)
    k0, k1 = (int(word, 16) for word in key.split())
    assert philox4x32(numbers, (k0, k1))[0].tolist() == [int(word, 16) for word in words.split()]


@pytest.mark.parametrize("faces", (1, 2, 3, 4, 5, 64, 1000, 5000))
@pytest.mark.parametrize("seed", (0, 2**64 - 1))
def test_equals_the_twin_bit_for_bit(
    faces: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scale in (1.0, 1e-30, 1e30):
        mesh = soup(faces, scale)
        got = sample_surface(*mesh, 3000, seed, "some/object")
        with monkeypatch.context() as patch:
            patch.setattr(library, "available", lambda device: False)
            expected = sample_surface(*mesh, 3000, seed, "some/object")
        assert torch.equal(got[0], expected[0]) and torch.equal(got[1], expected[1])


def test_faces_are_chosen_by_area() -> None:
    # Right triangles with legs 1 and 1, 2, 3, 4: areas as 1 : 2 : 3 : 4, and two without area.
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 2, 0], [0, 3, 0], [0, 4, 0]])
    faces = torch.tensor([[0, 1, 1], [0, 1, 2], [0, 1, 3], [0, 1, 4], [0, 1, 5], [2, 3, 4]])
    count = 100_000
    _, index = sample_surface(vertices, faces, count, 7, "legs")
    seen = torch.bincount(index, minlength=6).double()
    assert seen[0] == seen[5] == 0
    expected = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64) * count
    chi_square = float(((seen[1:5] - expected).square() / expected).sum())
    assert chi_square < 16.27  # exceeded once in 1,000 at 3 degrees of freedom


def test_many_equal_faces_are_chosen_equally() -> None:
    side = 50
    grid = torch.stack(torch.meshgrid(torch.arange(51.0), torch.arange(51.0), indexing="ij"), -1)
    vertices = torch.cat([grid.reshape(-1, 2), torch.zeros(51 * 51, 1)], dim=1)
    start = (torch.arange(side)[:, None] * 51 + torch.arange(side)).reshape(-1, 1)
    faces = torch.cat([start + torch.tensor([0, 51, 1]), start + torch.tensor([51, 52, 1])])
    count = 200_000
    points, index = sample_surface(vertices, faces, count, 0, "square")
    expected = count / len(faces)
    chi_square = float(
        (torch.bincount(index, minlength=len(faces)) - expected).square().sum() / expected
    )
    spread = (2 * len(faces)) ** 0.5
    assert abs(chi_square - (len(faces) - 1)) < 4 * spread
    # Uniform on [0, 50]^2: mean 25, variance 50^2 / 12, no correlation.
    plane = points[:, :2].double() - 25
    assert plane.mean(dim=0).abs().max() < 4 * (2500 / 12 / count) ** 0.5
    assert (plane.square().mean(dim=0) / (2500 / 12) - 1).abs().max() < 0.01
    assert abs(float(plane.prod(dim=1).mean())) / (2500 / 12) < 0.01


def test_points_are_uniform_on_their_triangle() -> None:
    count = 60_000
    points, _ = sample_surface(CORNERS, TETRAHEDRON[3:], count, 1, "slope")
    # Barycentric coordinates of (1, 0, 0), (0, 1, 0), (0, 0, 1) are the coordinates themselves:
    # each has mean 1/3, variance 1/18 and covariance -1/36 with the others.
    assert (points >= 0).all()
    torch.testing.assert_close(points.sum(dim=1), torch.ones(count), rtol=0, atol=2e-7)
    coordinates = points.double() - 1 / 3
    assert coordinates.mean(dim=0).abs().max() < 4 * (1 / 18 / count) ** 0.5
    covariance = coordinates.T @ coordinates / count
    truth = torch.full((3, 3), -1 / 36, dtype=torch.float64).fill_diagonal_(1 / 18)
    assert (covariance - truth).abs().max() < 1e-3


def test_a_sample_depends_on_nothing_but_its_number() -> None:
    mesh = soup(300)
    points, index = sample_surface(*mesh, 5000, 11, "a")
    for count in (1, 63, 64, 65, 4999):
        fewer = sample_surface(*mesh, count, 11, "a")
        assert torch.equal(fewer[0], points[:count]) and torch.equal(fewer[1], index[:count])
    as_int32 = sample_surface(mesh[0], mesh[1].int(), 5000, 11, "a")
    assert torch.equal(as_int32[0], points)
    for seed, name in ((12, "a"), (11, "b"), (11 + 2**40, "a")):
        other = sample_surface(*mesh, 5000, seed, name)[1]
        assert (other == index).double().mean() < 0.2


def test_same_bits_for_any_number_of_threads() -> None:
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(sample_surface(*soup(6000), 20_000, 5, "threads"))
    finally:
        torch.set_num_threads(before)
    for points, index in results[1:]:
        assert torch.equal(points, results[0][0]) and torch.equal(index, results[0][1])


_LEVEL_SCRIPT = """
import hashlib, torch
from benchbench.core.keyed import keyed_rng
from benchbench.cuda_ops import sample_surface
vertices = torch.from_numpy(keyed_rng("v").normal(size=(500, 3))).float()
faces = torch.from_numpy(keyed_rng("f").integers(0, 500, (3000, 3)))
points, index = sample_surface(vertices, faces, 30000, 9, "level")
print(hashlib.sha256(points.numpy().tobytes() + index.numpy().tobytes()).hexdigest())
"""


@pytest.mark.skipif(not library.available("cpu"), reason="no compiled CPU kernels")
def test_same_bits_on_every_instruction_set() -> None:
    levels = ["x86-64", "x86-64-v3", "x86-64-v4"]
    if library.cpu_level() not in levels:
        pytest.skip(f"one level only: {library.cpu_level()}")
    digests = set()
    for level in levels[: levels.index(library.cpu_level()) + 1]:
        done = subprocess.run(
            [sys.executable, "-c", _LEVEL_SCRIPT],
            env={**os.environ, "BENCH_CPU_LEVEL": level},
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def test_one_huge_face_among_many_small_ones() -> None:
    vertices, faces = soup(4000, 1e-6)
    vertices = torch.cat([vertices, 100 * CORNERS])
    faces = torch.cat([faces, TETRAHEDRON + 4002])
    _, index = sample_surface(vertices, faces, 10_000, 0, "huge")
    assert (index >= 4000).all()
    assert len(index.unique()) == 4


def test_unused_vertices_may_be_anything() -> None:
    vertices = torch.cat([CORNERS, torch.full((1, 3), torch.nan)])
    points, _ = sample_surface(vertices, TETRAHEDRON, 100, 0, "nan")
    assert torch.equal(points, sample_surface(CORNERS, TETRAHEDRON, 100, 0, "nan")[0])


def test_no_gradient_is_promised() -> None:
    vertices, faces = soup(5)
    for result in sample_surface(vertices.requires_grad_(), faces, 10, 0, "x"):
        assert not result.requires_grad
        result.numpy()


def test_meta_shapes_and_registration() -> None:
    torch.library.opcheck(
        torch.ops.benchbench.sample_surface.default,
        (CORNERS, TETRAHEDRON, 10, 1, -5),
        test_utils=("test_schema", "test_faketensor"),
    )


NAN = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, torch.nan, 1]])


@pytest.mark.parametrize("compiled", (True, False))
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vertices": CORNERS[None]}, "vertices must be (V, 3) float32, got (1, 4, 3) float32"),
        ({"vertices": CORNERS.double()}, "vertices must be (V, 3) float32"),
        ({"vertices": CORNERS.to("meta")}, "faces must be on meta"),
        ({"faces": TETRAHEDRON[:0]}, "faces must be at least one face"),
        ({"faces": TETRAHEDRON.float()}, "faces must be (F, 3) int32 or int64"),
        ({"faces": TETRAHEDRON + 1}, "indices in [0, 4), got [1, 2, 4] in face 1"),
        ({"faces": TETRAHEDRON - 1}, "indices in [0, 4), got [-1, 1, 0] in face 0"),
        ({"vertices": CORNERS[:0]}, "vertices must be at least one vertex, got (0, 3)"),
        ({"vertices": NAN}, "finite where faces use them, got NaN, infinity or overflow at face 1"),
        ({"vertices": CORNERS * torch.inf}, "vertices must be finite where faces use them"),
        ({"vertices": CORNERS * 0}, "at least one face with an area, got 4 of area 0"),
        ({"faces": torch.tensor([[1, 1, 2]])}, "at least one face with an area"),
        ({"count": 0}, "count must be at least 1, got 0"),
        ({"seed": -1}, "seed must be in [0, 2^64), got -1"),
        ({"seed": 2**64}, "seed must be in [0, 2^64)"),
        ({"object_id": 7}, "object_id must be a string, got 7"),
    ],
)
def test_bad_arguments_are_named(
    changes: dict[str, object], words: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(library, "available", lambda device: False)
    arguments = {
        "vertices": CORNERS, "faces": TETRAHEDRON, "count": 8, "seed": 0, "object_id": "a",
    }  # fmt: skip
    with pytest.raises(ShapeError) as caught:
        sample_surface(**{**arguments, **changes})  # type: ignore[arg-type]
    assert words in str(caught.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("faces", (1, 5, 1000, 50_000))
def test_cuda_equals_cpu(faces: int) -> None:
    vertices, triangles = soup(faces)
    cpu = sample_surface(vertices, triangles, 20_000, 3, "device")
    cuda = sample_surface(vertices.cuda(), triangles.cuda(), 20_000, 3, "device")
    assert torch.equal(cpu[0], cuda[0].cpu()) and torch.equal(cpu[1], cuda[1].cpu())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("broken", (NAN, CORNERS * 0))
def test_cuda_refuses_broken_meshes(broken: Tensor) -> None:
    with pytest.raises(ShapeError):
        sample_surface(broken.cuda(), TETRAHEDRON.cuda(), 10, 0, "broken")
