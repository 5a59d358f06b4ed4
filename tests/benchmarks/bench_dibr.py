"""DIB-R's renderer, forward and backward, against the fastest differentiable CPU renderer.

A coloured sphere at the size of the authors' training. Both sides start from corners on the image
plane, get the same slopes of a loss, and end with the gradients at positions and colours; deodr
gets its silhouette edges for free, and draws no soft mask.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from benchbench.cuda_ops import dibr
from benchbench.cuda_ops.vertices_to_faces import vertices_to_faces

BATCH = 16
Scene = tuple[np.ndarray, Tensor, Tensor]


def make_scene(subdivisions: int, batch: int = BATCH) -> Scene:
    """faces (F, 3), camera vertices (B, V, 3), colours (B, V, 3)."""
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions, radius=0.5)
    vertices = torch.from_numpy(mesh.vertices.astype(np.float32)).expand(batch, -1, -1)
    angle = torch.arange(batch) * math.tau / batch
    eyes = torch.stack((2 * angle.sin(), torch.full_like(angle, 1.0), 2 * angle.cos()), 1)
    rotation, centre = dibr.generate_rotate_translate_matrices(
        eyes, torch.zeros(1, 3), torch.tensor([[0.0, 1.0, 0.0]])
    )
    camera = dibr.rotate_translate_points(vertices, rotation, centre)
    return mesh.faces.astype(np.int32), camera, vertices + 0.5


def ours(scene: Scene, size: int) -> Callable[[], Tensor]:
    faces, camera, colours = scene
    index = torch.from_numpy(faces)
    plane = dibr.perspective_camera(camera, dibr.generate_perspective_projection(math.pi / 6))
    corners = vertices_to_faces(torch.cat((plane, camera[..., 2:]), -1), index)
    shades = vertices_to_faces(colours.contiguous(), index)
    xy, z = corners[..., :2].contiguous(), corners[..., 2].contiguous()
    edges = corners[:, :, 1:, :2] - corners[:, :, :1, :2]
    normals = torch.linalg.det(edges)

    def step() -> Tensor:
        leaf, paint = xy.detach().requires_grad_(), shades.detach().requires_grad_()
        picture, mask, _ = dibr.dibr_rasterization(size, size, z, leaf, paint, normals)
        slopes = tuple(2 * (drawn.detach() - 0.5) for drawn in (picture, mask))
        return torch.autograd.grad((picture, mask), (leaf, paint), slopes)[0]

    return step


def theirs(deodr: ModuleType, scene: Scene, size: int) -> Callable[[], np.ndarray]:
    faces, camera, colours = scene
    plane = dibr.perspective_camera(camera, dibr.generate_perspective_projection(math.pi / 6))
    screens = plane.double().numpy()
    depths, paints = (-camera[..., 2]).double().numpy(), colours.double().numpy()
    flags = [silhouette_edges(faces, one) for one in screens]

    def step() -> np.ndarray:
        gradients = []
        for screen, depth, paint, edges in zip(screens, depths, paints, flags, strict=True):
            pixels = np.stack(((screen[:, 0] + 1) / 2, (1 - screen[:, 1]) / 2), 1) * size - 0.5
            count = len(screen)
            drawn = deodr.Scene2D(
                faces=faces.astype(np.uint32), faces_uv=faces.astype(np.uint32), ij=pixels,
                depths=depth.copy(), textured=np.zeros(len(faces), bool),
                uv=np.zeros((count, 2)), shade=np.zeros(count), colors=paint.copy(),
                shaded=np.zeros(len(faces), bool), edgeflags=edges, height=size, width=size,
                nb_colors=3, texture=np.zeros((1, 1, 3)), background_color=np.zeros(3),
                clockwise=True, backface_culling=True, integer_pixel_centers=True,
            )  # fmt: skip
            image, _ = drawn.render(1)
            drawn.clear_gradients()
            drawn.render_backward(2 * (image - 0.5))
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


@pytest.mark.parametrize("size", [64, 224])
def test_dibr(race, size: int) -> None:  # type: ignore[no-untyped-def]
    deodr = pytest.importorskip("deodr", reason="not installed (extra 'peers')")
    scene = make_scene(3)
    race(
        f"dibr {size}x{size}, {BATCH} spheres, forward + backward, per picture",
        {"ours": ours(scene, size), "deodr": theirs(deodr, scene, size)},
        per=BATCH,
    )


def test_many_faces(race) -> None:  # type: ignore[no-untyped-def]
    """Cost follows pixels and faces, not their product."""
    few, many = make_scene(3, 2), make_scene(6, 2)
    race(
        f"dibr 256x256, {len(few[0])} faces, forward + backward, per picture",
        {"ours": ours(few, 256), f"(ours, {len(many[0])} faces)": ours(many, 256)},
        per=2,
    )
