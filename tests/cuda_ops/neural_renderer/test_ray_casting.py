"""Pictures of shapes of our own against rays cast in double precision, pixel by pixel.

Nothing is shared with the renderer: a ray through each pixel's centre meets every triangle in
the world. This is what the authors' masks from Blender are for the teapot.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import benchbench.cuda_ops.neural_renderer as nr

EDGE = 1e-5
"""Rays that pass an edge this closely (in barycentric weights) are decided by rounding."""
FAR = 100.0


class Hits(NamedTuple):
    """What the rays meet; `sure` is False where rounding may decide otherwise."""

    face: np.ndarray  # (H, W), -1 is nothing
    depth: np.ndarray  # (H, W) along the line of sight
    weights: np.ndarray  # (H, W, 3) of the face's corners in the world
    sure: np.ndarray  # (H, W)


def shape() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two octahedra through each other and a loose triangle: (V, 3), (F, 3), colours (V, 3)."""
    rng = np.random.default_rng(4)
    corners = np.concatenate((np.eye(3), -np.eye(3)))[[0, 3, 1, 4, 2, 5]]
    sides = np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    )
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    other = 0.8 * corners @ turn.T + [0.3, 0.1, -0.2]
    loose = rng.uniform(-0.9, 0.9, (3, 3))
    vertices = np.concatenate((0.9 * corners + 0.013, other, loose)).astype(np.float32)
    faces = np.concatenate((sides, sides + 6, [[12, 13, 14]]))
    return vertices.astype(np.float64), faces, rng.uniform(0.1, 0.9, (15, 3))


def cast(
    vertices: np.ndarray, faces: np.ndarray, start: np.ndarray, rays: np.ndarray,
    least: float = 0.1, most: float = FAR,
) -> Hits:  # fmt: skip
    """The nearest triangle on each ray: `start` (H, W, 3), `rays` (H, W, 3) per unit of depth."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    start, rays = start[..., None, :], rays[..., None, :]
    edge1, edge2 = b - a, c - a
    across = np.cross(rays, edge2)
    scale = (edge1 * across).sum(-1)
    away = start - a
    second = (away * across).sum(-1) / scale
    upright = np.cross(away, edge1)
    third = (rays * upright).sum(-1) / scale
    depth = (edge2 * upright).sum(-1) / scale
    weights = np.stack((1 - second - third, second, third), -1)
    least_weight = weights.min(-1)
    reached = (depth > least) & (depth < most)
    met = np.where((least_weight >= 0) & reached, depth, np.inf)
    face = met.argmin(-1)
    found = np.isfinite(met.min(-1))
    nearest = np.where(found, met.min(-1), most)
    # An edge matters if its face would be in front; two faces if they are equally far.
    close = (np.abs(least_weight) < EDGE) & (depth < nearest[..., None] + 1e-3) & (depth > least)
    close |= (np.abs(depth - least) < 1e-4) & (least_weight > -EDGE)
    apart = np.sort(met, -1)[..., 1] - nearest > 1e-4
    sure = ~close.any(-1) & (apart | ~found)
    chosen = np.take_along_axis(weights, face[..., None, None], -2)[..., 0, :]
    return Hits(np.where(found, face, -1), nearest, chosen, sure)


def looking_from(
    eye: np.ndarray, height: int, width: int, angle: float = 30.0, size: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Starts and rays of every pixel of a camera that looks at the origin; `size` is parallel."""
    ahead = -eye / np.linalg.norm(eye)
    right = np.cross([0.0, 1, 0], ahead)
    right /= np.linalg.norm(right)
    up = np.cross(ahead, right)
    x = (2 * np.arange(width) + 1 - width) / height
    y = (height - 1 - 2 * np.arange(height)) / height
    plane = x[None, :, None] * right + y[:, None, None] * up
    if size is not None:
        return eye + size * plane, np.broadcast_to(ahead, plane.shape)
    return np.broadcast_to(eye, plane.shape), math.tan(math.radians(angle)) * plane + ahead


def tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [
        torch.from_numpy(one).to(torch.int32 if one.dtype.kind == "i" else torch.float32)[None]
        for one in arrays
    ]


