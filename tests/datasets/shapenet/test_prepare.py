"""`prepare shapenet` on the fake archives, on broken ones, and on the genuine sample."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchbench.core.errors import BenchError, InputError, MissingError, UsageError
from benchbench.datasets import preparing, registry
from benchbench.datasets.cameras import project
from benchbench.datasets.shapenet import prepare as module
from benchbench.datasets.shapenet.prepare import prepare
from benchbench.datasets.spec import PrepareReport
from benchbench.datasets.split_lists import split_list
from benchbench.datasets.store import Store

# The helpers of the conftest beside the parent folder, reached by its fixtures only.
QUIET = {"quiet": True}


@pytest.fixture(scope="module")
def prepared(fake_folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("root")
    report = prepare(root, source=fake_folders, **QUIET)
    assert report.counts["objects"] == 12
    assert report.counts["pictures"] == 288
    return Store(report.path)


def share_inside(
    store: Store, index: int, change=lambda cells: cells, views: range = range(24)
) -> float:
    """Share of occupied cells' centres that fall on visible pixels, over the views."""
    cells = np.argwhere(change(store.voxels(index))) + 0.5
    to_object = store.grid_to_object()
    points = cells @ to_object[:3, :3].T + to_object[:3, 3]
    back = np.linalg.inv(store.source_to_object(index))
    points = points @ back[:3, :3].T + back[:3, 3]
    shares = []
    for view in views:
        pixels, _ = project(store.camera(index, view), points)
        column, row = np.floor(pixels).astype(int).T
        alpha = store.image(index, view)[..., 3]
        inside = (row >= 0) & (row < 137) & (column >= 0) & (column < 137)
        shares.append((alpha[row[inside], column[inside]] > 0).sum() / len(cells))
    return float(np.mean(shares))


WRONG = {
    "x and z exchanged": lambda c: c.transpose(2, 1, 0),
    "x and y exchanged": lambda c: c.transpose(1, 0, 2),
    "y and z exchanged": lambda c: c.transpose(0, 2, 1),
    "x mirrored": lambda c: c[::-1],
    "y mirrored": lambda c: c[:, ::-1],
    "z mirrored": lambda c: c[:, :, ::-1],
    "half a turn": lambda c: c[::-1, :, ::-1],
}


def test_orientation_of_an_asymmetric_object(prepared: Store, fake_models: dict) -> None:
    for index, name in enumerate(prepared.object_ids):
        assert np.array_equal(prepared.voxels(index), fake_models[name][2]), name
    assert share_inside(prepared, 0) == 1.0
    for what, change in WRONG.items():
        assert share_inside(prepared, 0, change, range(0, 24, 4)) < 0.8, what


def test_scale_comes_from_the_header(prepared: Store, fake_models: dict) -> None:
    for index in range(4):
        notes = prepared.parameters(index)
        assert notes is not None
        assert notes["scale_from"] == "binvox header"
        cells = np.argwhere(fake_models[prepared.object_ids[index]][2])
        sides = cells.max(0) + 1 - cells.min(0)
        diagonal = np.linalg.norm(sides) / sides.max()
        expected = np.diag([diagonal, diagonal, diagonal, 1])
        assert np.allclose(prepared.source_to_object(index), expected, atol=1e-12)


def test_pictures_are_the_files(prepared: Store, fake_models: dict) -> None:
    from benchbench.datasets.pictures import decode_png

    name = prepared.object_ids[5]
    for view in (0, 23):
        image = decode_png(fake_models[name][0][f"{view:02d}.png"], name)
        assert np.array_equal(prepared.image(5, view), np.where(image[..., 3:] > 0, image, 0))
    line = fake_models[name][0]["rendering_metadata.txt"].decode().splitlines()[7]
    assert list(prepared.camera(5, 7).parameters.values()) == [float(w) for w in line.split()]


def test_splits(prepared: Store) -> None:
    assert prepared.split_name == "r2n2-80-20"
    assert prepared.split_counts() == {"train": 9, "val": 0, "test": 3}
    assert Store(prepared.path, "r2n2-70-10-20").split_counts() == {"train": 6, "val": 3, "test": 3}
    assert prepared.object_ids == sorted(prepared.object_ids)
    assert prepared.indices("test").tolist() == [3, 7, 11]


