"""DIB-R's renderer against kaolin: its kernels on scenes, its own tests, the authors' training."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchbench.cuda_ops import dibr

# float32, as docs/dibr.md states: contraction of multiplications on a GPU changes as much.
FEATURES, MASK, GRADIENT = 2e-5, 2e-5, 1.2e-4
# float64: kaolin adds 1e-7 to squared lengths and to 1 - p where nothing is added here.
FINE_MASK, FINE_GRADIENT = 1e-8, 2e-5
DRAWS = [("k18", "head"), ("k09", "0.9.0")]


def tensor(value: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.from_numpy(np.asarray(value)).to(dtype)


def difference(found: Tensor, expected: np.ndarray, relative: bool = False) -> float:
    target = tensor(expected, found.dtype)
    scale = float(target.abs().max()) if relative else 1.0
    return float((found.detach() - target).abs().max()) / (scale or 1.0)


def draw(scene: dict[str, np.ndarray], version: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """Maps and gradients under the names of the stored ones."""
    z, xy, features, normals = (
        tensor(scene[f"face_{key}"], dtype)
        for key in ("vertices_z", "vertices_image", "features", "normals_z")
    )
    xy.requires_grad_()
    features.requires_grad_()
    picture, mask, index = dibr.dibr_rasterization(
        int(scene["height"]), int(scene["width"]), z, xy, features, normals,
        float(scene["sigmainv"]), float(scene["boxlen"]), int(scene["knum"]),
        float(scene["multiplier"]), version=version,
    )  # fmt: skip
    upstream = tensor(scene["grad_features"], dtype), tensor(scene["grad_soft_mask"], dtype)
    by_colour = torch.autograd.grad(picture, (xy, features), upstream[0])
    (by_mask,) = torch.autograd.grad(mask, xy, upstream[1])
    return {
        "features": picture.detach(), "face_idx": index, "soft_mask": mask.detach(),
        "grad_im_features": by_colour[0], "grad_face_features": by_colour[1],
        "grad_im_mask": by_mask,
    }  # fmt: skip


def check_scene(path: Path) -> int:
    """Compares every stored precision and version; how many there were."""
    with np.load(path) as archive:
        scene = dict(archive)
    checked = 0
    for prefix, version in DRAWS:
        for precision, dtype in (("f32", torch.float32), ("f64", torch.float64)):
            start = f"{prefix}_{precision}_"
            stored = {k.removeprefix(start): v for k, v in scene.items() if k.startswith(start)}
            if not stored:
                continue
            found = draw(scene, version, dtype)
            fine = dtype == torch.float64
            for key, tolerance in (
                ("features", 0.0),
                ("soft_mask", FINE_MASK if fine else MASK),
                ("grad_im_features", FINE_GRADIENT if fine else GRADIENT),
                ("grad_face_features", 1e-12 if fine else GRADIENT),
                ("grad_im_mask", FINE_GRADIENT if fine else GRADIENT),
            ):
                if key in stored:
                    relative = key.startswith("grad")
                    assert difference(found[key], stored[key], relative) <= tolerance, (start, key)
            assert np.array_equal(found["face_idx"].numpy(), stored["face_idx"])
            checked += 1
    return checked


@pytest.mark.parametrize(
    ("name", "count"), [("s1_icosphere_64", 2), ("s4_soup_32", 4), ("s8_knum_saturation_48x32", 4)]
)
def test_equals_the_original_kernels(data: Path, name: str, count: int) -> None:
    assert check_scene(data / "dibr" / f"{name}.npz") == count


@pytest.mark.parametrize("name", ["s1_icosphere_64", "s2_blobs4_64", "s9_dibr_224"])
def test_equals_the_original_kernels_on_large_scenes(shared: Path, name: str) -> None:
    assert check_scene(shared / "oracles" / "dibr" / f"raster_{name}.npz") >= 2


@pytest.mark.parametrize(("prefix", "version"), DRAWS)
@pytest.mark.parametrize("name", ["s6_degenerate_32", "s7_degenerate_nohuge_32"])
def test_faces_without_area_are_the_only_difference(
    data: Path, name: str, prefix: str, version: str
) -> None:
    # Faces 0 and 1 have no area and lie on pixel centres: kaolin draws them, with weights
    # (0, 0, 0) or (1, 0, 0), before whatever is behind.
    with np.load(data / "dibr" / f"{name}.npz") as archive:
        scene = dict(archive)
    found = draw(scene, version, torch.float32)
    stored = {key: scene[f"{prefix}_f32_{key}"] for key in found}
    poisoned = (stored["face_idx"] >= 0) & (stored["face_idx"] < 2)
    index = found["face_idx"].numpy()
    assert poisoned.sum() == 24
    assert not ((index >= 0) & (index < 2)).any()
    assert np.array_equal(index[~poisoned], stored["face_idx"][~poisoned])
    clean = torch.from_numpy(~poisoned)
    assert difference(found["features"][clean], stored["features"][~poisoned]) <= FEATURES
    if name.startswith("s7"):  # nothing lies behind them, so the other faces keep their pixels
        for key in ("grad_im_features", "grad_face_features"):
            assert difference(found[key][:, 2:], stored[key][:, 2:], True) <= GRADIENT
        assert difference(found["soft_mask"][clean], stored["soft_mask"][~poisoned]) <= MASK
    for key in ("grad_im_features", "grad_face_features"):
        assert found[key][:, :2].abs().sum() == 0
        assert found[key].abs().max() < 100


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    path = Path(__file__).resolve().parents[1] / "data" / "dibr" / "kaolin_gpu_golden.npz"
    with np.load(path) as archive:
        return dict(archive)


def shifted_iou_loss(mask: Tensor, index: Tensor) -> Tensor:
    """kaolin's test: the covered pixels, five columns further left, are the goal."""
    target = torch.zeros_like(mask)
    target[:, :, :-5] = (index[:, :, 5:] >= 0).to(mask)
    return dibr.mask_iou(mask, target)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("multiplier", [1.0, 100.0, 1000.0])
