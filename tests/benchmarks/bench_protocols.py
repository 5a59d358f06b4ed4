"""What scoring costs: CPU time of each protocol on Kato's meshes of 1,280 faces.

    python tests/benchmarks/bench_protocols.py                         all without a search
    python tests/benchmarks/bench_protocols.py --meshes 260 sdfnet-v1  some
    python tests/benchmarks/bench_protocols.py --searching --meshes 1  those that search a pose

Scores the meshes that the shipped weights make of shapes13-demo, each under one protocol after
another, as `bench score` does without its files; what several share is counted at the first.
Prints the milliseconds of CPU time a mesh costs, all threads together, so that other work on the
machine matters little, and what 1,000 meshes would take.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from tabulate import tabulate

from benchbench.baselines import load_baseline
from benchbench.core.paths import data_root
from benchbench.datasets.registry import prepare
from benchbench.datasets.store import Store
from benchbench.evaluation.predictions import Item, make_item
from benchbench.evaluation.scoring import ScoringJob, score_item
from benchbench.evaluation.truth import TruthSource, has_mesh
from benchbench.protocols.registry import load_scorer, protocols, unmet
from benchbench.protocols.specs_search import SEARCH_PROTOCOLS
from benchbench.protocols.truth import Memory

SEARCHING = frozenset(spec.id for spec in SEARCH_PROTOCOLS)


def meshes(store: Store, count: int) -> list[Item]:
    """Kato's meshes of the first views, object after object, then of the second views."""
    kato = load_baseline("kato")
    objects = len(store.object_ids)
    items = [(n % objects, n // objects) for n in range(count)]
    found = kato.predict_items(store, items)
    return [
        make_item(store.object_ids[row], view, mesh)
        for (row, view), mesh in zip(items, found, strict=True)
    ]


def measure(store: Store, items: list[Item], names: Sequence[str]) -> list[tuple[str, float]]:
    """Protocol and seconds of CPU time a mesh, what is shared between protocols counted once."""
    truths = TruthSource(store)
    jobs = [ScoringJob.on(protocols()[name], store) for name in names]
    spent = dict.fromkeys(names, 0.0)
    for job in jobs:  # kernels, caches, imports
        _score(job, items[0], store, truths, Memory())
    for item in items:
        memory = Memory()
        for job in jobs:
            start = time.process_time()
            _score(job, item, store, truths, memory)
            spent[job.spec.id] += time.process_time() - start
    return sorted(((n, s / len(items)) for n, s in spent.items()), key=lambda line: -line[1])


def _score(job: ScoringJob, item: Item, store: Store, truths: TruthSource, memory: Memory) -> None:
    truth = truths[store.index_of(item.object_id)]
    score_item(job.spec, load_scorer(job.spec), item, truth, job.settings(0.5, memory))


def table(store: Store, count: int, names: Sequence[str]) -> str:
    """Milliseconds of each protocol, their sum, and minutes of 1,000 meshes on two cores."""
    lines = measure(store, meshes(store, count), names)
    whole = sum(seconds for _, seconds in lines)
    rows = [[name, f"{1000 * s:.1f}", f"{100 * s / whole:.0f}"] for name, s in lines]
    text = tabulate(
        rows, headers=["protocol", "ms a mesh", "share %"], tablefmt="github", disable_numparse=True
    )
    return (
        f"{text}\n{len(lines)} protocols, {count} meshes: {1000 * whole:.0f} ms of CPU time each; "
        f"1,000 meshes: {1000 * whole / 60:.1f} min of one core, {1000 * whole / 120:.1f} of two\n"
    )


def scorable(store: Store, searching: bool) -> list[str]:
    """Protocols that take meshes on this data set."""
    return [
        name
        for name, spec in protocols().items()
        if (name in SEARCHING) == searching
        and "mesh" in spec.accepts
        and unmet(spec, has_mesh(store), store.voxel_kinds) is None
    ]


def test_protocols(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from benchbench.datasets.shapes13 import prepare as shapes13

    with pytest.MonkeyPatch.context() as patch, capsys.disabled():
        patch.setitem(shapes13.SIZES, "demo", (1, 0, 1))
        prepare("shapes13", tmp_path, size="demo", quiet=True)
        store = Store(tmp_path / "shapes13-demo.h5")
        sys.stdout.write("\n" + table(store, 1, ["bench-iou-v1", "bench-surface-v1"]))


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="protocols; all without a search if none is named")
    parser.add_argument("--root", type=Path, help="folder of the data sets")
    parser.add_argument("--meshes", type=int, default=26)
    parser.add_argument("--searching", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(words)
    torch.set_num_threads(options.threads)
    root = data_root(options.root)
    path = root / "shapes13-demo.h5"
    if not path.is_file():
        prepare("shapes13", root, size="demo")
    store = Store(path)
    names = options.names or scorable(store, options.searching)
    sys.stdout.write(table(store, options.meshes, names))


if __name__ == "__main__":
    main()