def test_published_lists_take_what_is_there(fake_folders: Path, tmp_path: Path) -> None:
    lists = {name: split_list(name).parts for name in ("lsm", "pixel2mesh")}
    folder, ids = broken_copy(fake_folders, tmp_path)
    planes = {part: lists["lsm"][part][0] for part in ("train", "val", "test")}
    for old, new in zip(ids, planes.values(), strict=False):
        for what in ("ShapeNetRendering", "ShapeNetVox32"):
            (folder / what / old).rename(folder / what / new)
    report = prepare(tmp_path / "root", source=folder, **QUIET)
    store = Store(report.path, "lsm")
    for part, id in planes.items():
        assert [store.object_ids[n] for n in store.indices(part)] == [id]
    store = Store(report.path, "pixel2mesh")
    for part in ("train", "test"):
        found = {store.object_ids[n] for n in store.indices(part)}
        assert found == set(planes.values()) & set(lists["pixel2mesh"][part])
    assert store.info["split_lists"]["lsm"]["missing"]["val"] == 4370
    assert store.info["split_lists"]["lsm"]["unlisted"] == 9
    assert any("1 of 8770 test; objects outside it: 9" in line for line in report.messages)


def test_lists_that_cover_nothing_are_left_out(prepared: Store) -> None:
    assert prepared.info["split_names"] == ["r2n2-80-20", "r2n2-70-10-20"]


def test_sidecar_and_state(prepared: Store, tmp_path: Path) -> None:
    root = prepared.path.parent
    assert registry.state("shapenet", root) == "prepared"
    assert registry.state("shapenet", tmp_path) == "absent"
    assert registry.sidecars("shapenet", root)[0]["objects"] == 12


@pytest.mark.parametrize("form", ["tgz", "zip", "mixed", "nested"])
def test_archives_hold_the_same_objects(
    prepared: Store, fake_archives: Path, fake_folders: Path, tmp_path: Path, form: str
) -> None:
    source = tmp_path / "source"
    if form == "tgz":
        source = fake_archives
    elif form == "zip":
        source.mkdir()
        for what in ("ShapeNetRendering", "ShapeNetVox32"):
            shutil.make_archive(str(source / what), "zip", fake_folders, what)
    elif form == "mixed":
        source.mkdir()
        shutil.copy(fake_archives / "ShapeNetRendering.tgz", source)
        shutil.copytree(fake_folders / "ShapeNetVox32", source / "ShapeNetVox32")
    else:
        shutil.copytree(fake_folders, source / "ShapeNet")
    store = Store(prepare(tmp_path / "root", source=source, **QUIET).path)
    assert store.identity == prepared.identity
    assert store.object_ids == prepared.object_ids
    assert store.split_hash("test") == prepared.split_hash("test")


def test_same_bytes_twice(prepared: Store, fake_folders: Path, tmp_path: Path) -> None:
    copied = tmp_path / "elsewhere"
    shutil.copytree(fake_folders, copied)
    again = prepare(tmp_path / "root", source=copied, **QUIET)
    assert again.path.read_bytes() == prepared.path.read_bytes()


def broken_copy(fake_folders: Path, tmp_path: Path) -> tuple[Path, list[str]]:
    """A copy with one fault in each of several models; returns it and the ids in order."""
    folder = tmp_path / "broken"
    shutil.copytree(fake_folders, folder)
    pictures = folder / "ShapeNetRendering"
    ids = sorted(p.relative_to(pictures).as_posix() for p in pictures.glob("*/*"))
    return folder, ids


