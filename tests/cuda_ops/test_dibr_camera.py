"""kaolin's perspective cameras: by hand, and the two forms of one camera against each other."""

from __future__ import annotations

import math

import pytest
import torch

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import dibr

UP = torch.tensor([[0.0, 1.0, 0.0]])


def test_projection_of_the_authors_training() -> None:
    factors = dibr.generate_perspective_projection(math.radians(30))
    assert factors.shape == (3, 1)
    assert factors.ravel().tolist() == pytest.approx([3.7320508, 3.7320508, -1.0], rel=1e-6)
    wide = dibr.generate_perspective_projection(math.pi / 2, ratio=2.0, dtype=torch.float64)
    assert wide.dtype == torch.float64
    assert wide.ravel().tolist() == pytest.approx([0.5, 1.0, -1.0])


def test_a_camera_by_hand() -> None:
    # From (3, 0, 0) looking at the origin with y up: x of the camera is -z of the world.
    eye = torch.tensor([[3.0, 0.0, 0.0]])
    rotation, centre = dibr.generate_rotate_translate_matrices(eye, torch.zeros(1, 3), UP)
    assert torch.allclose(rotation[0], torch.tensor([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]]))
    points = torch.tensor([[[0.0, 0.5, -1.0], [1.0, 0.0, 0.0]]])
    camera = dibr.rotate_translate_points(points, rotation, centre)
    assert torch.allclose(camera[0], torch.tensor([[1.0, 0.5, -3], [0, 0, -2]]))
    plane = dibr.perspective_camera(camera, dibr.generate_perspective_projection(math.pi / 2))
    assert torch.allclose(plane[0], torch.tensor([[1 / 3, 0.5 / 3], [0, 0]]), atol=1e-7)


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
def test_both_forms_agree_for_every_batch(batch: int) -> None:
    generator = torch.Generator().manual_seed(batch)
    eyes = torch.randn(batch, 3, generator=generator, dtype=torch.float64)
    look_at = torch.randn(1, 3, generator=generator, dtype=torch.float64)
    points = torch.randn(batch, 7, 3, generator=generator, dtype=torch.float64)
    rotation, centre = dibr.generate_rotate_translate_matrices(eyes, look_at, UP.double())
    identity = rotation @ rotation.transpose(1, 2)
    assert torch.allclose(identity, torch.eye(3, dtype=torch.float64).expand(batch, 3, 3))
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(batch, dtype=torch.float64))
    camera = dibr.rotate_translate_points(points, rotation, centre[..., None])
    matrix = dibr.generate_transformation_matrix(eyes, look_at, UP.double())
    assert matrix.shape == (batch, 4, 3)
    padded = torch.cat((points, torch.ones_like(points[..., :1])), -1)
    assert torch.allclose(padded @ matrix, camera)


def test_one_eye_and_many_ups() -> None:
    ups = torch.tensor([[0.0, 1, 0], [1, 0, 0]])
    eye, origin = torch.tensor([[0.0, 0, 2]]), torch.zeros(1, 3)
    rotation, _ = dibr.generate_rotate_translate_matrices(eye, origin, ups)
    assert torch.allclose(rotation[:, 1], ups)
    assert dibr.generate_transformation_matrix(eye, origin, ups).shape == (2, 4, 3)


def test_gradients_flow() -> None:
    eye = torch.tensor([[1.0, 2, 3]], dtype=torch.float64, requires_grad=True)
    points = torch.rand(1, 4, 3, dtype=torch.float64, requires_grad=True)

    def project(eye: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        up, origin = UP.double(), torch.zeros(1, 3, dtype=torch.float64)
        pose = dibr.generate_rotate_translate_matrices(eye, origin, up)
        factors = dibr.generate_perspective_projection(0.8, dtype=torch.float64)
        return dibr.perspective_camera(dibr.rotate_translate_points(points, *pose), factors)

    assert torch.autograd.gradcheck(project, (eye, points))


def test_refuses_by_name() -> None:
    factors = dibr.generate_perspective_projection(1.0)
    with pytest.raises(ShapeError, match="points must be"):
        dibr.perspective_camera(torch.zeros(4, 3), factors)
    with pytest.raises(ShapeError, match="look_at must be"):
        dibr.generate_rotate_translate_matrices(torch.zeros(1, 3), torch.zeros(3), UP)
