"""Training DIB-R's network from pictures, masks and cameras (dibr.md 3)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchbench.baselines.checkpoints import Tensors, training_metadata, write_trained
from benchbench.baselines.devices import check_device
from benchbench.baselines.dibr.architecture import LARGEST_LEVEL, STAGES, Widths
from benchbench.baselines.dibr.data import Objects, draw, steps_per_epoch
from benchbench.baselines.dibr.held_out import HeldOut
from benchbench.baselines.dibr.imagenet import imagenet_weights
from benchbench.baselines.dibr.losses import Softness, Topology, Views, Weights, losses
from benchbench.baselines.dibr.network import LARGEST, SMALLEST, Network, normalise_meshes
from benchbench.baselines.dibr.spec import SPEC, DibrOptions
from benchbench.baselines.dibr.weights import FORMAT, SIZE, read_checkpoint
from benchbench.baselines.distributed import Processes, processes
from benchbench.baselines.inputs import choose_rendering
from benchbench.baselines.training import (
    ALONE,
    Plan,
    deterministic,
    precision,
    run_key,
    run_training,
)
from benchbench.baselines.training_ids import TrainingIds, split_rows
from benchbench.core.errors import UsageError
from benchbench.core.files import sha256_file
from benchbench.core.notices import notice

_BETAS = (0.9, 0.999)
_LOG_EVERY = 100


def train(
    store: Any,
    out: str | Path,
    options: DibrOptions | None = None,
    *,
    device: str = "cpu",
    limit: int | None = None,
    quiet: bool = False,
    mixed_precision: bool = False,
    tensorboard: bool = False,
) -> Path:
    """Trains, resuming by itself, and writes `model.safetensors` and `model.json` into `out`.

    Args:
        store: A prepared data set with a rendering of field of view 30 degrees.
        out: Folder of this run; holds the running state too.
        options: Recipe and widths.
        device: "cpu" or "cuda".
        limit: Use the first that many training objects only.
        quiet: No progress on stderr.
        mixed_precision: The network computes in bfloat16, losses and renderer in 32 bits.
        tensorboard: Also write `out/tensorboard`.

    Returns:
        The file of weights, for `load_baseline("dibr", checkpoint=...)`.

    Raises:
        UsageError: An option makes no sense, or the rendering has other cameras.
        MissingError: The data set has no training objects, the ImageNet weights are not
            prepared, or TensorBoard is not installed.
        CheckError: `out` belongs to a run with other settings, or the ImageNet file is another.
    """
    options = options or DibrOptions()
    check_device(device)
    widths = check_options(options)
    start = first_weights(options, widths, store.path.parent)
    out = Path(out)
    # Found before the first step: what was read is what is recorded.
    rows = split_rows(store, "train", _classes(options), limit).tolist()
    training = TrainingIds.of(store, rows)
    steps = options.steps or options.epochs * steps_per_epoch(len(rows), options.batch)
    model = out / "model.safetensors"
    with deterministic(), processes(device) as group:
        key = run_key(SPEC.id, store, options, limit, mixed_precision, group)
        if options.start:
            key["start"] = sha256_file(options.start)  # wherever it lies
        if not start and group.first and not quiet:
            notice("the encoder starts from random numbers: no ImageNet weights were named")
        check_shares(len(rows), options.batch, group)
        plan = Plan(
            steps, options.save_every, options.validate_every, _LOG_EVERY, key,
            training_metadata(training),
        )  # fmt: skip
        quiet = quiet or not group.first
        task = DibrTask(store, widths, options, steps, rows, quiet, mixed_precision, group)
        task.network.load_tensors(start)

        def finish(history: list[dict[str, float]]) -> None:
            record = {
                "architecture": str(widths),
                "parameters": widths.parameters,
                "settings": key,
                "steps": steps,
                "train_split_hash": store.split_hash("train"),
                "history": history,
            }
            write_trained(
                model, task.network.tensors(), FORMAT, training, record, options.half,
                {SIZE: str(options.image_size)},
            )  # fmt: skip

        label = f"train dibr on {store.id}"
        run_training(task, plan, out, label, quiet, finish, group, tensorboard)
    return model


def first_weights(options: DibrOptions, widths: Widths, root: Path) -> Tensors:
    """What a training starts from beside random numbers, by the network's names.

    Raises:
        UsageError: Two starts are named, or the widths are not those asked for.
        MissingError: There is no such file.
        CheckError: The file holds something else.
    """
    if options.start is None:
        return imagenet_weights(options.imagenet, widths, root) if options.imagenet else {}
    if options.imagenet is not None:
        raise UsageError("start and imagenet both say what the encoder starts from")
    found, _, tensors = read_checkpoint(options.start)
    if found != widths:
        raise UsageError(f"start '{options.start}' is {found}; asked for is {widths}")
    return tensors


def check_shares(objects: int, batch: int, group: Processes) -> None:
    """Refuses more processes than the smallest batch of an epoch has objects.

    Raises:
        UsageError: Some step would leave a process without work.
    """
    smallest = min(objects, objects % batch or batch)
    if smallest < group.count:
        raise UsageError(
            f"the last batch of an epoch has {smallest} of {objects} objects, too few for "
            f"{group.count} processes",
            hint=f"--set batch={batch - 1}, or fewer processes",
        )


def check_options(options: DibrOptions) -> Widths:
    """The widths asked for.

    Raises:
        UsageError: A value makes no sense.
    """
    for name in ("stages", "units"):
        value = getattr(options, name)
        if len(value) != STAGES or min(value) < 1:
            raise UsageError(f"{name} takes {STAGES} positive numbers, not {value}")
    counts = ("epochs", "batch", "views", "code", "hidden", "blocks", "halve_every", "save_every")
    for name in counts if options.steps is None else ("steps", *counts):
        if getattr(options, name) < 1:
            raise UsageError(f"{name} must be at least 1, not {getattr(options, name)}")
    if not 0 <= options.level <= LARGEST_LEVEL:
        raise UsageError(f"level is from 0 to {LARGEST_LEVEL}, not {options.level}")
    if not SMALLEST <= options.image_size <= LARGEST:
        raise UsageError(f"image_size is from {SMALLEST} to {LARGEST}, not {options.image_size}")
    if not options.learning_rate > 0 or options.warmup < 0:
        raise UsageError("learning_rate must be positive and warmup not negative")
    for name in ("colour", "silhouette", "laplacian", "flatten"):
        if getattr(options, name) < 0:
            raise UsageError(f"{name} is a weight of 0 or more, not {getattr(options, name)}")
    if not options.point_gain > 0:
        raise UsageError(f"point_gain must be positive, not {options.point_gain}")
    if not options.sigmainv > 0 or options.boxlen < 0:
        raise UsageError(
            f"sigmainv must be positive and boxlen not negative, not {options.sigmainv} and "
            f"{options.boxlen}"
        )
    if options.schedule not in ("step", "cosine"):
        raise UsageError(
            f"unknown schedule '{options.schedule}'", hint="--set schedule=step or cosine"
        )
    return Widths(
        options.stages, options.units, options.code, options.hidden, options.blocks, options.level
    )


def learning_rate(options: DibrOptions, step: int, steps: int) -> float:
    """Adam's rate in step `step`, from 1, of `steps`.

    Example:
        >>> options = DibrOptions(learning_rate=1.0, halve_every=10)
        >>> [learning_rate(options, step, 100) for step in (10, 11, 21)]
        [1.0, 0.5, 0.25]
    """
    rate = options.learning_rate
    if step <= options.warmup:
        return rate * step / options.warmup
    if options.schedule == "cosine":
        share = (step - 1 - options.warmup) / max(steps - options.warmup, 1)
        return float(rate * 0.5 * (1 + math.cos(math.pi * share)))
    return float(rate * 0.5 ** ((step - 1) // options.halve_every))


class DibrTask:
    """Network, optimiser and data of one run; see `benchbench.baselines.training.Task`."""

    def __init__(
        self,
        store: Any,
        widths: Widths,
        options: DibrOptions,
        steps: int,
        rows: list[int],
        quiet: bool,
        mixed_precision: bool = False,
        group: Processes = ALONE,
    ) -> None:
        self.options, self.steps, self.device = options, steps, group.device
        self.group, self.mixed = group, mixed_precision
        self.network = Network(widths)
        self.network.initialise(options.seed, options.point_gain)
        self.network.to(self.device).train()
        self.learned = {n: p for n, p in self.network.named_parameters() if p.requires_grad}
        self.optimizer = torch.optim.Adam(
            self.learned.values(), options.learning_rate, _BETAS, fused=True
        )
        self.shared = group.wrap(self.network)
        rendering = choose_rendering(store, options.rendering, SPEC.renderings)
        self.objects = Objects(store, rendering, rows, quiet)
        self.topology = Topology.of_sphere(widths.level, self.device)
        self.weights = Weights(
            options.colour, options.silhouette, options.laplacian, options.flatten
        )
        self.softness = Softness(options.sigmainv, options.boxlen)
        self.held_out = None
        if options.validate_every and group.first:
            held = split_rows(store, "val", _classes(options), None).tolist()
            self.held_out = HeldOut(
                store, rendering, held, options.validate_objects, options.image_size
            )

    def step(self, number: int) -> dict[str, float]:
        options = self.options
        objects, count = self.objects.pictures.shape[:2]
        rows, views = draw(objects, count, options.seed, number, options.batch, options.views)
        share = self.group.share(len(rows))
        seen = self.objects.views(
            rows[share.rows], views[share.rows], options.image_size, self.device
        )
        found = step_losses(
            self.shared, seen, self.topology, self.weights, self.softness, self.mixed
        )
        self.optimizer.zero_grad()
        (share.weight * found["total"]).backward()  # type: ignore[no-untyped-call]
        self.optimizer.param_groups[0]["lr"] = learning_rate(options, number, self.steps)
        self.optimizer.step()
        values = {name: float(value.detach()) for name, value in found.items()}
        return self.group.mean({"loss": values.pop("total"), **values}, share.weight)

    def validate(self, number: int) -> dict[str, float]:
        if self.held_out is None:
            return {}
        self.network.eval()
        scores = self.held_out(self.network, self.topology.faces)
        self.network.train()
        return scores

    def pictures(self, number: int) -> dict[str, NDArray[np.uint8]]:
        """Held-out pictures and masks, and what is drawn of their meshes, for TensorBoard."""
        if self.held_out is None:
            return {}
        self.network.eval()
        shown = self.held_out.strip(self.network, self.topology.faces)
        self.network.train()
        return {} if shown is None else {"picture, mask, drawn, soft mask": shown}

    def state(self) -> dict[str, Tensor]:
        moments: dict[str, Tensor] = {}
        for name, parameter in self.learned.items():
            for part, value in self.optimizer.state[parameter].items():
                moments[f"adam/{part}/{name}"] = value
        return {**self.network.state_dict(), **moments}

    def load(self, state: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                value.copy_(state[name])
            for name, parameter in self.learned.items():
                self.optimizer.state[parameter] = {
                    part: state[f"adam/{part}/{name}"].to(self.device)
                    for part in ("step", "exp_avg", "exp_avg_sq")
                }


def step_losses(
    network: nn.Module,
    views: Views,
    topology: Topology,
    weights: Weights,
    softness: Softness,
    mixed: bool = False,
) -> dict[str, Tensor]:
    """The losses of one step: a mesh from each view, drawn in all of them.

    Every view is a forward pass of its own, as in the original: batch normalisation sees it.

    Args:
        network: Of `benchbench.baselines.dibr.network`.
        views: Pictures and cameras.
        topology: Of the template.
        weights: Of the losses.
        softness: Of the mask.
        mixed: The network computes in bfloat16.

    Returns:
        As `benchbench.baselines.dibr.losses.losses`.
    """
    predicted = []
    for pictures in views.pictures:
        with precision(pictures.device.type, mixed):
            found = network(pictures[:, :3])
        predicted.append([part.float() for part in found])
    meshes = [normalise_meshes(vertices) for vertices, _, _ in predicted]
    offsets = [part for _, part, _ in predicted]
    colours = [part for _, _, part in predicted]
    return losses(meshes, offsets, colours, views, topology, weights, softness)


def _classes(options: DibrOptions) -> list[str] | None:
    return options.classes.split(",") if options.classes else None
