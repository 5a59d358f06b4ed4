"""View Prior Learning's network, ready to predict: learn3D's encoder and generator."""

from __future__ import annotations

from pathlib import Path

from benchbench.baselines.checkpoints import SHIPPED
from benchbench.baselines.learn3d.model import Learn3dBaseline, build
from benchbench.baselines.vpl.spec import SPEC, VplParameters


def load(
    checkpoint: str | Path | None, device: str = "cpu", parameters: VplParameters | None = None
) -> Learn3dBaseline:
    """Builds the baseline from a checkpoint, or from the shipped weights.

    Raises:
        MissingError: No such file, or no shipped weights in this installation.
        InputError: The file cannot be read.
        CheckError: The file holds another architecture.
        UsageError: The device is not there, or the network takes other pictures than Kato's.
    """
    return build(SPEC, checkpoint, device, parameters or VplParameters(), SHIPPED, "kato")
