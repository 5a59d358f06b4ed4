"""learn3D: shape codes that do not tell from where the picture was taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchbench.baselines.spec import BaselineSpec, InputForm


@dataclass(frozen=True)
class Learn3dParameters:
    """What `load_baseline("learn3d", ...)` accepts by keyword.

    Attributes:
        block_size: Pictures in one forward pass; the last block is padded to it, because a
            network's last bits depend on the batch.
        rendering: Which of the data set's renderings to look at; None for the preferred one.
        form: Which form of data the checkpoint was trained on: "kato", "lsm" or "pascal". None for
            what its file says; published files do not say, and pass for "kato" with four channels
            and for "pascal" with three.
        weights: Which of the shipped weights, where no checkpoint is named: "shapes13" or
            "shapes13-plain".
    """

    block_size: int = 64
    rendering: str | None = None
    form: str | None = None
    weights: str = "shapes13"


@dataclass(frozen=True)
class SilhouetteOptions:
    """Recipe of an auto-encoder from pictures to meshes; the defaults are learn3D's (train.sh).

    Attributes:
        steps: Iterations; odd ones train the discriminator, even ones deceive it.
        batch: Pictures an iteration; an epoch's last one may be smaller.
        learning_rate: Of the three Adam optimisers.
        warmup: Steps over which the rate rises linearly from 0; 0 is the original's.
        schedule: "constant" (the original's, whose decay begins after its last iteration) or
            "cosine" (half a cosine wave down to 0).
        smoothness: Weight of the smoothness loss.
        inflation: Weight of the inflation loss; 0 in all published runs.
        laplacian: Weight of the Laplacian loss of learn3D's history; 0 since.
        edge_length: Weight of the edge length loss of learn3D's history; 0 since.
        seed: Key of the initial weights and of every draw.
        initial_scale: What the initial weights before a ReLU of encoder and generator are
            multiplied by, and of the discriminator: 1 is torch's start, the original's;
            2.45 keeps the size of signals.
        opponent_rate: How many times faster the discriminator learns; 1 in the original.
        channels: Widths of the convolutions, as many as halve the picture to 8 pixels.
        hidden: Widths of the encoder's two linear layers.
        latent: Width of the shape code.
        decoder: Widths of the generator's two hidden layers.
        vertices: Of the template: 42, 162 or 642.
        anti_aliasing: Draw silhouettes twice as large and average them.
        rendering: Which rendering to train on; None for the form's first.
        classes: Names or synsets with commas between.
        joint: Allow several classes in one network; the original trains one network a class.
        validate_every: Steps between IoU on the val split; 0 for never.
        validate_objects: Objects of each class in that check.
        save_every: Steps between checkpoints.
        half: Store the final weights in 16 bits (the running state stays 32).
    """

    steps: int = 20_000
    batch: int = 128
    learning_rate: float = 1e-4
    warmup: int = 0
    schedule: str = "constant"
    smoothness: float = 1e-3
    inflation: float = 0.0
    laplacian: float = 0.0
    edge_length: float = 0.0
    seed: int = 0
    initial_scale: float = 1.0
    opponent_rate: float = 1.0
    channels: tuple[int, ...] = (64, 128, 256)
    hidden: tuple[int, ...] = (1024, 1024)
    latent: int = 512
    decoder: tuple[int, ...] = (1024, 2048)
    vertices: int = 642
    anti_aliasing: bool = True
    rendering: str | None = None
    classes: str | None = None
    joint: bool = False
    validate_every: int = 500
    validate_objects: int = 10
    save_every: int = 500
    half: bool = False


@dataclass(frozen=True)
class Learn3dOptions(SilhouetteOptions):
    """What `bench train --baseline learn3d` accepts after `--set`, beside `SilhouetteOptions`.

    The defaults are those of the proposed method on Kato's data.

    Attributes:
        form: Of the data: "kato" (24 views), "lsm" or "pascal".
        prior: Weight of the squared length of the codes.
        confusion: Weight of the confusion loss; 0 with prior 0 is the plain auto-encoder.
        azimuth_width: Degrees of azimuth a bin ("lsm").
        elevation_width: Degrees of elevation a bin ("lsm").
        train_views: Views of each object that are used, the first ones; 0 for all.
        encoder: "conv" or "resnet18".
        image_size: Side of the pictures: 64, or for "pascal" also 128 ("conv") or 224
            ("resnet18").
        symmetric: Generate one half of the mesh and mirror it.
        discriminator: Widths of its two hidden layers.
    """

    form: str = "kato"
    prior: float = 1.0
    confusion: float = 1.0
    azimuth_width: float = 15.0
    elevation_width: float = 20.0
    train_views: int = 0
    encoder: str = "conv"
    image_size: int = 64
    symmetric: bool = False
    discriminator: tuple[int, ...] = (256, 128)


_PLAIN: Mapping[str, Any] = {"prior": 0.0, "confusion": 0.0}
_LSM: Mapping[str, Any] = {"form": "lsm", "train_views": 1}
_PASCAL: Mapping[str, Any] = {
    "form": "pascal",
    "encoder": "resnet18",
    "image_size": 224,
    "channels": (),
    "hidden": (),
    "symmetric": True,
}
# Of the weights that ship: one small network of all classes, a fraction of the time.
SHAPES13: Mapping[str, Any] = {
    "joint": True,
    "steps": 8000,
    "batch": 32,
    "learning_rate": 1.5e-3,
    "warmup": 200,
    "schedule": "cosine",
    "smoothness": 0.004,
    "laplacian": 0.3,
    "initial_scale": 2.45,
    "channels": (16, 32, 64),
    "hidden": (128, 128),
    "latent": 64,
    "decoder": (128, 256),
    "vertices": 162,
    "anti_aliasing": True,
    "validate_every": 2000,
    "validate_objects": 20,
    "half": True,
}
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "kato": {},
    "kato-plain": _PLAIN,
    "lsm": _LSM,
    "lsm-plain": {**_LSM, **_PLAIN},
    "pascal": {**_PASCAL, "steps": 40_000, "prior": 0.01, "confusion": 0.01},
    "pascal-revision": {**_PASCAL, "steps": 60_000, "prior": 0.01, "confusion": 0.01},
    "pascal-plain": {**_PASCAL, **_PLAIN},
    "kato-without-prior": {"prior": 0.0},
    "kato-without-smoothness": {"smoothness": 0.0},
    "lsm-bins-20-15": {**_LSM, "azimuth_width": 20.0, "elevation_width": 15.0},
    "shapes13": {**SHAPES13, "prior": 0.01, "confusion": 0.25},
    "shapes13-plain": {**SHAPES13, **_PLAIN},
}
"""The published runs train one class: add `--set classes=chair`. `shapes13` are shipped."""

INPUT = InputForm(64, "rgba", "inverted")
SPEC = BaselineSpec(
    id="learn3d",
    title="learn3D: adversarial pose confusion of a shape code, learned from silhouettes",
    paper=(
        "Peng, Wang, Dong, Tan: Learning Pose-invariant 3D Object Reconstruction from Single-view "
        "Images. Neurocomputing 2020, arXiv 2004.01347"
    ),
    licence="MIT",
    takes="image",
    output="mesh",
    renderings=("kato", "lsm", "choy"),
    datasets=("shapenet-kato", "shapenet-lsm", "pascal3d-vpl", "shapenet", "shapes13"),
    input=INPUT,
    parameters=Learn3dParameters,
    loader="benchbench.baselines.learn3d.model:load",
    trainer="benchbench.baselines.learn3d.train:train",
    options="benchbench.baselines.learn3d.spec:Learn3dOptions",
    protocols=("kato-iou-v1",),
    presets=PRESETS,
    supervision="silhouettes of single views, cameras known",
)
