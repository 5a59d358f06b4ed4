"""Fetching archives: resumable across runs, checked, from several mirrors.

A file grows as ``<name>.part`` and is renamed when length and hash are right. The same call goes on
where the last one stopped. A file with a wrong hash is kept as ``<name>.bad`` and never used.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbench import __version__
from benchbench.core.errors import BenchError, CheckError, InputError, MissingError
from benchbench.core.files import FileLock, explain_disk, read_json, sha256_file, write_json
from benchbench.core.progress import Progress
from benchbench.datasets.spec import Archive, size_text

_BLOCK = 1 << 20
_ATTEMPTS = 5  # per mirror, as long as each brings new bytes
_MARGIN = 1 << 26  # left free on the disk
_MAGIC_BYTES = 4
_MAGIC = {
    ".tgz": (b"\x1f\x8b",),
    ".gz": (b"\x1f\x8b",),
    ".zip": (b"PK",),
    ".npz": (b"PK",),
}


@dataclass(frozen=True)
class Fetched:
    """A whole, checked file.

    Attributes:
        path: Where it lies.
        sha256: Its hash.
        bytes: Its length.
    """

    path: Path
    sha256: str
    bytes: int


class _MirrorError(Exception):
    """This mirror will not do; the next one may."""


class _WrongHash(_MirrorError):
    """The bytes are not the ones the package knows."""


def refuse_offline(what: str, command: str) -> None:
    """Raise when BENCH_OFFLINE is set.

    Args:
        what: Would need the network.
        command: "bench prepare SET".

    Raises:
        MissingError: It is.
    """
    if os.environ.get("BENCH_OFFLINE", "0") not in ("", "0"):
        raise MissingError(
            f"{what} would need the network, and BENCH_OFFLINE is set",
            hint=f"fetch the files elsewhere and type: {command} --from DIR",
        )


def present(archive: Archive, folder: Path, rehash: bool = False) -> Fetched | None:
    """The archive if an earlier call fetched it whole, else None.

    Args:
        archive: What.
        folder: Where archives lie.
        rehash: Read it again instead of trusting the note beside it.

    Raises:
        CheckError: It is there, and its hash or length is wrong (renamed to .bad).
    """
    path = folder / archive.name
    if not path.is_file():
        return None
    size = path.stat().st_size
    try:
        note = read_json(_note(path))
        known = str(note["sha256"]) if note["bytes"] == size else None
        md5 = note.get("md5")
    except (OSError, InputError, KeyError, TypeError, AttributeError):
        known = md5 = None
    if known is None:  # somebody put it there, and browsers save pages under an archive's name too
        with path.open("rb") as file:
            if not _looks_right(archive, file.read(_BLOCK)):
                raise _bad(path, "is no archive (a web page saved under its name?)")
    digest = sha256_file(path) if rehash or known is None else known
    if known is not None and digest != known:
        raise _bad(path, f"has sha256 {digest}, {known} was noted when it was fetched")
    if rehash or known is None or md5 != archive.md5:
        md5 = _md5_file(path) if archive.md5 else None
    problem = _problem(archive, size, digest, md5)
    if problem:
        raise _bad(path, problem)
    if known is None:
        _write_note(path, digest, size, "found in place", md5)
    return Fetched(path, digest, size)


def fetch(
    archive: Archive,
    folder: Path,
    quiet: bool = False,
    timeout: float = 30.0,
    command: str = "bench prepare NAME",
) -> Fetched:
    """Fetch one archive, or find it already fetched.

    Args:
        archive: Name, mirrors, and length and hash where known.
        folder: Where to put it.
        quiet: No progress on stderr.
        timeout: Seconds without a byte after which a connection counts as dead.
        command: What the user typed, for hints.

    Raises:
        MissingError: Offline, too little space, or only a person can fetch it.
        CheckError: Every mirror that answered has the wrong bytes (exit code 5).
        BenchError: No mirror delivers; each is listed with its reason.
    """
    with FileLock(folder / f".{archive.name}.lock", f"the download of '{archive.name}'"):
        found = present(archive, folder)
        if found:
            return found
        path = folder / archive.name
        if not archive.mirrors:
            raise MissingError(
                f"'{archive.name}' cannot be fetched by a program; it must be saved as '{path}'",
                hint=_recipe(archive, path, command),
            )
        refuse_offline(f"fetching '{archive.name}'", command)
        reasons: list[str] = []
        wrong = False
        for url in archive.mirrors:
            try:
                return _from_mirror(archive, url, path, quiet, timeout)
            except _MirrorError as error:
                wrong |= isinstance(error, _WrongHash)
                reasons.append(f"  {url}: {error}")
        listed = "\n".join(reasons)
        kind = CheckError if wrong else BenchError
        raise kind(
            f"'{archive.name}' could not be fetched:\n{listed}",
            hint=f"the same command goes on where it stopped; or {_recipe(archive, path, command)}",
        )


def _recipe(archive: Archive, path: Path, command: str) -> str:
    """What a person does instead of a program."""
    return (
        f"{archive.by_hand or 'get the file'}, save it as '{path}', and type: {command}; "
        f"or, with {archive.name} in a folder of your own: {command} --from DIR"
    )


def _from_mirror(archive: Archive, url: str, path: Path, quiet: bool, timeout: float) -> Fetched:
    part = path.with_name(path.name + ".part")
    attempts = 0
    while True:
        before = part.stat().st_size if part.is_file() else 0
        try:
            total = _get(archive, url, part, quiet, timeout)
            break
        except _MirrorError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, OSError) and _is_disk(error):
                with explain_disk(part):
                    raise
            attempts += 1
            after = part.stat().st_size if part.is_file() else 0
            if after <= before or attempts >= _ATTEMPTS:
                raise _MirrorError(f"{_cause(error)}; {after} bytes so far") from error
    size = part.stat().st_size
    if total is not None and size != total:
        raise _MirrorError(f"sent {size} of {total} bytes")
    digest = sha256_file(part)
    md5 = _md5_file(part) if archive.md5 else None
    problem = _problem(archive, size, digest, md5)
    if problem:
        bad = path.with_name(path.name + ".bad")
        part.replace(bad)
        _note(part).unlink(missing_ok=True)
        raise _WrongHash(f"{problem} (kept as '{bad}')")
    _write_note(path, digest, size, url, md5)
    with explain_disk(path):
        part.replace(path)
    _note(part).unlink(missing_ok=True)
    return Fetched(path, digest, size)


def _get(archive: Archive, url: str, part: Path, quiet: bool, timeout: float) -> int | None:
    """One request; appends to `part`; returns the total length if the server told it."""
    have = part.stat().st_size if part.is_file() else 0
    if archive.bytes is not None and have > archive.bytes:
        part.unlink()
        have = 0
    headers = {"User-Agent": f"benchbench/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        stamp = _stamp(part, url)
        if stamp:
            headers["If-Range"] = stamp  # a changed file is sent whole instead of joined wrongly
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise _MirrorError("not an http(s) address")
    request = urllib.request.Request(url, headers=headers)
    try:
        answer = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            return _refused(archive, url, part, have, error, quiet, timeout)
    with answer:
        start, total = _position(answer, have)
        if start and total is not None and _noted_total(part) not in (None, total):
            part.unlink()  # another file under the same name: never join the two
            return _get(archive, url, part, quiet, timeout)
        if archive.bytes is not None and total is not None and total != archive.bytes:
            raise _MirrorError(f"offers {total} bytes, {archive.bytes} belong")
        _check_space(part, (total or archive.bytes or archive.about_bytes or 0) - start)
        _write_stamp(part, url, answer.headers, total)
        _receive(archive, answer, part, start, total, quiet)
    return total if total is not None else archive.bytes


def _refused(
    archive: Archive,
    url: str,
    part: Path,
    have: int,
    error: urllib.error.HTTPError,
    quiet: bool,
    timeout: float,
) -> int | None:
    if error.code == 416 and have:
        whole = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
        if whole and int(whole[1]) == have:
            return have  # it was complete; only the rename was missing
        part.unlink()
        return _get(archive, url, part, quiet, timeout)
    raise _MirrorError(f"HTTP {error.code} {error.reason}")


def _position(answer: Any, have: int) -> tuple[int, int | None]:
    """Where the answer's bytes go, and the whole length."""
    length = answer.headers.get("Content-Length")
    if answer.status == 206:
        span = re.fullmatch(
            r"bytes (\d+)-(\d+)/(\d+|\*)", answer.headers.get("Content-Range", "").strip()
        )
        if not span or int(span[1]) != have:
            raise _MirrorError("answers a range that was not asked for")
        return have, None if span[3] == "*" else int(span[3])
    if answer.status != 200:
        raise _MirrorError(f"HTTP {answer.status}")
    return 0, int(length) if length and length.isdecimal() else None  # Range was ignored


