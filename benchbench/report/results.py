"""Result files: where they are, and what is asked of each before it is used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbench.core.errors import InputError, MissingError
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
    result = Result(file, content, named)
    try:
        hash(result.where)
        _ = (result.baseline, result.views, content["hash"], content["complete"])
        for name, summary in content["protocols"].items():
            _check_summary(name, summary)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"'{file}' lacks what a result holds ({error})", hint=again) from error
    return result


def _check_summary(name: str, summary: dict[str, Any]) -> None:
    """KeyError or TypeError where the numbers of a protocol are not all there."""
    for key in ("objects", "items", "ok"):
        if not isinstance(summary[key], int):
            raise TypeError(f"{name}: {key} is {summary[key]!r}")
    rows = [row["metrics"] for row in summary["per_class"].values()]
    metrics = summary["mean_over_classes"].keys()
    for means in (summary["mean_over_classes"], summary["mean_over_objects"], *rows):
        if means.keys() != metrics:
            raise KeyError(f"{name}: {', '.join(sorted(means.keys() ^ metrics))}")
        for metric, value in means.items():
            if not isinstance(value, int | float):
                raise TypeError(f"{name}:{metric} is {value!r}")
