"""From a mirror to the reader, and an archive that only a person can fetch."""

from __future__ import annotations

import dataclasses
import functools
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchbench.core.errors import CheckError, MissingError
from benchbench.core.files import sha256_file
from benchbench.datasets import preparing
from benchbench.datasets.exporting import asymmetric_solid
from benchbench.datasets.exporting import export as export_layout
from benchbench.datasets.shapenet_dvr.export import export
from benchbench.datasets.shapenet_dvr.prepare import CONVERTER, prepare
from benchbench.datasets.shapenet_kato import prepare as kato
from benchbench.datasets.store import Store

QUIET = {"quiet": True, "workers": 1}


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder with `raw/` and NMR_Dataset.zip made of it, and its address."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "raw").mkdir()
    solids = [asymmetric_solid(f"03001627/{part}", part) for part in ("train", "val", "test")]
    export(solids, folder / "raw", 300)
    shutil.make_archive(str(folder / "NMR_Dataset"), "zip", folder / "raw", "NMR_Dataset")
    handler = functools.partial(Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def served_from(address: str) -> preparing.Converter:
    """The set with local mirrors: one that does not have the file, and one that does."""
    (archive,) = CONVERTER.spec.archives
    mirrors = (f"{address}/gone/{archive.name}", f"{address}/{archive.name}")
    spec = dataclasses.replace(
        CONVERTER.spec, archives=(dataclasses.replace(archive, mirrors=mirrors, about_bytes=0),)
    )
    return dataclasses.replace(CONVERTER, spec=spec)


def test_mirror_to_reader(
    served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = served
    monkeypatch.delenv("BENCH_OFFLINE", raising=False)
    wanted = Store(prepare(tmp_path / "own", source=folder / "raw", **QUIET).path)
    fetched = preparing.prepare(
        served_from(address), tmp_path / "kept", accept_license=True, **QUIET
    )
    store = Store(fetched.path)
    assert (store.identity, len(store)) == (wanted.identity, 3)
    archive = tmp_path / "kept" / "archives" / "shapenet-dvr" / "NMR_Dataset.zip"
    assert sha256_file(archive) == sha256_file(folder / "NMR_Dataset.zip")
    note = json.loads(archive.with_name("NMR_Dataset.zip.json").read_text())
    assert note["sha256"] == sha256_file(archive) == store.info["sources"]["NMR_Dataset"]
    assert note["from"] == f"{address}/NMR_Dataset.zip"
    report = preparing.prepare(
        served_from(address), tmp_path / "gone", accept_license=True, keep_archives=False, **QUIET
    )
    assert report.path.read_bytes() == fetched.path.read_bytes()
    assert not (tmp_path / "gone" / "archives" / "shapenet-dvr").exists()


def test_an_archive_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    root = tmp_path / "root"
    with pytest.raises(MissingError, match="cannot be fetched by a program") as caught:
        kato.prepare(root, accept_license=True, **QUIET)
    target = root / "archives" / "shapenet-kato" / "mesh_reconstruction_dataset.zip"
    assert f"save it as '{target}', and type: bench prepare shapenet-kato;" in str(
        caught.value.hint
    )
    assert "drive.google.com" in str(caught.value.hint)
    raw = export_layout("shapenet-kato", [asymmetric_solid("03001627/a")], tmp_path / "raw")
    target.write_bytes(b"<html>Virus scan warning</html>")  # what a browser gets from the address
    with pytest.raises(CheckError, match="is no archive"):
        kato.prepare(root, accept_license=True, **QUIET)
    shutil.make_archive(str(target.with_suffix("")), "zip", raw)
    store = Store(kato.prepare(root, accept_license=True, **QUIET).path)
    assert store.object_ids == ["03001627/test/00000"]
    assert store.info["sources"] == {target.name: sha256_file(target)}
