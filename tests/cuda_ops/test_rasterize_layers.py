"""Colours, silhouette and depth together: by hand, by the plain twin, by the original kernels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchbench.core.errors import ShapeError, UsageError
from benchbench.cuda_ops import library
from benchbench.cuda_ops.neural_renderer.lighting import face_lights
from benchbench.cuda_ops.rasterize_layers import Layers, _layers_backward, rasterize_layers
from benchbench.cuda_ops.reference.rasterize_layers import weights_and_depth
from benchbench.cuda_ops.vertices_to_faces import vertices_to_faces

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_CUDA)]
FREE_SCENES = [
    "backward_case1_64", "backward_case2_64", "big_faces_40", "depth_triangle_64",
    "odd_33_b2_bg2d", "soup_degenerate_48", "soup_random_48_aa", "texquad_T3_48",
]  # fmt: skip
NOTHING = torch.empty(0)


def random_scene(kind: int, batch: int = 2, side: int = 3) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(kind)
    count = int(rng.integers(1, 20))
    faces = rng.uniform(-1.3, 1.3, (batch, count, 3, 3))
    faces[..., 2] = rng.uniform(0.5, 3, (batch, count, 3))
    if kind % 4 == 1:
        faces[..., :2] *= 20
    if kind % 4 == 2:
        faces[:, ::3, 1] = faces[:, ::3, 0]
    if kind % 4 == 3:
        faces[:, 0, 0, 0], faces[:, -1, 1, 2] = np.nan, np.nan
    textures = rng.random((batch, count, side, side, side, 3))
    return torch.from_numpy(faces.astype(np.float32)), torch.from_numpy(textures).float()


def gradients(
    faces: Tensor, textures: Tensor | None, upstream: dict[str, Tensor], **options: Any
) -> tuple[Layers, Tensor, Tensor | None]:
    """Layers, and the gradients by corners and textures of sum(layer * upstream)."""
    corners = faces.clone().requires_grad_()
    cubes = None if textures is None else textures.clone().requires_grad_()
    height, width = next(iter(upstream.values())).shape[-2:]
    layers = rasterize_layers(corners, cubes, height, width, **options)
    loss = sum((getattr(layers, k) * g.to(faces)).sum() for k, g in upstream.items())
    asked = [corners] if cubes is None else [corners, cubes]
    found = torch.autograd.grad(loss, asked, allow_unused=True)  # type: ignore[arg-type]
    return layers, found[0].cpu(), found[1].cpu() if len(found) > 1 and "rgb" in upstream else None


def upstream_of(
    names: tuple[str, ...], shape: tuple[int, int, int], seed: int = 0
) -> dict[str, Tensor]:
    rng = np.random.default_rng(seed + 77)
    batch, height, width = shape
    full = {"rgb": (batch, 3, height, width), "alpha": shape, "depth": shape}
    return {k: torch.from_numpy(rng.standard_normal(full[k])).float() for k in names}


def relative(found: Tensor, expected: Tensor) -> float:
    return float(torch.linalg.norm(found - expected)) / (float(torch.linalg.norm(expected)) or 1)


@pytest.mark.parametrize("device", DEVICES)
def test_colours_by_hand(device: str) -> None:
    # One face over the whole of a 2 x 2 picture's lower left; corner depths 1, 1 and 3.
    faces = torch.tensor([[[[-1.5, -1.5, 1], [2.5, -1.5, 1], [-1.5, 2.5, 3]]]], device=device)
    # Red is the perspective weight of the third corner, green that of the first, blue is 1.
    cube = torch.zeros(1, 1, 2, 2, 2, 3)
    cube[0, 0, :, :, 1, 0] = 1
    cube[0, 0, 1, :, :, 1] = 1
    cube[..., 2] = 1
    layers = rasterize_layers(faces, cube.to(device), 2, 2, background=(0.1, 0.2, 0.3))
    # Raster pixel (0, 0) lies at (-0.5, -0.5): screen weights (0.5, 0.25, 0.25).
    depth = 1 / (0.5 + 0.25 + 0.25 / 3)
    assert layers.depth[0, 1, 0].item() == pytest.approx(depth, rel=1e-6)
    expected = (0.25 * depth / 3, 0.5 * depth, 1.0)
    assert layers.rgb is not None
    assert layers.rgb[0, :, 1, 0].tolist() == pytest.approx(expected, rel=1e-6)
    # The upper right pixel at (0.5, 0.5) lies on the far edge, which is inclusive.
    assert layers.alpha.tolist() == [[[1, 1], [1, 1]]]
    assert layers.depth[0, 0, 1].item() == pytest.approx(1 / (0.5 + 0.5 / 3), rel=1e-6)
    away = rasterize_layers(faces + torch.tensor([9.0, 0, 0], device=device), cube.to(device), 2, 2,
                            background=torch.tensor([[0.1, 0.2, 0.3]]))  # fmt: skip
    assert away.rgb is not None
    assert away.rgb[0, :, 0, 0].tolist() == pytest.approx((0.1, 0.2, 0.3))
    assert away.depth.eq(100).all() and away.face_index.eq(-1).all()


@pytest.mark.parametrize("device", DEVICES)
def test_a_coloured_wall_by_hand(device: str) -> None:
    """A pixel pulls by what all layers gain together; layers that disagree cancel first."""
    pixels = torch.tensor([[1.25, -10.5], [1.25, 13.5], [-22.75, 1.5]])
    faces = torch.ones(1, 1, 3, 3)
    faces[..., :2] = (2 * pixels + 1 - 4) / 4
    cube = torch.full((1, 1, 2, 2, 2, 3), 0.5)
    # Raster pixel (3, 2) would rather be covered (gain 1) and redder (gain 0.5 * 2) ...
    upstream = {"rgb": torch.zeros(1, 3, 4, 4), "alpha": torch.zeros(1, 4, 4)}
    upstream["alpha"][0, 1, 3], upstream["rgb"][0, 0, 1, 3] = -1, -2
    expected = torch.zeros(1, 1, 3, 3)
    expected[0, 0, 0, 0] = -2 / (24 / 11.5 * 0.875 + 1e-3)
    expected[0, 0, 1, 0] = -2 / (24 / 12.5 * 0.875 + 1e-3)
    _, found, _ = gradients(faces.to(device), cube.to(device), upstream)
    assert torch.allclose(found, expected, rtol=1e-5)
    # ... or less green (gain -0.5 * 3), which leaves 0.5.
    upstream["rgb"][0, 1, 1, 3] = 3
    _, found, _ = gradients(faces.to(device), cube.to(device), upstream)
    assert torch.allclose(found, expected / 4, rtol=1e-5)
    upstream["rgb"][0, 1, 1, 3] = 5
    assert not gradients(faces.to(device), cube.to(device), upstream)[1].any()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", range(16))
def test_equals_the_twin(device: str, kind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    faces, textures = random_scene(kind, side=2 + kind % 3)
    names = [("rgb",), ("rgb", "alpha", "depth"), ("depth",), ("alpha", "depth")][kind // 4]
    shape = (2, 5 + kind % 7, 4 + kind % 5)
    upstream = upstream_of(names, shape, kind)
    pool = 1 + kind % 2
    options = {"background": torch.tensor([[0.2, 0.4, 0.6], [1.0, 0.0, 0.5]]), "pool": pool}
    layers, to_faces, to_textures = gradients(
        faces.to(device), textures.to(device), upstream, **options
    )
    monkeypatch.setattr(library, "available", lambda device: False)
    expected, slow_faces, slow_textures = gradients(faces, textures, upstream, **options)
    assert torch.equal(layers.face_index.cpu(), expected.face_index)
    for found, wanted in zip(layers[:3], expected[:3], strict=True):
        assert found is not None and wanted is not None
        assert torch.allclose(found.cpu(), wanted, rtol=1e-5, atol=1e-6)
    assert relative(to_faces, slow_faces) < 2e-4
    if to_textures is not None and slow_textures is not None:
        assert relative(to_textures, slow_textures) < 1e-5


@pytest.mark.parametrize("name", FREE_SCENES)
def test_equals_the_original_kernels(data: Path, name: str) -> None:
    assert check_scene(data / "nmr" / f"{name}.npz") >= 1


def test_equals_the_original_kernels_on_every_scene(shared: Path) -> None:
    scenes = sorted((shared / "oracles" / "nmr" / "scenes").glob("*.npz"))
    assert sum(check_scene(scene) for scene in scenes) >= 40


def check_scene(path: Path) -> int:
    """How many modes were compared, in the tolerances of the arrays' own page."""
    with np.load(path) as archive:
        scene = {k: archive[k] for k in archive.files}
    meta = json.loads(str(scene["meta"]))
    modes = [m for m in ("depth", "rgb", "all") if f"grad_faces_{m}" in scene]
    faces = torch.from_numpy(scene["faces_screen"])
    is_raw, pool = meta["kind"] == "raw", 2 if meta["anti_aliasing"] else 1
    index = torch.from_numpy(scene["face_index"].astype(np.int32)).flip(1).contiguous()
    unstable = torch.from_numpy(scene["unstable_pix"]).flip(1)
    depth = torch.from_numpy(scene["depth_raw"]).flip(1).contiguous()
    raster = index.shape[1]
    textures = light = None
    fill_back = not is_raw and meta["fill_back"]
    if "textures_u8" in scene:
        textures = torch.from_numpy(scene["textures_u8"]).float() / 255
        if not is_raw:
            light = stored_light(scene, meta)
    colour = torch.as_tensor(meta.get("background_color", 0.0), dtype=torch.float32)
    colour = colour.expand(len(faces), 3).contiguous()
    near, far = (meta["near"], meta["far"]) if is_raw else (0.1, 100.0)
    layers = rasterize_layers(
        faces, textures, raster, raster, near, far, meta["eps_rgb"], colour, light=light,
        fill_back=fill_back,
    )  # fmt: skip
    assert torch.equal(layers.face_index[~unstable], index[~unstable])
    # At 512 one sliver differs by 4.4e-4 (with and without fused operations differ as much).
    atol = 3e-4 if raster < 512 else 5e-4
    assert torch.allclose(layers.depth[~unstable], depth[~unstable], rtol=0, atol=atol)
    if textures is not None:
        assert layers.rgb is not None
        if "rgb_sampled_raw" in scene and "degenerate" not in path.stem:
            stored = torch.from_numpy(scene["rgb_sampled_raw"]).flip(1).permute(0, 3, 1, 2)
            stored = torch.where(index[:, None] >= 0, stored, colour[:, :, None, None])
            rough = unstable[:, None].expand_as(stored)
            assert torch.allclose(layers.rgb[~rough], stored[~rough], rtol=0, atol=5e-3)
    # The backward finds weights and colours again. Rounding decides them on slivers, and that of
    # fused operations moves the depths of the teapot's tiny faces by 4e-3.
    has_slivers = "degenerate" in path.stem
    if "weight" in scene and not has_slivers:
        weights, _ = weights_and_depth(faces, index)
        stored = torch.from_numpy(scene["weight"]).flip(1)
        atol = 1e-4 if is_raw else 5e-3 if raster <= 128 else 2e-2
        assert torch.allclose(weights[~unstable], stored[~unstable], rtol=0, atol=atol)
    compared = 0
    for mode in modes:
        if mode != "depth" and textures is None:
            continue
        given = {"rgb": mode != "depth", "alpha": mode == "all", "depth": mode != "rgb"}
        slopes = {k: torch.from_numpy(scene[f"g_{k}"]) for k, used in given.items() if used}
        if not is_raw and mode == "depth" and (meta["near"], meta["far"]) != (0.1, 100):
            continue
        used = [slopes.get(k, NOTHING) for k in ("rgb", "alpha", "depth")]
        cubes = textures if mode != "depth" else None
        paint = (NOTHING if cubes is None else cubes, NOTHING if light is None else light, colour)
        # Backward from the stored face map, which rounding may have decided otherwise than here.
        alone, back, _ = _layers_backward(
            *used, faces, *paint, index, pool, meta["eps_rgb"], False, fill_back, True,
            cubes is not None, False,
        )  # fmt: skip
        expected = torch.from_numpy(scene[f"grad_faces_{mode}"])
        good = ~torch.from_numpy(scene[f"unstable_face_{mode}"])
        limit = 1e-2 if has_slivers else 1e-3 if is_raw else 5e-3 if given["depth"] else 2e-3
        assert relative(alone[good], expected[good]) < limit, (path.stem, mode)
        compared += 1
        if cubes is not None and not has_slivers:
            wanted = torch.from_numpy(scene[f"grad_textures_{mode}"])
            assert relative(back, wanted) < (1e-4 if is_raw else 2e-3), (path.stem, mode)
        if unstable.any():
            continue
        options = {"near": near, "far": far, "eps": meta["eps_rgb"], "background": colour,
                   "pool": pool}  # fmt: skip
        if cubes is not None:
            options |= {"light": light, "fill_back": fill_back}
        _, whole, to_textures = gradients(faces, cubes, slopes, **options)
        assert relative(whole, expected) < 1e-2, (path.stem, mode)
        if cubes is not None and to_textures is not None:
            limit = 1e-4 if is_raw else 2e-3
            assert relative(to_textures, wanted) < limit, (path.stem, mode)
    return compared


