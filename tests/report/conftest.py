"""Runs by hand, with the scores of their objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchbench.core.files import sha256_file
from benchbench.core.keyed import keyed_rng
from benchbench.evaluation.aggregate import summarize
from benchbench.evaluation.objects import ObjectScores, write_objects
from benchbench.protocols.registry import get_protocol

CLASSES = [["02691156", "airplane"], ["03001627", "chair"], ["04379243", "table"]]
SIZES = {"02691156": 45, "03001627": 20, "04379243": 12}  # airplanes are enough to lean on
Scores = Mapping[str, float]


def object_ids() -> list[str]:
    return [f"{synset}/{n:02d}" for synset, size in SIZES.items() for n in range(size)]


@pytest.fixture(scope="session")
def base() -> dict[str, float]:
    """Scores that differ by object; two objects failed."""
    rng = keyed_rng("scores of objects")
    scores = {i: float(rng.beta(5, 3)) for i in object_ids()}
    scores["02691156/03"] = scores["04379243/05"] = 0.0
    return scores


@pytest.fixture(scope="session")
def noisy(base: dict[str, float]) -> Callable[..., dict[str, float]]:
    """The scores moved and shaken."""

    def make(name: str, shift: float, shake: float = 0.05) -> dict[str, float]:
        rng = keyed_rng("noise", name)
        return {i: v + shift + shake * float(rng.normal()) for i, v in base.items()}

    return make


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run folder: `make_run("kato", {"bench-iou-v1": {"iou": scores}})`.

    A protocol's other metrics get the same scores. `lost` says how many of an object's 24 views
    failed.
    """

    def make(
        baseline: str,
        protocols: Mapping[str, Mapping[str, Scores]],
        units: Mapping[str, str] | None = None,
        failed: int = 0,
        views: str = "all",
        objects: bool = True,
        weights: str = "",
        lost: Mapping[str, int] | None = None,
    ) -> Path:
        folder = tmp_path / "runs" / f"{baseline}-{len(list(tmp_path.glob('runs/*')))}"
        folder.mkdir(parents=True)
        found: dict[str, Any] = {}
        tables: dict[str, ObjectScores] = {}
        for name, values in protocols.items():
            metrics = [m.name for m in get_protocol(name).metrics]
            whole = {m: dict(values.get(m, next(iter(values.values())))) for m in metrics}
            count = len(whole[metrics[0]])
            tables[name] = ObjectScores(
                whole, dict.fromkeys(whole[metrics[0]], 24), dict(lost or {}), dict(units or {})
            )
            found[name] = {
                **summarize(whole, [tuple(c) for c in CLASSES]), "items": 24 * count,
                "ok": 24 * count - failed, "failed": {"empty": failed}, "failed_items": [],
                "truth_grid": None,
            }  # fmt: skip
        if objects:
            write_objects(folder / "objects.csv", tables)
        content = {
            "schema": 1, "kind": "benchbench result", "hash": f"{len(str(folder)):x}a1b2c3d4" * 7,
            "baseline": {
                "id": baseline, "title": "t", "caption": f"{baseline}: weights by hand",
                "takes": "truth" if baseline == "gt" else "image",
            },
            "dataset": {
                "id": "shapes13-demo", "identity": "9f3a" * 16, "title": "boxes", "split": "test",
                "split_name": "shapes13", "split_hash": "12ab" * 16, "classes": CLASSES,
            },
            "selection": {"views": views, "views_of_set": 24, "classes": None, "limit": None},
            "hashes": {
                "weights": weights or str(folder),
                **({"objects": sha256_file(folder / "objects.csv")} if objects else {}),
            },
            "protocols": found, "complete": True, "incomplete_because": [],
        }  # fmt: skip
        (folder / "result.json").write_text(json.dumps(content))
        return folder

    return make
