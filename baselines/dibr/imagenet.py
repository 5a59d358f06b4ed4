"""ImageNet weights for the encoder, from a file that the user fetched, checked by its hash."""

from __future__ import annotations

from pathlib import Path

from benchbench.baselines.checkpoints import Tensors
from benchbench.baselines.dibr.architecture import Widths
from benchbench.baselines.torch_files import read_state_dict
from benchbench.core.errors import CheckError, MissingError, UsageError
from benchbench.core.files import sha256_file

URL = "https://download.pytorch.org/models/resnet18-f37072fd.pth"
"""torchvision's; the last word of the name is the start of the file's sha256."""
HASHES = {
    "f37072fd": "resnet18-f37072fd.pth (torchvision 0.10 and later)",
    "5c106cde": "resnet18-5c106cde.pth (until torchvision 0.9: what the authors started from)",
}
_PREFIX = "encoder.features."


def imagenet_weights(path: str | Path, widths: Widths) -> Tensors:
    """Encoder weights by the network's names.

    Args:
        path: torchvision's file of ResNet-18.
        widths: Of the network that is to start from it.

    Returns:
        The tensors of the encoder's features; its last layer is not among them.

    Raises:
        MissingError: There is no such file.
        UsageError: The encoder is no ResNet-18 of full width.
        CheckError: The file is none of torchvision's, by its hash.
    """
    path = Path(path)
    full = Widths()
    if (widths.stages, widths.units) != (full.stages, full.units):
        raise UsageError(
            f"ImageNet weights fit a ResNet-18 of full width, not stages {widths.stages} of "
            f"{widths.units} units",
            hint="--set imagenet=none",
        )
    if not path.is_file():
        raise MissingError(f"no ImageNet weights '{path}'", hint=f"curl -O {URL}")
    digest = sha256_file(path)
    if digest[:8] not in HASHES:
        raise CheckError(
            f"'{path}' has sha256 {digest[:8]}..., torchvision's ResNet-18 "
            f"{' or '.join(HASHES)}...",
            hint=f"curl -O {URL}",
        )
    return {
        f"{_PREFIX}{name}": value
        for name, value in read_state_dict(path).items()
        if not name.startswith("fc.")
    }
