"""The losses of the authors' step with kaolin 0.9, their gradients, and twins by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchbench.baselines.dibr.losses import (
    Topology,
    Views,
    Weights,
    draw,
    flatten_loss,
    laplacian_loss,
    losses,
)
from benchbench.baselines.dibr.network import normalise_meshes
from benchbench.baselines.dibr.template import edge_faces, sphere
from benchbench.core.errors import ShapeError

# docs/dibr.md: features, mask, gradients of the renderer in float32.
PICTURE, MASK, GRADIENT = 2e-5, 4e-5, 1.2e-4


@pytest.fixture(scope="module")
def step(data: Path) -> dict[str, np.ndarray]:
    with np.load(data / "dibr" / "train_step_64.npz") as file:
        return dict(file)


def seen(step: dict[str, np.ndarray]) -> Views:
    pictures = torch.tensor(step["gt_u8"]).float() / 255
    return Views(
        list(pictures), list(torch.tensor(step["camrot"])), list(torch.tensor(step["campos"]))
    )


def test_a_whole_step_equals_the_authors(step: dict[str, np.ndarray]) -> None:
    """From the decoder's outputs to the losses, and back to them."""
    offsets, colours, coefficient = (
        torch.tensor(step[name]).requires_grad_() for name in ("delta", "rgb", "residual_coef")
    )
    template = torch.tensor(step["template"])
    meshes = [normalise_meshes(template + coefficient * part) for part in offsets]
    for mesh in meshes:
        mesh.retain_grad()
    topology = Topology.of_sphere(3)
    assert np.array_equal(topology.faces, step["faces"])
    assert np.array_equal(topology.edges, step["edge_faces"])
    np.testing.assert_allclose(torch.stack(meshes).detach(), step["meshes_pred"], atol=1e-7)
    found = losses(meshes, list(offsets), list(colours), seen(step), topology)
    stored = dict(zip(step["loss_names"].tolist(), step["losses"].tolist(), strict=True))
    stored["colour"] = stored.pop("color")
    assert set(stored) == set(found)
    for name, value in stored.items():
        assert float(found[name].detach()) == pytest.approx(value, rel=1e-5), name
    found["total"].backward()
    for gradient, name in (
        (offsets.grad, "grad_delta"), (colours.grad, "grad_rgb"),
        (coefficient.grad, "grad_residual_coef"),
        (torch.stack([mesh.grad for mesh in meshes]), "grad_meshes_pred"),
    ):  # fmt: skip
        largest = np.abs(step[name]).max()
        assert np.abs(gradient.numpy() - step[name]).max() <= GRADIENT * largest, name


def test_pictures_of_the_step_equal_the_authors(step: dict[str, np.ndarray]) -> None:
    """Mesh j in camera k, j outer."""
    views, meshes = seen(step), torch.tensor(step["meshes_pred"])
    colours, faces = torch.tensor(step["rgb"]), Topology.of_sphere(3).faces
    for number, (j, k) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        picture, mask, normals = draw(
            meshes[j], colours[j], faces, views.rotations[k], views.centres[k], 64
        )
        part = slice(2 * number, 2 * number + 2)
        np.testing.assert_allclose(picture, step["pred_images"][part], atol=PICTURE)
        np.testing.assert_allclose(mask, step["pred_masks"][part], atol=MASK)
        np.testing.assert_allclose(normals, step["face_normals"][part], atol=1e-4)


def test_weights_make_the_total() -> None:
    vertices = torch.tensor(sphere(1)[0])[None] * 2
    views = Views([torch.rand(1, 4, 32, 32)], [torch.eye(3)[None]], [torch.tensor([[0.0, 0, 3]])])
    colours = torch.full((1, 42, 3), 0.5)
    offsets = torch.rand(1, 42, 3)
    weights = Weights(2.0, 0.5, 0.25, 0.125)
    found = losses([vertices], [offsets], [colours], views, Topology.of_sphere(1), weights)
    total = (2 * found["colour"] + 0.5 * found["silhouette"] + 0.25 * found["laplacian"]
             + 0.125 * found["flatten"])  # fmt: skip
    assert float(found["total"]) == pytest.approx(float(total))
    assert Weights() == Weights(3.0, 1.0, 0.01, 0.001)  # dibr.md 3
    with pytest.raises(ShapeError, match="1 of them, one a view, got 2"):
        losses([vertices] * 2, [offsets] * 2, [colours] * 2, views, Topology.of_sphere(1))


def test_laplacian_equals_a_loop() -> None:
    offsets = torch.randn(2, 12, 3, generator=torch.Generator().manual_seed(0))
    faces = sphere(0)[1]
    expected = 0.0
    for mesh in offsets.numpy():
        for vertex in range(12):
            near = {int(n) for face in faces if vertex in face for n in face} - {vertex}
            mean = np.mean([mesh[n] for n in near], axis=0)
            expected += float(((mean - mesh[vertex]) ** 2).sum()) / len(offsets)
    topology = Topology.of_sphere(0)
    assert float(laplacian_loss(offsets, topology.neighbours)) == pytest.approx(expected, rel=1e-5)


def test_flatten_of_solids_by_hand() -> None:
    """A cube's 12 right angles give 1 each, the diagonals of its sides 0."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
    faces = np.array(
        [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
         [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]], np.int32
    )  # fmt: skip
    a, b, c = (torch.tensor(corners[faces[:, k]]) for k in range(3))
    normals = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
    edges = torch.from_numpy(edge_faces(faces))
    assert len(edges) == 18
    found = flatten_loss(normals[None].expand(3, -1, -1), edges)
    assert float(found) == pytest.approx(12, abs=1e-5)


def test_colour_loss_ignores_the_background() -> None:
    """A white mesh on a mask of the left half: a difference counts there only."""
    vertices = torch.tensor(sphere(2)[0])[None] * 10  # fills the picture
    picture = torch.zeros(1, 4, 16, 16)
    picture[:, 3, :, :8] = 1
    views = Views([picture], [torch.eye(3)[None]], [torch.tensor([[0.0, 0, 4]])])
    colours: Tensor = torch.ones(1, 162, 3)
    offsets = torch.zeros(1, 162, 3)
    found = losses([vertices], [offsets], [colours], views, Topology.of_sphere(2))
    assert float(found["colour"]) == pytest.approx(0.5, abs=1e-5)
    assert float(found["silhouette"]) == pytest.approx(0.5, abs=1e-5)
    assert float(found["laplacian"]) == 0
