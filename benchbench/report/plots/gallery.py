"""Worst, median and best objects: the input, each method's prediction and the truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchbench.baselines.truth import true_shape
from benchbench.core.errors import CheckError, MissingError
from benchbench.core.files import sha256_file
from benchbench.core.types import Prediction
from benchbench.datasets.shapes13.sheet import on_white
from benchbench.datasets.store import Store
from benchbench.evaluation.folder import RunFolder
from benchbench.evaluation.predictions import OK, Item, Shard
from benchbench.evaluation.rescore import open_for
from benchbench.evaluation.scores import Score, read_scores
from benchbench.evaluation.stored import prediction_places
from benchbench.reconstruction.views import (
    BLUE,
    OTHER_SIDE,
    WHITE,
    Colour,
    Picture,
    Seat,
    draw_shape,
)
from benchbench.report.choice import KINDS, Choice, choose
from benchbench.report.objects import ObjectFiles
from benchbench.report.plots.cards import Card, Panel, sheet
from benchbench.report.plots.figure import short
from benchbench.report.plots.scores import scored_objects
from benchbench.report.results import Result
from benchbench.report.sheets import number
from benchbench.report.tables import Row, Table

_WORST_FIRST = KINDS[::-1]
_SIDE, _SMALL, _MANY = 128, 96, 3  # pixels of a panel; smaller ones for more methods
_GIVEN = {"class": "no picture:\nthe class is given", "truth": "no picture:\nthe truth is given"}


@dataclass(frozen=True)
class Run:
    """A method's stored predictions and their scores.

    Attributes:
        row: In the table.
        content: Of its result, which was checked; nothing is asked of the files beside it.
        places: (shard, number) of each (object, view).
        scores: Of the objects that are shown, by (object, view).
    """

    row: Row
    content: dict[str, Any]
    places: dict[tuple[str, int], tuple[Path, int]]
    scores: dict[tuple[str, int], Score]

    def views(self, object_id: str) -> list[int]:
        """Views of an object that were scored, ascending."""
        return sorted(view for i, view in self.scores if i == object_id)

    def item(self, object_id: str, view: int) -> tuple[Item, float]:
        """A prediction and the threshold of its voxels."""
        path, n = self.places[object_id, view]
        with Shard(path) as shard:
            return shard.item(n), shard.threshold


def gallery(
    table: Table, files: ObjectFiles, results: Sequence[Result], root: Path, count: int | None
) -> tuple[bytes, list[dict[str, Any]]]:
    """Objects chosen by the scores of the first run, and what all runs made of them.

    Args:
        table: Of the metric to choose by.
        files: Reads the scores of objects.
        results: In the order in which they were named.
        root: Folder of prepared data sets.
        count: Worst, median and best objects of all classes, so many of each; None for one of
            each class.

    Returns:
        A PNG file, and what it shows.

    Raises:
        MissingError: There are no predictions, no scores of objects, or the data set is not
            prepared.
        CheckError: Predictions, scores or the data set are others than the result's.
    """
    scored = {table.rows[one.row].run: one for one in scored_objects(table, files)}
    places = [result.path for result in results]
    rows = sorted(
        (row for row in table.rows if row.run in scored and row.result is not None),
        key=lambda row: places.index(row.result.path),  # type: ignore[union-attr]
    )
    higher = table.metric.higher_is_better
    choices = choose(scored[rows[0].run].values, higher, count or 1, by_class=count is None)
    wanted = {choice.object_id for choice in choices}
    runs = [_run(row, table, wanted) for row in rows]
    store = open_for(runs[0].content, root)
    side = _SIDE if len(runs) <= _MANY else _SMALL
    try:
        found = [_card(choice, runs, store, table, side) for choice in choices]
    finally:
        store.close()
    where, row_names, column_names = _arranged(choices, table, by_class=count is None)
    cards = {place: card for place, (card, _) in zip(where, found, strict=True)}
    panels = ["input", *(run.row.label for run in runs), "truth"]
    note = [*table.caption(), _words(runs)]
    return sheet(cards, row_names, column_names, panels, note, side), [d for _, d in found]


def _words(runs: Sequence[Run]) -> str:
    several = any(len({view for _, view in run.scores}) > 1 for run in runs)
    view = "; of its views that with the score nearest to their mean" if several else ""
    chosen = f"objects chosen by the scores of {runs[0].row.label}; " if len(runs) > 1 else ""
    return (
        f"{chosen}below each prediction its score{view}. Upper row: from the camera of the input; "
        f"lower row: from there, turned by {OTHER_SIDE:g} degrees. Grey: predictions; blue: truth"
        f"{_other_inputs(runs)}"
    )


def _other_inputs(runs: Sequence[Run]) -> str:
    """Methods that looked at other pictures than those that are shown."""
    looked = {run.row.label: run.content["selection"].get("rendering") for run in runs}
    seen = {label: name for label, name in looked.items() if name is not None}
    if len(set(seen.values())) < 2:
        return ""
    return ". Pictures: " + ", ".join(f"{label} saw '{name}'" for label, name in seen.items())


def _arranged(
    choices: Sequence[Choice], table: Table, by_class: bool
) -> tuple[list[tuple[int, int]], list[str], list[str]]:
    """Places of the choices, and the headings of rows and columns."""
    kinds = [kind for kind in _WORST_FIRST if any(c.kind == kind for c in choices)]
    if by_class:
        classes = [(s, n) for s, n in table.classes if any(c.synset == s for c in choices)]
        order = [synset for synset, _ in classes]
        where = [(order.index(c.synset), kinds.index(c.kind)) for c in choices]
        return where, [short(name) for _, name in classes], kinds
    where, seen = [], dict.fromkeys(kinds, 0)
    for choice in choices:
        where.append((kinds.index(choice.kind), seen[choice.kind]))
        seen[choice.kind] += 1
    return where, kinds, [""] * max(seen.values())


def _run(row: Row, table: Table, wanted: set[str]) -> Run:
    result = row.result
    assert result is not None  # rows without were left out
    if result.path.name != "result.json":
        raise MissingError(
            f"'{result.path}' came without its predictions, so there is nothing to draw",
            hint="name a run folder: bench report RUN --plot gallery -o gallery.png",
        )
    folder = RunFolder(result.path.parent)
    hashes = result.content["hashes"]
    places = prediction_places(folder, str(hashes.get("predictions")))
    if not folder.scores.is_file() or sha256_file(folder.scores) != hashes.get("scores"):
        raise CheckError(
            f"'{folder.scores}' is not the one that '{result.path}' was written with",
            hint=f"bench score '{folder.path}', which writes both again",
        )
    scores = {
        (s.object_id, s.view): s
        for s in read_scores(folder.scores)
        if s.protocol == table.protocol.id
        and s.metric == table.metric.name
        and s.object_id in wanted
    }
    return Run(row, result.content, places, scores)


def _card(
    choice: Choice, runs: Sequence[Run], store: Store, table: Table, side: int
) -> tuple[Card, dict[str, Any]]:
    """The pictures of one object, and what they show."""
    object_id, index = choice.object_id, store.index_of(choice.object_id)
    lead = _lead(runs, object_id)
    view = _typical(lead, object_id)
    given, seat = _input(lead, store, index, view, side)
    seats = (seat, seat.turned(OTHER_SIDE))
    selection = lead.content["selection"]
    looked = f"view {view}" if view >= 0 else ""
    if selection.get("together"):
        looked = f"the first of views {selection['views']}"
    columns: list[tuple[Panel, ...]] = [
        (given, Panel(words=f"{object_id.partition('/')[2]}\n{looked}"))
    ]
    below, shown = [""], []
    for run in runs:
        views = run.views(object_id)
        own = view if view in views else views[0]
        item, threshold = run.item(object_id, own)
        columns.append(_panels(item.prediction, seats, side, WHITE, threshold, item.status))
        score = run.scores[object_id, own]
        value = score.value * table.metric.factor
        text = number(value, table.metric.decimals)
        below.append(text if score.status == OK else f"{text} (penalty)")
        shown.append({"method": run.row.label, "view": own, "value": value, "status": score.status})
    columns.append(_panels(true_shape(store, index), seats, side, BLUE))
    below.append("")
    rows = tuple(zip(*columns, strict=True))
    what = {"class": choice.synset, "kind": choice.kind, "object": object_id, "view": view}
    return Card(rows, tuple(below)), {**what, "mean": choice.value, "shown": shown}


def _lead(runs: Sequence[Run], object_id: str) -> Run:
    """The first run that looks at pictures of the object one by one, else the first one."""
    return next((run for run in runs if max(run.views(object_id), default=-1) >= 0), runs[0])


def _typical(run: Run, object_id: str) -> int:
    """The view whose score is nearest to the object's mean, the first of them."""
    views = run.views(object_id)
    values = np.array([run.scores[object_id, view].value for view in views])
    return views[int(np.argmin(np.abs(values - values.mean())))]