@pytest.mark.parametrize("boxlen", ["0.02", "0.2"])
@pytest.mark.parametrize("sigmainv", [7000, 70])
def test_masks_of_kaolins_simple_meshes(
    golden: dict[str, np.ndarray], sigmainv: int, boxlen: str, multiplier: float, dtype: torch.dtype
) -> None:
    xy = tensor(golden["simple_face_vertices_image"], dtype).requires_grad_()
    z = tensor(golden["simple_face_vertices_z"], dtype)
    _, index = dibr.rasterize(35, 31, z, xy, torch.ones(2, 3, 3, 1, dtype=dtype))
    assert np.array_equal(index.numpy(), golden["simple_face_idx"])
    mask = dibr.dibr_soft_mask(xy, index, sigmainv, float(boxlen), 20, multiplier)
    stored = f"simple_s{sigmainv}_b{boxlen}_"
    assert difference(mask, golden[stored + "soft_mask"]) <= 1e-5
    (gradient,) = torch.autograd.grad(shifted_iou_loss(mask, index), xy)
    expected = golden[stored + "grad_face_vertices_image"]
    assert difference(gradient, expected, True) <= 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("multiplier", [1.0, 100.0, 1000.0])
@pytest.mark.parametrize("boxlen", ["0.02", "0.01"])
@pytest.mark.parametrize("sigmainv", [7000, 70])
def test_masks_of_kaolins_sphere(
    golden: dict[str, np.ndarray], sigmainv: int, boxlen: str, multiplier: float, dtype: torch.dtype
) -> None:
    raw = tensor(golden["sphere_vertices_raw"])
    low, high = raw.amin(0), raw.amax(0)
    eyes = torch.tensor([[0.5, 0.5, 3], [2, 2, -2], [3, 0.5, 0.5]])
    rotation, centre = dibr.generate_rotate_translate_matrices(
        eyes, torch.full((3, 3), 0.5), torch.tensor([[0.0, 1, 0]]).expand(3, 3)
    )
    vertices = ((raw - low) / (high - low)).expand(3, -1, -1)
    faces = torch.from_numpy(golden["sphere_faces"].astype(np.int64))
    factors = dibr.generate_perspective_projection(math.pi / 4)
    drawn = dibr.prepare_vertices(vertices, faces, factors, rotation, centre)
    corners, xy = drawn[0].to(dtype), drawn[1].to(dtype).requires_grad_()
    _, index = dibr.rasterize(35, 31, corners[..., 2], xy, torch.ones(3, 960, 3, 1, dtype=dtype))
    mask = dibr.dibr_soft_mask(xy, index, sigmainv, float(boxlen), 40, multiplier)
    stored = f"sphere_s{sigmainv}_b{boxlen}_"
    assert difference(mask, golden[stored + "soft_mask"]) <= 1e-5
    (gradient,) = torch.autograd.grad(shifted_iou_loss(mask, index), xy)
    assert difference(gradient, golden[stored + "grad_face_vertices_image"], True) <= GRADIENT