def stored_light(scene: dict[str, np.ndarray], meta: dict[str, Any]) -> Tensor:
    world = vertices_to_faces(torch.from_numpy(scene["vertices"]), torch.from_numpy(scene["faces"]))
    sides = face_lights(
        world, meta["light_intensity_ambient"], meta["light_intensity_directional"],
        meta["light_color_ambient"], meta["light_color_directional"], meta["light_direction"],
    )  # fmt: skip
    return torch.cat(sides, 1) if meta["fill_back"] else sides[0]


def grid(side: int = 3) -> tuple[Tensor, Tensor]:
    """A tilted fan of faces whose edges pass no pixel centre of a 5 x 7 raster closely."""
    centre = torch.tensor([0.03, -0.05, 1.4], dtype=torch.float64)
    ring = torch.tensor(
        [[0.93, 0.11, 1.0], [0.17, 0.97, 2.0], [-0.91, 0.23, 1.5], [-0.13, -0.95, 1.2]],
        dtype=torch.float64,
    )
    faces = torch.stack([torch.stack((centre, ring[k], ring[(k + 1) % 4])) for k in range(4)])
    generator = torch.Generator().manual_seed(0)
    textures = torch.rand(1, 4, side, side, side, 3, dtype=torch.float64, generator=generator)
    return faces[None], textures


