"""DIB-R's checkpoints: the authors' bare state_dict beside this project's safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchbench.baselines.checkpoints import (
    HINT,
    Tensors,
    check_finite,
    file_layout,
    other_architecture,
    read_metadata,
    read_safetensors,
)
from benchbench.baselines.dibr.architecture import Widths, widths_of
from benchbench.baselines.dibr.template import sphere
from benchbench.baselines.torch_files import read_state_dict
from benchbench.core.errors import CheckError, InputError

FORMAT = "benchbench-dibr-1"
PUBLISHED_SIZE = 224
SIZE = "image_size"  # side of the pictures, in a safetensors file's header
_TEMPLATE_ERROR = 2e-4  # what 16 bits make of a coordinate


def read_checkpoint(path: str | Path) -> tuple[Widths, int, Tensors]:
    """Reads the network from the authors' `.pth` or a `.safetensors` file.

    Returns:
        The widths found, the side of the pictures it was trained on in pixels, and the tensors as
        float32 by name.

    Raises:
        MissingError: There is no such file.
        InputError: The file cannot be read, holds objects, or claims absurd sizes.
        CheckError: It holds another architecture, the message names both; or another template.
    """
    path = Path(path)
    layout = file_layout(path)
    if layout in ("zip", "torch"):
        tensors, size = read_state_dict(path), PUBLISHED_SIZE
        _check(path, {name: value.shape for name, value in tensors.items()})
    else:
        tensors = read_safetensors(path, lambda shapes: _check(path, shapes), "a torch state_dict")
        size = _size(path)
    widths = widths_of({name: value.shape for name, value in tensors.items()})
    assert widths is not None  # checked before
    check_finite(path, tensors)
    template = sphere(widths.level)[0]
    if np.abs(tensors["template"] - template).max() > _TEMPLATE_ERROR:
        raise CheckError(
            f"checkpoint '{path}' deforms another template than the icosphere of "
            f"{widths.vertices} vertices, so its faces are unknown",
            hint=HINT,
        )
    if (tensors["template"].astype(np.float16) == tensors["template"]).all():
        tensors["template"] = template.copy()  # it was rounded
    return widths, size, tensors


def _check(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuses another architecture."""
    if widths_of(shapes) is None:
        wanted = f"{Widths()} (any widths) under keys like encoder.features.conv1.weight"
        raise other_architecture(path, shapes, "dibr", wanted)


def _size(path: Path) -> int:
    text = read_metadata(path).get(SIZE, str(PUBLISHED_SIZE))
    if not text.isascii() or not text.isdigit() or not 32 <= int(text[:9]) <= 1024:
        raise InputError(f"checkpoint '{path}' names pictures of '{text[:20]}' pixels", HINT)
    return int(text)
