"""The PyTorch port's public names, arguments, defaults and attributes, held as data."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
import torch

import benchbench.cuda_ops.neural_renderer as nr

REQUIRED = inspect.Parameter.empty
RASTER = {"image_size": 256, "anti_aliasing": True, "near": 0.1, "far": 100, "eps": 1e-4}
BACKGROUND = {"background_color": [0, 0, 0]}
CAMERA = {"K": None, "R": None, "t": None, "dist_coeffs": None, "orig_size": None}
MESH = {"vertices": REQUIRED, "faces": REQUIRED}
LIGHT = {
    "intensity_ambient": 0.5, "intensity_directional": 0.5, "color_ambient": [1, 1, 1],
    "color_directional": [1, 1, 1], "direction": [0, 1, 0],
}  # fmt: skip
RENDERER = {
    "image_size": 256, "anti_aliasing": True, "background_color": [0, 0, 0], "fill_back": True,
    "camera_mode": "projection", "K": None, "R": None, "t": None, "dist_coeffs": None,
    "orig_size": 1024, "perspective": True, "viewing_angle": 30, "camera_direction": [0, 0, 1],
    "near": 0.1, "far": 100, "light_intensity_ambient": 0.5, "light_intensity_directional": 0.5,
    "light_color_ambient": [1, 1, 1], "light_color_directional": [1, 1, 1],
    "light_direction": [0, 1, 0],
}  # fmt: skip
PORT: dict[str, dict[str, Any]] = {
    "get_points_from_angles": {
        "distance": REQUIRED, "elevation": REQUIRED, "azimuth": REQUIRED, "degrees": True,
    },
    "lighting": {"faces": REQUIRED, "textures": REQUIRED, **LIGHT},
    "load_obj": {
        "filename_obj": REQUIRED, "normalization": True, "texture_size": 4,
        "load_texture": False, "texture_wrapping": "REPEAT", "use_bilinear": True,
    },
    # The port's default direction, (0, 1, 0), is parallel to its up and shows nothing.
    "look": {"vertices": REQUIRED, "eye": REQUIRED, "direction": [0, 0, 1], "up": None},
    "look_at": {"vertices": REQUIRED, "eye": REQUIRED, "at": [0, 0, 0], "up": [0, 1, 0]},
    "Mesh": {**MESH, "textures": None, "texture_size": 4},
    "Mesh.fromobj": {
        "filename_obj": REQUIRED, "normalization": True, "load_texture": False,
        "texture_size": 4,
    },
    "perspective": {"vertices": REQUIRED, "angle": 30.0},
    "projection": {
        "vertices": REQUIRED, "K": REQUIRED, "R": REQUIRED, "t": REQUIRED,
        "dist_coeffs": REQUIRED, "orig_size": REQUIRED, "eps": 1e-9,
    },
    "rasterize_rgbad": {
        "faces": REQUIRED, "textures": None, **RASTER, **BACKGROUND, "return_rgb": True,
        "return_alpha": True, "return_depth": True,
    },
    "rasterize": {"faces": REQUIRED, "textures": REQUIRED, **RASTER, **BACKGROUND},
    "rasterize_silhouettes": {"faces": REQUIRED, **RASTER},
    "rasterize_depth": {"faces": REQUIRED, **RASTER},
    "Rasterize": {
        "image_size": REQUIRED, "near": REQUIRED, "far": REQUIRED, "eps": REQUIRED,
        "background_color": REQUIRED, "return_rgb": False, "return_alpha": False,
        "return_depth": False,
    },
    "Renderer": RENDERER,
    "Renderer.forward": {**MESH, "textures": None, "mode": None, **CAMERA},
    "Renderer.render": {**MESH, "textures": REQUIRED, **CAMERA},
    "Renderer.render_rgb": {**MESH, "textures": REQUIRED, **CAMERA},
    "Renderer.render_silhouettes": {**MESH, **CAMERA},
    "Renderer.render_depth": {**MESH, **CAMERA},
    "save_obj": {"filename": REQUIRED, **MESH, "textures": None},
    "vertices_to_faces": MESH,
}  # fmt: skip


def plain(value: Any) -> Any:
    """The port's defaults are lists; tuples cannot be changed for everybody by accident."""
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", PORT)
def test_arguments_and_defaults(name: str) -> None:
    """The port's arguments come first, in its order; ours come after them and have defaults."""
    target: Any = nr
    for part in name.split("."):
        target = getattr(target, part)
    parameters = [p for p in inspect.signature(target).parameters.values() if p.name != "self"]
    wanted = PORT[name]
    found = {p.name: plain(p.default) for p in parameters[: len(wanted)]}
    assert list(found.items()) == list(wanted.items())
    assert all(p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for p in parameters[: len(wanted)])
    assert all(p.default is not REQUIRED for p in parameters[len(wanted) :])


