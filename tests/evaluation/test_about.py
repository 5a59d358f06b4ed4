"""What a run records of its method, and that it changes no run's name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from benchbench.baselines import get_spec, list_baselines
from benchbench.baselines.checkpoints import read_record, shipped_checkpoint, shipped_record
from benchbench.core.files import read_json, sha256_file, write_json
from benchbench.datasets.store import open_dataset
from benchbench.evaluation.about import method_facts
from benchbench.evaluation.run import run
from benchbench.leaderboards.result_form import RESULT

UNKNOWN = dict.fromkeys(("supervision", "networks", "parameters", "training_time", "trained_on"))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A file of weights with the record of a training beside it."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    write_json(
        path.with_suffix(".json"),
        {
            "sha256": sha256_file(path), "parameters": 1234, "machine": "a laptop; 3 hours",
            "settings": {"classes": "chair"},
        },
    )  # fmt: skip
    return path


def facts(checkpoint: Path | None, spec: Any = None, **baseline: Any) -> dict[str, Any]:
    method = SimpleNamespace(checkpoint_hash="ab" * 32, **baseline)
    store: Any = SimpleNamespace(id="set")
    return method_facts(spec or get_spec("kato"), method, checkpoint, store)


def change(checkpoint: Path, **content: Any) -> None:
    path = checkpoint.with_suffix(".json")
    write_json(path, {**read_json(path), **content})


def test_every_method_says_what_it_learns_from() -> None:
    for spec in list_baselines():
        assert spec.supervision != "unknown" and len(spec.supervision) < 90, spec.id
        assert bool(spec.networks) == (spec.trainer is None), spec.id


def test_the_record_beside_the_file(checkpoint: Path) -> None:
    assert facts(checkpoint) == {
        "supervision": "silhouettes of 2 views, cameras known", "networks": "per class (chair)",
        "parameters": 1234, "training_time": "a laptop; 3 hours", "trained_on": None,
    }  # fmt: skip
    change(checkpoint, settings={"classes": None})
    assert facts(checkpoint)["networks"] == "joint (all classes)"
    change(checkpoint, settings={"classes": "chair, car"})
    assert facts(checkpoint)["networks"] == "joint (chair, car)"


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"parameters": "many"}, "parameters"),
        ({"parameters": True}, "parameters"),
        ({"parameters": -1}, "parameters"),
        ({"machine": ["a", "list"]}, "training_time"),
        ({"machine": "x" * 201}, "training_time"),
        ({"machine": "\x1b[2J"}, "training_time"),
        ({"settings": {"classes": 7}}, "networks"),
        ({"settings": "none"}, "networks"),
        ({"settings": {}}, "networks"),
    ],
)
def test_other_forms_are_unknown(checkpoint: Path, content: dict[str, Any], key: str) -> None:
    change(checkpoint, **content)
    assert facts(checkpoint)[key] is None


@pytest.mark.parametrize(
    "text",
    ["{", pytest.param("[" * 100_000, id="deep"), "[]", '{"sha256": "of another file"}', None],
)
def test_a_record_of_another_file_says_nothing(checkpoint: Path, text: str | None) -> None:
    beside = checkpoint.with_suffix(".json")
    beside.unlink() if text is None else beside.write_text(text)
    spec = SimpleNamespace(id="theirs")  # of another package and version: no such fields
    assert facts(checkpoint, spec) == UNKNOWN
    assert facts(None, spec) == UNKNOWN
    assert facts(checkpoint.with_name("absent"), spec) == UNKNOWN


@pytest.mark.parametrize(
    "value", ["a\nb", "\x1b[2J", "x" * 201, "", "unknown", 7, ("joint",), None]
)
def test_words_of_another_package_are_a_line_or_unknown(value: Any) -> None:
    """They go into result files, which a leaderboard reads, and into tables."""
    spec = SimpleNamespace(id="theirs", supervision=value, networks="joint")
    assert facts(None, spec) == {**UNKNOWN, "networks": "joint"}
    other = SimpleNamespace(id="theirs", supervision="voxels", networks=value)
    known = {"supervision": "voxels", "networks": "unknown" if value == "unknown" else None}
    assert facts(None, other) == {**UNKNOWN, **known}


def test_a_method_called_as_a_module_of_ours() -> None:
    assert facts(None, SimpleNamespace(id="truth")) == UNKNOWN


def test_without_a_record_the_network_is_counted(checkpoint: Path) -> None:
    """Linear 3 -> 2: 6 weights and 2 biases; the bias that does not learn is not counted."""
    network = torch.nn.Linear(3, 2)
    spec = SimpleNamespace(id="theirs")
    assert facts(None, spec, network=network)["parameters"] == 8
    network.bias.requires_grad_(False)
    assert facts(None, spec, network=network)["parameters"] == 6
    assert facts(checkpoint, spec, network=network)["parameters"] == 1234
    assert facts(None, spec, network="none")["parameters"] is None


def test_shipped_weights_are_found_by_their_hash(tmp_path: Path) -> None:
    path, record = shipped_checkpoint("kato"), shipped_record("kato")
    assert read_record(path) == record
    kato = SimpleNamespace(checkpoint_hash=sha256_file(path))
    store: Any = SimpleNamespace(id="set")
    found = method_facts(get_spec("kato"), kato, None, store)
    assert (found["parameters"], found["training_time"]) == (
        record["parameters"], record["machine"]
    )  # fmt: skip
    copy = tmp_path / "copy.safetensors"
    shutil.copyfile(path, copy)
    assert read_record(copy) is None  # came without its record


def test_a_method_without_weights(tiny: ModuleType, tiny_root: Path, tmp_path: Path) -> None:
    store = open_dataset("shapes13-demo", tiny_root)
    for name, list_of in (("mean", True), ("gt", False)):
        result = run(tiny.request(tiny_root, tmp_path, baseline=name), quiet=True)
        assert result is not None
        trained = {
            "dataset": "shapes13-demo", "split": "tiny", "objects": 6,
            "sha256": store.split_hash("train"),
        }  # fmt: skip
        assert result["about"] == {
            "supervision": get_spec(name).supervision, "networks": get_spec(name).networks,
            "parameters": 0, "training_time": "none",
            "trained_on": trained if list_of else None,
        }  # fmt: skip
    store.close()


def test_a_run_records_it_and_keeps_its_name(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    stubs.STUBS["stub"] = stubs.Stub()
    result = run(stubs.request(tiny_root, tmp_path), quiet=True)
    assert result is not None and result["about"] == UNKNOWN
    (folder,) = tmp_path.glob("shapes13-demo-test/stub-*")
    # A run of an earlier version goes on, under the same name.
    config = json.loads((folder / "config.json").read_text())
    assert config.pop("about") == UNKNOWN and "about" not in config["hashed"]
    (folder / "config.json").write_text(json.dumps(config))
    again = run(stubs.request(tiny_root, tmp_path), quiet=True)
    assert again == result and list(tmp_path.glob("shapes13-demo-test/*")) == [folder]


@pytest.mark.parametrize(
    ("about", "problem"),
    [
        (None, None), ({}, None), (UNKNOWN, None),
        ({"parameters": -1}, "result.about.parameters is -1, not a count"),
        ({"supervision": "a\nb"}, "result.about.supervision is 'a\\nb', not a line"),
        ("words", "result.about is 'words', not an object"),
        ({"trained_on": {"dataset": "s", "objects": 1, "sha256": "x"}},
         "result.about.trained_on.sha256 is 'x', not a text of the form [0-9a-f]{64}"),
    ],
)  # fmt: skip
def test_what_a_submission_may_say(about: Any, problem: str | None) -> None:
    found = [p for p in RESULT({"about": about}, "result") if "missing" not in p]
    assert (found == []) if problem is None else found[0].startswith(problem)
