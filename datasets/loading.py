"""Batches of pictures for training, in memory that is used again and again.

A `DataLoader`'s workers put every batch into new shared memory. Decoding a batch of a store takes
about as long as the system takes to hand out and take back that memory. `ViewLoader` keeps a few
pieces of memory which its workers and it see alike: one that is free is filled, and it is free
again once nothing refers to the batch any more.
"""

from __future__ import annotations

import math
import mmap
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from benchbench.core.errors import UsageError
from benchbench.datasets.views import ViewDataset

_SPARE = 3  # batches per worker that a training loop may hold besides those on their way


class ViewLoader(DataLoader[dict[str, torch.Tensor]]):
    """A `DataLoader` over a `ViewDataset`.

    Gives dicts of tensors: `image` (B, 4, H, W) uint8, channels last in memory (as convolutions
    like it); `object`, `view`, `class` (B,) int64: those that a `DataLoader` with the same
    arguments gives, in the same order.

    Args:
        views: The pictures.
        batch_size: Pictures a batch.
        options: Every other argument of `DataLoader` but `collate_fn` and `batch_sampler`.

    Raises:
        UsageError: One of these two was given.
    """

    def __init__(self, views: ViewDataset, batch_size: int = 64, **options: Any) -> None:
        if taken := {"collate_fn", "batch_sampler"} & set(options):
            raise UsageError(f"a ViewLoader makes its batches itself; leave out {min(taken)}")
        self._exchange = _Exchange(views)
        super().__init__(_Items(len(views)), batch_size, collate_fn=self._exchange, **options)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:  # type: ignore[override]
        # Workers see what is there when they are started; without any, one memory serves for all.
        running = self.persistent_workers and getattr(self, "_iterator", None) is not None
        if not (running or (self.num_workers == 0 and self._exchange.memory)):
            ahead = (self.prefetch_factor or 2) if self.num_workers else 0
            pieces = ahead + _SPARE
            self._exchange.make_room(max(1, self.num_workers), pieces, self.batch_size or 1)
        memory = self._exchange.memory
        pins = self.pin_memory and torch.cuda.is_available()
        for sent in super().__iter__():
            batch = _tensors(*sent.open(memory) if isinstance(sent, _Sent) else sent)
            yield {key: value.pin_memory() for key, value in batch.items()} if pins else batch


Arrays = dict[str, npt.NDArray[np.int64]]
Images = npt.NDArray[np.uint8]


def _tensors(images: Images, numbers: Arrays) -> dict[str, torch.Tensor]:
    return {
        "image": torch.from_numpy(images).permute(0, 3, 1, 2),
        **{name: torch.from_numpy(values) for name, values in numbers.items()},
    }


class _Items(Dataset[Any]):
    """Numbers of items only: `_Exchange` makes the whole batch of them."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, item: int) -> int:
        return item


class _Memory:
    """Pieces of shared memory, and a byte for each that says whether it is taken.

    A worker takes its pieces, and the process that started it gives them back: no lock is needed.
    """

    def __init__(self, workers: int, pieces: int, size: int) -> None:
        self._pieces, self._size = pieces, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        self._start = -(-workers * pieces // mmap.PAGESIZE) * mmap.PAGESIZE
        self._bytes = mmap.mmap(-1, self._start + workers * pieces * self._size)

    def take(self, worker: int) -> int | None:
        """A free piece of a worker, or None."""
        for place in range(worker * self._pieces, (worker + 1) * self._pieces):
            if self._bytes[place] == 0:
                self._bytes[place] = 1
                return place
        return None

    def piece(self, place: int, shape: tuple[int, ...]) -> Images:
        """A piece as an array."""
        start = self._start + place * self._size
        return np.frombuffer(self._bytes, np.uint8, math.prod(shape), start).reshape(shape)

    def lent(self, place: int, shape: tuple[int, ...]) -> Images:
        """The same; the piece is free again when the array and all views of it are gone."""
        found = self.piece(place, shape)
        assert found.base is not None
        weakref.finalize(found.base, self._give_back, place).atexit = False
        return found

    def _give_back(self, place: int) -> None:
        self._bytes[place] = 0


@dataclass(frozen=True)
class _Sent:
    """A batch on its way from a worker: where its pictures lie, and its numbers."""

    place: int
    shape: tuple[int, ...]
    numbers: Arrays

    def open(self, memory: _Memory | None) -> tuple[Images, Arrays]:
        """The batch, in the process that started the worker."""
        assert memory is not None
        return memory.lent(self.place, self.shape), self.numbers


class _Exchange:
    """Makes batches of items in memory that the loader sees too, also when a worker does it."""

    def __init__(self, views: ViewDataset) -> None:
        self._views = views
        self.memory: _Memory | None = None

    def __getstate__(self) -> dict[str, Any]:
        # A spawned worker does not see this memory; its batches go the ordinary way.
        return {"_views": self._views, "memory": None}

    def _shape(self, count: int) -> tuple[int, ...]:
        return (count, *self._views.store.picture_size(self._views.rendering), 4)

    def make_room(self, workers: int, pieces: int, batch: int) -> None:
        """Before the workers are started."""
        self.memory = _Memory(workers, pieces, math.prod(self._shape(batch)))

    def __call__(self, items: Sequence[int]) -> _Sent | tuple[Images, Arrays]:
        worker = get_worker_info()
        place = self.memory.take(worker.id if worker else 0) if self.memory else None
        if place is None:
            return self._views.batch(items)
        assert self.memory is not None
        shape = self._shape(len(items))
        _, numbers = self._views.batch(items, self.memory.piece(place, shape))
        return _Sent(place, shape, numbers)