def test_every_public_name_is_there() -> None:
    names = {name.split(".")[0] for name in PORT}
    assert len(names) == 16
    assert names <= set(nr.__all__)
    assert all(hasattr(nr, name) for name in nr.__all__)
    assert (nr.__version__, nr.name) == ("1.1.3", "neural_renderer_pytorch")


@pytest.mark.parametrize("mode", ["projection", "look", "look_at"])
def test_attributes_of_a_new_renderer(mode: str) -> None:
    renderer = nr.Renderer(camera_mode=mode)
    for name, wanted in RENDERER.items():
        if name not in ("camera_mode", "dist_coeffs"):
            assert plain(getattr(renderer, name)) == wanted
    assert renderer.camera_mode == mode
    assert renderer.dist_coeffs.tolist() == [[0, 0, 0, 0, 0]]
    assert renderer.rasterizer_eps == 1e-3
    wide = nr.Renderer(camera_mode=mode, viewing_angle=45)
    assert list(wide.eye) == pytest.approx([0, 0, -2])
    assert list(renderer.eye) == pytest.approx([0, 0, -(1 / math.tan(math.pi / 6) + 1)])


def test_what_comes_back() -> None:
    vertices = torch.tensor([[[-1.0, -1, 0], [0, 1, 0], [1, -1, 0]]]).expand(2, -1, -1)
    faces, textures = torch.tensor([[[0, 1, 2]]] * 2), torch.ones(2, 1, 2, 2, 2, 3)
    renderer = nr.Renderer(image_size=12, camera_mode="look_at")
    rgb, depth, alpha = renderer(vertices, faces, textures)
    assert [tuple(one.shape) for one in (rgb, depth, alpha)] == [
        (2, 3, 12, 12), (2, 12, 12), (2, 12, 12),
    ]  # fmt: skip
    assert all(one.dtype == torch.float32 for one in (rgb, depth, alpha))
    for whole, part in zip(
        renderer.render(vertices, faces, textures), (rgb, depth, alpha), strict=True
    ):
        assert torch.equal(whole, part)
    assert torch.equal(renderer.render_rgb(vertices, faces, textures), rgb)
    assert torch.equal(renderer.render_silhouettes(vertices, faces), alpha)
    assert torch.equal(renderer.render_depth(vertices, faces), depth)
    corners = nr.vertices_to_faces(nr.look_at(vertices, renderer.eye), faces)
    assert corners.shape == (2, 1, 3, 3)
    drawn = nr.rasterize_rgbad(corners, textures, 12, return_depth=False)
    assert list(drawn) == ["rgb", "alpha", "depth"] and drawn["depth"] is None
    raster = nr.Rasterize(12, 0.1, 100, 1e-3, [0, 0, 0], True, True, True)(corners, textures)
    assert [tuple(one.shape) for one in raster] == [(2, 12, 12, 3), (2, 12, 12), (2, 12, 12)]
    nothing = nr.Rasterize(12, 0.1, 100, 1e-3, [0, 0, 0])(corners, textures)
    assert [one.numel() for one in nothing] == [0, 0, 0]
    assert isinstance(nr.get_points_from_angles(2, 30, 40), tuple)
    eyes = nr.get_points_from_angles(*(torch.tensor([2.0, 3.0]) for _ in range(3)))
    assert isinstance(eyes, torch.Tensor) and eyes.shape == (2, 3)
