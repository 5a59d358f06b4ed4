"""`bench report --plot` as a user types it: exit code, stdout, stderr, and the picture."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from benchbench.cli.main import cli

TINY = Path(__file__).parent.parent / "evaluation" / "tiny.py"
PROTOCOLS = ("bench-iou-v1", "psgn-v1")


@pytest.fixture(scope="module")
def tiny() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_tests_tiny_plots", TINY)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def home(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three views of 12 boxes, and runs of them: meshes (one item fails), voxels, points, a class.

    View v is smaller by 5 v %, so that every view has a score of its own.
    """
    home = tmp_path_factory.mktemp("home")
    tiny.make_store(home)
    store = tiny.tiny_store(home)
    with pytest.MonkeyPatch.context() as patch:
        tiny.register(patch)
        patch.setenv("BENCH_HOME", str(home))
        patch.chdir(home)
        row = int(store.indices("test")[2])
        tiny.STUBS["bad"] = tiny.Stub(
            scale=0.8, wrong={(row, view): tiny.EMPTY for view in (0, 1, 2)}
        )
        tiny.STUBS["grid"] = tiny.Stub(voxels=True, threshold=0.5)
        tiny.STUBS["dots"] = tiny.Stub(points=True)
        tiny.STUBS["told"] = tiny.Stub(uses_views=False)
        tiny.STUBS["many"] = tiny.Stub(several_views=True)
        for name, protocols, code in (
            ("bad", PROTOCOLS, 4), ("grid", PROTOCOLS, 0), ("dots", PROTOCOLS[1:], 0),
            ("told", PROTOCOLS[1:], 0), ("many", PROTOCOLS[1:], 0),
        ):  # fmt: skip
            line = ["run", "--baseline", name, "--split", "test", "-q"]
            line += ["--views", "2"] if name == "many" else []
            done = CliRunner().invoke(
                cli, [*line, *(part for p in protocols for part in ("--protocol", p))]
            )
            assert done.exit_code == code, done.stderr
    return home