@pytest.mark.parametrize("mesh", [0, 1])
def test_pictures_of_kaolin_0_9_0(golden: dict[str, np.ndarray], mesh: int) -> None:
    heights = torch.tensor([[-1.0, 0, -1, 0], [0, -1, 0, -1]])[mesh]
    plane_xy = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    colours = [[0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9], [0.9, 0.9, 0.1]]
    order = ([0, 1, 2, 3], [1, 0, 3, 2])[mesh]
    paint = torch.tensor([colours[k] for k in order])[None]
    vertices = torch.cat((plane_xy, heights[:, None]), -1)[None]
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    corners, xy, normals = dibr.prepare_vertices(
        vertices, faces, torch.tensor([[1.25], [2.5], [-1]]), torch.eye(3)[None],
        torch.tensor([[0.0, 0, 4]]),
    )  # fmt: skip
    picture, mask, index = dibr.dibr_rasterization(
        256, 512, corners[..., 2], xy, dibr.index_vertices_by_faces(paint, faces),
        normals[..., 2:], version="0.9.0",
    )  # fmt: skip
    assert np.array_equal(100 * (index[0].numpy() + 1), golden[f"v09_image_face_idx_{mesh}"])
    for found, name in ((picture[0], "vertex_color"), (mask[0], "image_prob")):
        assert difference(255 * found, golden[f"v09_{name}_{mesh}"]) <= 0.51


def test_a_step_of_the_authors_training(data: Path) -> None:
    """Every predicted mesh in every camera, the losses on pictures, and all gradients."""
    with np.load(data / "dibr" / "train_step_64.npz") as archive:
        step = dict(archive)
    faces = torch.from_numpy(step["faces"].astype(np.int64))
    meshes, rgb = (tensor(step[key]).requires_grad_() for key in ("meshes_pred", "rgb"))
    views = meshes.shape[0]
    pairs = [(j, k) for j in range(views) for k in range(views)]
    truth = tensor(step["gt_u8"]) / 255
    factors = dibr.generate_perspective_projection(math.radians(30))
    drawn, paints, goals = [], [], []
    for j, k in pairs:
        rotation, centre = tensor(step["camrot"][k]), tensor(step["campos"][k])
        drawn.append(dibr.prepare_vertices(meshes[j], faces, factors, rotation, centre))
        paints.append(dibr.index_vertices_by_faces(rgb[j], faces))
        goals.append(truth[k])
    corners, xy, normals = (torch.cat(parts) for parts in zip(*drawn, strict=True))
    paint, goal = torch.cat(paints), torch.cat(goals)
    assert difference(corners, step["meshes_camera"][:, step["faces"].astype(int)]) <= 1e-5
    assert difference(normals, step["face_normals"]) <= 1e-4
    picture, mask, _ = dibr.dibr_rasterization(
        64, 64, corners[..., 2], xy, paint, normals[..., 2:], version="0.9.0"
    )
    assert difference(picture, step["pred_images"]) <= FEATURES
    assert difference(mask, step["pred_masks"]) <= 2 * MASK  # the camera's rounding differs too
    shape = goal[:, 3]
    silhouette = dibr.mask_iou(mask, shape)
    colour = ((picture - goal[:, :3].permute(0, 2, 3, 1)).abs() * shape[..., None]).mean()
    first, second = torch.from_numpy(step["edge_faces"].astype(np.int64)).T
    flat = (((normals[:, first] * normals[:, second]).sum(-1) - 1) ** 2).mean() * 1920
    losses = dict(zip(step["loss_names"].tolist(), step["losses"].tolist(), strict=True))
    for loss, name in ((silhouette, "silhouette"), (colour, "color"), (flat, "flatten")):
        assert float(loss.detach()) == pytest.approx(losses[name], rel=1e-5)
    total = 3 * colour + silhouette + 0.001 * flat
    found = torch.autograd.grad(total, (meshes, rgb))
    assert difference(found[0], step["grad_meshes_pred"], True) <= GRADIENT
    assert difference(found[1], step["grad_rgb"], True) <= GRADIENT
