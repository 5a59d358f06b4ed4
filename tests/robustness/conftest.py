"""What every test here needs: the program in this process, small data, small disks, weights.

Items that need a process of their own (signals, closed streams, two at once) use `processes.py`.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchbench.cli.main import cli

HERE = Path(__file__).parent
HELPERS = {
    "fake": HERE.parent / "datasets" / "fake_shapenet.py",
    "tiny": HERE.parent / "evaluation" / "tiny.py",
    "processes": HERE / "processes.py",
    "disks": HERE / "disks.py",
}


def _load(name: str) -> ModuleType:
    full = f"bench_tests_{HELPERS[name].stem}"
    if full in sys.modules:
        return sys.modules[full]
    spec = importlib.util.spec_from_file_location(full, HELPERS[name])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """The tiny data set of boxes and the stub methods."""
    return _load("tiny")


@pytest.fixture(scope="session")
def processes() -> ModuleType:
    """Real `bench` processes and how to stop them."""
    return _load("processes")


@pytest.fixture(scope="session")
def disks() -> ModuleType:
    """Small and read-only places."""
    return _load("disks")


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    """The factory of the fake ShapeNet."""
    return _load("fake")


@pytest.fixture(scope="session")
def models(fake: ModuleType) -> dict[str, Any]:
    """Twelve objects of three classes, as `fake_shapenet.make_models` says."""
    return fake.make_models()


@pytest.fixture(scope="session")
def source(
    models: dict[str, Any], fake: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The fake ShapeNet as unpacked folders; never written to by a test."""
    return fake.write_folders(models, tmp_path_factory.mktemp("fake"))


@pytest.fixture
def few(source: Path, tmp_path: Path) -> Path:
    """A copy of two of its objects, to be broken."""
    folder = tmp_path / "few"
    for what in ("ShapeNetRendering", "ShapeNetVox32"):
        for model in sorted((source / what / "02691156").iterdir())[:2]:
            shutil.copytree(model, folder / what / "02691156" / model.name)
    return folder


@pytest.fixture(scope="session")
def tiny_home(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root in which the tiny set is prepared as `shapes13-demo`; never written to by a test."""
    folder = tmp_path_factory.mktemp("tiny-home")
    tiny.make_store(folder)
    return folder


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a real but small `shapes13-demo`: one object a class in train and in test."""
    from benchbench.datasets.shapes13 import prepare as module

    folder = tmp_path_factory.mktemp("demo-home")
    before = module.SIZES["demo"]
    module.SIZES["demo"] = (1, 0, 1)
    try:
        module.prepare(folder, size="demo", quiet=True, workers=1)
    finally:
        module.SIZES["demo"] = before
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of Kato's network with tiny widths and untrained weights."""
    from benchbench.baselines.checkpoints import write_checkpoint
    from benchbench.baselines.kato.architecture import Widths
    from benchbench.baselines.kato.network import Network
    from benchbench.baselines.kato.weights import FORMAT

    network = Network(Widths((4, 4, 4), (8, 8), 8, (8, 16)))
    network.initialise(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    write_checkpoint(path, network.tensors(), FORMAT)
    return path


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Calls the program in this process, in an empty folder, with nobody at a terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_DEBUG", raising=False)
    monkeypatch.setattr("benchbench.protocols.surface.SAMPLES", 300)

    def call(*arguments: Any) -> Result:
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def refused() -> Callable[..., str]:
    """Checks how a refusal looks and returns its hint.

    Exit code as stated, nothing on stdout, one `error:` line with the words on stderr, then one
    `hint:` line, and no traceback.
    """

    def check(done: Result, code: int, *words: str) -> str:
        shown = f"exit {done.exit_code}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
        assert done.exit_code == code, shown
        assert done.stdout == "", shown
        assert "Traceback" not in done.stderr and "unexpected" not in done.stderr, shown
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        hints = [line for line in done.stderr.splitlines() if line.startswith("hint: ")]
        assert len(errors) == 1 and len(hints) == 1, shown
        for word in words:
            assert word in done.stderr, f"no {word!r} in\n{shown}"
        return hints[0].removeprefix("hint: ")

    return check


@pytest.fixture
def small_disk(disks: ModuleType, tmp_path: Path) -> Iterator[Callable[[int], Any]]:
    """Makes disks of so many bytes; see `disks.py` for what they are without root."""
    made: list[Any] = []

    def make(size: int) -> Any:
        made.append(disks.SmallDisk(tmp_path / f"disk{len(made)}", size))
        return made[-1]

    yield make
    for disk in made:
        disk.remove()
