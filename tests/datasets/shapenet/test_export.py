"""Objects out as 3D-R2N2's archives, fetched from a local server, and in again."""

from __future__ import annotations

import dataclasses
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchbench.core.errors import UsageError
from benchbench.datasets import preparing
from benchbench.datasets.archives import read_archive
from benchbench.datasets.exporting import Solid, asymmetric_cells, export, snug_solid
from benchbench.datasets.pictures import decode_png
from benchbench.datasets.shapenet.prepare import CONVERTER, prepare
from benchbench.datasets.spec import Archive
from benchbench.datasets.store import Store

CLASSES = ("02691156", "03001627", "04530566")
ARCHIVES = ("ShapeNetRendering.tgz", "ShapeNetVox32.tgz")
SIZE = 137


@pytest.fixture(scope="module")
def solids() -> list[Solid]:
    return [
        snug_solid(f"{synset}/{name}", "test", n)
        for n, synset in enumerate(CLASSES)
        for name in "ba"
    ]


@pytest.fixture(scope="module")
def raw(solids: list[Solid], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export("shapenet", solids, tmp_path_factory.mktemp("export") / "raw")


@pytest.fixture(scope="module")
def server(raw: Path) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(raw))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as one:
        thread = threading.Thread(target=one.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{one.server_address[1]}"
        one.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def store(server: str, tmp_path_factory: pytest.TempPathFactory) -> Store:
    archives = tuple(
        Archive(name, (f"{server}/absent/{name}", f"{server}/{name}")) for name in ARCHIVES
    )
    converter = dataclasses.replace(
        CONVERTER, spec=dataclasses.replace(CONVERTER.spec, archives=archives)
    )
    root = tmp_path_factory.mktemp("root")
    report = preparing.prepare(converter, root, accept_license=True, quiet=True)
    assert (report.counts["objects"], report.counts["pictures"]) == (6, 144)
    assert (report.failed, report.excluded) == ([], [])
    return Store(report.path)


def files(path: Path) -> dict[str, bytes]:
    return {member.name: member.data or b"" for member in read_archive(path)}


def test_names_and_texts_are_those_of_the_genuine_files(raw: Path, solids: list[Solid]) -> None:
    assert sorted(path.name for path in raw.iterdir()) == list(ARCHIVES)
    pictures, truth = (files(raw / name) for name in ARCHIVES)
    inner = [*(f"{n:02d}.png" for n in range(24)), "rendering_metadata.txt", "renderings.txt"]
    assert sorted(pictures) == sorted(
        f"ShapeNetRendering/{solid.id}/rendering/{name}" for solid in solids for name in inner
    )
    assert sorted(truth) == sorted(f"ShapeNetVox32/{solid.id}/model.binvox" for solid in solids)
    folder = f"ShapeNetRendering/{solids[0].id}/rendering"
    assert pictures[f"{folder}/renderings.txt"] == b"".join(b"%02d.png\n" % n for n in range(24))
    lines = pictures[f"{folder}/rendering_metadata.txt"].decode().splitlines()
    assert len(lines) == 24
    for line in lines:
        azimuth, elevation, in_plane, ratio, field = line.split(" ")
        assert 0 <= float(azimuth) < 360 and 25 <= float(elevation) <= 30
        assert 0.65 <= float(ratio) <= 0.95 and (in_plane, field) == ("0", "25")
    header = truth[f"ShapeNetVox32/{solids[0].id}/model.binvox"].split(b"data\n")[0]
    words = [line.split(" ") for line in header.decode().splitlines()]
    assert [line[0] for line in words] == ["#binvox", "dim", "translate", "scale"]
    assert words[1][1:] == ["32", "32", "32"]
    sides = -2 * np.array(words[2][1:], float)  # of the raw model: diagonal 1
    assert np.allclose(sides, np.array([32, 19.5, 17.5]) / np.linalg.norm([32, 19.5, 17.5]))
    assert float(words[3][1]) == sides.max()


def test_voxels_are_the_cells_known_by_hand(store: Store) -> None:
    for index in range(len(store)):
        np.testing.assert_array_equal(store.voxels(index), asymmetric_cells())


def test_pictures_are_the_files(store: Store, raw: Path) -> None:
    pictures = files(raw / ARCHIVES[0])
    for index, name in enumerate(store.object_ids):
        for view in (0, 13):
            data = pictures[f"ShapeNetRendering/{name}/rendering/{view:02d}.png"]
            np.testing.assert_array_equal(store.image(index, view), decode_png(data, name))


def project(points: np.ndarray, parameters: dict[str, float]) -> np.ndarray:
    """Eye, target and up: Blender's camera of 3D-R2N2 on points of the raw model (diagonal 1)."""
    azimuth, elevation = np.radians(parameters["azimuth"]), np.radians(parameters["elevation"])
    toward = np.array(
        [
            np.cos(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.sin(azimuth) * np.cos(elevation),
        ]
    )
    eye = 1.75 * parameters["distance_ratio"] * toward
    right = np.cross(-toward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, -toward)
    seen = points - eye
    depth = -seen @ toward
    return np.stack([seen @ right, -(seen @ up)], -1) / depth[:, None] * 149.84375 + 68.5


def share_seen(store: Store, index: int, solid: Solid, turn: np.ndarray) -> tuple[float, float]:
    """Share of the object's points on visible pixels; largest gap between box and picture."""
    vertices = np.asarray(solid.mesh.vertices, np.float64) @ turn.T
    weights = np.random.default_rng(0).dirichlet(np.ones(3), 40)
    points = np.einsum("nk,fkd->fnd", weights, vertices[solid.mesh.faces]).reshape(-1, 3)
    diagonal = np.linalg.norm(np.ptp(vertices, axis=0))
    shares, gaps = [], []
    for view in range(24):
        alpha = store.image(index, view)[..., 3] > 0
        parameters = store.camera(index, view).parameters
        column, row = np.floor(project(points / diagonal, parameters)).astype(int).T
        inside = (row >= 0) & (row < SIZE) & (column >= 0) & (column < SIZE)
        shares.append(alpha[row[inside], column[inside]].sum() / len(points))
        corners = project(vertices / diagonal, parameters)
        rows, columns = np.nonzero(alpha)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        gaps.append(np.abs(np.concatenate([corners.min(0), corners.max(0)]) - box).max())
    return float(np.mean(shares)), float(np.max(gaps))


def test_points_fall_on_the_drawn_pixels(store: Store, solids: list[Solid]) -> None:
    by_id = {solid.id: solid for solid in solids}
    for index in (0, 5):
        solid = by_id[store.object_ids[index]]
        share, gap = share_seen(store, index, solid, np.eye(3))
        assert share > 0.98 and gap < 1.1  # the rest lies on borders that no sample hits
        for wrong in (np.eye(3)[[2, 1, 0]], np.diag([1.0, 1, -1]), np.diag([-1.0, 1, 1])):
            assert share_seen(store, index, solid, wrong)[0] < 0.9


def test_scale_is_that_of_the_object(store: Store) -> None:
    for index in range(len(store)):
        assert (store.parameters(index) or {})["scale_from"] == "binvox header"
        diagonal = np.linalg.norm([32, 19.5, 17.5]) / 32
        np.testing.assert_allclose(
            store.source_to_object(index), np.diag([diagonal] * 3 + [1]), atol=1e-12
        )


def test_twice_the_same_bytes_and_never_the_same_cameras(
    solids: list[Solid], raw: Path, tmp_path: Path
) -> None:
    again = export("shapenet", solids, tmp_path / "again")
    for name in ARCHIVES:
        assert (again / name).read_bytes() == (raw / name).read_bytes()
    pictures = files(raw / ARCHIVES[0])
    texts = {pictures[name] for name in pictures if name.endswith("metadata.txt")}
    assert len(texts) == len(solids)


def test_unpacked_files_give_the_same_set(store: Store, raw: Path, tmp_path: Path) -> None:
    for name in ARCHIVES:
        for inner, data in files(raw / name).items():
            path = tmp_path / "source" / inner
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    report = prepare(tmp_path / "root", source=tmp_path / "source", quiet=True)
    assert Store(report.path).identity == store.identity


def test_refusals(solids: list[Solid], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(UsageError, match="not empty"):
        export("shapenet", solids, tmp_path / "full")
    foreign = dataclasses.replace(solids[0], id="12345678/a")
    with pytest.raises(UsageError, match="12345678"):
        export("shapenet", [foreign], tmp_path / "foreign")
