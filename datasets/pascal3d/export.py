"""Writing solids of our own as a small PASCAL3D+ release: scenes, annotations, CAD models, lists.

Each solid stands in one picture of its own, in front of noise, seen by an annotated camera. Solids
with an even seed are of the VOC part and have a segmentation, with a second object of another class
in it; those with an odd one are of the ImageNet part. Solids of a class with the same mesh share a
CAD model. Part "train" is on the train lists, the others on the val lists.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchbench.core.errors import UsageError
from benchbench.core.types import Mesh
from benchbench.datasets.cameras import Cameras
from benchbench.datasets.drawing import draw, lit
from benchbench.datasets.exporting import Solid
from benchbench.datasets.pascal3d.camera import (
    CAD_TO_OBJECT_AXES,
    from_matlab,
    intrinsics,
    world_to_camera,
)
from benchbench.datasets.pascal3d.masks import VOC_NUMBERS, VOID, voc_colours
from benchbench.datasets.pascal3d.spec import CLASSES

Array = npt.NDArray[Any]

RELEASE = "PASCAL3D+_release1.1"
WIDTH, HEIGHT = 320, 240
VIEWPORT = 3000.0
_SUFFIX = {"pascal": "jpg", "imagenet": "JPEG"}


def export(solids: Iterable[Solid], folder: Path) -> None:
    """Write `PASCAL3D+_release1.1` with all its parts into a folder.

    Raises:
        UsageError: A solid is of another class.
    """
    root = folder / RELEASE
    cads: dict[str, list[Mesh]] = {}
    lists: dict[str, list[str]] = {}
    for number, solid in enumerate(solids):
        if solid.synset not in CLASSES:
            raise UsageError(
                f"'{solid.id}' is of none of the classes of pascal3d",
                hint=f"its classes are {', '.join(CLASSES)}",
            )
        wanted = CLASSES[solid.synset]
        mesh = cad_mesh(solid.mesh)
        index = _cad_index(cads.setdefault(wanted, []), mesh)
        source = "imagenet" if solid.seed % 2 else "pascal"
        image = f"n{solid.synset}_{number}" if solid.seed % 2 else f"2008_{number:06d}"
        scene = Scene(solid, mesh, VOC_NUMBERS[wanted])
        place = f"{wanted}_{source}/{image}"
        _write(root / "Images" / f"{place}.{_SUFFIX[source]}", _jpeg(scene.picture))
        _write(root / "Annotations" / f"{place}.mat", _annotation(wanted, image, index, scene))
        part = "train" if solid.part == "train" else "val"
        if source == "pascal":
            voc = root / "PASCAL" / "VOCdevkit" / "VOC2012"
            for what, numbers in (("Object", scene.objects), ("Class", scene.classes)):
                _write(voc / f"Segmentation{what}" / f"{image}.png", _png(numbers))
            lists.setdefault(f"PASCAL/VOCdevkit/VOC2012/ImageSets/Main/{part}.txt", []).append(
                image
            )
        else:
            lists.setdefault(f"Image_sets/{wanted}_imagenet_{part}.txt", []).append(image)
    for name, images in lists.items():
        _write(root / name, "".join(f"{image}\n" for image in images).encode())
    for wanted, meshes in cads.items():
        _write(root / "CAD" / f"{wanted}.mat", _cad_mat(wanted, meshes))
        for index, mesh in enumerate(meshes, 1):
            _write(root / "CAD" / wanted / f"{index:02d}.off", _off(mesh))


class Scene:
    """One solid before noise.

    Attributes:
        camera: azimuth, elevation, theta, distance, px, py.
        picture: (H, W, 3) uint8.
        visible: (H, W) bool, the solid's pixels.
        objects, classes: (H, W) uint8 numbers as in VOC's segmentations.
    """

    def __init__(self, solid: Solid, mesh: Mesh, number: int) -> None:
        rng = np.random.default_rng(solid.seed)
        azimuth, elevation = rng.uniform(0, 360), rng.uniform(5, 40)
        theta, distance = rng.uniform(-10, 10), rng.uniform(16, 20)
        px, py = WIDTH / 2 + rng.uniform(-30, 30), HEIGHT / 2 + rng.uniform(-20, 20)
        self.camera = (azimuth, elevation, theta, distance, px, py)
        to_pixels = from_matlab() @ intrinsics(1.0, VIEWPORT, px, py)
        matrix = world_to_camera(azimuth, elevation, theta, distance)
        cameras = Cameras(matrix[None], to_pixels[None], np.zeros((1, 0)))
        drawn = draw(mesh, lit(solid.mesh, solid.colours), cameras, HEIGHT, WIDTH)[0]
        self.visible = drawn[..., 3] >= 128
        noise = rng.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3)).repeat(8, 0).repeat(8, 1)
        self.picture = np.where(self.visible[..., None], drawn[..., :3], noise).astype(np.uint8)
        self.objects = np.where(self.visible, 2, 0).astype(np.uint8)
        self.objects[:12, :12] = 1  # somebody else
        self.classes = np.where(self.visible, number, 0).astype(np.uint8)
        self.classes[:12, :12] = 15
        self.objects[12, :12] = self.classes[12, :12] = VOID

    def box(self) -> list[float]:
        """x1, y1, x2, y2 from 1, inclusive."""
        rows, columns = np.flatnonzero(self.visible.any(1)), np.flatnonzero(self.visible.any(0))
        return [float(n) + 1 for n in (columns[0], rows[0], columns[-1], rows[-1])]


def cad_mesh(mesh: Mesh) -> Mesh:
    """A mesh of the object frame in the CAD frame: diagonal 1, centred, front at -y, z up."""
    vertices = np.asarray(mesh.vertices, np.float64) @ CAD_TO_OBJECT_AXES
    low, high = vertices.min(0), vertices.max(0)
    moved = (vertices - (low + high) / 2) / np.linalg.norm(high - low)
    return Mesh(moved, mesh.faces)  # double precision, as the release's files


def _cad_index(known: list[Mesh], mesh: Mesh) -> int:
    for index, other in enumerate(known, 1):
        if np.array_equal(other.vertices, mesh.vertices):
            return index
    known.append(mesh)
    return len(known)


def _annotation(wanted: str, image: str, index: int, scene: Scene) -> bytes:
    azimuth, elevation, theta, distance, px, py = scene.camera
    viewpoint = {
        "azimuth_coarse": float(round(azimuth / 45) * 45 % 360),
        "elevation_coarse": 0.0,
        "azimuth": azimuth,
        "elevation": elevation,
        "theta": theta,
        "distance": distance,
        "focal": 1.0,
        "px": px,
        "py": py,
        "viewport": VIEWPORT,
    }
    unseen: dict[str, Any] = {"location": np.zeros((0, 0)), "status": 2.0}
    objects = np.zeros(2, dtype=[(name, object) for name in _FIELDS])
    objects[0] = ("person", [1.0, 1, 12, 12], 0, 0, 0, *[np.zeros((0, 0))] * 3)
    anchors = {"middle": {"location": [px, py], "status": 1.0}, "unseen": unseen}
    objects[1] = (wanted, scene.box(), 0, 0, 0, float(index), viewpoint, anchors)
    record = {
        "filename": f"{image}.jpg",
        "imgsize": [float(WIDTH), float(HEIGHT), 3.0],
        "segmented": True,
        "objects": objects,
    }
    return _mat({"record": record})


_FIELDS = (
    *("class", "bbox", "truncated", "occluded", "difficult"),
    *("cad_index", "viewpoint", "anchors"),
)


def _cad_mat(wanted: str, meshes: list[Mesh]) -> bytes:
    models = np.zeros(len(meshes), dtype=[(name, object) for name in ("vertices", "faces")])
    for n, mesh in enumerate(meshes):
        models[n] = (np.asarray(mesh.vertices), mesh.faces.astype(np.float64) + 1)
    return _mat({wanted: models})


def _off(mesh: Mesh) -> bytes:
    lines = ["OFF", f"{len(mesh.vertices)} {len(mesh.faces)} 0"]
    lines += [" ".join(repr(x) for x in row) for row in np.asarray(mesh.vertices).tolist()]
    lines += [" ".join(map(str, (3, *row))) for row in mesh.faces.tolist()]
    return ("\n".join(lines) + "\n").encode()


def _mat(variables: dict[str, Any]) -> bytes:
    import scipy.io

    stream = io.BytesIO()
    scipy.io.savemat(stream, variables, do_compression=True)
    data = bytearray(stream.getvalue())
    data[:116] = b"MATLAB 5.0 MAT-file".ljust(116)  # scipy writes the time
    return bytes(data)


def _jpeg(picture: Array) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def _png(numbers: Array) -> bytes:
    picture = Image.fromarray(numbers, "P")
    picture.putpalette(voc_colours().tobytes())
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
