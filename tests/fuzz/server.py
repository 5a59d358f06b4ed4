"""Cases in child processes: a parent that has imported everything forks once a case.

A child may take 2 GB of memory more than its parent, some seconds of the processor, and open files
of its own folder only; a child that dies, hangs or raises anything but a `BenchError` is a fault.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wrapping import change, pick

from benchbench.core.errors import BenchError

MEMORY = 2 << 30  # bytes over the parent's
SECONDS = 10  # of the processor
_WALL = 120  # seconds; a busy machine stretches them
ROOT = Path(__file__).resolve().parents[2]

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Format:
    """A reader and valid files for it.

    Attributes:
        name: On the command line.
        seeds: Makes the valid folders, each relative path to bytes; called once.
        read: Reads everything in a folder; what it returns goes to `check`.
        check: Raises `AssertionError` if what was read is wrong; gets the result of the changed
            folder, that of its seed, the folder, and whether each byte that is read was guarded
            by a checksum that was left alone.
        alter: Changes a seed; None for one changed file as `wrapping` does it.
    """

    name: str
    seeds: Callable[[], list[Files]]
    read: Callable[[Path], Any]
    check: Callable[[Any, Any, Path, bool], None]
    alter: Callable[[Files, random.Random, bool], tuple[Files, bool]] | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        number: The case.
        kind: "read", "refused" or "fault".
        text: The error's sentence, or what went wrong.
        seconds: Wall time.
    """

    number: int
    kind: str
    text: str
    seconds: float


def make_case(
    form: Format, seeds: list[Files], number: int, seed: int
) -> tuple[Files, int, bool, str]:
    """Files of a case, the number of its seed, whether it is protected, what was changed.

    Even cases are changed as they are, odd ones below their checksums.
    """
    rng = random.Random(f"{form.name} {seed} {number}")
    which = rng.randrange(len(seeds))
    files = seeds[which]
    if form.alter is not None:
        changed, protected = form.alter(files, rng, number % 2 == 1)
        return changed, which, protected, ", ".join(sorted(changed))
    name = pick(list(files), rng)
    found = change(name, files[name], rng, number % 2 == 1)
    return {**files, name: found.data}, which, found.protected, name


