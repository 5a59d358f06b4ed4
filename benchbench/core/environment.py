"""Which code and which libraries are running: for result files, `bench doctor`, bug reports."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

import benchbench

PACKAGES = (
    "torch", "numpy", "h5py", "pandas", "trimesh", "scipy", "click", "tabulate", "ninja",
    "pillow", "safetensors", "manifold3d", "scikit-image",
)  # fmt: skip


def package_version(name: str) -> str | None:
    """Version of an installed distribution, or None; imports nothing.

    Example:
        >>> package_version("numpy") is not None, package_version("no-such-thing") is None
        (True, True)
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def git_commit() -> str | None:
    """Commit of the checkout this package runs from ("-dirty" added if files are changed).

    None when it was installed from a wheel. The shell's folder plays no part: another
    repository's commit is never recorded.
    """
    root = Path(benchbench.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        dirty = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("-dirty" if dirty else "")


def versions() -> dict[str, str | None]:
    """Versions of this package, of Python and of everything it depends on."""
    return {
        "benchbench": benchbench.__version__,
        "python": platform.python_version(),
        **{name: package_version(name) for name in PACKAGES},
    }


def _git(root: Path, *arguments: str) -> str:
    result = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return result.stdout.strip()
