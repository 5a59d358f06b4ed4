"""Which process this is among those that `torchrun` started."""

from __future__ import annotations

import os
from dataclasses import dataclass

from benchbench.core.errors import UsageError


@dataclass(frozen=True)
class Rank:
    """This process among those that `torchrun` started: rank r of n takes every n-th shard.

    Attributes:
        index: 0 for a process on its own.
        count: 1 for a process on its own.
        local: Number of the process on its machine, for the choice of a GPU.
    """

    index: int = 0
    count: int = 1
    local: int = 0

    @classmethod
    def from_environment(cls) -> Rank:
        """Reads RANK, WORLD_SIZE and LOCAL_RANK, which torchrun sets.

        Raises:
            UsageError: They do not make sense.
        """
        try:
            index = int(os.environ.get("RANK", "0"))
            count = int(os.environ.get("WORLD_SIZE", "1"))
            local = int(os.environ.get("LOCAL_RANK", "0"))
        except ValueError as error:
            raise UsageError(f"RANK, WORLD_SIZE, LOCAL_RANK must be integers ({error})") from error
        if not 0 <= index < count:
            raise UsageError(f"RANK {index} is not in 0..{count - 1} (WORLD_SIZE {count})")
        return cls(index, count, local)

    def takes(self, shard: int) -> bool:
        """True if this process works on that shard.

        Example:
            >>> [Rank(1, 3).takes(k) for k in range(4)]
            [False, True, False, False]
        """
        return shard % self.count == self.index
