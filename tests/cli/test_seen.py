"""Objects that made the weights are scored only when that was asked for: code, stdout, stderr."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchbench.baselines.training_ids import TrainingIds
from benchbench.cli.main import cli

TINY = Path(__file__).parent.parent / "evaluation" / "tiny.py"
RUN = ("run", "--baseline", "stub", "--protocol", "bench-iou-v1", "-q", "--split")


@pytest.fixture(scope="module")
def tiny() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_tests_tiny", TINY)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def root(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    tiny.make_store(folder)
    return folder


@pytest.fixture
def bench(root: Path, tmp_path: Path, tiny: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    """In an empty folder; the method `stub` was trained on the train part, `plain` says nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_HOME", str(root))
    tiny.register(monkeypatch)
    store = tiny.tiny_store(root)
    tiny.STUBS["stub"] = tiny.Stub()
    tiny.STUBS["stub"].training = TrainingIds.of(store, store.indices("train").tolist())
    tiny.STUBS["plain"] = tiny.Stub(checkpoint_hash="other")
    tiny.STUBS["plain"].training = None

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(cli, [str(a) for a in arguments])

    return call


def folder(tmp_path: Path, split: str) -> Path:
    (found,) = (tmp_path / "runs" / f"shapes13-demo-{split}").glob("stub-*")
    return found


def test_other_objects_are_scored_without_a_word(bench: Any, tmp_path: Path) -> None:
    done = bench(*RUN, "test")
    assert (done.exit_code, done.stderr) == (0, "")
    result = json.loads((folder(tmp_path, "test") / "result.json").read_text())
    training = result["training"]
    assert (training["seen"], training["examples"], training["why"]) == (0, [], "")
    # three classes of two training objects
    assert training["trained_on"]["objects"] == 6
    assert training["trained_on"]["dataset"] == "shapes13-demo"
    assert "(seen)" not in bench("report", "--metric", "iou").stdout


@pytest.mark.parametrize(("split", "of"), [("train", 6), ("all", 21)])
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_training_objects_are_refused(
    bench: Any, tmp_path: Path, split: str, of: int, more: tuple[str, ...]
) -> None:
    done = bench(*RUN, split, *more)
    assert (done.exit_code, done.stdout) == (5, "")
    assert done.stderr == (
        f"error: 6 of the {of} objects of split '{split}' (tiny) of 'shapes13-demo' are in the "
        "training set of these weights (train of 'tiny', 'shapes13-demo'), for example "
        "02691156/train0, 02691156/train1, 03001627/train0\n"
        "hint: score another split, or add --allow-seen: the result and its tables then say so\n"
    )
    assert not (tmp_path / "runs").exists()


def test_only_the_objects_asked_for_count(bench: Any) -> None:
    done = bench(*RUN, "all", "--classes", "chair", "--limit", "1")
    assert done.exit_code == 5
    assert "1 of the 1 objects" in done.stderr and "03001627/train0" in done.stderr


def test_asked_for_they_are_scored_and_marked(bench: Any, tmp_path: Path) -> None:
    done = bench(*RUN, "all", "--allow-seen")
    assert (done.exit_code, done.stderr) == (0, "")
    result = json.loads((folder(tmp_path, "all") / "result.json").read_text())
    assert result["training"]["seen"] == 6
    assert result["settings"]["allow_seen"] == {"value": True, "source": "commandline"}
    # a rival without a record, and one more that is worse than both
    assert bench("run", "--baseline", "plain", "--protocol", "bench-iou-v1", "-q", "--split",
                 "all").exit_code == 0  # fmt: skip
    note = "(seen): its weights were trained on 6 of the objects scored"
    for form in ("table", "md", "latex"):
        text = bench("report", "--metric", "iou", "--format", form).stdout
        assert "stub (seen)" in text and note.split(" ", 1)[1] in text, form
    (table,) = json.loads(bench("report", "--metric", "iou", "--json").stdout)["tables"]
    rows = {row["method"]: row for row in table["rows"]}
    assert rows["stub (seen)"]["seen"] == 6 and rows["plain"]["seen"] == 0
    assert all(row["best"] == [] for row in table["rows"])  # nobody is left to compete with
    text = bench("report", "--metric", "iou", "--format", "csv").stdout
    lines = list(csv.DictReader(io.StringIO(text)))
    assert {line["method"]: line["seen"] for line in lines} == {"stub (seen)": "6", "plain": "0"}


