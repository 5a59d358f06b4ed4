"""Light, backs of faces, means of pixels and shared textures: against what they abbreviate."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchbench.cuda_ops import library
from benchbench.cuda_ops.rasterize_layers import rasterize_layers

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_CUDA)]


def two_sided(kind: int) -> tuple[Tensor, Tensor, Tensor]:
    """Two pictures: faces and their backs, textures of the fronts, and a light for each side."""
    rng = np.random.default_rng(kind)
    count, side = int(rng.integers(3, 20)), 2 + kind % 3
    faces = rng.uniform(-1.3, 1.3, (2, count, 3, 3))
    faces[..., 2] = rng.uniform(0.5, 3, (2, count, 3))
    if kind % 4 == 1:
        faces[..., :2] *= 20
    if kind % 4 == 2:
        faces[:, ::3, 1] = faces[:, ::3, 0]
    if kind % 4 == 3:
        faces[:, 0, 0, 0], faces[:, -1, 1, 2] = np.nan, np.nan
    both = np.concatenate((faces, faces[:, :, ::-1]), 1)
    textures = rng.random((2, count, side, side, side, 3))
    light = rng.uniform(0.2, 1.2, (2, 2 * count, 3))
    return tuple(torch.from_numpy(one).float() for one in (both, textures, light))  # type: ignore[return-value]


def upstream_of(
    names: tuple[str, ...], shape: tuple[int, int, int], seed: int = 0
) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    batch, height, width = shape
    full = {"rgb": (batch, 3, height, width), "alpha": shape, "depth": shape}
    return {k: torch.randn(full[k], generator=generator) for k in names}


def relative(found: Tensor, expected: Tensor) -> float:
    return float(torch.linalg.norm(found - expected)) / (float(torch.linalg.norm(expected)) or 1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", range(8))
@pytest.mark.parametrize("linear", [False, True])
def test_light_and_backs_are_those_of_copied_textures(device: str, kind: int, linear: bool) -> None:
    """Backs show their front's cube with axes 0 and 2 exchanged; light multiplies colours."""
    faces, textures, light = (one.to(device) for one in two_sided(kind))
    names = [("rgb",), ("rgb", "alpha", "depth")][kind % 2]
    upstream = upstream_of(names, (2, 6 + kind % 3, 9), kind)
    found, expected = [], []
    for results, copies in ((found, False), (expected, True)):
        leaves = [one.clone().requires_grad_() for one in (faces, textures, light)]
        corners, cubes, factors = leaves
        options: dict[str, Any] = {"light": factors, "fill_back": True}
        if copies:
            options = {}
            cubes = torch.cat((cubes, cubes.permute(0, 1, 4, 3, 2, 5)), 1)
            cubes = cubes * factors[:, :, None, None, None]
        height, width = upstream["rgb"].shape[-2:]
        layers = rasterize_layers(
            corners, cubes, height, width, linear=linear, pool=1 + kind // 4, **options
        )
        loss = sum((getattr(layers, k) * g.to(device)).sum() for k, g in upstream.items())
        results += [layers.rgb, *torch.autograd.grad(loss, leaves)]  # type: ignore[arg-type]
    assert torch.allclose(found[0], expected[0], rtol=1e-4, atol=1e-5)
    assert any(one.any() for one in found[3])
    for one, other in zip(found[1:], expected[1:], strict=True):
        # A depth that is not a number has no gradient where depths are bent.
        assert torch.equal(one.isnan(), other.isnan())
        assert relative(one.nan_to_num().cpu(), other.nan_to_num().cpu()) < 1e-4


