"""The line that says what a mean over pairs of meshes is, beside that of runs.

    cd|p:mesh-pairs-v1|gt:9f3a1c20|preds:12ab34cd|norm:truth-box|surface:all|align:none|fail:worst|
    mean:objects|n:30|seed:0|bb:0.1.0

(on one line). The hashes are those of the lists of names and files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from benchbench.evaluation.signature_line import SignatureLine


@dataclass(frozen=True)
class PairSignature(SignatureLine):
    """What a mean over pairs is.

    Attributes:
        truths: Hash of the truths.
        preds: Hash of the predictions.
        norm: How the prediction entered the truth's frame.
        surface: "all" or "outer".

    Example:
        >>> line = (
        ...     "cd|p:mesh-pairs-v1|gt:9f3a1c20|preds:12ab34cd|norm:truth-box|surface:all|"
        ...     "align:yaw24|fail:worst|mean:objects|n:30|seed:0|bb:0.1.0"
        ... )
        >>> PairSignature.parse(line).align, str(PairSignature.parse(line)) == line
        ('yaw24', True)
    """

    KEYS: ClassVar[Mapping[str, str]] = {
        "protocol": "p", "truths": "gt", "preds": "preds", "norm": "norm", "surface": "surface",
        "align": "align", "fail": "fail", "mean": "mean", "objects": "n", "seed": "seed",
        "version": "bb",
    }  # fmt: skip
    HASHED: ClassVar[Collection[str]] = ("truths", "preds")

    truths: str
    preds: str
    norm: str
    surface: str
