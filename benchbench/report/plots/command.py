"""`bench report --plot`: which picture of which tables, and the file that it goes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbench.core.errors import UsageError
from benchbench.core.files import atomic_path
from benchbench.protocols.registry import resolve_metric
from benchbench.report.objects import ObjectFiles
from benchbench.report.plots.figure import ENDINGS, check_ending, check_installed, encode, style
from benchbench.report.results import Result
from benchbench.report.tables import Table
from benchbench.report.uncertainty import add_uncertainty

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("bars", "distribution", "scatter", "gallery")
_DEFAULT = ("iou", "chamfer")


@dataclass(frozen=True)
class Request:
    """A picture that was asked for.

    Attributes:
        kind: One of `KINDS`.
        output: The file.
        metrics: As typed; none for the first of the default ones that there is.
        root: Folder of prepared data sets, for a gallery.
        count: Of a gallery: so many worst, median and best objects; None for one of each class.
    """

    kind: str
    output: Path
    metrics: tuple[str, ...]
    root: Path
    count: int | None = None

    @property
    def ending(self) -> str:
        """Of the file's name, in small letters."""
        return check_ending(self.output, _endings(self.kind))


def check_request(
    kind: str,
    output: Path | None,
    form: str,
    metrics: Sequence[str],
    root: Path,
    count: int | None = None,
) -> Request:
    """What can be said before any file is read.

    Args:
        kind: One of `KINDS`.
        output: Where the picture shall go.
        form: Form of tables that was asked for.
        metrics: As typed.
        root: Folder of prepared data sets.
        count: Objects of a gallery.

    Raises:
        UsageError: No file, a file of another kind, a form of tables, or too many metrics.
        MissingError: matplotlib is not installed.
    """
    end = _endings(kind)[0]
    if output is None:
        raise UsageError(
            f"--plot {kind} needs a file to write",
            hint=f"bench report --plot {kind} -o {kind}{end}",
        )
    if form != "table":
        raise UsageError(
            f"--format {form} is a form of tables, --plot {kind} writes a picture",
            hint=f"one command for each; -o {kind}{end} says the picture's form",
        )
    if count is not None and kind != "gallery":
        raise UsageError(
            f"--count is of a gallery's objects, not of --plot {kind}",
            hint=f"bench report --plot gallery --count {count} -o gallery.png",
        )
    wanted = 2 if kind == "scatter" else 1
    distinct = tuple(dict.fromkeys(metrics))
    if kind == "scatter" and not distinct:
        distinct = _DEFAULT
    if distinct and len(distinct) != wanted:
        raise UsageError(
            f"--plot {kind} shows {('one metric', 'one metric against another')[wanted - 1]}, not "
            f"{len(distinct)}: {', '.join(distinct)}",
            hint=f"bench report --plot {kind} --metric "
            f"{' --metric '.join(_DEFAULT[:wanted])} -o {output}",
        )
    if kind == "scatter" and set.intersection(*(set(resolve_metric(m)) for m in distinct)):
        raise UsageError(
            f"{' and '.join(distinct)} are one metric, --plot scatter shows two",
            hint=f"bench report --plot scatter --metric iou --metric chamfer -o {output}",
        )
    request = Request(kind, output, distinct, root, count)
    _ = request.ending
    if kind != "gallery":
        check_installed()
    return request


def _endings(kind: str) -> tuple[str, ...]:
    """A gallery is made of pixels."""
    return (".png",) if kind == "gallery" else ENDINGS


def draw_plot(
    request: Request, tables: Sequence[Table], files: ObjectFiles, results: Sequence[Result]
) -> dict[str, Any]:
    """Draws a picture of tables and writes it.

    Args:
        request: From `check_request`.
        tables: Of its metrics, or of the default ones.
        files: Reads the scores of objects.
        results: In the order in which they were named.

    Returns:
        What was drawn, as plain data.

    Raises:
        UsageError: The tables are more than a picture shows.
    """
    chosen = _chosen(tables, request.metrics)
    if request.kind == "gallery":
        from benchbench.report.plots.gallery import gallery

        data, drawn = gallery(chosen[0], files, results, request.root, request.count)
    else:
        with style():
            figure, drawn = _figure(request.kind, chosen, files)
            data = encode(figure, request.ending)
    write_picture(request.output, data)
    return {
        "plot": request.kind,
        "file": str(request.output),
        "metrics": [f"{t.protocol.id}:{t.metric.name}" for t in chosen],
        "caption": list(dict.fromkeys(line for t in chosen for line in t.caption())),
        "drawn": drawn,
    }


def _figure(
    kind: str, tables: Sequence[Table], files: ObjectFiles
) -> tuple[Figure, list[dict[str, Any]]]:
    if kind == "scatter":
        from benchbench.report.plots.scatter import scatter

        return scatter(tables[0], tables[1], files)
    if kind == "distribution":
        from benchbench.report.plots.distribution import distribution

        return distribution(tables[0], files)
    from benchbench.report.plots.bars import bars

    add_uncertainty(tables[0], files, intervals=True)
    return bars(tables[0])


def write_picture(path: Path, data: bytes) -> None:
    """Writes a file whole; a link stays a link."""
    with atomic_path(path.resolve()) as temporary:
        temporary.write_bytes(data)


def _chosen(tables: Sequence[Table], metrics: Sequence[str]) -> list[Table]:
    """The one table of each metric; of the default ones the first that there is."""
    chosen: list[Table] = []
    for metric in metrics or _DEFAULT:
        choices = resolve_metric(metric)
        found = [t for t in tables if (t.protocol.id, t.metric.name) in choices]
        if len(found) > 1:
            raise UsageError(
                "these runs make several tables, a picture shows one: "
                + "; ".join(f"{t.protocol.id} on {t.caption()[1]}" for t in found),
                hint="choose with --dataset, --split and a protocol as --metric, or name the runs",
            )
        chosen += found
        if found and not metrics:
            break
    return chosen