def test_predicting_is_free_and_scoring_is_not(bench: Any, tmp_path: Path) -> None:
    done = bench(*RUN, "train", "--no-score")
    assert done.exit_code == 0
    run = folder(tmp_path, "train")
    done = bench("score", run, "--protocol", "bench-iou-v1", "-q")
    assert (done.exit_code, done.stdout) == (5, "")
    assert done.stderr.startswith("error: 6 of the 6 objects of split 'train'")
    assert "--allow-seen" in done.stderr
    assert not (run / "scores.csv").exists()
    done = bench("score", run, "--protocol", "bench-iou-v1", "-q", "--allow-seen")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "bench-iou-v1:iou" in done.stdout
    assert json.loads((run / "result.json").read_text())["training"]["seen"] == 6


def test_a_checkpoint_without_a_record_gets_one_notice(bench: Any, tmp_path: Path) -> None:
    line = ("run", "--baseline", "plain", "--protocol", "bench-iou-v1", "--split", "train")
    done = bench(*line)
    assert done.exit_code == 0
    assert done.stderr.count("training objects unknown") == 1
    assert "the checkpoint does not record them" in done.stderr
    assert bench(*line, "-q").stderr == ""
    (run,) = (tmp_path / "runs" / "shapes13-demo-train").glob("plain-*")
    training = json.loads((run / "result.json").read_text())["training"]
    assert (training["seen"], training["trained_on"]) == (None, None)


def test_methods_without_weights_say_nothing(bench: Any, tmp_path: Path) -> None:
    done = bench("run", "--baseline", "gt", "--split", "train", "--protocol", "bench-iou-v1")
    assert done.exit_code == 0
    assert "training" not in done.stderr
    (run,) = (tmp_path / "runs" / "shapes13-demo-train").glob("gt-*")
    assert json.loads((run / "result.json").read_text())["training"] is None


def test_another_set_with_the_same_names(
    bench: Any, tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file of the same objects without meshes: its content and its identity differ."""
    home = tmp_path / "home"
    tiny.make_store(home, name="shapes13", meshes=False)
    assert tiny.tiny_store(home, "shapes13").identity != tiny.STUBS["stub"].training.identity
    done = bench(*RUN, "train", "--root", home, "--dataset", "shapes13")
    assert done.exit_code == 5
    assert "of 'shapes13' are in the training set" in done.stderr
    assert "(train of 'tiny', 'shapes13-demo')" in done.stderr
    assert bench(*RUN, "test", "--root", home, "--dataset", "shapes13").exit_code == 0


def test_sets_that_number_their_objects(bench: Any, tiny: ModuleType, root: Path) -> None:
    import dataclasses

    stub = tiny.STUBS["stub"]
    # Trained on another content of a set whose objects are numbered.
    stub.training = dataclasses.replace(stub.training, identity="x", dataset="k", named=False)
    done = bench(*RUN[:-2], "--split", "train")
    assert done.exit_code == 0
    assert "training objects unknown ('k' numbers its objects" in done.stderr


def test_the_shipped_weights_refuse_their_training_split(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few objects with ids of shapes13: 8 of the shipped weights' training objects among them."""
    from benchbench.datasets.shapes13.prepare import members, object_id

    monkeypatch.chdir(tmp_path)
    ids = [object_id(*member) for member in members("demo")["train"][:8]]
    renamed = iter(ids)
    real = tiny.ObjectRecord

    def record(**fields: Any) -> Any:
        name = next(renamed, None) if fields["synset"] == "02691156" else None
        if name:
            named.append((fields["id"], name))
            fields["id"] = name
        return real(**fields)

    named: list[tuple[str, str]] = []
    monkeypatch.setattr(tiny, "ObjectRecord", record)
    finish = tiny.StoreWriter.finish

    def with_new_names(self: Any, splits: Any) -> Path:
        new = dict(named)
        parts = {k: [new.get(i, i) for i in v] for k, v in splits["tiny"].items()}
        return finish(self, {"tiny": parts})

    monkeypatch.setattr(tiny.StoreWriter, "finish", with_new_names)
    tiny.make_store(tmp_path)
    line = ("run", "--baseline", "kato", "--root", tmp_path, "--split", "test", "--classes",
            "airplane", "-q")  # fmt: skip
    done = CliRunner().invoke(cli, [str(a) for a in line])
    assert (done.exit_code, done.stdout) == (5, "")
    assert (
        "4 of the 4 objects" in done.stderr and "(train of 'shapes13', 'shapes13')" in done.stderr
    )
    assert ids[3] in done.stderr  # the fourth is the first of the test part
