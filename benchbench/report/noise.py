"""`bench report --noise N`: what no progress moves, below the methods of a table.

The floor is the truth against itself, the ceiling the truth through the protocol's conversions,
the spread what other draws of the samplers change. All are computed here and now, on some objects
of each class, by the code that scores runs.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchbench.core.progress import Progress
from benchbench.datasets.store import Store
from benchbench.evaluation.aggregate import summarize
from benchbench.evaluation.folder import RunFolder
from benchbench.evaluation.noise import (
    FLOOR,
    SEEDS,
    THRESHOLD,
    Draws,
    Form,
    Values,
    forms,
    redrawn,
    some_objects,
    stored_items,
    truth_item,
)
from benchbench.evaluation.noise_files import kept
from benchbench.evaluation.predictions import Item
from benchbench.evaluation.rescore import open_for
from benchbench.evaluation.scoring import ScoringJob
from benchbench.protocols.specs import MetricSpec, ProtocolSpec
from benchbench.protocols.truth import NotAccepted
from benchbench.report.results import Result
from benchbench.report.sheets import Cell, Sheet, number
from benchbench.report.tables import OVER_CLASSES, OVER_OBJECTS, Row, Table

_WORDS = {"mesh": "meshes", "points": "points"}


@dataclass
class Noise:
    """Of one protocol on one selection of objects.

    Attributes:
        spec: The protocol.
        classes: (synset, name) of the data set.
        objects: Ids of those that were scored.
        most: Objects a class, as asked.
        forms: What the truth scores in each form, under the protocol's own seed.
        refused: Forms that the protocol does not take after all, and why.
        spread: Scores under every seed, None where there is nothing to draw anew.
        spread_of: Whose.
    """

    spec: ProtocolSpec
    classes: list[tuple[str, str]]
    objects: list[str]
    most: int
    forms: list[tuple[Form, Draws]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    spread: Draws | None = None
    spread_of: str = ""

    def means(self, values: Values, metric: MetricSpec) -> dict[str, float]:
        """Means by column, as reported."""
        found = summarize({metric.name: values[metric.name]}, self.classes)
        means = {s: row["metrics"][metric.name] for s, row in found["per_class"].items()}
        means[OVER_CLASSES] = found["mean_over_classes"][metric.name]
        means[OVER_OBJECTS] = found["mean_over_objects"][metric.name]
        return {column: value * metric.factor for column, value in means.items()}

    def deviations(self, metric: MetricSpec) -> dict[str, float]:
        """By column, the standard deviation over the seeds of the mean that the column shows."""
        if self.spread is None:
            return {}
        by_seed = [self.means(values, metric) for values in self.spread.values]
        return {c: statistics.stdev(means[c] for means in by_seed) for c in by_seed[0]}


class NoiseSource:
    """Computes, each data set opened once.

    Args:
        most: Objects a class.
        root: Folder of prepared data sets, where results are kept too.
        quiet: No progress on stderr.
    """

    def __init__(self, most: int, root: Path, quiet: bool = False) -> None:
        self.most, self.root, self.quiet = most, root, quiet
        self._stores: dict[tuple[Any, ...], Store] = {}
        self._known: dict[tuple[Any, ...], Noise] = {}

    def of(self, results: Sequence[Result], spec: ProtocolSpec) -> Noise:
        """The noise of a protocol on the objects of results that compare.

        Args:
            results: In order; the spread is that of the first whose predictions are at hand.
            spec: The protocol.

        Raises:
            MissingError: The data set is not prepared.
            CheckError: It is another one.
        """
        key = (spec.id, *results[0].where, *(str(r.path) for r in results))
        if key not in self._known:
            self._known[key] = self._compute(results, spec)
        return self._known[key]

    def _compute(self, results: Sequence[Result], spec: ProtocolSpec) -> Noise:
        content = results[0].content
        dataset, selection = content["dataset"], content["selection"]
        if results[0].where not in self._stores:
            self._stores[results[0].where] = open_for({"dataset": dataset}, self.root)
        store = self._stores[results[0].where]
        job = ScoringJob.on(spec, store)
        rows = some_objects(
            store, dataset["split"], selection["classes"], selection["limit"], self.most
        )
        objects = [store.object_ids[row] for row in rows]
        noise = Noise(spec, [(s, n) for s, n in dataset["classes"]], objects, self.most)

        def draws(items: Callable[[], Iterable[Item]], what: dict[str, Any], seeds: int) -> Draws:
            what = {"split": dataset["split_hash"], "threshold": THRESHOLD, **what}
            numbers = list(range(seeds))

            def make() -> Draws:
                total = len(objects) * seeds
                with Progress(f"noise of {spec.id}", total, "scores", self.quiet) as progress:
                    level = float(what["threshold"])
                    return redrawn(job, store, items(), numbers, level, progress.update)

            return kept(self.root, job, store, objects, numbers, what, make)

        def truth(kind: str, seeds: int) -> Draws:
            items = (truth_item(store, row, kind) for row in rows)
            return draws(lambda: items, {"truth": kind}, seeds)

        for form in forms(job, store):
            try:
                noise.forms.append((form, truth(form.kind, 1)))
            except NotAccepted as error:
                noise.refused.append(f"the truth as {words(form)}: {error}")
        for result in results:
            found = _predictions(result, job, objects)
            if found is None:
                continue
            items, level, digest = found
            what = {"predictions": digest, "threshold": level}
            try:
                noise.spread = draws(functools.partial(iter, items), what, SEEDS)
            except NotAccepted:
                continue
            noise.spread_of = f"the first view that {_name(result)} predicted"
            return noise
        if noise.forms:
            form = noise.forms[0][0]
            noise.spread = truth(form.kind, SEEDS)
            noise.spread_of = f"the truth as {words(form)}, since no predictions are at hand"
        return noise


def _predictions(
    result: Result, job: ScoringJob, objects: Sequence[str]
) -> tuple[list[Item], float, str] | None:
    hashes = result.content.get("hashes")
    wanted = hashes.get("predictions") if isinstance(hashes, dict) else None
    if result.path.name != "result.json" or not isinstance(wanted, str):
        return None
    found = stored_items(RunFolder(result.path.parent), wanted, job, objects)
    return None if found is None else (*found, wanted)


def _name(result: Result) -> str:
    return f"{result.baseline} {str(result.content['hash'])[:6]}"


def words(form: Form) -> str:
    """A form for people.

    Example:
        >>> words(Form("voxels:binvox", FLOOR))
        "voxels 'binvox'"
    """
    kind, _, grid = form.kind.partition(":")
    return f"voxels '{grid}'" if grid else _WORDS[kind]


def add_noise(tables: Sequence[Table], sheets: Sequence[Sheet], source: NoiseSource) -> None:
    """Adds rows below those of the methods.

    Args:
        tables: Of methods.
        sheets: Made of them, in the same order, perhaps with published rows; changed in place.
        source: Computes.

    Raises:
        MissingError: A data set is not prepared.
        CheckError: The prepared one is another one.
    """
    for table, sheet in zip(tables, sheets, strict=True):
        members = _in_order(table.rows)
        noise = source.of([r for r in members if r is not None], table.protocol)
        decimals = table.metric.decimals
        sheet.parts[len(sheet.rows)] = (
            f"bounds and noise, on {len(noise.objects)} of {table.objects} objects, at most "
            f"{noise.most} a class"
        )
        lines: list[tuple[str, dict[str, float], str, int]] = []
        for form, draws in noise.forms:
            means = noise.means(draws.values[0], table.metric)
            lines.append((f"[{form.role}] truth as {words(form)}", means, str(draws.failed),
                          decimals))  # fmt: skip
        spread = noise.deviations(table.metric)
        if spread:
            lines.append((f"[spread] over {SEEDS} seeds", spread, "-", decimals + 2))
        for label, values, failed, places in lines:
            cells = [Cell(number(values.get(c), places)) for c in table.columns]
            sheet.rows.append((label, [*cells, Cell(failed)]))
            sheet.lines.append(_line(table, label, values))
        sheet.legend += explained(noise)
        sheet.record["noise"] = record(noise, table.metric)


def _in_order(rows: Sequence[Row]) -> list[Result | None]:
    """Methods before those that are given the truth."""
    return [row.result for row in sorted(rows, key=lambda row: row.ceiling)]


def explained(noise: Noise) -> list[str]:
    """Lines below a table: what the rows are, of which objects, through which conversion."""
    found = [
        f"[floor], [ceiling], [spread]: of {len(noise.objects)} objects, at most {noise.most} a "
        "class by the hashes of their names, not of all"
    ]
    roles = [form.role for form, _ in noise.forms]
    if FLOOR in roles:
        found.append(
            "[floor]: the truth handed in as an answer in the form that the protocol compares, "
            "both sides drawn anew"
        )
    else:
        found.append("there is no [floor]: the protocol takes no form that the truth has")
    for form, _ in noise.forms:
        how = noise.spec.accepts[form.kind.partition(":")[0]]
        if form.role != FLOOR:
            found.append(
                f"[ceiling] truth as {words(form)}: as near as an answer of that form can come; "
                f"converted by: {how or 'nothing'}"
            )
    if noise.spread is not None:
        found.append(
            f"[spread]: standard deviation of the mean of each column over {SEEDS} seeds of the "
            f"samplers, one of them the protocol's own: {noise.spread_of}; a mean over k times as "
            "many objects varies sqrt(k) times less"
        )
    return [*found, *noise.refused]


def record(noise: Noise, metric: MetricSpec) -> dict[str, Any]:
    """Plain data for JSON."""
    return {
        "objects": noise.objects,
        "most_of_a_class": noise.most,
        "forms": [
            {
                "role": form.role,
                "truth_as": form.kind,
                "failed": draws.failed,
                "means": noise.means(draws.values[0], metric),
            }
            for form, draws in noise.forms
        ],
        "seeds": SEEDS,
        "standard_deviation": noise.deviations(metric) or None,
        "standard_deviation_of": noise.spread_of or None,
        "refused": noise.refused,
    }


def _line(table: Table, label: str, values: dict[str, float]) -> dict[str, Any]:
    names = {s: f"{s} {n}" for s, n in table.classes}
    names |= {c: c.replace(" ", "_") for c in (OVER_CLASSES, OVER_OBJECTS)}
    return {
        "method": label,
        "dataset": table.dataset["id"],
        "split": table.dataset["split"],
        "protocol": table.protocol.id,
        "metric": table.metric.name,
        "unit": table.metric.unit,
        **{name: values.get(column) for column, name in names.items()},
    }
