"""3D-R2N2: pictures of an object, one after another, remembered in a grid of recurrent cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchbench.baselines.spec import BaselineSpec, InputForm


@dataclass(frozen=True)
class R2N2Parameters:
    """What `load_baseline("r2n2", ...)` accepts by keyword.

    Attributes:
        block_size: Objects in one forward pass; the last block is padded to it, because a
            network's last bits depend on the batch.
        rendering: Which of the data set's renderings to look at; None for the preferred one.
        views: Views of an object seen together by items of view -1; `bench run --views K` sets it.
        network: Which network a published file without names holds ("3d-lstm-3" and "3d-gru-3"
            have the same list of shapes); None for the published ones.
        threshold: A cell is occupied if its probability is at least this; None for the
            checkpoint's own, which is 0.4 for the published weights.
    """

    block_size: int = 16
    rendering: str | None = None
    views: int = 1
    network: str | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class R2N2Options:
    """What `bench train --baseline r2n2` accepts after `--set`.

    The defaults are r2n2.md 7.1's (res_gru_net.sh): 60,001 steps of 24 objects, 1 to 5 views.

    Attributes:
        network: "res3d-gru-3", "3d-gru-3", "3d-gru-1", "3d-lstm-3" or "3d-lstm-1".
        steps: Optimisation steps.
        batch: Objects a step.
        views: Most views of an object; every step draws from 1 to this many.
        learning_rate: Adam's rate.
        schedule: "step" (the original: times 0.1 after each of `reduce_after`) or "cosine" (half a
            cosine wave down to 0).
        reduce_after: Steps after which "step" lowers the rate.
        warmup: Steps over which the rate rises linearly from 0; 0 is the original's.
        slower: Factor to the rate of encoder and cell; 1 is the original's. At a high rate the
            recurrent state saturates before the pictures' differences reach the decoder.
        decay: Weight of the squared weights' gradient; biases do not decay.
        stop_loss: A step whose loss exceeds this ends the training as failed.
        background: Lowest and highest grey of the random background, drawn per channel.
        crop: Random offsets of the crop, from 0 to this many pixels less one; 0 cuts the middle.
        mirror: Mirror half of the pictures, never the voxels, as the original does.
        seed: Key of the initial weights and of every draw.
        channels: Widths of the encoder's six stages.
        feature: Width of the dense layer.
        decoder: Channels of the state and of the decoder's first four stages.
        rendering: Which rendering to train on.
        kind: Which of the data set's 32^3 voxel grids is the target; None for "binvox", else the
            set's first.
        classes: Names or synsets with commas between; None for all.
        threshold: Written into the weights for prediction; None chooses it on the val split.
        validate_every: Steps between checks on the val split; 0 for never.
        validate_objects: Objects of each class in that check.
        save_every: Steps between checkpoints.
        half: Store the final weights in 16 bits (the running state stays 32).
    """

    network: str = "res3d-gru-3"
    steps: int = 60_001
    batch: int = 24
    views: int = 5
    learning_rate: float = 1e-4
    schedule: str = "step"
    reduce_after: tuple[int, ...] = (20_001, 60_001)
    warmup: int = 0
    slower: float = 1.0
    decay: float = 5e-5
    stop_loss: float = 2.0
    background: tuple[int, ...] = (225, 255)
    crop: int = 10
    mirror: bool = True
    seed: int = 0
    channels: tuple[int, ...] = (96, 128, 256, 256, 256, 256)
    feature: int = 1024
    decoder: tuple[int, ...] = (128, 128, 128, 64, 32)
    rendering: str = "choy"
    kind: str | None = None
    classes: str | None = None
    threshold: float | None = 0.4
    validate_every: int = 2_000
    validate_objects: int = 10
    save_every: int = 10_000
    half: bool = False


PRESETS: dict[str, dict[str, Any]] = {
    # All five learn by the same recipe; only the network's name differs.
    **{
        network: {"network": network}
        for network in ("res3d-gru-3", "3d-gru-3", "3d-gru-1", "3d-lstm-3", "3d-lstm-1")
    },
    # For the embedded set: a fiftieth of the network, a seventieth of the pictures.
    "shapes13": {
        "channels": (8, 16, 16, 32, 32, 32),
        "feature": 64,
        "decoder": (32, 32, 32, 8, 8),
        "views": 2,
        "batch": 4,
        "steps": 10_000,
        "learning_rate": 1e-3,
        "slower": 0.1,
        "warmup": 50,
        "schedule": "cosine",
        "background": (240, 240),
        "crop": 0,
        "mirror": False,
        "threshold": None,
        "validate_objects": 4,
        "validate_every": 1000,
        "save_every": 200,
        "half": True,
    },
}
INPUT = InputForm(127, "rgb", "keyed", background=240, crop_from=137)
SPEC = BaselineSpec(
    id="r2n2",
    title="3D-R2N2: voxels from one or several pictures by a recurrent network",
    paper="Choy, Xu, Gwak, Chen, Savarese: 3D-R2N2. ECCV 2016",
    licence="MIT",
    takes="image",
    output="voxels",
    renderings=("choy",),
    datasets=("shapenet", "shapes13"),
    input=INPUT,
    parameters=R2N2Parameters,
    loader="benchbench.baselines.r2n2.model:load",
    trainer="benchbench.baselines.r2n2.train:train",
    options="benchbench.baselines.r2n2.spec:R2N2Options",
    protocols=("r2n2-iou-v1",),
    several_views=True,
    presets=PRESETS,
    supervision="true voxels",
)
