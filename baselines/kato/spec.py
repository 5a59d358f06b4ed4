"""Kato et al.: a sphere deformed by a network that was trained on silhouettes only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchbench.baselines.spec import BaselineSpec, InputForm
from benchbench.core.classes import SYNSETS


@dataclass(frozen=True)
class KatoParameters:
    """What `load_baseline("kato", ...)` accepts by keyword.

    Attributes:
        block_size: Pictures in one forward pass; the last block is padded to it, because a
            network's last bits depend on the batch.
        rendering: Which of the data set's renderings to look at; None for the preferred one.
    """

    block_size: int = 64
    rendering: str | None = None


@dataclass(frozen=True)
class KatoOptions:
    """What `bench train --baseline kato` accepts after `--set`.

    The defaults are kato.md's (train.sh, multiclass): a million steps of 64 pairs.

    Attributes:
        steps: Optimisation steps.
        batch: Pairs of pictures a step; each pair is two views of one object.
        learning_rate: Adam's alpha.
        warmup: Steps over which the rate rises linearly from 0; 0 is Kato's.
        schedule: "step" (Kato: times 0.1 once, after `reduce_at` of the steps) or "cosine"
            (half a cosine wave down to 0).
        reduce_at: Share of the steps after which "step" lowers the rate.
        smoothness: Weight lambda of the smoothness loss; 0 for several classes, 0.001 for one.
        seed: Key of the initial weights and of every draw.
        channels: Widths of the three convolutions.
        encoder_hidden: Widths of the encoder's first two linear layers.
        feature: Width of the feature, the decoder's input.
        decoder_hidden: Widths of the decoder's two hidden layers.
        rendering: Which rendering to train on; its views must be Kato's 24.
        classes: Names or synsets with commas between; None for all.
        validate_every: Steps between IoU on the val split; 0 for never.
        validate_objects: Objects of each class in that check.
        save_every: Steps between checkpoints.
        half: Store the final weights in 16 bits (the running state stays 32).
    """

    steps: int = 1_000_000
    batch: int = 64
    learning_rate: float = 1e-4
    warmup: int = 0
    schedule: str = "step"
    reduce_at: float = 0.95
    smoothness: float = 0.0
    seed: int = 0
    channels: tuple[int, ...] = (64, 128, 256)
    encoder_hidden: tuple[int, ...] = (1024, 1024)
    feature: int = 512
    decoder_hidden: tuple[int, ...] = (1024, 2048)
    rendering: str = "kato"
    classes: str | None = None
    validate_every: int = 10_000
    validate_objects: int = 10
    save_every: int = 1_000
    half: bool = False


# train.sh: steps of the runs with one class each, in thousands; all with a smoothness of 0.001.
_SINGLE = {
    "airplane": 200, "bench": 100, "cabinet": 40, "car": 50, "chair": 250, "display": 20,
    "lamp": 20, "speaker": 40, "rifle": 130, "sofa": 40, "table": 90, "phone": 30, "vessel": 90,
}  # fmt: skip
PRESETS: dict[str, dict[str, Any]] = {
    "multi-class": {"validate_every": 100_000},
    **{
        f"single-class-{name}": {
            "classes": synset,
            "steps": _SINGLE[name] * 1000,
            "smoothness": 0.001,
            "validate_every": 1000,
        }
        for synset, name in SYNSETS.items()
    },
    # The shipped weights: a twentieth of the network and of the time.
    "shapes13": {
        "channels": (16, 32, 64),
        "encoder_hidden": (128, 128),
        "feature": 128,
        "decoder_hidden": (128, 256),
        "batch": 16,
        "steps": 15_000,
        "learning_rate": 1e-3,
        "warmup": 300,
        "schedule": "cosine",
        "validate_every": 1000,
        "save_every": 500,
        "half": True,
    },
}
INPUT = InputForm(64, "rgba", "inverted")
SPEC = BaselineSpec(
    id="kato",
    title="Neural 3D Mesh Renderer: a deformed sphere, learned from silhouettes",
    paper="Kato, Ushiku, Harada: Neural 3D Mesh Renderer. CVPR 2018",
    licence="MIT",
    takes="image",
    output="mesh",
    renderings=("kato", "choy"),
    datasets=("shapenet-kato", "shapenet", "shapes13"),
    input=INPUT,
    parameters=KatoParameters,
    loader="benchbench.baselines.kato.model:load",
    trainer="benchbench.baselines.kato.train:train",
    options="benchbench.baselines.kato.spec:KatoOptions",
    protocols=("kato-iou-v1",),
    presets=PRESETS,
    supervision="silhouettes of 2 views, cameras known",
)
