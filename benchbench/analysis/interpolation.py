"""From one picture's shape to another's along a straight line between their codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchbench.core.errors import UsageError
from benchbench.core.types import Mesh
from benchbench.reconstruction.pictures import Picture, PictureFiles
from benchbench.reconstruction.strip import strip_of_object

STEPS = 5
_SIDES = (2, 6, 10, 14)  # of the 16 of a strip


def interpolate(baseline: Any, first: Picture, second: Picture, steps: int = STEPS) -> list[Mesh]:
    """Shapes at z0 + (z1 - z0) i / steps, for i from 0 to `steps`.

    Args:
        baseline: With `codes_of` and `decode`.
        first: (H, W, 4) uint8 RGBA.
        second: The same, of any size.
        steps: Parts that the line is cut into; learn3D's are 5.

    Returns:
        steps + 1 meshes in the object frame.

    Raises:
        UsageError: The method has no codes, or there are no steps.
    """
    if not hasattr(baseline, "codes_of"):
        raise UsageError(
            f"'{baseline.spec.id}' has no shape codes",
            hint="bench analyze interpolate A.png B.png --baseline learn3d",
        )
    if steps < 1:
        raise UsageError(f"a line in {steps} steps has no ends")
    ends = [baseline.codes_of(PictureFiles([one]), [(0, 0)])[0] for one in (first, second)]
    shares = torch.arange(steps + 1, device=ends[0].device) / steps
    codes = ends[0] + shares[:, None] * (ends[1] - ends[0])
    meshes: list[Mesh] = baseline.decode(codes).to_object()
    return meshes


def interpolation_strip(meshes: list[Mesh]) -> NDArray[np.uint8]:
    """A column for each shape, drawn from four sides: (256, 64 n, 3) uint8."""
    columns = []
    for mesh in meshes:
        strip = strip_of_object(mesh)
        cells = [strip[64 * (n // 4) :][:64, 64 * (n % 4) :][:, :64] for n in _SIDES]
        columns.append(np.concatenate(cells))
    return np.concatenate(columns, axis=1)