def test_gradcheck_of_depth() -> None:
    faces, _ = grid()
    leaf = faces.requires_grad_()
    drawn = rasterize_layers(leaf, None, 5, 7)
    assert len(drawn.face_index.unique()) == 5  # all four faces and the background
    assert torch.autograd.gradcheck(
        lambda corners: rasterize_layers(corners, None, 5, 7).depth, (leaf,), eps=1e-6
    )


@pytest.mark.parametrize("side", [2, 3, 5])
def test_gradcheck_of_textures(side: int) -> None:
    faces, textures = grid(side)
    assert torch.autograd.gradcheck(
        lambda cubes: rasterize_layers(faces, cubes, 5, 7).rgb, (textures.requires_grad_(),)
    )


def test_single_and_double_precision_agree() -> None:
    faces, textures = grid()
    upstream = upstream_of(("rgb", "alpha", "depth"), (1, 5, 7))
    fine, coarse = (
        gradients(faces.to(kind), textures.to(kind), upstream)
        for kind in (torch.float64, torch.float32)
    )
    assert torch.allclose(fine[0].depth.float(), coarse[0].depth, rtol=1e-5)
    assert torch.allclose(fine[1].float(), coarse[1], rtol=1e-3, atol=1e-4)
    assert fine[2] is not None and coarse[2] is not None
    assert torch.allclose(fine[2].float(), coarse[2], rtol=1e-4, atol=1e-5)


