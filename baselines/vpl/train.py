"""Training View Prior Learning as learn3D re-implements it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchbench.baselines.kato.model import check_device
from benchbench.baselines.learn3d.examples import Batch, Examples, check_form, kato_eyes
from benchbench.baselines.learn3d.fitting import (
    AdversarialTask,
    Losses,
    check_options,
    conv_widths,
    fit,
    held_out_of,
    training_rows,
)
from benchbench.baselines.learn3d.objective import draw, is_discriminating
from benchbench.baselines.learn3d.silhouettes import SIZE
from benchbench.baselines.training_ids import TrainingIds
from benchbench.baselines.vpl.discriminator import ViewDiscriminator
from benchbench.baselines.vpl.objective import other_views, view_losses
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
) -> Path:
    """Trains, resuming by itself, and writes `model.safetensors` and `model.json` into `out`.

    Args:
        store: A prepared data set whose rendering has Kato's cameras.
        out: Folder of this run; holds the running state too.
        options: Recipe and widths.
        device: "cpu" or "cuda".
        limit: Use the first that many training objects only.
        quiet: No progress on stderr.

    Returns:
        The file of weights, for `load_baseline("vpl", checkpoint=...)`.

    Raises:
        UsageError: An option makes no sense, or the rendering has other cameras.
        MissingError: The data set has no training objects.
        CheckError: `out` belongs to a run with other settings.
    """
    options = options or VplOptions()
    check_device(device)
    form = check_form("kato", store, options.rendering)
    check_options(options)
    if len(options.discriminator) != 4 or min(options.discriminator) < 1:
        raise UsageError(f"discriminator takes four widths, not {options.discriminator}")
    if not options.adversarial >= 0:
        raise UsageError(f"adversarial must not be negative, but is {options.adversarial}")
    widths = conv_widths(options, form, SIZE, False)
    rows, classes = training_rows(store, options, limit, "vpl")
    examples = Examples(store, form, rows, options.rendering, SIZE, quiet=quiet)
    held_out = held_out_of(store, widths, examples, options, classes)
    with torch.random.fork_rng(devices=[]):
        discriminator = ViewDiscriminator(1 + examples.bin_count, options.discriminator)
    task = VplTask(widths, discriminator, examples, held_out, options, device)
    training = TrainingIds.of(store, rows)
    return fit("vpl", task, store, Path(out), limit, quiet, training)


class VplTask(AdversarialTask):
    """Odd iterations train the discriminator of views, even ones deceive it."""

    options: VplOptions

    def adversarial_losses(
        self, number: int, batch: Batch, codes: Tensor, vertices: Tensor, drawn: Tensor
    ) -> Losses:
        count = self.examples.bin_count
        views = other_views(batch.bins.cpu().numpy(), count, self.options.seed, number)
        eyes = torch.from_numpy(kato_eyes()[views]).to(self.device)
        # The discriminator's own lesson needs no gradient of the drawing.
        seen = vertices.detach() if is_discriminating(number) else vertices
        other = draw(seen, eyes, self.topology, self.examples.form.half_field, self.options)
        return view_losses(
            number, drawn, other, batch.bins, torch.from_numpy(views).to(self.device), count,
            self.modules["discriminator"], self.options.adversarial,
        )  # fmt: skip
