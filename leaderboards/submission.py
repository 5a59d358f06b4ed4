"""Checking a submission: one folder with a result and its scores, from a stranger.

Nothing in it is executed, unpickled or followed: `result.json`, `scores.csv` and `objects.csv` are
read as text, every number of the result is computed again from the scores, and whatever else lies
there is left alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from benchbench.core.errors import BenchError, InputError, MissingError
from benchbench.core.files import sha256_file
from benchbench.datasets.registry import dataset_names, dataset_spec
from benchbench.evaluation.aggregate import object_means, summarize
from benchbench.evaluation.objects import ObjectScores, read_objects
from benchbench.evaluation.predictions import OK, STATUSES
from benchbench.evaluation.result import KIND, SCHEMA
from benchbench.evaluation.scores import Score, read_scores
from benchbench.leaderboards.form import read_strict, show
from benchbench.leaderboards.result_form import RESULT
from benchbench.protocols.registry import protocols
from benchbench.protocols.specs import MetricSpec, ProtocolSpec

_MOST = {"result.json": 16 << 20, "scores.csv": 1 << 30, "objects.csv": 256 << 20}
_RELATIVE, _ABSOLUTE = 1e-9, 1e-12  # sums are exact; the last digit of a quotient is not
_ID = 200  # characters of an object's name


@dataclass
class Checked:
    """What was found.

    Attributes:
        folder: The submission.
        problems: Sentences; none means accepted.
        remarks: What could not be checked, or is not read.
        result: What result.json holds, once its form is right.
        objects: Scores of objects by protocol; None without objects.csv.
    """

    folder: Path
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    result: dict[str, Any] | None = None
    objects: dict[str, ObjectScores] | None = None


def check_submission(folder: Path, root: Path | None = None) -> Checked:
    """Checks all that can be checked without running anything.

    Args:
        folder: Holds result.json, scores.csv and, for intervals, objects.csv.
        root: Folder of prepared data sets; there, the objects are compared with the split.

    Raises:
        MissingError: There is no such folder.
    """
    if not folder.is_dir():
        raise MissingError(
            f"there is no folder '{folder}'",
            hint="name the folder of a run, such as runs/shapes13-test/kato-1a2b3c4d",
        )
    checked = Checked(folder)
    _files(checked)
    if checked.problems:
        return checked
    try:
        content = read_strict(folder / "result.json", _MOST["result.json"])
    except InputError as error:
        checked.problems.append(str(error))
        return checked
    checked.problems += RESULT(content, "result")
    if checked.problems:
        return checked
    checked.result = content
    checked.problems += _meaning(content)
    checked.problems += _hashes(folder, content)
    if not checked.problems:
        checked.problems += _numbers(checked, content)
    if not checked.problems:
        _against_data(checked, content, root)
    if str(content.get("git_commit") or "").endswith("-dirty"):
        checked.remarks.append("it was made by a changed checkout, which nobody else has")
    return checked


def _files(checked: Checked) -> None:
    for name, most in _MOST.items():
        path = checked.folder / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            checked.problems.append(f"'{name}' is no plain file")
        elif not path.exists():
            if name == "objects.csv":
                checked.remarks.append("without objects.csv there are no intervals")
            else:
                checked.problems.append(f"'{name}' is missing")
        elif path.stat().st_size > most:
            checked.problems.append(f"'{name}' is larger than {most >> 20} MiB")


def _meaning(content: Mapping[str, Any]) -> Iterator[str]:
    if content["kind"] != KIND or content["schema"] != SCHEMA:
        yield f"it is a {show(content['kind'])} of schema {content['schema']}, not of {SCHEMA}"
    if not content["complete"] or content["incomplete_because"]:
        why = "; ".join(content["incomplete_because"]) or "no reason is given"
        yield f"the run is not complete ({why})"
    dataset, selection = content["dataset"], content["selection"]
    known = {store for name in dataset_names() for store in dataset_spec(name).stores}
    if dataset["id"] not in known:
        yield f"data set {show(dataset['id'])} is none of this version"
    if any(len(pair) != 2 for pair in dataset["classes"]):
        yield "result.dataset.classes does not hold pairs of a synset and a name"
    if selection["limit"] is not None or selection["classes"]:
        yield "the run was limited to a part of the split"
    if selection["objects"] != dataset["split_objects"]:
        yield f"{selection['objects']} of the {dataset['split_objects']} objects of the split"
    if content["predictions"]["items"] != selection["items"]:
        yield (
            f"{content['predictions']['items']} predictions for {selection['items']} items "
            "of the selection"
        )
    if not content["protocols"]:
        yield "it was scored under no protocol"
    for name, summary in content["protocols"].items():
        spec = protocols().get(name)
        if spec is None:
            yield f"protocol {show(name)} is none of this version"
            continue
        metrics = {metric.name for metric in spec.metrics}
        places = [summary["mean_over_classes"], summary["mean_over_objects"]]
        places += [row["metrics"] for row in summary["per_class"].values()]
        if any(set(place) != metrics for place in places):
            yield f"{name} has other metrics than {', '.join(sorted(metrics))}"


def _hashes(folder: Path, content: Mapping[str, Any]) -> Iterator[str]:
    for name in ("scores", "objects"):
        path = folder / f"{name}.csv"
        said = content["hashes"].get(name)
        if path.exists() and said != sha256_file(path):
            yield f"'{path.name}' is not the file of the result (its hash is another)"


def _numbers(checked: Checked, content: Mapping[str, Any]) -> Iterator[str]:
    """Everything that follows from the scores, computed again."""
    if (checked.folder / "objects.csv").exists():
        try:
            checked.objects = read_objects(checked.folder / "objects.csv")
        except BenchError as error:
            yield str(error)
            return
    seen: list[str] = []
    try:
        for name, group in groupby(
            read_scores(checked.folder / "scores.csv"), key=lambda score: score.protocol
        ):
            if name not in content["protocols"] or name in seen:
                yield f"'scores.csv' holds scores of {show(name)} that the result does not name"
                return
            seen.append(name)
            means = yield from _protocol(protocols()[name], group, content)
            if means is not None and checked.objects is not None:
                yield from _same_objects(name, means, checked.objects.get(name))
    except BenchError as error:
        yield str(error)
        return
    for name in content["protocols"]:
        if name not in seen:
            yield f"'scores.csv' holds no score of {name}"


def _protocol(
    spec: ProtocolSpec, scores: Iterator[Score], content: Mapping[str, Any]
) -> Iterator[str] | Any:
    """Problems of one protocol; returns the means of objects by metric, or None."""
    metrics = {metric.name: metric for metric in spec.metrics}
    values: dict[str, list[tuple[str, float]]] = {name: [] for name in metrics}
    statuses: dict[tuple[str, int], str] = {}
    lines = Counter[tuple[str, int, str]]()
    for score in scores:
        problem = _line(score, metrics)
        if problem is not None:
            yield f"{spec.id}: {problem}"
            return None
        lines[score.object_id, score.view, score.metric] += 1
        values[score.metric].append((score.object_id, score.value))
        statuses[score.object_id, score.view] = score.status
    if len(lines) != lines.total() or len(lines) != len(statuses) * len(metrics):
        yield f"{spec.id}: not every object and view has every score once"
        return None
    means = {name: object_means(pairs) for name, pairs in values.items()}
    classes = [(synset, name) for synset, name in content["dataset"]["classes"]]
    found = summarize(means, classes)
    summary = content["protocols"][spec.id]
    counts = Counter(statuses.values())
    ok = counts.pop(OK, 0)
    for what, said, is_ in (
        ("objects", summary["objects"], found["objects"]),
        ("objects of the selection", content["selection"]["objects"], found["objects"]),
        ("objects in classes", sum(r["objects"] for r in found["per_class"].values()),
         found["objects"]),
        ("items", summary["items"], len(statuses)),
        ("items without failure", summary["ok"], ok),
        ("failures", summary["failed"], dict(counts)),
        ("failed items", len(summary["failed_items"]), counts.total()),
        ("classes", set(summary["per_class"]), set(found["per_class"])),
    ):  # fmt: skip
        if said != is_:
            yield f"{spec.id}: {what}: the result says {show(said)}, the scores {show(is_)}"
            return None
    for where, said_by, found_by in (
        ("mean over classes", summary["mean_over_classes"], found["mean_over_classes"]),
        ("mean over objects", summary["mean_over_objects"], found["mean_over_objects"]),
        *((f"class {synset}", summary["per_class"][synset]["metrics"], row["metrics"])
          for synset, row in found["per_class"].items()),
    ):  # fmt: skip
        for name, value in found_by.items():
            if not math.isclose(said_by[name], value, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE):
                yield (
                    f"{spec.id}:{name}, {where}: the result says {said_by[name]!r}, "
                    f"the scores give {value!r}"
                )
    return means


def _line(score: Score, metrics: Mapping[str, MetricSpec]) -> str | None:
    name = score.object_id
    if not name.isprintable() or len(name) > _ID or name.count("/") != 1 or name.strip() != name:
        return f"an object is called {show(name)}"
    metric = metrics.get(score.metric)
    if metric is None:
        return f"it has no metric {show(score.metric)}"
    if score.status not in STATUSES:
        return f"'{name}' has the unknown status {show(score.status)}"
    if score.status != OK and score.value != metric.penalty:
        return f"'{name}' is {score.status} and has {score.value}, not the penalty {metric.penalty}"
    if metric.unit.startswith("ratio") and not -1 <= score.value <= 1 + _RELATIVE:
        return f"'{name}' has {score.metric} {score.value}, which is no ratio"
    return None


def _same_objects(
    name: str, means: Mapping[str, Mapping[str, float]], objects: ObjectScores | None
) -> Iterator[str]:
    if objects is None or set(objects.values) != set(means):
        yield f"'objects.csv' does not hold the metrics of {name}"
        return
    for metric, values in means.items():
        theirs = objects.values[metric]
        if set(theirs) != set(values) or any(
            not math.isclose(theirs[i], v, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
            for i, v in values.items()
        ):
            yield f"'objects.csv' holds other scores of {name}:{metric} than 'scores.csv'"


def _against_data(checked: Checked, content: Mapping[str, Any], root: Path | None) -> None:
    """The objects of the split, where the data set is prepared."""
    from benchbench.datasets.store import open_dataset

    dataset = content["dataset"]
    told = f"data set '{dataset['id']}' {dataset['identity'][:8]}"
    try:
        store = open_dataset(dataset["id"], root, dataset["split_name"])
    except BenchError as error:
        checked.remarks.append(f"{told} is not here, so its objects were not compared ({error})")
        return
    with_scores = {s.object_id for s in read_scores(checked.folder / "scores.csv")}
    try:
        if store.identity != dataset["identity"]:
            checked.remarks.append(
                f"{told} is another than the prepared one {store.identity[:8]}, so its objects "
                "were not compared"
            )
        elif store.split_hash(dataset["split"]) != dataset["split_hash"]:
            checked.problems.append(f"{told}: split '{dataset['split']}' is another one")
        else:
            rows = store.indices(dataset["split"])
            if with_scores != {store.object_ids[int(row)] for row in rows}:
                checked.problems.append(
                    f"{told}: the scored objects are not those of split '{dataset['split']}'"
                )
    finally:
        store.close()
