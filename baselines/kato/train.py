"""Training Kato's network from silhouettes of two views (kato.md 6)."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchbench.baselines.checkpoints import training_metadata, write_trained
from benchbench.baselines.devices import check_device
from benchbench.baselines.distributed import Processes, processes
from benchbench.baselines.inputs import network_pictures
from benchbench.baselines.kato.architecture import Widths
from benchbench.baselines.kato.losses import edges_of, silhouette_iou_loss, smoothness_loss
from benchbench.baselines.kato.model import TO_OBJECT
from benchbench.baselines.kato.network import Network
from benchbench.baselines.kato.optimizer import SkippingAdam
from benchbench.baselines.kato.pairs import VIEWS, Pairs
from benchbench.baselines.kato.spec import INPUT, KatoOptions
from benchbench.baselines.kato.template import sphere_642
from benchbench.baselines.kato.weights import FORMAT
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
from benchbench.cuda_ops.camera import get_points_from_angles
from benchbench.cuda_ops.kato_silhouettes import kato_silhouettes

DISTANCE, ELEVATION = 2.732, 30.0
# The original's multipliers; everything else learns at the full rate.
MULTIPLIERS = {"decoder/linear_centroids/W": 0.1, "decoder/linear_centroids/b": 0.1}
_LOG_EVERY = 100
_SHOWN = 8  # objects in the pictures for TensorBoard


def train(
    store: Any,
    out: str | Path,
    options: KatoOptions | None = None,
    *,
    device: str = "cpu",
    limit: int | None = None,
    quiet: bool = False,
    mixed_precision: bool = False,
    tensorboard: bool = False,
) -> Path:
    """Trains, resuming by itself, and writes `model.safetensors` and `model.json` into `out`.

    Args:
        store: A prepared data set whose rendering has Kato's cameras.
        out: Folder of this run; holds the running state too.
        options: Recipe and widths.
        device: "cpu" or "cuda".
        limit: Use the first that many training objects only.
        quiet: No progress on stderr.
        mixed_precision: The network computes in bfloat16, losses and renderer in 32 bits.
        tensorboard: Also write `out/tensorboard`.

    Returns:
        The file of weights, for `load_baseline("kato", checkpoint=...)`.

    Raises:
        UsageError: An option makes no sense, or the rendering has other cameras.
        MissingError: The data set has no training objects, or TensorBoard is not installed.
        CheckError: `out` belongs to a run with other settings.
    """
    options = options or KatoOptions()
    check_device(device)
    widths = check_options(options)
    out = Path(out)
    # Found before the first step: what was read is what is recorded.
    classes = options.classes.split(",") if options.classes else None
    training = TrainingIds.of(store, split_rows(store, "train", classes, limit).tolist())
    model = out / "model.safetensors"
    with deterministic(), processes(device) as group:
        key = run_key("kato", store, options, limit, mixed_precision, group)
        plan = Plan(
            options.steps, options.save_every, options.validate_every, _LOG_EVERY, key,
            training_metadata(training),
        )  # fmt: skip
        quiet = quiet or not group.first
        task = KatoTask(store, widths, options, group.device, limit, quiet, mixed_precision, group)

        def finish(history: list[dict[str, float]]) -> None:
            record = {
                "architecture": str(widths),
                "parameters": widths.parameters,
                "settings": key,
                "train_split_hash": store.split_hash("train"),
                "history": history,
            }
            write_trained(model, task.network.tensors(), FORMAT, training, record, options.half)

        label = f"train kato on {store.id}"
        run_training(task, plan, out, label, quiet, finish, group, tensorboard)
    return model


def check_options(options: KatoOptions) -> Widths:
    """The widths asked for.

    Raises:
        UsageError: A value makes no sense.
    """
    wanted = {"channels": 3, "encoder_hidden": 2, "decoder_hidden": 2}
    for name, count in wanted.items():
        value = getattr(options, name)
        if len(value) != count or min(value) < 1:
            raise UsageError(f"{name} takes {count} positive widths, not {value}")
    for name in ("feature", "batch", "steps", "save_every"):
        if getattr(options, name) < 1:
            raise UsageError(f"{name} must be at least 1, not {getattr(options, name)}")
    if not options.learning_rate > 0 or options.smoothness < 0 or options.warmup < 0:
        raise UsageError("learning_rate must be positive, smoothness and warmup not negative")
    if options.schedule not in ("step", "cosine"):
        raise UsageError(
            f"unknown schedule '{options.schedule}'", hint="--set schedule=step or cosine"
        )
    return Widths(options.channels, options.encoder_hidden, options.feature, options.decoder_hidden)


def learning_rate(options: KatoOptions, step: int) -> float:
    """Adam's alpha in step `step`, from 1.

    Example:
        >>> options = KatoOptions(steps=100, learning_rate=1.0)
        >>> learning_rate(options, 95), learning_rate(options, 96)
        (1.0, 0.1)
    """
    rate = options.learning_rate
    if step <= options.warmup:
        return rate * step / options.warmup
    if options.schedule == "cosine":
        share = (step - 1 - options.warmup) / max(options.steps - options.warmup, 1)
        return rate * 0.5 * (1 + math.cos(math.pi * share))
    return rate * (0.1 if step > options.reduce_at * options.steps else 1.0)


class KatoTask:
    """Network, optimiser and data of one run; see `benchbench.baselines.training.Task`.

    Args:
        store: The data set.
        widths: Of the network.
        options: Recipe.
        device: Where this process computes.
        limit: Use the first that many training objects only.
        quiet: No progress.
        mixed_precision: The network computes in bfloat16.
        group: The processes that share each batch.
    """

    def __init__(
        self,
        store: Any,
        widths: Widths,
        options: KatoOptions,
        device: str,
        limit: int | None,
        quiet: bool,
        mixed_precision: bool = False,
        group: Processes = ALONE,
    ) -> None:
        self.options, self.device = options, device
        self.mixed_precision, self.group = mixed_precision, group
        self.network = Network(widths)
        self.network.initialise(options.seed)
        self.network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.shared_network = group.wrap(self.network)
        self.parameters = self.network.chainer_parameters()
        self.optimizer = SkippingAdam(dict(self.parameters), MULTIPLIERS)
        classes = options.classes.split(",") if options.classes else None
        self.pairs = Pairs(store, options.rendering, classes, limit, quiet)
        faces = sphere_642()[1]
        self.faces = torch.tensor(faces, device=device)
        self.edges = torch.from_numpy(edges_of(faces)).to(device)
        self.eyes = torch.tensor(
            [get_points_from_angles(DISTANCE, ELEVATION, -15.0 * view) for view in range(VIEWS)],
            dtype=torch.float32,
            device=device,
        )
        self.held_out = _HeldOut(store, options, classes) if options.validate_every else None

    def step(self, number: int) -> dict[str, float]:
        drawn = self.pairs.draw(self.options.seed, number, self.options.batch)
        share = self.group.share(self.options.batch)
        rows, view_a, view_b = (values[share.rows] for values in drawn)
        images_a = self._pictures(rows, view_a)
        images_b = self._pictures(rows, view_b)
        silhouettes, smoothness = pair_losses(
            self._vertices, images_a, images_b, self.eyes[view_a], self.eyes[view_b],
            self.faces, self.edges if self.options.smoothness else None,
        )  # fmt: skip
        loss = silhouettes + self.options.smoothness * smoothness
        self.optimizer.zero_grad()
        (loss * share.weight).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step(number, learning_rate(self.options, number))
        logged = {"loss": float(loss.detach()), "silhouette_iou": 1 - float(silhouettes.detach())}
        if self.options.smoothness:
            logged["smoothness"] = float(smoothness.detach())
        return self.group.mean(logged, share.weight)

    def validate(self, number: int) -> dict[str, float]:
        return self.held_out(self.network, self.device) if self.held_out else {}

    def state(self) -> dict[str, Tensor]:
        return {**self.parameters, **self.optimizer.state()}

    def load(self, state: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state[name])
        self.optimizer.load(state)

    def pictures(self, number: int) -> dict[str, NDArray[np.uint8]]:
        """For TensorBoard: some training pictures on white, their masks, and what is drawn."""
        rows = np.linspace(0, len(self.pairs.pictures) - 1, _SHOWN).astype(np.int64)
        views = np.arange(_SHOWN) * 3 % VIEWS
        seen = self.pairs.pictures[rows, views]
        with torch.no_grad():
            vertices = self.network(self._pictures(rows, views))
            drawn = kato_silhouettes(vertices, self.faces, self.eyes[views]).cpu().numpy()
        grey = np.concatenate([seen[:, 3], (drawn * 255).astype(np.uint8)], axis=1)
        strips = np.concatenate(
            [255 - seen[:, :3].transpose(0, 2, 3, 1), grey[..., None].repeat(3, -1)], axis=1
        )
        return {"pictures, masks, silhouettes": np.concatenate(list(strips), axis=1)}

    def _vertices(self, images: Tensor) -> Tensor:
        with precision(self.device, self.mixed_precision):
            vertices: Tensor = self.shared_network(images)
        return vertices.float()

    def _pictures(self, rows: np.ndarray, views: np.ndarray) -> Tensor:
        chosen = torch.from_numpy(self.pairs.pictures[rows, views])
        return chosen.to(self.device).float().div_(255)


def pair_losses(
    network: Callable[[Tensor], Tensor],
    images_a: Tensor,
    images_b: Tensor,
    eyes_a: Tensor,
    eyes_b: Tensor,
    faces: Tensor,
    edges: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Kato's losses of a batch of pairs: each mesh is seen from both viewpoints.

    Args:
        network: Pictures to vertices.
        images_a: (B, 4, 64, 64) first views; the fourth channel is the target silhouette.
        images_b: (B, 4, 64, 64) second views of the same objects.
        eyes_a: (B, 3) viewpoints of the first.
        eyes_b: (B, 3) viewpoints of the second.
        faces: (F, 3) int32.
        edges: From `edges_of`, or None to leave the smoothness out.

    Returns:
        Silhouette loss (mean of four) and smoothness loss (0 where left out), scalars.
    """
    batch = len(images_a)
    vertices = network(torch.cat([images_a, images_b]))
    # Order of the pictures: a|A, b|A, a|B, b|B, "mesh from x seen from Y".
    drawn = kato_silhouettes(
        torch.cat([vertices, vertices]), faces, torch.cat([eyes_a, eyes_a, eyes_b, eyes_b])
    )
    target_a, target_b = images_a[:, 3], images_b[:, 3]
    losses = [
        silhouette_iou_loss(part, target)
        for part, target in zip(
            drawn.split(batch), (target_a, target_a, target_b, target_b), strict=True
        )
    ]
    silhouettes = (losses[0] + losses[1] + losses[2] + losses[3]) / 4
    if edges is None:
        return silhouettes, torch.zeros((), device=vertices.device)
    halves = vertices.split(batch)
    smoothness = (smoothness_loss(halves[0], edges) + smoothness_loss(halves[1], edges)) / 2
    return silhouettes, smoothness