def _receive(
    archive: Archive, answer: Any, part: Path, start: int, total: int | None, quiet: bool
) -> None:
    limit = total if total is not None else archive.bytes
    mebi = 1 << 20
    whole = (limit or archive.about_bytes or 0) // mebi
    with (
        explain_disk(part),
        part.open("r+b" if start else "wb") as file,
        Progress(archive.name, whole, "MiB", quiet, done=start // mebi) as progress,
    ):
        file.seek(start)
        file.truncate()
        position = start
        # read1 gives what has come and flush puts it into the file: a line that falls silent or a
        # kill loses nothing that was received
        while block := answer.read1(_BLOCK) if position else answer.read(_MAGIC_BYTES):
            if position == 0:
                _check_magic(archive, block)
            file.write(block)
            file.flush()
            before, position = position, position + len(block)
            if limit is not None and position > limit:
                raise _MirrorError(f"sends more than the {limit} bytes it announced")
            progress.update(position // mebi - before // mebi)
        os.fsync(file.fileno())
    if limit is not None and position < limit:
        raise http.client.IncompleteRead(b"", limit - position)


def _check_magic(archive: Archive, block: bytes) -> None:
    # dead hosts like to answer with a page instead of a 404
    if not _looks_right(archive, block):
        raise _MirrorError("does not send an archive (a web page instead?)")


def _looks_right(archive: Archive, block: bytes) -> bool:
    magic = _MAGIC.get(Path(archive.name).suffix)
    return not magic or block.startswith(magic)


def _check_space(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed + _MARGIN > free:
        raise MissingError(
            f"'{part.parent}' has {size_text(free)} free, {size_text(needed)} are needed",
            hint="choose another folder with --root DIR or BENCH_HOME",
        )


def _problem(archive: Archive, size: int, digest: str, md5: str | None) -> str | None:
    if archive.bytes is not None and size != archive.bytes:
        return f"has {size} bytes, {archive.bytes} belong"
    if archive.sha256 is not None and digest != archive.sha256:
        return f"has sha256 {digest}, {archive.sha256} belongs"
    if not digest.startswith(archive.sha256_start):
        return f"has sha256 {digest}, {archive.sha256_start}... belongs"
    if archive.md5 is not None and md5 != archive.md5:
        return f"has md5 {md5}, {archive.md5} belongs"
    return None


def _bad(path: Path, why: str) -> CheckError:
    bad = path.with_name(path.name + ".bad")
    path.replace(bad)
    _note(path).unlink(missing_ok=True)
    return CheckError(
        f"'{path}' {why}; kept as '{bad.name}' and not used",
        hint="type the same command again to fetch it anew",
    )


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _write_note(path: Path, digest: str, size: int, url: str, md5: str | None) -> None:
    """The hash found at the first use; later uses must find it again."""
    note = {"sha256": digest, "bytes": size, "from": url}
    write_json(_note(path), note | ({"md5": md5} if md5 else {}))


def _md5_file(path: Path) -> str:
    # no protection against malice, but where nothing else was published it finds a damaged file
    with path.open("rb") as file:
        digest = hashlib.md5(usedforsecurity=False)
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _write_stamp(part: Path, url: str, headers: Any, total: int | None) -> None:
    tag = headers.get("ETag", "")
    if not tag or tag.startswith("W/"):  # weak tags do not promise equal bytes
        tag = headers.get("Last-Modified", "")
    with explain_disk(part):
        write_json(_note(part), {"url": url, "stamp": tag, "total": total})


def _stamp(part: Path, url: str) -> str | None:
    try:
        note = read_json(_note(part))
        return str(note["stamp"]) or None if note["url"] == url else None
    except (OSError, InputError, KeyError, TypeError):
        return None


def _noted_total(part: Path) -> int | None:
    try:
        total = read_json(_note(part))["total"]
        return int(total) if total is not None else None
    except (OSError, InputError, KeyError, TypeError, ValueError):
        return None


def _is_disk(error: OSError) -> bool:
    codes = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)
    return error.errno in codes and not isinstance(error, urllib.error.URLError)


def _cause(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return "the connection was cut"
    if isinstance(error, urllib.error.URLError):
        return f"no connection ({error.reason})"
    return str(error) or type(error).__name__
