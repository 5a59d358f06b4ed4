"""The renderer: against the original's scenes, and each fault of the original that is mended."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import benchbench.cuda_ops.neural_renderer as nr
from benchbench.core.errors import ShapeError, UsageError
from benchbench.cuda_ops import library

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_CUDA)]
SETTINGS = (
    "image_size", "anti_aliasing", "background_color", "fill_back", "camera_mode", "orig_size",
    "perspective", "viewing_angle", "camera_direction", "near", "far", "light_intensity_ambient",
    "light_intensity_directional", "light_color_ambient", "light_color_directional",
    "light_direction",
)  # fmt: skip


def octahedron(batch: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Corners at distance 1 (a little askew, so that nothing lies on a pixel centre)."""
    vertices = torch.tensor(
        [[1.0, 0.02, 0], [-0.98, 0, 0.03], [0.01, 1, 0], [0, -0.97, 0], [0, 0.01, 1], [0, 0, -1.02]]
    )
    faces = torch.tensor(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    )
    textures = torch.rand(8, 3, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    return tuple(one[None].repeat(batch, *[1] * one.ndim) for one in (vertices, faces, textures))  # type: ignore[return-value]


def camera(**changes: Any) -> nr.Renderer:
    options = {"image_size": 24, "camera_mode": "look_at", **changes}
    eye = options.pop("eye", nr.get_points_from_angles(2.732, 25, 40))
    renderer = nr.Renderer(**options)
    renderer.eye = eye
    return renderer


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected)) / (float(np.linalg.norm(expected)) or 1.0)


def test_equals_the_original_in_every_mode(shared: Path) -> None:
    compared = 0
    for path in sorted((shared / "oracles" / "nmr" / "scenes").glob("*.npz")):
        with np.load(path) as archive:
            scene = {k: archive[k] for k in archive.files}
        meta = json.loads(str(scene["meta"]))
        if meta["kind"] != "renderer":
            continue
        tensors = {
            k: scene[f"cam_{k}"] for k in ("K", "R", "t", "dist_coeffs") if f"cam_{k}" in scene
        }
        renderer = nr.Renderer(
            compat=True, **{k: meta[k] for k in SETTINGS if k in meta}, **tensors
        )
        if "cam_eye" in scene:
            renderer.eye = torch.from_numpy(scene["cam_eye"])
        elif meta.get("eye") is not None:
            renderer.eye = meta["eye"]
        for mode in ("sil", "depth", "rgb", "all"):
            compare(path.stem, mode, scene, renderer)
            compared += 1
    assert compared >= 40


def compare(name: str, mode: str, scene: dict[str, np.ndarray], renderer: nr.Renderer) -> None:
    vertices = torch.from_numpy(scene["vertices"]).requires_grad_()
    faces = torch.from_numpy(scene["faces"])
    textures = (torch.from_numpy(scene["textures_u8"]).float() / 255).requires_grad_()
    if mode == "sil":
        drawn = {"alpha": renderer(vertices, faces, mode="silhouettes")}
    elif mode == "depth":
        drawn = {"depth": renderer(vertices, faces, mode="depth")}
    elif mode == "rgb":
        drawn = {"rgb": renderer(vertices, faces, textures, mode="rgb")}
    else:
        drawn = dict(
            zip(("rgb", "depth", "alpha"), renderer(vertices, faces, textures), strict=True)
        )
    loss = torch.zeros(())
    for channel, picture in drawn.items():
        atol = {"rgb": 5e-3, "depth": 3e-4, "alpha": 0}[channel]
        expected = scene[f"out_{mode}_{channel}"]
        np.testing.assert_allclose(picture.detach().numpy(), expected, rtol=0, atol=atol)
        loss = loss + (picture * torch.from_numpy(scene[f"g_{channel}"])).sum()
    loss.backward()
    assert vertices.grad is not None
    assert relative(vertices.grad.numpy(), scene[f"grad_vertices_{mode}"]) < 1e-2, (name, mode)
    if textures.grad is not None:
        assert relative(textures.grad.numpy(), scene[f"grad_textures_{mode}"]) < 1e-2, (name, mode)


