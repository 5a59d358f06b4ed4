"""Meshes in pairs: numbers by hand, what is paired, what fails and what must not matter."""

from __future__ import annotations

import errno
import os
import runpy
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import trimesh

from benchbench.core.errors import CheckError, MissingError, UsageError
from benchbench.core.types import Mesh
from benchbench.evaluation import alignment, outer_surface, pair_scores
from benchbench.evaluation.pair_scores import Choices, metrics, score_pairs
from benchbench.evaluation.pair_signature import PairSignature
from benchbench.evaluation.pairs import find_pairs
from benchbench.evaluation.run import run
from benchbench.evaluation.selftest_case import box, square

PENALTY = 100 * 3**0.5
PLAIN = Choices(("none",), "truth-box", "all")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchbench.protocols.surface.SAMPLES", 600)
    monkeypatch.setattr(alignment, "SEARCH_POINTS", 300)
    monkeypatch.setattr(outer_surface, "CELLS", 64)
    monkeypatch.setattr(outer_surface, "INNER_CELLS", 59)


def write(file: Path, mesh: Mesh) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    shape = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    file.write_bytes(shape.export(file_type=file.suffix[1:])
                     if file.suffix in (".glb", ".ply")
                     else shape.export(file_type=file.suffix[1:]).encode())  # fmt: skip
    return file


def ball(radius: float) -> Mesh:
    made = trimesh.creation.icosphere(subdivisions=2, radius=radius)
    return Mesh(np.asarray(made.vertices, np.float32), np.asarray(made.faces, np.int32))


def score(folder: Path, choices: Choices = PLAIN) -> dict[str, Any]:
    return score_pairs(find_pairs(folder / "p", folder / "t"), choices, quiet=True)


def means(result: dict[str, Any], align: str = "none") -> dict[str, float]:
    return result["alignments"][align]["mean"]  # type: ignore[no-any-return]


