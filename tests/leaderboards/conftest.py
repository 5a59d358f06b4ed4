"""A submission made by hand: three objects of two classes, numbers that can be added in the head.

bench-iou-v1: airplanes 0.9 and 0.7 (mean 0.8), the chair 0.2; mean over classes 0.5, over objects
0.6. dibr-chamfer-v1 would need many metrics; kato-iou-v1 is the second protocol: 0.5, 0.3 (0.4)
and 0.0 as the penalty of an empty prediction; 0.2 over classes, 0.8 / 3 over objects.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchbench.core.files import sha256_file

TINY = Path(__file__).parent.parent / "evaluation" / "tiny.py"
AIRPLANE, CHAIR = "02691156", "03001627"
SCORES = {
    "bench-iou-v1": [("a0", 0.9, "ok"), ("a1", 0.7, "ok"), ("c0", 0.2, "ok")],
    "kato-iou-v1": [("a0", 0.5, "ok"), ("a1", 0.3, "ok"), ("c0", 0.0, "empty")],
}
MEANS = {"bench-iou-v1": (0.8, 0.2, 0.5, 0.6), "kato-iou-v1": (0.4, 0.0, 0.2, 0.8 / 3)}


def object_id(name: str) -> str:
    return f"{AIRPLANE if name.startswith('a') else CHAIR}/{name}"


def summary(protocol: str) -> dict[str, Any]:
    airplane, chair, classes, objects = MEANS[protocol]
    failed = [n for n, _, status in SCORES[protocol] if status != "ok"]
    return {
        "per_class": {
            AIRPLANE: {"name": "airplane", "objects": 2, "metrics": {"iou": airplane}},
            CHAIR: {"name": "chair", "objects": 1, "metrics": {"iou": chair}},
        },
        "mean_over_classes": {"iou": classes},
        "mean_over_objects": {"iou": objects},
        "classes": 2, "objects": 3, "items": 3, "ok": 3 - len(failed),
        "failed": {"empty": 1} if failed else {},
        "failed_items": [{"object": object_id(n), "view": 0, "status": "empty"} for n in failed],
        "truth_grid": None,
    }  # fmt: skip


def result(**changes: Any) -> dict[str, Any]:
    setting = {"source": "commandline"}
    found: dict[str, Any] = {
        "schema": 1, "kind": "benchbench result", "hash": "ab" * 32,
        "baseline": {"id": "kato", "title": "a renderer", "caption": "kato, weights by hand",
                     "takes": "image", "checkpoint": "cd" * 32, "settings": {"block_size": 8}},
        "dataset": {"id": "shapes13-demo", "identity": "ef" * 32, "title": "solids",
                    "split": "test", "split_name": "shapes13", "split_hash": "12" * 32,
                    "split_objects": 3, "part_of": None,
                    "classes": [[AIRPLANE, "airplane"], [CHAIR, "chair"]]},
        "selection": {"objects": 3, "items": 3, "views": "0", "views_of_set": 24, "classes": None,
                      "limit": None, "rendering": "kato", "together": 0},
        "settings": {"baseline": {**setting, "value": "kato"},
                     "dataset": {**setting, "value": "shapes13-demo"},
                     "split": {**setting, "value": "test"}, "views": {**setting, "value": "1"},
                     "protocols": {"source": "default", "value": list(SCORES)}},
        "seeds": {"baseline": 0, "protocols": dict.fromkeys(SCORES, 0)},
        "device": ["cpu"], "versions": {"benchbench": "0.1.0"},
        "git_commit": "34" * 20,
        "hashes": {"data": "ef" * 32, "weights": "cd" * 32, "predictions": "56" * 32},
        "predictions": {"items": 3, "ok": 3, "failed": {}},
        "protocols": {name: summary(name) for name in SCORES},
        "training": {"seen": 0, "why": "", "trained_on": None, "examples": []},
        "complete": True, "incomplete_because": [],
    }  # fmt: skip
    return {**found, **changes}


def write_csv(path: Path, rows: list[tuple[Any, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def write_submission(
    folder: Path, content: dict[str, Any] | None = None, objects: bool = True
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    content = content or result()
    lines: list[tuple[Any, ...]] = [("protocol", "object", "view", "metric", "value", "status")]
    lines += [(p, object_id(n), 0, "iou", v, s) for p in SCORES for n, v, s in SCORES[p]]
    write_csv(folder / "scores.csv", lines)
    content["hashes"]["scores"] = sha256_file(folder / "scores.csv")
    if objects:
        lines = [("protocol", "object", "unit", "views", "failed", "metric", "value")]
        lines += [
            (p, object_id(n), object_id(n), 1, int(s != "ok"), "iou", v)
            for p in SCORES
            for n, v, s in SCORES[p]
        ]
        write_csv(folder / "objects.csv", lines)
        content["hashes"]["objects"] = sha256_file(folder / "objects.csv")
    (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture
def submission() -> Callable[..., Path]:
    """Writes a submission into a folder."""
    return write_submission


@pytest.fixture
def content() -> dict[str, Any]:
    """What its result.json holds, but for the hashes of the files."""
    return result()


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_tests_tiny", TINY)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module
