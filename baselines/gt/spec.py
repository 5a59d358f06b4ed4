"""The truth itself: the upper end of every table, and a check of the scoring."""

from __future__ import annotations

from dataclasses import dataclass

from benchbench.baselines.spec import BaselineSpec


@dataclass(frozen=True)
class TruthParameters:
    """What `load_baseline("gt", ...)` accepts by keyword.

    Attributes:
        kind: Hand on this voxel grid, even where there is a mesh. None takes the mesh, and where
            there is none "binvox" or the set's first.
    """

    kind: str | None = None


SPEC = BaselineSpec(
    id="gt",
    title="The true mesh (the true voxels where there is no mesh)",
    paper="",
    licence="MIT",
    takes="truth",
    output="mesh or voxels",
    renderings=(),
    datasets=("shapenet", "shapes13"),
    input=None,
    parameters=TruthParameters,
    loader="benchbench.baselines.gt.model:load",
    supervision="nothing: it is the truth",
    networks="none",
)
