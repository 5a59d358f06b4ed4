"""Training 3D-R2N2 by the original's recipe (r2n2.md 7.1)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchbench.baselines.checkpoints import training_metadata, write_trained
from benchbench.baselines.devices import check_device
from benchbench.baselines.distributed import Processes, processes
from benchbench.baselines.inputs import as_floats, network_pictures
from benchbench.baselines.r2n2.architecture import Architecture, in_decoder
from benchbench.baselines.r2n2.batches import Batches
from benchbench.baselines.r2n2.network import Network, occupancy_loss, probabilities
from benchbench.baselines.r2n2.optimizer import DecayingAdam
from benchbench.baselines.r2n2.spec import INPUT, R2N2Options
from benchbench.baselines.r2n2.weights import FORMAT, THRESHOLD, header_of
from benchbench.baselines.training import (
    ALONE,
    Plan,
    deterministic,
    precision,
    run_key,
    run_training,
)
from benchbench.baselines.training_ids import TrainingIds, split_rows
from benchbench.core.errors import BenchError, UsageError

LEVELS = tuple(round(0.05 * n, 2) for n in range(2, 17))  # thresholds that val chooses from
_LOG_EVERY = 100
_SHOWN = 8  # objects in the pictures for TensorBoard


def train(
    store: Any,
    out: str | Path,
    options: R2N2Options | None = None,
    *,
    device: str = "cpu",
    limit: int | None = None,
    quiet: bool = False,
    mixed_precision: bool = False,
    tensorboard: bool = False,
) -> Path:
    """Trains, resuming by itself, and writes `model.safetensors` and `model.json` into `out`.

    Args:
        store: A prepared data set with pictures and 32^3 voxels.
        out: Folder of this run; holds the running state too.
        options: Recipe and widths.
        device: "cpu" or "cuda".
        limit: Use the first that many training objects only.
        quiet: No progress on stderr.
        mixed_precision: The network computes in bfloat16, the loss in 32 bits.
        tensorboard: Also write `out/tensorboard`.

    Returns:
        The file of weights, for `load_baseline("r2n2", checkpoint=...)`.

    Raises:
        UsageError: An option makes no sense, or the data set does not fit.
        MissingError: The data set has no training objects, or TensorBoard is not installed.
        CheckError: `out` belongs to a run with other settings.
        BenchError: The loss exceeded `stop_loss`.
    """
    options = options or R2N2Options()
    check_device(device)
    architecture = check_options(options)
    out = Path(out)
    batches = Batches(store, options, limit)
    training = TrainingIds.of(store, batches.rows.tolist())
    model = out / "model.safetensors"
    with deterministic(), processes(device) as group:
        key = run_key("r2n2", store, options, limit, mixed_precision, group)
        plan = Plan(
            options.steps, options.save_every, options.validate_every, _LOG_EVERY, key,
            training_metadata(training),
        )  # fmt: skip
        task = R2N2Task(batches, architecture, group.device, mixed_precision, group)

        def finish(history: list[dict[str, float]]) -> None:
            threshold = options.threshold
            chosen = {} if threshold is not None else task.held_out.means(task.network, task.device)
            if threshold is None:
                threshold = max(chosen, key=lambda level: chosen[level]) if chosen else THRESHOLD
            record = {
                "architecture": str(architecture),
                "parameters": architecture.parameters,
                "settings": key,
                "threshold": threshold,
                "val_iou_by_threshold": {str(level): iou for level, iou in chosen.items()},
                "voxels": batches.kind,
                "train_split_hash": store.split_hash("train"),
                "history": history,
            }
            write_trained(
                model, task.network.tensors(), FORMAT, training, record, options.half,
                header_of(architecture, threshold, store.grid_to_object(batches.kind)),
            )  # fmt: skip

        label = f"train r2n2 on {store.id}"
        run_training(task, plan, out, label, quiet or not group.first, finish, group, tensorboard)
    return model


def check_options(options: R2N2Options) -> Architecture:
    """The network asked for.

    Raises:
        UsageError: A value makes no sense.
    """
    architecture = Architecture(options.network, options.channels, options.feature, options.decoder)
    if (problem := architecture.problem()) is not None:
        raise UsageError(f"no such network: {problem}", hint="bench train ... --dry-run")
    for name in ("batch", "steps", "save_every", "views"):
        if getattr(options, name) < 1:
            raise UsageError(f"{name} must be at least 1, not {getattr(options, name)}")
    if not options.learning_rate > 0 or min(options.warmup, options.slower, options.decay) < 0:
        raise UsageError("learning_rate must be positive, warmup, slower and decay not negative")
    if options.schedule not in ("step", "cosine"):
        raise UsageError(
            f"unknown schedule '{options.schedule}'", hint="--set schedule=step or cosine"
        )
    low, high = options.background if len(options.background) == 2 else (1, 0)
    if not 0 <= low <= high <= 255:
        raise UsageError(f"background takes two levels from 0 to 255, not {options.background}")
    most = (INPUT.crop_from or INPUT.size) - INPUT.size
    if not 0 <= options.crop <= most + 1:
        raise UsageError(f"crop lies between 0 and {most + 1}, not {options.crop}")
    if options.threshold is not None and not 0 < options.threshold < 1:
        raise UsageError(f"a threshold of {options.threshold} is not between 0 and 1")
    return architecture


def learning_rate(options: R2N2Options, step: int) -> float:
    """Adam's rate in step `step`, from 1.

    Example:
        >>> options = R2N2Options()  # the original counts from 0: "after step 20,000"
        >>> [learning_rate(options, step) for step in (20_001, 20_002, 60_001)]
        [0.0001, 1e-05, 1e-05]
    """
    rate = options.learning_rate
    if step <= options.warmup:
        return rate * step / options.warmup
    if options.schedule == "cosine":
        share = (step - 1 - options.warmup) / max(options.steps - options.warmup, 1)
        return rate * 0.5 * (1 + math.cos(math.pi * share))
    lowered = sum(step > after for after in options.reduce_after)
    return float(f"{rate * 10.0**-lowered:.12g}")


class R2N2Task:
    """Network, optimiser and data of one run; see `benchbench.baselines.training.Task`.

    Args:
        batches: The training data with its options.
        architecture: Which network.
        device: Where this process computes.
        mixed_precision: The network computes in bfloat16.
        group: The processes that share each batch.
    """

    def __init__(
        self,
        batches: Batches,
        architecture: Architecture,
        device: str,
        mixed_precision: bool = False,
        group: Processes = ALONE,
    ) -> None:
        self.batches, self.options, self.device = batches, batches.options, device
        self.mixed_precision, self.group = mixed_precision, group
        self.network = Network(architecture)
        self.network.initialise(self.options.seed)
        self.network.to(device)
        self.shared_network = group.wrap(self.network)
        self.parameters = {name: self.network.weight(name) for name in architecture.shapes()}
        slow = [name for name in self.parameters if not in_decoder(name)]
        self.optimizer = DecayingAdam(dict(self.parameters), self.options.decay, slow)
        self.held_out = HeldOut(batches)

    def step(self, number: int) -> dict[str, float]:
        share = self.group.share(len(self.batches.objects(number)))
        batch = self.batches.read(number, share.rows)
        occupied = torch.from_numpy(batch.occupied).to(self.device)
        with precision(self.device, self.mixed_precision):
            logits = self.shared_network(self._floats(batch.images))
        loss = occupancy_loss(logits.float(), occupied)
        self.optimizer.zero_grad()
        (loss * share.weight).backward()  # type: ignore[no-untyped-call]
        logged = self.group.mean({"loss": float(loss.detach())}, share.weight)
        if not logged["loss"] <= self.options.stop_loss:
            raise BenchError(
                f"the loss is {logged['loss']:g} in step {number}, above "
                f"{self.options.stop_loss:g}: this training has failed",
                hint="--set learning_rate=... lower, in another folder",
            )
        rate = learning_rate(self.options, number)
        self.optimizer.step(number, rate, self.options.slower)
        return logged

    def validate(self, number: int) -> dict[str, float]:
        return self.held_out(self.network, self.device)

    def state(self) -> dict[str, Tensor]:
        return {**self.parameters, **self.optimizer.state()}

    def load(self, state: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state[name])
        self.optimizer.load(state)

    def pictures(self, number: int) -> dict[str, NDArray[np.uint8]]:
        """For TensorBoard: training pictures above the true and the predicted grid, seen along z.

        A grid is drawn with x to the right and y upwards, its cells added up.
        """
        batch = self.batches.read(number)
        with torch.no_grad():
            grids = probabilities(self.network(self._floats(batch.images))).cpu().numpy()
        columns = []
        for seen, true, found in zip(batch.images[:, 0], batch.occupied, grids, strict=True):
            rows = [np.pad(seen.transpose(1, 2, 0), ((0, 1), (0, 1), (0, 0)))]
            for grid in (true, found):
                shade = grid.mean(2).T[::-1].repeat(4, 0).repeat(4, 1)
                rows.append((255 * shade[..., None].repeat(3, -1)).astype(np.uint8))
            columns.append(np.concatenate(rows))
        return {"pictures, truth, prediction": np.concatenate(columns[:_SHOWN], axis=1)}

    def _floats(self, images: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(images).to(self.device).float().div_(255)


class HeldOut:
    """The first val objects of each class, one view each, by voxel IoU.

    Args:
        batches: Its data set, options, rendering and kind of voxels.

    Attributes:
        items: (object, view).
    """

    def __init__(self, batches: Batches) -> None:
        options = batches.options
        self.store, self.rendering, self.kind = batches.store, batches.rendering, batches.kind
        classes = options.classes.split(",") if options.classes else None
        taken: dict[str, int] = {}
        self.items: list[tuple[int, int]] = []
        for index in split_rows(self.store, "val", classes, None).tolist():
            synset, views = self.store.class_of(index), int(batches.view_counts[index])
            number = taken.setdefault(synset, 0)
            if number < options.validate_objects and views:
                taken[synset] = number + 1
                self.items.append((index, 7 * len(self.items) % views))

    def __call__(self, network: Network, device: str) -> dict[str, float]:
        """Mean loss, and the class mean of IoU at the original's threshold."""
        if not self.items:
            return {}
        losses, ious = self._scores(network, device, (THRESHOLD,))
        return {"val_loss": float(losses.mean()), "val_iou": self._class_means(ious)[0]}

    def means(self, network: Network, device: str) -> dict[float, float]:
        """Class mean of IoU by threshold; empty without val objects."""
        if not self.items:
            return {}
        means = self._class_means(self._scores(network, device, LEVELS)[1])
        return dict(zip(LEVELS, means, strict=True))

    @torch.no_grad()
    def _scores(
        self, network: Network, device: str, levels: tuple[float, ...]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Loss (N,) and IoU (N, levels) of every item."""
        losses, ious = [], []
        for start in range(0, len(self.items), 16):
            items = self.items[start : start + 16]
            pictures = as_floats(network_pictures(self.store, items, self.rendering, INPUT))
            logits = network(torch.from_numpy(pictures)[:, None].to(device))
            grids = np.stack([self.store.voxels(index, self.kind) for index, _ in items])
            occupied = torch.from_numpy(grids).to(device)
            for one, truth in zip(logits, occupied, strict=True):
                losses.append(float(occupancy_loss(one[None], truth[None])))
            chance, true = probabilities(logits).flatten(1), occupied.flatten(1)
            of_levels = []
            for level in levels:
                taken = chance >= level
                union = (taken | true).sum(1).clamp_min(1)
                of_levels.append((taken & true).sum(1).double() / union)
            ious.append(torch.stack(of_levels, 1).cpu().numpy())
        return np.array(losses), np.concatenate(ious)

    def _class_means(self, ious: NDArray[np.float64]) -> list[float]:
        groups = np.array([self.store.class_indices[index] for index, _ in self.items])
        means = [ious[groups == group].mean(0) for group in np.unique(groups)]
        return [float(value) for value in np.mean(means, axis=0)]
