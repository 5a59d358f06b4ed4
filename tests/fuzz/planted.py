"""Readers with a fault each: what the fuzzer must find, so that it is known to look."""

from __future__ import annotations

import ctypes
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from server import Format

from benchbench.core.errors import InputError

_LENGTH = 64


def _seeds() -> list[dict[str, bytes]]:
    return [{"data.bin": bytes(range(_LENGTH))}]


def _data(folder: Path) -> bytes:
    data = (folder / "data.bin").read_bytes()
    if len(data) != _LENGTH:
        raise InputError(f"'{folder / 'data.bin'}' has {len(data)} bytes")
    return data


def _reader(fault: Callable[[Path], Any]) -> Callable[[Path], bytes]:
    def read(folder: Path) -> bytes:
        data = _data(folder)
        if data != bytes(range(_LENGTH)):
            fault(folder)
        return data

    return read


def _raises(folder: Path) -> None:
    raise KeyError("no such key")


def _dies(folder: Path) -> None:
    ctypes.string_at(0)


def _hangs(folder: Path) -> None:
    while True:
        pass


def _eats(folder: Path) -> None:
    bytearray(3 << 30)


def _opens(folder: Path) -> None:
    with open("/etc/hostname", "rb") as file:
        file.read()


def _writes(folder: Path) -> None:
    (folder.parent / "left.txt").write_text("x")


def _starts(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", ""], check=False)


def _unpickles(folder: Path) -> None:
    pickle.loads(b"cposix\ngetpid\n.")


def _quits(folder: Path) -> None:
    os._exit(7)


def _warns(folder: Path) -> None:
    sys.stderr.write("Traceback (most recent call last): from some library\n")
    sys.stderr.flush()


def _check(found: Any, expected: Any, folder: Path, protected: bool) -> None:
    assert found == expected, "another content was read"


def _agree(found: Any, expected: Any, folder: Path, protected: bool) -> None:
    pass


# Name of the format to what its report says.
FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "raises": (_raises, "KeyError"),
    "dies": (_dies, "SIGSEGV"),
    "hangs": (_hangs, "hung"),
    "eats": (_eats, "MemoryError"),
    "opens": (_opens, "/etc/hostname"),
    "writes": (_writes, "left.txt"),
    "starts": (_starts, "subprocess.Popen"),
    "unpickles": (_unpickles, "posix.getpid"),
    "quits": (_quits, "code 7"),
    "warns": (_warns, "traceback to stderr"),
}


def formats() -> dict[str, Format]:
    """All of them by "planted-<fault>", and one that reads wrongly, and one without a fault."""
    found = {
        f"planted-{name}": Format(f"planted-{name}", _seeds, _reader(fault), _agree)
        for name, (fault, _) in FAULTS.items()
    }
    found["planted-misreads"] = Format("planted-misreads", _seeds, _data, _check)
    found["planted-sound"] = Format("planted-sound", _seeds, _data, _agree)
    return found
