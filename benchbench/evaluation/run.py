"""Predict, then score, then merge. Each part goes on where it was stopped."""

from __future__ import annotations

import contextlib
import logging
import threading
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from benchbench.core.errors import InputError
from benchbench.core.progress import Progress
from benchbench.cuda_ops.library import KernelError
from benchbench.datasets.store import Store
from benchbench.evaluation.ahead import Behind, ReadAhead
from benchbench.evaluation.folder import Rank, RunFolder
from benchbench.evaluation.plan import Plan, Request, plan_run
from benchbench.evaluation.predictions import Item, Shard, make_item, write_shard
from benchbench.evaluation.result import finish
from benchbench.evaluation.scoring import MACHINE_ERRORS, ScoringJob, check_accepted, score_shard
from benchbench.evaluation.seen import refuse_seen
from benchbench.evaluation.truth import TruthSource
from benchbench.protocols.registry import get_protocol, in_order

LOG = logging.getLogger("benchbench.run")
DEFAULT_THRESHOLD = 0.5


def predict_block(baseline: Any, store: Any, block: Sequence[tuple[int, int]]) -> list[Item]:
    """Predicts one block of fixed size; the last one is padded with its own last item.

    A block that fails is done again item by item, each repeated to the same size, so that one bad
    picture costs one prediction and not a block.

    Args:
        baseline: With `predict_items` and `block_size`.
        store: The data set.
        block: At most `block_size` items.

    Returns:
        One `Item` each, in order.
    """
    size = int(baseline.block_size)

    def predict(items: Sequence[tuple[int, int]]) -> list[Any]:
        padded = _padded(items, size)
        found = list(baseline.predict_items(store, padded))
        if len(found) != len(padded):
            raise ValueError(f"{len(found)} predictions for {len(padded)} items")
        return found[: len(items)]

    try:
        predictions = predict(block)
    except (KernelError, *MACHINE_ERRORS):
        raise
    except Exception as error:  # noqa: BLE001 - told below, item by item
        LOG.warning("a block failed (%s); its items are done one by one", error)
        return [_predict_alone(predict, store, item) for item in block]
    return [
        make_item(store.object_ids[row], view, prediction)
        for (row, view), prediction in zip(block, predictions, strict=True)
    ]


def _predict_alone(predict: Any, store: Any, item: tuple[int, int]) -> Item:
    object_id, view = store.object_ids[item[0]], item[1]
    try:
        return make_item(object_id, view, predict([item])[0])
    except (KernelError, *MACHINE_ERRORS):
        raise
    except Exception as error:  # noqa: BLE001 - recorded; a run never ends because objects fail
        LOG.error("%s view %d: %s", object_id, view, "".join(traceback.format_exception(error)))
        return Item(object_id, view, None, "error", f"{type(error).__name__}: {error}"[:1000])


def predict(plan: Plan, rank: Rank, protocols: Sequence[str] = (), quiet: bool = False) -> None:
    """Makes the shards of predictions that this rank takes and that are not there.

    Args:
        plan: What to do.
        rank: This process.
        protocols: Will score them; one that takes none of the first shard refuses after it.
        quiet: No progress on stderr.
    """
    mine = [k for k in range(len(plan.shards)) if rank.takes(k)]
    there = {k for k in mine if _usable(plan, k)}
    todo = [k for k in mine if k not in there]
    jobs = [ScoringJob.on(get_protocol(name), plan.store) for name in protocols]
    total = sum(plan.shards[k][1] - plan.shards[k][0] for k in mine)
    done = sum(plan.shards[k][1] - plan.shards[k][0] for k in there)
    label = f"{plan.config['baseline']['id']} {plan.config['dataset']['split']} predict"
    failed = 0
    looks = plan.baseline.uses_views
    rendering = str(plan.baseline.rendering(plan.store)) if looks else None
    blocks = [(k, block) for k in todo for block in _blocks(plan, k)]
    with (
        Progress(label, total, "predictions", quiet, done) as progress,
        contextlib.closing(ReadAhead(plan.store, rendering)) as store,
        Behind(partial(_write, plan), _scores_behind(plan, jobs)) as behind,
    ):
        items: list[Item] = []
        for n, (k, block) in enumerate(blocks):
            for _, later in blocks[n : n + 2]:
                store.announce(_padded(later, plan.block))
            found = predict_block(plan.baseline, store, block)
            failed += sum(item.status != "ok" for item in found)
            items += found
            progress.update(len(found), failed=failed)
            if n + 1 < len(blocks) and blocks[n + 1][0] == k:
                continue
            behind.submit(k, items)
            items = []
            if k == mine[0]:
                behind.wait()
                for job in jobs:
                    check_accepted(job, [plan.folder.prediction_shard(k)], plan.store)


