"""What docs/dibr.md states and no other test holds; kaolin's names, arguments and defaults."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchbench.cuda_ops import dibr

REQUIRED = inspect.Parameter.empty
VERSIONS = ["head", "0.9.0"]
DRAWN: dict[str, Any] = {
    "height": REQUIRED, "width": REQUIRED, "face_vertices_z": REQUIRED,
    "face_vertices_image": REQUIRED, "face_features": REQUIRED,
}  # fmt: skip
SOFT = {"sigmainv": 7000, "boxlen": 0.02, "knum": 30}
CAMERA = {"camera_position": REQUIRED, "look_at": REQUIRED, "camera_up_direction": REQUIRED}
KAOLIN: dict[str, dict[str, Any]] = {
    "rasterize": {
        **DRAWN, "valid_faces": None, "multiplier": None, "eps": None, "backend": "cuda",
    },
    "dibr_soft_mask": {
        "face_vertices_image": REQUIRED, "selected_face_idx": REQUIRED, **SOFT,
        "multiplier": 1000.0,
    },
    # Those of 0.9.0 are its beginning; its multiplier of 1000 is what None means.
    "dibr_rasterization": {
        **DRAWN, "face_normals_z": REQUIRED, **SOFT, "multiplier": None, "eps": None,
        "rast_backend": "cuda",
    },
    "generate_perspective_projection": {
        "fovyangle": REQUIRED, "ratio": 1.0, "dtype": torch.float,
    },
    "generate_rotate_translate_matrices": CAMERA,
    "generate_transformation_matrix": CAMERA,
    "rotate_translate_points": {
        "points": REQUIRED, "camera_rot": REQUIRED, "camera_trans": REQUIRED,
    },
    "perspective_camera": {"points": REQUIRED, "camera_proj": REQUIRED},
    "prepare_vertices": {
        "vertices": REQUIRED, "faces": REQUIRED, "camera_proj": REQUIRED, "camera_rot": None,
        "camera_trans": None, "camera_transform": None,
    },
    "index_vertices_by_faces": {"vertices_features": REQUIRED, "faces": REQUIRED},
    "face_normals": {"face_vertices": REQUIRED, "unit": False},
    "mask_iou": {"lhs_mask": REQUIRED, "rhs_mask": REQUIRED},
}  # fmt: skip


@pytest.mark.parametrize("name", KAOLIN)
def test_arguments_and_defaults(name: str) -> None:
    """What is ours comes after kaolin's, by name only."""
    parameters = list(inspect.signature(getattr(dibr, name)).parameters.values())
    wanted = KAOLIN[name]
    found = {p.name: p.default for p in parameters[: len(wanted)]}
    assert list(found.items()) == list(wanted.items())
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters[len(wanted) :])
    assert all(p.default is not REQUIRED for p in parameters[len(wanted) :])


def test_every_name_of_kaolin_is_there() -> None:
    assert sorted(KAOLIN) == sorted(dibr.__all__)


def test_calls_by_place_as_in_kaolin() -> None:
    z, xy = torch.full((1, 1, 3), -2.0), torch.tensor([[[[-1.0, -1], [1, -1], [-1, 1]]]])
    features, normals = torch.rand(1, 1, 3, 2), torch.ones(1, 1)
    whole = dibr.dibr_rasterization(8, 9, z, xy, features, normals)
    again = dibr.dibr_rasterization(8, 9, z, xy, features, normals, 7000, 0.02, 30, 1000, 1e-8)
    side: Any = np.int64(8)  # a size from an array's shape
    third = dibr.dibr_rasterization(side, 9, z, xy, features, normals)
    assert [tuple(one.shape) for one in whole] == [(1, 8, 9, 2), (1, 8, 9), (1, 8, 9)]
    for one, two, three in zip(whole, again, third, strict=True):
        assert torch.equal(one, two) and torch.equal(one, three)
    drawn, index = dibr.rasterize(8, 9, z, xy, features, normals >= 0, 1000, 1e-8, "cuda")
    assert torch.equal(drawn, whole[0]) and torch.equal(index, whole[2])
    assert torch.equal(dibr.dibr_soft_mask(xy, index, 7000, 0.02, 30, 1000.0), whole[1])


def test_faces_are_drawn_by_the_sign_of_their_normal() -> None:
    xy = torch.tensor([[[-1.0, -1], [1, -1], [-1, 1]]]).expand(1, 5, 3, 2)
    z = -torch.arange(1.0, 6.0)[None, :, None].expand(1, 5, 3)
    normals = torch.tensor([[float("nan"), -1e-30, 0.0, -0.0, 1.0]])
    for first, nearest in ((0, 2), (3, 3), (4, 4)):
        _, _, index = dibr.dibr_rasterization(
            4, 4, z[:, first:], xy[:, first:], torch.ones(1, 5 - first, 3, 1), normals[:, first:]
        )
        assert index.max() == nearest - first and index.unique().tolist() == [-1, nearest - first]