@pytest.fixture
def bench(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Calls `bench report` in an empty folder."""
    monkeypatch.setenv("BENCH_HOME", str(home))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(cli, ["report", *map(str, arguments)])

    return call


def folder(home: Path, name: str) -> Path:
    (found,) = home.glob(f"runs/*/{name}-*")
    return found


def scores_of(run: Path, protocol: str = "bench-iou-v1") -> dict[tuple[str, int], float]:
    lines = csv.DictReader((run / "scores.csv").open(encoding="utf-8"))
    return {
        (s["object"], int(s["view"])): float(s["value"]) for s in lines if s["protocol"] == protocol
    }


@pytest.mark.parametrize(
    ("kind", "ending", "start"),
    [("bars", "pdf", b"%PDF"), ("distribution", "svg", b"<?xml"), ("scatter", "png", b"\x89PNG")],
)
def test_each_kind(bench: Any, home: Path, kind: str, ending: str, start: bytes) -> None:
    line = (folder(home, "bad"), folder(home, "grid"), "--plot", kind)
    if kind == "scatter":
        line += ("--metric", "bench-iou-v1", "--metric", "psgn-v1")
    done = bench(*line, "-o", f"one.{ending}")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"written: one.{ending}\n")
    data = Path(f"one.{ending}").read_bytes()
    assert data.startswith(start)
    again = bench(*line, "-o", f"two.{ending}", "-q")
    assert (again.exit_code, again.stdout, again.stderr) == (0, "", "")
    assert Path(f"two.{ending}").read_bytes() == data


def test_numbers_as_json_are_those_of_the_table(bench: Any, home: Path) -> None:
    runs = folder(home, "bad"), folder(home, "grid")
    done = bench(*runs, "--plot", "bars", "-o", "a.png", "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert told["schema"] == 1 and told["plot"] == "bars" and told["file"] == "a.png"
    table = json.loads(bench(*runs, "--metric", "iou", "--intervals", "--json").stdout)["tables"][0]
    assert told["metrics"] == ["bench-iou-v1:iou"] and told["caption"] == table["caption"]
    rows = {row["method"]: row for row in table["rows"]}
    for bar in told["drawn"]:
        row, column = rows[bar["method"]], bar["column"]
        means = {**row["per_class"], "mean over classes": row["mean_over_classes"]}
        assert bar["value"] == means[column] and bar["interval"] == row["intervals"][column]
    assert len(told["drawn"]) == 8


def shown(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.mode == "RGB" and not picture.info
        return np.asarray(picture)


def test_gallery_of_one_run(bench: Any, home: Path) -> None:
    done = bench(folder(home, "grid"), "--plot", "gallery", "-o", "g.png", "--json")
    assert (done.exit_code, done.stderr) == (0, "written: g.png\n")
    drawn = json.loads(done.stdout)["drawn"]
    scores = scores_of(folder(home, "grid"))
    for synset in ("02691156", "03001627", "04379243"):
        means: dict[str, float] = {}
        for object_id in {i for i, _ in scores if i.startswith(synset)}:
            means[object_id] = sum(scores[object_id, v] for v in range(3)) / 3
        ranked = sorted(means, key=lambda i: means[i])
        mine = {d["kind"]: d for d in drawn if d["class"] == synset}
        assert mine["worst"]["object"] == ranked[0] and mine["best"]["object"] == ranked[-1]
        assert mine["median"]["object"] in ranked[1:3]  # of four
        for d in mine.values():
            assert d["mean"] == pytest.approx(means[d["object"]])
            (one,) = d["shown"]
            assert one["value"] == scores[d["object"], d["view"]] and one["view"] == d["view"]
            gaps = [abs(scores[d["object"], v] - means[d["object"]]) for v in range(3)]
            assert gaps[d["view"]] == min(gaps)
    picture = shown(Path("g.png"))
    assert picture.shape[0] > 3 * 2 * 128 and picture.shape[1] > 3 * 3 * 128
    red, blue = picture[..., 0].astype(int), picture[..., 2].astype(int)
    assert (blue > red + 30).sum() > 3 * 3 * 2 * 1000  # truths: a box fills some of 128 squared
    # Predictions: blocks, a little smaller, in greys that letters and lines have not.
    grey = (picture.max(2) == picture.min(2)) & (np.abs(red - 170) < 75) & (red != 214)
    assert grey.sum() > 3 * 3 * 2 * 800
    again = bench(folder(home, "grid"), "--plot", "gallery", "-o", "h.png")
    assert (again.exit_code, again.stdout) == (0, "")
    assert Path("h.png").read_bytes() == Path("g.png").read_bytes()


def test_gallery_of_several_runs(bench: Any, home: Path) -> None:
    """The first run chooses; a failure is written, not left out; points and blocks are drawn."""
    names = ("bad", "told", "dots", "grid")
    done = bench(
        *(folder(home, name) for name in names), "--plot", "gallery", "--metric", "psgn-v1",
        "--count", 2, "-o", "g.png", "--json",
    )  # fmt: skip
    assert (done.exit_code, done.stderr) == (0, "written: g.png\n")
    drawn = json.loads(done.stdout)["drawn"]
    assert [d["kind"] for d in drawn] == ["best"] * 2 + ["median"] * 2 + ["worst"] * 2
    assert len({d["object"] for d in drawn}) == 6
    worst = drawn[4]
    assert worst["object"] == "02691156/test2"  # the one that is empty in all views
    by_method = {s["method"]: s for s in worst["shown"]}
    assert list(by_method) == list(names)
    assert by_method["bad"]["status"] == "empty" and by_method["bad"]["value"] == 45000.0
    assert by_method["told"]["view"] == -1 and by_method["grid"]["view"] == worst["view"]
    assert shown(Path("g.png")).std() > 0


def dark(picture: np.ndarray) -> np.ndarray:
    """Pixels of the first input: a square of nearly black in the middle of its panel."""
    left = int(np.argmax((picture[60:] < 200).any((0, 2))))  # of the first row's heading
    return (picture[:, : left + 260] < 30).all(2)


def test_gallery_without_pictures(bench: Any, home: Path) -> None:
    line = ("--plot", "gallery", "--metric", "psgn-v1", "--count", 9, "-o", "g.png", "--json")
    done = bench(folder(home, "told"), *line)
    assert done.exit_code == 0, done.stderr
    drawn = json.loads(done.stdout)["drawn"]
    assert len(drawn) == 12 and {d["view"] for d in drawn} == {-1}  # 9 are more than a third of 12
    without = dark(shown(Path("g.png")))
    done = bench(folder(home, "many"), *line)  # looks at two views at once, the first is shown
    assert done.exit_code == 0, done.stderr
    assert {d["view"] for d in json.loads(done.stdout)["drawn"]} == {-1}
    given = dark(shown(Path("g.png")))
    assert given.sum() > without.sum() + 3 * 50 * 50  # half of 128 pixels squared, three rows


def moved(home: Path, name: str, to: Path) -> Path:
    shutil.copytree(folder(home, name), to / "run")
    return to / "run"


def test_gallery_says_what_the_result_says(bench: Any, home: Path, tmp_path: Path) -> None:
    """A changed file of settings beside it changes nothing, and breaks nothing."""
    run = moved(home, "grid", tmp_path)
    line = (run, "--plot", "gallery", "--metric", "iou", "-o")
    assert bench(*line, "a.png").exit_code == 0
    config = json.loads((run / "config.json").read_text())
    config |= {"selection": {"rendering": 3}, "dataset": None, "baseline": {"takes": "truth"}}
    (run / "config.json").write_text(json.dumps(config))
    done = bench(*line, "b.png")
    assert done.exit_code == 0, done.stderr
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_gallery_of_what_is_not_there(
    bench: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = moved(home, "grid", tmp_path)
    line = (run, "--plot", "gallery", "--metric", "iou", "-o", "g.png")
    with (run / "scores.csv").open("a") as file:
        file.write("\n")
    done = bench(*line)
    assert (done.exit_code, done.stdout) == (5, "")
    assert "scores.csv' is not the one" in done.stderr and "hint: bench score" in done.stderr
    shutil.copy(folder(home, "bad") / "predictions" / "shard-0000.h5", run / "predictions")
    done = bench(*line)
    assert done.exit_code == 5 and "other predictions than the result is of" in done.stderr
    shutil.rmtree(run / "predictions")
    done = bench(*line)
    assert done.exit_code == 3 and "holds no predictions" in done.stderr
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "empty"))
    done = bench(folder(home, "grid"), "--plot", "gallery", "-o", "g.png")
    assert done.exit_code == 3 and "hint: bench prepare" in done.stderr
    shutil.copy(run / "result.json", tmp_path / "kept.json")
    shutil.copy(run / "objects.csv", tmp_path / "kept.objects.csv")
    done = bench(tmp_path / "kept.json", "--plot", "gallery", "-o", "g.png")
    assert done.exit_code == 3 and "came without its predictions" in done.stderr
    assert not Path("g.png").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("--plot", "bars"), "--plot bars needs a file to write"),
        (("--plot", "bars", "-o", "a.jpg"), "does not say which kind of picture"),
        (("--plot", "gallery", "-o", "a.pdf"), "does not say which kind of picture"),
        (("--plot", "bars", "-o", "a.png", "--format", "csv"), "--format csv is a form of tables"),
        (("--plot", "bars", "-o", "a.png", "--count", "2"), "--count is of a gallery's objects"),
        (("--plot", "bars", "-o", "a.png", "--metric", "iou", "--metric", "chamfer"),
         "--plot bars shows one metric, not 2"),
        (("--plot", "scatter", "-o", "a.png", "--metric", "iou"),
         "shows one metric against another, not 1"),
        (("--plot", "scatter", "-o", "a.png", "--metric", "iou", "--metric", "bench-iou-v1"),
         "are one metric"),
        (("--plot", "bars", "-o", "a.png", "--ranks"), "--ranks and --plot are different tables"),
        (("--plot", "pie", "-o", "a.png"), "'pie' is not one of"),
        (("--plot", "gallery", "--count", "0", "-o", "a.png"), "0 is not in the range"),
    ],
)  # fmt: skip
def test_refused_before_anything_is_read(bench: Any, line: tuple[str, ...], message: str) -> None:
    done = bench("no-such-folder", *line)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())
    assert not list(Path().iterdir())


def test_a_picture_shows_one_table(bench: Any, home: Path, tmp_path: Path) -> None:
    run = moved(home, "grid", tmp_path)
    content = json.loads((run / "result.json").read_text())
    content["dataset"]["split"] = "val"
    (run / "result.json").write_text(json.dumps(content))
    places = tmp_path / "both"
    shutil.copytree(folder(home, "grid"), places / "a")
    shutil.copytree(run, places / "b")
    done = bench(places, "--plot", "bars", "-o", "a.png")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "these runs make several tables, a picture shows one" in done.stderr
    done = bench(places, "--plot", "bars", "-o", "a.png", "--split", "val")
    assert done.exit_code == 0


def test_without_the_extra(bench: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchbench.report.plots import figure

    monkeypatch.setattr(figure, "package_version", lambda name: None)
    for name in list(sys.modules):
        if name.partition(".")[0] == "matplotlib":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # an import would fail
    done = bench(folder(home, "grid"), "--plot", "bars", "-o", "a.pdf")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr == (
        "error: plots need matplotlib\nhint: pip install -c constraints.txt -e '.[plot]'\n"
    )
    done = bench(folder(home, "grid"), "--plot", "gallery", "--count", "1", "-o", "g.png")
    assert (done.exit_code, done.stderr) == (0, "written: g.png\n")  # needs Pillow alone


def test_the_extra_is_declared() -> None:
    root = Path(__file__).parent.parent.parent
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    assert '\nplot = ["matplotlib>=3.8"]\n' in text
    assert "\nmatplotlib==" in (root / "constraints.txt").read_text(encoding="utf-8")


def test_a_run_without_scores_of_objects_is_told(bench: Any, home: Path, tmp_path: Path) -> None:
    run = moved(home, "grid", tmp_path)
    (run / "objects.csv").unlink()
    done = bench(run, "--plot", "bars", "-o", "a.png")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "has no scores of objects" in done.stderr
    done = bench(run, "--plot", "distribution", "-o", "b.png")
    assert done.exit_code == 3 and f"hint: bench score '{run}'" in done.stderr
    assert io.BytesIO(Path("a.png").read_bytes()).read(4) == b"\x89PNG"
