"""`bench prepare` on broken, cut-off and hostile files: what is told, and that mending helps."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

RENDERING, VOXELS = "ShapeNetRendering", "ShapeNetVox32"
MODEL = "a" + 31 * "0"  # the first of the two


@pytest.fixture(scope="module")
def archives(fake: Any, models: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two objects as two .tgz files."""
    two = {key: models[key] for key in sorted(models)[:2]}
    return fake.write_archives(two, tmp_path_factory.mktemp("archives"))


def add_member(path: Path, name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> None:
    """Puts one more member into a .tgz."""
    with tarfile.open(path) as old:
        members = [(m, old.extractfile(m).read()) for m in old.getmembers()]  # type: ignore[union-attr]
    with tarfile.open(path, "w:gz") as new:
        for info, data in members:
            new.addfile(info, io.BytesIO(data))
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        new.addfile(info)


def cut(share: float) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])

    return change


def flip(place: float) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[int(len(data) * place)] ^= 0x55
        path.write_bytes(data)

    return change


@pytest.mark.parametrize(
    ("what", "fault", "words"),
    [
        (RENDERING, cut(0.999), "damaged or cut off"),
        (VOXELS, cut(0.5), "damaged or cut off"),
        (RENDERING, lambda path: path.write_bytes(path.read_bytes()[:5]), "damaged or cut off"),
        (VOXELS, lambda path: path.write_bytes(b""), "no tar, tar.gz or zip archive"),
        (RENDERING, lambda path: path.write_bytes(b"<html>"), "no tar, tar.gz or zip archive"),
        (RENDERING, flip(0.5), "damaged or cut off"),
        (VOXELS, lambda path: add_member(path, "../../etc/passwd"), "path '../../etc/passwd'"),
        (RENDERING, lambda path: add_member(path, "/etc/passwd"), "unsafe path '/etc/passwd'"),
        (VOXELS, lambda path: add_member(path, "a/b", tarfile.SYMTYPE, "/etc"), "'a/b', a link"),
    ],
    ids=["last bytes", "half", "five bytes", "empty", "a page", "a flipped bit", "climbing",
         "absolute", "a link"],
)  # fmt: skip
def test_a_broken_archive_is_named_and_mending_it_helps(
    bench: Any, refused: Any, archives: Path, tmp_path: Path,
    what: str, fault: Callable[[Path], None], words: str,
) -> None:  # fmt: skip
    shutil.copytree(archives, tmp_path / "mine")
    broken = tmp_path / "mine" / f"{what}.tgz"
    whole = broken.read_bytes()
    fault(broken)
    line = ("prepare", "shapenet", "--from", "mine", "--root", "home", "-q")
    hint = refused(bench(*line), 1, f"{what}.tgz'", words)
    assert "same command" in hint
    assert not list((tmp_path / "home").glob("*.h5"))
    broken.write_bytes(whole)
    done = bench(*line)
    assert done.exit_code == 0, done.stderr
    assert not (tmp_path / "home" / ".partial" / "shapenet").exists()