def test_an_octahedron_by_hand() -> None:
    """Seen from -z at 2.7320508: the nearest corner at depth 1.71, a square of half side 1 / w."""
    vertices, faces, textures = octahedron()
    renderer = nr.Renderer(image_size=64, anti_aliasing=False, camera_mode="look_at")
    assert renderer.eye == pytest.approx([0, 0, -2.7320508])
    rgb, depth, alpha = renderer(vertices, faces, torch.ones_like(textures))
    assert depth.min().item() == pytest.approx(2.732 - 1.02, abs=0.05)
    # |x| + |y| <= 1 at depth 2.732: half a diagonal of 64 / 2 / (2.732 tan 30) = 20.3 pixels.
    assert alpha.sum().item() == pytest.approx(2 * 20.3**2, rel=0.05)
    # Light from above falls on the upper half only: 0.5 against 0.5 + 0.5 / sqrt(3).
    assert rgb[0, 0, 40, 32].item() == pytest.approx(0.5, abs=1e-3)
    assert rgb[0, 0, 24, 32].item() == pytest.approx(0.5 + 0.5 / math.sqrt(3), abs=0.02)
    assert depth.max().item() == 100 and rgb[0, :, 0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("mode", [None, "rgb", "silhouettes", "depth"])
def test_equals_the_twin(device: str, mode: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    found, expected = [], []
    for results, where in ((found, device), (expected, "cpu")):
        if results is expected:
            monkeypatch.setattr(library, "available", lambda device: False)
        given = [one.to(where) for one in octahedron(2)]
        given[0] = given[0].requires_grad_()
        drawn = camera(background_color=[0.2, 0.4, 0.6])(*given, mode=mode)
        drawn = drawn if mode is None else (drawn,)
        slopes = torch.linspace(-1, 1, 24).to(where)
        loss = sum((one * slopes).sum() for one in drawn)
        results += [one.detach().cpu() for one in drawn]
        results += [torch.autograd.grad(loss, given[0])[0].cpu()]
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
def test_mended_batch_of_three(batch: int) -> None:
    """The original's cross products take the wrong axis where the batch is 3."""
    alone = camera()(*octahedron())
    for eye in (camera().eye, torch.tensor(camera().eye)[None].repeat(batch, 1)):
        together = camera(eye=eye)(*octahedron(batch))
        for one, many in zip(alone, together, strict=True):
            assert torch.allclose(many, one.expand_as(many), atol=1e-6)
    looking = camera(
        camera_mode="look", camera_direction=[[0.1, -0.5, 1.0]] * batch, eye=[0, 1, -2.5]
    )
    assert all(a.sum() > 5 for a in looking(*octahedron(batch), mode="silhouettes")[..., :, :])


def test_mended_textures_are_not_edited_in_place() -> None:
    vertices, faces, textures = octahedron()
    leaf = textures.clone().requires_grad_()
    rgb = camera(fill_back=False)(vertices, faces, leaf, mode="rgb")
    assert torch.equal(leaf, textures)
    rgb.sum().backward()
    assert leaf.grad is not None and leaf.grad.abs().sum() > 0


def test_mended_camera_direction_is_used() -> None:
    straight = camera(camera_mode="look", eye=[0, 0, -2.7])
    given = camera(camera_mode="look", eye=[0, 0, -2.7], camera_direction=[0.3, 0, 1])
    later = camera(camera_mode="look", eye=[0, 0, -2.7])
    later.camera_direction = [0.3, 0, 1]
    shown = [r(*octahedron()[:2], mode="silhouettes") for r in (straight, given, later)]
    assert torch.equal(shown[1], shown[2]) and not torch.equal(shown[0], shown[1])


def test_mended_limits_reach_silhouettes_and_depth() -> None:
    vertices, faces, _ = octahedron()
    usual = camera(anti_aliasing=False)
    for changes in ({"near": 2.6}, {"far": 2.3}):
        cut = camera(anti_aliasing=False, **changes)
        faulty = camera(anti_aliasing=False, compat=True, **changes)
        for mode in ("silhouettes", "depth"):
            assert not torch.equal(
                cut(vertices, faces, mode=mode), usual(vertices, faces, mode=mode)
            )
            assert torch.equal(
                faulty(vertices, faces, mode=mode), usual(vertices, faces, mode=mode)
            )
        _, depth, alpha = cut(*octahedron())
        assert torch.equal(cut(vertices, faces, mode="silhouettes"), alpha)
        assert torch.equal(cut(vertices, faces, mode="depth"), depth)
    leaf = vertices.clone().requires_grad_()
    slopes = []
    for compat, eps in ((False, None), (False, 0.5), (True, 0.5)):
        renderer = camera(compat=compat)
        assert renderer.rasterizer_eps == 1e-3
        if eps is not None:
            renderer.rasterizer_eps = eps
        shown = renderer(leaf, faces, mode="silhouettes")
        slopes.append(torch.autograd.grad(shown[:, :12].sum(), leaf)[0].norm().item())
    assert slopes[1] < 0.9 * slopes[0] and slopes[0] == slopes[2]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mended_faces_behind_the_camera(dtype: torch.dtype) -> None:
    """A face with a corner behind the camera is left out; one nearer than `near` is cut there."""
    wall = torch.tensor([[[-9.0, -9, 1], [9, -9, 1], [0, 9, 1]]], dtype=dtype)
    floor = torch.tensor([[[-5.0, -1, 3], [5, -1, 3], [0, -1, -4]]], dtype=dtype)
    both = torch.cat((wall, floor), 1).requires_grad_()
    faces = torch.tensor([[[0, 1, 2], [3, 4, 5]]])
    eye = [0, 0, 0]
    for behind in (-4.0, 0.0):
        with torch.no_grad():
            both[0, 5, 2] = behind
        shown = camera(camera_mode="look", eye=eye)(both, faces, mode="depth")
        assert torch.allclose(shown, torch.ones_like(shown))
        (slope,) = torch.autograd.grad(shown.sum(), both)
        assert torch.isfinite(slope).all() and not slope[0, 3:].any()
    # The same floor, all in front: pixels nearer than `near` are not drawn, the others are.
    ahead = torch.tensor([[[-5.0, -1, 3], [5, -1, 3], [0, -1, 0.5]]], dtype=dtype)
    depth = camera(camera_mode="look", eye=eye, near=2.2, anti_aliasing=False)(
        ahead, faces[:, :1], mode="depth"
    )
    drawn = depth[depth < 100]
    assert 2.2 < drawn.min() < 2.6
    assert (camera(camera_mode="look", eye=eye)(ahead, faces[:, :1], mode="depth").min()) < 1.9


def test_projection_needs_a_camera() -> None:
    vertices, faces, _ = octahedron()
    with pytest.raises(UsageError, match="needs K"):
        nr.Renderer(image_size=8)(vertices, faces, mode="depth")
    K, R = np.array([[[40.0, 0, 20], [0, 40, 20], [0, 0, 1]]]), np.eye(3)[None]
    t = np.array([[[0.0, 0, 3]]])
    renderer = nr.Renderer(image_size=20, K=K, R=R, t=t, orig_size=40, dist_coeffs=np.zeros((1, 5)))
    stored = renderer(vertices, faces, mode="depth")
    given = nr.Renderer(image_size=20)(
        vertices, faces, mode="depth", K=K, R=R, t=torch.tensor(t), orig_size=40
    )
    assert torch.equal(stored, given)
    assert stored.min().item() == pytest.approx(3 - 1.02, abs=0.15)


def test_a_rectangular_picture_has_square_pixels() -> None:
    """A wide picture is a square one with more to the left and right, a narrow one with less."""
    meshes = octahedron()
    square = camera(image_size=24, anti_aliasing=False)(*meshes)
    wide = camera(image_size=(24, 40), anti_aliasing=False)(*meshes)
    narrow = camera(image_size=(24, 10), anti_aliasing=False)(*meshes)
    for one, other, slim in zip(square, wide, narrow, strict=True):
        assert other.shape[-2:] == (24, 40)
        assert torch.allclose(other[..., 8:32], one, atol=1e-3)
        assert torch.allclose(slim, one[..., 7:17], atol=1e-3)
    K = torch.tensor([[[40.0, 0, 40], [0, 40, 20], [0, 0, 1]]])
    R, t = torch.eye(3)[None], torch.tensor([[[0.0, 0, 3]]])
    wide_lens = nr.Renderer((20, 40), False, K=K, R=R, t=t, orig_size=(40, 80))
    K_square = K - torch.tensor([[[0.0, 0, 20], [0, 0, 0], [0, 0, 0]]])
    square_lens = nr.Renderer(20, False, K=K_square, R=R, t=t, orig_size=40)
    shown = [lens(*meshes[:2], mode="silhouettes") for lens in (wide_lens, square_lens)]
    assert shown[1].sum() > 20 and torch.equal(shown[0][..., 10:30], shown[1])


def test_colours_of_vertices() -> None:
    vertices, faces, _ = octahedron()
    colours = torch.rand(1, 6, 3, generator=torch.Generator().manual_seed(3)).requires_grad_()
    renderer = camera(anti_aliasing=False, light_intensity_ambient=1, light_intensity_directional=0)
    renderer.rasterizer_eps = 1e-6
    rgb = renderer(vertices, faces, colours, mode="rgb")
    maps = renderer.render_face_maps(vertices, faces)
    seen = maps.face_index >= 0
    corners = faces[0][maps.face_index[seen].long()]
    z = nr.look_at(vertices, renderer.eye)[0, :, 2][corners]
    true = maps.weights[seen] / z
    true = true / true.sum(-1, keepdim=True)
    expected = (true[..., None] * colours[0][corners]).sum(1)
    assert torch.allclose(rgb.permute(0, 2, 3, 1)[seen], expected, atol=1e-4)
    rgb.sum().backward()
    assert colours.grad is not None and (colours.grad.sum(-1) > 0).sum() >= 5
    with pytest.raises(ShapeError, match="colors"):
        nr.textures_from_vertex_colors(colours[0], faces)


@pytest.mark.parametrize("device", DEVICES)
def test_meshes_of_different_size(device: str) -> None:
    vertices, faces, textures = (one[0].to(device) for one in octahedron())
    small = vertices[:5].clone().requires_grad_()
    lists = ([vertices, small], [faces, faces[:4]], [textures, textures[:4]])
    together = camera()(*lists)
    (slope,) = torch.autograd.grad(together[2][1, :9].sum() + together[0][1].sum(), small)
    alone = camera()(small[None], faces[None, :4], textures[None, :4])
    (expected,) = torch.autograd.grad(alone[2][0, :9].sum() + alone[0].sum(), small)
    for many, one in zip(together, alone, strict=True):
        assert torch.equal(many[1:], one)
    assert torch.equal(slope, expected)
    maps = camera().render_face_maps(*lists[:2])
    assert maps.face_index[1].max() < 4 <= maps.face_index[0].max()
    with pytest.raises(ShapeError, match="pad_meshes"):
        camera()([vertices], [faces, faces], mode="depth")
    with pytest.raises(ShapeError, match="both tensors or both lists"):
        camera()(vertices[None], [faces], mode="depth")


def test_face_maps_name_the_callers_faces() -> None:
    vertices, faces, _ = octahedron()
    renderer = camera(anti_aliasing=False)
    maps = renderer.render_face_maps(vertices, faces)
    assert maps.face_index.shape == (1, 24, 24)
    seen = maps.face_index >= 0
    assert torch.equal(seen.float(), renderer(vertices, faces, mode="silhouettes"))
    assert torch.equal(maps.depth, renderer(vertices, faces, mode="depth"))
    # Counter-clockwise outward meshes show their backs in look_at, as in the original.
    assert maps.is_back[seen].all()
    turned = renderer.render_face_maps(vertices, faces.flip(-1))
    assert not turned.is_back.any() and torch.equal(turned.face_index, maps.face_index)
    assert torch.allclose(turned.weights.flip(-1), maps.weights, atol=1e-5)


def test_a_parallel_projection_has_a_size() -> None:
    vertices, faces, _ = octahedron()
    area = [
        camera(perspective=False, orthographic_size=size, image_size=64)(
            vertices, faces, mode="silhouettes"
        ).sum().item()
        for size in (1.5, 3.0)
    ]  # fmt: skip
    assert area[0] == pytest.approx(4 * area[1], rel=0.02)
    seen = nr.orthographic(torch.tensor([[[1.0, 2, 3]]]), 2.0)
    assert seen.tolist() == [[[0.5, 1, 3]]]


def test_a_parallel_projection_with_a_size_is_linear() -> None:
    """Without one it is the original's, through a lens."""
    vertices = torch.tensor([[[-0.9, -0.8, 1.5], [0.9, -0.7, -1.5], [0.1, 0.9, 0.5]]])
    faces, colours = torch.tensor([[0, 2, 1]]), torch.eye(3)[None]
    options = {
        "perspective": False, "eye": (0, 0, -3), "anti_aliasing": False,
        "light_intensity_ambient": 1, "light_intensity_directional": 0,
    }  # fmt: skip
    lens = camera(**options)(vertices, faces, colours)
    renderer = camera(orthographic_size=1, **options)
    rgb, depth, alpha = renderer(vertices, faces, colours)
    assert torch.equal(alpha, lens[2])
    assert torch.equal(alpha, renderer(vertices, faces, mode="silhouettes"))
    assert torch.equal(depth, renderer(vertices, faces, mode="depth"))
    maps = renderer.render_face_maps(vertices, faces)
    assert torch.equal(maps.depth, depth)
    seen = alpha > 0
    weights = maps.weights[seen]
    plane = weights @ (vertices[0, faces[0], 2] + 3)
    assert torch.allclose(depth[seen], plane, atol=1e-4)
    assert (lens[1][seen] - plane).abs().max() > 0.3
    shown = weights @ colours[0, faces[0]]
    assert torch.allclose(rgb.permute(0, 2, 3, 1)[seen], shown, atol=2e-3)
    assert not torch.allclose(lens[0].permute(0, 2, 3, 1)[seen], shown, atol=0.05)


def test_gradcheck_from_the_camera_to_the_depth() -> None:
    vertices, faces, _ = octahedron()
    leaf = vertices.double().requires_grad_()
    eye = torch.tensor([camera().eye], dtype=torch.float64, requires_grad=True)

    def depth(corners: Tensor, place: Tensor) -> Tensor:
        return camera(eye=place, image_size=4, anti_aliasing=False)(corners, faces, mode="depth")

    assert torch.autograd.gradcheck(depth, (leaf, eye), eps=1e-7, atol=1e-4)


def test_an_eye_can_be_learned() -> None:
    vertices, faces, _ = octahedron()
    goal = camera(image_size=48)(vertices, faces, mode="silhouettes")
    renderer = camera(image_size=48)
    renderer.eye = torch.nn.Parameter(torch.tensor([2.4, 1.6, -2.0]))
    optimizer = torch.optim.Adam(renderer.parameters(), lr=0.03)
    losses = []
    for _ in range(25):
        loss = (renderer(vertices, faces, mode="silhouettes") - goal).square().sum()
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert min(losses) < 0.4 * losses[0]


@pytest.mark.parametrize("options", [{"camera_mode": "lookat"}, {"camera_mode": "none"}])
def test_refuses_unknown_cameras(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="unknown camera_mode"):
        nr.Renderer(**options)


def test_refuses_unknown_modes_and_wrong_shapes() -> None:
    vertices, faces, textures = octahedron()
    with pytest.raises(UsageError, match="unknown mode 'silhouete'"):
        camera()(vertices, faces, mode="silhouete")
    for given in ((vertices, faces, None), (vertices, faces, textures[..., 0]),
                  (vertices[0], faces, textures), (vertices, faces, [textures])):  # fmt: skip
        with pytest.raises(ShapeError):
            camera()(*given, mode="rgb")


@pytest.mark.parametrize("mode", [None, "rgb", "silhouettes", "depth"])
def test_a_vertex_in_the_plane_of_the_camera_spoils_no_gradient(mode: str | None) -> None:
    vertices, faces, textures = octahedron()
    vertices[0, 5] = torch.tensor([0.3, 0.2, -3.0])  # at depth 0, with a lens
    K, R = np.array([[[40.0, 0, 20], [0, 40, 20], [0, 0, 1]]]), np.eye(3)[None]
    lens = torch.full((1, 5), 0.1, requires_grad=True)
    leaves = vertices.requires_grad_(), torch.from_numpy(K).float().requires_grad_(), lens
    renderer = nr.Renderer(20, R=R, t=np.array([[[0.0, 0, 3]]]), orig_size=40)
    drawn = renderer(leaves[0], faces, textures, mode, K=leaves[1], dist_coeffs=lens)
    loss = sum(one[..., :9].sum() for one in (drawn if mode is None else (drawn,)))
    for slope in torch.autograd.grad(loss, leaves):
        assert torch.isfinite(slope).all() and slope.any()


def test_what_is_no_tensor_is_told_by_name() -> None:
    vertices, faces, _ = octahedron()
    for given, name in (
        ((vertices.numpy(), faces), "vertices"),
        ((vertices, faces.numpy()), "faces"),
    ):
        with pytest.raises(ShapeError) as error:
            camera()(*given, mode="depth")
        assert error.value.argument == name


def test_items_of_colours_and_directions_can_be_changed() -> None:
    renderer = camera()
    renderer.background_color[0] = 1
    assert camera().background_color == [0, 0, 0]
    assert renderer(*octahedron(), mode="rgb")[0, :, 0, 0].tolist() == [1, 0, 0]
