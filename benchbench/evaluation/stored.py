"""Where each stored prediction of a run lies."""

from __future__ import annotations

from pathlib import Path

from benchbench.core.errors import CheckError, MissingError
from benchbench.core.files import sha256_text
from benchbench.evaluation.folder import RunFolder
from benchbench.evaluation.predictions import Shard


def prediction_places(folder: RunFolder, expected: str) -> dict[tuple[str, int], tuple[Path, int]]:
    """Shard and number of every item, by object and view, in the order of the run.

    Args:
        folder: The run.
        expected: Hash of the predictions that its result names.

    Raises:
        MissingError: There are no predictions.
        CheckError: They are others than the result's.
    """
    found: dict[tuple[str, int], tuple[Path, int]] = {}
    contents: list[str] = []
    while (path := folder.prediction_shard(len(contents))).is_file():
        with Shard(path) as shard:
            contents.append(shard.content)
            for n, key in enumerate(shard.keys):
                found.setdefault(key, (path, n))
    if not contents:
        raise MissingError(
            f"'{folder.predictions}' holds no predictions",
            hint="type the 'bench run' or 'bench score' again that made the run",
        )
    if sha256_text("\n".join(contents)) != expected:
        raise CheckError(
            f"'{folder.predictions}' holds other predictions than the result is of",
            hint=f"bench score '{folder.path}', which scores them again",
        )
    return found
