"""Reading the state_dicts of other programs: torch's files, old stream and new zip, without code.

torch reads them with `weights_only`, which builds tensors and refuses everything else. What that
leaves open is closed before: a file must be one of the two layouts (the tar files of torch 0.1 are
refused, which older versions read without that guard), and a zip must not unpack to more than it
may.
"""

from __future__ import annotations

import pickle  # noqa: TID251 (only the name of its error)
import struct
import zipfile
from pathlib import Path

import numpy as np

from benchbench.baselines.checkpoints import HINT, Tensors, file_layout
from benchbench.core.errors import InputError

MAX_BYTES = 2 << 30
# A stream begins with torch's magic number 0x1950a86a20f9469cfc6c as pickled.
_STREAM = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

# A damaged stream fails in any of torch's ways.
_FAILURES = (
    pickle.UnpicklingError,
    RuntimeError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ImportError,
    OverflowError,
    OSError,
    MemoryError,
    struct.error,
)


def read_state_dict(path: str | Path) -> Tensors:
    """The float tensors of a state_dict that torch saved.

    Args:
        path: A file of `torch.save(module.state_dict())`, of any version since 0.4.

    Returns:
        Tensors as float32 by name; integers (batch norm's counters) are left out, since nothing
        that predicts needs them.

    Raises:
        MissingError: There is no such file.
        InputError: It is no such file, is damaged, or holds something else than tensors.
    """
    import torch

    path = Path(path)
    _check_layout(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251
    except _FAILURES as error:
        raise _unreadable(path, error) from error
    if not isinstance(content, dict):
        raise InputError(f"checkpoint '{path}' holds a {type(content).__name__}, no state_dict")
    tensors: Tensors = {}
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise InputError(
                f"checkpoint '{path}' holds {key!r} of type {type(value).__name__}, no tensor",
                hint="a state_dict alone is read, not a whole training state",
            )
        if value.is_floating_point() and not value.is_sparse and not value.is_quantized:
            if value.numel() * 4 > MAX_BYTES:
                raise InputError(f"checkpoint '{path}': {key} claims shape {tuple(value.shape)}")
            tensors[key] = np.array(value.detach().to(torch.float32).numpy())
    return tensors


def _check_layout(path: Path) -> None:
    layout = file_layout(path)
    size = path.stat().st_size
    if layout == "torch":
        with path.open("rb") as file:
            start = file.read(len(_STREAM))
        if start == _STREAM and size <= MAX_BYTES:
            return
        raise _unreadable(path, "no torch stream, or too large")
    if layout != "zip":
        raise _unreadable(path, "neither torch's stream nor its zip")
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _unreadable(path, error) from error
    if unpacked > MAX_BYTES:
        raise InputError(f"checkpoint '{path}' unpacks to {unpacked} bytes; refused", hint=HINT)


def _unreadable(path: Path, why: object) -> InputError:
    text = " ".join(str(why).split())[:200] or type(why).__name__
    return InputError(f"checkpoint '{path}' cannot be read as torch's state_dict: {text}", HINT)
