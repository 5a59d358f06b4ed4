"""Programs written for the PyTorch port, in the ways its users write them, run unchanged.

Nothing here uses what only this package offers.
"""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import benchbench.cuda_ops.neural_renderer as nr

OCTAHEDRON = """# eight faces
v 1 0.02 0
v -0.98 0 0.03
v 0.01 1 0
v 0 -0.97 0
v 0 0.01 1
v 0 0 -1.02
f 1 3 5
f 3 2 5
f 2 4 5
f 4 1 5
f 3 1 6
f 2 3 6
f 4 2 6
f 1 4 6
"""


@pytest.fixture
def shape(tmp_path: Path) -> str:
    path = tmp_path / "octahedron.obj"
    path.write_text(OCTAHEDRON)
    return str(path)


def loaded(shape: str) -> tuple[Tensor, Tensor, Tensor]:
    """As every program begins: a batch of one, white textures."""
    vertices, faces = nr.load_obj(shape)[:2]
    vertices = vertices[None, :, :]
    faces = faces[None, :, :]
    textures = torch.ones(1, faces.shape[1], 2, 2, 2, 3, dtype=torch.float32)
    return vertices, faces, textures


def fourfold(data: Tensor) -> Tensor:
    """The item third among zeros."""
    batch = torch.zeros(4, *data.shape, dtype=data.dtype)
    batch[2] = data
    return batch


def test_a_turntable(shape: str) -> None:
    vertices, faces, textures = loaded(shape)
    renderer = nr.Renderer(camera_mode="look_at", image_size=32)
    pictures = []
    for azimuth in range(0, 360, 60):
        renderer.eye = nr.get_points_from_angles(2.732, 30, azimuth)
        images, _, _ = renderer(vertices, faces, textures)
        image = images.detach().cpu().numpy()[0].transpose((1, 2, 0))
        pictures.append((255 * image).astype(np.uint8))
    assert pictures[0].shape == (32, 32, 3)
    assert all(one.max() > 120 for one in pictures)
    assert len({one.tobytes() for one in pictures}) == 6


def test_arguments_by_place_and_modes_by_name(shape: str) -> None:
    vertices, faces, textures = loaded(shape)
    renderer = nr.Renderer(32, False, [0.1, 0.2, 0.3], True, "look_at")
    renderer.eye = [1, 1, -2.7]
    rgb = renderer(vertices, faces, textures, mode="rgb")
    assert torch.equal(rgb, renderer(vertices, faces, textures, "rgb"))
    assert torch.equal(rgb, renderer.render_rgb(vertices, faces, textures))
    assert torch.equal(rgb, renderer(vertices, faces, textures)[0])
    assert torch.allclose(rgb[0, :, 0, 0], torch.tensor([0.1, 0.2, 0.3]))
    alpha = renderer(vertices, faces, mode="silhouettes")
    assert torch.equal(alpha, renderer.render_silhouettes(vertices, faces))
    assert torch.equal(alpha, renderer.forward(vertices, faces, None, "silhouettes"))
    depth = renderer.render_depth(vertices, faces).numpy()
    assert np.array_equal(depth != depth.max(), alpha.numpy() == 1)
    with pytest.raises(Exception, match="mode"):
        renderer(vertices, faces, textures, mode="colour")


def test_attributes_are_set_after_construction(shape: str) -> None:
    vertices, faces, textures = loaded(shape)
    renderer = nr.Renderer(camera_mode="look_at")
    renderer.image_size = 24
    renderer.anti_aliasing = False
    renderer.eye = [1, 1, -2.7]
    renderer.light_intensity_ambient = 1.0
    renderer.light_intensity_directional = 0.0
    image = renderer(vertices, faces, textures, mode="rgb")
    alpha = renderer(vertices, faces, mode="silhouettes")
    assert np.allclose(image.numpy().mean(1), alpha.numpy())
    renderer.perspective = False
    flat = renderer(vertices, faces, mode="silhouettes")
    assert flat.sum() > 1.5 * alpha.sum()  # nothing is divided by the depth of 3
    renderer.fill_back = False
    assert torch.equal(renderer(vertices, faces, mode="silhouettes"), flat)
    renderer.background_color = [1, 1, 1]
    assert renderer(vertices, faces, textures, mode="rgb")[0, :, 0, 0].tolist() == [1, 1, 1]
    renderer.camera_mode = "look"
    renderer.camera_direction = [-1, -1, 2.7]
    assert torch.allclose(renderer(vertices, faces, mode="silhouettes"), flat)
    # "none": the vertices are already on the screen, and the light is still the world's.
    renderer.camera_mode = "none"
    placed = nr.look_at(vertices, renderer.eye)
    assert torch.allclose(renderer(placed, faces, mode="silhouettes"), flat)
    assert torch.allclose(
        renderer(nr.perspective(placed), faces, mode="silhouettes").sum(), alpha.sum()
    )


