"""Silhouettes, forward and backward, against the fastest differentiable CPU renderer.

One batch of pictures of a sphere whose silhouette is to become an ellipsoid's. Both sides start
from corners on the screen and end with the gradient at these corners; deodr gets its silhouette
edges for free.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from benchbench.cuda_ops import rasterize_silhouettes
from benchbench.cuda_ops.camera import (
    get_points_from_angles,
    look_at,
    perspective,
    vertices_to_faces,
)

BATCH = 64
Scene = tuple[np.ndarray, Tensor, Tensor]


@pytest.fixture(scope="module")
def scene() -> Scene:
    """faces (1280, 3), vertices on the screen (B, 642, 3), and those of the goal."""
    mesh = trimesh.creation.icosphere(subdivisions=3)
    # The camera frame is left-handed: outward faces are the reversed ones.
    faces = np.ascontiguousarray(mesh.faces[:, ::-1].astype(np.int32))
    vertices = torch.from_numpy(mesh.vertices.astype(np.float32))
    eyes = torch.tensor([get_points_from_angles(2.732, 30.0, -15.0 * k) for k in range(BATCH)])

    def screen(shape: Tensor) -> Tensor:
        return perspective(look_at(shape.expand(BATCH, -1, -1), eyes), 30.0)

    return faces, screen(0.8 * vertices), screen(vertices * torch.tensor([0.5, 1.0, 0.7]))


def ours(
    faces: np.ndarray, start: Tensor, goal: Tensor, size: int, fill_back: bool
) -> Callable[[], Tensor]:
    index = torch.from_numpy(faces)
    index = torch.cat((index, index.flip(1))) if fill_back else index
    corners = vertices_to_faces(start, index)
    target = rasterize_silhouettes(vertices_to_faces(goal, index), size)

    def step() -> Tensor:
        leaf = corners.detach().requires_grad_()
        loss = (rasterize_silhouettes(leaf, size) - target).square().sum()
        return torch.autograd.grad(loss, leaf)[0]

    return step


def theirs(
    deodr: ModuleType, faces: np.ndarray, start: Tensor, goal: Tensor, size: int
) -> Callable[[], np.ndarray]:
    def scene(screen: np.ndarray, edges: np.ndarray) -> object:
        pixels = np.stack(((screen[:, 0] + 1) / 2, (1 - screen[:, 1]) / 2), 1) * size - 0.5
        count = len(screen)
        return deodr.Scene2D(
            faces=faces.astype(np.uint32), faces_uv=faces.astype(np.uint32), ij=pixels,
            depths=screen[:, 2].copy(), textured=np.zeros(len(faces), bool),
            uv=np.zeros((count, 2)), shade=np.zeros(count), colors=np.ones((count, 1)),
            shaded=np.zeros(len(faces), bool), edgeflags=edges, height=size, width=size,
            nb_colors=1, texture=np.zeros((1, 1, 1)), background_color=np.zeros(1),
            clockwise=True, backface_culling=True, integer_pixel_centers=True,
        )  # fmt: skip

    starts, goals = start.double().numpy(), goal.double().numpy()
    flags = [silhouette_edges(faces, one) for one in starts]
    goal_flags = [silhouette_edges(faces, one) for one in goals]
    targets = [scene(one, edges).render(1)[0] for one, edges in zip(goals, goal_flags, strict=True)]

    def step() -> np.ndarray:
        gradients = []
        for one, edges, target in zip(starts, flags, targets, strict=True):
            drawn = scene(one, edges)
            image, _ = drawn.render(1)
            drawn.clear_gradients()
            drawn.render_backward(2 * (image - target))
            gradients.append(drawn.ij_b)
        return np.stack(gradients)

    return step


def silhouette_edges(faces: np.ndarray, screen: np.ndarray) -> np.ndarray:
    """(F, 3) bool: edges between a face that is seen and one that is not."""
    a, b, c = (screen[faces[:, k], :2] for k in range(3))
    seen = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] > 0
    owner = {
        (u, v): f
        for f, face in enumerate(faces)
        for u, v in zip(face, np.roll(face, -1), strict=True)
    }
    flags = np.zeros((len(faces), 3), bool)
    for (u, v), f in owner.items():
        if seen[f] and not seen[owner[v, u]]:
            flags[f, list(faces[f]).index(u)] = True
    return flags


@pytest.mark.parametrize("size", [64, 128, 256])
def test_silhouettes(race, scene: Scene, size: int) -> None:  # type: ignore[no-untyped-def]
    deodr = pytest.importorskip("deodr", reason="not installed (extra 'peers')")
    race(
        f"silhouettes {size}x{size} with anti-aliasing, {BATCH} spheres, forward + backward, "
        "per picture",
        {
            "ours": ours(*scene, size, False),
            "deodr": theirs(deodr, *scene, size),
            "(ours, both sides of every face)": ours(*scene, size, True),
        },
        per=BATCH,
    )
