"""Which results stand in one table, and what its cells, caption and notes are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchbench.core.errors import CheckError, MissingError
from benchbench.protocols.registry import get_protocol, protocols, resolve_metric
from benchbench.protocols.specs import MetricSpec, ProtocolSpec
from benchbench.report.results import HINT, Result

OVER_CLASSES = "mean over classes"
OVER_OBJECTS = "mean over objects"
MEDIAN = "median over objects"


@dataclass
class Row:
    """One run in a table; values are as reported (after the reporting factor).

    Attributes:
        label: Short name, unique in the table.
        caption: Which weights, what the method was given.
        cells: By synset; None where the run has no object of the class.
        mean_over_classes: The macro mean.
        mean_over_objects: The micro mean.
        failed: Items that got the penalty.
        items: All items.
        complete: False for a run on a part of the split.
        ceiling: The method was given the truth: never marked as best.
        run: Folder or file.
        seen: Objects scored that made the method's weights: never marked as best.
        result: What the row was made of.
        bounds: Ends of the 95 % interval by column; None where there is none.
        median: Over objects, where the scores of objects are at hand.
    """

    label: str
    caption: str
    cells: dict[str, float | None]
    mean_over_classes: float
    mean_over_objects: float
    failed: int
    items: int
    complete: bool
    ceiling: bool
    run: str
    seen: int = 0
    result: Result | None = None
    bounds: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    median: float | None = None

    @property
    def trained(self) -> bool:
        """The method has weights; those that have none call theirs so."""
        hashes = self.result.content.get("hashes") if self.result else None
        return isinstance(hashes, dict) and hashes.get("weights") not in (None, "none")

    def origin(self) -> dict[str, Any]:
        """What the method was given, and which list of objects it was trained on, if known."""
        content = self.result.content if self.result else {}
        on: dict[str, Any] = next(
            (
                part["trained_on"]
                for part in (content.get("training"), content.get("about"))
                if isinstance(part, dict) and isinstance(part.get("trained_on"), dict)
            ),
            {},
        )
        objects, digest = on.get("objects"), on.get("sha256")
        known = isinstance(objects, int) and isinstance(digest, str)
        return {
            "given": str(content.get("baseline", {}).get("takes", "unknown")),
            "training_set": str(on.get("dataset")) if known else None,
            "training_objects": objects if known else None,
            "training_list": digest if known else None,
        }


@dataclass
class Table:
    """Rows that may be compared.

    Attributes:
        protocol: Of all rows.
        metric: Of all rows.
        dataset: The `dataset` part of the results.
        classes: (synset, name) of the columns.
        objects: Their number.
        views: In words.
        truth_grid: Kind of grid that stood for the truth, or None.
        rows: One per run.
        best: (row, column) pairs to be marked; column is a synset or the name of a mean.
        second: Those of the next best printed value.
        judged: How the best were found, in words.
        intervals: The rows have them.
        rough: Synsets whose interval is of too few units to be leant on.
    """

    protocol: ProtocolSpec
    metric: MetricSpec
    dataset: dict[str, Any]
    classes: list[tuple[str, str]]
    objects: int
    views: str
    truth_grid: str | None
    rows: list[Row]
    best: set[tuple[int, str]] = field(default_factory=set)
    second: set[tuple[int, str]] = field(default_factory=set)
    judged: str = "best of the methods that are not given the truth"
    intervals: bool = False
    rough: set[str] = field(default_factory=set)

    @property
    def columns(self) -> list[str]:
        """Synsets and names of means, in order."""
        middle = [MEDIAN] if self.intervals else []
        return [*(s for s, _ in self.classes), OVER_CLASSES, OVER_OBJECTS, *middle]

    @property
    def rivals(self) -> list[int]:
        """Rows that compete: neither given the truth nor trained on what is scored."""
        return [n for n, row in enumerate(self.rows) if not row.ceiling and not row.seen]

    @property
    def direction(self) -> str:
        """In words."""
        return "higher is better" if self.metric.higher_is_better else "lower is better"

    def _part(self) -> list[str]:
        whole = self.dataset.get("part_of")
        return [f"only a part of the {whole} objects of {self.dataset['id']}"] if whole else []

    def caption(self) -> list[str]:
        """Lines that say what the numbers mean."""
        p, m, d = self.protocol, self.metric, self.dataset
        factor = f", x{m.factor:g}" if m.factor != 1 and f"x{m.factor:g}" not in m.unit else ""
        truth = f"; truth: the set's '{self.truth_grid}' voxels" if self.truth_grid else ""
        if p.conversion_truth and self.truth_grid and p.truth == "voxels":
            truth += f", surface by {p.conversion_truth}"
        return [
            f"{m.title} ({p.id}:{m.name}), {self.direction}, in {m.unit}{factor}: {m.formula}",
            f"{d['id']}@{d['identity'][:8]}, split {d['split']} of {d['split_name']}"
            f"@{d['split_hash'][:8]}, {_count(self.objects, 'object')}, {self.views}{truth}",
            *self._part(),
        ]


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def build_tables(
    results: Sequence[Result],
    metric: str,
    *,
    dataset: str | None = None,
    split: str | None = None,
    partial: bool = False,
) -> tuple[list[Table], list[str]]:
    """One table per data set, split and views; results that do not compare never meet.

    Args:
        results: From `find_results`.
        metric: As typed: "iou", "chamfer", a protocol, or "protocol:metric".
        dataset: Only this one ("shapes13" also finds "shapes13-demo").
        split: Only this one.
        partial: Take runs on a part of the split too, each in a table of their own kind.

    Returns:
        Tables, and remarks about what was left out.

    Raises:
        UsageError: Unknown metric.
        MissingError: Nothing fits.
        CheckError: The runs that were named do not compare.
    """
    choices = resolve_metric(metric)
    fitting = chosen = [r for r in results if _fits(r, results, dataset, split)]
    left_out = []  # why, and what to do
    if not partial:
        left = [r for r in chosen if not r.content["complete"]]
        chosen = [r for r in chosen if r.content["complete"]]
        left_out += [
            (
                f"left out: '{r.path.parent}' is not complete "
                f"({'; '.join(r.content.get('incomplete_because', []))})",
                "--partial shows it",
            )
            for r in left
        ]
    scored = [(r, name) for r in chosen if (name := _protocol(r, choices)) is not None]
    wanted_protocols = " or ".join(p for p, _ in choices)
    left_out += [
        (
            f"left out: '{r.path.parent}' was not scored under {wanted_protocols}",
            _make_row(r, choices, metric),
        )
        for r in chosen
        if _protocol(r, choices) is None
    ]
    if not scored:
        raise MissingError(
            f"no result has the metric '{metric}'"
            + (f" on '{dataset}'" if dataset else "")
            + (f"; {left_out[0][0]}" if left_out else ""),
            hint=_hint_without_rows(fitting, chosen, choices, metric),
        )
    _refuse_mixture([(r, p) for r, p in scored if r.named], metric)
    groups: dict[tuple[Any, ...], list[Result]] = {}
    for result, name in scored:
        groups.setdefault((*result.where, name), []).append(result)
    tables = []
    for key, members in groups.items():
        spec = get_protocol(key[-1])
        wanted = next(m for p, m in choices if p == spec.id)
        for batch in _by_views(members, spec):
            tables.append(_table(batch, spec, spec.metric(wanted)))
    return tables, [f"{why}; {remedy}" for why, remedy in left_out]


def _make_row(result: Result, choices: Sequence[tuple[str, str]], metric: str) -> str:
    """What shows a run that was scored, but not under these protocols."""
    for name in result.content["protocols"]:
        spec = protocols().get(name)
        if spec is not None and metric in [m.name for m in spec.metrics]:
            return f"bench report --metric {name}:{metric}"  # of a set of points, say
    return f"bench score '{result.path.parent}' --protocol {choices[0][0]}"


def _hint_without_rows(
    fitting: Sequence[Result],
    chosen: Sequence[Result],
    choices: Sequence[tuple[str, str]],
    metric: str,
) -> str:
    """What to type when no run makes a row: what is nearest to one."""
    if chosen:
        return _make_row(chosen[0], choices, metric)
    if any(not r.content["complete"] and _protocol(r, choices) for r in fitting):
        return f"bench report --metric {metric} --partial"
    return HINT


def _fits(
    result: Result, results: Sequence[Result], dataset: str | None, split: str | None
) -> bool:
    found = result.content["dataset"]
    if split is not None and found["split"] != split:
        return False
    if dataset is None or found["id"] == dataset:
        return True
    # The name of a set also stands for its demo, where nothing else of that name is there.
    exact = any(r.content["dataset"]["id"] == dataset for r in results)
    return not exact and found["id"] == f"{dataset}-demo"


def _protocol(result: Result, choices: Sequence[tuple[str, str]]) -> str | None:
    scored = result.content["protocols"]
    return next(
        (p for p, m in choices if p in scored and m in scored[p]["mean_over_classes"]), None
    )


def _refuse_mixture(named: Sequence[tuple[Result, str]], metric: str) -> None:
    """Runs that were named one by one must fit into one table."""
    for kind, values, hint in (
        (
            "data sets or splits",
            {r.where: f"'{r.path.parent}' ({_place(r)})" for r, _ in named},
            f"bench report --metric {metric} --dataset {named[0][0].where[0]}" if named else "",
        ),
        (
            "protocols",
            {p: f"'{r.path.parent}' ({p})" for r, p in named},
            f"bench report --metric {named[0][1]} RUN..." if named else "",
        ),
    ):
        if len(values) > 1:
            raise CheckError(
                f"these runs are of different {kind} and never share a table: "
                + ", ".join(values.values()),
                hint=hint,
            )
    views = {_looked_at(r, get_protocol(p)): r for r, p in named if r.views != "none"}
    if len(views) > 1:
        raise CheckError(
            "these runs looked at different views and never share a table: "
            + ", ".join(f"'{r.path.parent}' ({v})" for v, r in views.items()),
            hint=f"bench report --metric {metric}, for a table each",
        )


def _place(result: Result) -> str:
    d = result.content["dataset"]
    part = f"{d['id']}@{d['identity'][:8]} {d['split']}@{d['split_hash'][:8]}"
    return part if result.content["complete"] else part + " in part"


def _by_views(members: Sequence[Result], spec: ProtocolSpec) -> list[list[Result]]:
    """Splits results by the views they looked at; those that look at none join every table."""
    kinds = list(dict.fromkeys(_looked_at(r, spec) for r in members if r.views != "none"))
    if not kinds:
        return [list(members)]
    return [
        [r for r in members if r.views == "none" or _looked_at(r, spec) == kind] for kind in kinds
    ]


def _looked_at(result: Result, spec: ProtocolSpec) -> str:
    """Which views count; under a protocol of the first one, only that of several single ones."""
    return "0" if spec.views == "first" and not _together(result) else result.views


def _together(result: Result) -> bool:
    """One prediction looked at several views."""
    return bool(result.content["selection"].get("together"))


def _table(members: Sequence[Result], spec: ProtocolSpec, metric: MetricSpec) -> Table:
    # The truth, if it was run, stands below the methods.
    members = sorted(
        members, key=lambda r: (r.content["baseline"].get("takes") == "truth", r.baseline, r.path)
    )
    rows = [_row(r, spec, metric) for r in members]
    _tell_apart(rows, members)
    first = members[0].content
    present = {s for r in members for s in r.content["protocols"][spec.id]["per_class"]}
    classes = [(s, n) for s, n in first["dataset"]["classes"] if s in present]
    looking = next((r for r in members if r.views != "none"), members[0])
    table = Table(
        spec,
        metric,
        first["dataset"],
        classes,
        max(int(r.content["protocols"][spec.id]["objects"]) for r in members),
        _views_in_words(looking, spec),
        first["protocols"][spec.id].get("truth_grid"),
        rows,
    )
    table.best = best_cells(table)
    table.second = second_cells(table)
    return table


def _views_in_words(result: Result, spec: ProtocolSpec) -> str:
    selection = result.content["selection"]
    if result.views == "none":
        return "no pictures"
    if _together(result):
        return f"views {result.views} of {selection['views_of_set']}"
    if spec.views == "first":
        return "view 0"
    if result.views == "all":
        return f"all {selection['views_of_set']} views"
    word = "view" if result.views.isdecimal() else "views"
    return f"{word} {result.views} of {selection['views_of_set']}"


def _row(result: Result, spec: ProtocolSpec, metric: MetricSpec) -> Row:
    summary = result.content["protocols"][spec.id]
    name, factor = metric.name, metric.factor
    return Row(
        label=result.baseline,
        caption=str(result.content["baseline"].get("caption", "")),
        cells={s: row["metrics"][name] * factor for s, row in summary["per_class"].items()},
        mean_over_classes=summary["mean_over_classes"][name] * factor,
        mean_over_objects=summary["mean_over_objects"][name] * factor,
        failed=int(summary["items"]) - int(summary["ok"]),
        items=int(summary["items"]),
        complete=bool(result.content["complete"]),
        ceiling=result.content["baseline"].get("takes") == "truth",
        run=str(result.path.parent if result.path.name == "result.json" else result.path),
        seen=_seen(result.content.get("training")),
        result=result,
    )


def _seen(training: Any) -> int:
    count = training.get("seen") if isinstance(training, dict) else 0
    return count if isinstance(count, int) else 0


def _tell_apart(rows: list[Row], members: Sequence[Result]) -> None:
    labels = [row.label for row in rows]
    for row, result in zip(rows, members, strict=True):
        if labels.count(row.label) > 1:
            row.label += f" {str(result.content['hash'])[:6]}"
        if not row.complete:
            row.label += " (part)"
        if row.seen:
            row.label += " (seen)"


def best_cells(table: Table) -> set[tuple[int, str]]:
    """Cells with the best printed value of their column, where at least two methods compete."""
    best: set[tuple[int, str]] = set()
    if len(table.rivals) < 2:
        return best
    for column in table.columns:
        best |= {(n, column) for n in best_printed(table, column, table.rivals)}
    return best


def second_cells(table: Table) -> set[tuple[int, str]]:
    """Cells with the best printed value among those that are not marked as best."""
    second: set[tuple[int, str]] = set()
    for column in dict.fromkeys(column for _, column in sorted(table.best)):
        others = [n for n in table.rivals if (n, column) not in table.best]
        second |= {(n, column) for n in best_printed(table, column, others)}
    return second


def best_printed(table: Table, column: str, rows: Sequence[int]) -> list[int]:
    """Those of the rows whose printed value is the best."""
    values = {
        n: round(value, table.metric.decimals)
        for n in rows
        if (value := cell(table.rows[n], column)) is not None
    }
    top = (max if table.metric.higher_is_better else min)(values.values(), default=None)
    return [n for n, value in values.items() if value == top]


def cell(row: Row, column: str) -> float | None:
    """Value of a column: a synset or the name of a mean."""
    if column == OVER_CLASSES:
        return row.mean_over_classes
    if column == OVER_OBJECTS:
        return row.mean_over_objects
    if column == MEDIAN:
        return row.median
    return row.cells.get(column)
