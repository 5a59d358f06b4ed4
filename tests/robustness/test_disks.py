"""A full disk and places that cannot be written: exit 3, what to do, and then the same command.

`disks.py` says what stands for a full disk: as root a tmpfs of that size, otherwise a limit on the
size of files. The test's output names it (`pytest -rP`).
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SETTINGS = (
    "channels=4,4,4", "encoder_hidden=8,8", "feature=8", "decoder_hidden=8,16", "batch=1",
    "steps=2", "save_every=1", "validate_every=0",
)  # fmt: skip
ROOMY = 64 << 20


def fill_up(
    bench: Any, refused: Any, disk: Any, line: tuple[Any, ...], sizes: list[int], result: str
) -> dict[str, bytes]:
    """Types the line on ever larger disks until it succeeds; returns the final files.

    Every failure must explain itself, leave no temporary file and not lose what was there.
    """
    failed = 0
    for size in sizes:
        disk.grow(size)
        with disk.in_force():
            done = bench(*line)
        if done.exit_code == 0:
            break
        hint = refused(done, 3, "no space left to write '")
        assert "same command again" in hint
        failed += 1
        assert not list(disk.folder.rglob("*.tmp")), "what could not be finished still takes room"
        assert not list(disk.folder.rglob(".*.tmp"))
    assert failed, "the disk was never full"
    disk.grow(ROOMY)
    done = bench(*line)
    assert done.exit_code == 0, done.stderr
    sys.stdout.write(f"{line[0]}: {failed} times full ({disk.how})\n")
    return {
        str(path.relative_to(disk.folder / result)): path.read_bytes()
        for path in sorted((disk.folder / result).rglob("*"))
        if path.is_file() and not path.name.startswith((".", "run.log"))
    }


def steps(low: int, high: int, count: int) -> list[int]:
    return [low + (high - low) * k // count // 4096 * 4096 for k in range(count)]


def test_prepare_on_a_full_disk(
    bench: Any, refused: Any, small_disk: Callable[[int], Any], source: Path,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr("benchbench.datasets.preparing._SHARD", 2)
    # Told beforehand by what is free; here the disk lies about it, as others fill it up meanwhile.
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    line = ("prepare", "shapenet", "--from", source, "-q", "--root")
    assert bench(*line, "alone").exit_code == 0
    whole = (tmp_path / "alone" / "shapenet.h5").read_bytes()
    disk = small_disk(4096)
    sizes = [8192, 16384, 65536, *steps(len(whole) // 4, 3 * len(whole), 12)]
    found = fill_up(bench, refused, disk, (*line, disk.folder), sizes, ".")
    assert found["shapenet.h5"] == whole


def test_too_little_room_is_told_before_the_work(
    bench: Any, refused: Any, small_disk: Callable[[int], Any], source: Path
) -> None:
    disk = small_disk(65536)
    if disk.how != "tmpfs":
        pytest.skip("only a mounted disk knows how much room it has")
    done = bench("prepare", "shapenet", "--from", source, "-q", "--root", disk.folder)
    hint = refused(done, 3, f"'{disk.folder}' has 0.", "free, the conversion needs")
    assert "--root" in hint and "BENCH_HOME" in hint


def test_run_on_a_full_disk(
    bench: Any, refused: Any, small_disk: Callable[[int], Any], tiny_home: Path,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr("benchbench.evaluation.plan.SHARD_OBJECTS", 2)
    monkeypatch.setattr("benchbench.baselines.gt.model.TruthBaseline.block_size", 2)
    monkeypatch.setattr("benchbench.evaluation.result.git_commit", lambda: "a commit")
    line = ("run", "--baseline", "gt", "--split", "test", "--root", tiny_home, "-q", "--out")
    assert bench(*line, "alone").exit_code == 0
    whole = {
        str(path.relative_to(tmp_path / "alone")): path.read_bytes()
        for path in sorted((tmp_path / "alone").rglob("*"))
        if path.is_file() and not path.name.startswith((".", "run.log"))
    }
    disk = small_disk(4096)
    sizes = [4096, 8192, 16384, *steps(24576, 2 * sum(map(len, whole.values())), 12)]
    found = fill_up(bench, refused, disk, (*line, disk.folder), sizes, ".")
    assert found == whole


def test_train_on_a_full_disk(
    bench: Any, refused: Any, small_disk: Callable[[int], Any], demo_home: Path
) -> None:
    words = [word for setting in SETTINGS for word in ("--set", setting)]
    line = ("train", "--baseline", "kato", "--dataset", "shapes13", *words, "-q", "--root",
            demo_home, "--out")  # fmt: skip
    assert bench(*line, "alone").exit_code == 0
    whole = Path("alone/model.safetensors").stat().st_size
    disk = small_disk(4096)
    sizes = [4096, 8192, *steps(whole // 2, 8 * whole, 6)]
    found = fill_up(bench, refused, disk, (*line, disk.folder / "out"), sizes, "out")
    for name in ("model.safetensors", "model.json"):
        assert found[name] == Path("alone", name).read_bytes()


def test_report_on_a_full_disk(
    bench: Any, refused: Any, small_disk: Callable[[int], Any], tiny_home: Path
) -> None:
    line = ("run", "--baseline", "gt", "--split", "test", "--protocol", "bench-iou-v1", "--root")
    assert bench(*line, tiny_home).exit_code == 0
    disk = small_disk(4096)
    (disk.folder / "old.md").write_bytes(b"x" * 4096)
    line = ("report", "--metric", "iou", "--format", "md", "-o", disk.folder / "old.md")
    with disk.in_force():
        if disk.how == "tmpfs":
            refused(bench(*line), 3, "no space left to write '")
            assert (disk.folder / "old.md").read_bytes() == b"x" * 4096  # kept
    disk.grow(ROOMY)
    assert bench(*line).exit_code == 0


READ_ONLY_OK = (
    ("list",),
    ("doctor",),
    ("run", "--baseline", "gt", "--split", "test", "--protocol", "bench-iou-v1"),
    ("run", "--baseline", "gt", "--split", "test", "--dry-run"),
    ("prepare", "shapes13", "--size", "demo", "--verify"),
)


@pytest.fixture
def read_only(small_disk: Callable[[int], Any], tiny_home: Path) -> Path:
    """A root in which the tiny set is prepared and nothing can be written."""
    disk = small_disk(ROOMY)
    shutil.copytree(tiny_home, disk.folder, dirs_exist_ok=True)
    disk.read_only()
    return disk.folder


@pytest.mark.parametrize("line", READ_ONLY_OK, ids=lambda line: " ".join(line[:2]))
def test_a_read_only_root_can_be_read(bench: Any, read_only: Path, line: tuple[str, ...]) -> None:
    done = bench(*line, "--root", read_only)
    # The tiny set is not what the generator makes, so `verify` may say no; it must not write.
    assert done.exit_code in (0, 5) if "--verify" in line else done.exit_code == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "line",
    [("prepare", "shapenet", "--from"), ("prepare", "shapes13", "--size", "demo", "--overwrite")],
)
def test_a_read_only_root_cannot_be_written(
    bench: Any, refused: Any, read_only: Path, source: Path, line: tuple[str, ...]
) -> None:
    words = (*line, source) if line[-1] == "--from" else line
    before = sorted(read_only.rglob("*"))
    hint = refused(bench(*words, "--root", read_only), 3, "cannot ", str(read_only))
    assert "--root" in hint and "BENCH_HOME" in hint
    assert sorted(read_only.rglob("*")) == before


@pytest.mark.parametrize(
    "line",
    [
        ("run", "--baseline", "gt", "--split", "test", "--out"),
        ("train", "--baseline", "kato", "--dataset", "shapes13", "--set", "steps=1", "--out"),
        ("score", "mine", "--dataset", "shapes13", "--split", "test", "--out"),
    ],
    ids=["run", "train", "score"],
)
def test_results_go_to_a_place_that_cannot_be_written(
    bench: Any, refused: Any, read_only: Path, demo_home: Path, tiny_home: Path,
    tmp_path: Path, line: tuple[str, ...],
) -> None:  # fmt: skip
    root = demo_home if line[0] == "train" else tiny_home
    mine = tmp_path / "mine" / "02691156"
    mine.mkdir(parents=True)
    (mine / "test0.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    hint = refused(bench(*line, read_only / "out", "--root", root, "-q"), 3, "cannot write")
    assert "--out" in hint
    (tmp_path / "file").write_text("")
    hint = refused(bench(*line, "file/out", "--root", root, "-q"), 3, "Not a directory", "file/out")
    assert "--out" in hint


@pytest.mark.parametrize("built", [False, True])
def test_kernels_in_a_read_only_root(
    bench: Any, read_only: Path, small_disk: Callable[[int], Any], tiny_home: Path, built: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """None are installed and none can be built there: plain torch does the work, and says so."""
    from benchbench.cuda_ops import build, library

    if library.why_unavailable("cpu"):
        pytest.skip("no compiler here")
    there = Path(str(library.location("cpu"))).parent
    root = read_only
    if built:
        disk = small_disk(ROOMY)
        shutil.copytree(there, disk.folder / "kernels" / f"cpu-{build.fingerprint('cpu')}")
        disk.read_only()
        root = disk.folder
    monkeypatch.setenv("BENCH_HOME", str(root))
    monkeypatch.setattr(library, "INSTALL_FOLDER", root / "none")
    monkeypatch.setattr(library, "_state", library._State())
    library._function.cache_clear()
    try:
        done = bench("run", "--baseline", "gt", "--split", "test", "--limit", "1", "--protocol",
                     "bench-iou-v1", "--root", tiny_home)  # fmt: skip
        assert done.exit_code == 0, done.stderr
        assert ("no compiled kernels, plain torch instead (cannot write" in done.stderr) != built
        assert (library.location("cpu") is not None) == built
    finally:
        library._function.cache_clear()


def test_a_file_where_the_root_should_be(
    bench: Any, refused: Any, tmp_path: Path, source: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = bench("prepare", "shapenet", "--from", source, "--root", "file/root")
    assert "--root" in refused(done, 3, "file/root", "Not a directory")
    done = bench("prepare", "shapenet", "--from", source, "--root", "file")
    assert (done.exit_code, done.stdout) == (2, "") and "'file' is a file" in done.stderr


def test_a_folder_where_a_file_should_be(
    bench: Any, refused: Any, tmp_path: Path, source: Path, tiny_home: Path
) -> None:
    (tmp_path / "home" / "shapenet.h5").mkdir(parents=True)
    done = bench("prepare", "shapenet", "--from", source, "--root", "home", "-q")
    assert "--root" in refused(done, 3, "home/shapenet.h5'", "Is a directory")
    assert bench("list", "--root", "home").exit_code == 0