def test_depths_get_no_gradient() -> None:
    z = torch.full((1, 1, 3), -2.0, requires_grad=True)
    xy = torch.tensor([[[[-1.0, -1], [1, -1], [-1, 1]]]]).requires_grad_()
    picture, mask, _ = dibr.dibr_rasterization(
        8, 8, z, xy, torch.rand(1, 1, 3, 1), torch.ones(1, 1)
    )
    (picture.sum() + mask.sum()).backward()
    assert z.grad is None and xy.grad is not None and bool(xy.grad.any())


@pytest.mark.parametrize("version", VERSIONS)
def test_an_edge_without_length_in_the_middle_of_the_picture(version: str) -> None:
    """In kaolin it is at distance 0 from every pixel of its box."""
    xy = torch.tensor([[[[0.0, 0], [0, 0], [0.8, 0.8]]]], dtype=torch.float64).requires_grad_()
    nothing = torch.full((1, 8, 8), -1)
    mask = dibr.dibr_soft_mask(xy, nothing, 10.0, 0.3, version=version)
    # By the distance from the piece of line between the two places.
    centre = (2 * torch.arange(8.0, dtype=torch.float64) + 1 - 8) / 8
    x, y = centre[None, :], centre.flip(0)[:, None]
    along = ((x + y) / 1.6).clamp(0, 1)
    distance2 = (x - 0.8 * along) ** 2 + (y - 0.8 * along) ** 2
    in_box = (x >= -0.3) & (x < 1.1) & (y >= -0.3) & (y < 1.1)
    expected = torch.where(in_box, torch.exp(-10 * distance2), 0.0)
    assert torch.allclose(mask[0].detach(), expected, atol=1e-9)
    assert 0 < mask.detach()[0][in_box].min() < 0.9
    (slope,) = torch.autograd.grad(mask.sum(), xy)
    assert torch.isfinite(slope).all() and bool(slope.any())


@pytest.mark.parametrize("version", VERSIONS)
def test_fractions_of_options_count_in_the_backward(version: str) -> None:
    """kaolin 0.9.0 cuts `multiplier` and `sigmainv` to whole numbers there."""
    rng = np.random.default_rng(3)
    xy = torch.from_numpy(rng.uniform(-0.8, 0.8, (1, 3, 3, 2))).requires_grad_()
    z, features = torch.full((1, 3, 3), -2.0).double(), torch.from_numpy(rng.random((1, 3, 3, 2)))

    def mask(corners: Tensor) -> Tensor:
        nothing = torch.full((1, 9, 7), -1)
        return dibr.dibr_soft_mask(corners, nothing, 5.75, 0.3, 3, 1.75, version=version)

    def picture(corners: Tensor) -> Tensor:
        return dibr.rasterize(9, 7, z, corners, features, None, 1.75, version=version)[0]

    assert torch.autograd.gradcheck(mask, (xy,), eps=1e-7, atol=1e-4, rtol=1e-4)
    assert torch.autograd.gradcheck(picture, (xy,), eps=1e-7, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("height", "width"), [(45, 37), (33, 31), (64, 17)])
def test_many_faces_on_a_picture_of_any_size(height: int, width: int, version: str) -> None:
    """kaolin 0.9.0 is wrong where pixels are no multiple of 1024; here every face is asked."""
    rng = np.random.default_rng(height)
    count = 3000
    xy = rng.uniform(-1, 1, (count, 1, 2)) + rng.uniform(-0.15, 0.15, (count, 3, 2))
    z = rng.uniform(-3, -1, (count, 3))
    index = dibr.rasterize(
        height, width, torch.from_numpy(z)[None], torch.from_numpy(xy)[None],
        torch.ones(1, count, 3, 1).double(), version=version,
    )[1][0].numpy()  # fmt: skip
    x = np.tile((2 * np.arange(width) + 1 - width) / width, height)
    y = np.repeat((height - 1 - 2 * np.arange(height)) / height, width)
    place = np.stack((x, y, np.ones_like(x)))
    matrix = np.linalg.inv(np.concatenate((xy, np.ones((count, 3, 1))), -1).transpose(0, 2, 1))
    weights = matrix @ place  # (F, 3, pixels)
    depth = np.where(weights.min(1) >= 0, (weights * z[:, :, None]).sum(1), -np.inf)
    expected = np.where(depth.max(0) > -np.inf, depth.argmax(0), -1)
    # Rounding decides on pixels at an edge, whose centres kaolin keeps in float32.
    unsure = (np.abs(weights.min(1)) < 1e-4) & (depth > depth.max(0) - 1e-3)
    sure = ~unsure.any(0)
    assert sure.mean() > 0.95
    assert np.array_equal(index.ravel()[sure], expected[sure])


def test_where_the_reach_of_a_face_ends() -> None:
    """With the defaults the probability that is cut off at `boxlen` is 0.061."""
    edge = -0.5 + 1e-4
    xy = torch.tensor([[[[-9.0, -9], [edge, -9], [edge, 9]]]])
    nothing = torch.full((1, 1, 2000), -1)
    mask = dibr.dibr_soft_mask(xy, nothing)[0, 0]
    beyond = mask[500:]
    last = int((beyond > 0).sum())
    assert not beyond[last:].any()
    assert float(beyond[last - 1]) == pytest.approx(math.exp(-7000 * 0.02**2), abs=0.02)
    assert round(math.exp(-7000 * 0.02**2), 3) == 0.061
