"""A small fake of 3D-R2N2's two archives, as folders and as archives.

The object is asymmetric, and its voxels are boxes written down by hand, so that any exchanged or
mirrored axis shows. The pictures are painted by a camera written from eye, target and up vector,
not by the code under test.
"""

from __future__ import annotations

import io
import itertools
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

SYNSETS = ("02691156", "03001627", "04530566")
SIZE = 137


def hand_made_cells(height: int = 26) -> np.ndarray:
    """An arm along x (the longest), a lower one along y, a short one along z, one corner apart."""
    cells = np.zeros((32, 32, 32), bool)
    cells[0:32, 4:8, 4:8] = True  # along x, over the whole cube
    cells[0:4, 4:height, 4:8] = True  # up at the low-x end
    cells[0:4, 4:8, 4:16] = True  # towards +z at the low-x end
    cells[28:32, 4:8, 4:28] = True  # long towards +z at the high-x end
    return cells


def slow_binvox(cells: np.ndarray, translate: str, scale: str) -> bytes:
    """binvox by the letter: x slowest, then z, y fastest; runs of at most 255."""
    flat = [
        bool(cells[x, y, z])
        for x in range(cells.shape[0])
        for z in range(cells.shape[2])
        for y in range(cells.shape[1])
    ]
    body = bytearray()
    for value, run in itertools.groupby(flat):
        length = len(list(run))
        while length:
            piece = min(length, 255)
            body += bytes([int(value), piece])
            length -= piece
    header = f"#binvox 1\ndim 32 32 32\ntranslate {translate}\nscale {scale}\ndata\n"
    return header.encode() + bytes(body)


def paint(points: np.ndarray, azimuth: float, elevation: float, ratio: float) -> np.ndarray:
    """A picture of points (raw frame, y up) by the camera of 3D-R2N2's renderer: (137,137,4)."""
    az, el = np.radians(azimuth), np.radians(elevation)
    distance = 1.75 * ratio
    toward = np.array([np.cos(az) * np.cos(el), np.sin(el), np.sin(az) * np.cos(el)])
    forward = -toward
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    relative = points - distance * toward
    depth = relative @ forward
    focal = 35.0 / 32.0 * SIZE
    columns = SIZE / 2 + focal * (relative @ right) / depth
    rows = SIZE / 2 - focal * (relative @ up) / depth
    image = np.zeros((SIZE, SIZE, 4), np.uint8)
    image[..., 0] = 7  # RGB under alpha 0 is not 0 in the genuine files either
    for dr, dc in itertools.product((-2, -1, 0, 1, 2), repeat=2):
        r = np.clip(np.floor(rows).astype(int) + dr, 0, SIZE - 1)
        c = np.clip(np.floor(columns).astype(int) + dc, 0, SIZE - 1)
        image[r, c] = (200, 120, 60, 255)
    return image


def png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image, "RGBA").save(stream, "PNG")
    return stream.getvalue()


def raw_points(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell centres in the raw frame (box diagonal 1, centred), and the raw box's sides."""
    index = np.argwhere(cells)
    sides = (index.max(0) + 1 - index.min(0)) / 32
    centre = (index.max(0) + 1 + index.min(0)) / 2
    diagonal = np.linalg.norm(sides)
    return (index + 0.5 - centre) / 32 / diagonal, sides / diagonal


def model_files(cells: np.ndarray, seed: int) -> tuple[dict[str, bytes], bytes]:
    """Rendering folder and binvox of one object; voxels are centred in the cube by the caller."""
    rng = np.random.default_rng(seed)
    points, sides = raw_points(cells)
    files: dict[str, bytes] = {}
    lines = []
    for view in range(24):
        azimuth, elevation, ratio = (
            rng.uniform(0, 360),
            rng.uniform(25, 30),
            rng.uniform(0.65, 0.95),
        )
        lines.append(f"{azimuth!r} {elevation!r} 0 {ratio!r} 25")
        files[f"{view:02d}.png"] = png(paint(points, azimuth, elevation, ratio))
    files["rendering_metadata.txt"] = ("\n".join(lines) + "\n").encode()
    names = "".join(f"{view:02d}.png\n" for view in range(24))
    files["renderings.txt"] = names.encode()
    low = " ".join(repr(float(-side / 2)) for side in sides)
    return files, slow_binvox(cells, low, repr(float(sides.max())))


def centred_cells(height: int) -> np.ndarray:
    """`hand_made_cells` moved so that its box is centred in the cube, as binvox -cb does."""
    cells = hand_made_cells(height)
    index = np.argwhere(cells)
    shift = (32 - (index.max(0) + 1 + index.min(0))) // 2
    return np.roll(cells, tuple(shift), axis=(0, 1, 2))


def make_models() -> dict[str, tuple[dict[str, bytes], bytes, np.ndarray]]:
    """ "synset/model" -> rendering files, binvox bytes, cells: 3 classes of 4 objects."""
    models = {}
    for number, (synset, name) in enumerate(itertools.product(SYNSETS, "abcd")):
        cells = centred_cells(height=14 + 2 * (number % 4))  # even sides: exactly centred
        files, binvox = model_files(cells, number)
        models[f"{synset}/{name}{number:031x}"] = (files, binvox, cells)
    return models


def write_folders(models: dict, folder: Path) -> Path:
    for key, (files, binvox, _) in models.items():
        inner = folder / "ShapeNetRendering" / key / "rendering"
        inner.mkdir(parents=True)
        for name, data in files.items():
            (inner / name).write_bytes(data)
        voxels = folder / "ShapeNetVox32" / key
        voxels.mkdir(parents=True)
        (voxels / "model.binvox").write_bytes(binvox)
    return folder


def members(models: dict, what: str) -> list[tuple[str, bytes]]:
    """Archive members of one of the two archives, in an order that is not sorted."""
    listed = []
    for key in reversed(list(models)):
        files, binvox, _ = models[key]
        if what == "ShapeNetVox32":
            listed.append((f"{what}/{key}/model.binvox", binvox))
        else:
            listed += [(f"{what}/{key}/rendering/{n}", d) for n, d in reversed(files.items())]
    return listed


def tgz(listed: list[tuple[str, bytes]]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as tar:
        for name, data in listed:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def write_archives(models: dict, folder: Path) -> Path:
    for what in ("ShapeNetRendering", "ShapeNetVox32"):
        (folder / f"{what}.tgz").write_bytes(tgz(members(models, what)))
    return folder
