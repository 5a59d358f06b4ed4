"""Downloads against a local server that behaves well and badly in every way we know of."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchbench.core.errors import BenchError, CheckError, MissingError
from benchbench.datasets import download
from benchbench.datasets.download import fetch, present
from benchbench.datasets.spec import Archive

BODY = gzip.compress(np.random.default_rng(0).bytes(300_000), mtime=0)
HASH = hashlib.sha256(BODY).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves `BODY` under /good, and faults under other paths; remembers every request."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []
        self.tag = '"one"'
        self.released = threading.Event()  # lets slow answers end

    def url(self, fault: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{fault}/x.tgz"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        fault = self.path.split("/")[1]
        wanted = self.headers.get("Range")
        self.server.requests.append((fault, wanted))
        body, start = BODY, 0
        if fault == "other":
            body = gzip.compress(b"another file")
        if fault == "html":
            body = b"<html>This page has moved</html>" * 100
        if fault == "rubbish":
            body = bytes(range(7, 207)) * 20
        if fault == "no-http":
            self.wfile.write(b"220 FTP server ready\r\n")
            self.close_connection = True
            return
        if fault == "loops":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
            return
        if wanted and fault not in ("ignores-range",):
            changed = self.headers.get("If-Range") not in (None, self.server.tag)
            start = 0 if changed else int(wanted.removeprefix("bytes=").removesuffix("-"))
        if fault == "404":
            self.send_error(404)
            return
        if fault == "500":
            self.send_error(500)
            return
        if start >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        piece = body[start:]
        self.send_response(206 if start else 200)
        if start:
            first = start + 1 if fault == "wrong-range" else start
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        length = len(piece)
        if fault == "claims-more":
            length += 1000
        if fault == "claims-less":
            length -= 1000
        if fault != "no-length":
            self.send_header("Content-Length", str(length))
        self.send_header("ETag", self.server.tag)
        self.end_headers()
        if fault == "cuts":  # a third of what is left, at most, then the line is cut
            piece = piece[: max(1, len(piece) // 3)] if len(piece) > 1000 else piece
        if fault == "cuts-at-once":
            piece = b""
        with contextlib.suppress(OSError):
            if fault == "stalls":  # some bytes, and then nothing on an open line
                self.wfile.write(piece[:1000])
                self.wfile.flush()
                self.server.released.wait(20)
            elif fault == "drips":  # slow, but it comes
                for place in range(0, len(piece), 10_000):
                    self.wfile.write(piece[place : place + 10_000])
                    self.server.released.wait(0.01)
            else:
                self.wfile.write(piece)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("BENCH_OFFLINE", raising=False)
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.released.set()
    running.shutdown()
    running.server_close()
    thread.join()


def archive(server: Server, *faults: str, known: bool = True) -> Archive:
    urls = tuple(server.url(fault) for fault in faults)
    return Archive("x.tgz", urls, len(BODY) if known else None, HASH if known else None)


def check_whole(folder: Path) -> None:
    assert (folder / "x.tgz").read_bytes() == BODY
    assert json.loads((folder / "x.tgz.json").read_text())["sha256"] == HASH
    assert not list(folder.glob("*.part*"))


@pytest.mark.parametrize("known", [True, False])
def test_plain(server: Server, tmp_path: Path, known: bool) -> None:
    found = fetch(archive(server, "good", known=known), tmp_path, quiet=True)
    assert (found.sha256, found.bytes) == (HASH, len(BODY))
    check_whole(tmp_path)
    again = fetch(archive(server, "good", known=known), tmp_path, quiet=True)
    assert again == found
    assert server.requests == [("good", None)]  # nothing is fetched twice


def test_resumes_across_runs(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.tgz.part").write_bytes(BODY[:100_000])
    fetch(archive(server, "good"), tmp_path, quiet=True)
    assert server.requests == [("good", "bytes=100000-")]
    check_whole(tmp_path)


def test_cut_lines_are_taken_up_again(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="cut"):
        fetch(archive(server, "cuts"), tmp_path, quiet=True)
    starts = [int(r.removeprefix("bytes=")[:-1]) if r else 0 for _, r in server.requests]
    assert starts == sorted(set(starts))  # every request went on, none began anew
    assert len(starts) == 5
    so_far = (tmp_path / "x.tgz.part").stat().st_size
    assert so_far > starts[-1]
    fetch(archive(server, "good"), tmp_path, quiet=True)
    assert server.requests[-1] == ("good", f"bytes={so_far}-")
    check_whole(tmp_path)


def test_server_ignores_range(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.tgz.part").write_bytes(b"\x1f\x8b" + b"rubbish" * 1000)
    fetch(archive(server, "ignores-range"), tmp_path, quiet=True)
    check_whole(tmp_path)


def test_file_changed_between_runs(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BenchError):
        fetch(archive(server, "cuts-at-once"), tmp_path, quiet=True)
    (tmp_path / "x.tgz.part").write_bytes(b"old" * 1000)
    server.tag = '"two"'
    fetch(archive(server, "cuts-at-once", "good", known=False), tmp_path, quiet=True)


def test_another_file_of_another_length_is_not_joined(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.tgz.part").write_bytes(b"\x1f\x8b" + b"other" * 1000)
    note = {"url": "http://gone/x.tgz", "stamp": "", "total": 12345}
    (tmp_path / "x.tgz.part.json").write_text(json.dumps(note))
    fetch(archive(server, "good", known=False), tmp_path, quiet=True)
    check_whole(tmp_path)


def test_complete_part_needs_only_the_rename(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.tgz.part").write_bytes(BODY)
    fetch(archive(server, "good"), tmp_path, quiet=True)  # answered by 416
    assert server.requests == [("good", f"bytes={len(BODY)}-")]
    check_whole(tmp_path)


def test_part_longer_than_the_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.tgz.part").write_bytes(BODY + b"more")
    fetch(archive(server, "good", known=False), tmp_path, quiet=True)
    check_whole(tmp_path)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("404", "HTTP 404"),
        ("500", "HTTP 500"),
        ("html", "offers 3200 bytes"),
        ("other", "offers"),
        ("cuts-at-once", "cut"),
        ("wrong-range", "range"),
    ],
)
def test_next_mirror(server: Server, tmp_path: Path, fault: str, reason: str) -> None:
    (tmp_path / "x.tgz.part").write_bytes(BODY[:1000])
    with pytest.raises(BenchError, match=reason) as caught:
        fetch(archive(server, fault), tmp_path, quiet=True)
    assert server.url(fault) in str(caught.value)
    assert "--from DIR" in str(caught.value.hint)
    assert caught.value.exit_code == 1
    fetch(archive(server, fault, "good"), tmp_path, quiet=True)
    check_whole(tmp_path)


def test_all_mirrors_and_reasons_are_listed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BenchError) as caught:
        fetch(archive(server, "404", "500"), tmp_path, quiet=True)
    text = str(caught.value)
    assert text.index("/404/") < text.index("HTTP 404") < text.index("/500/")
    assert "HTTP 500" in text


def test_unknown_length(server: Server, tmp_path: Path) -> None:
    fetch(archive(server, "no-length"), tmp_path, quiet=True)
    check_whole(tmp_path)


def test_page_instead_of_archive(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="web page"):
        fetch(archive(server, "html", known=False), tmp_path, quiet=True)


def test_long_lie_about_length(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="offers"):
        fetch(archive(server, "claims-more"), tmp_path, quiet=True)
    # Where nobody knows the length, the line looks cut, and the next request tells the truth.
    fetch(archive(server, "claims-more", known=False), tmp_path, quiet=True)
    check_whole(tmp_path)


def test_short_lie_about_length(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="offers"):
        fetch(archive(server, "claims-less"), tmp_path, quiet=True)


def test_wrong_hash(server: Server, tmp_path: Path) -> None:
    wanted = Archive("x.tgz", (server.url("good"),), None, "0" * 64)
    with pytest.raises(CheckError, match="sha256") as caught:
        fetch(wanted, tmp_path, quiet=True)
    assert caught.value.exit_code == 5
    assert (tmp_path / "x.tgz.bad").read_bytes() == BODY
    assert not (tmp_path / "x.tgz").exists()


def test_wrong_hash_then_a_good_mirror(server: Server, tmp_path: Path) -> None:
    wanted = Archive("x.tgz", (server.url("other"), server.url("good")), None, HASH)
    fetch(wanted, tmp_path, quiet=True)
    check_whole(tmp_path)
    assert (tmp_path / "x.tgz.bad").exists()


def test_rubbish_is_never_taken(server: Server, tmp_path: Path) -> None:
    for fault, reason in (
        ("rubbish", "does not send an archive"),
        ("no-http", "220 FTP"),
        ("loops", "redirect"),
    ):
        with pytest.raises(BenchError, match=reason):
            fetch(archive(server, fault, known=False), tmp_path, quiet=True)
        assert not (tmp_path / "x.tgz").exists()
    fetch(archive(server, "rubbish", "no-http", "loops", "good", known=False), tmp_path, quiet=True)
    check_whole(tmp_path)


def test_a_line_that_falls_silent(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="timed out"):
        fetch(archive(server, "stalls"), tmp_path, quiet=True, timeout=0.2)
    so_far = (tmp_path / "x.tgz.part").stat().st_size
    assert so_far >= 1000  # what came was kept
    server.requests.clear()
    fetch(archive(server, "stalls", "good"), tmp_path, quiet=True, timeout=0.2)
    assert server.requests[0] == ("stalls", f"bytes={so_far}-")  # each try brought bytes, so it
    assert server.requests[-1][0] == "good"  # was tried again, and then the next mirror
    check_whole(tmp_path)


def test_a_slow_line(server: Server, tmp_path: Path) -> None:
    fetch(archive(server, "drips"), tmp_path, quiet=True, timeout=5)
    assert server.requests == [("drips", None)]
    check_whole(tmp_path)


KILLED = """
import sys
from pathlib import Path
from benchbench.datasets.download import fetch
from benchbench.datasets.spec import Archive
print("begun", flush=True)
fetch(Archive("x.tgz", (sys.argv[1],)), Path(sys.argv[2]), quiet=True)
"""


def test_resumes_after_kill_9(server: Server, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, server.url("stalls"), str(tmp_path)]
    part, sizes = tmp_path / "x.tgz.part", []
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline() == b"begun\n"
            wanted = 1000 + (sizes[-1] if sizes else 0)
            while not part.is_file() or part.stat().st_size < wanted:
                assert process.poll() is None
                time.sleep(0.01)
            process.kill()
            process.wait()
        sizes.append(part.stat().st_size)
        assert not (tmp_path / "x.tgz").exists()
    asked = [wanted for _, wanted in server.requests]
    assert asked == [None, *(f"bytes={size}-" for size in sizes[:-1])]
    fetch(archive(server, "good"), tmp_path, quiet=True)
    assert server.requests[-1] == ("good", f"bytes={sizes[-1]}-")
    check_whole(tmp_path)


def test_the_hash_is_noted_at_the_first_use(server: Server, tmp_path: Path) -> None:
    wanted = archive(server, "good", known=False)
    (tmp_path / "x.tgz").write_bytes(BODY)  # found in place, nothing published
    assert fetch(wanted, tmp_path, quiet=True).sha256 == HASH
    note = json.loads((tmp_path / "x.tgz.json").read_text())
    assert note == {"sha256": HASH, "bytes": len(BODY), "from": "found in place"}
    assert server.requests == []
    (tmp_path / "x.tgz").write_bytes(BODY[::-1])
    with pytest.raises(CheckError, match="was noted"):
        present(wanted, tmp_path, rehash=True)


MD5 = hashlib.md5(BODY).hexdigest()


def test_md5_where_only_that_is_published(server: Server, tmp_path: Path) -> None:
    urls = (server.url("other"), server.url("good"))
    found = fetch(Archive("x.tgz", urls, md5=MD5), tmp_path, quiet=True)
    assert found.sha256 == HASH  # still what identifies it here
    assert (tmp_path / "x.tgz.bad").exists()  # the first mirror's
    check_whole(tmp_path)
    wrong = Archive("x.tgz", (server.url("good"),), md5="0" * 32)
    with pytest.raises(CheckError, match=f"has md5 {MD5}, {'0' * 32} belongs"):
        fetch(wrong, tmp_path, quiet=True)  # found in place, noted with another md5
    with pytest.raises(CheckError, match=r"could not be fetched:\n.*has md5"):
        fetch(wrong, tmp_path, quiet=True)
    assert not (tmp_path / "x.tgz").exists()


def test_md5_of_a_file_found_in_place(tmp_path: Path) -> None:
    for md5, fits in ((MD5, True), ("0" * 32, False)):
        (tmp_path / "x.tgz").write_bytes(BODY)
        wanted = Archive("x.tgz", (), md5=md5)
        if fits:
            assert present(wanted, tmp_path) == present(wanted, tmp_path, rehash=True)
            assert json.loads((tmp_path / "x.tgz.json").read_text())["md5"] == MD5
        else:
            with pytest.raises(CheckError, match="has md5"):
                present(wanted, tmp_path)


RECIPE = "open https://drive.example/file in a browser"


def test_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Archive("x.tgz", (), by_hand=RECIPE)
    for offline in ("0", "1"):  # no network is needed to say what to do
        monkeypatch.setenv("BENCH_OFFLINE", offline)
        with pytest.raises(MissingError, match=r"x\.tgz' cannot be fetched by a program") as caught:
            fetch(wanted, tmp_path, quiet=True, command="bench prepare toy")
        assert caught.value.exit_code == 3
        assert str(caught.value.hint) == (
            f"{RECIPE}, save it as '{tmp_path / 'x.tgz'}', and type: bench prepare toy; "
            "or, with x.tgz in a folder of your own: bench prepare toy --from DIR"
        )
    (tmp_path / "x.tgz").write_bytes(b"<html>Google Drive cannot scan this file</html>")
    with pytest.raises(CheckError, match="is no archive"):
        fetch(wanted, tmp_path, quiet=True)
    assert (tmp_path / "x.tgz.bad").exists() and not (tmp_path / "x.tgz").exists()
    (tmp_path / "x.tgz").write_bytes(BODY)
    assert fetch(wanted, tmp_path, quiet=True).sha256 == HASH


def test_mirrors_that_fail_leave_the_recipe(server: Server, tmp_path: Path) -> None:
    wanted = Archive("x.tgz", (server.url("404"),), by_hand=RECIPE)
    with pytest.raises(BenchError, match="HTTP 404") as caught:
        fetch(wanted, tmp_path, quiet=True)
    assert RECIPE in str(caught.value.hint)


def test_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_OFFLINE", raising=False)
    with pytest.raises(BenchError, match="no connection"):
        fetch(Archive("x.tgz", ("http://127.0.0.1:9/x.tgz",)), tmp_path, quiet=True)
    with pytest.raises(BenchError, match="not an http"):
        fetch(Archive("x.tgz", ("file:///etc/passwd",)), tmp_path, quiet=True)


def test_offline(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    with pytest.raises(MissingError, match="BENCH_OFFLINE") as caught:
        fetch(archive(server, "good"), tmp_path, quiet=True)
    assert caught.value.exit_code == 3
    assert server.requests == []
    (tmp_path / "x.tgz").write_bytes(BODY)
    assert fetch(archive(server, "good"), tmp_path, quiet=True).sha256 == HASH


def test_too_little_space(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(MissingError, match="MiB free"):
        fetch(archive(server, "good"), tmp_path, quiet=True)
    assert not (tmp_path / "x.tgz").exists()


def test_damage_since(server: Server, tmp_path: Path) -> None:
    wanted = archive(server, "good", known=False)
    fetch(wanted, tmp_path, quiet=True)
    flipped = bytearray(BODY)
    flipped[5000] ^= 1
    (tmp_path / "x.tgz").write_bytes(flipped)
    with pytest.raises(CheckError, match="was noted"):
        present(wanted, tmp_path, rehash=True)
    assert (tmp_path / "x.tgz.bad").exists()
    fetch(wanted, tmp_path, quiet=True)
    check_whole(tmp_path)


def test_two_at_once(server: Server, tmp_path: Path) -> None:
    found = []
    wanted = archive(server, "good")
    threads = [
        threading.Thread(target=lambda: found.append(fetch(wanted, tmp_path, quiet=True)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(server.requests) == 1
    check_whole(tmp_path)
