"""Best, median and worst objects of a class: what was shown, what was made of it, and the truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchbench.baselines.truth import true_shape
from benchbench.core.errors import BenchError
from benchbench.core.files import read_json
from benchbench.core.types import Mesh, Points, Prediction
from benchbench.datasets.pictures import encode_png
from benchbench.datasets.store import open_dataset
from benchbench.evaluation.folder import RunFolder
from benchbench.evaluation.predictions import Shard
from benchbench.evaluation.rescore import open_for
from benchbench.evaluation.stored import prediction_places
from benchbench.leaderboards.measured import Measured
from benchbench.reconstruction.shapes import as_mesh
from benchbench.reconstruction.sheet import SIDE, Picture, shown
from benchbench.reconstruction.views import BLUE, OTHER_SIDE, WHITE, Seat, draw_shape
from benchbench.report.choice import Choice

PARTS = "the picture, the prediction and the truth from there, both from another side"


def find_runs(places: Sequence[Path]) -> dict[str, Path]:
    """Run folders with predictions by the hash of their run, the first of each."""
    found: dict[str, Path] = {}
    for place in places:
        for config in sorted(place.rglob("config.json")):
            if (config.parent / "predictions").is_dir():
                try:
                    found.setdefault(str(read_json(config)["hash"]), config.parent)
                except (BenchError, KeyError, TypeError):
                    continue
    return found


@dataclass(frozen=True)
class Drawn:
    """An object, drawn and as data.

    Attributes:
        choice: Which.
        png: Five parts in a row: `PARTS`.
        azimuth: Degrees, of the side from which the first parts look.
        prediction: Its surface, None where there is none to draw.
        truth: Its surface.
    """

    choice: Choice
    png: bytes
    azimuth: float
    prediction: Mesh | None
    truth: Mesh | None


def draw_objects(
    one: Measured, run: Path, root: Path, choices: Sequence[Choice]
) -> Iterator[Drawn]:
    """Draws objects of a run.

    Args:
        one: The result.
        run: Its folder.
        root: Folder of prepared data sets.
        choices: Which objects.

    Raises:
        BenchError: The data set is not prepared, or is another; the predictions are damaged, or
            others than the result's.
    """
    folder = RunFolder(run)
    store = open_for(folder.read_config(), root)
    rendering = one.content["selection"].get("rendering")
    try:
        places: dict[str, tuple[Path, int]] = {}  # of the first view of each object
        for (object_id, _), place in prediction_places(
            folder, one.content["hashes"]["predictions"]
        ).items():
            places.setdefault(object_id, place)
        for choice in choices:
            shard, n = places[choice.object_id]
            with Shard(shard) as opened:
                item, threshold = opened.item(n), opened.threshold
            row, view = store.index_of(choice.object_id), max(item.view, 0)
            seen = None
            if rendering is not None and store.mode(rendering) != "depth":
                seen = shown(store.image(row, view, rendering))
            shape = item.prediction
            seat = Seat.of(store, row, view, rendering or next(iter(store.renderings), None))
            strip = _strip(seen, shape, true_shape(store, row), seat, threshold)
            # `shape_script` takes the angle as Kato's frame counts it, which is a mirror image.
            yield Drawn(choice, strip, -seat.azimuth, _mesh(shape, threshold), store.mesh(row))
    finally:
        store.close()


def _strip(
    seen: Picture | None,
    made: Prediction | None,
    truth: Prediction | None,
    seat: Seat,
    threshold: float,
) -> bytes:
    parts: list[Picture | None] = [seen]
    for place in (seat, seat.turned(OTHER_SIDE)):
        for shape, colour in ((made, WHITE), (truth, BLUE)):
            drawn = None if shape is None else draw_shape(shape, place, SIDE, colour, threshold)
            parts.append(drawn)
    blank: Picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    return encode_png(np.concatenate([blank if p is None else p for p in parts], axis=1))


def _mesh(prediction: Prediction | None, threshold: float) -> Mesh | None:
    if prediction is None or isinstance(prediction, Points):
        return None
    try:
        return as_mesh(prediction, threshold)
    except BenchError:
        return None


def is_prepared(one: Measured, root: Path) -> str | None:
    """Why its objects cannot be drawn, or None."""
    dataset = one.content["dataset"]
    try:
        store = open_dataset(dataset["id"], root, dataset["split_name"])
    except BenchError as error:
        return str(error)
    with_same = store.identity == dataset["identity"]
    store.close()
    return None if with_same else f"the prepared '{dataset['id']}' is another"
