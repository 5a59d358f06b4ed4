"""A training's numbers and pictures for TensorBoard, where that is installed.

It only shows: what is trained does not depend on it, and every number is in the record as well.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from benchbench.core.errors import MissingError

FOLDER = "tensorboard"


@runtime_checkable
class Showing(Protocol):
    """A task that can show what it does."""

    def pictures(self, number: int) -> dict[str, NDArray[np.uint8]]:
        """Pictures (H, W, 3) by name after step `number`; must not change anything."""
        ...


def check_tensorboard() -> None:
    """Refuses where the library is not installed.

    Raises:
        MissingError: It is not.
    """
    import importlib.util

    if importlib.util.find_spec("tensorboard") is None:
        raise MissingError(
            "TensorBoard is not installed",
            hint="python -m pip install tensorboard, or leave --tensorboard out",
        )


class Board:
    """Writes `out/tensorboard`; without `wanted` it does nothing.

    Args:
        out: Folder of the training.
        wanted: Whether to write.
        done: Steps done before; what an interrupted run wrote beyond them is hidden.

    Raises:
        MissingError: The library is not installed.
    """

    def __init__(self, out: Path, wanted: bool, done: int = 0) -> None:
        self._writer: Any = None
        if wanted:
            check_tensorboard()
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(out / FOLDER), purge_step=done + 1)  # type: ignore[no-untyped-call]

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def numbers(self, entry: dict[str, float]) -> None:
        """One entry of the history: every number but "step" under its name."""
        if self._writer is not None:
            for name, value in entry.items():
                if name != "step":
                    self._writer.add_scalar(name, value, int(entry["step"]))

    def pictures(self, task: object, number: int) -> None:
        """What the task shows after a step."""
        if self._writer is not None and isinstance(task, Showing):
            for name, picture in task.pictures(number).items():
                self._writer.add_image(name, picture, number, dataformats="HWC")
