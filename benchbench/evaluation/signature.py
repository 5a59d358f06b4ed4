"""One line that says what a number means, to be pasted into a paper and computed again.

    cd|p:bench-surface-v1|set:shapes13@9f3a1c20|split:shapes13:test@12ab34cd|views:all|frame:obj|
    align:none|fail:worst|mean:classes|n:520|seed:0|bb:0.1.0

(on one line), as sacreBLEU does for translation. What the protocol fixes is in its id; the line
adds what is chosen when it is computed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from benchbench import __version__
from benchbench.core.errors import CheckError, UsageError

DIGITS = 8
_SHORT = {"chamfer": "cd", "fscore": "f", "normals": "nc"}
_LONG = {short: name for name, short in _SHORT.items()}
_KEYS = {
    "protocol": "p", "dataset": "set", "split": "split", "views": "views", "frame": "frame",
    "align": "align", "fail": "fail", "mean": "mean", "objects": "n", "seed": "seed",
    "version": "bb",
}  # fmt: skip
_FIELD = re.compile(r"[^|\s:]+(:[^|\s]*)?", re.ASCII)


@dataclass(frozen=True)
class Signature:
    """What a mean of scores is.

    Attributes:
        metric: Of the protocol.
        protocol: Its id.
        dataset: "id@hash" of the data set.
        split: "rule:part@hash".
        views: Which views of an object were predicted, as in a result: "all", "none", numbers.
        frame: Of the predictions; always "obj", the object frame.
        align: How predictions were aligned; "none".
        fail: What a failed prediction gets: "worst", the protocol's penalty.
        mean: "classes" (every class weighs the same) or "objects".
        objects: How many.
        seed: Of the protocol's sampler.
        version: Of benchbench.

    Example:
        >>> line = (
        ...     "iou|p:bench-iou-v1|set:shapes13@3f8a384f|split:shapes13:test@fb4715bf|views:0|"
        ...     "frame:obj|align:none|fail:worst|mean:classes|n:520|seed:0|bb:0.1.0"
        ... )
        >>> Signature.parse(line).objects, str(Signature.parse(line)) == line
        (520, True)
    """

    metric: str
    protocol: str
    dataset: str
    split: str
    views: str
    frame: str
    align: str
    fail: str
    mean: str
    objects: int
    seed: int
    version: str

    def __str__(self) -> str:
        return written(self.metric, {key: getattr(self, name) for name, key in _KEYS.items()})

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Read a line.

        Raises:
            UsageError: It is none.
        """
        metric, given = read_fields(text, _KEYS.values())
        values: dict[str, Any] = {name: given[key] for name, key in _KEYS.items()}
        values |= {"objects": int(given["n"]), "seed": int(given["seed"])}
        return cls(metric=metric, **values)

    @property
    def dataset_id(self) -> str:
        """The data set without its hash."""
        return self.dataset.rpartition("@")[0]

    @property
    def split_words(self) -> str:
        """The split as it is typed after `--split`."""
        return self.split.rpartition("@")[0]

    def differences(self, other: Signature) -> list[str]:
        """What is not the same, but for the version; hashes agree as far as both are given."""
        found = []
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if field.name in ("dataset", "split") and same_hash(mine, theirs):
                continue
            if field.name != "version" and mine != theirs:
                key = _KEYS.get(field.name, "metric")
                found.append(f"{key} {mine} there, {theirs} here")
        return found


def written(metric: str, given: Mapping[str, object]) -> str:
    """The line of a metric and its fields."""
    words = [f"{key}:{value}" for key, value in given.items()]
    return "|".join([_SHORT.get(metric, metric), *words])


def read_fields(text: str, keys: Collection[str]) -> tuple[str, dict[str, str]]:
    """The metric of a line and its fields, which must be all of `keys` and no other.

    Raises:
        UsageError: It is no such line.

    Example:
        >>> read_fields("cd|n:1|seed:0", ("n", "seed"))
        ('chamfer', {'n': '1', 'seed': '0'})
    """
    first, *rest = text.strip().split("|")
    if not _FIELD.fullmatch(first) or not all(map(_FIELD.fullmatch, rest)):
        raise _no_signature(text, "it is not fields with | between")
    given = dict(field.partition(":")[::2] for field in rest)
    missing = [key for key in keys if not given.get(key)]
    unknown = sorted(set(given) - set(keys))
    if missing or unknown or len(rest) != len(given):
        wrong = f"'{(missing or unknown or ['a field'])[0]}' is "
        wrong += "missing" if missing else "unknown" if unknown else "there twice"
        raise _no_signature(text, wrong)
    for key in ("n", "seed"):
        if not re.fullmatch(r"\d{1,18}", given[key], re.ASCII):
            raise _no_signature(text, f"'{key}:{given[key]}' is no number")
    return _LONG.get(first, first), given


def same_hash(a: str, b: str) -> bool:
    """Two "name@hash" agree, as far as both hashes are given; fewer than 4 digits prove nothing."""
    name, _, digits = a.rpartition("@")
    other, _, others = b.rpartition("@")
    shared = min(len(digits), len(others))
    return name == other and shared >= 4 and digits[:shared] == others[:shared]


def _no_signature(text: str, why: str) -> UsageError:
    return UsageError(
        f"'{text[:200]}' is no signature: {why}",
        hint="bench score RUN --signatures prints those of a run",
    )


def signatures(result: dict[str, Any]) -> dict[str, tuple[Signature, float]]:
    """The signature and value of every mean over classes in a result, by "protocol:metric".

    Args:
        result: What result.json holds.

    Raises:
        CheckError: The result is of a part of the split.
    """
    if not result["complete"]:
        raise CheckError(
            "a run on a part has no signature: " + "; ".join(result["incomplete_because"]),
            hint="bench run without --limit and --classes",
        )
    data = result["dataset"]
    found = {}
    for name, summary in result["protocols"].items():
        for metric, value in summary["mean_over_classes"].items():
            line = Signature(
                metric=metric,
                protocol=name,
                dataset=f"{data['id']}@{data['identity'][:DIGITS]}",
                split=f"{data['split_name']}:{data['split']}@{data['split_hash'][:DIGITS]}",
                views=str(result["selection"]["views"]).replace(" ", ""),
                frame="obj",
                align="none",
                fail="worst",
                mean="classes",
                objects=int(summary["objects"]),
                seed=int(result["seeds"]["protocols"][name]),
                version=__version__,
            )
            found[f"{name}:{metric}"] = (line, float(value))
    return found
