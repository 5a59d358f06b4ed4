"""What a scorer is given as truth, and how it refuses a prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from benchbench.core.errors import BenchError, UsageError
from benchbench.core.types import Mesh, Voxels

T = TypeVar("T")


@dataclass
class Truth:
    """The ground truth of one object, in the object frame.

    Attributes:
        mesh: The surface, or None where the set holds none.
        voxels: Grids by kind.
        object_id: "synset/model".
        points: (N, 3) points of the set's own cloud, or None.
        normals: (N, 3) their normals, or None.
        turn: From a view to the (3, 3) rotation from the object frame to its camera's axes, in
            the set's first rendering; None where the set holds no pictures.
    """

    mesh: Mesh | None
    voxels: dict[str, Voxels]
    object_id: str
    points: np.ndarray | None = None
    normals: np.ndarray | None = None
    turn: Callable[[int], np.ndarray] | None = None
    _memory: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False)

    def remember(self, key: tuple[Any, ...], make: Callable[[], T]) -> T:
        """What `make` returns for this object; made once per key.

        Only things that depend on the object and the key alone may be kept here, so that a score
        never depends on what was scored before.
        """
        if key not in self._memory:
            self._memory[key] = make()
        value: T = self._memory[key]
        return value


class Unscorable(BenchError):
    """This one prediction cannot be scored; it gets the penalty and is named.

    Args:
        status: One word: "empty", "nonfinite" or "invalid".
        message: Why.
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


class NotAccepted(UsageError):
    """The protocol does not take this kind of prediction and names no conversion for it."""
