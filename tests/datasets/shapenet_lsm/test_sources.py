"""`prepare shapenet-lsm`: however packed, interrupted, as typed, from what is none."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from benchbench.core.errors import InputError, MissingError, UsageError
from benchbench.core.files import sha256_file
from benchbench.datasets.shapenet_lsm.prepare import prepare
from benchbench.datasets.store import Store

QUIET = {"quiet": True}


def tar(entries: list[tuple[str, bytes]], mode: str = "w:gz") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def packed(raw: Path, way: str) -> list[tuple[str, bytes]]:
    """The release's files as the members of an archive, or of archives in it."""
    root = raw / "shapenet_release"
    files = sorted(path for path in root.rglob("*") if path.is_file())
    if way == "plain":
        return [(path.relative_to(raw).as_posix(), path.read_bytes()) for path in files][::-1]
    groups: dict[str, list[tuple[str, bytes]]] = {}
    for path in files:
        parts = path.relative_to(root).parts
        if parts[0] == "renders":
            outer = f"shapenet_release/renders/{parts[1]}.tar.gz"
            inner = "/".join(parts[1:])
        elif way == "by class":
            outer = f"shapenet_release/voxels/{parts[1]}/{parts[2]}.tar.gz"
            inner = "/".join(parts[2:])
        else:
            outer = f"shapenet_release/voxels/{parts[1]}.tar.gz"
            inner = "/".join(parts[1:])
        groups.setdefault(outer, []).append((f"./{inner}", path.read_bytes()))
    return [(name, tar(entries)) for name, entries in groups.items()]


@pytest.mark.parametrize(
    ("way", "name"),
    [
        ("plain", "shapenet_release.tgz"),
        ("plain", "shapenet_release.zip"),
        ("by class", "shapenet_release.tar.gz"),
        ("by size", "shapenet_release.tar"),
        ("by size", "shapenet_release.zip"),
        ("by class", "folder"),
        ("by size", "data"),
        ("plain", "as prepare_data.sh leaves it"),
    ],
)
def test_however_it_is_packed(
    prepared: Store, raw: Path, tmp_path: Path, way: str, name: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(raw / "splits.json", source)
    entries = packed(raw, way)
    if name.endswith(".zip"):
        with zipfile.ZipFile(source / name, "w") as archive:
            for entry in entries:
                archive.writestr(*entry)
    elif name.startswith("shapenet_release"):
        (source / name).write_bytes(tar(entries, "w" if name.endswith(".tar") else "w:gz"))
    elif name.startswith("as"):
        for inner in ("renders", "voxels"):
            shutil.copytree(raw / "shapenet_release" / inner, source / inner)
    else:
        base = source / "data" if name == "data" else source
        for entry, data in entries:
            (base / entry).parent.mkdir(parents=True, exist_ok=True)
            (base / entry).write_bytes(data)
    store = Store(prepare(tmp_path / "root", source=source, **QUIET).path)
    assert store.identity == prepared.identity
    assert store.split_hash("test") == prepared.split_hash("test")


def test_same_bytes_twice_and_after_an_interruption(
    prepared: Store, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchbench.datasets import preparing

    copied = tmp_path / "elsewhere"
    shutil.copytree(raw, copied)
    again = prepare(tmp_path / "root", source=copied, **QUIET)
    assert again.path.read_bytes() == prepared.path.read_bytes()
    monkeypatch.setattr(preparing, "_SHARD", 1)
    calls = []

    def interrupted(*args: object) -> object:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return preparing_make(*args)

    preparing_make = preparing._make
    monkeypatch.setattr(preparing, "_make", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "cut", source=raw, workers=1, **QUIET)
    assert len(calls) == 3
    resumed = prepare(tmp_path / "cut", source=raw, workers=1, **QUIET)
    assert len(calls) == 5  # two were there
    assert sha256_file(resumed.path) == sha256_file(prepared.path)


def test_sources_that_are_none(folder: Path, raw: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="shapenet_release") as caught:
        prepare(tmp_path / "root", source=tmp_path, **QUIET)
    assert "bench prepare shapenet-lsm --from DIR" in str(caught.value.hint)
    with pytest.raises(MissingError, match="cannot be fetched by a program") as caught:
        prepare(tmp_path / "root", accept_license=True, **QUIET)
    assert "drive.google.com" in str(caught.value.hint)
    with pytest.raises(UsageError, match="split 'choy'"):
        prepare(tmp_path / "root", source=folder, split="choy", **QUIET)
    shutil.rmtree(folder / "shapenet_release" / "voxels" / "modelVoxels32")
    with pytest.raises(InputError, match="no modelVoxels32/"):
        prepare(tmp_path / "root", source=folder, **QUIET)
    archive = tmp_path / "cut" / "shapenet_release.tar.gz"
    archive.parent.mkdir()
    data = tar(packed(raw, "by size"))
    archive.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="damaged or cut off"):
        prepare(tmp_path / "root", source=archive.parent, **QUIET)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[]", "no list of classes"),
        ('{"03001627": []}', "no list 'train'"),
        ('{"03001627": {"train": "a"}}', "no list 'train'"),
        ('{"03001627": {"val": [1]}}', "no list 'val'"),
        ('{"03001627": {"train": ["a", "a"]}}', "an id twice"),
        ('{"03001627": {"train": ["a"], "test": ["a"]}}', "an id twice"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "JSON|nested"),
    ],
)
def test_lists_that_are_none(folder: Path, tmp_path: Path, text: str, word: str) -> None:
    (folder / "splits.json").write_text(text)
    with pytest.raises(InputError, match=word) as caught:
        prepare(tmp_path / "root", source=folder, **QUIET)
    assert "splits.json" in str(caught.value)


