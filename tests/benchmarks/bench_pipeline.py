"""Predicting and scoring, measured: items a second of each baseline, and where the time goes.

    python tests/benchmarks/bench_pipeline.py                   every baseline on shapes13-demo
    python tests/benchmarks/bench_pipeline.py kato mean --views 4 --protocol bench-iou-v1
    python tests/benchmarks/bench_pipeline.py --device cuda     the network on a GPU

Each baseline is run as `bench run` does it, into a temporary folder. A stage is the time that its
functions take in all threads; reading and writing go on beside the network and items are scored
side by side, so that the shares may add up to more than the whole. As a test (``pytest
tests/benchmarks/bench_pipeline.py -o python_files='bench_*.py' -s``) it prints a short form and
asserts nothing about time.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tabulate import tabulate

from benchbench.baselines import list_baselines
from benchbench.core.errors import MissingError
from benchbench.datasets.registry import prepare
from benchbench.datasets.store import Store
from benchbench.evaluation.plan import Request, plan_run
from benchbench.evaluation.run import execute

# Stage to the functions whose time it is: module, names (of a class "Class.method").
STAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "read": (("benchbench.datasets.store", "Store.batch"),),
    "voxelise": (
        ("benchbench.protocols.convert", "voxels_of_mesh"),
        ("benchbench.protocols.iou", "kato_voxels"),
    ),
    "sample": (("benchbench.protocols.surface", "sampled_surface"),),
    "nearest": (("benchbench.protocols.surface", "_to_surface"),),
    "write": (
        ("benchbench.evaluation.run", "write_shard"),
        ("benchbench.evaluation.scoring", "write_scores"),
    ),
}


class Clock:
    """Seconds by stage; what a stage calls of the same stage counts once."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside = threading.local()
        self._adding = threading.Lock()

    def timed(self, stage: str, function: Any) -> Any:
        """The function, its time counted."""

        def wrapped(*arguments: Any, **options: Any) -> Any:
            if getattr(self._inside, stage, False):
                return function(*arguments, **options)
            setattr(self._inside, stage, True)
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                taken = time.perf_counter() - start
                with self._adding:
                    self.seconds[stage] = self.seconds.get(stage, 0.0) + taken
                setattr(self._inside, stage, False)

        return wrapped

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Counts all calls made inside."""
        with contextlib.ExitStack() as stack:
            for stage, functions in STAGES.items():
                for module, name in functions:
                    owner: Any = importlib.import_module(module)
                    *holders, name = name.split(".")
                    for holder in holders:
                        owner = getattr(owner, holder)
                    original = getattr(owner, name)
                    setattr(owner, name, self.timed(stage, original))
                    stack.callback(setattr, owner, name, original)
            yield


def measure(
    baseline: str, root: Path, dataset: str, views: str, limit: int | None,
    protocols: tuple[str, ...], device: str,
) -> list[Any] | None:  # fmt: skip
    """One line of the table, or None where the baseline has no weights."""
    with tempfile.TemporaryDirectory() as folder:
        request = Request(
            baseline=baseline, split="test", root=root, dataset=dataset, out=Path(folder),
            views=views, limit=limit, protocols=protocols or None, quiet=True, device=device,
        )  # fmt: skip
        try:
            plan = plan_run(request)
        except MissingError as error:
            sys.stdout.write(f"{baseline}: {error}\n")
            return None
        warm = plan.items[:1] * plan.block
        plan.baseline.predict_items(plan.store, warm)  # kernels, caches, thread pools
        clock, forward = Clock(), Clock()
        plan.baseline.predict_items = forward.timed("predict", plan.baseline.predict_items)
        start = time.perf_counter()
        with clock.watching():
            execute(plan, quiet=True)
        whole = time.perf_counter() - start
    items = len(plan.items)
    shares = [f"{100 * clock.seconds.get(stage, 0.0) / whole:.0f}" for stage in STAGES]
    predicting = forward.seconds.get("predict", 0.0)
    return [baseline, items, f"{items / whole:.1f}", f"{items / max(predicting, 1e-9):.0f}",
            f"{100 * predicting / whole:.0f}", *shares]  # fmt: skip


def table(names: Sequence[str], root: Path, dataset: str, **options: Any) -> str:
    """Items a second of each baseline, and the shares of the stages in percent."""
    rows = []
    for name in names:
        line = measure(name, root, dataset, **options)
        rows += [line] if line else []
    head = ["baseline", "items", "items/s", "predicted/s", "predict %", *(f"{s} %" for s in STAGES)]
    return tabulate(rows, headers=head, tablefmt="github", disable_numparse=True)


def test_pipeline(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from benchbench.datasets.shapes13 import prepare as shapes13

    with pytest.MonkeyPatch.context() as patch, capsys.disabled():
        patch.setitem(shapes13.SIZES, "demo", (1, 0, 1))
        prepare("shapes13", tmp_path, size="demo", quiet=True)
        sys.stdout.write(
            "\n"
            + table(["kato", "gt"], tmp_path, "shapes13-demo", views="2", limit=2, protocols=(),
                    device="cpu")
            + "\n"
        )  # fmt: skip


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="baselines; all if none is named")
    parser.add_argument("--root", type=Path, help="folder of the data sets")
    parser.add_argument("--dataset", default="shapes13-demo")
    parser.add_argument("--views", default="all")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--protocol", action="append", default=[])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(words)
    torch.set_num_threads(options.threads)
    from benchbench.core.paths import data_root

    root = data_root(options.root)
    path = root / f"{options.dataset}.h5"
    if not path.is_file() and options.dataset == "shapes13-demo":
        prepare("shapes13", root, size="demo")
    Store(path)
    names = options.names or [spec.id for spec in list_baselines()]
    sys.stdout.write(
        table(names, root, options.dataset, views=options.views, limit=options.limit,
              protocols=tuple(options.protocol), device=options.device)
        + f"\n({options.threads} threads, {options.device})\n"
    )  # fmt: skip


if __name__ == "__main__":
    main()
