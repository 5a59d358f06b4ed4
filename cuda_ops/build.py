"""Compiles the kernels into plain shared libraries with a C interface.

No torch header is included, so the build takes seconds and does not care which torch is
installed. This module uses the standard library only: `setup.py` loads it before anything of
the package is installed.

Environment: `CXX` and `NVCC` choose the compilers, `CUDA_HOME` the toolkit, `BENCH_CUDA_ARCH`
the value of nvcc's `-arch` (default `all-major`), `BENCH_NO_CUDA=1` leaves CUDA out,
`MAX_JOBS` limits parallel compilers.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCE_FOLDER = Path(__file__).resolve().parent / "csrc"
CPU_FLAGS = (
    "-O3", "-std=c++17", "-fPIC", "-fvisibility=hidden", "-fopenmp",
    "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-Wall", "-Wextra",
)  # fmt: skip
CUDA_FLAGS = (
    "-O3", "-std=c++17", "-fmad=false", "-cudart", "static",
    "-Xcompiler", "-fPIC,-fvisibility=hidden,-ffp-contract=off",
)  # fmt: skip
RECORD = "build.json"
_LOG_LINES = 30


class BuildError(RuntimeError):
    """The compiler is absent or said no; the message ends with the last lines of its log."""


@dataclass(frozen=True)
class Toolchain:
    """A compiler and what identifies it.

    Attributes:
        path: The executable.
        version: First line of what `--version` prints (last line for nvcc).
    """

    path: str
    version: str


def cpu_levels() -> tuple[str, ...]:
    """Instruction-set levels to compile for, best first.

    One library per level from the same sources; the results are the same bits.
    """
    if platform.machine() in ("x86_64", "AMD64"):
        return ("x86-64-v4", "x86-64-v3", "x86-64")
    return ("generic",)


def cpu_library(level: str) -> str:
    """File name of the CPU library of one level.

    Example:
        >>> cpu_library("x86-64-v3")
        'libbench_x86-64-v3.so'
    """
    return f"libbench_{level}.so"


CUDA_LIBRARY = "libbench_cuda.so"


def sources(suffix: str) -> list[Path]:
    """The kernel sources with one ending, sorted."""
    return sorted(SOURCE_FOLDER.glob(f"*{suffix}"))


def find_compiler() -> Toolchain:
    """The C++ compiler: `$CXX`, else c++, g++ or clang++.

    Raises:
        BuildError: There is none.
    """
    for name in filter(None, (os.environ.get("CXX"), "c++", "g++", "clang++")):
        if path := shutil.which(name):
            return Toolchain(path, _version(path).splitlines()[0])
    raise BuildError("no C++ compiler found (looked for $CXX, c++, g++, clang++)")


def find_nvcc() -> Toolchain:
    """nvcc: `$NVCC`, else `$CUDA_HOME/bin/nvcc`, else on the path, else /usr/local/cuda.

    Raises:
        BuildError: There is none, or `BENCH_NO_CUDA=1`.
    """
    if os.environ.get("BENCH_NO_CUDA") == "1":
        raise BuildError("BENCH_NO_CUDA=1 leaves CUDA out")
    homes = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH")]
    candidates = [os.environ.get("NVCC"), *(f"{home}/bin/nvcc" for home in homes if home)]
    for name in filter(None, (*candidates, "nvcc", "/usr/local/cuda/bin/nvcc")):
        if path := shutil.which(name):
            return Toolchain(path, _version(path).splitlines()[-1])
    raise BuildError("no nvcc found (looked for $NVCC, $CUDA_HOME/bin/nvcc, nvcc)")


def source_hash(target: str) -> str:
    """Hash of the sources and flags of `target` ("cpu" or "cuda")."""
    digest = hashlib.sha256(repr(_flags(target)).encode())
    for path in sources(".h") + sources(".cpp" if target == "cpu" else ".cu"):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def fingerprint(target: str) -> str:
    """Hash of sources, flags and compiler: the key of the cache.

    Raises:
        BuildError: The compiler is absent.
    """
    tool = find_compiler() if target == "cpu" else find_nvcc()
    text = f"{source_hash(target)} {tool.path} {tool.version} {platform.machine()}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def build(target: str, folder: Path) -> dict[str, str]:
    """Compiles `target` and moves the finished libraries into `folder`.

    Args:
        target: "cpu" (one library per instruction-set level) or "cuda".
        folder: Created if need be; files appear there only when all of them are whole.

    Returns:
        The record that is written beside the libraries (`build-<target>.json`).

    Raises:
        BuildError: Something is missing or does not compile.
    """
    tool = find_compiler() if target == "cpu" else find_nvcc()
    with tempfile.TemporaryDirectory(prefix="benchbench-build-") as name:
        work = Path(name)
        script = _cpu_script(tool) if target == "cpu" else _cuda_script(tool)
        (work / "build.ninja").write_text(script, encoding="utf-8")
        _run_ninja(work)
        folder.mkdir(parents=True, exist_ok=True)
        for library in sorted(work.glob("lib*.so")):
            # Same file system as the goal, then rename: nobody loads half a library.
            partial = folder / f".{library.name}.{os.getpid()}"
            shutil.copy2(library, partial)
            partial.replace(folder / library.name)
    record = {
        "target": target,
        "source_hash": source_hash(target),
        "compiler": tool.path,
        "version": tool.version,
        "flags": " ".join(_flags(target)),
    }
    partial = folder / f".{record_name(target)}.{os.getpid()}"
    partial.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(folder / record_name(target))
    return record


def record_name(target: str) -> str:
    """Name of the JSON file that says how the libraries of `target` were made."""
    return f"build-{target}.json"


def is_current(target: str, folder: Path) -> bool:
    """Whether `folder` holds libraries made from exactly today's sources and flags."""
    try:
        record = json.loads((folder / record_name(target)).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(record.get("source_hash") == source_hash(target))


def _flags(target: str) -> Sequence[str]:
    if target == "cpu":
        return (*CPU_FLAGS, *cpu_levels())
    return (*CUDA_FLAGS, "-arch=" + os.environ.get("BENCH_CUDA_ARCH", "all-major"))


def _version(path: str) -> str:
    try:
        result = subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"'{path} --version' failed: {error}") from error
    return result.stdout.strip() or "unknown"