class _HeldOut:
    """Voxel IoU on the first val objects of each class, one view each."""

    def __init__(self, store: Any, options: KatoOptions, classes: list[str] | None) -> None:
        rows = split_rows(store, "val", classes, None)
        kind = "kato" if "kato" in store.voxel_kinds else None
        taken: dict[str, int] = {}
        self.items: list[tuple[int, int]] = []
        for index in rows.tolist():
            synset = store.class_of(index)
            number = taken.setdefault(synset, 0)
            if number < options.validate_objects and store.voxel_kinds:
                taken[synset] = number + 1
                self.items.append((index, 7 * len(self.items) % VIEWS))
        self.groups = np.array([store.class_indices[index] for index, _ in self.items], np.int64)
        if not self.items:
            return
        self.pictures = network_pictures(store, self.items, options.rendering, INPUT)
        grids = [store.voxels(index, kind) for index, _ in self.items]
        self.truth = torch.from_numpy(np.stack(grids))
        self.to_grid = np.linalg.inv(store.grid_to_object(kind)) @ TO_OBJECT

    def __call__(self, network: Network, device: str) -> dict[str, float]:
        from benchbench.cuda_ops import voxel_iou, voxelize

        if not self.items:
            return {}
        resolution = self.truth.shape[1]
        matrix = torch.from_numpy(self.to_grid / resolution)
        values = []
        with torch.no_grad():
            for start in range(0, len(self.items), 64):
                part = slice(start, start + 64)
                images = torch.from_numpy(self.pictures[part]).to(device).float() / 255
                vertices = network(images).cpu().double()
                inside = vertices @ matrix[:3, :3].T + matrix[:3, 3]
                grids = voxelize(inside.float(), torch.tensor(sphere_642()[1]), resolution)
                values.append(voxel_iou(grids, self.truth[part]).numpy())
        scores = np.concatenate(values)
        means = [float(scores[self.groups == g].mean()) for g in np.unique(self.groups)]
        return {"val_iou": float(np.mean(means))}
