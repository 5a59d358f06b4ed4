"""Best, median and worst objects of a class: what was shown, what was made of it, and the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchbench.core.errors import BenchError, CheckError
from benchbench.core.files import read_json, sha256_text
from benchbench.core.types import Mesh, Points, Prediction
from benchbench.datasets.pictures import encode_png
from benchbench.datasets.store import open_dataset
from benchbench.evaluation.folder import RunFolder
from benchbench.evaluation.predictions import Shard
from benchbench.evaluation.rescore import open_for
from benchbench.leaderboards.measured import Measured
from benchbench.reconstruction.shapes import as_mesh
from benchbench.reconstruction.sheet import SIDE, Picture, look, shown

KINDS = ("best", "median", "worst")
PARTS = "the picture, the prediction and the truth from there, both from another side"
_TURN = 120.0  # degrees to the other side
_KATO_STEP = -15.0  # degrees between Kato's views
_ASIDE = 30.0  # degrees, where the pictures' own angle is unknown
_TRUTH = (0.75, 0.85, 1.0)


@dataclass(frozen=True)
class Choice:
    """An object to be shown.

    Attributes:
        synset: Its class.
        kind: Of `KINDS`.
        object_id: "synset/name".
        value: Its score.
    """

    synset: str
    kind: str
    object_id: str
    value: float


def choose(values: Mapping[str, float], higher_is_better: bool, count: int) -> list[Choice]:
    """The best, median and worst objects of each class, each object once.

    Args:
        values: {object id: score}.
        higher_is_better: Direction.
        count: Of each kind, where a class has enough.

    Example:
        >>> scores = {"1/a": 0.9, "1/b": 0.1, "1/c": 0.5, "1/d": 0.4}
        >>> [(c.kind, c.object_id) for c in choose(scores, True, 1)]
        [('best', '1/a'), ('median', '1/c'), ('worst', '1/b')]
    """
    classes: dict[str, list[str]] = {}
    for object_id in sorted(values):
        classes.setdefault(object_id.partition("/")[0], []).append(object_id)
    found = []
    for synset, members in classes.items():
        ranked = sorted(members, key=lambda i: -values[i] if higher_is_better else values[i])
        each = min(count, max(1, len(ranked) // 3))
        best, rest = ranked[:each], ranked[each:]
        worst, rest = rest[-each:], rest[:-each]
        first = max(0, (len(rest) - each) // 2)
        for kind, some in zip(KINDS, (best, rest[first : first + each], worst[::-1]), strict=True):
            found += [Choice(synset, kind, i, values[i]) for i in some]
    return found


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
        places = _places(folder, one.content["hashes"]["predictions"])
        for choice in choices:
            shard, n = places[choice.object_id]
            with Shard(shard) as opened:
                item, threshold = opened.item(n), opened.threshold
            row, view = store.index_of(choice.object_id), max(item.view, 0)
            seen = None
            if rendering is not None and store.mode(rendering) != "depth":
                seen = shown(store.image(row, view, rendering))
            azimuth = _KATO_STEP * view if rendering == "kato" else _ASIDE
            made, truth = _mesh(item.prediction, threshold), store.mesh(row)
            yield Drawn(choice, _strip(seen, made, truth, azimuth), azimuth, made, truth)
    finally:
        store.close()


def _places(folder: RunFolder, expected: str) -> dict[str, tuple[Path, int]]:
    """Shard and number of the first view of each object.

    Raises:
        CheckError: The predictions are others than the result's.
    """
    found: dict[str, tuple[Path, int]] = {}
    contents = []
    for path in sorted(folder.predictions.glob("shard-*.h5")):
        with Shard(path) as shard:
            contents.append(shard.content)
            for n, (object_id, _) in enumerate(shard.keys):
                found.setdefault(object_id, (path, n))
    if sha256_text("\n".join(contents)) != expected:
        raise CheckError(f"'{folder.predictions}' holds other predictions than the result is of")
    return found


def _strip(seen: Picture | None, made: Mesh | None, truth: Mesh | None, azimuth: float) -> bytes:
    blank: Picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    parts = [blank if seen is None else seen]
    for angle in (azimuth, azimuth + _TURN):
        parts.append(blank if made is None else look(made, angle))
        parts.append(blank if truth is None else look(truth, angle, _TRUTH))
    return encode_png(np.concatenate(parts, axis=1))


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
