"""Shared by all tests: the folder of reference data beside the project, no network, Ctrl-C."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """A background job of a shell ignores Ctrl-C, and so would every program that a test starts."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data() -> Path:
    """Small reference arrays that travel with the project."""
    return PROJECT / "tests" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference arrays too large or not free to travel; the test is skipped where they are not."""
    folder = PROJECT.parent / "shared"
    if not (folder / "oracles").is_dir():
        pytest.skip(f"reference data is not beside the project ({folder})")
    return folder


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for the network fails; local servers are allowed."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else address
        if isinstance(address, tuple) and host not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test opened a connection to {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
