"""Scoring stored predictions, shard by shard.

A shard's scores depend on its predictions, the truth and the protocol alone: not on the batch, the
order, the number of threads or processes, nor on what was scored before. So a finished shard is
kept and a missing one is made, whoever asks.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchbench import __version__
from benchbench.core.errors import DamagedError, InputError
from benchbench.core.files import sha256_text
from benchbench.core.types import Prediction
from benchbench.cuda_ops.library import KernelError
from benchbench.datasets.store import Store
from benchbench.evaluation.predictions import OK, Item, Shard
from benchbench.evaluation.scores import Score, read_note, read_scores, write_scores
from benchbench.evaluation.side_by_side import side_by_side
from benchbench.evaluation.truth import TruthSource, has_mesh, truth_grid
from benchbench.protocols.registry import load_scorer, named_grid
from benchbench.protocols.specs import ProtocolSpec
from benchbench.protocols.truth import Memory, NotAccepted, Truth, Unscorable

LOG = logging.getLogger("benchbench.run")

# The machine failed, or the data set was damaged, not the object: the run stops, nothing is stored
# that a mended machine would not make, and the same command goes on.
MACHINE_ERRORS = (OSError, MemoryError, DamagedError)


@dataclass(frozen=True)
class ScoringJob:
    """One protocol on one data set.

    Attributes:
        spec: The protocol.
        grid: Kind of voxel grid that stands for the truth, or None.
        fingerprint: Hash of everything but the predictions that fixes the scores.
    """

    spec: ProtocolSpec
    grid: str | None
    fingerprint: str

    @classmethod
    def on(cls, spec: ProtocolSpec, store: Store) -> ScoringJob:
        """The job for a prepared data set."""
        grid = named_grid(spec, store.voxel_kinds)
        if spec.truth == "voxels" or (spec.truth == "mesh|voxels" and not has_mesh(store)):
            grid = truth_grid(store)
        return cls(spec, grid, sha256_text(f"{spec.id}\n{grid}\n{store.identity}"))

    def settings(self, threshold: float, memory: Memory | None = None) -> dict[str, Any]:
        """What the scorer is told.

        Args:
            threshold: Of voxels.
            memory: What protocols share about the one item that these settings are for.
        """
        told = {"threshold": threshold, "grid": self.grid, "seed": self.spec.seed}
        return told if memory is None else {**told, "memory": memory}

    def shard_note(self, content: str, threshold: float) -> str:
        """By which a finished score shard is recognised."""
        text = f"{__version__}\n{self.fingerprint}\n{content}\n{threshold!r}"
        return "key=" + sha256_text(text)

    def has_scored(self, shard: Shard, target: Path) -> bool:
        """True if `target` holds the scores of this very shard, every item and metric of it.

        Args:
            shard: The predictions.
            target: The CSV, possibly absent, of an earlier version, cut or edited.
        """
        if read_note(target) != self.shard_note(shard.content, shard.threshold):
            return False
        wanted = [
            (self.spec.id, object_id, view, metric.name)
            for object_id, view in shard.keys
            if self.spec.looks_at(view)
            for metric in self.spec.metrics
        ]
        try:
            found = [(s.protocol, s.object_id, s.view, s.metric) for s in read_scores(target)]
        except InputError:
            return False
        return found == wanted


def score_item(
    spec: ProtocolSpec,
    scorer: Callable[..., dict[str, float]],
    item: Item,
    truth: Truth,
    settings: dict[str, Any],
    refused: Callable[[], None] = lambda: None,
) -> list[Score]:
    """All metrics of one item; what cannot be scored gets the penalties and its status.

    Args:
        spec: The protocol.
        scorer: Its function.
        item: With or without a prediction.
        truth: Of the object.
        settings: What the scorer is told.
        refused: Called if the protocol does not take this kind of prediction; unless it raises,
            the item is "invalid".
    """
    status = item.status
    values: dict[str, float] = {}
    if item.prediction is not None and status == OK:
        key = (item.object_id, item.view)
        try:
            status, values = _try(scorer, item.prediction, truth, key, settings)
        except NotAccepted as error:
            refused()
            LOG.error("%s view %d: %s", *key, error)
            status = "invalid"
    if status == OK and (
        set(values) != {m.name for m in spec.metrics} or not all(map(_finite, values.values()))
    ):
        LOG.warning("%s %s view %d: scores %s", spec.id, item.object_id, item.view, values)
        status = "invalid"
    return [
        Score(
            spec.id,
            item.object_id,
            item.view,
            metric.name,
            float(values[metric.name]) if status == OK else metric.penalty,
            status,
        )
        for metric in spec.metrics
    ]


def _try(
    scorer: Callable[..., dict[str, float]],
    prediction: Prediction,
    truth: Truth,
    key: tuple[str, int],
    settings: dict[str, Any],
) -> tuple[str, dict[str, float]]:
    try:
        return OK, scorer(prediction, truth, key, settings)
    except Unscorable as error:
        LOG.info("%s view %d: %s (%s)", *key, error.status, error)
        return error.status, {}
    except (NotAccepted, KernelError, *MACHINE_ERRORS):
        raise
    except Exception as error:  # noqa: BLE001 - one object must not end the run
        LOG.error("%s view %d: %s", *key, "".join(traceback.format_exception(error)))
        return "invalid", {}


def _finite(value: float) -> bool:
    return value == value and value not in (float("inf"), float("-inf"))


def score_shard(
    jobs: Sequence[ScoringJob],
    shard: Shard,
    store: Store,
    truths: TruthSource,
    place: Callable[[str], Path],
    tick: Callable[[int], None] = lambda count: None,
    refused: Callable[[ScoringJob], None] = lambda job: None,
) -> list[ScoringJob]:
    """Scores one shard into a CSV a protocol; a CSV that is there for the same inputs is kept.

    An item is scored under all protocols in turn, so that those of the same samples share them, and
    several items at once where there are several threads.

    Args:
        jobs: Protocols, on one data set.
        shard: The predictions.
        store: The data set.
        truths: Of the same store.
        place: From a protocol's id to its CSV.
        tick: Called with the number of scores after each item.
        refused: Called at each item of a kind that a protocol does not take.

    Returns:
        The jobs that were done now; the others were there.
    """
    todo = [job for job in jobs if not job.has_scored(shard, place(job.spec.id))]
    scores: dict[str, list[Score]] = {job.spec.id: [] for job in todo}

    def calls() -> Iterator[Callable[[], list[list[Score]]]]:
        for n, (object_id, view) in enumerate(shard.keys):
            looking = [job for job in todo if job.spec.looks_at(view)]
            if looking:
                item, truth = shard.item(n), truths[store.index_of(object_id)]
                yield partial(_score_all, looking, item, truth, shard.threshold, refused)

    for found in side_by_side(calls()):
        tick(len(found))
        for lines in found:
            scores[lines[0].protocol] += lines
    for job in todo:
        note = job.shard_note(shard.content, shard.threshold)
        write_scores(place(job.spec.id), scores[job.spec.id], note)
    return todo


def _score_all(
    jobs: Sequence[ScoringJob],
    item: Item,
    truth: Truth,
    threshold: float,
    refused: Callable[[ScoringJob], None],
) -> list[list[Score]]:
    memory = Memory()
    return [
        score_item(
            job.spec,
            load_scorer(job.spec),
            item,
            truth,
            job.settings(threshold, memory),
            partial(refused, job),
        )
        for job in jobs
    ]


def check_accepted(job: ScoringJob, shards: Iterable[Path], store: Store) -> None:
    """Looks for one prediction of a kind that the protocol takes; the number is thrown away.

    A protocol that takes nothing of what a method makes is told before hours of work, not after.
    One item of a wrong kind among others is no reason to stop: it is counted as "invalid".

    Args:
        job: Protocol and data set.
        shards: Files of predictions; read until one is taken.
        store: The data set.

    Raises:
        NotAccepted: There are predictions and none of them is taken; the first one is named.
    """
    scorer = load_scorer(job.spec)
    truths = TruthSource(store)
    first: tuple[NotAccepted, Item] | None = None
    for path in shards:
        with Shard(path) as shard:
            for n, (object_id, view) in enumerate(shard.keys):
                if shard.kinds[n] == "" or not job.spec.looks_at(view):
                    continue
                item, truth = shard.item(n), truths[store.index_of(object_id)]
                assert item.prediction is not None
                settings = job.settings(shard.threshold)
                try:
                    _try(scorer, item.prediction, truth, (object_id, view), settings)
                except NotAccepted as error:
                    first = first or (error, item)
                    continue
                return
    if first is not None:
        refusal, item = first
        raise NotAccepted(
            f"{refusal}; none of the predictions is taken, the first is '{item.object_id}' "
            f"view {item.view}",
            hint=refusal.hint,
        )
