"""Two processes on the same thing: the second waits, says so, and both end well."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchbench.core.files import FileLock

WAITING = "waiting: another process is at work on "


def started(command: Any, log: Path) -> subprocess.Popen[str]:
    with log.open("w") as file:
        return command.start(stderr=file)


def until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.fixture
def prepare(processes: Any, source: Path, tmp_path: Path) -> Any:
    words = ("prepare", "shapenet", "--from", source, "--root", "home")
    return processes.Command(words, tmp_path)


def test_the_second_prepare_waits_and_finds_the_work_done(prepare: Any, tmp_path: Path) -> None:
    """The lock is held here, so that both really meet it."""
    with FileLock(tmp_path / "home" / ".partial" / "shapenet.lock", "the test"):
        both = [started(prepare, tmp_path / f"log{n}") for n in range(2)]
        for n in range(2):
            until(lambda n=n: WAITING in (tmp_path / f"log{n}").read_text())
        assert not list((tmp_path / "home").glob("*.h5"))
    answers = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0] == answers[1] and "12" in answers[0]
    for n in range(2):
        told = (tmp_path / f"log{n}").read_text()
        assert told.count(WAITING + "data set 'shapenet'") == 1 and "Traceback" not in told
    assert not (tmp_path / "home" / ".partial" / "shapenet").exists()


HOLDER = """
import sys, time
from benchbench.core.files import FileLock
with FileLock(sys.argv[1], "the test"):
    print("held", flush=True)
    time.sleep(1000)
"""


def test_the_second_goes_on_when_the_first_is_killed(prepare: Any, tmp_path: Path) -> None:
    lock = tmp_path / "home" / ".partial" / "shapenet.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    second = started(prepare, tmp_path / "log")
    until(lambda: WAITING in (tmp_path / "log").read_text())
    holder.kill()
    holder.communicate()
    second.communicate(timeout=120)
    assert second.returncode == 0
    assert (tmp_path / "home" / "shapenet.h5").is_file()


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_waiting_can_be_interrupted(prepare: Any, tmp_path: Path, how: int, code: int) -> None:
    with FileLock(tmp_path / "home" / ".partial" / "shapenet.lock", "the test"):
        process = started(prepare, tmp_path / "log")
        until(lambda: WAITING in (tmp_path / "log").read_text())
        process.send_signal(how)
        process.communicate(timeout=60)
    assert process.returncode == code
    assert "the same command continues" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("name", ["shapenet", pytest.param("shapes13", marks=pytest.mark.slow)])
def test_two_that_begin_together(processes: Any, source: Path, tmp_path: Path, name: str) -> None:
    """Nobody holds anything: the same set twice at the same moment."""
    how = ("--from", source) if name == "shapenet" else ("--size", "demo")
    words = ("prepare", name, *how, "--root", "home")
    command = processes.Command(words, tmp_path)
    both = [command.start() for _ in range(2)]
    told = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert told[0][0] == told[1][0]
    assert all("Traceback" not in err for _, err in told)
    alone = processes.Command(words, tmp_path / "alone")
    alone.finish()
    expected = processes.content(tmp_path / "alone" / "home")
    assert processes.content(tmp_path / "home") == expected


def test_two_trainings_in_one_folder(processes: Any, demo_home: Path, tmp_path: Path) -> None:
    words = ["train", "--baseline", "kato", "--dataset", "shapes13", "--out", "out", "--root",
             demo_home]  # fmt: skip
    for setting in ("channels=4,4,4", "encoder_hidden=8,8", "feature=8", "decoder_hidden=8,16",
                    "batch=1", "steps=6", "save_every=1", "validate_every=0"):  # fmt: skip
        words += ["--set", setting]
    command = processes.Command(words, tmp_path)
    both = [command.start() for _ in range(2)]
    told = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert told[0][0] == told[1][0] == "out/model.safetensors\n"
    assert sum("6/6 steps" in err for _, err in told) == 2
    assert not list((tmp_path / "out").glob(".*.tmp"))
