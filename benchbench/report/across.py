"""One prediction under every protocol that it was scored under, and why the numbers differ."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from benchbench.protocols.registry import protocols
from benchbench.protocols.specs import MetricSpec, ProtocolSpec
from benchbench.report.objects import ObjectFiles
from benchbench.report.results import Result
from benchbench.report.sheets import INTERVALS, LEGEND, Cell, Heading, Sheet, bounded, number
from benchbench.report.tables import OVER_CLASSES, OVER_OBJECTS
from benchbench.report.uncertainty import scaled
from benchbench.statistics.intervals import Interval, as_intervals, studentised
from benchbench.statistics.resampling import resample
from benchbench.statistics.sample import Sample

# The twelve fields of a protocol, then what the programs read of it.
FIELDS = (
    "data", "views_rule", "frame", "alignment", "compared", "sampling", "distance", "combination",
    "thresholds", "reporting", "averaging", "failures",
)  # fmt: skip
_CONVERSION = "conversion_truth"
_FAMILIES = ("iou", "chamfer", "fscore", "normals")


def differing(one: ProtocolSpec, other: ProtocolSpec) -> dict[str, tuple[str, str]]:
    """The fields in which two protocols differ: {field: (of one, of the other)}.

    Example:
        >>> from benchbench.protocols.registry import get_protocol
        >>> found = differing(get_protocol("kato-iou-v1"), get_protocol("bench-iou-v1"))
        >>> "frame" in found, "alignment" in found
        (True, False)
    """
    names = [*FIELDS, _CONVERSION]
    pairs = {name: (str(getattr(one, name)), str(getattr(other, name))) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def family(metric: MetricSpec) -> str:
    """Metrics of one family answer the same question.

    Example:
        >>> from benchbench.protocols.registry import get_protocol
        >>> family(get_protocol("dibr-chamfer-v1").metrics[1])
        'fscore'
        >>> family(get_protocol("onet-mesh-v1").metric("chamfer_l1"))
        'chamfer'
    """
    name = metric.name.partition("@")[0]
    return next((word for word in _FAMILIES if word in name.split("_")), name)


def across_sheet(result: Result, files: ObjectFiles) -> Sheet:
    """All metrics of all protocols of a result, those of a family together.

    The first protocol of a family is what the others are compared with.

    Args:
        result: The run.
        files: Reads the scores of objects.
    """
    known = protocols()
    scored = [known[name] for name in known if name in result.content["protocols"]]
    families: dict[str, list[tuple[ProtocolSpec, MetricSpec]]] = {}
    for spec in scored:
        there = result.content["protocols"][spec.id]["mean_over_classes"]
        for metric in (m for m in spec.metrics if m.name in there):
            families.setdefault(family(metric), []).append((spec, metric))
    headings = [Heading("classes", "mean over"), Heading("objects", "mean over")]
    headings += [Heading("objects"), Heading("failed")]
    headings += [Heading(text, words=True) for text in ("better", "unit", "differs in")]
    rows: list[tuple[str, list[Cell]]] = []
    records: list[dict[str, Any]] = []
    for name, members in families.items():
        first = members[0][0]
        for spec, metric in members:
            bounds = _bounds(result, spec, metric, files)
            cells = _cells(result, spec, metric, bounds)
            fields = [field.replace("_", " ") for field in differing(spec, first)]
            cells.append(Cell(", ".join(fields) or "-"))
            rows.append((f"{spec.id}:{metric.name}", cells))
            records.append(_record(result, spec, metric, bounds, name, first))
    d = result.content["dataset"]
    views = "no pictures" if result.views == "none" else f"views {result.views}"
    caption = [
        f"{result.baseline} under {len(scored)} protocols: the same predictions "
        f"({str(result.content['hash'])[:8]}), different questions",
        f"{d['id']}@{d['identity'][:8]}, split {d['split']} of {d['split_name']}"
        f"@{d['split_hash'][:8]}, {views}",
    ]
    unknown = [name for name in result.content["protocols"] if name not in known]
    notes = _reasons(families)
    notes += [f"{name}: this version does not know it" for name in unknown]
    notes += _absent(result, [known[name] for name in known if known[name] not in scored])
    legend = [LEGEND, "nothing here compares with a row above or below it: see the reasons"]
    if any(c.low for _, cells in rows for c in cells):
        legend.append(INTERVALS)
    record = {"run": str(result.path.parent), "caption": caption, "rows": records}
    return Sheet(
        "across", caption, "one prediction", "", headings, rows, legend, notes, record,
        [_line(r) for r in records],
    )  # fmt: skip


def _absent(result: Result, specs: Sequence[ProtocolSpec]) -> list[str]:
    """Which protocols have not scored the run, and why or by which command they would."""
    of_points = [s.id for s in specs if set(s.accepts) == {"points"}]
    seen = result.views in ("all", "none")
    blind = [s.id for s in specs if s.views == "all" and not seen and s.id not in of_points]
    rest = [s.id for s in specs if s.id not in [*blind, *of_points]]
    notes = []
    if blind:
        notes.append(
            f"not here: {', '.join(blind)}: means over all views; these predictions are of "
            f"views {result.views}"
        )
    if of_points:
        notes.append(f"not here: {', '.join(of_points)}: of methods that predict points")
    if rest:
        words = " ".join(f"--protocol {name}" for name in rest)
        notes.append(f"not scored: {', '.join(rest)}")
        notes.append(f"  bench score {shlex.quote(str(result.path.parent))} {words}")
    return notes


def _bounds(
    result: Result, spec: ProtocolSpec, metric: MetricSpec, files: ObjectFiles
) -> dict[str, Interval | None]:
    scores = files.of(result, spec.id)
    if scores is None:
        return {}
    sample = Sample.of([scores.values[metric.name]], scores.units)
    resamples = resample(sample)
    found = {}
    for column, weights in (
        (OVER_CLASSES, sample.per_class_weights()),
        (OVER_OBJECTS, sample.per_object_weights()),
    ):
        (ends,) = as_intervals(*studentised(sample, resamples, weights))
        found[column] = scaled(ends, metric.factor)
    return found


def _cells(
    result: Result, spec: ProtocolSpec, metric: MetricSpec, bounds: dict[str, Interval | None]
) -> list[Cell]:
    summary = result.content["protocols"][spec.id]
    values = [
        (OVER_CLASSES, summary["mean_over_classes"][metric.name]),
        (OVER_OBJECTS, summary["mean_over_objects"][metric.name]),
    ]
    cells = [bounded(v * metric.factor, bounds.get(c), metric.decimals) for c, v in values]
    failed = int(summary["items"]) - int(summary["ok"])
    cells += [Cell(number(float(summary["objects"]), 0)), Cell(str(failed))]
    return [*cells, Cell("higher" if metric.higher_is_better else "lower"), Cell(metric.unit)]


def _reasons(families: dict[str, list[tuple[ProtocolSpec, MetricSpec]]]) -> list[str]:
    """For every protocol after the first of its family: the fields that differ, in its words."""
    notes: list[str] = []
    told: set[tuple[str, str]] = set()
    for members in families.values():
        first = members[0][0]
        for spec, _ in members:
            if spec is first or (spec.id, first.id) in told:
                continue
            told.add((spec.id, first.id))
            notes.append(f"{spec.id} differs from {first.id} in")
            notes += [
                f"  {name.replace('_', ' ')}: {ours or 'none'}  (there: {theirs or 'none'})"
                for name, (ours, theirs) in differing(spec, first).items()
            ]
    return notes


def _record(
    result: Result,
    spec: ProtocolSpec,
    metric: MetricSpec,
    bounds: dict[str, Interval | None],
    name: str,
    first: ProtocolSpec,
) -> dict[str, Any]:
    summary = result.content["protocols"][spec.id]
    return {
        "protocol": spec.id,
        "metric": metric.name,
        "family": name,
        "unit": metric.unit,
        "higher_is_better": metric.higher_is_better,
        "mean_over_classes": summary["mean_over_classes"][metric.name] * metric.factor,
        "mean_over_objects": summary["mean_over_objects"][metric.name] * metric.factor,
        "intervals": {c: bounds.get(c) for c in (OVER_CLASSES, OVER_OBJECTS)},
        "objects": summary["objects"],
        "items": summary["items"],
        "failed": int(summary["items"]) - int(summary["ok"]),
        "compared_with": None if spec is first else first.id,
        "differs_in": {k: {"here": a, "there": b} for k, (a, b) in differing(spec, first).items()},
    }


def _line(record: dict[str, Any]) -> dict[str, Any]:
    line = {k: v for k, v in record.items() if not isinstance(v, dict)}
    for column, ends in record["intervals"].items():
        low, high = ends or (None, None)
        name = column.replace(" ", "_")
        line |= {f"{name} low": low, f"{name} high": high}
    return {**line, "differs_in": ", ".join(record["differs_in"])}
