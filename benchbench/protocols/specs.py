"""What a protocol is: the twelve fields that fix a number, its metrics and where its code is.

Light: neither numpy nor torch is imported here. A change that moves a number is a new id; the old
one stays.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class MetricSpec:
    """One number of a protocol.

    Attributes:
        name: Key in scores.csv.
        title: Words for a table's caption.
        formula: How it is computed from the quantities of the protocol.
        unit: What 1 means, as reported (after `factor`).
        higher_is_better: Direction.
        decimals: Digits after the point in tables; full precision is stored.
        penalty: The stored value of an object that could not be scored.
        factor: Tables show the stored value times this.
    """

    name: str
    title: str
    formula: str
    unit: str
    higher_is_better: bool
    decimals: int
    penalty: float
    factor: float = 1.0


@dataclass(frozen=True)
class ProtocolSpec:
    """A versioned protocol.

    The first block says what it is, the second holds the twelve fields in words, the third is read
    by the programs.

    Attributes:
        id: Name with version.
        title: One line.
        paper: Where it was introduced.
        reference: The file of the reference implementation that it reproduces, or "this project".
        data: Field 1, data release and renderings it was published with.
        views_rule: Field 2, split and which views.
        frame: Field 3, frame and normalisation of the truth.
        alignment: Field 4, scaling or alignment of the prediction.
        compared: Field 5, what is compared with what.
        sampling: Field 6, sample counts and sampler of both sides.
        distance: Field 7, squared or not, to points or triangles.
        combination: Field 8, how the directions are combined.
        thresholds: Field 9, with the comparison.
        reporting: Field 10, reporting factor.
        averaging: Field 11, order of averaging.
        failures: Field 12, what a failed prediction gets.
        scorer: "module:function" of the arithmetic.
        metrics: The numbers; the first is the primary one.
        truth: What a data set must hold: "mesh", "voxels", "mesh|voxels", "mesh|points",
            "voxels:<kind>" or "voxels:<kind>|<kind>", of which the first that is there counts.
        accepts: Kinds of prediction, each with the named conversion ("" means none is needed).
        views: "all" (every view must have been predicted), "first" (only the first view counts) or
            "any" (the run's own choice, which the caption names).
        seed: Of the samplers.
        conversion_truth: How the truth is converted, "" if it is not.
        edge_cases: Sentences.
        faults: Known faults of the original script that are or are not reproduced.
        house: This project's own protocol (a default), not a reproduced one.
        used_by: Papers and repositories whose tables hold such numbers.
        unconfirmed: Facts that nobody could confirm, each a sentence; listings mark them.
        slugs: What lists of published numbers call it.
        refused: Why nobody can compute it again, "" if somebody can. Such a protocol has no scorer.
        instead: The id of the nearest one that can be computed, "" if there is none.
    """

    id: str
    title: str
    paper: str
    reference: str

    data: str
    views_rule: str
    frame: str
    alignment: str
    compared: str
    sampling: str
    distance: str
    combination: str
    thresholds: str
    reporting: str
    averaging: str
    failures: str

    scorer: str
    metrics: tuple[MetricSpec, ...]
    truth: str
    accepts: dict[str, str]
    views: str = "any"
    seed: int = 0
    conversion_truth: str = ""
    edge_cases: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    house: bool = field(default=False)
    used_by: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()
    slugs: tuple[str, ...] = ()
    refused: str = ""
    instead: str = ""

    def metric(self, name: str) -> MetricSpec:
        """The metric of that name; KeyError if there is none."""
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise KeyError(name)

    def looks_at(self, view: int) -> bool:
        """True if predictions of this view are scored; view -1 stands for no view at all.

        Example:
            >>> from benchbench.protocols.registry import get_protocol
            >>> first = get_protocol("dibr-chamfer-v1")
            >>> [first.looks_at(view) for view in (-1, 0, 1)]
            [True, True, False]
        """
        return self.views != "first" or view <= 0

    def record(self) -> dict[str, Any]:
        """Everything as plain data, for JSON.

        Example:
            >>> from benchbench.protocols.registry import get_protocol
            >>> get_protocol("kato-iou-v1").record()["metrics"][0]["name"]
            'iou'
        """
        return asdict(self)
