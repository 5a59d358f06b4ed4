"""Weights that a training starts from: fetched, taken over, and never used with another hash."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchbench.cli.main import cli
from benchbench.core.errors import CheckError, MissingError, UsageError
from benchbench.core.files import read_json
from benchbench.datasets import network_weights
from benchbench.datasets.network_weights import (
    NETWORK_WEIGHTS,
    prepare_weights,
    prepared_weights,
    weights_file,
)

BODY = b"not really a network " * 1000
HASH = hashlib.sha256(BODY).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        body = BODY if self.path == "/good.pth" else b"something else"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two weights of a local server, one of which it exchanges for something else."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    first = next(iter(NETWORK_WEIGHTS.values()))
    for name in ("good", "bad"):
        archive = replace(
            first.archive, name=f"{name}.pth", mirrors=(f"{address}/{name}.pth",),
            sha256_start=HASH[:8],
        )  # fmt: skip
        one = replace(first, id=name, archive=archive)
        monkeypatch.setitem(network_weights.NETWORK_WEIGHTS, name, one)
    yield
    server.shutdown()
    server.server_close()


def test_published_names_end_with_the_start_of_the_hash() -> None:
    for name, weights in NETWORK_WEIGHTS.items():
        archive = weights.archive
        assert archive.name == f"resnet18-{archive.sha256_start}.pth"
        assert name == f"imagenet-resnet18-{archive.sha256_start}"
        assert archive.mirrors == (f"https://download.pytorch.org/models/{archive.name}",)


def test_terms_then_fetched_then_found(known: None, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="terms of") as caught:
        prepare_weights("good", tmp_path, quiet=True)
    assert caught.value.hint == "bench prepare good --accept-license"
    with pytest.raises(MissingError, match="'good' is not prepared"):
        prepared_weights("good", tmp_path)
    found = prepare_weights("good", tmp_path, accept_license=True, quiet=True)
    assert found.path == weights_file("good", tmp_path) and found.path.read_bytes() == BODY
    assert (found.sha256, found.bytes) == (HASH, len(BODY))
    assert prepare_weights("good", tmp_path) == prepared_weights("good", tmp_path) == found


def test_another_file_is_never_used(known: None, tmp_path: Path) -> None:
    with pytest.raises(CheckError, match=f"{HASH[:8]}... belongs"):
        prepare_weights("bad", tmp_path, accept_license=True, quiet=True)
    path = weights_file("good", tmp_path)
    prepare_weights("good", tmp_path, accept_license=True, quiet=True)
    path.write_bytes(BODY + b"!")
    with pytest.raises(CheckError, match="not used"):
        prepared_weights("good", tmp_path)
    assert not path.exists() and path.with_name("good.pth.bad").exists()


def test_from_a_folder(known: None, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    with pytest.raises(MissingError, match=r"holds no 'good\.pth'"):
        prepare_weights("good", tmp_path, source=folder)
    (folder / "good.pth").write_bytes(BODY)
    assert prepare_weights("good", tmp_path, source=folder).sha256 == HASH
    assert read_json(tmp_path / "licences" / "good.json")["how"] == "own files"
    with pytest.raises(UsageError, match="unknown weights 'godo'"):
        prepare_weights("godo", tmp_path)


def test_a_wrong_file_of_ones_own_is_no_acceptance(known: None, tmp_path: Path) -> None:
    """Nor is anything left of it: the terms are asked for before anything is fetched."""
    (tmp_path / "good.pth").write_bytes(b"<html>sign in</html>")
    for source in (tmp_path, tmp_path / "good.pth"):
        with pytest.raises(CheckError, match=f"good.pth' has sha256 .*{HASH[:8]}... belongs") as it:
            prepare_weights("good", tmp_path / "root", source=source)
        assert it.value.hint == "bench prepare good fetches it"
    assert [p for p in (tmp_path / "root").rglob("*") if p.is_file()] == []
    with pytest.raises(MissingError, match="are not accepted yet"):
        prepare_weights("good", tmp_path / "root", quiet=True)


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, list(words))
    return result.exit_code, result.stdout, result.stderr


def test_command_line(known: None, tmp_path: Path) -> None:
    root = ("--root", str(tmp_path))
    code, out, err = run("prepare", "good", "--dry-run", *root)
    assert (code, out) == (0, "") and "terms: torchvision's weights" in err and "/good.pth" in err
    assert not (tmp_path / "weights").exists()
    code, out, err = run("prepare", "good", *root)
    assert code == 3 and out == "" and "the terms of 'good' are not accepted yet" in err
    code, out, err = run("prepare", "good", "--accept-license", "-q", *root)
    assert code == 0 and HASH in out and str(len(BODY)) in out
    code, out, err = run("prepare", "good", "--accept-license", *root)
    assert code == 0 and "--set imagenet=good" in err
    code, out, err = run("prepare", "good", "shapes13", *root)
    assert code == 2 and out == "" and "apart from data sets" in err
    code, out, err = run("prepare", "bad", "--accept-license", *root)
    assert code == 5 and out == "" and "belongs" in err
