"""From pictures and texture coordinates to the renderer's texture cubes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchbench.core.errors import InputError, UsageError
from benchbench.core.names import require

WRAPPINGS = ("REPEAT", "MIRRORED_REPEAT", "CLAMP_TO_EDGE", "CLAMP_TO_BORDER")


def texture_cubes(
    image: Tensor,
    uv: Tensor,
    texture_size: int,
    texture_wrapping: str = "REPEAT",
    use_bilinear: bool = True,
) -> Tensor:
    """Samples a picture at the texels of faces.

    Texel (i, j, k) is looked up at the mean of the three texture coordinates weighed by i, j and
    k; texel (0, 0, 0), which has no weights, at (0, 0). The corners' coordinates are wrapped, not
    the texels', as in the original: a face should not cross the border of the picture.

    Args:
        image: (H, W, 3), BOTTOM row first, so that v = 0 is row 0.
        uv: (F, 3, 2) coordinates of the corners; 0 and 1 are the outermost pixels' centres.
        texture_size: Side T of the cubes, at least 2.
        texture_wrapping: "REPEAT" keeps the part after the point of coordinates outside [0, 1]
            (an integer there becomes 1 where the face lies below it, else 0); "MIRRORED_REPEAT"
            turns every second repetition; "CLAMP_TO_EDGE" limits to [0, 1]; "CLAMP_TO_BORDER"
            makes the faces black.
        use_bilinear: Mean of four pixels, or the nearest one.

    Returns:
        (F, T, T, T, 3) like `image`.

    Example:
        >>> image = torch.tensor([[[0.0, 0, 0], [1, 1, 1]]])  # black left, white right
        >>> uv = torch.tensor([[[0.0, 0], [1, 0], [1, 0]]])
        >>> texture_cubes(image, uv, 2)[0, :, 1, 0, 0]
        tensor([1.0000, 0.5000])
    """
    require(texture_wrapping, WRAPPINGS, "texture wrapping")
    if texture_size < 2:
        raise UsageError(f"texture_size must be at least 2, got {texture_size}")
    cube = (len(uv), texture_size, texture_size, texture_size, 3)
    if texture_wrapping == "CLAMP_TO_BORDER":
        return image.new_zeros(cube)
    uv = wrap(uv.to(image), texture_wrapping)
    steps = torch.arange(texture_size, dtype=image.dtype, device=image.device)
    parts = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    parts = parts / parts.sum(-1, keepdim=True).clamp_min(1)
    height, width = image.shape[:2]
    # Summed corner by corner: a matrix product would round differently on each machine.
    place = sum(parts[:, k, None] * uv[:, None, k] for k in range(3))
    assert isinstance(place, Tensor)
    x, y = place[..., 0] * (width - 1), place[..., 1] * (height - 1)
    sampled = _bilinear(image, x, y) if use_bilinear else _nearest(image, x, y)
    return sampled.reshape(cube)


def wrap(uv: Tensor, texture_wrapping: str) -> Tensor:
    """Moves texture coordinates (F, 3, 2) into [0, 1]."""
    if texture_wrapping == "CLAMP_TO_EDGE":
        return uv.clamp(0, 1)
    if texture_wrapping == "MIRRORED_REPEAT":
        folded = uv.remainder(2)
        return torch.where(folded <= 1, folded, 2 - folded)
    inside = ((uv >= 0) & (uv <= 1)).all(1, keepdim=True)
    part = uv.remainder(1)
    upper = (part == 0) & (uv > uv.amin(1, keepdim=True))
    return torch.where(inside, uv, torch.where(upper, torch.ones_like(part), part))


def read_image(path: Path) -> Tensor:
    """A picture file as (H, W, 3) float32 in [0, 1], bottom row first; alpha is dropped.

    Raises:
        InputError: The file is absent or no picture.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
    except (OSError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise InputError(f"texture picture '{path}' cannot be read: {error}") from error
    return torch.from_numpy(pixels[::-1].copy())


def _bilinear(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    left, low = x.long(), y.long()
    right, high = (
        (left + 1).clamp_max(image.shape[1] - 1),
        (low + 1).clamp_max(image.shape[0] - 1),
    )
    to_right, to_high = (x - left)[..., None], (y - low)[..., None]
    return (
        image[low, left] * (1 - to_right) * (1 - to_high)
        + image[high, left] * (1 - to_right) * to_high
        + image[low, right] * to_right * (1 - to_high)
        + image[high, right] * to_right * to_high
    )


def _nearest(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return image[(y + 0.5).long(), (x + 0.5).long()]