def test_one_shape_among_empty_items(shape: str) -> None:
    vertices, faces, textures = loaded(shape)
    renderer = nr.Renderer(camera_mode="look_at", image_size=24)
    alone = renderer(vertices, faces, textures)
    many = renderer(fourfold(vertices[0]), fourfold(faces[0]), fourfold(textures[0]))
    for one, batch in zip(alone, many, strict=True):
        assert torch.equal(batch[2], one[0])
        assert len(batch[[0, 1, 3]].unique()) == 1


@pytest.mark.parametrize(
    "eye",
    [[1, 2, -3], (1.0, 2.0, -3.0), np.array([1, 2, -3]), np.array([1.0, 2, -3]),
     np.array([1, 2, -3], np.float32), torch.tensor([1, 2, -3]), torch.tensor([1.0, 2, -3]),
     torch.tensor([1.0, 2, -3]).double()],
    ids=["list", "tuple", "whole array", "array", "float32", "whole tensor", "tensor", "double"],
)  # fmt: skip
def test_an_eye_in_every_form(eye: Any, shape: str) -> None:
    vertices, faces, _ = loaded(shape)
    wanted = nr.look_at(vertices, [1.0, 2.0, -3.0])
    assert torch.equal(nr.look_at(vertices, eye), wanted)
    assert torch.equal(nr.look_at(vertices, eye, [0, 0, 0], [0, 1, 0]), wanted)
    towards = -torch.as_tensor(np.asarray(eye)).float()
    assert torch.allclose(nr.look(vertices, eye, towards), wanted, atol=1e-6)
    two = eye[None].repeat(2, 1) if isinstance(eye, Tensor) else np.stack([eye, eye])
    assert torch.equal(nr.look_at(vertices.repeat(2, 1, 1), two), wanted.repeat(2, 1, 1))
    renderer = nr.Renderer(camera_mode="look_at", image_size=16)
    renderer.eye = eye
    shown = renderer(vertices, faces, mode="depth")
    renderer.eye = (1.0, 2.0, -3.0)
    assert torch.equal(renderer(vertices, faces, mode="depth"), shown)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_faces_of_both_types(dtype: torch.dtype, shape: str) -> None:
    vertices, faces, textures = loaded(shape)
    assert faces.dtype == torch.int32
    renderer = nr.Renderer(camera_mode="look_at", image_size=16)
    for one, other in zip(
        renderer(vertices, faces, textures), renderer(vertices, faces.to(dtype), textures),
        strict=True,
    ):  # fmt: skip
        assert torch.equal(one, other)
    corners = nr.vertices_to_faces(vertices, faces.to(dtype))
    assert torch.equal(corners[0], vertices[0][faces[0].long()])


@pytest.mark.parametrize("when", ["at construction", "set", "per call"])
@pytest.mark.parametrize("form", ["arrays", "float64 arrays", "tensors"])
def test_a_calibrated_camera(form: str, when: str, shape: str) -> None:
    """OpenCV's camera: x to the right, y down; 200 pixels a side, the axis at (110, 90)."""
    vertices, faces, textures = loaded(shape)
    kind = np.float64 if form == "float64 arrays" else np.float32
    camera: dict[str, Any] = {
        "K": np.array([[[300.0, 0, 110], [0, 300, 90], [0, 0, 1]]], kind),
        "R": np.eye(3, dtype=kind)[None],
        "t": np.array([[[0.2, -0.1, 4]]], kind),
        "dist_coeffs": np.zeros((1, 5), kind),
    }
    if form == "tensors":
        camera = {name: torch.from_numpy(value) for name, value in camera.items()}
    if when == "at construction":
        renderer = nr.Renderer(image_size=200, orig_size=200, **camera)
        depth = renderer(vertices, faces, mode="depth")
    elif when == "set":
        renderer = nr.Renderer(image_size=200)
        for name, value in camera.items():
            setattr(renderer, name, value)
        renderer.orig_size = 200
        depth = renderer(vertices, faces, mode="depth")
    else:
        renderer = nr.Renderer(image_size=200)
        depth = renderer(vertices, faces, mode="depth", orig_size=200, **camera)
        again = renderer(vertices, faces, textures, None, *camera.values(), 200)[1]
        assert torch.equal(again, depth)
    # The corner that is nearest to the eye, (0, 0, -1.02) before normalisation, is in the middle.
    near = vertices[0, 5] + torch.tensor([0.2, -0.1, 4])
    column = int(300 * near[0] / near[2] + 110)
    row = int(300 * near[1] / near[2] + 90)
    assert float(depth[0, row, column]) == pytest.approx(float(near[2]), abs=0.02)
    nearest = divmod(depth[0].argmin().item(), 200)
    assert abs(nearest[0] - row) <= 1 and abs(nearest[1] - column) <= 1


