"""The strip of 16 sides: where things are in it, and the original's pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchbench.core.types import Mesh
from benchbench.reconstruction.strip import strip_of_object, tile, views_of


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Mesh:
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    vertices = np.array(low) + corners * (np.array(high) - np.array(low))
    faces = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
             [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]  # fmt: skip
    return Mesh(vertices.astype(np.float32), np.array(faces, np.int32))


def centre(strip: np.ndarray, view: int) -> tuple[float, float]:
    """(row, column) of the middle of what a view shows, from the middle of that view."""
    row, column = divmod(view, 4)
    part = strip[64 * row : 64 * row + 64, 64 * column : 64 * column + 64].any(axis=2)
    rows, columns = np.nonzero(part)
    return float(rows.mean() - 31.5), float(columns.mean() - 31.5)


@pytest.mark.parametrize(
    ("view", "left"),
    # View 0 looks from the front (+x), so +z is to its left; each next one stands 22.5 degrees
    # further towards -z, so in view 4, from there, +x is to the left.
    [(0, "z"), (8, "-z"), (4, "x"), (12, "-x")],
)
def test_which_side_is_which(view: int, left: str) -> None:
    axis, sign = "xyz".index(left[-1]), -1 if left.startswith("-") else 1
    low, high = np.full(3, -0.05), np.full(3, 0.05)
    low[axis], high[axis] = sorted((sign * 0.3, sign * 0.4))
    strip = strip_of_object(box(tuple(low), tuple(high)))
    row, column = centre(strip, view)
    # 0.35 of the 0.732 units that half the picture sees at the object's distance: 15 pixels
    assert -17 < column < -13
    assert abs(row) < 2


def test_up_is_up() -> None:
    strip = strip_of_object(box((-0.05, 0.3, -0.05), (0.05, 0.4, 0.05)))
    for view in range(16):
        row, column = centre(strip, view)
        assert -16 < row < -12  # 0.35 cos 30 degrees, a little nearer the camera
        assert abs(column) < 1


def test_tops_are_lit() -> None:
    # Half ambient light, and half from above on what faces up: 255 on top, 127 at the sides.
    strip = strip_of_object(box((-0.3, -0.3, -0.3), (0.3, 0.3, 0.3)))
    levels, counts = np.unique(strip[:64, :64], return_counts=True)
    assert set(levels[counts > 150].tolist()) == {0, 127, 255}


def test_pictures_are_tiled_row_by_row() -> None:
    views = np.zeros((16, 3, 64, 64), np.float32)
    views[6, :, 10, 20] = (0.0, 0.5, 2.0)
    strip = tile(views)
    assert strip.shape == (256, 256, 3) and strip.dtype == np.uint8
    assert strip[64 + 10, 128 + 20].tolist() == [0, 127, 255]  # truncated, cut
    assert np.count_nonzero(strip) == 2


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray]:
    lines = [line.split() for line in path.read_text().splitlines()]
    vertices = [list(map(float, words[1:4])) for words in lines if words and words[0] == "v"]
    faces = [[int(w) - 1 for w in words[1:4]] for words in lines if words and words[0] == "f"]
    return np.array(vertices, np.float32), np.array(faces, np.int32)


@pytest.mark.parametrize("name", ["airplane", "car", "chair"])
def test_the_published_meshes(shared: Path, name: str) -> None:
    with np.load(shared / "oracles" / "kato" / "reconstruct_views.npz") as arrays:
        wanted_views, wanted = arrays[f"{name}_views"], arrays[f"{name}_strip"]
    folder = shared / "author_data" / "kato_examples"
    vertices, faces = read_obj(folder / f"{name}_out.obj")
    views = views_of(vertices, faces)
    assert 255 * np.abs(views - wanted_views).mean() < 0.02
    strip = tile(views).astype(np.int64)
    assert np.abs(strip - wanted).mean() < 0.02
    with Image.open(folder / f"{name}_out.png") as picture:  # drawn by another GPU, years ago
        assert np.abs(strip - np.asarray(picture.convert("RGB"))).mean() < 0.03
    x, y, z = vertices.T
    object_frame = Mesh(np.stack([-z, y, -x], axis=1), faces[:, ::-1])
    assert (strip_of_object(object_frame) == strip).all()
