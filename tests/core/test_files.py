"""Whole or absent: atomic files, strict JSON, the lock."""

from __future__ import annotations

import errno
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from benchbench.core import files
from benchbench.core.errors import InputError, MissingError


def test_atomic_path_replaces_only_on_success(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with files.atomic_path(target) as temporary:
        temporary.write_text("first")
    with pytest.raises(ZeroDivisionError), files.atomic_path(target) as temporary:
        temporary.write_text("second, never seen")
        1 / 0  # noqa: B018
    assert target.read_text() == "first"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "no space left"),
        (errno.EROFS, "cannot write"),
        (errno.EACCES, "cannot write"),
    ],
)
def test_disk_errors_are_explained(tmp_path: Path, code: int, words: str) -> None:
    with pytest.raises(MissingError, match=words) as caught, files.atomic_path(tmp_path / "a"):
        raise OSError(code, os.strerror(code))
    assert caught.value.exit_code == 3
    assert "--root" in (caught.value.hint or "")


def test_other_os_errors_pass_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), files.atomic_path(tmp_path / "a"):
        raise FileNotFoundError(errno.ENOENT, "gone")


def test_json_is_strict(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"b": 1, "a": [1.5, None]})
    assert path.read_text() == '{\n "a": [\n  1.5,\n  null\n ],\n "b": 1\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"a": float("nan")})
    assert files.read_json(path) == {"a": [1.5, None], "b": 1}
    for broken in ("{broken", "[" * 100_000, '{"a": 1' + "0" * 10_000 + "}"):
        path.write_text(broken)
        with pytest.raises(InputError, match=r"a\.json.*not valid JSON"):
            files.read_json(path)
    path.write_bytes(b'"\xff"')
    with pytest.raises(InputError, match=r"a\.json.*not valid JSON"):
        files.read_json(path)


def test_sha256_known_answer(tmp_path: Path) -> None:
    # FIPS 180-2, the example "abc".
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256_file(path) == files.sha256_text("abc") == expected


def _hold(path: Path, order: list[str], ready: object, seconds: float) -> None:
    with files.FileLock(path, "the test"):
        ready.set()  # type: ignore[attr-defined]
        time.sleep(seconds)
        order.append("first")


def test_lock_lets_one_in_and_says_who_waits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        order = manager.list()
        ready = context.Event()
        other = context.Process(target=_hold, args=(tmp_path / "l", order, ready, 0.5))
        other.start()
        assert ready.wait(60)
        with files.FileLock(tmp_path / "l", "data set 'x'"):
            order.append("second")
        other.join()
        assert list(order) == ["first", "second"]
    assert "another process is at work on data set 'x'" in capsys.readouterr().err


def test_text_goes_through_links_and_into_devices(tmp_path: Path) -> None:
    """A link stays a link, a pipe stays a pipe; nothing is renamed over them."""
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "table.tex"
    link.symlink_to(tmp_path / "elsewhere" / "real.tex")
    for text in ("new", "replaced"):
        files.write_text(link, text)
        assert link.is_symlink()
        assert (tmp_path / "elsewhere" / "real.tex").read_text() == text
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write_text(pipe, "through")
    assert os.read(reader, 100) == b"through" and pipe.is_fifo()
    os.close(reader)
    reader, writer = os.pipe()
    files.write_text(f"/dev/fd/{writer}", "as /dev/stdout is")
    assert os.read(reader, 100) == b"as /dev/stdout is"
    os.close(reader)
    os.close(writer)