def test_a_broken_fetched_archive_is_fetched_anew(
    bench: Any, refused: Any, archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    folder = tmp_path / "home" / "archives" / "shapenet"
    shutil.copytree(archives, folder)
    cut(0.5)(folder / f"{VOXELS}.tgz")
    line = ("prepare", "shapenet", "--accept-license", "--root", "home", "-q")
    hint = refused(bench(*line), 1, f"{VOXELS}.tgz' is damaged or cut off")
    assert hint.startswith(f"delete that file in '{folder}'")
    (folder / f"{VOXELS}.tgz").unlink()
    refused(bench(*line), 3, "BENCH_OFFLINE")  # it would fetch it now


def png(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGBA", (width, height)).save(stream, "PNG")
    return stream.getvalue()


def absurd_png() -> bytes:
    """A header that announces 100,000 x 100,000 pixels, with its right checksum."""
    data = bytearray(png(137, 137))
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def replace(data: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(data) and None


def without_one_run(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


PICTURE, METADATA, GRID = "rendering/07.png", "rendering/rendering_metadata.txt", "model.binvox"
FAULTS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "23 views": (PICTURE, lambda path: path.unlink(), "23 of 24 views; missing: 07.png"),
    "picture cut off": (PICTURE, cut(0.6), "07.png' is cut off"),
    "picture with a flipped bit": (PICTURE, flip(0.5), "07.png' is damaged: checksum"),
    "picture empty": (PICTURE, replace(b""), "07.png' is not a PNG file"),
    "picture a page": (PICTURE, replace(b"<html>"), "07.png' is not a PNG file"),
    "picture of another size": (PICTURE, replace(png(64, 64)), "is 64x64 pixels, 137x137 belong"),
    "picture of absurd size": (PICTURE, replace(absurd_png()), "100000x100000 pixels"),
    "metadata missing": (METADATA, lambda path: path.unlink(), "no rendering_metadata.txt"),
    "metadata short": (METADATA, cut(0.5), "rendering_metadata.txt'"),
    "metadata with nan": (METADATA, replace(b"nan 25 0 0.8 25\n" * 24), "no camera"),
    "binvox cut off": (GRID, without_one_run, "its runs hold"),
    "binvox with odd bytes": (GRID, lambda p: p.write_bytes(p.read_bytes()[:-1]), "no length"),
    "binvox header only": (GRID, replace(b"#binvox 1\ndim 32 32 32\n"), "header ends early"),
    "binvox empty": (GRID, replace(b""), "does not start with #binvox"),
    "binvox missing": (GRID, lambda path: path.unlink(), "without model.binvox"),
    "binvox of 1 cell": (
        GRID, replace(b"#binvox 1\ndim 1 1 1\ntranslate 0 0 0\nscale 1\ndata\n\1\1"), "(1, 1, 1)",
    ),
    "binvox without a cell": (
        GRID,
        replace(b"#binvox 1\ndim 32 32 32\ntranslate 0 0 0\nscale 1\ndata\n" + b"\0\x80" * 256),
        "no occupied cell",
    ),
    "binvox of absurd size": (
        GRID, replace(b"#binvox 1\ndim 99999 99999 99999\ntranslate 0 0 0\nscale 1\ndata\n\1\1"),
        "99999",
    ),
}  # fmt: skip


def place_of(folder: Path, name: str) -> Path:
    return folder / (VOXELS if name == GRID else RENDERING) / "02691156" / MODEL / name


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_object_is_named_and_the_others_are_kept(
    bench: Any, few: Path, fault: str
) -> None:
    name, change, words = FAULTS[fault]
    change(place_of(few, name))
    done = bench("prepare", "shapenet", "--from", few, "--root", "home")
    assert done.exit_code == 4, done.stderr
    assert done.stdout.splitlines()[1].split() == ["airplane", "1"]
    (failed,) = (line for line in done.stderr.splitlines() if line.startswith("failed: "))
    assert f"02691156/{MODEL}" in failed and words in failed
    assert "Traceback" not in done.stderr


def test_a_broken_object_is_remembered_until_it_is_mended(bench: Any, few: Path) -> None:
    whole = place_of(few, PICTURE).read_bytes()
    flip(0.5)(place_of(few, PICTURE))
    for _ in range(2):
        done = bench("prepare", "shapenet", "--from", few, "--root", "home")
        assert done.exit_code == 4 and f"failed: 02691156/{MODEL}" in done.stderr
    place_of(few, PICTURE).write_bytes(whole)
    (hint,) = (line for line in done.stderr.splitlines() if line.startswith("hint: "))
    words = shlex.split(hint.partition("mended: bench ")[2])
    assert words[2:4] == ["--root", "home"]
    done = bench(*words)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[1].split() == ["airplane", "2"]


def test_nothing_usable_is_an_error_of_its_own(bench: Any, refused: Any, few: Path) -> None:
    for path in few.rglob("05.png"):
        path.unlink()
    done = bench("prepare", "shapenet", "--from", few, "--root", "home", "-q")
    refused(done, 1, "no object has both pictures and ground truth", "23 of 24 views")
    shutil.rmtree(few / VOXELS)
    done = bench("prepare", "shapenet", "--from", few, "--root", "home", "-q")
    refused(done, 3, VOXELS, str(few))


def test_json_names_every_broken_object(bench: Any, few: Path) -> None:
    place_of(few, PICTURE).unlink()
    done = bench("prepare", "shapenet", "--from", few, "--root", "home", "-q", "--json")
    assert done.exit_code == 4 and done.stderr == ""
    (answer,) = json.loads(done.stdout)["prepared"]
    assert [name for name, _ in answer["failed"]] == [f"02691156/{MODEL}"]
