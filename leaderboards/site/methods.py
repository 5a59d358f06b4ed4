"""The page of a run: what it is, how to make it again, all its means, and objects to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchbench.core.errors import BenchError
from benchbench.evaluation.signature import signatures
from benchbench.leaderboards.measured import Measured
from benchbench.leaderboards.site.boards import Board
from benchbench.leaderboards.site.gallery import PARTS
from benchbench.leaderboards.site.markup import Markup, Piece, escape, page, tag
from benchbench.leaderboards.site.tables import (
    Cell,
    Column,
    Grid,
    Line,
    facts,
    number_cell,
    render,
)  # fmt: skip
from benchbench.protocols.specs import MetricSpec
from benchbench.report.choice import KINDS, Choice
from benchbench.report.tables import MEDIAN, OVER_CLASSES, OVER_OBJECTS, cell

_MEANS = (OVER_CLASSES, OVER_OBJECTS, MEDIAN)


@dataclass(frozen=True)
class Gallery:
    """Objects to look at.

    Attributes:
        metric: Which the choice was made by.
        protocol: Id.
        shown: What is shown, the names of the picture's file and of that with the shapes, or "".
        why_not: Why there are none, or "".
    """

    metric: MetricSpec
    protocol: str
    shown: Sequence[tuple[Choice, str, str]] = ()
    why_not: str = ""


def method_page(one: Measured, boards: Sequence[Board], gallery: Gallery) -> str:
    """The page of a run.

    Args:
        one: The result.
        boards: All measured tables; those with this run are linked.
        gallery: Objects to look at.
    """
    content = one.content
    baseline, dataset = content["baseline"], content["dataset"]
    return page(
        f"{one.method} on {dataset['id']}",
        tag("h1", f"{one.method} on {dataset['id']}, {dataset['split']}"),
        tag("p", baseline["title"]),
        tag("p", baseline["caption"]),
        tag("h2", "Make it again"),
        tag("pre", tag("code", content["leaderboard"]["command"])),
        tag("p", "What it must give is in ", tag("code", one.path.name), "; with the run's folder, "
            "bench score RUN --expect FILE computes every number again and compares."),
        tag("h2", "Numbers"),
        _numbers(one, boards),
        tag("h2", "Where it comes from"),
        _origin(one),
        tag("h2", "Signatures"),
        tag("p", "A line each, to be pasted into a paper; bench score --signature repeats it."),
        _signatures(one),
        tag("h2", "Objects"),
        _objects(dict(map(tuple, dataset["classes"])), gallery),
        scripts=("viewer.js",) if any(shapes for _, _, shapes in gallery.shown) else (),
    )  # fmt: skip


def _numbers(one: Measured, boards: Sequence[Board]) -> Markup:
    grid = Grid(f"means of {one.method}", "protocol and metric")
    grid.columns = [*(Column(name) for name in _MEANS), Column("unit")]
    for board in boards:
        for table in board.tables:
            for row in table.rows:
                if row.result is None or row.result.path != one.path:
                    continue
                words = f"{table.metric.title} ({board.spec.id}:{table.metric.name})"
                words += ", higher is better" if table.metric.higher_is_better else ", lower is"
                words += "" if table.metric.higher_is_better else " better"
                cells = [
                    number_cell(cell(row, name), table.metric.decimals, bounds=row.bounds.get(name))
                    for name in _MEANS
                ]
                unit = Cell(table.metric.unit, is_text=True)
                grid.lines.append(Line(tag("a", words, href=board.file), [*cells, unit]))
    return render(grid)


def _origin(one: Measured) -> Markup:
    content = one.content
    dataset, hashes, found = content["dataset"], content["hashes"], content["predictions"]
    training, about = content.get("training") or {}, content.get("about") or {}
    on = training.get("trained_on")
    failed = ", ".join(f"{n} {status}" for status, n in sorted(found["failed"].items()))
    code = [(f"hash of the {name}", tag("code", hashes[name]) if hashes.get(name) else "")
            for name in ("data", "weights", "predictions", "scores", "objects")]  # fmt: skip
    return facts(
        [
            ("data set", f"{dataset['title']} ({dataset['id']})"),
            ("split", f"{dataset['split']} of {dataset['split_name']}, "
                      f"{dataset['split_objects']} objects"),
            ("hash of the split", tag("code", dataset["split_hash"])),
            ("views", content["selection"]["views"]),
            ("is given", str(content["baseline"].get("takes", ""))),
            ("trained on", f"{on['objects']} objects of {on['dataset']}, list "
                           f"{on['sha256'][:12]}" if on else ""),
            ("learned from", about.get("supervision") or "unknown"),
            ("networks", about.get("networks") or "unknown"),
            ("parameters", "unknown" if about.get("parameters") is None
             else f"{about['parameters']:,}"),
            ("training", about.get("training_time") or "unknown"),
            ("objects scored that it was trained on",
             "unknown" if training.get("seen") is None else str(training["seen"])),
            ("predictions", f"{found['items']}, of which {found['ok']} are sound"
                            + (f" ({failed})" if failed else "")),
            ("seed", str(content["seeds"]["baseline"])),
            ("device", ", ".join(content["device"])),
            ("commit", tag("code", str(content.get("git_commit") or "unknown"))),
            ("versions", ", ".join(f"{name} {version}" for name, version
                                   in sorted(content["versions"].items()) if version)),
            ("hash of the run", tag("code", content["hash"])),
            *code,
        ]
    )  # fmt: skip


def _signatures(one: Measured) -> Piece:
    try:
        found = signatures(one.content)
    except (BenchError, KeyError):
        return tag("p", "none")
    return tag("pre", tag("code", "\n".join(str(line) for line, _ in found.values())))


def _objects(names: Mapping[str, str], gallery: Gallery) -> Piece:
    if gallery.why_not:
        return tag("p", f"No pictures: {gallery.why_not}.")
    metric = gallery.metric
    parts: list[Piece] = [
        tag("p", f"By {metric.title} ({gallery.protocol}:{metric.name}, mean over an object's "
                 f"views). From left to right: {PARTS}. The truth is blue.")
    ]  # fmt: skip
    classes = dict.fromkeys(choice.synset for choice, _, _ in gallery.shown)
    for synset in classes:
        name = names.get(synset, synset)
        parts.append(tag("h3", name, id=f"class-{synset}"))
        figures = [
            _figure(choice, file, shapes, name, metric)
            for kind in KINDS
            for choice, file, shapes in gallery.shown
            if (choice.synset, choice.kind) == (synset, kind)
        ]
        parts.append(tag("div", figures, class_="objects"))
    return escape(parts)


def _figure(choice: Choice, file: str, shapes: str, name: str, metric: MetricSpec) -> Markup:
    value = f"{choice.value * metric.factor:.{metric.decimals}f}"
    alt = f"{choice.kind} {name}: {PARTS}"
    return tag(
        "figure",
        tag("img", src=file, alt=alt, loading="lazy", width=480, height=96),
        tag("figcaption", tag("strong", f"{choice.kind} {value}"), " ", choice.object_id),
        data_mesh=shapes or None,
    )
