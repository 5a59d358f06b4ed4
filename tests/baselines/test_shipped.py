"""The weights that come with the package: small, explained, and better than knowing the class."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchbench.baselines import get_spec
from benchbench.baselines.checkpoints import read_training, shipped_checkpoint, shipped_record
from benchbench.baselines.dibr.weights import read_checkpoint as read_dibr
from benchbench.baselines.kato.weights import read_checkpoint as read_kato
from benchbench.baselines.learn3d.weights import read_checkpoint as read_learn3d
from benchbench.baselines.r2n2.weights import read_checkpoint as read_r2n2
from benchbench.core.classes import SYNSETS
from benchbench.core.files import sha256_file

ROOT = Path(__file__).resolve().parents[2]
AVERAGE = "mean over classes"
BETTER = {"bench-iou-v1:iou": 1, "bench-surface-v1:chamfer": -1}
# What says how wide the network of a file is, of the methods with three seeds.
WIDTHS: dict[str, Callable[[Path], Any]] = {
    "kato": lambda path: read_kato(path)[0],
    "r2n2": lambda path: read_r2n2(path).architecture,
    "learn3d": lambda path: read_learn3d(path)[0],
    "vpl": lambda path: read_learn3d(path, "vpl")[0],
    "dibr": lambda path: read_dibr(path)[0],
}
FILES = [(name, "shapes13") for name in WIDTHS] + [("learn3d", "shapes13-plain")]


@pytest.fixture(params=FILES, ids=lambda one: "-".join(one))
def shipped(request: pytest.FixtureRequest) -> tuple[str, str, Path, dict[str, Any]]:
    """Baseline, stem, file and record."""
    name, stem = request.param
    return name, stem, shipped_checkpoint(name, stem), shipped_record(name, stem)


Shipped = tuple[str, str, Path, dict[str, Any]]


def test_folder_is_at_most_four_megabytes(shipped: Shipped) -> None:
    folder = shipped[2].parent
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 4_000_000


def test_record_belongs_to_the_file(shipped: Shipped) -> None:
    name, _, path, record = shipped
    assert record["sha256"] == sha256_file(path)
    widths = WIDTHS[name](path)
    assert record["architecture"] == str(widths) and record["parameters"] == widths.parameters
    training = read_training(path)
    assert training is not None and len(training.digests) == 1300
    assert record["history"][-1]["step"] == record["settings"]["steps"]
    assert record["machine"] and record["licence"] == "MIT"


def test_the_preset_of_today_is_the_recipe_of_then(shipped: Shipped) -> None:
    name, stem, _, record = shipped
    parts = {stem: record}
    if name == "dibr":
        parts = {stem: record["first_part"], f"{stem}-second": record}
        assert record["settings"]["start"] == record["first_part"]["sha256"]
    seed = record["settings"]["seed"]
    for preset, part in parts.items():
        assert part["settings"]["seed"] == seed
        words = f"bench train --baseline {name} --dataset shapes13 --preset {preset} --seed {seed}"
        assert words in record["command"]
        for key, value in get_spec(name).presets[preset].items():
            stored = part["settings"][key]
            assert key == "seed" or stored == (list(value) if isinstance(value, tuple) else value)
    assert record["command"] == record["seeds"]["command"].replace("SEED", str(seed))


def test_several_seeds_and_the_best_on_val_ships(shipped: Shipped) -> None:
    runs = shipped[3]["seeds"]["runs"]
    assert [run["seed"] for run in runs] == [0, 1, 2]
    assert len({run["sha256"] for run in runs}) == len(runs)
    best = max(runs, key=lambda run: run["val"]["val_iou"])
    assert best["sha256"] == shipped[3]["sha256"]
    assert best["seed"] == shipped[3]["settings"]["seed"]


@pytest.mark.parametrize("name", WIDTHS)
def test_scores_are_complete(name: str) -> None:
    record = shipped_record(name)
    assert set(BETTER) < set(record["scores"])
    for metric, rows in record["scores"].items():
        assert set(rows) == {name, "mean"}
        for row in rows.values():
            assert set(row) == {*SYNSETS.values(), AVERAGE}
            classes = [row[one] for one in SYNSETS.values()]
            assert np.mean(classes) == pytest.approx(row[AVERAGE], abs=1e-4)
        seeds = [run["scores"][metric] for run in record["seeds"]["runs"]]
        variance = record["seeds"]["variance"][metric]
        assert variance["seeds"] == len(seeds) and variance["objects_variance"] > 0
        assert variance["mean"] == pytest.approx(np.mean(seeds), rel=1e-3)
        assert variance["seed_spread"] == pytest.approx(np.std(seeds, ddof=1), rel=0.02, abs=1e-4)


@pytest.mark.parametrize("name", WIDTHS)
@pytest.mark.parametrize("metric", BETTER)
def test_over_its_seeds_a_method_beats_the_class_mean(name: str, metric: str) -> None:
    record = shipped_record(name)
    mean = record["scores"][metric]["mean"][AVERAGE]
    assert BETTER[metric] * record["seeds"]["variance"][metric]["mean"] > BETTER[metric] * mean
    assert BETTER[metric] * record["scores"][metric][name][AVERAGE] > BETTER[metric] * mean


@pytest.mark.parametrize("name", WIDTHS)
def test_the_page_shows_the_record(name: str) -> None:
    specification = importlib.util.spec_from_file_location(
        "docs_shipped_weights", ROOT / "docs" / "shipped_weights.py"
    )
    assert specification is not None and specification.loader is not None
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    page = (ROOT / "baselines" / name / "README.md").read_text(encoding="utf-8")
    block = script.block(shipped_record(name), name)
    assert block in page, f"run: python docs/shipped_weights.py {name} --page-only"
