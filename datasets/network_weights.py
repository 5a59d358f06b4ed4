"""Weights of other people's networks that a training may start from; prepared like a data set.

Source: torchvision, `torchvision/models/resnet.py`. It publishes of each file the first eight
digits of its sha256, as the last word of its name; the whole hash is noted at the first use.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from benchbench.core.errors import CheckError, MissingError
from benchbench.core.files import atomic_path, sha256_file
from benchbench.core.names import require
from benchbench.core.paths import data_root
from benchbench.datasets import consent
from benchbench.datasets.download import Fetched, fetch, present, refuse_offline
from benchbench.datasets.spec import Archive, Licence

_LICENCE = Licence(
    name="torchvision's weights",
    url="https://github.com/pytorch/vision",
    text=(
        "torchvision has the BSD-3-Clause licence. Its weights were trained on ImageNet, whose "
        "terms of access allow non-commercial research and education; whether they bind weights "
        "is disputed, and yours to judge."
    ),
    cite=("He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition. CVPR 2016",),
)


@dataclass(frozen=True)
class NetworkWeights:
    """One file of weights.

    Attributes:
        id: Name on the command line.
        title: One line.
        archive: What is fetched.
        licence: Terms.
    """

    id: str
    title: str
    archive: Archive
    licence: Licence = _LICENCE


def _resnet18(start: str, about: str) -> NetworkWeights:
    name = f"resnet18-{start}.pth"
    mirrors = (f"https://download.pytorch.org/models/{name}",)
    archive = Archive(name, mirrors, about_bytes=47_000_000, sha256_start=start)
    return NetworkWeights(f"imagenet-{name.removesuffix('.pth')}", about, archive)


NETWORK_WEIGHTS = {
    weights.id: weights
    for weights in (
        _resnet18("f37072fd", "ResNet-18 trained on ImageNet (torchvision 0.10 and later)"),
        _resnet18("5c106cde", "ResNet-18 trained on ImageNet (until torchvision 0.9)"),
    )
}


def weights_file(name: str, root: str | Path | None = None) -> Path:
    """Where prepared weights lie, whether they do or not."""
    require(name, NETWORK_WEIGHTS, "weights")
    return data_root(root) / "weights" / NETWORK_WEIGHTS[name].archive.name


def prepared_weights(name: str, root: str | Path | None = None) -> Fetched:
    """Weights that were prepared, checked.

    Raises:
        UsageError: Nothing is called so.
        MissingError: They are not prepared.
        CheckError: The file is another one (it is renamed to .bad).
    """
    path = weights_file(name, root)
    found = present(NETWORK_WEIGHTS[name].archive, path.parent, rehash=True)
    if found is None:
        raise MissingError(f"'{name}' is not prepared", hint=f"bench prepare {name}")
    return found


def prepare_weights(
    name: str,
    root: str | Path | None = None,
    *,
    source: Path | None = None,
    accept_license: bool = False,
    quiet: bool = False,
) -> Fetched:
    """Fetches weights, or takes them from a folder; what is there already is checked.

    Args:
        name: Of `NETWORK_WEIGHTS`.
        root: Folder of the data sets; the file goes to `weights/` in it.
        source: Folder that holds the file; nothing is fetched.
        accept_license: The terms are accepted.
        quiet: No progress.

    Raises:
        UsageError: Nothing is called so.
        MissingError: The terms are not accepted, the network is off, or `source` lacks the file.
        CheckError: The file has another hash.
        BenchError: It could not be fetched.
    """
    path = weights_file(name, root)
    weights = NETWORK_WEIGHTS[name]
    found = present(weights.archive, path.parent, rehash=True)
    if found is not None:
        return found
    if source is None:
        command = f"bench prepare {name}"
        consent.require_consent(data_root(root), name, weights.licence, accept_license)
        refuse_offline(f"fetching '{name}'", command)
        consent.keep_consent(data_root(root), name, weights.licence)
        return fetch(weights.archive, path.parent, quiet, command=command)
    theirs = source if source.is_file() else source / path.name
    if not theirs.is_file():
        raise MissingError(
            f"'{source}' holds no '{path.name}'", hint=f"bench prepare {name} fetches it"
        )
    with atomic_path(path) as temporary:
        shutil.copyfile(theirs, temporary)
        digest = sha256_file(temporary)
        if not digest.startswith(weights.archive.sha256_start):
            raise CheckError(
                f"'{theirs}' has sha256 {digest}, {weights.archive.sha256_start}... belongs",
                hint=f"bench prepare {name} fetches it",
            )
    # Whoever has the file has been asked for its terms by those who gave it.
    consent.record(data_root(root), name, weights.licence, "own files")
    return prepared_weights(name, root)
