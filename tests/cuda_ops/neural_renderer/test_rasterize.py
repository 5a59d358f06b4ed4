"""The rasterisation functions against the pictures and gradients of the original."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import benchbench.cuda_ops.neural_renderer as nr
from benchbench.core.errors import ShapeError

FREE_SCENES = [
    "backward_case1_64", "backward_case2_64", "big_faces_40", "depth_triangle_64",
    "odd_33_b2_bg2d", "soup_random_48_aa", "texquad_T3_48",
]  # fmt: skip
CHANNELS = {"sil": ["alpha"], "depth": ["depth"], "rgb": ["rgb"], "all": ["rgb", "alpha", "depth"]}


def some_faces(batch: int = 2, count: int = 9) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(5)
    faces = rng.uniform(-1, 1, (batch, count, 3, 3))
    faces[..., 2] = rng.uniform(1, 3, (batch, count, 3))
    textures = rng.random((batch, count, 2, 2, 2, 3))
    return torch.from_numpy(faces).float(), torch.from_numpy(textures).float()


@pytest.mark.parametrize("name", FREE_SCENES)
def test_equals_the_original(data: Path, name: str) -> None:
    assert check_scene(data / "nmr" / f"{name}.npz") >= 1


def test_equals_the_original_on_every_raw_scene(shared: Path) -> None:
    folder = shared / "oracles" / "nmr" / "scenes"
    assert sum(check_scene(path) for path in sorted(folder.glob("*.npz"))) >= 20


def check_scene(path: Path) -> int:
    """How many modes were compared, in the bounds that the documentation states.

    Scenes with unstable pixels are compared elsewhere.
    """
    with np.load(path) as archive:
        scene = {k: archive[k] for k in archive.files}
    meta = json.loads(str(scene["meta"]))
    if meta["kind"] != "raw" or scene["unstable_pix"].any():
        return 0
    compared = 0
    for mode in [m for m in CHANNELS if f"grad_faces_{m}" in scene]:
        faces = torch.from_numpy(scene["faces_screen"]).requires_grad_()
        textures = torch.zeros(0)
        if mode in ("rgb", "all"):
            textures = (torch.from_numpy(scene["textures_u8"]).float() / 255).requires_grad_()
        drawn = draw(mode, faces, textures, meta)
        loss = torch.zeros(())
        for channel, picture in drawn.items():
            expected = scene[f"out_{mode}_{channel}"]
            atol = {"rgb": 3e-3, "depth": 2e-4, "alpha": 0}[channel]
            np.testing.assert_allclose(picture.detach().numpy(), expected, rtol=0, atol=atol)
            loss = loss + (picture * torch.from_numpy(scene[f"g_{channel}"])).sum()
        if loss.requires_grad:
            loss.backward()
            assert faces.grad is not None
            wanted = scene[f"grad_faces_{mode}"]
            assert relative(faces.grad.numpy(), wanted) < 2e-3, (path.stem, mode)
        if textures.grad is not None:
            wanted = scene[f"grad_textures_{mode}"]
            assert relative(textures.grad.numpy(), wanted) < 1e-5, (path.stem, mode)
        compared += 1
    return compared


def draw(mode: str, faces: Tensor, textures: Tensor, meta: dict[str, Any]) -> dict[str, Tensor]:
    size, smooth = meta["image_size"], meta["anti_aliasing"]
    near, far, eps = meta["near"], meta["far"], meta["eps_rgb"]
    colour = meta["background_color"]
    if mode == "sil":
        alpha = nr.rasterize_silhouettes(faces, size, smooth, near, far, meta["eps_sil"])
        return {"alpha": alpha}
    if mode == "depth":
        return {"depth": nr.rasterize_depth(faces, size, smooth, near, far, eps)}
    if mode == "rgb":
        return {"rgb": nr.rasterize(faces, textures, size, smooth, near, far, eps, colour)}
    drawn = nr.rasterize_rgbad(faces, textures, size, smooth, near, far, eps, colour)
    return {k: v for k, v in drawn.items() if v is not None}


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected)) / (float(np.linalg.norm(expected)) or 1.0)


def test_the_functions_are_parts_of_one() -> None:
    faces, textures = some_faces()
    whole = nr.rasterize_rgbad(faces, textures, 20)
    assert torch.equal(nr.rasterize(faces, textures, 20), whole["rgb"])  # type: ignore[arg-type]
    assert torch.equal(nr.rasterize_silhouettes(faces, 20), whole["alpha"])  # type: ignore[arg-type]
    assert torch.equal(nr.rasterize_depth(faces, 20), whole["depth"])  # type: ignore[arg-type]
    part = nr.rasterize_rgbad(faces, textures, 20, return_alpha=False, return_depth=False)
    assert part["alpha"] is None and part["depth"] is None


def test_defaults_are_those_of_the_original() -> None:
    faces, textures = some_faces(1)
    drawn = nr.rasterize_rgbad(faces, textures)
    assert drawn["rgb"] is not None and drawn["depth"] is not None
    assert drawn["rgb"].shape == (1, 3, 256, 256)
    assert drawn["depth"].max() == 100 and drawn["rgb"].min() == 0


def test_the_raster_has_its_bottom_row_first() -> None:
    faces, textures = some_faces()
    raster = nr.Rasterize(20, 0.1, 100, 1e-3, [0.2, 0.3, 0.4], return_rgb=True, return_depth=True)
    rgb, alpha, depth = raster(faces, textures)
    options: dict[str, Any] = {"background_color": [0.2, 0.3, 0.4], "eps": 1e-3}
    whole = nr.rasterize_rgbad(faces, textures, 20, False, **options)
    assert torch.equal(rgb, whole["rgb"].flip(2).permute(0, 2, 3, 1))  # type: ignore[union-attr]
    assert torch.equal(depth, whole["depth"].flip(1))  # type: ignore[union-attr]
    assert alpha.numel() == 0 and alpha.device.type == "cpu"


def test_rectangular_pictures_are_stretched_squares() -> None:
    """The device square fills any picture: rows of a tall one are those of a taller square."""
    faces, textures = some_faces()
    tall = nr.rasterize_rgbad(faces, textures, (40, 20))
    square = nr.rasterize_rgbad(faces, textures, 40)
    assert tall["rgb"] is not None and tall["alpha"] is not None and square["alpha"] is not None
    assert tall["rgb"].shape == (2, 3, 40, 20)
    narrowed = torch.nn.functional.avg_pool2d(square["alpha"], (1, 2))
    assert (tall["alpha"] - narrowed).abs().mean() < 0.05
    turned = faces[:, :, [0, 2, 1]][..., [1, 0, 2]]  # mirrored about the diagonal
    wide = nr.rasterize_silhouettes(turned, (20, 40), False)
    mirrored = nr.rasterize_silhouettes(faces, (40, 20), False).flip(1).transpose(1, 2).flip(1)
    assert (wide != mirrored).float().mean() < 0.01  # only pixel centres on an edge may differ
    leaf, other = faces.clone().requires_grad_(), turned.clone().requires_grad_()
    upstream = torch.randn(2, 40, 20, generator=torch.Generator().manual_seed(1))
    nr.rasterize_silhouettes(leaf, (40, 20), False).backward(upstream)
    swapped = upstream.flip(1).transpose(1, 2).flip(1)
    nr.rasterize_silhouettes(other, (20, 40), False).backward(swapped)
    assert leaf.grad is not None and other.grad is not None
    back = other.grad[..., [1, 0, 2]][:, :, [0, 2, 1]]
    assert relative(leaf.grad.numpy(), back.numpy()) < 1e-3


def test_a_numpy_integer_is_a_size() -> None:
    faces, _ = some_faces()
    expected = nr.rasterize_depth(faces, (20, 30))
    size: Any = (np.int64(20), np.int32(30))
    assert torch.equal(nr.rasterize_depth(faces, size), expected)


def test_colours_need_textures() -> None:
    with pytest.raises(ShapeError, match="textures"):
        nr.rasterize_rgbad(some_faces()[0], None, 8)


@pytest.mark.parametrize("size", [0, 2.5, (3,), (4, 0), 9000])
def test_refuses_sizes(size: Any) -> None:
    with pytest.raises(ShapeError) as error:
        nr.rasterize_depth(some_faces()[0], size)
    assert error.value.argument == "image_size"
