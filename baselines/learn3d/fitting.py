"""What the trainings of learn3D and of View Prior Learning share: two networks and an opponent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchbench.baselines.checkpoints import training_metadata, write_trained
from benchbench.baselines.distributed import Processes, processes
from benchbench.baselines.learn3d.adam import Adam
from benchbench.baselines.learn3d.architecture import TAIL, Widths
from benchbench.baselines.learn3d.examples import Batch, Examples
from benchbench.baselines.learn3d.forms import Form
from benchbench.baselines.learn3d.network import Network, initialise
from benchbench.baselines.learn3d.objective import (
    Topology,
    is_discriminating,
    shape_losses,
    weighted,
)
from benchbench.baselines.learn3d.silhouettes import silhouettes
from benchbench.baselines.learn3d.spec import SilhouetteOptions
from benchbench.baselines.learn3d.sphere import LEVELS, sphere
from benchbench.baselines.learn3d.validation import HeldOut
from benchbench.baselines.learn3d.weights import FORM, FORMAT, tensors_of
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

_LOG_EVERY = 100
_SHOWN = 8  # pictures for TensorBoard
Losses = dict[str, tuple[float, Tensor]]


@dataclass(frozen=True)
class Settings:
    """How a training runs, apart from its recipe.

    Attributes:
        device: "cpu" or "cuda".
        quiet: No progress.
        mixed_precision: Encoder and generator compute in bfloat16.
        tensorboard: Also write `out/tensorboard`.
    """

    device: str
    quiet: bool
    mixed_precision: bool
    tensorboard: bool


@dataclass(frozen=True)
class Running:
    """What a task is told of its run.

    Attributes:
        group: The processes that share each batch.
        mixed_precision: Encoder and generator compute in bfloat16.
        quiet: No progress.
    """

    group: Processes = ALONE
    mixed_precision: bool = False
    quiet: bool = True


RUNNING = Running()


class AdversarialTask:
    """Networks, optimisers and data of one run; see `benchbench.baselines.training.Task`.

    Args:
        widths: Of encoder and generator.
        discriminator: The opponent.
        examples: Training pictures.
        held_out: Check on val, or None.
        options: Recipe.
        run: Processes and precision.
    """

    def __init__(
        self,
        widths: Widths,
        discriminator: nn.Module,
        examples: Examples,
        held_out: HeldOut | None,
        options: SilhouetteOptions,
        run: Running = RUNNING,
    ) -> None:
        self.options, self.examples, self.held_out, self.run = options, examples, held_out, run
        self.device = run.group.device
        self.network = Network(widths)
        self.modules: dict[str, nn.Module] = {
            "discriminator": discriminator,
            "generator": self.network.generator,
            "encoder": self.network.encoder,
        }
        for name, module in self.modules.items():
            initialise(module, name, options.seed, options.initial_scale)
            module.to(self.device).train()
        # What the processes of a training share out; alone they are the networks themselves.
        self.shared_network = run.group.wrap(self.network)
        self.shared_discriminator = run.group.wrap(discriminator)
        self.optimizers = {
            name: Adam({f"{name}.{key}": p for key, p in module.named_parameters()})
            for name, module in self.modules.items()
        }
        self.topology = Topology.of(sphere(widths.vertices)[1], widths.vertices, self.device)

    def adversarial_losses(
        self, number: int, batch: Batch, codes: Tensor, vertices: Tensor, drawn: Tensor
    ) -> Losses:
        """What the discriminator adds in iteration `number`."""
        raise NotImplementedError

    def step(self, number: int) -> dict[str, float]:
        options = self.options
        batch = self.examples.batch(options.seed, number, options.batch, self.run.group)
        with precision(self.device, self.run.mixed_precision):
            found = self.shared_network(batch.images)
        codes, vertices = (value.float() for value in found)
        drawn = self.draw(vertices, batch.cameras)
        losses = shape_losses(vertices, drawn, batch.targets, self.topology, options)
        losses |= self.adversarial_losses(number, batch, codes, vertices, drawn)
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        (weighted(losses) * batch.share.weight).backward()  # type: ignore[no-untyped-call]
        rate = learning_rate(options, number)
        for name, optimizer in self.optimizers.items():
            if name != "discriminator":
                optimizer.step(rate)
            elif is_discriminating(number):
                optimizer.step(rate * options.opponent_rate)
        logged = {name: float(loss.detach()) for name, (_, loss) in losses.items()}
        return self.run.group.mean(logged, batch.share.weight)

    def draw(self, vertices: Tensor, cameras: Tensor) -> Tensor:
        """(B, 64, 64) silhouettes of a batch."""
        return silhouettes(
            vertices, self.topology.faces, cameras, self.examples.form.half_field,
            anti_aliasing=self.options.anti_aliasing,
        )  # fmt: skip

    def validate(self, number: int) -> dict[str, float]:
        return self.held_out(self.network, self.device) if self.held_out else {}

    def state(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for name, module in self.modules.items():
            found |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
            found |= self.optimizers[name].state()
        return found

    def load(self, state: dict[str, Tensor]) -> None:
        for name, module in self.modules.items():
            mark = f"{name}."
            module.load_state_dict(
                {k.removeprefix(mark): v for k, v in state.items() if k.startswith(mark)}
            )
            self.optimizers[name].load(state)

    def pictures(self, number: int) -> dict[str, NDArray[np.uint8]]:
        """For TensorBoard: masks of some training pictures, and what is drawn."""
        batch = self.examples.batch(self.options.seed, 1, _SHOWN)
        self.network.eval()
        with torch.no_grad():
            vertices = self.network(batch.images.to(self.device))[1]
            drawn = self.draw(vertices, batch.cameras.to(self.device)).cpu()
        self.network.train()
        rows = torch.cat([torch.cat(list(one), 1) for one in (batch.targets, drawn)])
        grey = (rows * 255).round().byte().numpy()
        return {"masks, silhouettes": grey[..., None].repeat(3, -1)}


def fit(
    name: str,
    make: Callable[[Running], AdversarialTask],
    store: Any,
    out: Path,
    options: SilhouetteOptions,
    training: TrainingIds,
    limit: int | None,
    settings: Settings,
) -> Path:
    """Runs a task to its end and writes `model.safetensors` and `model.json`.

    Args:
        name: Baseline id.
        make: Builds the task, within its processes.
        store: The data set.
        out: Folder of the run.
        options: Recipe.
        training: The training objects.
        limit: Number of training objects, for the record.
        settings: How it runs.

    Returns:
        The file of weights.
    """
    model = out / "model.safetensors"
    with deterministic(), processes(settings.device) as group:
        mixed = settings.mixed_precision
        key = run_key(name, store, options, limit, mixed, group)
        plan = Plan(
            options.steps, options.save_every, options.validate_every, _LOG_EVERY, key,
            training_metadata(training),
        )  # fmt: skip
        quiet = settings.quiet or not group.first
        task = make(Running(group, mixed, quiet))
        widths = task.network.widths

        def finish(history: list[dict[str, float]]) -> None:
            record = {
                "architecture": str(widths),
                "parameters": widths.parameters,
                "settings": key,
                "train_split_hash": store.split_hash("train"),
                "history": history,
            }
            write_trained(
                model, tensors_of(task.network), FORMAT, training, record, options.half,
                {FORM: task.examples.form.id},
            )  # fmt: skip

        label = f"train {name} on {store.id}"
        run_training(task, plan, out, label, quiet, finish, group, settings.tensorboard)
    return model


def training_rows(
    store: Any, options: SilhouetteOptions, limit: int | None, name: str
) -> tuple[list[int], list[str] | None]:
    """Training objects, and the classes that were asked for.

    Raises:
        UsageError: Several classes, and `joint` does not allow that.
        MissingError: There are none.
    """
    classes = options.classes.split(",") if options.classes else None
    rows = split_rows(store, "train", classes, limit).tolist()
    found = {store.class_of(index) for index in rows}
    if len(found) > 1 and not options.joint:
        example = next(label for synset, label in store.classes if synset in found)
        raise UsageError(
            f"{name} trains one network a class, and {len(found)} classes were given",
            hint=f"--set classes={example}, or --set joint=true for one network of all",
        )
    return rows, classes


def held_out_of(
    store: Any, widths: Widths, examples: Examples, options: SilhouetteOptions,
    classes: list[str] | None,
) -> HeldOut | None:  # fmt: skip
    """The check on val that a recipe asks for."""
    if not options.validate_every:
        return None
    faces = torch.tensor(sphere(widths.vertices)[1])
    return HeldOut(
        store, examples.form, examples.rendering, widths.image_size, classes,
        options.validate_objects, faces,
    )  # fmt: skip


def check_options(options: SilhouetteOptions) -> None:
    """Refuses values that make no sense.

    Raises:
        UsageError: One does; it is named.
    """
    for name in ("hidden", "decoder", "channels"):
        value = getattr(options, name)
        if (name != "channels" and len(value) not in (0, 2)) or (value and min(value) < 1):
            raise UsageError(f"{name} takes widths of at least 1, not {value}")
    for name in ("latent", "batch", "steps", "save_every"):
        if getattr(options, name) < 1:
            raise UsageError(f"{name} must be at least 1, not {getattr(options, name)}")
    for name in ("smoothness", "inflation", "laplacian", "edge_length", "warmup"):
        if not getattr(options, name) >= 0:
            raise UsageError(f"{name} must not be negative, but is {getattr(options, name)}")
    for name in ("learning_rate", "initial_scale", "opponent_rate"):
        if not getattr(options, name) > 0:
            raise UsageError(f"{name} must be positive, not {getattr(options, name)}")
    if options.schedule not in ("constant", "cosine"):
        raise UsageError(
            f"unknown schedule '{options.schedule}'", hint="--set schedule=constant or cosine"
        )
    if options.vertices not in LEVELS:
        raise UsageError(f"vertices must be 42, 162 or 642, not {options.vertices}")


def conv_widths(options: SilhouetteOptions, form: Form, image_size: int, symmetric: bool) -> Widths:
    """Widths of a network with convolutions.

    Raises:
        UsageError: The convolutions do not lead from that size to 8 pixels.
    """
    halvings = int(math.log2(max(image_size, TAIL) / TAIL))
    if len(options.channels) != halvings or image_size != TAIL << halvings:
        raise UsageError(
            f"{len(options.channels)} convolutions do not lead from {image_size} pixels to {TAIL}",
            hint="--set image_size=64 with three widths in channels, 128 with four",
        )
    return Widths(
        "conv", len(form.channels), options.channels, options.hidden, options.latent,
        options.decoder, options.vertices, symmetric,
    )  # fmt: skip


def learning_rate(options: SilhouetteOptions, step: int) -> float:
    """Adam's alpha in step `step`, from 1.

    Example:
        >>> learning_rate(SilhouetteOptions(learning_rate=1.0, warmup=4), 1)
        0.25
    """
    rate = options.learning_rate
    if step <= options.warmup:
        return rate * step / options.warmup
    if options.schedule == "cosine":
        share = (step - 1 - options.warmup) / max(options.steps - options.warmup, 1)
        return rate * 0.5 * (1 + math.cos(math.pi * share))
    return rate
