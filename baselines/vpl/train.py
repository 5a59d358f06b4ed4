"""Training View Prior Learning as learn3D re-implements it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchbench.baselines.devices import check_device
from benchbench.baselines.learn3d.examples import Batch, Examples, check_form, kato_eyes
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
from benchbench.baselines.learn3d.objective import is_discriminating
from benchbench.baselines.learn3d.silhouettes import SIZE
from benchbench.baselines.training_ids import TrainingIds
from benchbench.baselines.vpl.discriminator import Judge, ViewDiscriminator
from benchbench.baselines.vpl.objective import view_losses, view_shifts
from benchbench.baselines.vpl.spec import VplOptions
from benchbench.core.errors import UsageError


def train(
    store: Any,
    out: str | Path,
    options: VplOptions | None = None,
    *,
    device: str = "cpu",
    limit: int | None = None,
    quiet: bool = False,
    mixed_precision: bool = False,
    tensorboard: bool = False,
) -> Path:
    """Trains, resuming by itself, and writes `model.safetensors` and `model.json` into `out`.

    Under `torchrun` the discriminator's batch norms see each process's own share of a batch.

    Args:
        store: A prepared data set whose rendering has Kato's cameras.
        out: Folder of this run; holds the running state too.
        options: Recipe and widths.
        device: "cpu" or "cuda".
        limit: Use the first that many training objects only.
        quiet: No progress on stderr.
        mixed_precision: Encoder and generator compute in bfloat16, the rest in 32 bits.
        tensorboard: Also write `out/tensorboard`.

    Returns:
        The file of weights, for `load_baseline("vpl", checkpoint=...)`.

    Raises:
        UsageError: An option makes no sense, or the rendering has other cameras.
        MissingError: The data set has no training objects, or TensorBoard is not installed.
        CheckError: `out` belongs to a run with other settings.
    """
    recipe = options or VplOptions()
    check_device(device)
    form = check_form("kato", store, recipe.rendering)
    check_options(recipe)
    if len(recipe.discriminator) != 4 or min(recipe.discriminator) < 1:
        raise UsageError(f"discriminator takes four widths, not {recipe.discriminator}")
    if not recipe.adversarial >= 0:
        raise UsageError(f"adversarial must not be negative, but is {recipe.adversarial}")
    widths = conv_widths(recipe, form, SIZE, False)
    rows, classes = training_rows(store, recipe, limit, "vpl")

    def make(run: Running) -> VplTask:
        examples = Examples(store, form, rows, recipe.rendering, SIZE, quiet=run.quiet)
        with torch.random.fork_rng(devices=[]):  # torch's own initial weights are not used
            discriminator = Judge(ViewDiscriminator(1 + examples.bin_count, recipe.discriminator))
        held_out = held_out_of(store, widths, examples, recipe, classes)
        return VplTask(widths, discriminator, examples, held_out, recipe, run)

    training = TrainingIds.of(store, rows)
    settings = Settings(device, quiet, mixed_precision, tensorboard)
    return fit("vpl", make, store, Path(out), recipe, training, limit, settings)


class VplTask(AdversarialTask):
    """Odd iterations train the discriminator of views, even ones deceive it."""

    options: VplOptions

    def adversarial_losses(
        self, number: int, batch: Batch, codes: Tensor, vertices: Tensor, drawn: Tensor
    ) -> Losses:
        count = self.examples.bin_count
        shifts = view_shifts(batch.total, count, self.options.seed, number)[batch.share.rows]
        new = (batch.bins + torch.from_numpy(shifts).to(self.device)) % count
        # The discriminator's own lesson needs no gradient of the drawing.
        seen = vertices.detach() if is_discriminating(number) else vertices
        other = self.draw(seen, torch.from_numpy(kato_eyes()).to(self.device)[new])
        return view_losses(
            number, drawn, other, batch.bins, new, self.shared_discriminator,
            self.options.adversarial,
        )  # fmt: skip
