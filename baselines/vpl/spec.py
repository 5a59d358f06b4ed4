"""View Prior Learning as re-implemented in learn3D: silhouettes must look right from any view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchbench.baselines.learn3d.spec import INPUT, SHAPES13, SilhouetteOptions
from benchbench.baselines.spec import BaselineSpec


@dataclass(frozen=True)
class VplParameters:
    """What `load_baseline("vpl", ...)` accepts by keyword.

    Attributes:
        block_size: Pictures in one forward pass; the last block is padded to it, because a
            network's last bits depend on the batch.
        rendering: Which of the data set's renderings to look at; None for the preferred one.
    """

    block_size: int = 64
    rendering: str | None = None


@dataclass(frozen=True)
class VplOptions(SilhouetteOptions):
    """What `bench train --baseline vpl` accepts after `--set`, beside `SilhouetteOptions`.

    The defaults are those of learn3D's mode trainCVPR19.

    Attributes:
        adversarial: Weight of deceiving the discriminator.
        discriminator: Widths of its four convolutions.
    """

    adversarial: float = 1.0
    discriminator: tuple[int, ...] = (128, 256, 512, 1024)


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "kato": {},
    "shapes13": {**SHAPES13, "adversarial": 0.1, "discriminator": (8, 8, 16, 16)},
}
"""The published run trains one class: add `--set classes=chair`. `shapes13` is shipped."""

SPEC = BaselineSpec(
    id="vpl",
    title="View Prior Learning as in learn3D: a discriminator of views, from silhouettes",
    paper=(
        "Kato, Harada: Learning View Priors for Single-view 3D Reconstruction. CVPR 2019; "
        "re-implementation of Peng, Wang, Dong, Tan, Neurocomputing 2020"
    ),
    licence="MIT",
    takes="image",
    output="mesh",
    renderings=("kato", "choy"),
    datasets=("shapenet-kato", "shapenet", "shapes13"),
    input=INPUT,
    parameters=VplParameters,
    loader="benchbench.baselines.vpl.model:load",
    trainer="benchbench.baselines.vpl.train:train",
    options="benchbench.baselines.vpl.spec:VplOptions",
    protocols=("kato-iou-v1",),
    presets=PRESETS,
    supervision="silhouettes of single views, cameras known, and a discriminator of views",
)