@pytest.mark.parametrize("device", DEVICES)
def test_light_and_backs_equal_the_twin(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for where, compiled in ((device, True), ("cpu", False)):
        if not compiled:
            monkeypatch.setattr(library, "available", lambda device: False)
        leaves = [one.to(where).requires_grad_() for one in two_sided(0)]
        faces, textures, light = leaves
        layers = rasterize_layers(faces, textures, 7, 8, light=light, fill_back=True, pool=2)
        upstream = upstream_of(("rgb", "alpha", "depth"), (2, 7, 8))
        loss = sum((getattr(layers, k) * g.to(where)).sum() for k, g in upstream.items())
        gradients_ = torch.autograd.grad(loss, leaves)  # type: ignore[arg-type]
        results.append([one.detach().cpu() for one in (*layers, *gradients_) if one is not None])
    for one, other in zip(*results, strict=True):
        assert relative(one.float(), other.float()) < 1e-4


@pytest.mark.parametrize("device", DEVICES)
def test_what_is_not_asked_for_is_not_drawn_and_changes_nothing(device: str) -> None:
    faces, textures, light = (one.to(device) for one in two_sided(0))
    paint: dict[str, Any] = {"light": light, "fill_back": True}
    whole = rasterize_layers(faces, textures, 9, 7, pool=2, **paint)
    part = rasterize_layers(
        faces, textures, 9, 7, pool=2, with_alpha=False, with_depth=False, **paint
    )
    assert part.alpha is None and part.depth is None
    assert torch.equal(part.rgb, whole.rgb)  # type: ignore[arg-type]
    raster = rasterize_layers(faces, textures, 18, 14, **paint)
    for fine, coarse in zip(raster[:3], whole[:3], strict=True):
        mean = fine.unflatten(-1, (-1, 2)).mean(-1).unflatten(-2, (-1, 2)).mean(-2)  # type: ignore[union-attr]
        assert torch.allclose(coarse, mean, rtol=1e-6, atol=1e-6)  # type: ignore[arg-type]
    assert torch.equal(raster.face_index, whole.face_index)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("fill_back", [False, True])
def test_textures_that_all_pictures_share(device: str, fill_back: bool) -> None:
    faces, textures, light = (one.to(device) for one in two_sided(0))
    if not fill_back:
        textures = torch.cat((textures, textures), 1)
    upstream = upstream_of(("rgb",), (2, 9, 7))["rgb"].to(device)
    results = []
    for copied in (False, True):
        leaf = textures[:1].clone().requires_grad_()
        shared = leaf.expand(2, *leaf.shape[1:])
        shared = shared.contiguous() if copied else shared
        rgb = rasterize_layers(faces, shared, 9, 7, light=light, fill_back=fill_back).rgb
        results.append((rgb, *torch.autograd.grad(rgb, leaf, upstream)))  # type: ignore[arg-type]
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("device", DEVICES)
def test_a_uniform_surface_pulls_at_nothing(device: str) -> None:
    """Its colours are equal to the last bit, so that no pixel gains a rounding error."""
    faces = torch.rand(2, 12, 3, 3, generator=torch.Generator().manual_seed(1)) * 4 - 2
    faces[..., 2] = faces[..., 2].abs() + 0.5
    wall = torch.tensor([[[-9.0, -9, 5], [9, -9, 5], [0, 9, 5]]]).expand(2, 1, 3, 3)
    faces = torch.cat((faces, wall), 1).to(device).requires_grad_()
    cubes = torch.full((2, 13, 3, 3, 3, 3), 0.3, device=device)
    rgb = rasterize_layers(faces, cubes, 24, 24).rgb
    assert rgb is not None and rgb.eq(rgb[0, 0, 0, 0]).all()
    slopes = upstream_of(("rgb",), (2, 24, 24))["rgb"].to(device)
    assert not torch.autograd.grad(rgb, faces, slopes)[0].any()


@pytest.mark.parametrize("pool", [1, 2])
@pytest.mark.parametrize("linear", [False, True])
def test_gradcheck_of_light_and_two_sided_textures(linear: bool, pool: int) -> None:
    """A fan of four faces, two of them seen from behind."""
    centre = torch.tensor([0.03, -0.05, 1.4])
    ring = torch.tensor([[0.93, 0.11, 1.0], [0.17, 0.97, 2.0], [-0.91, 0.23, 1.5],
                         [-0.13, -0.95, 1.2]])  # fmt: skip
    fan = torch.stack([torch.stack((centre, ring[k], ring[(k + 1) % 4])) for k in range(4)])
    faces = torch.cat((fan[:2], fan[2:].flip(1)))
    faces = torch.cat((faces, faces.flip(1)))[None].double()
    generator = torch.Generator().manual_seed(1)
    light = torch.rand(1, 8, 3, dtype=torch.float64, generator=generator)
    textures = torch.rand(1, 4, 3, 3, 3, 3, dtype=torch.float64, generator=generator)

    def draw(cubes: Tensor, factors: Tensor) -> Tensor | None:
        return rasterize_layers(
            faces, cubes, 4, 5, linear=linear, light=factors, fill_back=True, pool=pool
        ).rgb

    drawn = rasterize_layers(faces, None, 4 * pool, 5 * pool).face_index
    assert set(drawn.unique().tolist()) >= {0, 1, 6, 7}
    assert torch.autograd.gradcheck(draw, (textures.requires_grad_(), light.requires_grad_()))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(5, 1101), (1101, 5)])
