"""The line that says what a mean over pairs of meshes is, beside that of runs.

    cd|p:mesh-pairs-v1|gt:9f3a1c20|preds:12ab34cd|norm:truth-box|surface:all|align:none|fail:worst|
    mean:objects|n:30|seed:0|bb:0.1.0

(on one line). The hashes are those of the lists of names and files.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from benchbench.evaluation.signature import read_fields, same_hash, written

_KEYS = {
    "protocol": "p", "truths": "gt", "preds": "preds", "norm": "norm", "surface": "surface",
    "align": "align", "fail": "fail", "mean": "mean", "objects": "n", "seed": "seed",
    "version": "bb",
}  # fmt: skip


@dataclass(frozen=True)
class PairSignature:
    """What a mean over pairs is.

    Attributes:
        metric: Of the protocol.
        protocol: Its id.
        truths: Hash of the truths.
        preds: Hash of the predictions.
        norm: How the prediction entered the truth's frame.
        surface: "all" or "outer".
        align: Name of the alignment.
        fail: What a failed prediction gets: "worst", the protocol's penalty.
        mean: "objects".
        objects: How many.
        seed: Of the points that were scored.
        version: Of benchbench.

    Example:
        >>> line = (
        ...     "cd|p:mesh-pairs-v1|gt:9f3a1c20|preds:12ab34cd|norm:truth-box|surface:all|"
        ...     "align:yaw24|fail:worst|mean:objects|n:30|seed:0|bb:0.1.0"
        ... )
        >>> PairSignature.parse(line).align, str(PairSignature.parse(line)) == line
        ('yaw24', True)
    """

    metric: str
    protocol: str
    truths: str
    preds: str
    norm: str
    surface: str
    align: str
    fail: str
    mean: str
    objects: int
    seed: int
    version: str

    def __str__(self) -> str:
        return written(self.metric, {key: getattr(self, name) for name, key in _KEYS.items()})

    @classmethod
    def parse(cls, text: str) -> PairSignature:
        """Read a line.

        Raises:
            UsageError: It is none.
        """
        metric, given = read_fields(text, _KEYS.values())
        values: dict[str, Any] = {name: given[key] for name, key in _KEYS.items()}
        values |= {"objects": int(given["n"]), "seed": int(given["seed"])}
        return cls(metric=metric, **values)

    def differences(self, other: PairSignature) -> list[str]:
        """What is not the same, but for the version; hashes agree as far as both are given."""
        found = []
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if field.name in ("truths", "preds") and same_hash(mine, theirs):
                continue
            if field.name != "version" and mine != theirs:
                found.append(f"{_KEYS.get(field.name, 'metric')} {mine} there, {theirs} here")
        return found