def test_a_step_against_the_gradient_lowers_the_loss() -> None:
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        centre = torch.rand(6, 1, 2, generator=generator) - 0.5
        faces = torch.ones(1, 6, 3, 3)
        faces[0, :, :, :2] = centre + torch.tensor([[-0.3, -0.3], [0.3, -0.3], [0.0, 0.4]])
        faces[..., 2] += 0.1 * torch.arange(6.0)[:, None]
        cubes = torch.rand(1, 6, 1, 1, 1, 3, generator=generator).expand(-1, -1, 2, 2, 2, -1)
        moved = faces * torch.tensor([0.8, 1.2, 1.0])
        target = rasterize_layers(moved, cubes, 48, 32).rgb
        leaf, losses = faces.clone().requires_grad_(), []
        for _ in range(15):
            loss = (rasterize_layers(leaf, cubes, 48, 32).rgb - target).square().sum()
            losses.append(float(loss.detach()))
            (gradient,) = torch.autograd.grad(loss, leaf)
            with torch.no_grad():
                leaf -= 0.01 * gradient / gradient.abs().max()
        assert losses[-1] < 0.95 * losses[0]


@pytest.mark.parametrize("device", DEVICES)
def test_runs_threads_and_batch_do_not_change_a_bit(device: str) -> None:
    before = torch.get_num_threads()
    faces, textures = (one.to(device) for one in random_scene(0, 3))
    upstream = upstream_of(("rgb", "alpha", "depth"), (3, 29, 41))
    try:
        torch.set_num_threads(1)
        alone = gradients(faces, textures, upstream)
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            again = gradients(faces, textures, upstream)
            assert all(torch.equal(a, b) for a, b in zip(again[0], alone[0], strict=True))  # type: ignore[arg-type]
            assert torch.equal(again[1], alone[1])
            assert torch.equal(again[2], alone[2])  # type: ignore[arg-type]
            for b in range(3):  # a picture does not depend on its batch
                part = slice(b, b + 1)
                single = gradients(
                    faces[part], textures[part], {k: g[part] for k, g in upstream.items()}
                )
                assert torch.equal(single[1][0], alone[1][b])
                assert torch.equal(single[2][0], alone[2][b])  # type: ignore[index]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("device", DEVICES)
