"""Floors, ceilings, the spread over seeds: which objects and draws, what is kept and said."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchbench.cli.main import cli
from benchbench.core.errors import CheckError
from benchbench.datasets.store import Store, open_dataset
from benchbench.evaluation.folder import RunFolder
from benchbench.evaluation.noise import (
    Draws,
    Form,
    forms,
    redrawn,
    some_objects,
    stored_items,
    truth_item,
)
from benchbench.evaluation.noise_files import kept
from benchbench.evaluation.objects import read_objects
from benchbench.evaluation.run import run
from benchbench.evaluation.scoring import ScoringJob
from benchbench.evaluation.truth import TruthSource
from benchbench.protocols.registry import get_protocol, load_scorer
from benchbench.protocols.truth import Memory, NotAccepted
from benchbench.report.formats import FORMATS
from benchbench.report.noise import Noise
from benchbench.report.tables import OVER_CLASSES, OVER_OBJECTS

SAMPLED = "dibr-chamfer-v1"


@pytest.fixture
def store(tiny_root: Path) -> Iterator[Store]:
    found = open_dataset("shapes13-demo", tiny_root)
    yield found
    found.close()


def job(name: str, store: Store) -> ScoringJob:
    return ScoringJob.on(get_protocol(name), store)


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("bench-iou-v1", [("mesh", "floor"), ("voxels:binvox", "ceiling")]),
        ("kato-iou-v1", [("voxels:kato", "floor"), ("mesh", "ceiling")]),
        ("r2n2-iou-v1", [("voxels:binvox", "floor"), ("mesh", "ceiling")]),
        ("bench-surface-v1", [("mesh", "floor"), ("voxels:binvox", "ceiling")]),
        ("dibr-house-iou-v1", [("mesh", "floor")]),
        ("onet-points-v1", []),  # it takes points, and the set holds meshes
    ],
)
def test_forms_of_the_truth(store: Store, protocol: str, expected: list[tuple[str, str]]) -> None:
    assert forms(job(protocol, store), store) == [Form(*pair) for pair in expected]


def test_forms_without_meshes(tiny: ModuleType, tmp_path: Path) -> None:
    tiny.make_store(tmp_path, meshes=False)
    store = open_dataset("shapes13-demo", tmp_path)
    for name in ("bench-iou-v1", "voxel-surface-v1"):
        assert forms(job(name, store), store) == [Form("voxels:binvox", "floor")]
    store.close()


def test_some_objects_of_each_class(store: Store) -> None:
    everything = some_objects(store, "test", None, None, 99)
    assert everything == store.indices("test").tolist()
    chosen = some_objects(store, "test", None, None, 2)
    assert [store.class_of(row) for row in chosen] == [s for s, _ in store.classes for _ in "12"]
    assert set(some_objects(store, "test", None, None, 1)) < set(chosen)
    # By the names of a class alone, whatever else is looked at.
    assert some_objects(store, "test", ["chair"], None, 2) == chosen[2:4]
    first = store.indices("test", None, 3).tolist()  # of a run with --limit 3: all airplanes
    assert set(some_objects(store, "test", None, 3, 2)) < set(first)
    assert len(some_objects(store, "test", None, 3, 2)) == 2


def test_seed_0_is_what_a_run_of_the_truth_scores(
    stubs: ModuleType, tiny_root: Path, store: Store, tmp_path: Path
) -> None:
    names = ("bench-iou-v1", "bench-surface-v1", SAMPLED)
    run(stubs.request(tiny_root, tmp_path, baseline="gt", protocols=names), quiet=True)
    (path,) = tmp_path.glob("shapes13-demo-test/gt-*/objects.csv")
    expected = read_objects(path)
    rows = store.indices("test").tolist()
    for name in names:
        items = (truth_item(store, row, "mesh") for row in rows)
        found = redrawn(job(name, store), store, items, [0])
        assert (found.values, found.failed) == ([expected[name].values], 0)
    iou = expected["bench-iou-v1"].values["iou"]
    assert set(iou.values()) == {1.0}


def test_other_seeds_are_other_draws_of_both_sides(stubs: ModuleType, store: Store) -> None:
    row = int(store.indices("test")[0])
    name = store.object_ids[row]
    one = job(SAMPLED, store)
    item = truth_item(store, row, "mesh")
    found = redrawn(one, store, [item], [0, 1, 2])
    values = [v["chamfer"][name] for v in found.values]
    assert len(set(values)) == 3
    # The same object under another name, as the protocol itself would score it.
    truth = replace(TruthSource(store)[row], object_id=f"{name} seed 2", _memory=Memory())
    scorer = load_scorer(one.spec)
    twin = scorer(item.prediction, truth, (f"{name} seed 2", -1), one.settings(0.5))
    assert values[2] == twin["chamfer"]
    # Whatever was drawn before, and in whatever order.
    assert redrawn(one, store, [item], [2]).values == [found.values[2]]
    iou = redrawn(job("bench-iou-v1", store), store, [item], [0, 1, 2])
    assert iou.values[0] == iou.values[1] == iou.values[2] == {"iou": {name: 1.0}}


def test_voxels_go_through_the_conversion(stubs: ModuleType, store: Store) -> None:
    row = int(store.indices("test")[0])
    surface = job("bench-surface-v1", store)
    mesh, voxels = (
        redrawn(surface, store, [truth_item(store, row, kind)], [0]).values[0]["chamfer"]
        for kind in ("mesh", "voxels:binvox")
    )
    (near,), (far,) = mesh.values(), voxels.values()
    # A grid of 32 cells a side cannot say where within half a cell, 1/64, a surface is.
    assert near < 1e-4 and 0.1 < far < 100 / 64


def test_what_cannot_be_scored_is_counted(stubs: ModuleType, store: Store) -> None:
    row = int(store.indices("test")[0])
    item = replace(truth_item(store, row, "mesh"), prediction=None, status="missing")
    found = redrawn(job("bench-iou-v1", store), store, [item], [0, 1])
    assert found.failed == 2 and found.values[1]["iou"] == {item.object_id: 0.0}


def test_a_form_that_is_refused(store: Store) -> None:
    row = int(store.indices("test")[0])
    with pytest.raises(NotAccepted, match="only on Kato's own"):
        redrawn(job("kato-iou-v1", store), store, [truth_item(store, row, "voxels:binvox")], [0])


@pytest.fixture(scope="module")
def made_once(tiny: ModuleType, tiny_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in several shards, whose second view of an object is smaller than its first."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        tiny.register(patch)
        patch.setattr("benchbench.evaluation.plan.SHARD_OBJECTS", 2)
        tiny.STUBS["stub"] = tiny.Stub(scale=0.9)
        run(tiny.request(tiny_root, folder, protocols=("bench-iou-v1", SAMPLED)), quiet=True)
    (path,) = folder.glob("shapes13-demo-test/stub-*")
    return path


@pytest.fixture
def made(made_once: Path, tmp_path: Path) -> Path:
    """A copy of that run."""
    return Path(shutil.copytree(made_once, tmp_path / "runs" / made_once.name))


def hash_of(path: Path) -> str:
    return str(json.loads((path / "result.json").read_text())["hashes"]["predictions"])


def test_the_first_view_is_taken(made: Path, store: Store) -> None:
    objects = [store.object_ids[row] for row in some_objects(store, "test", None, None, 2)]
    found = stored_items(RunFolder(made), hash_of(made), job("bench-iou-v1", store), objects)
    assert found is not None
    items, threshold = found
    assert [item.object_id for item in items] == objects
    assert {item.view for item in items} == {0} and threshold == 0.5


def test_other_predictions_are_not_taken(made: Path, store: Store, tmp_path: Path) -> None:
    one, objects = job("bench-iou-v1", store), [store.object_ids[int(store.indices("test")[0])]]
    assert stored_items(RunFolder(made), "0" * 64, one, objects) is None
    assert stored_items(RunFolder(tmp_path / "none"), hash_of(made), one, objects) is None
    assert stored_items(RunFolder(made), hash_of(made), one, [*objects, "1/other"]) is None


DRAWS = Draws([{"iou": {"1/a": 0.5, "1/b": 1.0}}, {"iou": {"1/a": 0.25, "1/b": 1.0}}], 0)


class Counted:
    """Makes `DRAWS`, and counts."""

    calls = 0

    def __call__(self) -> Draws:
        self.calls += 1
        return DRAWS


def keep(root: Path, store: Store, make: Counted, seeds: int = 2, **what: Any) -> Draws:
    one = job("bench-iou-v1", store)
    return kept(root, one, store, ["1/a", "1/b"], list(range(seeds)), what, make)


def test_computed_once(store: Store, tmp_path: Path) -> None:
    make = Counted()
    assert keep(tmp_path, store, make, truth="mesh") == DRAWS
    assert keep(tmp_path, store, make, truth="mesh") == DRAWS
    assert make.calls == 1
    (path,) = (tmp_path / "noise").iterdir()  # and nothing temporary
    assert path.name.startswith("bench-iou-v1-") and path.suffix == ".json"
    keep(tmp_path, store, make, truth="voxels:binvox")
    keep(tmp_path, store, make, seeds=3, truth="mesh")
    assert make.calls == 3


def test_what_another_set_or_object_scored_is_not_taken(store: Store, tmp_path: Path) -> None:
    make, one = Counted(), job("bench-iou-v1", store)

    def made(one: ScoringJob, objects: list[str]) -> int:
        kept(tmp_path, one, store, objects, [0, 1], {"truth": "mesh"}, make)
        return make.calls

    objects = ["1/a", "1/b"]
    assert made(one, objects) == 1
    # The set and the grid are in the job's fingerprint.
    assert made(replace(one, fingerprint="of another set or grid"), objects) == 2
    assert made(replace(one, spec=replace(one.spec, id="bench-iou-v9")), objects) == 3
    assert made(one, ["1/a", "1/c"]) == 4
    assert made(one, objects) == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda c: [],
        lambda c: {**c, "schema": 2},
        lambda c: {**c, "key": c["key"].replace("mesh", "mosh")},
        lambda c: {**c, "values": c["values"][:1]},
        lambda c: {**c, "values": "many"},
        lambda c: {**c, "values": [c["values"][0], {"iou": {"1/a": 0.5}}]},
        lambda c: {**c, "values": [c["values"][0], {"iou": {"1/a": 0.5, "1/b": "1.0"}}]},
        lambda c: {**c, "values": [c["values"][0], {"iou": {"1/a": 0.5, "1/b": math.inf}}]},
        lambda c: {**c, "values": [c["values"][0], {"ap": c["values"][1]["iou"]}]},
        lambda c: {**c, "failed": None},
        lambda c: {**c, "failed": True},
        None,
    ],
)
def test_a_file_that_holds_something_else_is_made_anew(
    store: Store, tmp_path: Path, change: Any
) -> None:
    make = Counted()
    keep(tmp_path, store, make, truth="mesh")
    (path,) = (tmp_path / "noise").iterdir()
    before = path.read_text()
    changed = json.dumps(change(json.loads(before))) if change else before[:-20]
    path.write_text(changed)
    assert keep(tmp_path, store, make, truth="mesh") == DRAWS
    assert make.calls == 2 and path.read_text() == before


def test_where_nothing_can_be_written(store: Store, tmp_path: Path) -> None:
    (tmp_path / "noise").write_text("a file in the way")
    make = Counted()
    assert keep(tmp_path, store, make) == DRAWS and make.calls == 1


def test_means_and_deviations_by_hand() -> None:
    """One object of class 1 scores 1, 2, 3, 4, 5 under five seeds, two of class 2 score 0 and 6.

    Class 1: deviation sqrt(10 / 4) = 1.5811; class 2: 0; the mean over classes moves half as
    much, that over the three objects a third. Tables show the values 100 times as large.
    """
    metric = replace(get_protocol("bench-iou-v1").metrics[0], factor=100.0)
    values = [{"iou": {"1/a": float(n), "2/b": 0.0, "2/c": 6.0}} for n in range(1, 6)]
    noise = Noise(
        get_protocol("bench-iou-v1"), [("1", "one"), ("2", "two")], ["1/a", "2/b", "2/c"], 2,
        spread=Draws(values, 0),
    )  # fmt: skip
    assert noise.means(values[1], metric) == {
        "1": 200.0, "2": 300.0, OVER_CLASSES: 250.0, OVER_OBJECTS: pytest.approx(800 / 3)
    }  # fmt: skip
    deviation = 100 * math.sqrt(10 / 4)
    assert noise.deviations(metric) == pytest.approx(
        {"1": deviation, "2": 0.0, OVER_CLASSES: deviation / 2, OVER_OBJECTS: deviation / 3}
    )
    assert replace(noise, spread=None).deviations(metric) == {}


@pytest.fixture
def bench(tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls `bench report` with a root of its own, where the set is and something may be kept."""
    for path in tiny_root.iterdir():
        (tmp_path / "root").mkdir(exist_ok=True)
        (tmp_path / "root" / path.name).symlink_to(path)
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "root"))

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(cli, ["report", *map(str, arguments)])

    return call


