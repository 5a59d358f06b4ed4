"""A training loop that can be stopped at any moment and continued to the same end.

Everything random in step n is drawn from a generator keyed by (seed, n), so the number of steps
done is the whole state of the random numbers; weights and optimiser moments are the rest. Both
are written as one safetensors file with a JSON beside it that names the file and its hash, each
renamed into place when whole. After kill -9, or SIGTERM, or Ctrl-C, the same command continues
and ends with the same bytes as an uninterrupted run on the same machine with the same number of
threads.
"""

from __future__ import annotations

import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import Tensor

from benchbench.baselines.distributed import Processes
from benchbench.baselines.tensor_files import with_metadata
from benchbench.baselines.tensorboard import Board
from benchbench.core.errors import EXIT_TERMINATED, BenchError, CheckError, InputError, UsageError
from benchbench.core.files import FileLock, atomic_path, read_json, sha256_file, write_json
from benchbench.core.progress import Progress

STATE_FILE = "checkpoint.json"
ALONE = Processes()
_SCHEMA = 1


class Task(Protocol):
    """What is trained."""

    def step(self, number: int) -> dict[str, float]:
        """Does step `number` (from 1) and returns numbers worth logging; draws by key only."""
        ...

    def validate(self, number: int) -> dict[str, float]:
        """Numbers on the val split after step `number`; must not change anything."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on."""
        ...

    def load(self, state: dict[str, Tensor]) -> None:
        """Takes over a state."""
        ...


@dataclass(frozen=True)
class Plan:
    """How long to train and what to write down.

    Attributes:
        steps: Number of the last step.
        save_every: Steps between checkpoints.
        validate_every: Steps between validations, also after the last; 0 for never.
        log_every: Steps over which logged numbers are averaged.
        key: Everything that the result depends on; a folder of another key is refused.
        metadata: Text for the header of every checkpoint: what it was trained on.
    """

    steps: int
    save_every: int
    validate_every: int
    log_every: int
    key: dict[str, Any]
    metadata: Mapping[str, str] = field(default_factory=dict)


def run_key(
    name: str,
    store: Any,
    options: Any,
    limit: int | None,
    mixed_precision: bool = False,
    group: Processes = ALONE,
) -> dict[str, Any]:
    """Everything that a training's result depends on, for `Plan.key` and the record.

    Args:
        name: Baseline id.
        store: The data set.
        options: Frozen dataclass of the recipe.
        limit: Number of training objects, or None for all.
        mixed_precision: Whether the network computes in 16 bits.
        group: The processes; their number changes the last bits.
    """
    key = {
        **dataclasses.asdict(options),
        "baseline": name,
        "dataset": store.id,
        "data": store.identity,
        "split": store.split_name,
        "limit": limit,
        **({"mixed_precision": True} if mixed_precision else {}),
        **({"processes": group.count} if group.count > 1 else {}),
    }
    # As JSON gives them back.
    return {word: list(v) if isinstance(v, tuple) else v for word, v in key.items()}


def run_training(
    task: Task,
    plan: Plan,
    out: Path,
    label: str,
    quiet: bool = False,
    finish: Callable[[list[dict[str, float]]], None] | None = None,
    group: Processes = ALONE,
    tensorboard: bool = False,
) -> list[dict[str, float]]:
    """Trains to the end, from the newest checkpoint in `out` if there is one.

    Args:
        task: What is trained.
        plan: How long.
        out: Folder of this run.
        label: For the progress line.
        quiet: No progress.
        finish: Called with the history when all steps are done, still under the folder's lock:
            the place to write what the run was for.
        group: The processes that train together; the first one validates and writes.
        tensorboard: Also write numbers, and pictures of a task that has any, for TensorBoard.

    Returns:
        The history: one entry per `log_every` steps and per validation.

    Raises:
        UsageError: The plan makes no sense.
        MissingError: TensorBoard is wanted and not installed.
        CheckError: The folder belongs to a run with other settings, or its checkpoint is damaged.
        SystemExit: 143 after SIGTERM, with the state saved.
        KeyboardInterrupt: After Ctrl-C, with the state saved.
    """
    for name in ("steps", "save_every", "log_every"):
        if getattr(plan, name) < 1:
            raise UsageError(f"{name} must be at least 1, not {getattr(plan, name)}")
    with ExitStack() as held, _Signals() as signals:
        done, history = _start(task, plan, out, group, held)
        sums: dict[str, float] = {}
        # Averages restart at multiples of log_every, and so do checkpoints that are taken out of
        # turn: the sums of an unfinished stretch are part of the state.
        if history and "partial" in history[-1]:
            sums = {k: v for k, v in history.pop().items() if k != "partial"}
        with (
            Board(out, tensorboard and group.first, done) as board,
            Progress(label, plan.steps, "steps", quiet or not group.first, done=done) as progress,
        ):
            while done < plan.steps and not signals.caught:
                done += 1
                for name, value in task.step(done).items():
                    sums[name] = sums.get(name, 0.0) + value
                signals.caught = group.largest(signals.caught or 0) or None
                if not group.first:
                    continue
                last = done == plan.steps
                if done % plan.log_every == 0 or last:
                    count = (done - 1) % plan.log_every + 1
                    history.append({"step": done, **{k: v / count for k, v in sums.items()}})
                    board.numbers(history[-1])
                    sums = {}
                if plan.validate_every and (done % plan.validate_every == 0 or last):
                    history.append({"step": done, **task.validate(done)})
                    board.numbers(history[-1])
                    board.pictures(task, done)
                if done % plan.save_every == 0 or last or signals.caught:
                    _save(task, plan, out, done, history, sums)
                shown = {k: f"{v:.4f}" for k, v in (history[-1] if history else {}).items()}
                progress.update(1, **{k: v for k, v in shown.items() if k != "step"})
        signals.raise_caught()
        if finish is not None and group.first:
            finish(history)
    return history


