"""Silhouettes and colours, forward and backward, against the fastest differentiable CPU renderer.

One batch of pictures of a sphere whose silhouette is to become an ellipsoid's. Both sides start
from corners on the screen, get the slopes of the same loss, 2 (picture - target), and end with the
gradient at these corners; deodr gets its silhouette edges for free. Colours: our faces have cubes
of 4 x 4 x 4 texels, deodr's as many in a square of one picture, and both end with the gradient of
the texels too; once all texels and the background are each of one colour, once the texels are
random and so are those of the goal, so that nearly every pixel has a slope. The whole `Renderer`,
from vertices, with light and both sides of every face, is timed beside them. Last, how the cost
grows with the faces.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from benchbench.cuda_ops import neural_renderer as nr
from benchbench.cuda_ops import rasterize_silhouettes
from benchbench.cuda_ops.camera import (
    get_points_from_angles,
    look_at,
    perspective,
    vertices_to_faces,
)

BATCH = 64
TEXTURE = 4
PATCH = 8  # deodr's texels of a face, on a side: PATCH ** 2 == TEXTURE ** 3
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
        picture = rasterize_silhouettes(leaf, size)
        return torch.autograd.grad(picture, leaf, 2 * (picture.detach() - target))[0]

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


def our_texels(shape: tuple[int, ...], seed: int | None) -> Tensor:
    if seed is None:
        return torch.full((*shape, 3), 0.5)
    return torch.rand((*shape, 3), generator=torch.Generator().manual_seed(seed))


def our_colours(
    faces: np.ndarray, start: Tensor, goal: Tensor, size: int, is_random: bool
) -> Callable[[], object]:
    index = torch.from_numpy(faces)
    corners = vertices_to_faces(start, index)
    shape = (*corners.shape[:2], TEXTURE, TEXTURE, TEXTURE)
    cubes, goal_cubes = (our_texels(shape, seed if is_random else None) for seed in (0, 1))
    target = nr.rasterize(vertices_to_faces(goal, index), goal_cubes, size)

    def step() -> object:
        leaf, texels = corners.detach().requires_grad_(), cubes.detach().requires_grad_()
        picture = nr.rasterize(leaf, texels, size)
        slopes = 2 * (picture.detach() - target)
        return torch.autograd.grad(picture, (leaf, texels), slopes)

    return step


def our_renderer(
    faces: np.ndarray, start: Tensor, goal: Tensor, size: int, is_random: bool
) -> Callable[[], object]:
    index = torch.from_numpy(faces)
    renderer = nr.Renderer(image_size=size, camera_mode="look_at")
    renderer.camera_mode = "none"  # the vertices are on the screen already
    shape = (len(start), len(faces), TEXTURE, TEXTURE, TEXTURE)
    cubes, goal_cubes = (our_texels(shape, seed if is_random else None) for seed in (0, 1))
    target = renderer(goal, index, goal_cubes, mode="rgb")

    def step() -> object:
        leaf, texels = start.detach().requires_grad_(), cubes.detach().requires_grad_()
        picture = renderer(leaf, index, texels, mode="rgb")
        slopes = 2 * (picture.detach() - target)
        return torch.autograd.grad(picture, (leaf, texels), slopes)

    return step


def their_colours(
    deodr: ModuleType, faces: np.ndarray, start: Tensor, goal: Tensor, size: int, is_random: bool
) -> Callable[[], object]:
    count = len(faces)
    side = int(np.ceil(np.sqrt(count)))
    row, column = np.divmod(np.arange(count), side)
    low = np.stack((column, row), 1)[:, None] * float(PATCH)
    uv = low + np.array([[0.0, 0.0], [PATCH - 1.0, 0.0], [0.0, PATCH - 1.0]])
    sides = (side * PATCH, side * PATCH)
    texture, goal_texture = (
        our_texels(sides, seed if is_random else None).double().numpy() for seed in (0, 1)
    )

    def scene(screen: np.ndarray, edges: np.ndarray, texture: np.ndarray) -> object:
        pixels = np.stack(((screen[:, 0] + 1) / 2, (1 - screen[:, 1]) / 2), 1) * size - 0.5
        return deodr.Scene2D(
            faces=faces.astype(np.uint32),
            faces_uv=np.arange(3 * count, dtype=np.uint32).reshape(count, 3), ij=pixels,
            depths=screen[:, 2].copy(), textured=np.ones(count, bool), uv=uv.reshape(-1, 2),
            shade=np.ones(len(screen)), colors=np.ones((len(screen), 3)),
            shaded=np.ones(count, bool), edgeflags=edges, height=size, width=size, nb_colors=3,
            texture=texture, background_color=np.zeros(3), clockwise=True, backface_culling=True,
            integer_pixel_centers=True,
        )  # fmt: skip

    starts, goals = start.double().numpy(), goal.double().numpy()
    flags = [silhouette_edges(faces, one) for one in starts]
    targets = [scene(one, silhouette_edges(faces, one), goal_texture).render(1)[0] for one in goals]

    def step() -> object:
        gradients = []
        for one, edges, target in zip(starts, flags, targets, strict=True):
            drawn = scene(one, edges, texture)
            image, _ = drawn.render(1)
            drawn.clear_gradients()
            drawn.render_backward(2 * (image - target))
            gradients.append((drawn.ij_b, drawn.texture_b))
        return gradients

    return step


@pytest.mark.parametrize("texels", ["flat", "random"])
@pytest.mark.parametrize("size", [64, 128, 256])
def test_colours(race, scene: Scene, size: int, texels: str) -> None:  # type: ignore[no-untyped-def]
    deodr = pytest.importorskip("deodr", reason="not installed (extra 'peers')")
    few = (scene[0], scene[1][:16], scene[2][:16])
    race(
        f"rgb {size}x{size} with anti-aliasing, {texels} texels, T={TEXTURE}, 16 spheres, "
        "forward + backward, per picture",
        {
            "ours": our_colours(*few, size, texels == "random"),
            "deodr": their_colours(deodr, *few, size, texels == "random"),
            "(ours, Renderer with light and both sides)": our_renderer(
                *few, size, texels == "random"
            ),
        },
        rounds=15,
        per=16,
    )


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("mode", ["silhouettes", "depth", "rgb"])
def test_many_faces(race, mode: str, batch: int) -> None:  # type: ignore[no-untyped-def]
    """Cost follows pixels and visible faces, not their product."""

    def side(mesh: trimesh.Trimesh) -> Callable[[], object]:
        index = torch.from_numpy(np.ascontiguousarray(mesh.faces[:, ::-1].astype(np.int32)))
        vertices = torch.from_numpy(mesh.vertices.astype(np.float32))
        eyes = torch.tensor([get_points_from_angles(2.732, 30.0, -15.0 * k) for k in range(batch)])
        cubes = torch.full((batch, len(index), 2, 2, 2, 3), 0.5)

        def draw(corners: Tensor, texels: Tensor) -> Tensor:
            if mode == "rgb":
                return nr.rasterize(corners, texels, 256)
            return getattr(nr, f"rasterize_{mode}")(corners, 256)

        def corners_of(shape: Tensor) -> Tensor:
            screen = perspective(look_at(shape.expand(batch, -1, -1), eyes), 30.0)
            return vertices_to_faces(screen, index)

        start = corners_of(0.8 * vertices)
        target = draw(corners_of(vertices * torch.tensor([0.5, 1.0, 0.7])), cubes)

        def step() -> object:
            leaf, texels = start.detach().requires_grad_(), cubes.detach().requires_grad_()
            picture = draw(leaf, texels)
            asked = (leaf, texels) if mode == "rgb" else (leaf,)
            return torch.autograd.grad(picture, asked, 2 * (picture.detach() - target))

        return step

    few = trimesh.creation.icosphere(subdivisions=3)
    many = trimesh.creation.uv_sphere(count=[160, 160])
    race(
        f"{mode} 256x256, {len(few.faces)} faces, batch {batch}, forward + backward, per picture",
        {"ours": side(few), f"(ours, {len(many.faces)} faces)": side(many)},
        rounds=5,
        per=batch,
    )
