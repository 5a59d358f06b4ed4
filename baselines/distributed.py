"""Training in several processes that `torchrun` started: one batch, shared out.

Every process draws the same batch and works on its share; torch's DistributedDataParallel adds
the gradients up, over Gloo on CPUs and NCCL on GPUs. With the loss of a share multiplied by its
`weight`, the gradients are those of the whole batch in one process, up to rounding. Process 0
alone writes, and hands the state to the others when a training goes on. On its own a process
does the same without any of it.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from benchbench.core.errors import UsageError
from benchbench.core.ranks import Rank

# Process 0 validates and writes while the others wait.
_PATIENCE = datetime.timedelta(hours=2)


@dataclass(frozen=True)
class Share:
    """A process's part of a batch.

    Attributes:
        start: First item.
        stop: Behind the last item.
        weight: What the loss, a mean over the share, is multiplied by before `backward`.
    """

    start: int
    stop: int
    weight: float

    @property
    def rows(self) -> slice:
        """For indexing what the whole batch drew."""
        return slice(self.start, self.stop)


@dataclass(frozen=True)
class Processes:
    """The processes of one training.

    Attributes:
        index: Number of this one.
        count: How many there are.
        device: Where this one computes.
        wrapped: What `wrap` made; let go of before the processes part.
    """

    index: int = 0
    count: int = 1
    device: str = "cpu"
    wrapped: list[Any] = field(default_factory=list, repr=False, compare=False)

    @property
    def first(self) -> bool:
        """Whether this one talks and writes."""
        return self.index == 0

    def share(self, batch: int) -> Share:
        """This process's part of a batch; the first ones take one more where it is uneven.

        Raises:
            UsageError: There are more processes than items.

        Example:
            >>> [Processes(n, 3).share(8).rows for n in range(3)]
            [slice(0, 3, None), slice(3, 6, None), slice(6, 8, None)]
            >>> Processes(2, 3).share(8).weight  # of a mean over two of eight, averaged over three
            0.75
        """
        if batch < self.count:
            raise UsageError(
                f"a batch of {batch} cannot be shared by {self.count} processes",
                hint=f"--set batch={self.count}, or fewer processes",
            )
        size, more = divmod(batch, self.count)
        start = self.index * size + min(self.index, more)
        stop = start + size + (self.index < more)
        return Share(start, stop, (stop - start) * self.count / batch)

    def wrap(self, network: nn.Module, unused: bool = False) -> nn.Module:
        """The network whose gradients are averaged over all processes in `backward`.

        Args:
            network: With its weights on the device; its parameters stay the same objects.
            unused: Some parameters play no part in some steps.
        """
        if self.count == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel

        self.wrapped.append(DistributedDataParallel(network, find_unused_parameters=unused))
        return cast(nn.Module, self.wrapped[-1])

    def mean(self, values: Mapping[str, float], weight: float = 1.0) -> dict[str, float]:
        """Means over the whole batch.

        Args:
            values: Means over this process's share, the same names everywhere.
            weight: The share's.
        """
        if self.count == 1:
            return dict(values)
        numbers = torch.tensor([values[name] for name in values], dtype=torch.float64) * weight
        dist.all_reduce(numbers)
        return dict(zip(values, (numbers / self.count).tolist(), strict=True))

    def largest(self, number: int) -> int:
        """The largest of every process's number."""
        if self.count == 1:
            return number
        found = torch.tensor([number])
        dist.all_reduce(found, op=dist.ReduceOp.MAX)
        return int(found)

    def from_first(self, number: int) -> int:
        """The number of process 0."""
        if self.count == 1:
            return number
        found = torch.tensor([number])
        dist.broadcast(found, 0)
        return int(found)

    def state_from_first(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Copies of a state's tensors with the values of process 0."""
        copies = {name: state[name].detach().clone() for name in sorted(state)}
        if self.count > 1:
            for value in copies.values():
                dist.broadcast(value, 0)
        return copies


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """Joins the processes that `torchrun` started, and leaves them at the end.

    Args:
        device: "cpu", or "cuda" for the GPU with this process's number on its machine.

    Raises:
        UsageError: The environment is not one that torchrun made.
    """
    rank = Rank.from_environment()
    if rank.count == 1:
        yield Processes(device=device)
        return
    if "MASTER_ADDR" not in os.environ or "MASTER_PORT" not in os.environ:
        raise UsageError(
            f"WORLD_SIZE is {rank.count}, but MASTER_ADDR and MASTER_PORT are not set",
            hint="torchrun --nproc-per-node 2 -m benchbench train ... sets them",
        )
    gpu = torch.device(device).type == "cuda"
    if gpu:
        device = f"cuda:{rank.local}"
        if rank.local >= torch.cuda.device_count():
            raise UsageError(
                f"process {rank.local} of this machine has no GPU, "
                f"there are {torch.cuda.device_count()}",
                hint=f"torchrun --nproc-per-node {torch.cuda.device_count()}",
            )
        torch.cuda.set_device(device)
    # Small numbers travel as CPU tensors in either case.
    kind = "cpu:gloo,cuda:nccl" if gpu else "gloo"
    options: dict[str, Any] = {"device_id": torch.device(device)} if gpu else {}
    dist.init_process_group(kind, timeout=_PATIENCE, **options)
    group = Processes(rank.index, rank.count, device)
    try:
        yield group
    finally:
        # A traceback may hold the networks until the interpreter ends, and what they hold of the
        # process group must be gone by then: its threads can hang there.
        for network in group.wrapped:
            network.reducer = network.logger = network.process_group = None
        dist.destroy_process_group()