def _start(
    task: Task, plan: Plan, out: Path, group: Processes, held: ExitStack
) -> tuple[int, list[dict[str, float]]]:
    """Steps done and the history; every process has the first one's state afterwards."""
    if not group.first:
        done = group.from_first(0)
        if done < 0:
            raise SystemExit(-done)  # the first process says why
        if done:
            task.load(group.state_from_first(task.state()))
        return done, []
    try:
        held.enter_context(FileLock(out / ".lock", f"'{out}'"))
        for leftover in out.glob(".*.tmp"):  # of a killed process; nobody else writes here now
            leftover.unlink(missing_ok=True)
        done, history = _resume(task, plan, out)
    except BenchError as error:
        group.from_first(-error.exit_code)
        raise
    group.from_first(done)
    if done and group.count > 1:
        group.state_from_first(task.state())
    return done, history


def _save(
    task: Task,
    plan: Plan,
    out: Path,
    done: int,
    history: list[dict[str, float]],
    sums: dict[str, float],
) -> None:
    from safetensors.torch import save

    name = f"checkpoint-{done:09d}.safetensors"
    state = {key: value.detach().cpu().contiguous() for key, value in task.state().items()}
    # Bytes first: the library hides a full disk behind an error of its own.
    data = with_metadata(save(state), plan.metadata)
    with atomic_path(out / name) as temporary:
        temporary.write_bytes(data)
    entries: list[dict[str, float]] = list(history)
    if sums:
        entries.append({"partial": 1.0, **sums})
    write_json(
        out / STATE_FILE,
        {
            "schema": _SCHEMA,
            "key": plan.key,
            "step": done,
            "file": name,
            "sha256": sha256_file(out / name),
            "history": entries,
        },
    )
    # Only now is the older one not needed any more.
    for path in out.glob("checkpoint-*.safetensors"):
        if path.name != name:
            path.unlink(missing_ok=True)


def _resume(task: Task, plan: Plan, out: Path) -> tuple[int, list[dict[str, float]]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = out / STATE_FILE
    if not path.is_file():
        return 0, []
    hint = f"name another folder with --out, or remove '{out}'"
    try:
        content = read_json(path)
    except InputError as error:
        raise CheckError(f"the state of this training is damaged: {error}", hint=hint) from error
    key = content.get("key") if isinstance(content, dict) else None
    if not isinstance(key, dict) or content.get("schema") != _SCHEMA:
        raise CheckError(f"'{path}' is no checkpoint of this version", hint=hint)
    step, history, name = (content.get(entry) for entry in ("step", "history", "file"))
    if (
        not isinstance(step, int)
        or not isinstance(history, list)
        or name != f"checkpoint-{step:09d}.safetensors"
    ):
        raise CheckError(f"'{path}' is damaged", hint=hint)
    if key != plan.key:
        names = sorted(n for n in {*key, *plan.key} if key.get(n) != plan.key.get(n))
        raise CheckError(
            f"'{out}' holds a run with other settings: "
            + ", ".join(f"{n} {key.get(n)} there, {plan.key.get(n)} asked for" for n in names[:5]),
            hint=hint,
        )
    file = out / name
    if not file.is_file() or sha256_file(file) != content.get("sha256"):
        raise CheckError(f"checkpoint '{file}' is missing or damaged", hint=hint)
    try:
        task.load(load_file(str(file)))
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise CheckError(f"checkpoint '{file}' cannot be read: {error}", hint=hint) from error
    return step, history


class _Signals:
    """Remembers SIGTERM and Ctrl-C until the step is done and saved; the second one acts at once.

    Signals reach the main thread only; elsewhere this does nothing.
    """

    def __init__(self) -> None:
        self.caught: int | None = None
        self._old: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._old[number] = signal.signal(number, self._catch)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._restore()

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        self.caught = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
        self._old = {}

    def raise_caught(self) -> None:
        if self.caught == signal.SIGTERM:
            raise SystemExit(EXIT_TERMINATED)
        if self.caught == signal.SIGINT:
            raise KeyboardInterrupt


def precision(device: str, mixed: bool) -> torch.autocast:
    """Where a network computes in bfloat16 if mixed precision is wanted; weights stay 32 bits.

    Use it around the forward pass alone, and bring what comes out back with `.float()`: losses
    and renderers stay exact.
    """
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=mixed)


@contextmanager
def deterministic() -> Iterator[None]:
    """Asks torch for kernels that give the same bits in every run, and restores what was set."""
    before = torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=True)
        torch.backends.cudnn.benchmark = benchmark
