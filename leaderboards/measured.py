"""Results made by this project: a JSON each, a result file with one more part.

`leaderboards/measured/<data set>-<split>-<method>-<hash>.json` is what `bench run` wrote into
result.json, so that `bench report leaderboards/measured` and `bench score RUN --expect FILE` read
it, and under "leaderboard" the schema and the command that makes it again. Beside it lie the scores
of its objects, `<...>.objects.csv`, of which intervals and comparisons are made.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbench.core.errors import CheckError, InputError
from benchbench.core.files import atomic_path, write_json
from benchbench.evaluation.result import KIND
from benchbench.leaderboards.command import command_of
from benchbench.leaderboards.form import read_strict
from benchbench.leaderboards.result_form import MEASURED, RESULT
from benchbench.leaderboards.submission import Checked
from benchbench.protocols.registry import protocols
from benchbench.report.objects import objects_file

FOLDER = Path(__file__).parent / "measured"
SCHEMA = 1
_MOST = 16 << 20
_HINT = "bench leaderboard add RUN"


@dataclass(frozen=True)
class Measured:
    """One measured result.

    Attributes:
        path: The file.
        content: What it holds, of the form `RESULT` and `MEASURED`.
    """

    path: Path
    content: dict[str, Any]

    @property
    def method(self) -> str:
        """Id of the method."""
        return str(self.content["baseline"]["id"])

    @property
    def short_hash(self) -> str:
        """Eight digits of the run's hash."""
        return str(self.content["hash"])[:8]


def file_name(result: dict[str, Any]) -> str:
    """Name of the file of a result."""
    dataset = result["dataset"]
    return (
        f"{dataset['id']}-{dataset['split']}-{result['baseline']['id']}-{result['hash'][:8]}.json"
    )


def refuse(checked: Checked) -> dict[str, Any]:
    """The result of an accepted submission.

    Raises:
        CheckError: It was refused.
    """
    if checked.problems or checked.result is None:
        raise CheckError(
            f"'{checked.folder}' is refused: {checked.problems[0]}",
            hint=f"bench leaderboard check '{checked.folder}'",
        )
    return checked.result


def add_measured(checked: Checked, folder: Path = FOLDER) -> Path:
    """Takes an accepted run into the folder; the same run again replaces itself.

    Args:
        checked: From `check_submission`.
        folder: Of measured results.

    Raises:
        CheckError: It was refused.
    """
    result = refuse(checked)
    content = {**result, "leaderboard": {"schema": SCHEMA, "command": command_of(result)}}
    path = folder / file_name(result)
    objects = checked.folder / "objects.csv"
    if objects.is_file():
        with atomic_path(objects_file(path)) as temporary:
            shutil.copyfile(objects, temporary)
    write_json(path, content)
    return path


def read_measured(folder: Path = FOLDER) -> list[Measured]:
    """All measured results, by name.

    Raises:
        InputError: A file is of another form; it is named, with what is wrong.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        content = read_strict(path, _MOST)
        problem = next((p for form in (RESULT, MEASURED) for p in form(content, "result")), None)
        if problem is None and (content["kind"] != KIND or content["leaderboard"]["schema"] != 1):
            problem = f"it is of schema {content['leaderboard']['schema']}, this version reads 1"
        if problem is None:
            problem = _unknown(content)
        if problem is not None:
            raise InputError(f"'{path}' is no measured result: {problem}", hint=_HINT)
        found.append(Measured(path, content))
    return found


def _unknown(content: dict[str, Any]) -> str | None:
    """A protocol or metric that this version does not know."""
    for name, summary in content["protocols"].items():
        spec = protocols().get(name)
        if spec is None:
            return f"protocol '{name}' is none of this version"
        if set(summary["mean_over_classes"]) != {metric.name for metric in spec.metrics}:
            return f"{name} has other metrics in this version"
    return None
