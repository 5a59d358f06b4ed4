"""A shape as a classic script with its data inside, which a page in a folder may load."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np

from benchbench.core.types import Mesh

_MOST_FACES = 100_000  # of a mesh; larger ones are not for a web page
_STEPS = 65535


def shape_script(
    name: str, azimuth: float, prediction: Mesh | None, truth: Mesh | None
) -> bytes | None:
    """The script that hands a prediction and its truth to the viewer.

    Args:
        name: Of the file, as the page names it.
        azimuth: Degrees of the first look, as `benchbench.reconstruction.sheet.look` takes it.
        prediction: Object frame, or None.
        truth: Object frame, or None.

    Returns:
        ASCII text; None if a mesh is too large, or there is nothing to show.
    """
    meshes = [mesh for mesh in (prediction, truth) if mesh is not None]
    if not meshes or any(len(mesh.faces) > _MOST_FACES for mesh in meshes):
        return None
    content = {
        # The object frame's z axis points the other way round than that angle is counted.
        "azimuth": -azimuth,
        "prediction": None if prediction is None else mesh_data(prediction),
        "truth": None if truth is None else mesh_data(truth),
    }
    words = json.dumps(content, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return f"benchObject({json.dumps(name)},{words});\n".encode("ascii")


def mesh_data(mesh: Mesh) -> dict[str, Any]:
    """Corners as whole numbers over the cube from -half to half, little endian, in base64.

    Example:
        >>> corners = np.array([[-1, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32)
        >>> found = mesh_data(Mesh(corners, np.array([[0, 1, 2]], np.int32)))
        >>> found["half"], found["wide"]
        (1.0, False)
        >>> np.frombuffer(base64.b64decode(found["vertices"]), "<u2")[:3].tolist()
        [0, 32768, 65535]
        >>> np.frombuffer(base64.b64decode(found["faces"]), "<u2").tolist()
        [0, 1, 2]
    """
    vertices = np.asarray(mesh.vertices, np.float64)
    half = max(float(np.abs(vertices).max(initial=0)), 1e-6)
    places = np.rint((vertices / half + 1) / 2 * _STEPS).astype("<u2")
    wide = len(vertices) > _STEPS + 1
    faces = np.asarray(mesh.faces).astype("<u4" if wide else "<u2")
    return {
        "half": half,
        "wide": wide,
        "vertices": base64.b64encode(places.tobytes()).decode("ascii"),
        "faces": base64.b64encode(faces.tobytes()).decode("ascii"),
    }
