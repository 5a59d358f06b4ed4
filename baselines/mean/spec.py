"""The average training shape of the true class: what knowing the class alone is worth."""

from __future__ import annotations

from dataclasses import dataclass

from benchbench.baselines.spec import BaselineSpec


@dataclass(frozen=True)
class MeanParameters:
    """What `load_baseline("mean", ...)` accepts by keyword.

    Attributes:
        kind: Which of the data set's voxel grids to average. None takes "house" where the set
            has meshes (32 cells a side of the unit cube, Kato's voxeliser, as in the project's
            own IoU), else "binvox", else the set's first.
    """

    kind: str | None = None


SPEC = BaselineSpec(
    id="mean",
    title="Average training grid of the object's true class (the class is given)",
    paper="",
    licence="MIT",
    takes="class",
    output="voxels",
    renderings=(),
    datasets=("shapenet", "shapes13"),
    input=None,
    parameters=MeanParameters,
    loader="benchbench.baselines.mean.model:load",
    supervision="true voxels and classes, averaged",
    networks="per class",
)
