"""One ambient and one directional light, applied to the textures of faces."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError

Colour = Tensor | Sequence[float]
_SHORTEST = 1e-5


def lighting(
    faces: Tensor,
    textures: Tensor,
    intensity_ambient: float = 0.5,
    intensity_directional: float = 0.5,
    color_ambient: Colour = (1, 1, 1),
    color_directional: Colour = (1, 1, 1),
    direction: Colour = (0, 1, 0),
) -> Tensor:
    """Multiplies each face's texture by the light that falls on the face.

    A face has one normal, n = (v0 - v1) x (v2 - v1) made unit; its light is
    `intensity_ambient * color_ambient + intensity_directional * color_directional *
    max(0, n . direction)` for each colour, not clamped. Gradient flows to textures and, through
    the normal, to the corners. `textures` is not changed.

    Args:
        faces: (B, F, 3, 3) corners in the world.
        textures: (B, F, T, T, T, 3).
        intensity_ambient: 0 leaves the term out.
        intensity_directional: 0 leaves the term out.
        color_ambient: (3,) or (B, 3).
        color_directional: (3,) or (B, 3).
        direction: (3,) or (B, 3), from the surface towards the light; not made unit.

    Returns:
        (B, F, T, T, T, 3).

    Raises:
        ShapeError: A colour or the direction has another shape.

    Example:
        >>> face = torch.tensor([[[[0.0, 0, 1], [0, 0, 0], [1, 0, 0]]]])  # looks up
        >>> lighting(face, torch.ones(1, 1, 2, 2, 2, 3))[0, 0, 0, 0, 0]
        tensor([1., 1., 1.])
        >>> lighting(face.flip(2), torch.ones(1, 1, 2, 2, 2, 3))[0, 0, 0, 0, 0]
        tensor([0.5000, 0.5000, 0.5000])
    """
    light, _ = face_lights(
        faces, intensity_ambient, intensity_directional, color_ambient, color_directional,
        direction,
    )  # fmt: skip
    return textures * light[:, :, None, None, None, :]


def face_lights(
    faces: Tensor,
    intensity_ambient: float = 0.5,
    intensity_directional: float = 0.5,
    color_ambient: Colour = (1, 1, 1),
    color_directional: Colour = (1, 1, 1),
    direction: Colour = (0, 1, 0),
) -> tuple[Tensor, Tensor]:
    """The light on the fronts and on the backs of faces, each (B, F, 3).

    Arguments are those of `lighting`. A back has the opposite normal.

    Example:
        >>> face = torch.tensor([[[[0.0, 0, 1], [0, 0, 0], [1, 0, 0]]]])  # looks up
        >>> [side[0, 0, 0].item() for side in face_lights(face)]
        [1.0, 0.5]
    """
    ambient = faces.new_zeros((faces.shape[0], faces.shape[1], 3))
    if intensity_ambient != 0:
        ambient = ambient + intensity_ambient * _rows("color_ambient", color_ambient, faces)
    if intensity_directional == 0:
        return ambient, ambient
    side = torch.linalg.cross(
        faces[:, :, 0] - faces[:, :, 1], faces[:, :, 2] - faces[:, :, 1], dim=-1
    )
    length = torch.linalg.vector_norm(side, dim=-1, keepdim=True)
    normal = side / length.clamp_min(_SHORTEST)
    toward = (normal * _rows("direction", direction, faces)).sum(-1, keepdim=True)
    colour = intensity_directional * _rows("color_directional", color_directional, faces)
    return ambient + colour * toward.relu(), ambient + colour * (-toward).relu()


def _rows(name: str, value: Colour, faces: Tensor) -> Tensor:
    """(1, 1, 3) or (B, 1, 3) on the device of the faces."""
    rows = torch.as_tensor(value, dtype=faces.dtype, device=faces.device)
    if rows.ndim == 1:
        rows = rows[None]
    if rows.ndim != 2 or rows.shape[1] != 3 or rows.shape[0] not in (1, len(faces)):
        raise ShapeError("lighting", name, f"(3,) or ({len(faces)}, 3)", tuple(rows.shape))
    return rows[:, None]