def test_lines_of_many_blocks_equal_the_twin(
    device: str, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More blocks of pixels to a line than a word has bits, and slopes on a few pixels only."""
    faces, textures, light = two_sided(0)
    faces, textures, light = faces[:, :3], textures[:, :3], light[:, :3]
    slopes = upstream_of(("rgb",), (2, *shape))["rgb"]
    slopes *= torch.rand(2, 1, *shape, generator=torch.Generator().manual_seed(1)) < 0.02
    found = []
    for where, compiled in ((device, True), ("cpu", False)):
        if not compiled:
            monkeypatch.setattr(library, "available", lambda device: False)
        leaf = faces.to(where).requires_grad_()
        rgb = rasterize_layers(leaf, textures.to(where), *shape, light=light.to(where)).rgb
        found.append(torch.autograd.grad(rgb, leaf, slopes.to(where))[0].cpu())  # type: ignore[arg-type]
    assert found[1].any() and relative(*found) < 2e-4


@pytest.mark.parametrize("layers", [("rgb",), ("rgb", "alpha", "depth")])
@pytest.mark.parametrize("pool", [1, 2])
def test_instruction_sets_do_not_change_a_bit(
    libraries: dict[str, ctypes.CDLL], layers: tuple[str, ...], pool: int
) -> None:
    faces, textures, light = two_sided(0)
    height, width = 37 // pool, 46 // pool
    upstream = upstream_of(("rgb", "alpha", "depth"), (2, height, width))
    size, real, one = ctypes.c_int64, ctypes.c_float, ctypes.c_int(1)
    count, side = faces.shape[1], textures.shape[2]
    step = textures.stride(0)

    def place(tensor: Tensor, asked: bool = True) -> ctypes.c_void_p:
        return ctypes.c_void_p(tensor.data_ptr() if asked else None)

    black = torch.zeros(2, 3)
    paint = [place(one) for one in (faces, textures, light, black)]
    sizes = [size(n) for n in (2, count, count // 2, step, side, height, width, pool)]
    ends, eps, linear = [real(0.1), real(100)], real(1e-3), size(0)
    results = []
    for kernels in libraries.values():
        index = torch.zeros(2, height * pool, width * pool, dtype=torch.int32)
        drawn = [torch.zeros_like(upstream[k]) for k in ("rgb", "alpha", "depth")]
        found = [torch.zeros_like(one) for one in (faces, textures, light)]
        assert not kernels.bench_paint(
            *paint, *sizes, *ends, eps, linear, place(index), *map(place, drawn), one
        )
        slopes = [place(upstream["rgb"]), place(upstream["alpha"], "alpha" in layers)]
        assert not kernels.bench_paint_backward(
            *slopes, *paint, place(index), *sizes, eps, linear, *map(place, found), one
        )
        if "depth" in layers:
            assert not kernels.bench_depth_backward(
                place(upstream["depth"]), paint[0], place(index), *sizes[:2], *sizes[5:],
                place(found[0]), one,
            )  # fmt: skip
        results.append((index, *drawn, *found))
    assert all(one.any() for one in results[0])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(other, results[0], strict=True))
