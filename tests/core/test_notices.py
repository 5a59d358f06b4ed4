"""Notices: said once, and not at all when hushed, also by `-q` and in other processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchbench.cli.main import cli
from benchbench.core.files import FileLock
from benchbench.core.notices import hushed, notice


def test_hushed_in_this_process_and_in_others(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCH_QUIET", raising=False)
    other = "from benchbench.core.notices import notice; notice('other')"
    with hushed():
        notice("silent")
        with hushed():
            pass
        subprocess.run([sys.executable, "-c", other], check=True)
    assert "BENCH_QUIET" not in os.environ
    notice("this")
    subprocess.run([sys.executable, "-c", other], check=True)
    assert capfd.readouterr().err == "this\nother\n"


@pytest.mark.parametrize("options", [[], ["-q"]])
def test_quiet_commands_hush_the_library(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A kernel built on first use says so; -q must reach that line too.
    monkeypatch.delenv("BENCH_QUIET", raising=False)
    library = pytest.importorskip("benchbench.cuda_ops.library")
    monkeypatch.setattr(library, "INSTALL_FOLDER", tmp_path / "none")
    monkeypatch.setattr(library, "data_root", lambda: tmp_path)
    monkeypatch.setattr(library.build, "build", lambda kind, folder: folder)
    monkeypatch.setattr(
        "benchbench.datasets.registry.prepare", lambda *_, **__: library._find("cpu")
    )
    done = CliRunner().invoke(cli, ["prepare", "shapes13", "--root", str(tmp_path), *options])
    assert ("building the cpu kernels into" in done.stderr) == (not options)


def test_a_lock_waits_in_silence_when_hushed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = (
        "import sys\n"
        "from benchbench.core.files import FileLock\n"
        "with FileLock(sys.argv[1], 'it'):\n"
        "    pass\n"
    )
    with hushed(), FileLock(tmp_path / "lock", "it"):
        process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "lock")])
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0)
    assert process.wait(60) == 0
    assert capfd.readouterr().err == ""
