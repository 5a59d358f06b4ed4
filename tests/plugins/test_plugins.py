"""Methods, data sets and protocols of another package: installed, listed, run; faults named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchbench.core import plugins as module
from benchbench.core.plugins import plugins

EXAMPLE = Path(__file__).with_name("example")
BOX = 'box = "boxes_for_benchbench.spec:BOX"\n'
FAULTS = """\
broken = "boxes_for_benchbench.spec:NO_SUCH_THING"
kato = "boxes_for_benchbench.spec:BOX"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with two faults, installed by pip into a folder of its own."""
    folder = tmp_path_factory.mktemp("plugins")
    source = shutil.copytree(EXAMPLE, folder / "example")  # a build leaves files beside it
    project = Path(source) / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    assert text.count(BOX) == 1
    project.write_text(text.replace(BOX, BOX + FAULTS), encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index")
    subprocess.run(
        [*pip, "--no-build-isolation", "--target", folder / "site", source],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return folder / "site"


def bench(site: Path, *words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(site), "BENCH_HOME": str(folder / "home")}
    return subprocess.run(
        [sys.executable, "-m", "benchbench", *map(str, words)],
        capture_output=True, text=True, env=environ, cwd=folder, timeout=300,
    )  # fmt: skip


def test_example_is_short() -> None:
    lines = [line for path in EXAMPLE.rglob("*") if path.is_file() for line in path.open()]
    assert len(lines) < 100


def test_listed_with_where_they_come_from(site: Path, tmp_path: Path) -> None:
    done = bench(site, "list", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for title in ("The box around the true shape", "One cube", "ratio of the volumes of the boxes"):
        assert f"{title} (from boxes-for-benchbench 1.2)" in done.stdout
    assert "Neural 3D Mesh Renderer: a deformed sphere, learned from silhouettes\n" in done.stdout
    assert done.stderr.splitlines() == [
        "plug-in 'broken' of boxes-for-benchbench 1.2 is left out: AttributeError: module "
        "'boxes_for_benchbench.spec' has no attribute 'NO_SUCH_THING'",
        "plug-in 'kato' of boxes-for-benchbench 1.2 is left out: its entry point is called 'kato', "
        "its spec 'box'",
    ]
    one = bench(site, "list", "box", "--json", "-q", folder=tmp_path)
    assert json.loads(one.stdout)["record"]["package"] == "boxes-for-benchbench 1.2"
    assert bench(site, "list", "cubes", folder=tmp_path).returncode == 0
    assert bench(site, "list", "volume-v1", folder=tmp_path).returncode == 0


def test_the_three_lines(site: Path, tmp_path: Path) -> None:
    done = bench(site, "prepare", "cubes", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    line = ("run", "--baseline", "box", "--split", "test", "--protocol", "volume-v1")
    done = bench(site, *line, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "volume-v1:ratio  mean over classes 1.000  mean over objects 1.000  (1 objects, ratio)\n"
    )
    done = bench(site, "report", "--metric", "volume-v1", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "box: the box around the truth" in done.stdout


def test_near_names_of_plugins_are_offered(site: Path, tmp_path: Path) -> None:
    done = bench(site, "run", "--baseline", "boxx", "--split", "test", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "box" in done.stderr


class Entry:
    """An entry point that somebody wrote by hand."""

    dist = None

    def __init__(self, name: str, spec: object) -> None:
        self.name, self.value, self._spec = name, name, spec

    def load(self) -> object:
        if isinstance(self._spec, BaseException):
            raise self._spec
        return self._spec


class Spec:
    def __init__(self, id: object) -> None:
        self.id = id


def test_whatever_is_wrong_is_named_and_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [
        Entry("twice", Spec("twice")), Entry("twice", Spec("twice")), Entry("taken", Spec("taken")),
        Entry("raises", ZeroDivisionError("by \x1b[2J zero")), Entry("text", "a text"),
        Entry("good", Spec("good")), Entry("other", Spec(None)),
    ]  # fmt: skip
    monkeypatch.setattr(module.importlib.metadata, "entry_points", lambda group: entries)
    plugins.cache_clear()
    try:
        found = plugins("benchbench.test", Spec, frozenset({"taken"}))
        again = plugins("benchbench.test", Spec, frozenset({"taken"}))
    finally:
        plugins.cache_clear()
    assert list(found) == list(again) == ["good", "twice"]
    assert found["good"].source == "an unknown package"
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 5  # once each
    text = "\n".join(told)
    assert "'twice' of an unknown package is left out: there is a 'twice' already" in text
    assert "'taken'" in text and "'other'" in text
    assert "ZeroDivisionError: by \\x1b[2J zero" in text
    assert "it is a str, no Spec" in text


def test_interrupting_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [Entry("raises", KeyboardInterrupt())]
    monkeypatch.setattr(module.importlib.metadata, "entry_points", lambda group: entries)
    plugins.cache_clear()
    with pytest.raises(KeyboardInterrupt):
        plugins("benchbench.test", Spec, frozenset())
    plugins.cache_clear()