def lit(vertices: np.ndarray, faces: np.ndarray, eye: np.ndarray, inward: bool) -> np.ndarray:
    """Light on the side of each face that the eye sees, from above: (F,)."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    normal *= np.sign((normal * (eye - a)).sum(-1, keepdims=True))
    return 0.5 + 0.5 * np.maximum(0, -normal[:, 1] if inward else normal[:, 1])


def check(found: tuple[torch.Tensor, ...], hits: Hits, colours: np.ndarray) -> None:
    """rgb, depth, alpha of one picture."""
    assert hits.sure.mean() > 0.98
    assert 0.05 < (hits.face >= 0).mean() < 0.9
    rgb, depth, alpha = (one.numpy() for one in found)
    sure = hits.sure
    assert np.array_equal(alpha[sure] == 1, hits.face[sure] >= 0)
    np.testing.assert_allclose(depth[sure], hits.depth[sure], rtol=0, atol=2e-4)
    np.testing.assert_allclose(rgb[:, sure].T, colours[sure], rtol=0, atol=1e-3)


EYES = [(2.732, 0, 0), (2.732, 30, 45), (2.2, -40, 200), (3.5, 70, 310)]


@pytest.mark.parametrize("place", EYES)
@pytest.mark.parametrize("options", [
    {"image_size": 64}, {"image_size": (40, 70)}, {"image_size": 63, "viewing_angle": 22.0},
    {"image_size": 64, "perspective": False, "orthographic_size": 1.3},
    {"image_size": 48, "near": 2.0},
])  # fmt: skip
def test_looking_at_it(place: tuple[float, float, float], options: dict[str, Any]) -> None:
    vertices, faces, paint = shape()
    eye = np.array(nr.get_points_from_angles(*place))
    renderer = nr.Renderer(
        camera_mode="look_at", anti_aliasing=False, background_color=[0.2, 0, 0.4], **options
    )
    renderer.eye = eye
    renderer.rasterizer_eps = 1e-5
    pictures = renderer(*tensors(vertices, faces, paint))
    size = options["image_size"]
    height, width = size if isinstance(size, tuple) else (size, size)
    rays = looking_from(
        eye, height, width, options.get("viewing_angle", 30.0), options.get("orthographic_size")
    )
    hits = cast(vertices, faces, *rays, options.get("near", 0.1))
    light = lit(vertices, faces, eye if "perspective" not in options else 1e6 * eye, False)
    shown = (hits.weights[..., None] * paint[faces[hits.face]]).sum(-2)
    shown = shown * light[hits.face][..., None]
    shown = np.where((hits.face >= 0)[..., None], shown, [0.2, 0, 0.4])
    check(tuple(one[0] for one in pictures), hits, shown)
    # The maps of faces tell the same, in the caller's numbers.
    maps = renderer.render_face_maps(*tensors(vertices, faces))
    index = maps.face_index[0].numpy()
    assert np.array_equal(index[hits.sure], hits.face[hits.sure])


@pytest.mark.parametrize("size", [(50, 50), (30, 60)])
def test_through_a_calibrated_camera(size: tuple[int, int]) -> None:
    """OpenCV's camera: not mirrored, and the light comes from the opposite side."""
    vertices, faces, paint = shape()
    height, width = 2 * size[0], 2 * size[1]
    K = np.array([[90.0, 2.0, width / 2 + 6], [0, 95, height / 2 - 4], [0, 0, 1]])
    angle = 0.4
    R = np.array(
        [[math.cos(angle), 0, math.sin(angle)], [0, -1, 0], [math.sin(angle), 0, -math.cos(angle)]]
    )
    t = np.array([0.1, 0.05, 3.0])
    assert np.linalg.det(R) == pytest.approx(1)
    renderer = nr.Renderer(
        size, False, K=K[None], R=R[None], t=t[None, None], orig_size=(height, width)
    )
    renderer.rasterizer_eps = 1e-5
    pictures = renderer(*tensors(vertices, faces, paint))
    u, v = 2 * np.arange(size[1]) + 1.0, 2 * np.arange(size[0]) + 1.0
    pixels = np.stack(np.broadcast_arrays(u[None], v[:, None], np.ones(size)), -1)
    rays = np.linalg.solve(K, pixels[..., None])[..., 0] @ R
    eye = -R.T @ t
    hits = cast(vertices, faces, np.broadcast_to(eye, rays.shape), rays)
    shown = (hits.weights[..., None] * paint[faces[hits.face]]).sum(-2)
    shown = shown * lit(vertices, faces, eye, True)[hits.face][..., None]
    shown = np.where((hits.face >= 0)[..., None], shown, 0)
    check(tuple(one[0] for one in pictures), hits, shown)


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
def test_a_batch_of_eyes(batch: int) -> None:
    vertices, faces, _ = shape()
    eyes = np.array([nr.get_points_from_angles(*place) for place in EYES[:batch]])
    renderer = nr.Renderer(32, False, camera_mode="look_at")
    renderer.eye = torch.from_numpy(eyes)
    points, sides = (one.expand(batch, -1, -1) for one in tensors(vertices, faces))
    alpha = renderer(points, sides, mode="silhouettes").numpy()
    for picture, eye in zip(alpha, eyes, strict=True):
        hits = cast(vertices, faces, *looking_from(eye, 32, 32))
        assert np.array_equal((picture == 1)[hits.sure], (hits.face >= 0)[hits.sure])


def test_smooth_edges_are_the_mean_of_four_rays() -> None:
    vertices, faces, _ = shape()
    eye = np.array(nr.get_points_from_angles(*EYES[1]))
    renderer = nr.Renderer(32, camera_mode="look_at")
    renderer.eye = eye
    alpha = renderer(*tensors(vertices, faces), mode="silhouettes")[0].numpy()
    hits = cast(vertices, faces, *looking_from(eye, 64, 64))
    fine = (hits.face >= 0).reshape(32, 2, 32, 2).mean((1, 3))
    sure = hits.sure.reshape(32, 2, 32, 2).all((1, 3))
    assert np.array_equal(alpha[sure], fine[sure])