def _blocks(plan: Plan, k: int) -> list[Sequence[tuple[int, int]]]:
    first, after = plan.shards[k]
    return [
        plan.items[start : min(start + plan.block, after)]
        for start in range(first, after, plan.block)
    ]


def _padded(block: Sequence[tuple[int, int]], size: int) -> Sequence[tuple[int, int]]:
    return [*block, *[block[-1]] * (size - len(block))]


def _write(plan: Plan, k: int, items: list[Item]) -> None:
    """One shard of predictions, whole."""
    threshold = getattr(plan.baseline, "threshold", None)
    write_shard(
        plan.folder.prediction_shard(k),
        items,
        DEFAULT_THRESHOLD if threshold is None else float(threshold),
        {"baseline": plan.config["baseline"]["id"], "run": plan.config["hash"],
         "device": device_name(plan.device)},
    )  # fmt: skip
    LOG.info("predicted shard %d of %d, %d items", k + 1, len(plan.shards), len(items))


def _scores_behind(plan: Plan, jobs: Sequence[ScoringJob]) -> Callable[..., None] | None:
    """Scores finished shards while a GPU predicts; on the CPU the cores are busy as it is."""
    if plan.device == "cpu" or not jobs:
        return None
    truths = TruthSource(plan.store)

    def scored(k: int, _items: list[Item]) -> None:
        with Shard(plan.folder.prediction_shard(k)) as shard:
            place = partial(plan.folder.score_shard, shard=k)
            score_shard(jobs, shard, plan.store, truths, place)

    return scored


def _usable(plan: Plan, k: int) -> bool:
    """True if shard k is there, whole, and of this plan; a damaged one is made again."""
    path = plan.folder.prediction_shard(k)
    if not path.is_file():
        return False
    first, after = plan.shards[k]
    keys = [(plan.store.object_ids[row], view) for row, view in plan.items[first:after]]
    try:
        with Shard(path) as shard:
            for n in range(len(shard)):
                shard.item(n)  # its checksum is looked at
            return shard.keys == keys
    except InputError as error:
        LOG.warning("shard %d is made again: %s", k, error)
        return False


def device_name(device: str) -> str:
    """ "cpu", or the name of the GPU."""
    if device == "cpu":
        return "cpu"
    import torch

    return str(torch.cuda.get_device_name(device))


def score(
    folder: RunFolder,
    store: Store,
    protocols: Sequence[str],
    shards: int,
    rank: Rank,
    quiet: bool = False,
) -> dict[str, str | None]:
    """Scores the shards that this rank takes, under each protocol.

    Returns:
        Kind of voxel grid that stood for the truth, by protocol.

    Raises:
        NotAccepted: A protocol takes none of the predictions.
    """
    jobs = [ScoringJob.on(get_protocol(name), store) for name in protocols]
    mine = [k for k in range(shards) if rank.takes(k)]
    sizes = {}
    for k in mine:
        with Shard(folder.prediction_shard(k)) as shard:
            sizes[k] = len(shard)
    total = sum(sizes.values()) * len(jobs)
    with Progress("score", total, "items", quiet) as progress:
        truths = TruthSource(store)
        refused = _refusal(folder, store, shards)
        for k in mine:
            before = progress.done
            with Shard(folder.prediction_shard(k)) as shard:
                place = partial(folder.score_shard, shard=k)
                done = score_shard(jobs, shard, store, truths, place, progress.update, refused)
            progress.update(before + sizes[k] * len(jobs) - progress.done)
            for job in done:
                LOG.info("%s scored shard %d of %d", job.spec.id, k + 1, shards)
    return {job.spec.id: job.grid for job in jobs}


