"""A built wheel, installed into an empty folder far from the checkout, is the whole program."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("benchbench", "cuda_ops", "datasets", "baselines", "leaderboards")
FILES = ("setup.py", "pyproject.toml", "README.md", "LICENSE")

# Run far away: what is imported comes from the wheel, and a kernel of the wheel is called.
SCRIPT = """
import sys
from pathlib import Path
import torch
import benchbench
home = Path(sys.argv[1])
assert Path(benchbench.__file__).is_relative_to(home), benchbench.__file__
from benchbench.cuda_ops import library, nearest, voxel_iou
from benchbench.baselines import load_baseline
distance, index = nearest(torch.tensor([[[0.0, 0, 0]]]), torch.tensor([[[3.0, 0, 0], [1, 0, 0]]]))
assert (float(distance), int(index)) == (1.0, 1)
where = library.location("cpu")
assert where is not None and Path(where).is_relative_to(home), where
assert library.INSTALL_FOLDER.is_relative_to(home)
kato = load_baseline("kato")
assert len(kato.predict(torch.zeros(1, 4, 64, 64))) == 1
for name in ("datasets", "baselines", "cuda_ops", "leaderboards"):
    found = __import__("importlib.util").util.find_spec(name)
    assert found is None or not str(found.origin).startswith(str(home)), found
print("good")
"""


def compiler() -> str | None:
    from benchbench.cuda_ops import build

    try:
        return build.find_compiler().path
    except build.BuildError:
        return None


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources without anything that was built before."""
    tree = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__", "_lib", "*.egg-info")
    for room in ROOMS:
        shutil.copytree(ROOT / room, tree / room, ignore=ignored)
    for name in FILES:
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, tree)
    line = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "-w", str(tree / "out")]
    if importlib.util.find_spec("setuptools"):  # else pip fetches it, as for any user
        line += ["--no-build-isolation", "--no-index"]
    environ = {**os.environ, "BENCH_NO_CUDA": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if compiler():  # what is tested is the packing: half a minute of optimising is spared
        hasty = tree / "hasty-c++"
        hasty.write_text(f'#!/bin/sh\nexec {compiler()} "$@" -O0\n')
        hasty.chmod(0o755)
        environ["CXX"] = str(hasty)
    done = subprocess.run([*line, "."], cwd=tree, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = (tree / "out").iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the wheel's content and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    line = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    done = subprocess.run([*line, "--target", str(folder), str(wheel)], capture_output=True)
    assert done.returncode == 0, done.stderr
    return folder


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_one_wheel_serves_every_python(wheel: Path) -> None:
    name, version, python, abi, platform = wheel.stem.split("-")
    assert (name, python, abi) == ("benchbench_3d", "py3", "none")
    assert version and platform != "any"


def test_it_holds_everything(wheel: Path) -> None:
    inside = names(wheel)
    wanted = {"benchbench/py.typed", "benchbench/__main__.py"}
    for room in ROOMS:
        package = "benchbench" if room == "benchbench" else f"benchbench/{room}"
        for path in (ROOT / room).rglob("*"):
            code = path.suffix in (".py", ".h", ".cpp", ".cu")
            kept = code or path.suffix in (".npz", ".safetensors", ".json", ".gz")
            if path.is_file() and kept and not {"__pycache__", "_lib"} & set(path.parts):
                wanted.add(f"{package}/{path.relative_to(ROOT / room).as_posix()}")
    assert not wanted - inside
    assert any(name.startswith("benchbench/cuda_ops/csrc/") for name in inside)
    assert "benchbench/baselines/kato/weights/shapes13.safetensors" in inside
    if compiler():
        folder = "benchbench/cuda_ops/_lib/"
        libraries = [n.removeprefix(folder) for n in inside if n.startswith(f"{folder}libbench")]
        assert libraries and not any("cuda" in name for name in libraries)


def test_it_shadows_nothing(wheel: Path) -> None:
    top = {name.partition("/")[0] for name in names(wheel)}
    assert {name for name in top if not name.endswith(".dist-info")} == {"benchbench"}
    assert not any("tests/" in name for name in names(wheel))


def far_away(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {
        **os.environ,
        "PYTHONPATH": str(installed),
        "BENCH_HOME": str(folder / "home"),
        "OMP_WAIT_POLICY": "passive",
    }
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environ, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip


def test_it_works_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    done = far_away(installed, tmp_path, "-m", "benchbench", "list")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "shapes13" in done.stdout and "weights ready" in done.stdout
    if not compiler():
        pytest.skip("without a C++ compiler the wheel holds no kernels")
    done = far_away(installed, tmp_path, "-c", SCRIPT, str(installed))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "good\n"
    assert "building" not in done.stderr
    assert list(tmp_path.iterdir()) == []  # nothing was built or written on the way
