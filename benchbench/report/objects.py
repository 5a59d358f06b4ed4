"""The scores of objects that lie beside result files, each read once."""

from __future__ import annotations

from pathlib import Path

from benchbench.core.errors import CheckError
from benchbench.core.files import sha256_file
from benchbench.evaluation.objects import ObjectScores, read_objects
from benchbench.report.results import Result


def objects_file(result: Path) -> Path:
    """Where the scores of objects of a result file lie.

    Example:
        >>> str(objects_file(Path("runs/a/result.json"))), str(objects_file(Path("m/kato.json")))
        ('runs/a/objects.csv', 'm/kato.objects.csv')
    """
    if result.name == "result.json":
        return result.with_name("objects.csv")
    return result.with_name(f"{result.stem}.objects.csv")


class ObjectFiles:
    """Reads the files of one report, each once.

    Attributes:
        absent: Folders or files of results that have none, and the command that makes it.
    """

    def __init__(self) -> None:
        self._read: dict[Path, dict[str, ObjectScores]] = {}
        self.absent: dict[str, str] = {}

    def of(self, result: Result, protocol: str) -> ObjectScores | None:
        """Scores of a result under a protocol, None where it came without.

        Raises:
            CheckError: The file is not the one that the result was written with.
            InputError: It is damaged.
        """
        path = objects_file(result.path)
        hashes = result.content.get("hashes")
        recorded = hashes.get("objects") if isinstance(hashes, dict) else None
        if not path.is_file() or recorded is None:
            place = result.path.parent if result.path.name == "result.json" else result.path
            self.absent[str(place)] = f"bench score '{place}'"
            return None
        if path not in self._read:
            if sha256_file(path) != recorded:
                raise CheckError(
                    f"'{path}' is not the one that '{result.path}' was written with",
                    hint=f"bench score '{result.path.parent}', which writes both again",
                )
            self._read[path] = read_objects(path)
        found = self._read[path].get(protocol)
        summary = result.content["protocols"][protocol]
        wanted, classes = int(summary["objects"]), summary["per_class"].keys()
        if (
            found is None
            or found.values.keys() != summary["mean_over_classes"].keys()
            or any(len(v) != wanted for v in found.values.values())
            or {i.partition("/")[0] for i in found.views} != classes
        ):
            raise CheckError(f"'{path}' does not hold the {wanted} objects of {protocol}")
        return found

    def remarks(self) -> list[str]:
        """What could not be said for want of scores of objects."""
        return [
            f"'{place}' has no scores of objects, so nothing is said of its uncertainty; "
            f"{command} writes them"
            for place, command in self.absent.items()
        ]
