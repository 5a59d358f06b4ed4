"""One number of `bench score --selftest`, and the shapes that it is made with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Mesh, Prediction
from benchbench.evaluation.predictions import make_item
from benchbench.evaluation.scores import Score
from benchbench.evaluation.scoring import score_item
from benchbench.protocols.registry import get_protocol, load_scorer
from benchbench.protocols.truth import Truth

OBJECT_ID = "00000000/selftest"


@dataclass(frozen=True)
class Case:
    """One number.

    Attributes:
        protocol: Id.
        metric: Name.
        name: What was scored.
        expected: By hand.
        found: By the program.
        tolerance: Absolute: none for counts, float32 rounding, the spread of samples, or half the
            way between two bounds.
    """

    protocol: str
    metric: str
    name: str
    expected: float
    found: float
    tolerance: float

    @property
    def deviation(self) -> float:
        """Absolute difference."""
        return abs(self.found - self.expected)

    @property
    def passed(self) -> bool:
        """Within the tolerance."""
        return self.deviation <= self.tolerance

    def record(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "deviation": self.deviation, "passed": self.passed}


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Mesh:
    """A closed box of 12 triangles, outward winding.

    Example:
        >>> box((0, 0, 0), (1, 1, 1)).faces.shape
        (12, 3)
    """
    corners = np.array([[(low, high)[c >> a & 1][a] for a in range(3)] for c in range(8)])
    faces = [
        (0, 2, 3), (0, 3, 1), (4, 5, 7), (4, 7, 6), (0, 1, 5), (0, 5, 4),
        (2, 6, 7), (2, 7, 3), (0, 4, 6), (0, 6, 2), (1, 3, 7), (1, 7, 5),
    ]  # fmt: skip
    return Mesh(corners.astype(np.float32), np.array(faces, np.int32))


def square(axis: int, offset: float, shift: float = 0.0) -> Mesh:
    """A unit square of two triangles across `axis` at `offset`, moved by `shift` in its plane."""
    across = [a for a in range(3) if a != axis]
    corners = np.zeros((4, 3))
    corners[:, axis] = offset
    corners[:, across[0]] = np.array([-0.5, 0.5, 0.5, -0.5]) + shift
    corners[:, across[1]] = [-0.5, -0.5, 0.5, 0.5]
    return Mesh(corners.astype(np.float32), np.array([[0, 1, 2], [0, 2, 3]], np.int32))


def cells(low: float, high: float, scale: float, move: float = 0.0) -> Mesh:
    """A box from cell coordinate `low` to `high` on each axis, moved along x, as object mesh.

    Args:
        low: From 0 to 32.
        high: From 0 to 32.
        scale: Cells in a unit of length; the cube's middle, cell coordinate 16, is the origin.
        move: Cells.
    """
    a, b = (low - 16) / scale, (high - 16) / scale
    return box((a + move / scale, a, a), (b + move / scale, b, b))


def block(start: int, stop: int, value: float = 1.0, move: int = 0) -> npt.NDArray[np.float32]:
    """(32, 32, 32) of a value in the cells from `start` to before `stop`, moved along x."""
    grid = np.zeros((32, 32, 32), np.float32)
    grid[start + move : stop + move, start:stop, start:stop] = value
    return grid


def scores_of(protocol: str, prediction: Prediction | None, truth: Truth) -> list[Score]:
    """Every metric of one prediction, as a run would store them; the truth's first grid counts."""
    spec = get_protocol(protocol)
    item = make_item(OBJECT_ID, 0, prediction)
    settings = {"threshold": 0.5, "grid": next(iter(truth.voxels), None), "seed": 0}
    return score_item(spec, load_scorer(spec), item, truth, settings)


def compared(
    protocol: str,
    what: str,
    prediction: Prediction | None,
    truth: Truth,
    expected: dict[str, float],
    tolerance: float,
) -> list[Case]:
    """A case for each metric of which a number is expected.

    Args:
        protocol: Id.
        what: Words for the prediction.
        prediction: Or None.
        truth: Of the object.
        expected: {metric: number}.
        tolerance: Of each of them.
    """
    return [
        Case(protocol, s.metric, what, float(expected[s.metric]), s.value, tolerance)
        for s in scores_of(protocol, prediction, truth)
        if s.metric in expected
    ]
