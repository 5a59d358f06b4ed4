"""`bench reconstruct` as typed: exit code, stdout and stderr, and the files it leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from benchbench.baselines import list_baselines
from benchbench.cli.main import cli
from benchbench.core.types import Mesh
from benchbench.datasets.cameras import kato_cameras
from benchbench.datasets.drawing import draw, lit
from benchbench.datasets.exporting import asymmetric_solid
from benchbench.evaluation.meshes_in import read_shape


def bench(*words: object) -> Result:
    return CliRunner().invoke(cli, ["reconstruct", *map(str, words)])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three views of one object: with alpha, without, and larger."""
    folder = tmp_path_factory.mktemp("pictures")
    solid = asymmetric_solid("03001627/a")
    for size, names in ((64, ("a", "b")), (100, ("large",))):
        drawn = draw(solid.mesh, lit(solid.mesh, solid.colours), kato_cameras(size), size, size)
        for view, name in enumerate(names):
            picture = Image.fromarray(drawn[3 * view + 1])
            if name == "b":
                paper = Image.new("RGB", picture.size, "white")
                paper.paste(picture, mask=picture.getchannel("A"))
                picture = paper
            picture.save(folder / f"{name}.png")
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:300])
    return folder


def test_one_picture(pictures: Path, tmp_path: Path) -> None:
    target, strip = tmp_path / "new" / "a.obj", tmp_path / "strips" / "a.png"
    done = bench(pictures / "a.png", "--baseline", "kato", "-o", target, "--render", strip)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{target}\n{strip}\n"
    assert done.stderr.startswith("kato, weights shipped with the package")
    shape = read_shape(target)
    assert isinstance(shape, Mesh)
    assert shape.vertices.shape == (642, 3) and shape.faces.shape == (1280, 3)
    corners = shape.vertices.astype(np.float64)[shape.faces]
    assert np.linalg.det(corners).sum() > 0  # signed volume: the winding is outward
    with Image.open(strip) as picture:
        assert (picture.size, picture.mode) == ((256, 256), "RGB")
        assert np.asarray(picture).any()


def test_each_picture_by_itself(pictures: Path, tmp_path: Path) -> None:
    names = [pictures / f"{name}.png" for name in ("a", "broken", "b", "large", "none")]
    done = bench(
        *names, "--baseline", "kato", "-o", tmp_path / "{name}.ply", "--render",
        tmp_path / "{name}.png", "--json",
    )  # fmt: skip
    assert done.exit_code == 4
    answer = json.loads(done.stdout)
    assert [Path(entry["shape"]).name for entry in answer["reconstructed"]] == [
        "a.ply", "b.ply", "large.ply",
    ]  # fmt: skip
    assert [entry["masks"] for entry in answer["reconstructed"]] == [
        ["alpha"], ["background"], ["alpha"],
    ]  # fmt: skip
    assert [Path(entry["picture"]).name for entry in answer["failed"]] == ["broken.png", "none.png"]
    assert f"{pictures / 'b.png'}: it has no alpha; the mask is" in done.stderr
    assert "2 of 5 pictures failed" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.ply", "a.png", "b.ply", "b.png", "large.ply", "large.png",
    ]  # fmt: skip


def test_twice_gives_the_same_bytes(pictures: Path, tmp_path: Path) -> None:
    for name in ("one.glb", "two.glb"):
        done = bench(pictures / "a.png", "--baseline", "kato", "-o", tmp_path / name, "-q")
        assert (done.exit_code, done.stderr) == (0, "")
    assert (tmp_path / "one.glb").read_bytes() == (tmp_path / "two.glb").read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("a.png", "--baseline", "kato"), "Missing option '-o'"),
        (("a.png", "--baseline", "kota", "-o", "a.obj"), "kato"),
        (("a.png", "--baseline", "kato", "-o", "a.stl"), ".obj, .ply, .glb, .npy, .binvox"),
        (("a.png", "b.png", "--baseline", "kato", "-o", "a.obj"), "-o 'out/{name}.obj'"),
        (("a.png", "x/a.png", "--baseline", "kato", "-o", "{name}.obj"), "two pictures would give"),
        (("a.png", "--baseline", "kato", "-o", "a.obj", "--render", "a.gif"), "--render strip.png"),
        (
            ("a.png", "b.png", "--baseline", "kato", "-o", "{name}.obj", "--render", "a.png"),
            "--render 'strips/{name}.png'",
        ),
        (("a.png", "--baseline", "kato", "-o", "a.obj", "--set", "x"), "--set name=value"),
        (("a.png", "--baseline", "mean", "-o", "a.obj"), "told the class"),
        (("a.png", "--baseline", "gt", "-o", "a.obj"), "told the truth"),
    ],
)
def test_wrong_usage(
    words: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = bench(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_one_broken_picture_is_an_error(pictures: Path, tmp_path: Path) -> None:
    done = bench(pictures / "broken.png", "--baseline", "kato", "-o", tmp_path / "a.obj")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "error: " in done.stderr and "broken.png" in done.stderr
    done = bench(tmp_path / "none.png", "--baseline", "kato", "-o", tmp_path / "a.obj")
    assert (done.exit_code, done.stdout) == (3, "")
    assert list(tmp_path.iterdir()) == []


LOOKING = [spec for spec in list_baselines() if spec.takes == "image" and spec.trainer]


@pytest.mark.parametrize("spec", LOOKING, ids=lambda spec: spec.id)
def test_every_baseline_that_looks_at_pictures(spec, pictures: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.binvox"
    done = bench(pictures / "large.png", "--baseline", spec.id, "-o", target, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["reconstructed"][0]["masks"] == ["alpha"]
    assert read_shape(target).occupancy.sum() > 50
    if spec.several_views:
        pair = (pictures / "a.png", pictures / "a.png")
        done = bench(*pair, "--baseline", spec.id, "-o", target, "--json")
        assert done.exit_code == 0, done.output
        assert len(json.loads(done.stdout)["reconstructed"][0]["pictures"]) == 2
