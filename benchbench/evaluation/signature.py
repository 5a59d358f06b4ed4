"""One line that says what a number means, to be pasted into a paper and computed again.

    cd|p:bench-surface-v1|set:shapes13@9f3a1c20|split:shapes13:test@12ab34cd|views:all|frame:obj|
    align:none|fail:worst|mean:classes|n:520|seed:0|bb:0.1.0

(on one line), as sacreBLEU does for translation. What the protocol fixes is in its id; the line
adds what is chosen when it is computed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from benchbench import __version__
from benchbench.core.errors import CheckError
from benchbench.evaluation.signature_line import DIGITS, SignatureLine


@dataclass(frozen=True)
class Signature(SignatureLine):
    """What a mean of scores is.

    Attributes:
        dataset: "id@hash" of the data set.
        split: "rule:part@hash".
        views: Which views of an object were predicted, as in a result: "all", "none", numbers.
        frame: Of the predictions; always "obj", the object frame.

    Example:
        >>> line = (
        ...     "iou|p:bench-iou-v1|set:shapes13@3f8a384f|split:shapes13:test@fb4715bf|views:0|"
        ...     "frame:obj|align:none|fail:worst|mean:classes|n:520|seed:0|bb:0.1.0"
        ... )
        >>> Signature.parse(line).objects, str(Signature.parse(line)) == line
        (520, True)
    """

    KEYS: ClassVar[Mapping[str, str]] = {
        "protocol": "p", "dataset": "set", "split": "split", "views": "views", "frame": "frame",
        "align": "align", "fail": "fail", "mean": "mean", "objects": "n", "seed": "seed",
        "version": "bb",
    }  # fmt: skip
    HASHED: ClassVar[Collection[str]] = ("dataset", "split")

    dataset: str
    split: str
    views: str
    frame: str

    @property
    def dataset_id(self) -> str:
        """The data set without its hash."""
        return self.dataset.rpartition("@")[0]

    @property
    def split_words(self) -> str:
        """The split as it is typed after `--split`."""
        return self.split.rpartition("@")[0]


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
