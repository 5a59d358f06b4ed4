"""`bench report --across RUN --noise N`: floor, spread and ceiling of every protocol."""

from __future__ import annotations

from benchbench.evaluation.noise import FLOOR, SEEDS
from benchbench.protocols.registry import get_protocol
from benchbench.report.noise import NoiseSource, record, words
from benchbench.report.results import Result
from benchbench.report.sheets import Cell, Heading, Sheet, number
from benchbench.report.tables import OVER_CLASSES

_GROUP = "on some objects"
_AFTER = 2  # the two means of the run


def add_noise_across(result: Result, sheet: Sheet, source: NoiseSource) -> None:
    """Adds columns behind the means of a run under all protocols.

    Args:
        result: The run.
        sheet: From `across_sheet`; changed in place.
        source: Computes.

    Raises:
        MissingError: The data set is not prepared.
        CheckError: The prepared one is another one.
    """
    sheet.headings[_AFTER:_AFTER] = [
        Heading("floor", _GROUP), Heading("spread", _GROUP), Heading("ceiling", _GROUP, words=True)
    ]  # fmt: skip
    objects, spread_of = 0, ""
    for (_, cells), row, line in zip(sheet.rows, sheet.record["rows"], sheet.lines, strict=True):
        spec = get_protocol(row["protocol"])
        metric = spec.metric(row["metric"])
        noise = source.of([result], spec)
        floors: list[tuple[float, str]] = []
        ceilings: list[tuple[float, str]] = []
        for form, draws in noise.forms:
            mean = noise.means(draws.values[0], metric)[OVER_CLASSES]
            (floors if form.role == FLOOR else ceilings).append((mean, words(form)))
        deviation = noise.deviations(metric).get(OVER_CLASSES)
        text = "; ".join(f"{number(m, metric.decimals)} ({w})" for m, w in ceilings)
        floor = floors[0][0] if floors else None
        cells[_AFTER:_AFTER] = [
            Cell(number(floor, metric.decimals)),
            Cell(number(deviation, metric.decimals + 2)),
            Cell(text or "-"),
        ]
        row["noise"] = record(noise, metric)
        line |= {"floor": floor, "spread": deviation, "ceiling": text}
        objects, spread_of = len(noise.objects), noise.spread_of or spread_of
    sheet.legend += [
        f"floor, spread, ceiling: of {objects} objects, at most {source.most} a class by the "
        "hashes of their names, not of all",
        "means over classes; floor: the truth handed in as an answer in the form that the "
        "protocol compares, both sides drawn anew; ceiling: in other forms, through the protocol's "
        "conversion",
        f"spread: standard deviation over {SEEDS} seeds of the samplers, one of them the "
        f"protocol's own: {spread_of}; a mean over k times as many objects varies sqrt(k) times "
        "less",
    ]
