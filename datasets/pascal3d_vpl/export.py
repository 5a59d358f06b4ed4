"""Writing solids of our own as View Prior Learning's PASCAL3D+ files, python-2 pickles included.

The scenes are those of `pascal3d`'s exporter. Solids of part "train" go into `<class>_train.npz`,
or into `<class>_imagenet.npz` where the seed is odd; the others into `<class>_val.npz`.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import UsageError
from benchbench.datasets.cameras import Cameras
from benchbench.datasets.drawing import draw, lit
from benchbench.datasets.exporting import Solid
from benchbench.datasets.pascal3d.camera import CAD_TO_OBJECT_AXES, SIZE, rotation
from benchbench.datasets.pascal3d.export import Scene, cad_mesh
from benchbench.datasets.pascal3d_vpl.convert import TURNED, B, reference_camera
from benchbench.datasets.pascal3d_vpl.spec import CLASSES
from benchbench.datasets.pickle_writing import pickle2
from benchbench.datasets.shapes13.voxels import unit_grid

Array = npt.NDArray[Any]

_FAR = 500.0  # for drawing: a tenth of a pixel, and the rasteriser can still tell depths apart


def export(solids: Iterable[Solid], folder: Path) -> None:
    """Write the npz files.

    Raises:
        UsageError: A solid is of another class.
    """
    rows: dict[str, list[dict[str, Array]]] = {}
    for solid in solids:
        if solid.synset not in CLASSES:
            raise UsageError(
                f"'{solid.id}' is of none of the classes of pascal3d-vpl",
                hint=f"its classes are {', '.join(CLASSES)}",
            )
        part = "val" if solid.part != "train" else "imagenet" if solid.seed % 2 else "train"
        rows.setdefault(f"{CLASSES[solid.synset]}_{part}", []).append(_row(solid))
    for name, found in rows.items():
        write_npz(folder / f"{name}.npz", {key: [row[key] for row in found] for key in found[0]})


def _row(solid: Solid) -> dict[str, Array]:
    mesh = cad_mesh(solid.mesh)
    scene = Scene(solid, mesh, 0)
    x1, y1, x2, y2 = scene.box()
    turn = TURNED @ rotation(*scene.camera[:3]) @ B
    matrix, to_pixels = reference_camera(turn, _FAR)
    cameras = Cameras(matrix[None], to_pixels[None], np.zeros((1, 0)))
    drawn = draw(mesh, lit(solid.mesh, solid.colours), cameras, SIZE, SIZE)[0]
    in_object_axes = np.asarray(mesh.vertices) @ CAD_TO_OBJECT_AXES.T
    cells = unit_grid(in_object_axes, mesh.faces)
    return {
        "images": scene.picture,
        "images_ref": drawn,
        "bounding_boxes": np.array([x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1], np.int64),
        "rotation_matrices": turn,
        "voxels": cells.transpose(0, 2, 1)[:, ::-1, :].astype(np.uint8),
    }


def write_npz(path: Path, arrays: dict[str, list[Array]], packed: bool = False) -> None:
    """An npz file as python 2's numpy wrote it, the array `images` as a pickle of objects.

    Args:
        path: Where to.
        arrays: Name to rows.
        packed: As savez_compressed.
    """
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, rows in arrays.items():
            data = io.BytesIO()
            if name == "images":
                objects = np.empty(len(rows), object)
                for place, row in enumerate(rows):  # one by one: numpy would look into them
                    objects[place] = row
                header: Any = {"descr": "|O", "fortran_order": False, "shape": objects.shape}
                np.lib.format.write_array_header_1_0(data, header)
                data.write(pickle2(objects))
            else:
                np.save(data, np.stack(rows), allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy")  # dated 1980
            member.compress_type = method
            archive.writestr(member, data.getvalue())
