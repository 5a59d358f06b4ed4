"""ImageNet weights for the encoder, as `bench prepare` fetched and checked them."""

from __future__ import annotations

from pathlib import Path

from benchbench.baselines.checkpoints import Tensors
from benchbench.baselines.dibr.architecture import Widths
from benchbench.baselines.torch_files import read_state_dict
from benchbench.core.errors import UsageError
from benchbench.datasets.network_weights import prepared_weights

_PREFIX = "encoder.features."


def imagenet_weights(name: str, widths: Widths, root: str | Path | None = None) -> Tensors:
    """Encoder weights by the network's names.

    Args:
        name: "imagenet-resnet18-f37072fd", or "imagenet-resnet18-5c106cde", which the authors'
            version of torchvision had.
        widths: Of the network that is to start from it.
        root: Folder of the data sets.

    Returns:
        The tensors of the encoder's features; its last layer is not among them.

    Raises:
        UsageError: The encoder is no ResNet-18 of full width, or nothing is called so.
        MissingError: The weights are not prepared.
        CheckError: The file is another one, by its hash.
    """
    full = Widths()
    if (widths.stages, widths.units) != (full.stages, full.units):
        raise UsageError(
            f"ImageNet weights fit a ResNet-18 of full width, not stages {widths.stages} of "
            f"{widths.units} units",
            hint="--set imagenet=none",
        )
    return {
        f"{_PREFIX}{key}": value
        for key, value in read_state_dict(prepared_weights(name, root).path).items()
        if not key.startswith("fc.")
    }
