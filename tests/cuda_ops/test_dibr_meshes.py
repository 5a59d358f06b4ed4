"""What stands around DIB-R's renderer: gathering corners, normals, cameras, the mask loss."""

from __future__ import annotations

import pytest
import torch

from benchbench.core.errors import ShapeError, UsageError
from benchbench.cuda_ops import dibr

FACES = torch.tensor([[0, 1, 2], [2, 1, 4], [3, 3, 0]])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("columns", [1, 2, 3, 4, 7])
def test_corners_are_gathered(columns: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(columns)
    values = torch.randn(2, 5, columns, generator=generator, dtype=dtype).requires_grad_()
    found = dibr.index_vertices_by_faces(values, FACES)
    assert torch.equal(found, values[:, FACES])
    upstream = torch.randn(found.shape, generator=generator, dtype=dtype)
    (mine,) = torch.autograd.grad(found, values, upstream)
    (plain,) = torch.autograd.grad(values[:, FACES], values, upstream)
    assert torch.allclose(mine, plain, atol=1e-6)


def test_normals_by_hand() -> None:
    corners = torch.tensor([[[[0.0, 0, 0], [0, 0, 2], [1, 0, 0]], [[1.0, 1, 1]] * 3]])
    assert dibr.face_normals(corners).tolist() == [[[0, 2, 0], [0, 0, 0]]]
    assert dibr.face_normals(corners, unit=True).tolist() == [[[0, 1, 0], [0, 0, 0]]]


def test_both_forms_of_a_camera_prepare_the_same() -> None:
    generator = torch.Generator().manual_seed(0)
    vertices = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    eyes = 5 + torch.rand(2, 3, generator=generator, dtype=torch.float64)
    where = eyes, torch.zeros_like(eyes), torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    factors = dibr.generate_perspective_projection(0.7, dtype=torch.float64)
    rotation, centre = dibr.generate_rotate_translate_matrices(*where)
    matrix = dibr.generate_transformation_matrix(*where)
    first = dibr.prepare_vertices(vertices, FACES, factors, rotation, centre)
    second = dibr.prepare_vertices(vertices, FACES, factors, camera_transform=matrix)
    for one, other in zip(first, second, strict=True):
        assert torch.allclose(one, other)
    assert [tuple(one.shape) for one in first] == [(2, 3, 3, 3), (2, 3, 3, 2), (2, 3, 3)]
    lengths = torch.linalg.vector_norm(first[2][:, :2], dim=-1)
    assert torch.allclose(lengths, torch.ones_like(lengths))


def test_mask_loss_of_kaolins_own_test() -> None:
    preds = [[0.0, 0.2, 0.1, 1.0], [0.5, 0.5, 0.9, 0.9], [0.0, 1.0, 1.0, 0.9], [0.8, 0.7, 0.2, 0.1]]
    goal = [[0.1, 0.3, 0.3, 0.9], [0.5, 0.5, 1.0, 0.3], [0.0, 0.9, 0.9, 0.8], [1.0, 1.0, 0.0, 0.0]]
    other = [[0.3, 0.6, 0.7, 0.7], [0.8, 0.9, 0.9, 1], [1.0, 0.9, 0.9, 0.5], [0.8, 0.7, 0.8, 0.5]]
    ones = torch.ones(4, 4).tolist()
    loss = dibr.mask_iou(torch.tensor([preds, ones]), torch.tensor([goal, other]))
    assert float(loss) == pytest.approx(0.3105, abs=1e-4)
    assert float(dibr.mask_iou(torch.ones(1, 2, 2), torch.ones(1, 2, 2))) == pytest.approx(0)
    assert float(dibr.mask_iou(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2))) == 1


def test_refuses_by_name() -> None:
    points, factors = torch.zeros(1, 5, 3), dibr.generate_perspective_projection(1.0)
    with pytest.raises(UsageError, match="no whole camera given"):
        dibr.prepare_vertices(points, FACES, factors, camera_rot=torch.eye(3)[None])
    with pytest.raises(UsageError, match="two cameras given"):
        matrix = torch.zeros(1, 4, 3)
        dibr.prepare_vertices(points, FACES, factors, torch.eye(3)[None], None, matrix)
    with pytest.raises(ShapeError, match="vertices_features must be"):
        dibr.index_vertices_by_faces(torch.zeros(5, 3), FACES)
    with pytest.raises(ShapeError, match="face_vertices must be"):
        dibr.face_normals(torch.zeros(5, 3, 3))
    with pytest.raises(ShapeError, match="rhs_mask must be"):
        dibr.mask_iou(torch.zeros(1, 2, 2), torch.zeros(1, 2, 3))
