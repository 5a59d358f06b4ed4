"""Every set the same way: exported, packed as it is published, served, fetched and prepared.

What comes out is compared with the same files prepared from a folder; that those come out in the
object frame, pixel for pixel, is proven set by set in the folders beside this file.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import importlib
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchbench.core.errors import CheckError, MissingError
from benchbench.datasets import preparing, registry
from benchbench.datasets.exporting import export, layouts, snug_solid
from benchbench.datasets.spec import Archive
from benchbench.datasets.store import Store
from benchbench.datasets.store_format import SPLITS
from benchbench.datasets.verify import verify_store

FETCHED = [name for name in layouts() if registry.dataset_spec(name).archives]
QUIET = {"quiet": True, "workers": 1}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two objects of each set as raw files."""
    folders = {}
    for name in FETCHED:
        solids = [snug_solid("03001627/a", "train", 1), snug_solid("03001627/b", "test", 2)]
        folders[name] = export(name, solids, tmp_path_factory.mktemp("raw") / name)
    return folders


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """An empty folder, and where it is served."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def pack(folder: Path, archive: Path) -> None:
    """The files of a folder as one archive of the kind that its name says, or copied out of it."""
    ready = folder / archive.name
    if ready.is_file():
        archive.write_bytes(ready.read_bytes())
    elif archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(folder.rglob("*")):
                file.write(path, path.relative_to(folder))
    else:
        with tarfile.open(archive, "w:gz") as file:
            for path in sorted(folder.iterdir()):
                file.add(path, path.name)


def converter(name: str, mirrors: str, folder: Path) -> preparing.Converter:
    """The set's own, with archives at another address."""
    found = importlib.import_module(f"benchbench.datasets.{name.replace('-', '_')}.prepare")
    archives = []
    for archive in found.CONVERTER.spec.archives:
        packed = folder / archive.name
        # md5 in place of the published one, which is that of another file.
        md5 = hashlib.md5(packed.read_bytes()).hexdigest() if archive.md5 else None
        archives.append(replace(archive, mirrors=(f"{mirrors}/{archive.name}",), md5=md5))
    return replace(found.CONVERTER, spec=replace(found.CONVERTER.spec, archives=tuple(archives)))


def test_these_are_the_sets_that_are_made_from_archives() -> None:
    assert FETCHED == ["shapenet", "shapenet-kato", "shapenet-dvr", "shapenet-lsm",
                       "shapenet-vpl", "pascal3d", "pascal3d-vpl"]  # fmt: skip


@pytest.mark.parametrize("name", FETCHED)
def test_from_a_server(
    name: str, raw: dict[str, Path], served: tuple[Path, str], tmp_path: Path
) -> None:
    folder, address = served
    for archive in registry.dataset_spec(name).archives:
        pack(raw[name], folder / archive.name)
    changed = converter(name, address, folder)
    root, other = tmp_path / "fetched", tmp_path / "folder"
    with pytest.raises(MissingError, match="terms"):
        preparing.prepare(changed, root, **QUIET)
    beside = root / "archives" / name
    beside.mkdir(parents=True, exist_ok=True)
    for own in raw[name].glob("splits*.json"):  # LSM's lists are in another repository
        shutil.copy(own, beside)
    report = preparing.prepare(changed, root, accept_license=True, **QUIET)
    assert (report.counts["objects"], report.failed) == (2, [])
    twin = Store(preparing.prepare(changed, other, source=raw[name], **QUIET).path)
    store = Store(report.path)
    verify_store(store)
    assert store.identity == twin.identity
    assert store.object_ids == twin.object_ids
    assert {part: store.split_hash(part) for part in SPLITS} == {
        part: twin.split_hash(part) for part in SPLITS
    }
    assert {archive.name for archive in changed.spec.archives} <= {
        path.name for path in beside.iterdir()
    }
    # Once fetched, nothing is asked of the network again; --no-keep-archives removes them.
    before = report.path.read_bytes()
    preparing.prepare(changed, root, overwrite=True, keep_archives=False, **QUIET)
    assert report.path.read_bytes() == before
    assert not list((root / "archives").glob("*/[!.]*"))


@pytest.mark.parametrize("name", ["shapenet-lsm", "pascal3d"])
def test_another_file_than_the_published_one_is_refused(
    name: str, raw: dict[str, Path], served: tuple[Path, str], tmp_path: Path
) -> None:
    folder, address = served
    (archive,) = registry.dataset_spec(name).archives
    pack(raw[name], folder / archive.name)
    changed = converter(name, address, folder)
    wrong: tuple[Archive, ...] = (replace(changed.spec.archives[0], md5="0" * 32),)
    changed = replace(changed, spec=replace(changed.spec, archives=wrong))
    with pytest.raises((CheckError, MissingError), match="md5"):
        preparing.prepare(changed, tmp_path / "root", accept_license=True, **QUIET)
    assert not (tmp_path / "root" / f"{name}.h5").exists()
