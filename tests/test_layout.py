"""The house keeps its rules: package list, imports downward only, nothing heavy in light files."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from benchbench.core.environment import PACKAGES

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {
    "benchbench.cuda_ops": "cuda_ops",
    "benchbench.datasets": "datasets",
    "benchbench.baselines": "baselines",
    "benchbench.leaderboards": "leaderboards",
    "benchbench": "benchbench",
}
# Who may be imported by whom: a module may import from rooms of a lower floor or its own.
FLOORS = [
    "benchbench.core",
    "benchbench.cuda_ops",
    "benchbench.datasets",
    "benchbench.baselines",
    "benchbench.protocols",
    "benchbench.statistics",
    "benchbench.reconstruction",
    "benchbench.analysis",
    "benchbench.evaluation",
    "benchbench.report",
    "benchbench.leaderboards",
    "benchbench.cli",
]


def modules() -> dict[str, Path]:
    """Every Python file of the package by its full import name."""
    found = {}
    for package, folder in ROOMS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
            found[".".join((package, *parts))] = path
    return found


def imports(path: Path) -> set[str]:
    """Full names imported anywhere in a file, except for type checkers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return names


def floor(name: str) -> int | None:
    for height in reversed(range(len(FLOORS))):
        if name == FLOORS[height] or name.startswith(FLOORS[height] + "."):
            return height
    return None


def test_imports_point_downward() -> None:
    wrong = []
    for module, path in modules().items():
        own = floor(module)
        if own is None:
            continue
        for name in imports(path):
            other = floor(name)
            if other is not None and other > own:
                wrong.append(f"{module} imports {name}")
    assert not wrong


def test_short_names_are_never_imported() -> None:
    short = {"datasets", "baselines", "cuda_ops", "leaderboards"}
    wrong = [
        f"{module} imports {name}"
        for module, path in modules().items()
        for name in imports(path)
        if name.split(".")[0] in short
    ]
    assert not wrong


def test_package_list_is_the_tree() -> None:
    script = (
        "import setuptools, runpy; seen = {}\n"
        "setuptools.setup = lambda **kwargs: seen.update(kwargs)\n"
        "runpy.run_path('setup.py'); print('\\n'.join(sorted(seen['packages'])))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = set(result.stdout.split())
    there = {
        module
        for module, path in modules().items()
        if path.name == "__init__.py" and "csrc" not in path.parts
    }
    assert listed == there


def test_every_folder_with_python_is_a_package() -> None:
    for path in modules().values():
        assert (path.parent / "__init__.py").exists(), f"{path.parent} has no __init__.py"


def test_every_dependency_is_declared_and_reported() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name in PACKAGES:
        assert f'"{name}' in text, f"{name} is not among the dependencies"


def test_no_file_is_two_ideas() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for folder in ("benchbench", "cuda_ops", "datasets", "baselines", "leaderboards", "tests")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".h", ".cpp", ".cu")
        and (count := len(path.read_text(encoding="utf-8").splitlines())) > 500
    }
    assert not long


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["list"], ["list", "--json"], ["list", "shapenet"], ["run", "--help"]],
)
def test_light_commands_do_not_import_heavy_libraries(arguments: list[str]) -> None:
    script = (
        "import sys\n"
        "from benchbench.cli.main import console\n"
        "try:\n    console(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'h5py', 'pandas', 'scipy', 'trimesh', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr


def test_repository_stays_small() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    sizes = {
        name: (ROOT / name).stat().st_size
        for name in listed.stdout.splitlines()
        if (ROOT / name).is_file()
    }
    assert max(sizes.values()) < 5 * 2**20
    assert sum(size for name, size in sizes.items() if name.startswith("tests/data/")) < 15 * 2**20