def test_not_a_number_stays_in_its_face(device: str) -> None:
    faces, textures = random_scene(0, 1)
    bad = faces[:, :1].clone()
    bad[0, 0, 1, 0] = float("nan")
    upstream = upstream_of(("rgb", "alpha", "depth"), (1, 16, 16))
    both = torch.cat((faces, bad), 1).to(device), torch.cat((textures, textures[:, :1]), 1)
    _, found, to_textures = gradients(both[0], both[1].to(device), upstream)
    _, expected, expected_textures = gradients(faces.to(device), textures.to(device), upstream)
    assert to_textures is not None and expected_textures is not None
    assert torch.equal(found[:, :-1], expected) and not found[:, -1].any()
    assert torch.equal(to_textures[:, :-1], expected_textures) and not to_textures[:, -1].any()


def test_a_texture_read_at_its_very_border_stays_inside() -> None:
    """A tiny eps is lost in float32; the last texel is still the last."""
    faces = torch.tensor([[[[-1.0, -1, 1], [3, -1, 1], [-1, 3, 1]]]])
    cube = torch.zeros(1, 1, 2, 2, 2, 3)
    cube[0, 0, 1] = 1
    rgb = rasterize_layers(faces, cube, 9, 9, eps=1e-30).rgb
    assert rgb is not None
    assert rgb.min() >= 0 and rgb.max() <= 1 and torch.isfinite(rgb).all()


@pytest.mark.parametrize("linear", [False, True])
def test_the_ops_are_sound(linear: bool) -> None:
    faces, textures = random_scene(0)
    op = torch.ops.benchbench.rasterize_layers.default
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    light = torch.rand(2, faces.shape[1], 3).requires_grad_()
    arguments = (faces.requires_grad_(), textures.requires_grad_(), light, torch.zeros(2, 3), 8, 6,
                 2, 0.1, 100.0, 1e-3, linear, False, True, True)  # fmt: skip
    torch.library.opcheck(op, arguments, test_utils=tests)


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"faces": torch.zeros(2, 3, 3)}, "faces"),
        ({"faces": torch.zeros(1, 0, 3, 3)}, "faces"),
        ({"faces": torch.zeros(1, 2, 3, 3, dtype=torch.float16)}, "faces"),
        ({"textures": torch.zeros(1, 2, 1, 1, 1, 3)}, "textures"),
        ({"textures": torch.zeros(1, 3, 2, 2, 2, 3)}, "textures"),
        ({"textures": torch.zeros(1, 2, 2, 2, 3, 3)}, "textures"),
        ({"textures": torch.zeros(1, 2, 2, 2, 2, 3, dtype=torch.float64)}, "textures"),
        ({"height": 0}, "height"),
        ({"width": 16385}, "width"),
        ({"background": (1.0, 2.0)}, "background"),
        ({"background": torch.zeros(2, 3)}, "background"),
        ({"width": 8193, "pool": 2}, "width"),
        ({"light": torch.zeros(1, 3, 3), "textures": torch.zeros(1, 2, 2, 2, 2, 3)}, "light"),
        ({"fill_back": True, "textures": torch.zeros(1, 2, 2, 2, 2, 3)}, "textures"),
        ({"faces": torch.zeros(1, 3, 3, 3), "fill_back": True,
          "textures": torch.zeros(1, 1, 2, 2, 2, 3)}, "faces"),
    ],
)  # fmt: skip
def test_refuses_by_name(change: dict[str, Any], argument: str) -> None:
    given = {"faces": torch.zeros(1, 2, 3, 3), "textures": None, "height": 4, "width": 4, **change}
    with pytest.raises(ShapeError) as error:
        rasterize_layers(**given)
    assert error.value.argument == argument


