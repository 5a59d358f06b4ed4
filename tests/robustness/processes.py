"""Real `bench` processes: started, stopped at random moments, started again.

The program is the console script's own function. Once it runs, a few sizes are made small, so that
little work still falls into many parts.
"""

from __future__ import annotations

import functools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAM = """
import sys
from benchbench.cli.main import cli, console

def smaller():
    if sys.argv[1] == "prepare":
        import benchbench.datasets.preparing as preparing
        import benchbench.datasets.shapes13.prepare as shapes13
        preparing._SHARD = 2
        shapes13._SHARD = 5
        shapes13.SIZES["demo"] = (0, 0, 1)
    elif sys.argv[1] == "run":
        import benchbench.evaluation.plan as plan
        import benchbench.evaluation.result as result
        import benchbench.protocols.surface as surface
        plan.SHARD_OBJECTS = 2
        surface.SAMPLES = 200
        result.git_commit = lambda: None  # the checkout may change between two runs

verb = cli.commands[sys.argv[1]]
inner = verb.callback
def callback(*args, **kwargs):
    smaller()
    return inner(*args, **kwargs)
verb.callback = callback
console()
"""
CODES = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}


@dataclass
class Command:
    """A `bench` command line as a process.

    Attributes:
        words: After `bench`.
        folder: Where it is typed.
    """

    words: Sequence[object]
    folder: Path

    def start(self, **options: object) -> subprocess.Popen[str]:
        """Starts it with nobody at a terminal, in a process group of its own."""
        environ = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
        environ.pop("BENCH_DEBUG", None)
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.folder.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *map(str, self.words)],
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            **{**streams, **options},  # type: ignore[call-overload]
        )

    def finish(self) -> str:
        """Runs it to its end, which must be a good one, and returns stderr."""
        process = self.start()
        _, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        assert "Traceback" not in err, err
        return err


def stop(command: Command, how: int, delay: float, begun: Callable[[], bool] | None) -> bool:
    """Starts the command, and stops it some time after it has begun.

    Ctrl-C goes to the whole process group, as from a keyboard; the other two to the process alone,
    as from a batch system or the kernel. No child may outlive it.

    Args:
        command: What to start.
        how: SIGKILL, SIGTERM or SIGINT.
        delay: Seconds to wait.
        begun: The waiting starts when this is true (or the process is done); None does not wait.

    Returns:
        True if it was stopped, False if it was faster. Exit code and last words are checked.
    """
    process = command.start()
    limit = time.monotonic() + 120
    while begun and process.poll() is None and not begun() and time.monotonic() < limit:
        time.sleep(0.01)
    time.sleep(delay)
    if process.poll() is None:
        if how == signal.SIGINT:
            os.killpg(process.pid, how)
        else:
            process.send_signal(how)
    out, err = process.communicate(timeout=120)
    told = f"{signal.Signals(how).name} after {delay:.2f} s: exit {process.returncode}\n{out}{err}"
    assert nobody_left(process.pid), f"a child lives on: {told}"
    if process.returncode == 0:
        return False
    # In its first moments, before the program has taken the signals over, and in its last, after
    # the answer, Python ends by them.
    codes = (CODES[how],) if begun and not out else (CODES[how], -how)
    assert process.returncode in codes, told
    if process.returncode == CODES[how] and how != signal.SIGKILL:
        word = "interrupted" if how == signal.SIGINT else "terminated"
        assert err.splitlines()[-1] == f"{word}; the same command continues", told
        assert "Traceback" not in err and "rror" not in err, told
    return True


def nobody_left(group: int) -> bool:
    """Waits until no process of the group is left."""
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


@dataclass
class Story:
    """Stop a command again and again, let it finish, and compare with one that was left alone.

    Attributes:
        words: After `bench`.
        result: Folder of its files, relative to where it is typed.
        parts: Pattern of the files that finished parts leave, relative to `result`.
        progress: From the folder where it is typed to a number that only grows.
    """

    words: Sequence[object]
    result: str
    parts: str
    progress: Callable[[Path], int]

    def check(self, folder: Path, count: int, first: int = 0) -> None:
        """Stops it `count` times in turn by all three signals, at random moments.

        Args:
            folder: Scratch.
            count: How often. Every fifth time, and where it was done before the signal came, it
                finishes and begins anew.
            first: Which of SIGKILL, SIGTERM, SIGINT comes first.
        """
        alone, torn = Command(self.words, folder / "alone"), Command(self.words, folder / "torn")
        start = time.monotonic()
        alone.finish()
        whole = time.monotonic() - start
        expected, full = content(alone.folder / self.result), self.progress(alone.folder)
        rng = random.Random(first)
        stopped, parts, reached = 0, self._parts(torn.folder), 0
        for number in range(3 * count):
            if stopped == count:
                break
            if reached >= full or number % 5 == 4:
                self._finish(torn, expected)
                torn = Command(self.words, folder / f"torn{number}")
                parts, reached = {}, 0
            how = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[(stopped + first) % 3]
            if stopped % 4 == 3:  # at any moment, that of the imports too
                stopped += stop(torn, how, rng.uniform(0, whole), None)
            else:  # in the middle of the work
                begun = functools.partial(self._beyond, torn.folder, reached)
                stopped += stop(torn, how, rng.uniform(0, 0.15 * whole), begun)
            now, before = self._parts(torn.folder), parts
            assert all(now[name] == before[name] for name in now if name in before), "made twice"
            assert self.progress(torn.folder) >= reached, "something was lost"
            parts, reached = now, self.progress(torn.folder)
        assert stopped == count, "the command was faster than the signals"
        self._finish(torn, expected)

    def _beyond(self, place: Path, mark: int) -> bool:
        return self.progress(place) > mark

    def _finish(self, torn: Command, expected: dict[str, bytes]) -> None:
        torn.finish()
        found = content(torn.folder / self.result)
        assert sorted(found) == sorted(expected)
        assert [name for name in found if found[name] != expected[name]] == []

    def _parts(self, place: Path) -> dict[str, tuple[int, int]]:
        found = (place / self.result).glob(self.parts)
        return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in found}


def content(folder: Path) -> dict[str, bytes]:
    """All files but locks, logs and licences (they hold dates); half-written ones count."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not path.name.endswith(".lock")
        and path.name != "run.log"
        and path.parent.name != "licences"
    }
