"""Result files: where they are, and what is asked of each before it is used."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbench.core.errors import InputError, MissingError, printable
from benchbench.core.files import read_json

KIND = "benchbench result"
HINT = "bench run --baseline kato --split test"


@dataclass(frozen=True)
class Result:
    """One result file.

    Attributes:
        path: The file.
        content: What it holds.
        named: The user named this very one; it must not be left out silently.
    """

    path: Path
    content: dict[str, Any]
    named: bool = False

    @property
    def baseline(self) -> str:
        """Id of the method."""
        return str(self.content["baseline"]["id"])

    @property
    def where(self) -> tuple[Any, ...]:
        """Data set content, split content and selection: equal for results that compare."""
        dataset, selection = self.content["dataset"], self.content["selection"]
        return (
            dataset["id"], dataset["identity"], dataset["split"], dataset["split_hash"],
            tuple(selection["classes"] or ()), selection["limit"],
        )  # fmt: skip

    @property
    def views(self) -> str:
        """ "all", "none", or which."""
        return str(self.content["selection"]["views"])


def find_results(places: Sequence[Path]) -> list[Result]:
    """Results in files, run folders and folders of runs.

    Args:
        places: What the user named; nothing means `./runs`.

    Raises:
        MissingError: There is none.
        InputError: A named file is no result.
    """
    found: list[Result] = []
    for place in places or [Path("runs")]:
        if place.is_file():
            found.append(_read(place, named=True))
        elif (place / "result.json").is_file():
            found.append(_read(place / "result.json", named=True))
        elif place.is_dir():
            found += [
                result
                for file in sorted(_files(place))
                if (result := _read_if_result(file)) is not None
            ]
        elif places:
            raise MissingError(f"there is no '{place}'", hint=HINT)
    unique = list({result.path.resolve(): result for result in found}.values())
    if not unique:
        names = ", ".join(f"'{place}'" for place in places) or "'runs'"
        raise MissingError(f"no results in {names}", hint=HINT)
    return unique


def _files(place: Path) -> Iterable[Path]:
    skip = {"predictions", "scores"}
    for folder, folders, files in os.walk(place):
        folders[:] = sorted(name for name in folders if name not in skip)
        yield from (Path(folder) / name for name in files if name.endswith(".json"))


def _read_if_result(file: Path) -> Result | None:
    if file.name == "result.json":
        return _read(file, named=False)
    try:
        content = read_json(file)
    except (InputError, OSError):
        return None
    ours = isinstance(content, dict) and content.get("kind") == KIND
    return _read(file, named=False) if ours else None


def _read(file: Path, named: bool) -> Result:
    again = f"bench score '{file.parent}', which writes it again, or leave that folder out"
    try:
        content = read_json(file)
    except InputError as error:
        raise InputError(str(error), hint=again) from error
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise InputError(f"'{file}' is no result file", hint=again)
    if content.get("schema") != 1:
        raise InputError(
            f"'{file}' has schema {content.get('schema')}, this version reads 1", hint=again
        )
    result = Result(file, _shown(content), named)
    try:
        hash(result.where)
        _ = (result.baseline, result.views, content["hash"], content["complete"])
        synsets = _check_dataset(result.content["dataset"])
        _check_selection(result.content["selection"])
        for name, summary in result.content["protocols"].items():
            _check_summary(name, summary, synsets)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"'{file}' lacks what a result holds ({error})", hint=again) from error
    return result


def _shown(content: Any) -> Any:
    """The same with every text on one line that a terminal takes for text: it is a stranger's."""
    if isinstance(content, str):
        return printable(" ".join(content.split()))
    if isinstance(content, dict):
        return {_shown(key): _shown(value) for key, value in content.items()}
    return [_shown(value) for value in content] if isinstance(content, list) else content


def _check_dataset(dataset: dict[str, Any]) -> list[str]:
    """Its synsets; KeyError or TypeError where it does not say which objects were scored."""
    for key in ("id", "identity", "split", "split_name", "split_hash"):
        if not isinstance(dataset[key], str):
            raise TypeError(f"dataset: {key} is {dataset[key]!r}")
    classes = dataset["classes"]
    for pair in classes if isinstance(classes, list) else [classes]:
        if not (
            isinstance(pair, list) and len(pair) == 2 and all(isinstance(w, str) for w in pair)
        ):
            raise TypeError(f"dataset: a class is {pair!r}")
    synsets = [synset for synset, _ in classes]
    if twice := {synset for synset in synsets if synsets.count(synset) > 1}:
        raise KeyError(f"dataset: {', '.join(sorted(twice))} twice")
    return synsets


def _check_selection(selection: dict[str, Any]) -> None:
    """KeyError or TypeError where it does not say which pictures were looked at."""
    _ = selection["views_of_set"]
    if not isinstance(selection.get("rendering"), str | None):
        raise TypeError(f"selection: rendering is {selection['rendering']!r}")
    if not isinstance(selection.get("together"), int | None):
        raise TypeError(f"selection: together is {selection['together']!r}")


def _check_summary(name: str, summary: dict[str, Any], synsets: Sequence[str]) -> None:
    """KeyError or TypeError where the numbers of a protocol are not all there."""
    for key in ("objects", "items", "ok"):
        if not isinstance(summary[key], int):
            raise TypeError(f"{name}: {key} is {summary[key]!r}")
    rows = [row["metrics"] for row in summary["per_class"].values()]
    if strange := summary["per_class"].keys() - set(synsets):
        raise KeyError(f"{name}: {', '.join(sorted(strange))} is no class of the data set")
    metrics = summary["mean_over_classes"].keys()
    for means in (summary["mean_over_classes"], summary["mean_over_objects"], *rows):
        if means.keys() != metrics:
            raise KeyError(f"{name}: {', '.join(sorted(means.keys() ^ metrics))}")
        for metric, value in means.items():
            if not isinstance(value, int | float):
                raise TypeError(f"{name}:{metric} is {value!r}")
            math.isfinite(value)  # OverflowError of an integer beyond all numbers
