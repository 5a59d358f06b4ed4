"""Do the methods keep their order from protocol to protocol?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchbench.core.errors import MissingError
from benchbench.protocols.specs import MetricSpec, ProtocolSpec
from benchbench.report.objects import ObjectFiles
from benchbench.report.results import HINT, Result
from benchbench.report.sheets import Cell, Heading, Sheet, bounded
from benchbench.report.tables import Row, Table
from benchbench.report.uncertainty import arranged
from benchbench.statistics.intervals import Interval
from benchbench.statistics.ranks import kendall_tau, rank_frequencies, ranks, tau_interval
from benchbench.statistics.resampling import resample
from benchbench.statistics.sample import Array

Place = tuple[Any, ...]


@dataclass
class Order:
    """The methods under one metric; more is better in both arrays, whatever the metric.

    Attributes:
        spec, metric: What was measured.
        rows: The methods that compete, by the path of their result.
        means: (K,) over classes.
        resampled: (B, K) of these, None where scores of objects are absent.
    """

    spec: ProtocolSpec
    metric: MetricSpec
    rows: dict[str, Row]
    means: Array
    resampled: Array | None

    @property
    def name(self) -> str:
        """As typed after --metric."""
        return f"{self.spec.id}:{self.metric.name}"


@dataclass
class Group:
    """Orders of methods that looked at the same objects and views.

    Attributes:
        caption: What they are of.
        orders: One per metric.
    """

    caption: str
    orders: list[Order] = field(default_factory=list)


def order_sheets(tables: Sequence[Table], files: ObjectFiles) -> list[Sheet]:
    """For every data set, split and views: the ranks, and tau between the metrics.

    Args:
        tables: Of any metrics.
        files: Reads the scores of objects.

    Raises:
        MissingError: Nowhere do two methods compete under two metrics.
    """
    groups: dict[Place, Group] = {}
    for table in tables:
        for place, rows in _places(table).items():
            if len(rows) > 1:
                d = table.dataset
                words = f"{d['id']}@{d['identity'][:8]}, split {d['split']}@{d['split_hash'][:8]}"
                group = groups.setdefault(place, Group(f"{words}, views {place[-1]}"))
                group.orders.append(_order(table, rows, files))
    sheets = []
    for group in groups.values():
        if len(group.orders) > 1:
            sheets += [_ranks_sheet(group), _tau_sheet(group)]
    if not sheets:
        raise MissingError(
            "an order needs two methods that were scored under two protocols each", hint=HINT
        )
    return sheets


def _places(table: Table) -> dict[Place, list[Row]]:
    """Rows that compete, by data set, split and views; methods without views join every place."""
    rows = [(table.rows[n], r) for n in table.rivals if (r := table.rows[n].result) is not None]
    kinds = list(dict.fromkeys(r.views for _, r in rows if r.views != "none")) or ["none"]
    return {
        (*rows[0][1].where, kind): [row for row, r in rows if r.views in (kind, "none")]
        for kind in kinds
        if rows
    }


def _order(table: Table, rows: list[Row], files: ObjectFiles) -> Order:
    sign = 1.0 if table.metric.higher_is_better else -1.0
    results: list[Result] = [row.result for row in rows if row.result is not None]
    scores = [files.of(result, table.protocol.id) for result in results]
    known = [one for one in scores if one is not None]
    resampled = None
    if len(known) == len(scores):
        sample = arranged(table, known)
        resampled = sign * resample(sample).mean(sample.per_class_weights())
    means = np.array([sign * row.mean_over_classes for row in rows])
    paths = {str(r.path): row for r, row in zip(results, rows, strict=True)}
    return Order(table.protocol, table.metric, paths, means, resampled)


def _ranks_sheet(group: Group) -> Sheet:
    paths = list(dict.fromkeys(path for order in group.orders for path in order.rows))
    labels = {path: row.label for order in group.orders for path, row in order.rows.items()}
    found = {order.name: _ranks(order) for order in group.orders}
    rows: list[tuple[str, list[Cell]]] = []
    records: list[dict[str, Any]] = []
    for path in paths:
        cells, places = [], {}
        for order in group.orders:
            one = found[order.name].get(path)
            cells.append(Cell("-" if one is None else _words(one)))
            if one is not None:
                places[order.name] = {
                    "rank": one[0], "frequencies": one[1],
                    "failed": order.rows[path].failed,
                    "mean_over_classes": order.rows[path].mean_over_classes,
                }  # fmt: skip
        failed = max(order.rows[path].failed for order in group.orders if path in order.rows)
        rows.append((labels[path], [*cells, Cell(str(failed))]))
        records.append({"method": labels[path], "run": path, "ranks": places})
    caption = ["ranks of the methods by the mean over classes, under every metric", group.caption]
    lines = [
        {"method": r["method"], "metric": name, "rank": one["rank"], "failed": one["failed"],
         "mean_over_classes": one["mean_over_classes"],
         **{f"share of rank {n + 1}": s for n, s in enumerate(one["frequencies"] or ())}}
        for r in records for name, one in r["ranks"].items()
    ]  # fmt: skip
    headings = [*(Heading(str(n + 1)) for n in range(len(group.orders))), Heading("failed")]
    legend = ["in brackets: share of 1,999 bootstrap resamples in which the method has that rank"]
    legend += [f"{n + 1}: {order.name}" for n, order in enumerate(group.orders)]
    return Sheet(
        "ranks", caption, "rank", "", headings, rows, legend, [],
        {"caption": caption, "methods": records}, lines,
    )  # fmt: skip


def _ranks(order: Order) -> dict[str, tuple[int, list[float] | None]]:
    """{path: (rank, share of each rank in the resamples)}."""
    own = ranks(order.means, True)
    shares = None if order.resampled is None else rank_frequencies(order.resampled, True)
    return {
        path: (int(own[k]), None if shares is None else [round(float(s), 4) for s in shares[k]])
        for k, path in enumerate(order.rows)
    }


def _words(one: tuple[int, list[float] | None]) -> str:
    rank, shares = one
    return str(rank) if shares is None else f"{rank} ({100 * shares[rank - 1]:.0f} %)"


def _tau_sheet(group: Group) -> Sheet:
    rows, records, lines = [], [], []
    for n, first in enumerate(group.orders):
        cells = []
        for m, second in enumerate(group.orders):
            tau, bounds, methods = _tau(first, second)
            if second is first:
                cells.append(Cell("1"))
                continue
            cells.append(bounded(tau, bounds, 2) if tau is not None else Cell("-"))
            if m > n:
                record = {"first": first.name, "second": second.name, "methods": methods}
                low, high = bounds or (None, None)
                records.append({**record, "tau": tau, "interval": bounds})
                lines.append({**record, "tau": tau, "tau low": low, "tau high": high})
        rows.append((f"{n + 1} {first.name}", cells))
    caption = ["Kendall's tau-b between the orders of the methods: 1 the same, -1 the reverse",
               group.caption]  # fmt: skip
    counts = sorted({str(r["methods"]) for r in records}, key=int)
    legend = [
        f"of {' or '.join(counts)} methods that both have; from, to: what 95 % of 1,999 bootstrap "
        "resamples give",
        "few methods give few possible values: 2 methods -1, 0 or 1",
    ]
    headings = [Heading(str(n + 1)) for n in range(len(group.orders))]
    return Sheet(
        "tau", caption, "tau", "", headings, rows, legend, [],
        {"caption": caption, "pairs": records}, lines,
    )  # fmt: skip


def _tau(first: Order, second: Order) -> tuple[float | None, Interval | None, int]:
    """Of the methods that both have."""
    shared = [path for path in first.rows if path in second.rows]
    if len(shared) < 2:
        return None, None, len(shared)
    one = [list(first.rows).index(path) for path in shared]
    two = [list(second.rows).index(path) for path in shared]
    tau = float(kendall_tau(first.means[one], second.means[two]))
    if first.resampled is None or second.resampled is None:
        return tau, None, len(shared)
    return tau, tau_interval(first.resampled[:, one], second.resampled[:, two]), len(shared)
