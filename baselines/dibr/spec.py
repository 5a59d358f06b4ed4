"""DIB-R: a sphere moved and coloured by a network that learned from pictures and masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchbench.baselines.spec import BaselineSpec, InputForm


@dataclass(frozen=True)
class DibrParameters:
    """What `load_baseline("dibr", ...)` accepts by keyword.

    Attributes:
        block_size: Pictures in one forward pass; the last block is padded to it, because a
            network's last bits depend on the batch.
        rendering: Which of the data set's renderings to look at; None for the preferred one.
    """

    block_size: int = 64
    rendering: str | None = None


@dataclass(frozen=True)
class DibrOptions:
    """What `bench train --baseline dibr` accepts after `--set`.

    The defaults are the authors' recipe (dibr.md 3): 600 epochs over objects in batches of 32.

    Attributes:
        epochs: Passes over the training objects, where `steps` is none.
        steps: Optimisation steps, or none to count epochs.
        batch: Objects a step; each is seen from `views` sides.
        views: V. A mesh is predicted from each view and drawn in each: V^2 pictures an object.
        learning_rate: Adam's.
        warmup: Steps over which the rate rises linearly from 0; 0 is the authors'.
        schedule: "step" (the authors': halved every `halve_every` steps) or "cosine" (half a
            cosine wave down to 0).
        halve_every: Steps after which "step" halves the rate.
        colour: Weight of the colour loss.
        silhouette: Weight of the silhouette loss.
        laplacian: Weight of the smoothness of offsets.
        flatten: Weight of the angles between faces.
        sigmainv: Sharpness of the soft mask.
        boxlen: Its reach; half the picture's side is 1.
        seed: Key of the initial weights and of every draw; the authors' number.
        point_gain: Factor on the initial weights of the decoder's first layer, which takes the
            template's points: numbers below 0.2, so that at 1 it is long before the decoder
            tells them apart.
        stages: Channels of the encoder's four stages.
        units: Residual units of each stage.
        code: Numbers in the code.
        hidden: Width of the decoder.
        blocks: Residual blocks of the decoder.
        level: Subdivisions of the template's icosahedron (3: 642 vertices, 2: 162).
        image_size: Side in pixels of what the encoder sees and of what is drawn.
        start: Checkpoint of the same widths to go on from, or none; its hash is part of the key.
        imagenet: Which prepared ResNet-18 weights the encoder starts from, such as
            imagenet-resnet18-f37072fd; none starts it from random numbers.
        rendering: Which rendering to train on; none for the preferred one.
        classes: Names or synsets with commas between; None for all.
        validate_every: Steps between scores on the val split; 0 for never.
        validate_objects: Objects of each class in that check.
        save_every: Steps between checkpoints.
        half: Store the final weights in 16 bits (the running state stays 32).
    """

    epochs: int = 600
    steps: int | None = None
    batch: int = 32
    views: int = 2
    learning_rate: float = 1e-4
    warmup: int = 0
    schedule: str = "step"
    halve_every: int = 400_000
    colour: float = 3.0
    silhouette: float = 1.0
    laplacian: float = 0.01
    flatten: float = 0.001
    sigmainv: float = 7000.0
    boxlen: float = 0.02
    seed: int = 1234569527
    point_gain: float = 1.0
    stages: tuple[int, ...] = (64, 128, 256, 512)
    units: tuple[int, ...] = (2, 2, 2, 2)
    code: int = 256
    hidden: int = 512
    blocks: int = 5
    level: int = 3
    image_size: int = 224
    start: str | None = None
    imagenet: str | None = None
    rendering: str | None = None
    classes: str | None = None
    validate_every: int = 10_000
    validate_objects: int = 10
    save_every: int = 10_000
    half: bool = False


_REDUCED: dict[str, Any] = {
    "batch": 8,
    "schedule": "cosine",
    "seed": 0,
    "stages": (16, 32, 64, 128),
    "units": (1, 1, 1, 1),
    "code": 128,
    "hidden": 64,
    "blocks": 3,
    "level": 2,
    "image_size": 64,
    "rendering": "kato",
    "validate_every": 1_000,
    "save_every": 500,
    "half": True,
}
PRESETS: dict[str, dict[str, Any]] = {
    "full": {},
    # The README's checkpoint 469,999 is the state after that many steps and one.
    "published": {"steps": 470_000},
    "shapes13": {
        **_REDUCED,
        "steps": 5_000,
        "learning_rate": 2e-3,
        "warmup": 200,
        "sigmainv": 571.0,  # in pixels what 7000 and 0.02 are at 224
        "boxlen": 0.07,
        "point_gain": 20.0,
    },
    # Goes on from the first part's weights with a mask that reaches half as far, because a wide
    # one leaves thin shapes thinner.
    "shapes13-second": {
        **_REDUCED,
        "steps": 8_000,
        "learning_rate": 1.5e-3,
        "warmup": 100,
        "sigmainv": 2000.0,
        "boxlen": 0.04,
    },
}
# OpenCV's order of channels, and the background that the authors' archive has.
INPUT = InputForm(
    224,
    "bgr",
    "over",
    background=255,
    resize="benchbench.baselines.dibr.pictures:resize_matrix",
    kind="float32",
)
SPEC = BaselineSpec(
    id="dibr",
    title="DIB-R: a sphere moved and coloured, learned from pictures, masks and cameras",
    paper="Chen et al.: Learning to Predict 3D Objects with an Interpolation-based "
    "Differentiable Renderer. NeurIPS 2019",
    licence="Apache-2.0",
    takes="image",
    output="mesh",
    renderings=("dvr", "kato", "choy"),
    datasets=("shapenet-dvr", "shapenet-kato", "shapes13"),
    input=INPUT,
    parameters=DibrParameters,
    loader="benchbench.baselines.dibr.model:load",
    trainer="benchbench.baselines.dibr.train:train",
    options="benchbench.baselines.dibr.spec:DibrOptions",
    protocols=("dibr-chamfer-v1",),
    presets=PRESETS,
    supervision="pictures and silhouettes of 2 views, cameras known",
)