def test_lens_distortion_moves_the_outline(shape: str) -> None:
    vertices, faces, _ = loaded(shape)
    K, t = np.array([[[300.0, 0, 100], [0, 300, 100], [0, 0, 1]]]), np.array([[[0.0, 0, 4]]])
    renderer = nr.Renderer(image_size=200, K=K, R=np.eye(3)[None], t=t, orig_size=200)
    straight = renderer(vertices, faces, mode="silhouettes")
    barrel = torch.tensor([[-0.5, 0, 0, 0, 0]])
    bent = renderer(vertices, faces, mode="silhouettes", dist_coeffs=barrel)
    # The four corners of the outline are 0.25 from the axis: 1 - 0.5 / 16 of it with the lens.
    assert float(bent.sum() / straight.sum()) == pytest.approx((1 - 0.5 / 16) ** 2, abs=0.005)
    assert torch.equal(renderer(vertices, faces, mode="silhouettes"), straight)


class Model(nn.Module):
    """A shape that learns its vertices and its colours from one picture."""

    def __init__(self, filename_obj: str, goal: Tensor) -> None:
        super().__init__()
        vertices, faces = nr.load_obj(filename_obj)[:2]
        self.vertices = nn.Parameter(vertices[None, :, :] * 0.8)
        self.register_buffer("faces", faces[None, :, :])
        self.textures = nn.Parameter(torch.zeros(1, len(faces), 2, 2, 2, 3))
        self.register_buffer("goal", goal)
        self.renderer = nr.Renderer(camera_mode="look_at", image_size=24)

    def forward(self) -> Tensor:
        self.renderer.eye = nr.get_points_from_angles(2.732, 0, 90)
        rgb, _, alpha = self.renderer(self.vertices, self.faces, torch.sigmoid(self.textures))
        return torch.sum((rgb - self.goal) ** 2) + torch.sum((alpha - 1) ** 2)


def test_a_model_learns(shape: str) -> None:
    model = Model(shape, torch.full((1, 3, 24, 24), 0.9)).to("cpu")
    assert set(model.state_dict()) == {"vertices", "faces", "textures", "goal"}
    assert len(list(model.parameters())) == 2
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.02)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = model()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    twin = copy.deepcopy(model)
    fresh = Model(shape, torch.zeros(1, 3, 24, 24))
    fresh.load_state_dict(model.state_dict())
    assert twin().item() == fresh().item() == model().item()


def test_an_eye_that_learns_is_a_parameter_of_the_renderer(shape: str) -> None:
    vertices, faces, _ = loaded(shape)
    renderer = nr.Renderer(camera_mode="look_at", image_size=24)
    renderer.eye = nn.Parameter(torch.from_numpy(np.array([1, 1, -3], dtype=np.float32)))
    assert [name for name, _ in renderer.named_parameters()] == ["eye"]
    renderer(vertices, faces, mode="silhouettes")[:, :, :12].sum().backward()
    assert renderer.eye.grad is not None and bool((renderer.eye.grad != 0).any())
    shown = renderer(vertices, faces, mode="depth")
    for other in (copy.deepcopy(renderer), pickle.loads(pickle.dumps(renderer))):
        assert torch.equal(other(vertices, faces, mode="depth"), shown)
    fresh = nr.Renderer(camera_mode="look_at", image_size=24)
    fresh.eye = nn.Parameter(torch.zeros(3))
    fresh.load_state_dict(renderer.state_dict())
    assert torch.equal(fresh(vertices, faces, mode="depth"), shown)
    renderer.to(torch.float64)
    assert torch.allclose(
        renderer(vertices.double(), faces, mode="depth").float(), shown, atol=1e-4
    )


