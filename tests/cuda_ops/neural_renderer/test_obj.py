"""OBJ files in and out, textures, and the mesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import benchbench.cuda_ops.neural_renderer as nr
from benchbench.core.errors import InputError, ShapeError, UsageError
from benchbench.cuda_ops.neural_renderer.load_textures import texture_cubes, wrap
from benchbench.cuda_ops.neural_renderer.save_obj import texture_atlas


def write(folder: Path, obj: str, mtl: str | None = None) -> Path:
    if mtl is not None:
        (folder / "model.mtl").write_text(mtl)
    path = folder / "model.obj"
    path.write_text(obj)
    return path


def write_picture(path: Path, pixels: np.ndarray) -> None:
    from PIL import Image

    Image.fromarray(pixels.astype(np.uint8)).save(path)


def test_polygons_slashes_and_negative_indices(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "# a house\nv 0 0 0\nv 4 0 0 1.0\nv 4 2 0\nv 0 2 0\nvn 0 0 1\nvt 0 0\n"
        "f 1/1/1 2/1/1 3/1/1 4/1/1\n\nf -4//1 -3//1 -2//1\n",
    )
    vertices, faces = nr.load_obj(path, normalization=False)
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]
    assert vertices[2].tolist() == [4, 2, 0]
    normal, _ = nr.load_obj(path)
    assert normal.tolist() == [[-1, -0.5, 0], [1, -0.5, 0], [1, 0.5, 0], [-1, 0.5, 0]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("v 0 0 0\n", "no faces"),
        ("v 0 0\nf 1 1 1\n", "line 1: 3 numbers"),
        ("v 0 0 nan\nf 1 1 1\n", "line 1: a number is not finite"),
        ("v 0 0 0\nf 1 1\n", "line 2: a face needs three corners"),
        ("v 0 0 0\nf 1 1 2\n", "vertex 2 of 1"),
        ("v 0 0 0\nf 0 1 1\n", "line 2: index 0"),
        ("v 0 0 0\nf -2 1 1\n", "line 2: index -2"),
        ("v 0 0 0\nf a b c\n", "line 2"),
        ("v 0 0 0\nf 1/1 1/1 1/1\n", "texture coordinate 1 of 0"),
    ],
)
def test_broken_files_are_told_by_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        nr.load_obj(write(tmp_path, text))


def test_materials(tmp_path: Path) -> None:
    write_picture(tmp_path / "a picture.png", np.array([[[0, 0, 255]] * 2, [[255, 0, 0]] * 2]))
    path = write(
        tmp_path,
        "mtllib model.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 0 1\nf 1 2 3\nusemtl plain\n"
        "f 1 2 3\nusemtl shown\nf 1/1 2/2 3/1\nf 1 2 3\nusemtl unknown\nf 1 2 3\n",
        "newmtl plain\nKd 0.1 0.2 0.3\nnewmtl shown\nKd 0 1 0\nmap_Kd a picture.png\n",
    )
    loaded = nr.load_obj(path, load_texture=True, texture_size=3)
    assert len(loaded) == 3
    textures = loaded[2]
    assert textures[0].eq(0.5).all() and textures[4].eq(0.5).all()
    assert torch.allclose(textures[1], torch.tensor([0.1, 0.2, 0.3]))
    assert textures[2, 2, 0, 0].tolist() == [1, 0, 0]  # v = 0 is the bottom row, which is red
    assert textures[2, 0, 2, 0].tolist() == [0, 0, 1]
    assert textures[2, 1, 1, 0].tolist() == [0.5, 0, 0.5]
    assert torch.equal(textures[3], torch.tensor([0.0, 1, 0]).expand(3, 3, 3, 3))
    with pytest.raises(InputError, match="names no mtllib"):
        nr.load_obj(write(tmp_path, "v 0 0 0\nf 1 1 1\n"), load_texture=True)


def test_an_absent_picture_is_told(tmp_path: Path) -> None:
    path = write(
        tmp_path, "mtllib model.mtl\nv 0 0 0\nvt 0 0\nusemtl a\nf 1/1 1/1 1/1\n",
        "newmtl a\nmap_Kd no.png\n",
    )  # fmt: skip
    with pytest.raises(InputError, match=r"no\.png"):
        nr.load_obj(path, load_texture=True)


@pytest.mark.parametrize("size", [2, 3, 4, 6])
@pytest.mark.parametrize("bilinear", [True, False])
def test_textures_equal_the_original(data: Path, size: int, bilinear: bool) -> None:
    with np.load(data / "nmr" / "load_textures_synthetic.npz") as archive:
        image = torch.from_numpy(archive["image_u8"]).float() / 255
        uv, used = torch.from_numpy(archive["uv"]), archive["is_update"] > 0
        for mode in ("REPEAT", "MIRRORED_REPEAT", "CLAMP_TO_EDGE", "CLAMP_TO_BORDER"):
            found = texture_cubes(image, uv, size, mode, bilinear).numpy()[used]
            how = "bilinear" if bilinear else "nearest"
            wrong = np.abs(found - archive[f"T{size}_{mode}_{how}"][used]).max(-1) > 1e-5
            # Just below a row of pixels the original's rounding takes the next row but one.
            assert wrong.sum() <= (2 if (size, mode) == (6, "CLAMP_TO_EDGE") else 0)
            if mode != "CLAMP_TO_BORDER":
                wanted = archive[f"uv_after_{mode}"][used]
                assert np.abs(wrap(uv, mode).numpy()[used] - wanted).max() < 1e-6


def test_mended_texture_borders() -> None:
    """0 and 1 stay what they are; the original swaps them, and back, in a race of threads."""
    corners = torch.tensor([[[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]])
    for mode in ("REPEAT", "MIRRORED_REPEAT", "CLAMP_TO_EDGE"):
        assert torch.equal(wrap(corners, mode), corners)
    # A face on the next repetition of the picture shows the same as on the first.
    assert torch.equal(wrap(corners + torch.tensor([1.0, -3.0]), "REPEAT"), corners)
    assert torch.equal(wrap(corners + torch.tensor([2.0, -2.0]), "MIRRORED_REPEAT"), corners)
    image = torch.rand(4, 5, 3, generator=torch.Generator().manual_seed(0))
    cube = texture_cubes(image, corners, 4)
    assert torch.equal(cube[0, 3, 0, 0], image[3, 0]) and torch.equal(cube[0, 0, 3, 0], image[0, 4])


def test_mended_no_row_of_the_picture_is_skipped() -> None:
    """Bilinear means by the formula in double precision, where single precision rounds too."""
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(97, 61, 3, generator=generator)
    uv = torch.rand(400, 3, 2, generator=generator)
    # Coordinates on rows and columns of the picture, and the next number below them.
    uv[:200] = (uv[:200] * 96).round() / torch.tensor([60.0, 96.0]) % 1
    uv[100:200] = torch.nextafter(uv[100:200], torch.tensor(0.0))
    found = texture_cubes(image, uv, 4).reshape(400, 64, 3).numpy()
    steps = np.stack(np.meshgrid(*[np.arange(4.0)] * 3, indexing="ij"), -1).reshape(-1, 3)
    parts = steps / np.maximum(steps.sum(-1, keepdims=True), 1)
    place = np.einsum("tk,fkd->ftd", parts, uv.double().numpy()) * [60, 96]
    low = np.minimum(np.floor(place).astype(int), [59, 95])
    share = place - low
    pixels, expected = image.double().numpy(), 0.0
    for dx in (0, 1):
        for dy in (0, 1):
            weight = np.abs(1 - dx - share[..., 0]) * np.abs(1 - dy - share[..., 1])
            expected = expected + weight[..., None] * pixels[low[..., 1] + dy, low[..., 0] + dx]
    assert np.abs(found - expected).max() < 2e-4


def test_textures_refuse_by_name() -> None:
    image, uv = torch.zeros(2, 2, 3), torch.zeros(1, 3, 2)
    with pytest.raises(UsageError, match="unknown texture wrapping 'REPEATED'"):
        texture_cubes(image, uv, 2, "REPEATED")
    with pytest.raises(UsageError, match="texture_size must be at least 2, got 1"):
        texture_cubes(image, uv, 1)


@pytest.mark.parametrize("name", ["n4_T2", "n6_T4", "n9_T3"])
def test_the_atlas_equals_the_original(data: Path, name: str) -> None:
    with np.load(data / "nmr" / "save_obj_atlas.npz") as archive:
        picture, uv = texture_atlas(torch.from_numpy(archive[f"{name}_textures"]))
        np.testing.assert_allclose(picture.numpy(), archive[f"{name}_image"], atol=2e-6)
        np.testing.assert_allclose(uv.numpy(), archive[f"{name}_vt"], atol=1e-6)


def test_mended_spare_tiles_are_black() -> None:
    picture, uv = texture_atlas(torch.ones(5, 2, 2, 2, 3))
    assert picture.shape == (32, 48, 3) and uv.shape == (5, 3, 2)
    tiles = picture.flip(0).reshape(2, 16, 3, 16, 3).transpose(1, 2)
    assert not tiles[1, 2].any()  # five faces, six tiles
    assert all(tiles[k // 3, k % 3].max() > 0.99 for k in range(5))


@pytest.mark.parametrize("count", [1, 2, 5, 17])
def test_saved_and_loaded_again(tmp_path: Path, count: int) -> None:
    generator = torch.Generator().manual_seed(count)
    vertices = torch.randn(3 * count, 3, generator=generator)
    faces = torch.arange(3 * count).reshape(count, 3)
    colours = torch.rand(count, 1, 1, 1, 3, generator=generator)
    textures = colours.expand(count, 4, 4, 4, 3)
    nr.save_obj(tmp_path / "some shape.obj", vertices, faces, textures)
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "some shape.mtl", "some shape.obj", "some shape.png",
    ]  # fmt: skip
    again = nr.load_obj(tmp_path / "some shape.obj", normalization=False, load_texture=True)
    assert len(again) == 3
    assert torch.allclose(again[0], vertices, atol=1e-7) and torch.equal(again[1].long(), faces)
    # Texel (0, 0, 0) belongs to no place on the face.
    difference = (again[2] - textures).abs()
    difference[:, 0, 0, 0] = 0
    assert difference.max() < 0.5 / 255 + 1e-4


def test_save_refuses_by_name(tmp_path: Path) -> None:
    vertices, faces = torch.zeros(3, 3), torch.zeros(1, 3, dtype=torch.int32)
    for given, name in (
        ((vertices[None], faces), "vertices"),
        ((vertices, faces[0]), "faces"),
        ((vertices, faces, torch.zeros(1, 2, 2, 3, 3)), "textures"),
    ):
        with pytest.raises(ShapeError, match=name):
            nr.save_obj(tmp_path / "a.obj", *given)
    assert not list(tmp_path.iterdir())


def test_mended_mesh_keeps_its_textures(tmp_path: Path) -> None:
    vertices, faces = torch.rand(4, 3), torch.tensor([[0, 1, 2], [1, 2, 3]])
    textures = torch.rand(2, 5, 5, 5, 3)
    mesh = nr.Mesh(vertices, faces, textures)
    assert mesh.textures is textures and mesh.texture_size == 5
    assert (mesh.num_vertices, mesh.num_faces) == (4, 2)
    free = nr.Mesh(vertices, faces, texture_size=3, generator=torch.Generator().manual_seed(0))
    assert isinstance(free.textures, torch.nn.Parameter) and free.textures.shape == (2, 3, 3, 3, 3)
    assert 0.02 < free.textures.std() < 0.08
    nr.save_obj(tmp_path / "mesh.obj", vertices, faces, textures)
    again = nr.Mesh.fromobj(tmp_path / "mesh.obj", load_texture=True, texture_size=5)
    assert again.textures.shape == textures.shape and again.texture_size == 5
    plain = nr.Mesh.fromobj(tmp_path / "mesh.obj", False)
    assert plain.textures.shape == (2, 4, 4, 4, 3) and plain.textures.requires_grad
    with pytest.raises(ShapeError, match="textures"):
        nr.Mesh(vertices, faces, torch.rand(3, 5, 5, 5, 3))


def test_where_tensors_go(tmp_path: Path) -> None:
    path = write(tmp_path, "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    loaded: tuple[Tensor, ...] = nr.load_obj(path, device="meta")
    assert all(one.device.type == "meta" for one in loaded)
