"""Training learn3D's networks: the plain auto-encoder and adversarial pose confusion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchbench.baselines.devices import check_device
from benchbench.baselines.learn3d.architecture import RESNET_SIZE, Widths
from benchbench.baselines.learn3d.examples import Batch, Examples, check_form
from benchbench.baselines.learn3d.fitting import (
    AdversarialTask,
    Losses,
    Running,
    Settings,
    check_options,
    conv_widths,
    fit,
    held_out_of,
    training_rows,
)
from benchbench.baselines.learn3d.forms import Form
from benchbench.baselines.learn3d.network import PoseDiscriminator
from benchbench.baselines.learn3d.objective import pose_losses
from benchbench.baselines.learn3d.silhouettes import SIZE
from benchbench.baselines.learn3d.spec import Learn3dOptions
from benchbench.baselines.training_ids import TrainingIds
from benchbench.core.errors import UsageError


def train(
    store: Any,
    out: str | Path,
    options: Learn3dOptions | None = None,
    *,
    device: str = "cpu",
    limit: int | None = None,
    quiet: bool = False,
    mixed_precision: bool = False,
    tensorboard: bool = False,
) -> Path:
    """Trains, resuming by itself, and writes `model.safetensors` and `model.json` into `out`.

    Args:
        store: A prepared data set of one of the three forms.
        out: Folder of this run; holds the running state too.
        options: Recipe and widths.
        device: "cpu" or "cuda".
        limit: Use the first that many training objects only.
        quiet: No progress on stderr.
        mixed_precision: Encoder and generator compute in bfloat16, the rest in 32 bits.
        tensorboard: Also write `out/tensorboard`.

    Returns:
        The file of weights, for `load_baseline("learn3d", checkpoint=...)`.

    Raises:
        UsageError: An option makes no sense, or the data set is not of that form.
        MissingError: The data set has no training objects, or TensorBoard is not installed.
        CheckError: `out` belongs to a run with other settings.
    """
    recipe = options or Learn3dOptions()
    check_device(device)
    form = check_form(recipe.form, store, recipe.rendering)
    widths = widths_of_options(recipe, form)
    rows, classes = training_rows(store, recipe, limit, "learn3d")

    def make(run: Running) -> Learn3dTask:
        examples = Examples(
            store, form, rows, recipe.rendering, widths.image_size, recipe.train_views,
            (recipe.azimuth_width, recipe.elevation_width), run.quiet,
        )  # fmt: skip
        with torch.random.fork_rng(devices=[]):  # torch's own initial weights are not used
            bins = examples.bin_count
            discriminator = PoseDiscriminator(widths.latent, bins, recipe.discriminator)
        held_out = held_out_of(store, widths, examples, recipe, classes)
        return Learn3dTask(widths, discriminator, examples, held_out, recipe, run)

    training = TrainingIds.of(store, rows)
    settings = Settings(device, quiet, mixed_precision, tensorboard)
    return fit("learn3d", make, store, Path(out), recipe, training, limit, settings)


def widths_of_options(options: Learn3dOptions, form: Form) -> Widths:
    """The widths asked for.

    Raises:
        UsageError: A value makes no sense.
    """
    check_options(options)
    for name in ("prior", "confusion"):
        if not getattr(options, name) >= 0:
            raise UsageError(f"{name} must not be negative, but is {getattr(options, name)}")
    if len(options.discriminator) != 2 or min(options.discriminator) < 1:
        raise UsageError(f"discriminator takes two widths, not {options.discriminator}")
    if not options.azimuth_width > 0 or not options.elevation_width > 0:
        raise UsageError("azimuth_width and elevation_width must be positive")
    if options.symmetric and form.id != "pascal":
        raise UsageError(
            f"symmetric meshes mirror at z = 0, which is no plane of symmetry in form '{form.id}'"
        )
    if form.id != "pascal" and options.image_size != SIZE:
        raise UsageError(
            f"form '{form.id}' has pictures of {SIZE} pixels, not {options.image_size}",
            hint=f"--set image_size={SIZE}",
        )
    if options.encoder == "conv":
        return conv_widths(options, form, options.image_size, options.symmetric)
    if options.encoder != "resnet18":
        raise UsageError(
            f"unknown encoder '{options.encoder}'", hint="--set encoder=conv or resnet18"
        )
    if form.id != "pascal" or options.image_size != RESNET_SIZE or options.latent != 512:
        raise UsageError(
            "the resnet18 encoder takes pictures of form 'pascal' with 224 pixels and has codes "
            "of 512",
            hint="bench train --baseline learn3d --preset pascal",
        )
    return Widths(
        "resnet18", len(form.channels), (), (), options.latent, options.decoder,
        options.vertices, options.symmetric,
    )  # fmt: skip


class Learn3dTask(AdversarialTask):
    """Odd iterations train the discriminator of poses, even ones confuse it."""

    options: Learn3dOptions

    def adversarial_losses(
        self, number: int, batch: Batch, codes: Tensor, vertices: Tensor, drawn: Tensor
    ) -> Losses:
        return pose_losses(number, codes, batch.bins, self.shared_discriminator, self.options)
