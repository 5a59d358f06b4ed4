"""Finding the two sources, and reading models out of archives in any order."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from benchbench.core.errors import InputError, MissingError
from benchbench.datasets import model_folders
from benchbench.datasets.model_folders import Model, Tree, models
from benchbench.datasets.sources import find, fingerprint

VOXELS = "ShapeNetVox32"


def tgz(path: Path, entries: list[tuple[str, bytes | None]]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            if data is None:
                info.type = tarfile.DIRTYPE
            info.size = len(data or b"")
            tar.addfile(info, io.BytesIO(data or b""))
    return path


def read(path: Path, skip=lambda *_: False, what: str = VOXELS, need: int = 2) -> list[Model]:
    tree = Tree(what, lambda files: len(files) == need, "bench prepare x", inner="rendering")
    return list(models(path, tree, skip))


def test_models_complete_in_their_own_order(tmp_path: Path) -> None:
    path = tgz(
        tmp_path / "x.tgz",
        [
            (f"{VOXELS}/", None),
            (f"{VOXELS}/s/b/1", b"b1"),
            (f"{VOXELS}/s/a/1", b"a1"),
            (f"{VOXELS}/s/a/2", b"a2"),
            (f"{VOXELS}/s/b/rendering/2", b"b2"),
            (f"{VOXELS}/s/c/1", b"c1"),  # never completes
            (f"{VOXELS}/s/d/", None),  # an empty folder counts too
            ("README", b"not ours"),
            ("deep/er/than/any/model/folder/is", b"not ours"),
        ],
    )
    assert read(path) == [
        Model("s", "a", {"1": b"a1", "2": b"a2"}),
        Model("s", "b", {"1": b"b1", "2": b"b2"}),
        Model("s", "c", {"1": b"c1"}),
        Model("s", "d", {}),
    ]
    assert [m.id for m in read(path, skip=lambda _, name: name == "a")] == [
        "s/a",
        "s/b",
        "s/c",
        "s/d",
    ]
    assert read(path, skip=lambda _, name: name == "a")[0].files == {}


def test_a_file_twice(tmp_path: Path) -> None:
    path = tgz(tmp_path / "x.tgz", [("s/a/1", b"1"), ("s/a/1", b"2")])
    with pytest.raises(InputError, match="twice"):
        read(path)


def test_too_much_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_folders, "_PENDING", 100)
    path = tgz(tmp_path / "x.tgz", [(f"s/{n}/1", bytes(30)) for n in range(5)])
    with pytest.raises(InputError, match="mixes"):
        read(path)


def test_folders(tmp_path: Path) -> None:
    for name in ("s/b/rendering/1", "s/a/2", "s/a/1", "t/c/1"):
        file = tmp_path / "x" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    (tmp_path / "x" / "stray").write_text("not a class")
    assert read(tmp_path / "x") == [
        Model("s", "a", {"1": b"s/a/1", "2": b"s/a/2"}),
        Model("s", "b", {"1": b"s/b/rendering/1"}),
        Model("t", "c", {"1": b"t/c/1"}),
    ]


def test_names_that_a_terminal_would_obey(tmp_path: Path) -> None:
    (tmp_path / "x" / "s" / "a\x1b[2Jb").mkdir(parents=True)
    with pytest.raises(InputError, match=r"unsafe path 'a\\x1b"):
        read(tmp_path / "x")


def search(folder: Path) -> Path:
    return find(folder, [VOXELS], "bench prepare shapenet --from DIR", ["ShapeNet"])


def test_find(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="neither") as caught:
        search(tmp_path)
    assert "--from DIR" in str(caught.value.hint)
    (tmp_path / "ShapeNet").mkdir()
    nested = tmp_path / "ShapeNet" / f"{VOXELS}.zip"
    nested.write_bytes(b"")
    assert search(tmp_path) == nested
    (tmp_path / f"{VOXELS}.tar.gz").write_bytes(b"")
    assert search(tmp_path).name == f"{VOXELS}.tar.gz"
    (tmp_path / VOXELS).mkdir()
    assert search(tmp_path) == tmp_path / VOXELS


def test_fingerprint_of_a_folder(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place / "s" / "a").mkdir(parents=True)
        (tmp_path / place / "s" / "a" / "1").write_bytes(b"12")
    one, two = fingerprint(tmp_path / "one"), fingerprint(tmp_path / "two")
    assert one.content == two.content
    for other in (b"123", b"13"):  # another size; another byte in the same place and time
        file = tmp_path / "two" / "s" / "a" / "1"
        times = file.stat()
        file.write_bytes(other)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        two = fingerprint(tmp_path / "two")
        assert one.content != two.content and one.moment != two.moment


def test_fingerprint_of_pictures(tmp_path: Path) -> None:
    picture = tmp_path / "s" / "a" / "00.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"12")
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    picture.write_bytes(b"13")
    os.utime(picture, ns=(0, picture.stat().st_mtime_ns + 1))
    after = fingerprint(tmp_path)
    assert after.content == before.content and after.moment != before.moment
    picture.write_bytes(b"123")
    assert fingerprint(tmp_path).content != before.content


def test_archives_inside_count_as_unpacked(tmp_path: Path) -> None:
    """A folder, a folder of archives and an archive of archives hold the same models."""
    entries = [("./s/a/1", b"a1"), ("s/a/2", b"a2"), ("s/b/1", b"b1"), ("s/b/2", b"b2")]
    inner = tgz(tmp_path / "s.tgz", entries).read_bytes()
    again = tgz(tmp_path / "s.tgz", [(f"{VOXELS}/{n}", d) for n, d in entries]).read_bytes()
    plain = tmp_path / "plain" / VOXELS
    for name, data in entries:
        (plain / name).parent.mkdir(parents=True, exist_ok=True)
        (plain / name).write_bytes(data or b"")
    packed = tmp_path / "packed" / VOXELS
    packed.mkdir(parents=True)
    (packed / "s.tgz").write_bytes(inner)
    (packed / "note.txt").write_bytes(b"not ours")
    outer = tgz(tmp_path / "a.tgz", [(f"top/{VOXELS}/s.tgz", inner), ("top/x/s.tgz", b"no")])
    named = tgz(tmp_path / "b.tgz", [(f"top/{VOXELS}/s.tgz", again)])
    tree = Tree(
        VOXELS,
        lambda files: len(files) == 2,
        "bench prepare x",
        inside=lambda name: name.endswith(".tgz") and VOXELS in name.split("/"),
    )
    found = [list(models(path, tree, lambda *_: False)) for path in (plain, packed)]
    for path in (outer, named):
        of_ours = models(path, tree, lambda synset, _: synset != "s")
        found.append([m for m in of_ours if m.synset == "s"])
    assert found[0] == [
        Model("s", "a", {"1": b"a1", "2": b"a2"}),
        Model("s", "b", {"1": b"b1", "2": b"b2"}),
    ]
    assert found[1:] == found[:1] * 3