def write_files(files: Files, folder: Path) -> None:
    """Put a case where it will be read."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def scratch() -> Path | None:
    """In memory where there is such a place: thousands of small files are written."""
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK) else None


def run(form: Format, numbers: Iterable[int], seed: int = 0) -> Iterator[Outcome]:
    """Runs cases one after the other.

    Raises:
        AssertionError: A seed itself cannot be read.
    """
    warnings.filterwarnings("error", category=RuntimeWarning, module="benchbench")
    seeds = form.seeds()
    with tempfile.TemporaryDirectory(dir=scratch()) as temporary:
        results = []
        for n, files in enumerate(seeds):
            folder = Path(temporary) / f"seed{n}"
            write_files(files, folder)
            results.append(form.read(folder))
            form.check(results[-1], results[-1], folder, True)
        gc.collect()
        gc.freeze()
        for number in numbers:
            start = time.monotonic()
            folder = Path(temporary) / "case"
            folder.mkdir()
            kind, text = _case(form, seeds, results, number, seed, folder)
            shutil.rmtree(folder)
            yield Outcome(number, kind, text, time.monotonic() - start)


def _case(
    form: Format, seeds: list[Files], results: list[Any], number: int, seed: int, folder: Path
) -> tuple[str, str]:
    receive, send = os.pipe()
    errors = folder.with_name("stderr")
    process = os.fork()
    if process == 0:
        os.close(receive)
        _child(form, seeds, results, number, seed, folder, send, errors)
    os.close(send)
    try:
        data = _receive(receive, time.monotonic() + _WALL)
    finally:
        os.close(receive)
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
    if data.endswith(b"\n"):
        kind, text = json.loads(data)
        said = errors.read_text(errors="replace")
        if kind != "fault" and "Traceback" in said:
            return "fault", f"wrote a traceback to stderr: {said[-2000:]}"
        return str(kind), str(text)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) not in (signal.SIGKILL, signal.SIGXCPU):
        name = signal.Signals(os.WTERMSIG(status)).name
        return "fault", f"died of {name}; stderr: {errors.read_text(errors='replace')[-2000:]}"
    if os.WIFEXITED(status):
        return "fault", f"ended with code {os.WEXITSTATUS(status)} and no word"
    return "fault", f"hung: no end after {SECONDS} s of the processor or {_WALL} s"


def _receive(pipe: int, until: float) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
        piece = os.read(pipe, 1 << 16) if ready else b""
        if not piece:
            break
        data += piece
    return data


def _child(
    form: Format,
    seeds: list[Files],
    results: list[Any],
    number: int,
    seed: int,
    folder: Path,
    send: int,
    errors: Path,
) -> None:
    """Never returns."""
    kind, text = "fault", "ended early"
    try:
        handle = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        files, which, protected, _ = make_case(form, seeds, number, seed)
        write_files(files, folder)
        os.chdir(folder)  # names without a folder, and those below an open one, are its own
        _limit()
        wrong = _watch(folder)
        try:
            kind, text = _read(form, results[which], folder, protected)
        except BaseException:  # noqa: BLE001 - whatever it is, it is the finding
            kind, text = "fault", traceback.format_exc()
        if wrong:
            kind, text = "fault", f"touched what is not its own: {'; '.join(wrong[:5])}"
    except BaseException:  # noqa: BLE001
        text = traceback.format_exc()
    finally:
        message = json.dumps([kind, text[-6000:]]).encode() + b"\n"
        while message:
            message = message[os.write(send, message) :]
        os._exit(0)


def _read(form: Format, expected: Any, folder: Path, protected: bool) -> tuple[str, str]:
    try:
        found = form.read(folder)
    except BenchError as error:
        text = str(error)
        if not text.replace("\n", "").isprintable() or len(text) > 5000:
            return "fault", f"an error of {len(text)} letters, or none for people: {text[:500]!r}"
        return "refused", text
    form.check(found, expected, folder, protected)
    return "read", ""


def _limit() -> None:
    with open("/proc/self/statm") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(usage.ru_utime + usage.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (spent + SECONDS,) * 2)


_READ_ONLY = tuple(
    os.path.realpath(path)
    for path in (sys.prefix, sys.base_prefix, *(p for p in sys.path if p), "/proc/self", "/dev")
) + tuple(str(ROOT / room) for room in ("benchbench", "datasets", "baselines", "cuda_ops"))
_PATHS = {"os.remove": 1, "os.rename": 2, "os.mkdir": 1, "os.rmdir": 1, "os.truncate": 1,
          "os.chmod": 1, "os.listdir": 1, "os.scandir": 1}  # fmt: skip
_NEVER = ("socket.connect", "socket.bind", "subprocess.Popen", "os.system", "os.exec", "os.fork",
          "os.posix_spawn", "os.link", "os.symlink", "os.kill", "ctypes.dlopen")  # fmt: skip
_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _watch(folder: Path) -> list[str]:
    """Notes what a child does outside its folder, from now on."""
    own, found = os.path.realpath(folder), []

    def outside(path: Any) -> bool:
        if isinstance(path, int) or path is None:
            return False
        real = os.path.realpath(os.fsdecode(path))
        return real != own and not real.startswith(own + os.sep)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if not outside(path):
                return
            writes = bool(flags & _FLAGS) or any(c in (mode or "") for c in "wax+")
            real = os.path.realpath(os.fsdecode(path))
            if writes and real != "/dev/null":
                found.append(f"wrote {real}")
            elif not writes and not real.startswith(_READ_ONLY):
                found.append(f"read {real}")
        elif event in _PATHS:
            for path in arguments[: _PATHS[event]]:
                known = event in ("os.listdir", "os.scandir") and not isinstance(path, int)
                if outside(path) and not (
                    known and os.path.realpath(os.fsdecode(path or ".")).startswith(_READ_ONLY)
                ):
                    found.append(f"{event} {path}")
        elif event == "pickle.find_class":
            if not str(arguments[0]).startswith("numpy"):
                found.append(f"unpickled {arguments[0]}.{arguments[1]}")
        elif event in _NEVER:
            found.append(event)

    sys.addaudithook(hook)
    return found
