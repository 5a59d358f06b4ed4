"""What docs/neural_renderer.md states and no other test of this folder holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import benchbench.cuda_ops.neural_renderer as nr

FACES = torch.tensor([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5]])
CORNERS = torch.tensor(
    [[1.0, 0.02, 0], [-0.98, 0, 0.03], [0.01, 1, 0], [0, -0.97, 0], [0, 0.01, 1], [0, 0, -1.02]]
)


def cubes(count: int, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.rand(batch, count, 2, 2, 2, 3, generator=generator)


def look_at(**options: Any) -> nr.Renderer:
    renderer = nr.Renderer(camera_mode="look_at", **{"image_size": 24, **options})
    renderer.eye = nr.get_points_from_angles(2.732, 25, 40)
    return renderer


def scene(count: int = 9, batch: int = 2) -> tuple[Tensor, Tensor]:
    """Faces on the screen and their textures."""
    rng = np.random.default_rng(count)
    faces = rng.uniform(-0.9, 0.9, (batch, count, 3, 3))
    faces[..., 2] = rng.uniform(1, 3, (batch, count, 3))
    return torch.from_numpy(faces).float(), cubes(count, batch)


@pytest.mark.parametrize("mode", ["look", "projection", "none"])
def test_a_face_with_a_corner_behind_the_camera(mode: str) -> None:
    """Left out; with `compat` the triangle of its projected corners, as in the original."""
    vertices = torch.tensor([[[-0.5, -0.5, 1], [0.6, -0.5, 1], [0.1, 0.4, 1],
                              [0.8, 0.7, 2], [0.3, 0.8, 2], [-0.9, -0.8, -0.5]]])  # fmt: skip
    faces = torch.tensor([[[0, 1, 2], [3, 4, 5]]])
    shown = []
    for compat in (False, True):
        renderer = nr.Renderer(
            32, False, camera_mode="look" if mode == "look" else "projection",
            K=np.array([[[16.0, 0, 16], [0, -16, 16], [0, 0, 1]]]), R=np.eye(3)[None],
            t=np.zeros((1, 1, 3)), orig_size=32, viewing_angle=45, compat=compat,
        )  # fmt: skip
        renderer.eye = [0, 0, 0]
        renderer.camera_mode = mode
        leaf = vertices.clone().requires_grad_()
        both = renderer(leaf, faces, mode="silhouettes")
        alone = renderer(leaf, faces[:, :1], mode="silhouettes")
        (slope,) = torch.autograd.grad(both[:, :16].sum() + both[:, :, :16].sum(), leaf)
        assert torch.isfinite(slope).all()
        shown.append((bool(slope[0, 3:].any()), torch.equal(both, alone), alone.sum() > 50))
    assert shown == [(False, True, True), (True, False, True)]


def test_colours_and_silhouettes_give_no_gradient_to_depth() -> None:
    faces, textures = scene()
    leaf = faces.requires_grad_()
    drawn = nr.rasterize_rgbad(leaf, textures, 20, return_depth=False)
    loss = drawn["rgb"][..., :9].square().sum() + drawn["alpha"][:, :9].sum()  # type: ignore[index]
    (slope,) = torch.autograd.grad(loss, leaf)
    assert slope[..., :2].abs().max() > 1
    assert not slope[..., 2].any()


def test_hidden_faces_get_no_gradient() -> None:
    wall = torch.tensor([[-0.9, -0.9, 1], [0.9, -0.9, 1], [0.05, 0.9, 1]])
    behind = torch.tensor([0.5, 0.5, 2.0]) * wall
    leaf = torch.stack((wall, behind))[None].requires_grad_()
    drawn = nr.rasterize_rgbad(leaf, cubes(2), 30)
    loss = sum(one[..., :13].sum() for one in drawn.values() if one is not None)
    (slope,) = torch.autograd.grad(loss, leaf)
    assert slope[0, 0].any() and not slope[0, 1].any()


@pytest.mark.parametrize(("right", "columns"), [(0.9, 15), (0.95, 16), (1.2, 16)])
def test_edges_beyond_the_outermost_pixels_get_no_gradient(right: float, columns: int) -> None:
    """The centre of the last of 16 columns lies at 0.9375: no pixel beyond it can change."""
    face = torch.tensor([[[[right, -9.0, 1], [right, 9, 1], [-20, 0, 1]]]]).requires_grad_()
    alpha = nr.rasterize_silhouettes(face, 16, False)
    assert alpha.sum() == 16 * columns
    for loss in (alpha.sum(), -alpha.sum()):
        (slope,) = torch.autograd.grad(loss, face, retain_graph=True)
        assert bool(slope.any()) == (columns == 15)


def test_a_gradient_of_a_gradient_is_refused() -> None:
    vertices = CORNERS[None].clone().requires_grad_()
    depth = look_at()(vertices, FACES[None], mode="depth")
    (slope,) = torch.autograd.grad(depth.sum(), vertices, create_graph=True)
    with pytest.raises(RuntimeError, match="no autograd formula"):
        slope.sum().backward()


def test_the_direction_of_the_light_is_not_made_unit() -> None:
    up = torch.tensor([[[[0.0, 0, 1], [0, 0, 0], [1, 0, 0]]]])
    for length in (0.5, 1.0, 3.0):
        light = nr.lighting(up, torch.ones(1, 1, 2, 2, 2, 3), direction=(0, length, 0))
        assert torch.allclose(light, torch.tensor(0.5 + 0.5 * length))


def test_faces_and_textures_without_a_batch_serve_all_items() -> None:
    vertices = torch.stack((CORNERS, 0.7 * CORNERS, CORNERS.flip(1)))
    textures = cubes(6)
    together = look_at()(vertices, FACES, textures[0])
    repeated = look_at()(vertices, FACES.expand(3, -1, -1), textures.expand(3, *textures.shape[1:]))
    for one, other in zip(together, repeated, strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(together[2][0], together[2][1])


def test_meshes_of_different_size_with_colours_of_vertices() -> None:
    small = CORNERS[:5].clone().requires_grad_()
    paint = [torch.rand(n, 3, generator=torch.Generator().manual_seed(n)) for n in (6, 5)]
    leaf = paint[1].clone().requires_grad_()
    together = look_at()([CORNERS, small], [FACES, FACES[:4]], [paint[0], leaf])
    alone = look_at()(small[None], FACES[None, :4], leaf[None])
    for many, one in zip(together, alone, strict=True):
        assert torch.equal(many[1:], one)
    upstream = torch.randn(alone[0].shape, generator=torch.Generator().manual_seed(0))
    found = torch.autograd.grad((together[0][1:] * upstream).sum(), (small, leaf))
    expected = torch.autograd.grad((alone[0] * upstream).sum(), (small, leaf))
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, atol=1e-5) and one.any()


def test_every_item_has_its_own_background() -> None:
    colours = [[1.0, 0, 0], [0, 0.5, 0.25]]
    vertices = CORNERS.expand(2, -1, -1)
    rgb = look_at(background_color=colours)(vertices, FACES, cubes(6, 2), mode="rgb")
    assert rgb[:, :, 0, 0].tolist() == colours


def test_every_part_of_a_calibrated_camera_gets_a_gradient() -> None:
    vertices = (CORNERS + torch.tensor([0.0, 0, 4])).double()[None]
    generator = torch.Generator().manual_seed(2)
    K = torch.tensor([[[11.0, 0.1, 4], [0, 11, 4], [0, 0, 1]]]).double()
    R, _ = torch.linalg.qr(torch.eye(3)[None] + 0.1 * torch.randn(1, 3, 3, generator=generator))
    t = torch.tensor([[[0.02, -0.03, 0.1]]]).double()
    lens = 0.02 * torch.randn(1, 5, generator=generator).double()
    R = R.double() * R.diagonal(dim1=1, dim2=2).sign().double()

    def depth(*camera: Tensor) -> Tensor:
        renderer = nr.Renderer(8, False, orig_size=8)
        return renderer(camera[0], FACES, None, "depth", *camera[1:])

    leaves = tuple(one.requires_grad_() for one in (vertices, K, R, t, lens))
    assert 5 < (depth(*leaves) < 100).sum() < 40
    assert torch.autograd.gradcheck(depth, leaves, eps=1e-7, atol=1e-4, rtol=1e-3)