def rows_of(text: str) -> dict[str, list[str]]:
    lines = (re.split(" {2,}", line) for line in text.splitlines() if line.startswith("["))
    return {line[0]: line[1:] for line in lines if len(line) > 6}


def test_rows_below_the_methods(bench: Any, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = (made, "--metric", SAMPLED, "--noise", 2)
    done = bench(*line)
    assert done.exit_code == 0 and done.stderr.count("noise of dibr-chamfer-v1 ") == 2
    assert "-- bounds and noise, on 6 of 12 objects, at most 2 a class --" in done.stdout
    found = rows_of(done.stdout)
    assert list(found) == ["[floor] truth as meshes", "[spread] over 5 seeds"]
    floor = [float(text) for text in found["[floor] truth as meshes"][:5]]
    assert all(value > 0 for value in floor)
    assert floor[3] == pytest.approx(sum(floor[:3]) / 3, abs=6e-3)
    spread = [float(text) for text in found["[spread] over 5 seeds"][:5]]
    assert all(0 < s < f for s, f in zip(spread, floor, strict=True))
    assert [cells[-1] for cells in found.values()] == ["0", "-"]
    assert "the first view that stub" in done.stdout and "drawn anew" in done.stdout

    def never(*_: object) -> Draws:
        raise AssertionError("it was kept")

    monkeypatch.setattr("benchbench.report.noise.redrawn", never)
    again = bench(*line)
    assert (again.exit_code, again.stdout, again.stderr) == (0, done.stdout, "")


def test_ceilings(bench: Any, made: Path) -> None:
    done = bench(made, "--metric", "iou", "--noise", 1, "-q")
    assert (done.exit_code, done.stderr) == (0, "")
    found = rows_of(done.stdout)
    # The boxes' grids are made by the protocol's own voxeliser; no samples, so no spread.
    assert found["[floor] truth as meshes"] == ["1.000"] * 5 + ["0"]
    assert found["[ceiling] truth as voxels 'binvox'"] == ["1.000"] * 5 + ["0"]
    assert found["[spread] over 5 seeds"] == ["0.00000"] * 5 + ["-"]
    assert "converted by: nearest-cell-v1" in done.stdout


def test_without_predictions_the_truth_is_drawn_anew(bench: Any, made: Path) -> None:
    for shard in (made / "predictions").iterdir():
        shard.unlink()
    done = bench(made, "--metric", SAMPLED, "--noise", 1, "-q")
    assert done.exit_code == 0
    assert "the truth as meshes, since no predictions are at hand" in done.stdout


def test_every_format_has_them(bench: Any, made: Path) -> None:
    for form in FORMATS:
        done = bench(made, "--metric", SAMPLED, "--noise", 1, "-q", "--format", form)
        assert done.exit_code == 0, done.stderr
        if form == "json":
            (record,) = json.loads(done.stdout)["tables"]
            noise = record["noise"]
            assert [one["truth_as"] for one in noise["forms"]] == ["mesh"]
            assert len(noise["objects"]) == 3 and noise["seeds"] == 5
            assert len(record["rows"]) == 1 and noise["standard_deviation"][OVER_CLASSES] > 0
        elif form == "csv":
            lines = list(csv.DictReader(io.StringIO(done.stdout)))
            assert [x["method"] for x in lines][1:] == [
                "[floor] truth as meshes", "[spread] over 5 seeds"
            ]  # fmt: skip
            assert float(lines[1]["mean_over_classes"]) > 0
        elif form == "latex":
            assert "\n{[}floor] truth as meshes & " in done.stdout
        else:
            assert "[floor] truth as meshes" in done.stdout and "bounds and noise" in done.stdout


def test_with_published_rows_and_columns(bench: Any, made: Path) -> None:
    done = bench(made, "--metric", "iou", "--noise", 1, "-q", "--about", "--published")
    assert done.exit_code == 0
    line = next(s for s in done.stdout.splitlines() if s.startswith("[floor] truth"))
    assert line.split()[4:] == ["1.000", "1.000", "0", "-", "-", "-", "-", "-"]


def test_across(bench: Any, made: Path) -> None:
    done = bench("--across", made, "--noise", 1, "-q")
    assert (done.exit_code, done.stderr) == (0, "")
    line = next(s for s in done.stdout.splitlines() if s.startswith("bench-iou-v1:iou"))
    assert "1.000    " in line and "0.00000" in line and "1.000 (voxels 'binvox')" in line
    data = json.loads(bench("--across", made, "--noise", 1, "-q", "--json").stdout)
    (across,) = data["across"]
    by = {f"{r['protocol']}:{r['metric']}": r["noise"] for r in across["rows"]}
    assert by["bench-iou-v1:iou"]["standard_deviation"][OVER_CLASSES] == 0
    assert by[f"{SAMPLED}:chamfer"]["standard_deviation"][OVER_CLASSES] > 0


def test_the_data_set_must_be_there_and_the_same(
    bench: Any, made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "empty"))
    done = bench(made, "--metric", "iou", "--noise", 1)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "shapes13-demo" in done.stderr and "hint: bench prepare" in done.stderr
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "root"))
    path = made / "result.json"
    content = json.loads(path.read_text())
    content["dataset"]["identity"] = "0" * 64
    path.write_text(json.dumps(content))
    done = bench(made, "--metric", "iou", "--noise", 1)
    assert (done.exit_code, done.stdout) == (CheckError.exit_code, "")
    assert "the prepared one is" in done.stderr


@pytest.mark.parametrize("others", [("--ranks",), ("--seeds",), ("--against", "run")])
def test_other_kinds_of_tables_have_none(bench: Any, others: tuple[str, ...]) -> None:
    done = bench("--noise", 1, *others)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: {others[0]} and --noise are different tables\nhint: one command for each\n"
    )


@pytest.mark.parametrize("number", ["0", "-1", "many", "1001"])
def test_numbers_of_objects(bench: Any, number: str) -> None:
    done = bench("--noise", number)
    assert (done.exit_code, done.stdout) == (2, "") and "'--noise'" in done.stderr
