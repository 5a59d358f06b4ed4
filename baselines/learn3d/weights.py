"""Checkpoints of learn3D's networks: the published pairs of files and this project's safetensors.

The original saves encoder and generator as two state_dicts, `last-E.ckpt` and `last-G.ckpt` (or
`best-`), in one folder a class. Naming the folder, or either file, reads both.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchbench.baselines.checkpoints import (
    HINT,
    Shapes,
    Tensors,
    check_finite,
    file_layout,
    other_architecture,
    read_metadata,
    read_safetensors,
)
from benchbench.baselines.learn3d.architecture import Widths, is_unused, widths_of
from benchbench.baselines.torch_files import read_state_dict
from benchbench.core.errors import InputError, MissingError
from benchbench.core.files import sha256_file, sha256_text

if TYPE_CHECKING:
    from benchbench.baselines.learn3d.network import Network

FORMAT = "benchbench-learn3d-1"
FORM = "form"  # where a checkpoint says for which form of data it was trained
_FLAGS = ("best", "last")
_PARTS = {"E": "encoder", "G": "generator"}
_ENDING = ".ckpt"


def read_checkpoint(path: str | Path, name: str = "learn3d") -> tuple[Widths, Tensors, str | None]:
    """Reads encoder and generator.

    Args:
        path: A safetensors file; a folder with `best-E.ckpt` and `best-G.ckpt` (else `last-`); or
            one file of such a pair.
        name: Baseline id, for messages.

    Returns:
        The widths found; the tensors under "encoder." and "generator." and their published names,
        without those that are never used; and the form of data, where the file says.

    Raises:
        MissingError: There is no such file, or the other one of the pair is missing.
        InputError: A file cannot be read.
        CheckError: They hold another architecture; the message names both.
    """
    path = Path(path)
    if path.is_dir():
        path = _pair_in(path)
    if file_layout(path) in ("torch", "zip"):
        tensors, form = _read_pair(path), None
        shapes = {key: value.shape for key, value in tensors.items()}
        _check(path, shapes, name)
    else:
        form = read_metadata(path).get(FORM)
        tensors = read_safetensors(
            path, lambda shapes: _check(path, shapes, name), "a state_dict of torch"
        )
    widths = widths_of({key: value.shape for key, value in tensors.items()})
    assert widths is not None  # checked before
    check_finite(path, tensors)
    return widths, tensors, form


def pair_hash(path: Path) -> str:
    """sha256 of a checkpoint: of the file, or of both hashes of a pair, the encoder's first."""
    if path.is_dir():
        path = _pair_in(path)
    if file_layout(path) == "safetensors":
        return sha256_file(path)
    return sha256_text(" ".join(sha256_file(file) for file in pair_of(path).values()))


def load_tensors(network: Network, tensors: Tensors) -> None:
    """Sets all weights of a network; the shapes are known to fit."""
    import torch

    with torch.no_grad():
        own = network.state_dict(keep_vars=True)
        for key, value in tensors.items():
            own[key].copy_(torch.tensor(value))


def tensors_of(network: Network) -> Tensors:
    """Copies of the weights that a prediction needs, by name."""
    return {
        key: value.detach().cpu().numpy().copy()
        for key, value in network.state_dict().items()
        if not is_unused(key.split(".", 1)[1])
    }


def pair_of(path: Path) -> dict[str, Path]:
    """Both files of a pair, under "E" and "G", from either.

    Raises:
        InputError: The name does not say which one it is.

    Example:
        >>> sorted(p.name for p in pair_of(Path("run/last-G.ckpt")).values())
        ['last-E.ckpt', 'last-G.ckpt']
    """
    for part in _PARTS:
        mark = f"-{part}{_ENDING}"
        if path.name.endswith(mark):
            stem = path.name.removesuffix(mark)
            return {one: path.with_name(f"{stem}-{one}{_ENDING}") for one in _PARTS}
    raise InputError(
        f"'{path.name}' is a state_dict of torch, but not one of a pair '*-E.ckpt' and '*-G.ckpt'",
        hint="name the two files as learn3D does: last-E.ckpt and last-G.ckpt",
    )


def _pair_in(folder: Path) -> Path:
    for flag in _FLAGS:
        path = folder / f"{flag}-E{_ENDING}"
        if path.is_file():
            return path
    raise MissingError(
        f"folder '{folder}' has neither best-E.ckpt nor last-E.ckpt",
        hint="name a file with --checkpoint",
    )


def _read_pair(path: Path) -> Tensors:
    tensors: Tensors = {}
    for part, file in pair_of(path).items():
        for key, value in read_state_dict(file).items():
            if not is_unused(key):
                tensors[f"{_PARTS[part]}.{key}"] = value
    return tensors


def _check(path: Path, shapes: Shapes, name: str) -> None:
    if not shapes:
        raise InputError(f"checkpoint '{path}' holds no tensors", HINT)
    if widths_of(shapes) is None:
        wanted = f"{Widths()} (any widths, conv or resnet18) under keys like " + (
            "encoder.convBlocks.0.weight and generator.bias_layer.weight"
        )
        raise other_architecture(path, shapes, name, wanted)
