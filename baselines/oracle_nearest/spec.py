"""Retrieval by the truth: the training object nearest to the object itself."""

from __future__ import annotations

from dataclasses import dataclass

from benchbench.baselines.spec import BaselineSpec


@dataclass(frozen=True)
class OracleParameters:
    """What `load_baseline("oracle-nearest", ...)` accepts by keyword.

    Attributes:
        by: "iou": the best voxel IoU; "chamfer": the smallest Chamfer distance of 128 points
            each, the mean of both directions' mean distances.
        kind: Which voxel grid "iou" compares; None as for 'mean': "house" where there are
            meshes, else "binvox", else the set's first.
    """

    by: str = "iou"
    kind: str | None = None


SPEC = BaselineSpec(
    id="oracle-nearest",
    title="Retrieval by the truth: the training shape nearest to the true one",
    paper="after Tatarchenko et al.: What Do Single-View 3D Reconstruction Networks Learn? "
    "CVPR 2019",
    licence="MIT",
    takes="truth",
    output="mesh or voxels",
    renderings=(),
    datasets=("shapenet", "shapes13"),
    input=None,
    parameters=OracleParameters,
    loader="benchbench.baselines.oracle_nearest.model:load",
    supervision="true shapes, looked up by the truth",
    networks="joint",
)