def _refusal(folder: RunFolder, store: Store, shards: int) -> Callable[[ScoringJob], None]:
    """What happens at a prediction of a wrong kind: once a protocol, all others are looked at."""
    looked: set[str] = set()
    looking = threading.Lock()

    def refused(job: ScoringJob) -> None:
        with looking:
            if job.spec.id in looked:
                return
            looked.add(job.spec.id)
            paths = [folder.prediction_shard(k) for k in range(shards)]
            folder.wait_for(paths, "shards")
            check_accepted(job, paths, store)

    return refused


def wait_for_scores(
    folder: RunFolder, store: Store, protocols: Sequence[str], others: Sequence[int]
) -> None:
    """Waits until other ranks have scored the shards that are there now, not earlier ones.

    Args:
        folder: The run; its predictions are complete.
        store: The data set.
        protocols: Ids.
        others: Shards that this rank does not take.
    """
    for name in protocols:
        job = ScoringJob.on(get_protocol(name), store)

        def ready(n: int, job: ScoringJob = job) -> bool:
            with Shard(folder.prediction_shard(others[n])) as shard:
                return job.has_scored(shard, folder.score_shard(job.spec.id, others[n]))

        folder.wait_for([folder.score_shard(name, k) for k in others], "score shards", ready)


def execute(
    plan: Plan,
    *,
    rank: Rank | None = None,
    with_scores: bool = True,
    overwrite: bool = False,
    quiet: bool = False,
) -> dict[str, Any] | None:
    """Runs a plan to its end.

    Args:
        plan: From `plan_run`.
        rank: This process among several.
        with_scores: False stops after the predictions.
        overwrite: Removes what is there first.
        quiet: No progress on stderr.

    Returns:
        What result.json holds; None in a process that is not rank 0.

    Raises:
        CheckError: Objects that made the weights would be scored, and were not asked for.
    """
    rank = rank or Rank()
    if with_scores:
        refuse_seen(plan.config, plan.allow_seen)
    folder, shards = plan.folder, len(plan.shards)
    folder.refuse_shared_overwrite(rank, overwrite)
    with folder.locked(rank), folder.logged(rank):
        if overwrite:
            folder.clear()
        if rank.count == 1:
            folder.sweep()
        folder.begin(plan.config)
        LOG.info("begin %s rank %d of %d", plan.config["hash"], rank.index, rank.count)
        # What an earlier command scored from these predictions stays in the result.
        wanted = plan.protocols if with_scores else []
        protocols = in_order([*folder.scored(), *wanted])
        predict(plan, rank, protocols, quiet)
        grids = score(folder, plan.store, protocols, shards, rank, quiet)
        if rank.index != 0:
            return None
        others = [k for k in range(shards) if not rank.takes(k)]
        paths = [folder.prediction_shard(k) for k in others]
        folder.wait_for(paths, "shards", lambda n: _usable(plan, others[n]))
        wait_for_scores(folder, plan.store, protocols, others)
        weights = plan.config["baseline"]["checkpoint"]
        result = finish(folder, plan.config, protocols, shards, weights, grids, plan.store)
        LOG.info("finished, complete: %s", result["complete"])
        return result


def run(request: Request, **options: Any) -> dict[str, Any] | None:
    """`plan_run` and `execute` in one, for scripts.

    Args:
        request: What is wanted.
        options: Those of `execute`.
    """
    rank = options.pop("rank", None) or Rank()
    return execute(plan_run(request, rank), rank=rank, **options)
