"""Every reader meets changed files: some in each run of the tests, thousands with `-m slow`.

`python tests/fuzz/run.py --help` tells how a case is repeated.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchbench.datasets.registry import dataset_names, dataset_spec

RUN = Path(__file__).with_name("run.py")
FILES = (
    "binvox", "npz", "npy", "png", "tar", "tgz", "zip", "mat", "pkl", "checkpoint-npz",
    "checkpoint-safetensors", "predictions", "store", "shape-obj", "shape-off", "shape-ply",
    "shape-glb", "shape-npy", "shape-npz", "shape-binvox",
)  # fmt: skip
FORMATS = (*FILES, *(f"set-{name}" for name in dataset_names() if dataset_spec(name).export))
PLANTED = {
    "raises": "KeyError: 'no such key'",
    "dies": "died of SIGSEGV",
    "hangs": "hung: no end",
    "eats": "MemoryError",
    "opens": "read /etc/hostname",
    "writes": "left.txt",
    "starts": "subprocess.Popen",
    "unpickles": "unpickled posix.getpid",
    "quits": "ended with code 7",
    "warns": "traceback to stderr",
    "misreads": "another content was read",
}


def run(*words: object, limit: int = 3600) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RUN), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)


def counts(output: str) -> dict[str, tuple[int, ...]]:
    """Format to (cases, refused, read, faults)."""
    line = re.compile(r"^(\S+) +(\d+) cases: (\d+) refused, (\d+) read, (\d+) faults;", re.M)
    return {name: tuple(map(int, numbers)) for name, *numbers in line.findall(output)}


def test_all_formats_are_listed() -> None:
    assert run("--list").stdout.split() == list(FORMATS)
    wrong = run("jpng")
    assert wrong.returncode == 2 and "no format jpng" in wrong.stderr


def test_every_reader_in_short() -> None:
    done = run("-n", 30, "--jobs", 2)
    found = counts(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(found) == set(FORMATS)
    assert all(number[0] == 30 for number in found.values())
    # Changes that all readers refuse, or none, would test little.
    assert all(number[1] and number[2] for name, number in found.items() if name in FILES)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_every_reader(name: str) -> None:
    done = run(name)
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert counts(done.stdout)[name][0] == 2000


def test_planted_faults_are_found() -> None:
    names = [f"planted-{fault}" for fault in PLANTED]
    done = run(*names, "-n", 8, "--seconds", 1, "--jobs", 2)
    found = counts(done.stdout)
    assert done.returncode == 1
    for fault, words in PLANTED.items():
        name = f"planted-{fault}"
        assert found[name][0] == 8 and found[name][3] > 0, done.stdout
        report = re.search(rf"^FAULT {name} (\d+): (.*?)^  again: (.*?)$", done.stdout, re.M | re.S)
        assert report is not None and words in report[2], done.stdout
        assert report[3] == f"python tests/fuzz/run.py {name} --case {report[1]}"


def test_a_fault_is_repeated_by_its_number(tmp_path: Path) -> None:
    done = run("planted-raises", "-n", 8)
    (number, *_) = re.findall(r"--case (\d+)", done.stdout)
    again = run("planted-raises", "--case", number, "--keep", tmp_path)
    assert again.returncode == 1
    assert "KeyError: 'no such key'" in again.stdout
    changed = (tmp_path / "data.bin").read_bytes()
    assert len(changed) == 64 and changed != bytes(range(64))


def test_a_sound_reader_passes() -> None:
    done = run("planted-sound", "-n", 20)
    assert done.returncode == 0
    assert counts(done.stdout)["planted-sound"][3] == 0
