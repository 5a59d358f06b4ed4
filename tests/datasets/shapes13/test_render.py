"""Pictures: every camera sees the object where it is, the right way round, in the right light."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from benchbench.datasets import drawing
from benchbench.datasets.cameras import Camera, Cameras, choy_cameras, project
from benchbench.datasets.shapes13 import render
from benchbench.datasets.shapes13.assembly import Assembly
from benchbench.datasets.shapes13.generate import Shape, generate
from benchbench.datasets.shapes13.parts import box

Maker = Callable[[Shape], tuple[np.ndarray, Cameras]]


@pytest.fixture(scope="module")
def corner() -> Shape:
    """An object without any symmetry: a red arm to +x, a green one to +y, a blue one to +z."""
    assembly = Assembly()
    assembly.add("red", box((-0.1, -0.1, -0.1), (1.0, 0.1, 0.1)))
    assembly.add("green", box((-0.1, 0, -0.1), (0.1, 0.7, 0.1)))
    assembly.add("blue", box((-0.05, -0.05, 0), (0.05, 0.05, 0.45)))
    colours = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}
    return dataclasses.replace(generate("lamp", 0), colours=colours, solid=assembly.finish())


def camera(cameras: render.Cameras, view: int) -> Camera:
    return Camera(cameras.world_to_camera[view], cameras.intrinsics[view])


@pytest.mark.parametrize("make", [render.kato_pictures, render.choy_pictures, render.wild_pictures])
def test_vertices_fall_in_the_mask_of_every_view(corner: Shape, make: Maker) -> None:
    for shape in (corner, generate("sofa", 1)):
        pictures, cameras = make(shape)
        size = pictures.shape[1]
        for view in range(24):
            pixels, depth = project(camera(cameras, view), shape.solid.vertices)
            assert (depth > 0).all()
            mask = pictures[view, ..., 3] > 0
            padded = np.pad(mask, 1)
            wide = np.zeros_like(mask)
            for row in range(3):
                for column in range(3):
                    wide |= padded[row : row + size, column : column + size]
            column, row = np.floor(pixels).astype(int).T
            inside = (column >= 0) & (column < size) & (row >= 0) & (row < size)
            share = wide[row[inside], column[inside]].mean()
            # A leg's end may be thinner than the distance of two samples; the arms are not.
            assert share == 1 if shape is corner else share > 0.97, (view, share)
            # And the mask reaches as far as the vertices do, but for half-covered pixels.
            if inside.all():
                found = np.argwhere(mask)
                low, high = pixels.min(0), pixels.max(0)
                assert abs(found.min(0)[::-1] - low).max() < 2
                assert abs(found.max(0)[::-1] + 1 - high).max() < 2


def seen(picture: np.ndarray, channel: int) -> np.ndarray:
    """Middle (row, column) of the pixels of one pure colour."""
    others = [c for c in range(3) if c != channel]
    own = (picture[..., channel] > 40) & (picture[..., others].max(-1) < 10)
    return np.argwhere(own).mean(0)


def test_view_0_looks_from_plus_x_and_view_6_from_plus_z(corner: Shape) -> None:
    pictures, _ = render.kato_pictures(corner)
    red, green, blue = 0, 1, 2
    # From +x: up is +y, and +z is to the left of the picture.
    assert seen(pictures[0], green)[0] < seen(pictures[0], red)[0]
    assert seen(pictures[0], blue)[1] < seen(pictures[0], red)[1] - 5
    # From +z: +x is to the right.
    assert seen(pictures[6], red)[1] > seen(pictures[6], green)[1] + 5
    # From -x: +z is to the right.
    assert seen(pictures[12], blue)[1] > seen(pictures[12], green)[1] + 3
    # From -z: +x is to the left.
    assert seen(pictures[18], red)[1] < seen(pictures[18], green)[1] - 5


def test_choy_cameras_are_those_of_the_raw_frame(corner: Shape) -> None:
    _, cameras = render.choy_pictures(corner)
    raw = corner.solid.vertices / render.diagonal(corner.solid.vertices)
    for view in range(24):
        row = cameras.parameters[view : view + 1]
        theirs = choy_cameras(row)
        expected, _ = project(camera(theirs, 0), raw)
        found, _ = project(camera(cameras, view), corner.solid.vertices)
        np.testing.assert_allclose(found, expected, atol=1e-9)
    azimuth, elevation, turn, ratio, field = cameras.parameters.T
    assert ((azimuth >= 0) & (azimuth < 360)).all()
    assert ((elevation >= 25) & (elevation <= 30)).all()
    assert ((ratio >= 0.65) & (ratio <= 0.95)).all()
    assert (turn == 0).all()
    assert (field == 25).all()


def test_wild_cameras_by_eye_target_and_up(corner: Shape) -> None:
    pictures, cameras = render.wild_pictures(corner)
    points = corner.solid.vertices
    radius = np.linalg.norm(np.ptp(points, axis=0)) / 2
    for view, (azimuth, elevation, distance, field) in enumerate(cameras.parameters):
        a, e = np.radians(azimuth), np.radians(elevation)
        toward = np.array([np.cos(a) * np.cos(e), np.sin(e), np.sin(a) * np.cos(e)])
        right = np.cross(-toward, [0.0, 1.0, 0.0]) / np.cos(e)
        down = np.cross(-toward, right)
        seen = points - distance * toward
        expected = np.stack([seen @ right, seen @ down], -1) / (seen @ -toward)[:, None]
        expected = 137 / 2 * (1 + expected / np.tan(np.radians(field) / 2))
        found, _ = project(camera(cameras, view), points)
        np.testing.assert_allclose(found, expected, atol=1e-9)
        assert ((found >= 0) & (found <= 137)).all()  # nothing is cut off
        fill = np.tan(np.arcsin(radius / distance)) / np.tan(np.radians(field) / 2)
        assert 0.6 - 1e-5 <= fill <= 1 + 1e-5
        assert pictures[view, ..., 3].any()


def test_wild_cameras_come_from_everywhere() -> None:
    rows = [render.wild_cameras(f"03636649/lamp{n:04d}", 0, 0.7).parameters for n in range(100)]
    azimuth, elevation, distance, field = np.concatenate(rows).T
    for values, low, high in ((azimuth, 0, 360), (elevation, -20, 60), (field, 15, 75)):
        assert low <= values.min() and values.max() <= high
        counts = np.histogram(values, 8, (low, high))[0]
        assert abs(counts - 300).max() < 5 * 300**0.5  # uniform: 2,400 views in eight parts
    assert distance.max() / distance.min() > 5


@pytest.mark.parametrize("make", [render.choy_pictures, render.wild_pictures])
def test_random_cameras_are_a_function_of_seed_and_id(corner: Shape, make: Maker) -> None:
    first = make(corner)[1].parameters
    again = make(corner)[1].parameters
    other = make(dataclasses.replace(corner, id="03636649/lamp0001"))[1].parameters
    np.testing.assert_array_equal(first, again)
    assert (first[:, 0] != other[:, 0]).all()


def test_pixels_are_straight_alpha_means_of_four_samples() -> None:
    shape = generate("chair", 2)
    pictures, cameras = render.kato_pictures(shape)
    assert set(np.unique(pictures[..., 3])) <= {0, 64, 128, 191, 255}
    assert (pictures[pictures[..., 3] == 0] == 0).all()
    # A slow twin from the same face map: loops over pixels, floats, no packing.
    import torch

    from benchbench.cuda_ops.rasterize import rasterize_maps

    screen = drawing.to_screen(shape.solid.vertices, cameras, 64, 64)[3:4]
    corners = torch.from_numpy(screen[:, shape.solid.faces].astype(np.float32))
    index = rasterize_maps(corners, 128, 128, 0.1, 100.0)[0][0].numpy()
    colours = render.shaded(shape).astype(float)
    for row in range(64):
        for column in range(64):
            hits = [
                i
                for i in index[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].ravel()
                if i >= 0
            ]
            alpha = int(np.floor(255 * len(hits) / 4 + 0.5))
            mean = np.mean([colours[i] for i in hits], 0) if hits else np.zeros(3)
            expected = [*np.floor(mean + 0.5).astype(int), alpha]
            assert pictures[3, row, column].tolist() == expected


def test_light_by_hand(corner: Shape) -> None:
    lit = render.shaded(corner)
    solid = corner.solid
    points = solid.vertices[solid.faces]
    normals = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    up = normals[:, 1] / np.linalg.norm(normals, axis=1) > 0.999
    green = solid.colours == solid.palette.index("green")
    # 0.42 + 0.5 * 0.8 / |(0.45, 0.8, 0.25)| + 0.22 * 0.3 / |(-0.2, 0.3, -0.9)|
    #      + 0.12 * 0.1 / |(0.85, 0.1, 0.5)|
    light = 0.42 + 0.5 * 0.8 / 0.951315 + 0.22 * 0.3 / 0.969536 + 0.12 * 0.1 / 0.991211
    expected = round(255 * light)
    assert (lit[up & green][:, 1] == expected).all()
    assert (lit[up & green][:, [0, 2]] == 0).all()


def test_neighbouring_sides_differ_in_brightness(corner: Shape) -> None:
    solid = corner.solid
    points = solid.vertices[solid.faces]
    normals = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    normals = np.rint(normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(int)
    green = solid.colours == solid.palette.index("green")
    levels = {}
    for normal, colour in zip(normals[green].tolist(), render.shaded(corner)[green], strict=True):
        levels[tuple(normal)] = int(colour[1])
    assert len(set(levels.values())) == len(levels) >= 4
