"""The training silhouettes against Kato's own step, and against their parts written out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops.camera import get_points_from_angles, look_at, perspective
from benchbench.cuda_ops.kato_silhouettes import kato_silhouettes, shrink_aligned
from benchbench.cuda_ops.reference import rasterize as twin


def test_shrinking_equals_the_original(data: Path) -> None:
    with np.load(data / "nmr" / "kato_camera.npz") as archive:
        found = shrink_aligned(torch.from_numpy(archive["resize/input_128"])).numpy()
        assert np.abs(found - archive["resize/output_64"]).max() < 1e-6


@pytest.mark.parametrize("size", [2, 3, 17, 64])
def test_shrinking_is_bilinear_with_aligned_corners(size: int) -> None:
    leaf = torch.randn(2, 2 * size, 2 * size, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(2, size, size, dtype=torch.float64)
    expected = functional.interpolate(leaf[None], size, mode="bilinear", align_corners=True)[0]
    found = shrink_aligned(leaf)
    assert torch.allclose(found, expected, atol=1e-12)
    gradients = [torch.autograd.grad(one, leaf, upstream)[0] for one in (found, expected)]
    assert torch.allclose(*gradients, atol=1e-12)


def octahedron() -> tuple[Tensor, Tensor]:
    """An uneven octahedron: (3, 6, 3) vertices, each picture's its own, and (8, 3) faces."""
    ends = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    stretch = torch.tensor([[0.5, 0.3, 0.2], [0.2, 0.5, 0.4], [0.45, 0.1, 0.3]])
    faces = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    return ends * stretch[:, None], torch.tensor(faces)


def test_equals_its_parts_written_out() -> None:
    vertices, faces = octahedron()
    eyes = torch.tensor([get_points_from_angles(2.732, 30.0, -15.0 * k) for k in (0, 5, 11)])
    leaf = vertices.requires_grad_()
    found = kato_silhouettes(leaf, faces, eyes, 16)
    seen = perspective(look_at(vertices, eyes, variant="chainer"), 15.0, "chainer") * (31 / 30)
    corners = torch.cat((seen[:, faces], seen[:, faces.flip(1)]), 1).detach()
    fine, index = twin.rasterize_silhouettes(corners, 32, 1, 0.1, 100.0)
    expected = functional.interpolate(fine[None], 16, mode="bilinear", align_corners=True)[0]
    assert torch.allclose(found, expected, atol=1e-6)
    assert 0.1 < float(found.detach().mean()) < 0.5

    upstream = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(0))
    gradient = torch.autograd.grad(found, leaf, upstream, retain_graph=True)[0]
    fine.requires_grad_()
    shrunk = functional.interpolate(fine[None], 16, mode="bilinear", align_corners=True)[0]
    at_raster = torch.autograd.grad(shrunk, fine, upstream)[0]
    at_corners = twin.silhouettes_backward(at_raster, corners, index, 1, 1e-3)
    both = torch.cat((seen[:, faces], seen[:, faces.flip(1)]), 1)
    expected = torch.autograd.grad(both, leaf, at_corners)[0]
    assert torch.linalg.norm(gradient - expected) < 1e-4 * torch.linalg.norm(expected)


def test_both_sides_are_drawn() -> None:
    triangle = torch.tensor([[[-0.5, -0.5, 0.0], [0.5, -0.5, 0.0], [0.0, 0.5, 0.0]]])
    eye = (0.0, 0.0, -2.732)
    front = kato_silhouettes(triangle, torch.tensor([[0, 1, 2]]), eye)
    back = kato_silhouettes(triangle, torch.tensor([[2, 1, 0]]), eye)
    assert torch.equal(front, back)
    assert front.sum() > 0


def test_equals_katos_training_step(shared: Path) -> None:
    folder = shared / "oracles" / "kato"
    with np.load(folder / "train_step.npz") as step, np.load(folder / "misc.npz") as misc:
        faces = torch.from_numpy(misc["template/faces"])
        leaf = torch.from_numpy(np.concatenate([step["vertices_a"], step["vertices_b"]]))
        leaf.requires_grad_()
        eyes = [torch.from_numpy(step[f"viewpoints_{name}"]).float() for name in "aabb"]
        found = kato_silhouettes(torch.cat((leaf, leaf)), faces, torch.cat(eyes))
        names = ("sil_a_a", "sil_b_a", "sil_a_b", "sil_b_b")
        expected = np.concatenate([step[name] for name in names])
        assert np.abs(found.detach().numpy() - expected).max() < 1e-6

        goals = [torch.from_numpy(step[f"images_{name}"][:, 3]) for name in "aabb"]
        goal = torch.cat(goals).float()
        both = (goal * found).sum((1, 2))
        loss = 1 - (both / ((goal + found).sum((1, 2)) - both)).mean()
        assert loss.item() == pytest.approx(float(step["loss_silhouettes"]), rel=1e-6)
        gradient = torch.autograd.grad(loss, leaf)[0].numpy()
        theirs = step["grad_sil_wrt_vertices"]
        assert np.linalg.norm(gradient - theirs) < 1e-3 * np.linalg.norm(theirs)


def test_refuses_by_name() -> None:
    vertices = torch.zeros(1, 3, 3)
    with pytest.raises(ShapeError, match=r"faces must be \(F, 3\)"):
        kato_silhouettes(vertices, torch.zeros(1, 1, 3).int(), (0.0, 0.0, -2.0))
    with pytest.raises(ShapeError, match="image_size must be"):
        kato_silhouettes(vertices, torch.zeros(1, 3).int(), (0.0, 0.0, -2.0), 1)
