"""Writing: resuming, killing, two at once, other plans, full disks."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchbench.core.errors import BenchError, InputError, MissingError
from benchbench.datasets.cameras import kato_cameras
from benchbench.datasets.records import Layout, ObjectRecord, Rendering, VoxelKind
from benchbench.datasets.store import Store
from benchbench.datasets.store_writer import StoreWriter

SCRIPT = """
import sys, time
sys.path.insert(0, {folder!r})
import importlib.util
spec = importlib.util.spec_from_file_location("writing", {file!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print("begun", flush=True)
module.run(sys.argv[1], pause=float(sys.argv[2]))
"""
OBJECTS, SHARD = 24, 4


def make(number: int) -> ObjectRecord:
    rng = np.random.default_rng(number)
    image = rng.integers(0, 256, (24, 16, 16, 4), dtype=np.uint8)
    return ObjectRecord(
        f"03001627/{number:04d}",
        "03001627",
        {"kato": image},
        {"kato": kato_cameras(16)},
        {"a": rng.random((8, 8, 8)) > 0.5},
    )


def open_writer(root: str | Path, seed: int = 0, **options) -> StoreWriter:
    return StoreWriter(
        root,
        "toy",
        (("03001627", "chair"),),
        Layout(
            {"kato": Rendering(16, 16, ("azimuth", "elevation", "distance"))},
            {"a": VoxelKind(8, np.eye(4))},
        ),
        {"title": "toy"},
        {"seed": seed},
        **options,
    )


def run(root: str | Path, pause: float = 0.0, **options) -> list[int]:
    """Convert; returns the shards that had to be made."""
    made = []
    with open_writer(root, **options) as writer:
        if writer.finished:
            return made
        for shard in range(OBJECTS // SHARD):
            if writer.done(shard):
                continue
            made.append(shard)
            time.sleep(pause)
            writer.shard(shard, [make(shard * SHARD + n) for n in range(SHARD)])
        ids = [f"03001627/{n:04d}" for n in range(OBJECTS)]
        time.sleep(pause)
        writer.finish({"s": {"train": ids[:12], "test": ids[12:]}})
        time.sleep(pause)
    return made


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    root = tmp_path_factory.mktemp("whole")
    assert run(root) == list(range(6))
    return (root / "toy.h5").read_bytes()


def check(root: Path, expected: bytes) -> None:
    assert (root / "toy.h5").read_bytes() == expected
    assert (root / "toy.json").is_file()
    left = [p for p in root.rglob("*") if p.name not in ("toy.h5", "toy.json")]
    assert sorted(p.name for p in left) == [".partial", "toy.lock"]


def test_resumes_by_whole_shards(tmp_path: Path, expected: bytes) -> None:
    with open_writer(tmp_path) as writer:
        for shard in (0, 3):
            writer.shard(shard, [make(shard * SHARD + n) for n in range(SHARD)])
        (writer.partial / "shard-000001.tmp").write_bytes(b"half")
        (writer.partial / "shard-000002.h5").write_bytes(b"not whole")
    assert run(tmp_path) == [1, 2, 4, 5]
    check(tmp_path, expected)
    assert run(tmp_path) == []


def test_another_plan_starts_anew(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        writer.shard(0, [make(0)])
    with open_writer(tmp_path, seed=1) as writer:
        assert not writer.done(0)
    assert run(tmp_path) == list(range(6))
    with open_writer(tmp_path, seed=1) as writer:
        assert not writer.finished
    with open_writer(tmp_path, overwrite=True) as writer:
        assert not writer.finished


def test_lost_sidecar_is_written_again(tmp_path: Path, expected: bytes) -> None:
    run(tmp_path)
    note = (tmp_path / "toy.json").read_bytes()
    (tmp_path / "toy.json").unlink()
    assert run(tmp_path) == []
    assert (tmp_path / "toy.json").read_bytes() == note


def test_damaged_file_is_made_again(tmp_path: Path, expected: bytes) -> None:
    run(tmp_path)
    (tmp_path / "toy.h5").write_bytes(expected[:1000])
    assert run(tmp_path) == list(range(6))
    check(tmp_path, expected)


def killed_runs(root: Path, count: int, seed: int, expected: bytes) -> None:
    """Kill a writing process `count` times at random moments, then let one finish."""
    rng = random.Random(seed)
    folder, file = str(Path(__file__).parent), str(Path(__file__))
    command = [sys.executable, "-c", SCRIPT.format(folder=folder, file=file)]

    def begin(target: Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*command, str(target), "0.03"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"  # imports are behind it
        return process

    with begin(root / "timing") as process:
        start = time.monotonic()
        assert process.wait() == 0
        whole = time.monotonic() - start
    stopped = 0
    for number in range(count):
        target = root / f"{number // 4}"  # several kills on top of each other
        with begin(target) as process:
            time.sleep(rng.uniform(0.0, whole))
            process.send_signal(rng.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
            stopped += process.wait() != 0
        if (target / "toy.h5").is_file():
            Store(target / "toy.h5").image(0, 0)  # whole, or not there
    for target in sorted(root.glob("[0-9]*")):
        run(target)
        check(target, expected)
    assert stopped > 0


def test_killed_at_random(tmp_path: Path, expected: bytes) -> None:
    killed_runs(tmp_path, 4, 1, expected)


@pytest.mark.slow
def test_killed_at_random_often(tmp_path: Path, expected: bytes) -> None:
    killed_runs(tmp_path, 40, 2, expected)


def test_two_at_once(tmp_path: Path, expected: bytes) -> None:
    folder, file = str(Path(__file__).parent), str(Path(__file__))
    command = [sys.executable, "-c", SCRIPT.format(folder=folder, file=file), str(tmp_path), "0.2"]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    errors = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum("waiting: another process is at work on data set 'toy'" in e for e in errors) == 1
    check(tmp_path, expected)


def test_full_disk(tmp_path: Path, expected: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_writer(tmp_path) as writer:
        writer.shard(0, [make(n) for n in range(SHARD)])
        real = os.fsync

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(MissingError, match="no space left"):
            writer.shard(1, [make(n) for n in range(SHARD, 2 * SHARD)])
        monkeypatch.setattr(os, "fsync", real)
        assert not writer.done(1)
    assert run(tmp_path) == [1, 2, 3, 4, 5]
    check(tmp_path, expected)


def test_full_disk_in_the_words_of_hdf5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("Can't decrement id ref count (file write failed: errno = 28)")

    with open_writer(tmp_path) as writer:
        monkeypatch.setattr(h5py, "File", full)
        with pytest.raises(MissingError, match="no space left"):
            writer.shard(0, [make(0)])


def test_wrong_records(tmp_path: Path) -> None:
    good = vars(make(0))
    with open_writer(tmp_path) as writer:
        for changes in (
            {"synset": "02691156"},
            {"id": "other/0"},
            {"images": {}},
            {"voxels": {}},
            {"voxels": {"a": np.zeros((4, 4, 4), bool)}},
            {"voxels": {"a": np.zeros((8, 8, 8), np.uint8)}},
            {"identity": b"short"},
        ):
            with pytest.raises(InputError):
                writer.shard(0, [ObjectRecord(**{**good, **changes})])
        writer.shard(0, [make(0)])
        writer.shard(1, [make(0)])
        with pytest.raises(BenchError, match="two shards"):
            writer.finish({"s": {"test": ["03001627/0000"]}})
    with open_writer(tmp_path) as writer:
        writer.shard(1, [make(1)])
        first, second = "03001627/0000", "03001627/0001"
        for parts in (
            {"test": ["03001627/9999"]},
            {"test": [first, first]},
            {"test": [first], "train": [first]},
            {"tset": [first]},
        ):
            with pytest.raises(InputError):
                writer.finish({"s": parts})
        for order in ([first], [first, first], [first, second, "03001627/2"]):
            with pytest.raises(BenchError, match="order"):
                writer.finish({"s": {"test": [first]}}, order=order)


def test_own_identity(tmp_path: Path) -> None:
    record = ObjectRecord(**{**vars(make(0)), "identity": bytes(range(32))})
    with open_writer(tmp_path) as writer:
        writer.shard(0, [record])
        path = writer.finish({"s": {"test": [record.id]}})
    assert Store(path).identity_of(0) == bytes(range(32))


MANY = """
import resource, sys
sys.path.insert(0, {folder!r})
import importlib.util
spec = importlib.util.spec_from_file_location("writing", {file!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
resource.setrlimit(resource.RLIMIT_NOFILE, (60, int(sys.argv[2])))
from benchbench.core.errors import MissingError
with module.open_writer(sys.argv[1]) as writer:
    for number in range(90):
        writer.shard(number, [module.make(number)])
    try:
        writer.finish({{"s": {{"train": [f"03001627/{{n:04d}}" for n in range(90)]}}}})
    except MissingError as error:
        print(error, error.hint)
"""


@pytest.mark.parametrize("most", [400, 200])
def test_more_shards_than_files_may_be_open(tmp_path: Path, most: int) -> None:
    code = MANY.format(folder=str(Path(__file__).parent), file=__file__)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path), str(most)],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    if most == 400:
        store = Store(tmp_path / "toy.h5")
        assert len(store) == 90 and done.stdout == ""
        for number in (0, 57, 89):
            assert np.array_equal(store.voxels(number), make(number).voxels["a"])
    else:
        assert "90 files must be open at once, this system allows 200 ulimit -n" in done.stdout
        assert not (tmp_path / "toy.h5").exists()


def test_a_damaged_shard_ends_the_work_in_a_sentence(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        for number in range(2):
            writer.shard(number, [make(number)])
        path = next(tmp_path.rglob("shard-000001.h5"))
        with h5py.File(path, "r+") as file:
            del file["renderings/kato/pixels"]
        with pytest.raises(BenchError, match=r"cannot be read \(renderings/kato/pixels"):
            writer.finish({"s": {"train": ["03001627/0000", "03001627/0001"]}})