def test_refuses_other_pools() -> None:
    with pytest.raises(UsageError, match="pool must be 1 or 2, got 3"):
        rasterize_layers(torch.zeros(1, 1, 3, 3), None, 2, 2, pool=3)


def test_refuses_no_eps() -> None:
    with pytest.raises(UsageError, match="eps must be greater than 0, got 0"):
        rasterize_layers(torch.zeros(1, 1, 3, 3), None, 2, 2, eps=0)


def slanted(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Two triangles that cut through each other, far apart in depth at their corners."""
    return torch.tensor(
        [[[[-0.93, -0.91, 1], [0.97, -0.89, 6], [-0.87, 0.95, 3]],
          [[-0.81, -0.77, 5], [0.88, -0.96, 1], [0.71, 0.92, 2]]]], dtype=dtype
    )  # fmt: skip


def test_linear_depth_and_textures_are_planes_on_the_screen() -> None:
    faces, side = slanted(), 9
    corner = torch.linspace(0, 1, 2)
    cube = torch.stack(torch.meshgrid(corner, corner, corner, indexing="ij"), -1)
    drawn = rasterize_layers(faces, cube.expand(1, 2, 2, 2, 2, 3), side, side, eps=1e-6,
                             linear=True)  # fmt: skip
    centres = (2 * torch.arange(side) + 1 - side) / side
    y, x = torch.meshgrid(centres.flip(0), centres, indexing="ij")
    place = torch.stack((x, y, torch.ones_like(x)), -1)
    planes, weights = [], []
    for face in faces[0]:
        own = torch.linalg.solve(torch.cat((face[:, :2], torch.ones(3, 1)), 1).T, place[..., None])
        weights.append(own[..., 0])
        depth = (own[..., 0] * face[:, 2]).sum(-1)
        planes.append(torch.where((own[..., 0] >= 0).all(-1), depth, 100.0))
    depth, owner = torch.stack(planes).min(0)
    assert set(drawn.face_index[0].unique().tolist()) == {-1, 0, 1}
    assert torch.equal(drawn.face_index[0] >= 0, depth < 100)
    torch.testing.assert_close(drawn.depth[0], depth, rtol=0, atol=1e-4)
    shown = torch.where((owner == 0)[..., None], weights[0], weights[1])
    seen = drawn.face_index[0] >= 0
    torch.testing.assert_close(drawn.rgb[0].permute(1, 2, 0)[seen], shown[seen], rtol=0, atol=1e-5)
    lens = rasterize_layers(faces, cube.expand(1, 2, 2, 2, 2, 3), side, side, eps=1e-6)
    assert (lens.depth - drawn.depth).abs().max() > 0.3


def test_linear_depth_keeps_near_far_and_what_is_behind() -> None:
    faces = slanted() - torch.tensor([0.0, 0, 2.5])  # corners on both sides of depth 0
    for near, far in ((0.1, 1.2), (0.5, 100.0), (0.1, 1.0 / 3)):
        drawn = rasterize_layers(faces, None, 40, 40, near, far, linear=True)
        seen = drawn.face_index >= 0
        assert 0 < seen.sum() < 1000
        assert (drawn.depth[seen] > near - 1e-4).all() and (drawn.depth[seen] < far).all()
        assert (drawn.depth[~seen] == far).all()


def test_gradcheck_of_linear_depth_and_textures() -> None:
    faces = slanted(torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda corners: rasterize_layers(corners, None, 5, 7, linear=True).depth, (faces,)
    )
    cubes = torch.rand(1, 2, 2, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda own: rasterize_layers(faces.detach(), own, 5, 7, linear=True).rgb, (cubes,)
    )


def test_linear_gradients_of_the_kernels_are_those_of_the_twin() -> None:
    cubes = torch.rand(1, 2, 3, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    found = []
    for dtype in (torch.float32, torch.float64):
        leaves = slanted(dtype).requires_grad_(), cubes.to(dtype).requires_grad_()
        drawn = rasterize_layers(*leaves, 16, 16, linear=True)
        assert drawn.rgb is not None
        loss = (drawn.depth * (drawn.face_index >= 0)).square().sum() + drawn.rgb.square().sum()
        found.append([g.double() for g in torch.autograd.grad(loss, leaves)])
    for single, double in zip(*found, strict=True):
        assert float((single - double).norm() / double.norm()) < 1e-4