def _cpu_script(tool: Toolchain) -> str:
    lines = [
        f"cxx = {_escape(tool.path)}",
        f"flags = {' '.join(CPU_FLAGS)}",
        "rule compile\n  command = $cxx $flags $march -MMD -MF $out.d -c $in -o $out\n"
        "  depfile = $out.d",
        "rule link\n  command = $cxx -shared -fopenmp $in -o $out",
    ]
    for level in cpu_levels():
        objects = []
        for source in sources(".cpp"):
            target = f"{level}/{source.stem}.o"
            objects.append(target)
            march = f"-march={level}" if level != "generic" else ""
            lines.append(f"build {target}: compile {_escape(source)}\n  march = {march}")
        lines.append(f"build {cpu_library(level)}: link {' '.join(objects)}")
    return "\n".join(lines) + "\n"


def _cuda_script(tool: Toolchain) -> str:
    arch = _flags("cuda")[-1]
    lines = [
        f"nvcc = {_escape(tool.path)}",
        f"flags = {' '.join(CUDA_FLAGS)} {arch}",
        "rule compile\n  command = $nvcc $flags -c $in -o $out",
        "rule link\n  command = $nvcc $flags -shared $in -o $out",
    ]
    objects = []
    for source in sources(".cu"):
        objects.append(f"cuda/{source.stem}.o")
        lines.append(f"build {objects[-1]}: compile {_escape(source)}")
    lines.append(f"build {CUDA_LIBRARY}: link {' '.join(objects)}")
    return "\n".join(lines) + "\n"


def _escape(path: str | Path) -> str:
    return str(path).replace("$", "$$").replace(" ", "$ ").replace(":", "$:")


def _run_ninja(folder: Path) -> None:
    command = [sys.executable, "-m", "ninja"]
    if jobs := os.environ.get("MAX_JOBS"):
        command += ["-j", jobs]
    try:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if "No module named" in result.stderr and (ninja := shutil.which("ninja")):
            result = subprocess.run([ninja], cwd=folder, capture_output=True, text=True)
    except OSError as error:
        raise BuildError(f"ninja could not be started: {error}") from error
    if result.returncode != 0:
        log = "\n".join((result.stdout + result.stderr).splitlines()[-_LOG_LINES:])
        raise BuildError(f"the kernels did not compile:\n{log}")