def _input(run: Run, store: Store, index: int, view: int, side: int) -> tuple[Panel, Seat]:
    """What the method was shown, and the camera that all shapes are drawn from."""
    selection = run.content["selection"]
    together = int(selection.get("together") or 0)
    rendering = selection.get("rendering")
    looked = rendering is not None and (view >= 0 or together > 0)
    if not looked:
        words = _GIVEN.get(str(run.content["baseline"].get("takes")), "no picture")
        rendering = store.renderings[0] if store.renderings else None
    number_of = max(view, 0)
    seat = Seat.of(store, index, number_of, rendering)
    if rendering is None or not looked:
        return Panel(words=words), seat
    if store.mode(rendering) == "depth":
        return Panel(words="a depth map"), seat
    picture = store.image(index, number_of, rendering)
    flat = picture[..., :3] if store.mode(rendering) == "rgb+mask" else on_white(picture)
    return Panel(_square(flat, side)), seat


def _square(picture: Picture, side: int) -> Picture:
    """A picture of any size in the middle of a white square."""
    from PIL import Image

    height, width = picture.shape[:2]
    most = max(height, width)
    canvas = np.full((most, most, 3), 255, np.uint8)
    top, left = (most - height) // 2, (most - width) // 2
    canvas[top : top + height, left : left + width] = picture
    return np.asarray(Image.fromarray(canvas).resize((side, side), Image.Resampling.BICUBIC))


def _panels(
    shape: Prediction | None,
    seats: Iterable[Seat],
    side: int,
    colour: Colour,
    threshold: float = 0.5,
    status: str = OK,
) -> tuple[Panel, ...]:
    if shape is None:
        words = (f"failed: {status}" if status != OK else "not at hand", "")
        return tuple(Panel(words=text) for text in words)
    drawn = [draw_shape(shape, seat, side, colour, threshold) for seat in seats]
    return tuple(Panel(one, "" if one is not None else "nothing to draw") for one in drawn)