def test_the_protocol_is_what_it_says() -> None:
    assert [(m.name, m.penalty, m.factor) for m in metrics()] == [
        ("chamfer", PENALTY, 1.0), ("fscore@0.01", 0.0, 1.0), ("fscore@0.02", 0.0, 1.0),
        ("fscore@0.05", 0.0, 1.0), ("normals", 0.0, 1.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("apart", "hits"), [(0.03, [0, 0, 1]), (0.015, [0, 1, 1]), (0.005, [1, 1, 1]), (0.1, [0, 0, 0])]
)
def test_parallel_squares(tmp_path: Path, apart: float, hits: list[int]) -> None:
    """Squares of side 4 that are 4 h apart: every distance is h of the truth's longest edge."""
    for side, offset in (("p", apart), ("t", 0.0)):
        mesh = square(2, offset)
        write(tmp_path / side / "a.ply", Mesh(mesh.vertices * np.float32(4), mesh.faces))
    found = means(score(tmp_path))
    assert found["chamfer"] == pytest.approx(100 * apart, abs=1e-3)
    assert [found[f"fscore@{t}"] for t in (0.01, 0.02, 0.05)] == hits
    assert found["normals"] == pytest.approx(1)


def test_a_shifted_cube(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cube moved by a tenth of its side along x. By the prediction's sides: the front is 0.1 off;
    the back lies inside, at min(0.1, distance to its border), whose mean is the integral of
    (1 - 2 t)^2 up to 0.1, 0.488 / 6; the other four touch the truth but for a strip of 0.1 with the
    mean 0.05. So (0.1 + 0.08133 + 4 x 0.005) / 6, and by symmetry the same the other way.
    """
    monkeypatch.setattr("benchbench.protocols.surface.SAMPLES", 8000)
    write(tmp_path / "t" / "a.obj", box((0, 0, 0), (1, 1, 1)))
    write(tmp_path / "p" / "a.off", box((0.1, 0, 0), (1.1, 1, 1)))
    expected = 100 * (0.1 + 0.488 / 6 + 0.02) / 6
    assert means(score(tmp_path))["chamfer"] == pytest.approx(expected, rel=0.03)
    # In its own box it is the same cube.
    assert means(score(tmp_path, replace(PLAIN, norm="each-box")))["chamfer"] < 1e-4


def test_nested_balls_score_as_the_outer_one(tmp_path: Path) -> None:
    """With outer surfaces, to the last bit; with all, half of the samples are 0.25 inside."""
    outer, inner = ball(1.0), ball(0.5)
    both = Mesh(
        np.concatenate([outer.vertices, inner.vertices]),
        np.concatenate([outer.faces, inner.faces + len(outer.vertices)]).astype(np.int32),
    )
    scores = {}
    for name, mesh in (("both", both), ("one", outer)):
        write(tmp_path / name / "t" / "a.ply", ball(1.02))
        write(tmp_path / name / "p" / "a.ply", mesh)
        for which in ("all", "outer"):
            result = score(tmp_path / name, replace(PLAIN, surface=which))
            scores[name, which] = means(result)
            assert result["predictions"]["interior_surface"] == (name == "both")
            assert result["predictions"]["multi_part"] == (name == "both")
            assert result["truths"]["interior_surface"] == result["truths"]["open"] == 0
    assert scores["both", "outer"] == scores["one", "outer"] == scores["one", "all"]
    write(tmp_path / "truth" / "t" / "a.ply", both)
    write(tmp_path / "truth" / "p" / "a.ply", outer)
    within = {which: means(score(tmp_path / "truth", replace(PLAIN, surface=which)))["chamfer"]
              for which in ("all", "outer")}  # fmt: skip
    assert within["outer"] < 1e-3 and within["all"] > 1  # the truth's inside is left out as well
    # A fifth of the area is the inner ball's, 0.51 / 2.04 = 0.25 away from the truth.
    inside = scores["both", "all"]["chamfer"] - scores["one", "all"]["chamfer"]
    assert inside == pytest.approx(100 * 0.2 * 0.24 / 2, rel=0.15)


def test_open_and_several_parts_are_counted(tmp_path: Path) -> None:
    cube = box((0, 0, 0), (1, 1, 1))
    write(tmp_path / "t" / "a.obj", cube)
    write(tmp_path / "t" / "b.obj", cube)
    write(tmp_path / "p" / "a.obj", Mesh(cube.vertices, cube.faces[2:]))
    result = score(tmp_path)
    counted = {key: result["predictions"][key] for key in ("files", "looked_at", "open")}
    assert counted == {"files": 1, "looked_at": 1, "open": 1}
    assert result["truths"]["files"] == 2 and result["truths"]["open"] == 0
    (a, b) = result["pairs"]
    assert a["prediction"] == {
        "faces": 10, "parts": 1, "open_edges": 4, "interior": 0.0, "has_interior": False
    }  # fmt: skip
    assert b["prediction"] is None and b["size"] is None and a["size"] == 1.0
    assert b["alignments"]["none"]["status"] == "missing"


HOSTILE = {
    "empty.obj": b"v 0 0 0\n",
    "zero.obj": b"",
    "nan.obj": b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
    "line.obj": b"v 0 0 0\nv 1 1 1\nv 2 2 2\nf 1 2 3\n",
    "far.obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n",
    "huge.obj": b"v 0 0 0\nv 1e30 0 0\nv 0 1e30 0\nf 1 2 3\n",
    "cloud.ply": b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\n"
    b"property float z\nend_header\n0 0 0\n",
    "many.ply": b"ply\nformat ascii 1.0\nelement vertex 999999999999\nend_header\n",
    "noise.glb": b"glTF" + bytes(range(256)),
    "word.off": b"OFF\nthree\n",
    "array.npy": b"\x93NUMPY not really",
}
STATUSES = {
    "empty": "empty", "zero": "empty or unreadable", "nan": "nonfinite", "line": "empty",
    "far": "invalid or unreadable", "huge": "invalid", "cloud": "invalid", "many": "unreadable",
    "noise": "unreadable", "word": "unreadable", "array": "unreadable", "lost": "missing",
}  # fmt: skip


def test_what_fails_is_counted_and_named(tmp_path: Path) -> None:
    """One of 13 is perfect: every mean is of 12 penalties and one good score."""
    write(tmp_path / "t" / "good.obj", box((0, 0, 0), (1, 2, 3)))
    write(tmp_path / "p" / "good.glb", box((0, 0, 0), (1, 2, 3)))
    for name in STATUSES:
        write(tmp_path / "t" / f"{name}.ply", box((0, 0, 0), (1, 2, 3)))
    for name, content in HOSTILE.items():
        (tmp_path / "p" / name).write_bytes(content)
    result = score(tmp_path, Choices(("none", "yaw24"), "truth-box", "outer"))
    named = {one["name"]: one["status"] for one in result["predictions"]["failed_pairs"]}
    for name, words in STATUSES.items():  # readers differ in which of two words is theirs
        assert named.pop(name) in words.split(" or "), name
    assert not named
    for one in result["predictions"]["failed_pairs"]:
        assert one["message"] and one["alignments"] == ["none", "yaw24"]
    assert sum(result["predictions"]["failed"].values()) == 12
    for align in ("none", "yaw24"):
        found = result["alignments"][align]
        good = next(p for p in result["pairs"] if p["name"] == "good")["alignments"][align]
        assert (found["pairs"], found["failed"], good["status"]) == (13, 12, "ok")
        expected = (12 * PENALTY + good["scores"]["chamfer"]) / 13
        assert found["mean"]["chamfer"] == pytest.approx(expected)
        assert found["mean"]["fscore@0.05"] == pytest.approx(1 / 13)
        assert found["median"]["chamfer"] == PENALTY
    # In its own box even a triangle of 1e30 is a shape; the rest is none in any frame.
    own = score(tmp_path, replace(PLAIN, norm="each-box"))["predictions"]["failed_pairs"]
    assert {one["name"] for one in own} == set(STATUSES) - {"huge"}


def test_what_fails_under_one_alignment_is_named(tmp_path: Path) -> None:
    """At (9.9e5, y, 9.9e5) it lies within the million that is scored; most turns about y bring one
    coordinate beyond it, up to 1.4e6."""
    corner = np.float32([9.9e5, 9.9e5, 9.9e5])
    far = np.stack([corner, corner - np.float32([0, 0, 1e4]), corner - np.float32([0, 1e4, 0])])
    write(tmp_path / "t" / "far.ply", box((-0.5,) * 3, (0.5,) * 3))
    write(tmp_path / "p" / "far.ply", Mesh(far, np.array([[0, 1, 2]], np.int32)))
    result = score(tmp_path, Choices(("none", "yaw24"), "truth-box", "all"))
    assert [result["alignments"][a]["failed"] for a in ("none", "yaw24")] == [0, 1]
    preds = result["predictions"]
    (named,) = preds["failed_pairs"]
    assert preds["failed"] == {"invalid": 1} and named["alignments"] == ["yaw24"]
    assert (named["name"], named["status"]) == ("far", "invalid") and "beyond" in named["message"]


def test_a_pair_is_scored_alike_alone_and_among_others(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for n in range(2):
        for side in ("p", "t"):
            mesh = box((0, 0, 0), tuple(rng.uniform(0.3, 1, 3).tolist()))
            write(tmp_path / "all" / side / f"x/{n}.ply", mesh)
    for side in ("p", "t"):
        (tmp_path / "one" / side / "x").mkdir(parents=True)
        os.link(tmp_path / "all" / side / "x/1.ply", tmp_path / "one" / side / "x/1.ply")
    choices = Choices(("none", "yaw24", "cube24+icp-similarity"), "truth-box", "all")
    many, one = score(tmp_path / "all", choices), score(tmp_path / "one", choices)
    for align in choices.aligns:
        a, b = many["pairs"][1]["alignments"][align], one["pairs"][0]["alignments"][align]
        assert (a["scores"], a["pose"]) == (b["scores"], b["pose"])


def test_a_grid_is_its_surface(tmp_path: Path) -> None:
    """Half of a grid: marching cubes at 0.5 puts the borders through the middles of cells' sides:
    a box as the truth."""
    grid = np.zeros((16, 16, 16), np.float32)
    grid[4:12, 4:12, 4:12] = 1
    (tmp_path / "p").mkdir()
    np.save(tmp_path / "p" / "a.npy", grid)
    write(tmp_path / "t" / "a.obj", box((-0.25,) * 3, (0.25,) * 3))
    found = means(score(tmp_path))
    assert found["chamfer"] < 1 and found["fscore@0.05"] > 0.95  # corners are cut


def test_pairs_by_path_without_ending(tmp_path: Path) -> None:
    for file in ("p/a/b.c.glb", "p/d.obj", "t/a/b.c.obj", "t/d.PLY", "t/e.obj"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(file.encode())
    (tmp_path / "p" / "d.mtl").write_text("newmtl a")
    (tmp_path / "p" / "folder.obj").mkdir()
    pairs = find_pairs(tmp_path / "p", tmp_path / "t")
    assert list(pairs.preds.files) == ["a/b.c", "d"] and pairs.preds.ignored == 1
    assert list(pairs.truths.files) == ["a/b.c", "d", "e"] and pairs.truths.ignored == 0
    before = pairs.preds.content
    (tmp_path / "p" / "d.obj").write_text("other")
    assert find_pairs(tmp_path / "p", tmp_path / "t").preds.content != before
    (tmp_path / "p" / "d.obj").write_text("p/d.obj")
    assert find_pairs(tmp_path / "p", tmp_path / "t").preds.content == before
    one = find_pairs(tmp_path / "p" / "d.obj", tmp_path / "t" / "e.obj")
    assert list(one.preds.files) == list(one.truths.files) == ["e"]


def make(folder: Path, *files: str) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("x")


def test_what_cannot_be_paired(tmp_path: Path) -> None:
    make(tmp_path, "t/chair.obj", "p/chiar.obj", "q/zzz.obj", "u/a.obj", "u/a.ply", "n/notes.txt")
    with pytest.raises(CheckError, match="no 'chiar' in") as caught:
        find_pairs(tmp_path / "p", tmp_path / "t")
    assert caught.value.hint == "did you mean 'chair'?"
    with pytest.raises(CheckError, match="no 'zzz' in") as caught:
        find_pairs(tmp_path / "q", tmp_path / "t")
    assert "same path below their folders" in str(caught.value.hint)
    with pytest.raises(CheckError, match="'a' is there twice"):
        find_pairs(tmp_path / "u", tmp_path / "t")
    with pytest.raises(MissingError, match=r"holds no truths \(1 other files\)"):
        find_pairs(tmp_path / "t", tmp_path / "n")
    with pytest.raises(MissingError, match="no truths at"):
        find_pairs(tmp_path / "t", tmp_path / "nowhere")
    with pytest.raises(UsageError, match="a folder and a file"):
        find_pairs(tmp_path / "t", tmp_path / "t" / "chair.obj")
    (tmp_path / "t" / "link.obj").symlink_to("/etc/passwd")
    with pytest.raises(CheckError, match="no plain file"):
        find_pairs(tmp_path / "t", tmp_path / "t")


def test_a_link_to_a_folder_hides_nothing(tmp_path: Path) -> None:
    """Truths behind it would leave the denominator."""
    make(tmp_path, "t/a.obj", "elsewhere/b.obj")
    (tmp_path / "t" / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckError, match="more' is a link to a folder"):
        find_pairs(tmp_path / "t", tmp_path / "t")
    (tmp_path / "whole").symlink_to(tmp_path / "elsewhere")  # what a user names is followed
    assert list(find_pairs(tmp_path / "whole", tmp_path / "whole").truths.files) == ["b"]
    make(tmp_path, "u/a.obj")
    (tmp_path / "u" / "notes.txt").symlink_to("/etc/passwd")
    (tmp_path / "u" / "lost").symlink_to(tmp_path / "nowhere")
    assert find_pairs(tmp_path / "u", tmp_path / "u").truths.ignored == 2


def test_what_cannot_be_read_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's refusals are played: the superuser is refused nothing."""
    make(tmp_path, "t/a.obj", "t/x/b.obj")
    real = os.scandir

    def refusing(path: Any) -> Any:
        if str(path).endswith("x"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refusing)
        with pytest.raises(CheckError, match="x' cannot be read: Permission denied"):
            find_pairs(tmp_path / "t", tmp_path / "t")
    with monkeypatch.context() as patch:
        patch.setattr(
            "benchbench.evaluation.pairs.sha256_file",
            lambda file: (_ for _ in ()).throw(PermissionError(errno.EACCES, "Permission denied")),
        )
        with pytest.raises(CheckError, match=r"a\.obj' cannot be read: Permission denied"):
            find_pairs(tmp_path / "t", tmp_path / "t")


def test_a_pipe_is_no_shape(tmp_path: Path) -> None:
    make(tmp_path, "t/a.obj")
    os.mkfifo(tmp_path / "t" / "b.obj")
    for place in (tmp_path / "t", tmp_path / "t" / "b.obj"):
        with pytest.raises(CheckError, match="no plain file"):
            find_pairs(place, place)


@pytest.mark.parametrize("name", [b"\xff", b"a\nb", b"\x1b[2J", "\u202e".encode()])
def test_a_name_that_cannot_be_printed(tmp_path: Path, name: bytes) -> None:
    (tmp_path / "t").mkdir()
    try:
        Path(os.fsdecode(os.fsencode(tmp_path / "t") + b"/" + name + b".obj")).write_text("x")
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(CheckError, match="a name that cannot be printed"):
        find_pairs(tmp_path / "t", tmp_path / "t")


def test_another_ending_is_another_signature(tmp_path: Path) -> None:
    """The same bytes under the wrong ending are unreadable: another number, so another hash."""
    for side in ("p", "t"):
        write(tmp_path / side / "a.obj", box((0, 0, 0), (1, 1, 1)))
    good = score(tmp_path)
    (tmp_path / "p" / "a.obj").rename(tmp_path / "p" / "a.off")
    bad = score(tmp_path)
    assert means(good)["chamfer"] < 1 < means(bad)["chamfer"]
    lines = [r["alignments"]["none"]["signatures"]["chamfer"] for r in (good, bad)]
    assert lines[0] != lines[1]


def test_a_broken_truth_ends_it_before_anything_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side in ("p", "t"):
        write(tmp_path / side / "a.obj", box((0, 0, 0), (1, 1, 1)))
        write(tmp_path / side / "z.obj", box((0, 0, 0), (1, 1, 1)))
    (tmp_path / "t" / "z.obj").write_text("v 0 0 0\n")
    monkeypatch.setattr(pair_scores, "_score_pair", lambda *a: pytest.fail("scored"))
    with pytest.raises(CheckError, match="the truth 'z' cannot be scored: empty"):
        score(tmp_path)


def test_a_signature_says_all_that_was_chosen(tmp_path: Path) -> None:
    for side in ("p", "t"):
        write(tmp_path / side / "a.obj", box((0, 0, 0), (1, 2, 1)))
    result = score(tmp_path, Choices(("none", "yaw24"), "each-box", "outer"))
    line = result["alignments"]["yaw24"]["signatures"]["chamfer"]
    found = PairSignature.parse(line)
    assert str(found) == line and line.startswith("cd|p:mesh-pairs-v1|gt:")
    assert found.truths == result["truths"]["sha256"][:8]
    assert found.preds == result["predictions"]["sha256"][:8]
    assert (found.norm, found.surface, found.align) == ("each-box", "outer", "yaw24")
    assert (found.objects, found.seed, found.mean, found.fail) == (1, 0, "objects", "worst")
    assert found.differences(replace(found, version="9", truths=found.truths[:5])) == []
    assert found.differences(replace(found, truths="0" * 8, align="none")) == [
        f"gt {found.truths} there, 00000000 here", "align yaw24 there, none here"
    ]  # fmt: skip
    with pytest.raises(UsageError, match="'norm' is missing"):
        PairSignature.parse(line.replace("norm:each-box|", ""))


def test_the_script_of_the_docs_page(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run's meshes beside their truths, and once more as a generator writes them."""
    stubs.STUBS["stub"] = stubs.Stub()
    run(stubs.request(tiny_root, tmp_path), quiet=True)
    (folder,) = tmp_path.glob("*/stub-*")
    page = Path(__file__).resolve().parents[2] / "docs" / "generated_meshes.py"
    script = runpy.run_path(str(page))
    script["main"]([str(folder), "--out", str(tmp_path / "out"), "--root", str(tiny_root)])
    sides = [tmp_path / "out" / name for name in ("stub", "stub-generated", "truths")]
    plain, turned = (find_pairs(side, sides[2]) for side in sides[:2])
    assert list(plain.preds.files) == list(turned.preds.files) == list(plain.truths.files)
    assert len(plain.truths.files) == 3  # one a class
    choices = Choices(("none", "yaw24"), "each-box", "outer")
    one, other = (score_pairs(pairs, choices, quiet=True) for pairs in (plain, turned))
    assert means(one)["chamfer"] < means(other)["chamfer"]
    assert means(one, "yaw24")["chamfer"] == pytest.approx(means(other, "yaw24")["chamfer"], abs=1)
    assert other["predictions"]["interior_surface"] == 3 > one["predictions"]["interior_surface"]