def bench(*words: object, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchbench", *map(str, words), "--root", str(home)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_commands(folder: Path, model: Path, tmp_path: Path) -> None:
    done = bench("prepare", "shapenet-lsm", "--from", folder, "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["prepared"][0]["counts"]["objects"] == 1
    plan = bench("prepare", "shapenet-lsm", "--dry-run", home=tmp_path / "new")
    assert plan.returncode == 0
    assert "needs, by hand, shapenet_release.tar.gz (about 19.6 GiB)" in plan.stdout + plan.stderr
    assert "drive.google.com" in plan.stdout + plan.stderr
    (model / "render_7.png").unlink()
    done = bench("prepare", "shapenet-lsm", "--from", folder, home=tmp_path / "broken")
    assert (done.returncode, done.stdout) == (1, "")
    assert "missing: render_7.png" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_memory_does_not_grow_with_the_release(raw: Path, tmp_path: Path) -> None:
    """3,000 objects in archives in an archive: what reading holds, in a process of its own."""
    place = raw / "shapenet_release" / "renders" / "03001627" / "a"
    voxels = raw / "shapenet_release" / "voxels"
    files = [(path.name, path.read_bytes()) for path in sorted(place.iterdir())]
    grids = {n: (voxels / f"modelVoxels{n}/03001627/a.mat").read_bytes() for n in (32, 64)}
    ids = [f"m{n:05d}" for n in range(3000)]
    inner = {
        "renders/03001627.tar.gz": [(f"03001627/{i}/{n}", data) for i in ids for n, data in files],
        **{
            f"voxels/{what}.tar.gz": [(f"{what}/03001627/{i}.mat", grids[n]) for i in ids]
            for n, what in ((32, "modelVoxels32"), (64, "modelVoxels64"))
        },
    }
    entries = [(f"shapenet_release/{name}", tar(listed)) for name, listed in inner.items()]
    (tmp_path / "shapenet_release.tar").write_bytes(tar(entries, "w"))
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from benchbench.datasets.shapenet_lsm.prepare import locate, read\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = peak()\n"
        "conversion = read(locate(Path(sys.argv[1])))\n"
        "count = sum(1 for _ in conversion.jobs(frozenset()))\n"
        "print(count, peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    count, grown = map(int, done.stdout.split())
    assert count == 3000
    assert grown < 100  # MiB; the release unpacked has 900
