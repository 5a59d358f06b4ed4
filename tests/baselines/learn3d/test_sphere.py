"""The templates against the original's files, and subdivision against its program."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchbench.baselines.learn3d.sphere import LEVELS, divide, divide_faces, mirror_pairs, sphere
from benchbench.core.errors import UsageError


def cyclic(faces: np.ndarray) -> list[tuple[int, ...]]:
    """Faces as a sorted list, each beginning with its smallest corner; the winding stays."""
    first = faces.argmin(1)[:, None]
    return sorted(map(tuple, np.take_along_axis(faces, (first + np.arange(3)) % 3, 1).tolist()))


@pytest.mark.parametrize(("name", "count"), [("io_cvpr18", 642), ("mesh_division_42", 42)])
def test_templates_are_the_originals(arrays, name: str, count: int) -> None:
    d = arrays(name)
    vertices, faces = sphere(count)
    assert np.array_equal(vertices, d["vertices_base"].numpy())
    wanted = d["faces" if count == 642 else "faces_base"].numpy()
    assert cyclic(faces) == cyclic(wanted)


@pytest.mark.parametrize("count", LEVELS)
def test_templates_are_closed_spheres_wound_outward(count: int) -> None:
    vertices, faces = sphere(count)
    assert vertices.shape == (count, 3) and faces.shape == (2 * count - 4, 3)
    assert not vertices.flags.writeable and not faces.flags.writeable
    assert np.abs(np.linalg.norm(vertices, axis=1) - 1).max() < 2e-5
    directed = {
        (a, b) for face in faces.tolist() for a, b in zip(face, face[1:] + face[:1], strict=True)
    }
    assert len(directed) == 3 * len(faces) and all((b, a) in directed for a, b in directed)
    a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
    assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), a + b + c) > 0).all()


def test_subdivision_is_the_originals(arrays) -> None:
    d = arrays("mesh_division_42")
    faces, known = d["faces_base"].numpy(), d["vertices_base"]
    for step in (1, 2):
        ends, faces = divide_faces(faces, len(known))
        assert np.array_equal(ends, np.sort(d[f"new_vertex_edges_{step}"].numpy(), axis=1))
        assert np.array_equal(faces, d[f"faces_{step}"].numpy())
        new = known[torch.from_numpy(ends)].mean(1)
        np.testing.assert_allclose(new, d[f"new_vertices_{step}"], atol=1e-7)
        known = torch.cat([known, d[f"new_vertices_{step}"]])
    points, _ = divide(d["vertices_base"].numpy(), d["faces_base"].numpy())
    np.testing.assert_allclose(points[42:], d["new_vertices_1"], atol=1e-7)


def test_sizes_of_subdivision(values) -> None:
    shapes = values["inside"]["division"]["shapes"]
    count, faces = 42, sphere(42)[1]
    for _, vertices, _ in shapes:
        assert vertices == count == len(np.unique(faces))
        ends, faces = divide_faces(faces, count)
        count += len(ends)


def test_mirror_pairs(arrays) -> None:
    d = arrays("io_pascal")
    for found, name in zip(mirror_pairs(sphere(642)[0]), ("idx_A", "idx_B", "idx_C"), strict=True):
        assert np.array_equal(found, d[name].numpy()), name


@pytest.mark.parametrize("count", LEVELS)
def test_mirror_images_by_position(count: int) -> None:
    vertices = sphere(count)[0]
    on, front, back = mirror_pairs(vertices)
    assert sorted([*on, *front, *back]) == list(range(count))
    assert (vertices[on, 2] == 0).all() and (vertices[front, 2] > 0).all()
    np.testing.assert_allclose(vertices[back], vertices[front] * [1, 1, -1], atol=1e-6)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="no template of 100 vertices"):
        sphere(100)