def test_every_fault_is_named(fake_folders: Path, tmp_path: Path) -> None:
    folder, ids = broken_copy(fake_folders, tmp_path)
    pictures, voxels = folder / "ShapeNetRendering", folder / "ShapeNetVox32"
    (pictures / ids[0] / "rendering" / "23.png").unlink()
    path = pictures / ids[1] / "rendering" / "05.png"
    path.write_bytes(path.read_bytes()[:-20])
    path = voxels / ids[2] / "model.binvox"
    path.write_bytes(path.read_bytes()[:-2])
    shutil.rmtree(voxels / ids[4])
    shutil.rmtree(pictures / ids[5])
    path = pictures / ids[6] / "rendering" / "rendering_metadata.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    (pictures / ids[7] / "rendering" / "00.png").write_bytes(b"<html>")
    (voxels / ids[8] / "model.binvox").unlink()
    path = pictures / ids[9] / "rendering" / "rendering_metadata.txt"
    path.write_text(path.read_text().replace(" 25\n", " nan\n"))
    shutil.copytree(pictures / ids[0], pictures / "99999999" / "x")
    report = prepare(tmp_path / "root", source=folder, **QUIET)
    reasons = dict(report.failed)
    assert set(reasons) == {ids[n] for n in (0, 1, 2, 6, 7, 8, 9)}
    assert "23 of 24 views; missing: 23.png" in reasons[ids[0]]
    assert "05.png" in reasons[ids[1]]
    assert "model.binvox" in reasons[ids[2]]
    assert "rendering_metadata.txt" in reasons[ids[6]]
    assert "not a PNG" in reasons[ids[7]]
    assert "without model.binvox" in reasons[ids[8]]
    assert dict(report.excluded) == {
        ids[4]: "has pictures but no ground truth",
        ids[5]: "has ground truth but no pictures",
    }
    store = Store(report.path)
    assert store.object_ids == [ids[n] for n in (3, 10, 11)]
    # The split rule counts the folders of ShapeNetVox32, whatever became of them.
    assert [store.object_ids[n] for n in store.indices("test")] == [ids[3], ids[11]]
    again = prepare(tmp_path / "root", source=folder, **QUIET)
    assert (again.failed, again.excluded) == (report.failed, report.excluded)


def test_nothing_usable(fake_folders: Path, tmp_path: Path) -> None:
    folder, _ = broken_copy(fake_folders, tmp_path)
    for path in (folder / "ShapeNetRendering").glob("*/*/rendering/00.png"):
        path.unlink()
    with pytest.raises(InputError, match=r"no object has both.*23 of 24"):
        prepare(tmp_path / "root", source=folder, **QUIET)
    shutil.rmtree(folder / "ShapeNetVox32")
    with pytest.raises(MissingError, match="ShapeNetVox32"):
        prepare(tmp_path / "root", source=folder, **QUIET)
    (folder / "ShapeNetVox32").mkdir()
    with pytest.raises(InputError, match="holds no model"):
        prepare(tmp_path / "root", source=folder, **QUIET)
    with pytest.raises(MissingError, match="no folder"):
        prepare(tmp_path / "root", source=tmp_path / "absent", **QUIET)


