"""The generated sphere is Kato's, in his order."""

from __future__ import annotations

import numpy as np

from benchbench.baselines.kato.template import icosphere, sphere_642


def test_equals_the_original_bit_for_bit(small_data: dict[str, np.ndarray]) -> None:
    vertices, faces = sphere_642()
    np.testing.assert_array_equal(vertices, small_data["template/vertices"])
    np.testing.assert_array_equal(faces, small_data["template/faces"])
    assert vertices.dtype == np.float32 and faces.dtype == np.int32


def test_zero_coordinates_of_the_specification() -> None:
    vertices, _ = sphere_642()
    assert (vertices == 0).sum(0).tolist() == [4, 33, 30]
    tiny = (np.abs(vertices) < 3e-6) & (vertices != 0)
    assert tiny.sum(0).tolist() == [0, 7, 2]


def test_closed_outward_sphere() -> None:
    for vertices, faces in (sphere_642(), icosphere()):
        assert vertices.shape == (642, 3) and faces.shape == (1280, 3)
        assert np.abs(np.linalg.norm(vertices, axis=1) - 1).max() < 1.1e-6
        a, b, c = (vertices[faces[:, k]].astype(float) for k in range(3))
        assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), a) > 0).all()
        directed = {(int(f[k]), int(f[(k + 1) % 3])) for f in faces for k in range(3)}
        assert len(directed) == 3840 and all((b, a) in directed for a, b in directed)


def test_shared_arrays_cannot_be_changed() -> None:
    vertices, faces = sphere_642()
    assert not vertices.flags.writeable and not faces.flags.writeable
