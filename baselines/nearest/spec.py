"""Image retrieval: the training object whose picture looks most like the given one."""

from __future__ import annotations

from dataclasses import dataclass

from benchbench.baselines.spec import BaselineSpec, InputForm


@dataclass(frozen=True)
class NearestParameters:
    """What `load_baseline("nearest", ...)` accepts by keyword.

    Attributes:
        block_size: Pictures that are compared at once.
        rendering: Which of the data set's renderings to look at; None for the preferred one.
        views: Take the first that many pictures of each training object; None for all.
    """

    block_size: int = 256
    rendering: str | None = None
    views: int | None = None


INPUT = InputForm(16, "rgba", "inverted")
SPEC = BaselineSpec(
    id="nearest",
    title="Image retrieval: the shape of the training object with the most similar picture",
    paper="",
    licence="MIT",
    takes="image",
    output="mesh or voxels",
    renderings=("kato", "choy"),
    datasets=("shapenet", "shapes13"),
    input=INPUT,
    parameters=NearestParameters,
    loader="benchbench.baselines.nearest.model:load",
    supervision="pictures and true shapes, looked up",
    networks="joint",
)