def test_truncated_archive(fake_archives: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(fake_archives, source)
    path = source / "ShapeNetRendering.tgz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"ShapeNetRendering\.tgz.*cut off"):
        prepare(tmp_path / "root", source=source, **QUIET)
    path.write_bytes(whole)
    assert prepare(tmp_path / "root", source=source, **QUIET).counts["objects"] == 12


def test_other_sources_need_overwrite(fake_folders: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    prepare(root, source=fake_folders, **QUIET)
    folder, ids = broken_copy(fake_folders, tmp_path)
    shutil.rmtree(folder / "ShapeNetVox32" / ids[0])
    with pytest.raises(UsageError, match="other files"):
        prepare(root, source=folder, **QUIET)
    assert prepare(root, source=folder, overwrite=True, **QUIET).counts["objects"] == 11


def test_prepared_is_prepared(prepared: Store) -> None:
    root = prepared.path.parent
    report = prepare(root, **QUIET)  # without sources, consent or network
    assert any("already prepared" in line for line in report.messages)
    (root / "shapenet.json").unlink()
    prepare(root, **QUIET)
    assert (root / "shapenet.json").is_file()
    assert prepare(root, verify=True, **QUIET).counts["objects"] == 12


def test_own_files_need_no_consent_but_show_the_terms(prepared: Store) -> None:
    note = (prepared.path.parent / "licences" / "shapenet.json").read_text()
    assert "own files" in note
    assert "ShapeNet terms of use" in note


def test_a_folder_without_the_files_is_no_consent(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingError, match="holds neither"):
        prepare(tmp_path / "root", source=tmp_path / "empty", **QUIET)
    with pytest.raises(MissingError, match="are not accepted yet"):
        prepare(tmp_path / "root", **QUIET)


def test_without_consent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingError, match="terms") as caught:
        prepare(tmp_path, **QUIET)
    assert caught.value.exit_code == 3
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    with pytest.raises(MissingError, match="BENCH_OFFLINE"):
        prepare(tmp_path, accept_license=True, **QUIET)


def test_fetched_archives(
    fake_archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared: Store
) -> None:
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    folder = tmp_path / "archives" / "shapenet"
    shutil.copytree(fake_archives, folder)
    report = prepare(tmp_path, accept_license=True, keep_archives=False, **QUIET)
    assert Store(report.path).identity == prepared.identity
    assert not folder.exists()


def test_dry_run_changes_nothing(fake_folders: Path, tmp_path: Path) -> None:
    report = prepare(tmp_path / "root", dry_run=True, **QUIET)
    text = "\n".join(report.messages)
    for word in ("would fetch ShapeNetRendering.tgz", "ftp.cs.stanford.edu", "free space", "terms"):
        assert word in text
    report = prepare(tmp_path / "root", source=fake_folders, dry_run=True, **QUIET)
    assert "would read" in "\n".join(report.messages)
    assert not (tmp_path / "root").exists()


def test_bad_options(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="size"):
        prepare(tmp_path, size="demo", **QUIET)
    with pytest.raises(UsageError, match="split"):
        prepare(tmp_path, split="r2n2", **QUIET)
    with pytest.raises(UsageError, match="shapnet"):
        registry.prepare("shapnet", tmp_path)


def test_split_is_a_setting(fake_folders: Path, tmp_path: Path) -> None:
    report = prepare(tmp_path, source=fake_folders, split="r2n2-70-10-20", **QUIET)
    assert Store(report.path).split_name == "r2n2-70-10-20"


def test_too_little_space(
    fake_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(preparing.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(MissingError, match="free, the conversion"):
        prepare(tmp_path, source=fake_folders, **QUIET)


def test_read_only_root(fake_folders: Path, tmp_path: Path, disks: ModuleType) -> None:
    disk = disks.SmallDisk(tmp_path / "disk", 1 << 24)
    disk.read_only()
    try:
        if os.geteuid() == 0 and disk.how != "tmpfs":
            pytest.skip("root may write everywhere, and nothing can be mounted here")
        with pytest.raises(MissingError, match="cannot write"):
            prepare(disk.folder, source=fake_folders, **QUIET)
        assert list(disk.folder.iterdir()) == []
    finally:
        disk.remove()


def test_resumes_within_a_set(
    fake_archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared: Store
) -> None:
    monkeypatch.setattr(preparing, "_SHARD", 2)
    made: list[str] = []
    real = module.convert

    def counted(synset: str, model: str, *rest: object) -> object:
        if len(made) == 5:
            raise KeyboardInterrupt
        made.append(model)
        return real(synset, model, *rest)

    monkeypatch.setattr(module, "convert", counted)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path, source=fake_archives, workers=1, **QUIET)
    assert registry.state("shapenet", tmp_path) == "partial"
    monkeypatch.setattr(module, "convert", lambda *a: (made.append(a[1]), real(*a))[1])
    report = prepare(tmp_path, source=fake_archives, workers=1, **QUIET)
    assert len(made) <= 5 + 12 - 4  # two whole shards of two were kept
    assert Store(report.path).identity == prepared.identity


def test_pictures_mended_after_an_interruption_are_not_mixed(
    fake_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared: Store
) -> None:
    folder, ids = broken_copy(fake_folders, tmp_path)
    picture = folder / "ShapeNetRendering" / ids[0] / "rendering" / "03.png"
    whole = picture.read_bytes()
    other = picture.with_name("04.png").read_bytes()
    picture.write_bytes(other[: len(whole)].ljust(len(whole), b"\0"))
    monkeypatch.setattr(preparing, "_SHARD", 2)
    real, made = module.convert, []

    def stopped(synset: str, model: str, *rest: object) -> object:
        made.append(model)
        if len(made) == 5:
            raise KeyboardInterrupt
        return real(synset, model, *rest)

    monkeypatch.setattr(module, "convert", stopped)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "root", source=folder, workers=1, **QUIET)
    picture.write_bytes(whole)
    monkeypatch.setattr(module, "convert", real)
    report = prepare(tmp_path / "root", source=folder, **QUIET)
    assert report.failed == [] and Store(report.path).identity == prepared.identity


def test_a_changed_byte_of_the_truth_is_noticed(fake_folders: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    folder, ids = broken_copy(fake_folders, tmp_path)
    prepare(root, source=folder, **QUIET)
    for name in (
        f"ShapeNetVox32/{ids[0]}/model.binvox",
        f"ShapeNetRendering/{ids[1]}/rendering/rendering_metadata.txt",
    ):
        whole = (folder / name).read_bytes()
        times = (folder / name).stat()
        (folder / name).write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        os.utime(folder / name, ns=(times.st_atime_ns, times.st_mtime_ns))
        with pytest.raises(UsageError, match="other files"):
            prepare(root, source=folder, **QUIET)
        (folder / name).write_bytes(whole)
    assert prepare(root, source=folder, **QUIET).counts["objects"] == 12


COMMAND = """
import sys
from pathlib import Path
from benchbench.datasets import preparing
from benchbench.datasets.shapenet.prepare import prepare
preparing._SHARD = 2
print("begun", flush=True)
prepare(Path(sys.argv[1]), source=Path(sys.argv[2]), quiet=True)
"""


def killed(root: Path, source: Path, expected: bytes, count: int) -> None:
    command = [sys.executable, "-c", COMMAND]

    def begin(target: Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*command, str(target), str(source)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"  # imports are behind it
        return process

    with begin(root / "timing") as process:
        start = time.monotonic()
        assert process.wait() == 0
        whole = time.monotonic() - start
    signals = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    rng = np.random.default_rng(count)
    stopped = 0
    for number in range(count):
        with begin(root / str(number // 3)) as process:
            time.sleep(rng.uniform(0.0, 1.0) * whole)
            process.send_signal(signals[number % 3])
            stopped += process.wait() != 0
    assert stopped > 0
    for number in range((count + 2) // 3):
        report: PrepareReport = prepare(root / str(number), source=source, **QUIET)
        assert report.path.read_bytes() == expected


def test_killed_at_random(fake_folders: Path, tmp_path: Path, prepared: Store) -> None:
    killed(tmp_path, fake_folders, prepared.path.read_bytes(), 3)


@pytest.mark.slow
def test_killed_at_random_often(fake_folders: Path, tmp_path: Path, prepared: Store) -> None:
    killed(tmp_path, fake_folders, prepared.path.read_bytes(), 60)


def test_genuine_sample(shared: Path, tmp_path: Path) -> None:
    source = shared / "author_data" / "shapenet_sample"
    if not source.is_dir():
        pytest.skip("the genuine sample is not beside the project")
    report = prepare(tmp_path, source=source, **QUIET)
    assert report.counts["chair"] == report.counts["objects"] == 3
    assert report.failed == []
    assert [reason for _, reason in report.excluded] == ["has pictures but no ground truth"]
    store = Store(report.path)
    assert store.excluded[0][0].startswith("02691156/")
    shares = []
    for index in range(3):
        notes = store.parameters(index)
        assert notes is not None
        assert notes["scale_from"] == "binvox header"
        shares.append(share_inside(store, index))
    assert min(shares) > 0.95  # measured: 0.997, 0.960, 0.998
    for what, change in WRONG.items():
        wrong = [share_inside(store, n, change, range(0, 24, 3)) for n in range(3)]
        if what != "z mirrored":  # chairs of ShapeNetCore v1 are symmetric there
            assert np.mean(wrong) < np.mean(shares) - 0.1, what


def test_registry_lists_what_exists() -> None:
    assert "shapenet" in registry.dataset_names()
    spec = registry.dataset_spec("shapenet")
    assert spec.splits[0] == "r2n2-80-20"
    with pytest.raises(UsageError, match="no audit"):
        registry.audit("shapenet", Path("x"))
    assert issubclass(UsageError, BenchError)
