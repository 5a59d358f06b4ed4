"""What a scorer is given as truth, and how it refuses a prediction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from benchbench.core.errors import BenchError, UsageError
from benchbench.core.types import Mesh, Voxels

T = TypeVar("T")


class Memory:
    """What was derived once and is asked for again, by any thread.

    Example:
        >>> memory = Memory()
        >>> [memory.remember("cloud", lambda n=n: n) for n in (1, 2)]
        [1, 1]
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, Any] = {}
        self._making = threading.RLock()  # again, for what is made from other things kept here

    def remember(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returns; made once per key, which must name everything it depends on."""
        with self._making:
            if key not in self._kept:
                self._kept[key] = make()
            value: T = self._kept[key]
        return value


def memory_of(settings: Mapping[str, Any]) -> Memory:
    """What several protocols share about one prediction: its samples, its distances.

    Whoever scores an item under several protocols puts one `Memory` into their settings under
    "memory", and a new one for the next item; without it nothing is shared.
    """
    found = settings.get("memory")
    return found if isinstance(found, Memory) else Memory()


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
    _memory: Memory = field(default_factory=Memory, repr=False)

    def remember(self, key: tuple[Any, ...], make: Callable[[], T]) -> T:
        """What `make` returns for this object; made once per key.

        Only things that depend on the object and the key alone may be kept here, so that a score
        never depends on what was scored before.
        """
        return self._memory.remember(key, make)


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
