"""Streams that are closed, full or no terminal: work is done all the same, and nothing is lost."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = [sys.executable, "-m", "benchbench"]


@pytest.fixture(scope="module")
def run_folder(tiny_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run below it."""
    from click.testing import CliRunner

    from benchbench.cli.main import cli

    folder = tmp_path_factory.mktemp("runs")
    line = ["run", "--baseline", "gt", "--split", "test", "--protocol", "bench-iou-v1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert CliRunner().invoke(cli, [*line, "--root", str(tiny_home)]).exit_code == 0
    return folder


def shell(line: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Types a line in a shell with nobody at a terminal (a session without one)."""
    environ = {**os.environ, "BENCH": " ".join(BENCH), **variables}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        start_new_session=True, check=False, timeout=120,
    )  # fmt: skip


def quiet(done: subprocess.CompletedProcess[str]) -> bool:
    return "Traceback" not in done.stderr and "unexpected" not in done.stderr


@pytest.mark.parametrize("verb", ["list", "report --metric iou", "list --json"])
@pytest.mark.parametrize(
    ("stream", "codes"),
    [
        ("| head -c 1", (0, 1)),  # the reader has seen enough
        (">&-", (0,)),  # closed before it began
        ("> /dev/full", (1, 3)),
        ("2>&-", (0,)),
        ("2> /dev/full", (0,)),
        ("<&-", (0,)),
        (">&- 2>&- <&-", (0,)),
    ],
)
def test_answers(run_folder: Path, tmp_path: Path, verb: str, stream: str, codes: Any) -> None:
    done = shell(f"$BENCH {verb} --root '{tmp_path}' {stream}", run_folder)
    assert done.returncode in codes, done
    assert quiet(done), done.stderr
    if stream == "> /dev/full":
        assert "error: no space left" in done.stderr and "hint: " in done.stderr
    elif stream != "2>&-" and "head" not in stream and not stream.startswith(">"):
        assert done.stdout


@pytest.mark.parametrize(
    "stream",
    [">&-", "2>&-", ">&- 2>&- <&-", "> /dev/full", "2> /dev/full", "| true", "|& true"],
)
def test_prepare_does_its_work_whoever_listens(
    processes: Any, source: Path, tmp_path: Path, stream: str
) -> None:
    line = f"$BENCH prepare shapenet --from '{source}' --root home"
    done = shell(f"{line} {stream}", tmp_path)
    assert quiet(done), done.stderr
    assert (tmp_path / "home" / "shapenet.h5").is_file()
    answer_lost = stream in ("> /dev/full", "| true", "|& true")
    assert done.returncode in ((1, 3) if answer_lost else (0,)), done
    assert not (tmp_path / "home" / ".partial" / "shapenet").exists()
    again = shell(line, tmp_path)
    assert again.returncode == 0 and "12" in again.stdout


def test_without_a_terminal_nothing_moves_and_nothing_is_asked(
    source: Path, tmp_path: Path
) -> None:
    done = shell(f"$BENCH prepare shapenet --from '{source}' --root home", tmp_path, TERM="xterm")
    assert done.returncode == 0
    assert "\r" not in done.stderr and "\x1b" not in done.stderr + done.stdout
    progress = [line for line in done.stderr.splitlines() if "12/12 objects 100%" in line]
    assert len(progress) == 1
    done = shell("$BENCH prepare shapenet --root other", tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "hint: bench prepare shapenet --root other --accept-license" in done.stderr


def at_terminal(words: list[str], typed: bytes, folder: Path) -> tuple[int, str]:
    """Runs a command with a terminal on all streams; returns exit code and what was shown.

    Typed is when the question is there.
    """
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another process
        os.chdir(folder)
        os.environ["BENCH_OFFLINE"] = "1"
        os.execv(sys.executable, [*BENCH, *words])
    shown = b""
    while True:
        if typed and b"[y/N]" in shown:
            os.write(terminal, typed)
            typed = b""
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # Linux's way to say that the other side is closed
            break
        if not piece:
            break
        shown += piece
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode()


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        (b"n\n", 3, "hint: bench prepare shapenet --root home --accept-license"),
        (b"\n", 3, "hint: bench prepare shapenet --root home --accept-license"),
        (b"\x04", 3, "hint: bench prepare shapenet --root home --accept-license"),
        (b"maybe\ny\n", 3, "BENCH_OFFLINE"),
        (b"\x03", 130, "interrupted; the same command continues"),
    ],
    ids=["no", "return", "end of input", "yes", "Ctrl-C"],
)
def test_at_a_terminal_the_terms_are_asked_for(
    tmp_path: Path, typed: bytes, code: int, words: str
) -> None:
    got, shown = at_terminal(["prepare", "shapenet", "--root", "home"], typed, tmp_path)
    assert got == code, shown
    assert "Do you accept these terms? [y/N]" in shown
    assert words in shown and "Traceback" not in shown
    accepted = tmp_path / "home" / "licences" / "shapenet.json"
    assert accepted.exists() == (b"y" in typed)


def test_at_a_terminal_the_progress_moves(source: Path, tmp_path: Path) -> None:
    words = ["prepare", "shapenet", "--from", str(source), "--root", "home"]
    code, shown = at_terminal(words, b"", tmp_path)
    assert code == 0 and "\rshapenet" not in shown
    assert any(line.startswith("\r") or "\r" in line for line in shown.split("\n"))
    assert "12/12 objects 100%" in shown
