"""Finds, loads and calls the compiled kernels.

The libraries of the install are used when they were made from exactly these sources; otherwise
the first use builds them into a cache under the data root, keyed by sources, compiler and flags.
Importing never builds. A failure is remembered and told again with both causes.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchbench.core.errors import BenchError, MissingError
from benchbench.core.files import FileLock
from benchbench.core.notices import notice
from benchbench.core.paths import data_root
from benchbench.cuda_ops import build

INSTALL_FOLDER = Path(__file__).resolve().parent / "_lib"


class KernelError(BenchError):
    """A compiled kernel is absent, or a launch failed."""

    exit_code = 3


@dataclass
class _State:
    """What this process has learned about its libraries."""

    loaded: dict[str, ctypes.CDLL] = field(default_factory=dict)
    failed: dict[str, KernelError] = field(default_factory=dict)
    forked: bool = False


_state = _State()


def _after_fork() -> None:
    _state.forked = True


os.register_at_fork(after_in_child=_after_fork)


def threads() -> int:
    """How many threads a kernel may use now.

    `torch.get_num_threads()`, but 1 in forked children and DataLoader workers: OpenMP hangs in
    a fork of a process that has already run in parallel.
    """
    if _state.forked or torch.utils.data.get_worker_info() is not None:
        return 1
    return torch.get_num_threads()


def cpu_level() -> str:
    """The best instruction-set level of this processor, out of `build.cpu_levels()`.

    `BENCH_CPU_LEVEL` overrides it (used by the test that demands equal bits on all levels).
    """
    if forced := os.environ.get("BENCH_CPU_LEVEL"):
        return forced
    levels = build.cpu_levels()
    if levels == ("generic",):
        return "generic"
    flags = _processor_flags()
    needs = {
        "x86-64-v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
        "x86-64-v3": {"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe"},
    }
    v3 = needs["x86-64-v3"] <= flags
    if v3 and needs["x86-64-v4"] <= flags:
        return "x86-64-v4"
    return "x86-64-v3" if v3 else "x86-64"


def available(device: str | torch.device) -> bool:
    """Whether compiled kernels for a device type ("cpu" or "cuda") can be used here."""
    try:
        _load(torch.device(device).type)
    except KernelError:
        return False
    return True


def why_unavailable(device: str) -> str | None:
    """The reason why `available(device)` is False, or None."""
    return None if available(device) else str(_state.failed[device])


def location(device: str) -> str | None:
    """Path of the loaded library of a device type, or None."""
    return str(_load(device)._name) if available(device) else None


def function(name: str, device: str | torch.device, argtypes: Sequence[Any]) -> Callable[..., int]:
    """A C function of the library of `device`; "_cuda" is added to its name there.

    Args:
        name: For example "bench_nearest".
        device: Where the tensors live.
        argtypes: ctypes of the arguments, without the last one, which is the number of threads
            (CPU) or the stream (CUDA).

    Raises:
        KernelError: The library is not there.
    """
    return _function(name, torch.device(device).type, tuple(argtypes))


@functools.cache
def _function(name: str, kind: str, argtypes: tuple[Any, ...]) -> Callable[..., int]:
    library = _load(kind)
    symbol = name if kind == "cpu" else f"{name}_cuda"
    try:
        found = library[symbol]
    except AttributeError as error:
        raise KernelError(f"kernel '{symbol}' is not in '{library._name}'") from error
    found.argtypes = [*argtypes, ctypes.c_int if kind == "cpu" else ctypes.c_void_p]
    found.restype = ctypes.c_int
    return found


def call(name: str, device: torch.device, argtypes: Sequence[Any], *arguments: Any) -> None:
    """Calls a kernel on `device`: CPU with today's thread count, CUDA on the current stream.

    Raises:
        KernelError: The library is absent or the kernel reports an error.
    """
    kernel = function(name, device, argtypes)
    if device.type == "cuda":
        with torch.cuda.device(device):
            code = kernel(*arguments, torch.cuda.current_stream(device).cuda_stream)
    else:
        code = kernel(*arguments, threads())
    if code != 0:
        raise KernelError(
            f"kernel '{name}' failed on {device} with code {code}", hint="bench doctor"
        )


def pointer(tensor: Tensor | None) -> int | None:
    """Address of a contiguous tensor's data for a `ctypes.c_void_p` argument."""
    return None if tensor is None else tensor.data_ptr()


def _load(kind: str) -> ctypes.CDLL:
    if kind in _state.loaded:
        return _state.loaded[kind]
    if kind in _state.failed:
        raise _state.failed[kind]
    if kind not in ("cpu", "cuda"):
        raise KernelError(f"no kernels for device '{kind}'", hint="use device 'cpu' or 'cuda'")
    try:
        _state.loaded[kind] = ctypes.CDLL(str(_find(kind)))
    except (build.BuildError, OSError, MissingError) as error:
        hint = getattr(error, "hint", None) or "bench doctor --build"
        _state.failed[kind] = KernelError(f"no compiled {kind} kernels: {error}", hint=hint)
        if kind == "cpu":  # everything still works, a hundred times slower: say so once
            reason = str(error).splitlines()[0]
            notice(f"no compiled kernels, plain torch instead ({reason}); hint: {hint}")
        raise _state.failed[kind] from error
    return _state.loaded[kind]


def _find(kind: str) -> Path:
    """The library file, built now if need be."""
    name = build.CUDA_LIBRARY if kind == "cuda" else build.cpu_library(cpu_level())
    if build.is_current(kind, INSTALL_FOLDER) and (INSTALL_FOLDER / name).exists():
        return INSTALL_FOLDER / name
    folder = data_root() / "kernels" / f"{kind}-{build.fingerprint(kind)}"
    if build.is_current(kind, folder) and (folder / name).exists():
        return folder / name  # without the lock: the place may be shared and read-only
    with FileLock(folder.parent / f"{folder.name}.lock", f"the {kind} kernels"):
        if not (build.is_current(kind, folder) and (folder / name).exists()):
            notice(f"building the {kind} kernels into {folder}")
            build.build(kind, folder)
    return folder / name


@functools.cache
def _processor_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    for line in lines:
        if line.startswith("flags"):
            return frozenset(line.split(":", 1)[1].split())
    return frozenset()
