"""Where a method runs."""

from __future__ import annotations

import torch

from benchbench.core.errors import UsageError


def check_device(device: str) -> None:
    """Refuses a device that this machine does not have."""
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise UsageError(f"unknown device '{device}'", hint="--device cpu or cuda") from error
    if kind not in ("cpu", "cuda"):
        raise UsageError(f"device '{device}' is not supported", hint="--device cpu or cuda")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"no CUDA device for '{device}'", hint="--device cpu")