def test_files_go_out_and_come_back(shape: str, tmp_path: Path) -> None:
    vertices, faces = nr.load_obj(shape)[:2]
    plain, coloured = str(tmp_path / "plain.obj"), str(tmp_path / "coloured.obj")
    nr.save_obj(plain, vertices, faces)
    again = nr.load_obj(plain, normalization=False)
    assert torch.allclose(again[0], vertices) and torch.equal(again[1], faces)
    textures = torch.zeros(len(faces), 4, 4, 4, 3)
    textures[:, ..., 0] = torch.linspace(0, 1, len(faces))[:, None, None, None]
    nr.save_obj(coloured, vertices, faces, textures)
    _, _, read = nr.load_obj(coloured, False, 4, True)
    assert read.shape == textures.shape
    difference = (read - textures).abs()
    difference[:, 0, 0, 0] = 0  # belongs to no place on the face
    assert difference.max() < 1 / 255
    leaf = nn.Parameter(vertices)
    nr.save_obj(plain, leaf, faces)
    assert torch.equal(nr.load_obj(plain, normalization=False)[0], again[0])


def test_a_mesh_and_its_textures(shape: str) -> None:
    mesh = nr.Mesh.fromobj(shape)
    assert (mesh.num_vertices, mesh.num_faces, mesh.texture_size) == (6, 8, 4)
    assert isinstance(mesh.textures, nn.Parameter)
    renderer = nr.Renderer(camera_mode="look_at", image_size=16)
    images, _, _ = renderer(
        mesh.vertices[None], mesh.faces[None], torch.sigmoid(mesh.textures)[None]
    )
    images.sum().backward()
    assert mesh.textures.grad is not None and bool(mesh.textures.grad.any())


def test_the_steps_one_by_one(shape: str) -> None:
    """What the renderer does in one call, by the functions it is made of."""
    vertices, faces, textures = loaded(shape)
    textures = textures * torch.rand(textures.shape, generator=torch.Generator().manual_seed(0))
    renderer = nr.Renderer(camera_mode="look_at", image_size=20, background_color=[0, 0, 1])
    renderer.eye = nr.get_points_from_angles(2.5, 20, 30)
    rgb, depth, alpha = renderer(vertices, faces, textures)
    both = torch.cat((faces, faces[:, :, [2, 1, 0]]), dim=1)
    cubes = torch.cat((textures, textures.permute((0, 1, 4, 3, 2, 5))), dim=1)
    cubes = nr.lighting(nr.vertices_to_faces(vertices, both), cubes, 0.5, 0.5)
    seen = nr.perspective(nr.look_at(vertices, renderer.eye), angle=30)
    corners = nr.vertices_to_faces(seen, both)
    drawn = nr.rasterize_rgbad(corners, cubes, 20, True, 0.1, 100, 1e-3, [0, 0, 1])
    # The renderer lights what it has sampled, not the texels.
    torch.testing.assert_close(drawn["rgb"], rgb, rtol=0, atol=1e-6)
    assert torch.equal(drawn["depth"], depth) and torch.equal(drawn["alpha"], alpha)  # type: ignore[arg-type]
    again = nr.rasterize(corners, cubes, 20, True, 0.1, 100, 1e-3, [0, 0, 1])
    assert torch.equal(again, drawn["rgb"])  # type: ignore[arg-type]
    assert torch.equal(nr.rasterize_silhouettes(corners, 20), alpha)
    assert torch.equal(nr.rasterize_depth(corners, 20), depth)
    raster = nr.Rasterize(40, 0.1, 100, 1e-3, [0, 0, 1], return_rgb=True, return_depth=True)
    fine, nothing, deep = raster(corners, cubes)
    pooled = nn.functional.avg_pool2d(fine.permute(0, 3, 1, 2).flip(2), 2)
    assert torch.allclose(pooled, rgb, atol=1e-6)
    assert torch.allclose(nn.functional.avg_pool2d(deep.flip(1)[:, None], 2)[:, 0], depth)
    assert nothing.numel() == 0
