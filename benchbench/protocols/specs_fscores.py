"""Protocols whose number is an F-score: What3D, LegoFormer, DIB-R (2019)."""

from __future__ import annotations

from dataclasses import replace

from benchbench.protocols.specs import MetricSpec, ProtocolSpec
from benchbench.protocols.specs_surface import DIBR_CHAMFER

_WHAT3D_MESH = (
    "what3d-marching-cubes-v1: padded by one empty cell, level 0 of the grid cut at the method's "
    "threshold, divided by the padded side minus one"
)
_MACRO = "mean over an object's views, then over a class's objects, then over classes; the mean "
_MACRO += "over objects is reported beside it, under its own name"


def _ratio(name: str, title: str, formula: str) -> MetricSpec:
    return MetricSpec(name, title, formula, "ratio", True, 3, 0.0)


WHAT3D = ProtocolSpec(
    id="what3d-fscore-v1",
    title="F-score of What3D at 1 % of the cube, precision and recall named rightly",
    paper="Tatarchenko et al.: What Do Single-view 3D Reconstruction Networks Learn?, CVPR 2019",
    reference="lmb-freiburg/what3d@a182b68: eval.py:20-62, util.py:39-73",
    data="ShapeNetCore of all 55 classes, 10,432 test objects, clouds as PLY files",
    views_rule="5 views of each object; here the views that were predicted",
    frame="camera frame in the original, a cube of side 1; a turn changes no distance, so the "
    "object frame is kept, longest edge 1",
    alignment="none",
    compared="points of the prediction with points of the truth",
    sampling="10,000 area-weighted points a side, keyed by (seed 0, object id, view), those of the "
    "truth by its id alone; a method's own points are all taken",
    distance="unsquared Euclidean to points",
    combination="2 P R / (P + R)",
    thresholds="0.005, 0.01, 0.02, 0.05, 0.1, 0.2 of the cube's side, <",
    reporting="x1",
    averaging=_MACRO,
    failures="0, as in the original where one cloud is empty",
    scorer="benchbench.protocols.fscores:score_what3d",
    metrics=(
        _ratio("fscore@0.01", "F-score at 1 %", "2 P R / (P + R)"),
        _ratio("precision@0.01", "precision at 1 %", "share of the prediction's points within"),
        _ratio("recall@0.01", "recall at 1 %", "share of the truth's points within"),
        *(
            _ratio(f"fscore@{t}", f"F-score at {percent} %", "2 P R / (P + R)")
            for t, percent in (
                ("0.005", "0.5"), ("0.02", "2"), ("0.05", "5"), ("0.1", "10"), ("0.2", "20")
            )
        ),
    ),
    truth="mesh|points",
    accepts={
        "mesh": "area-weighted samples",
        "voxels": f"{_WHAT3D_MESH}; then area-weighted samples",
        "points": "",
    },
    conversion_truth="area-weighted samples where the set holds no cloud",
    edge_cases=(
        "P + R = 0 gives 0",
        "at level 0 a solid grows by half a cell on each side: a box of ten cells is eleven wide. "
        "A grid identical to the truth's scores 0.17 instead of 0.46 at 32^3 for the reference box",
        "from 1,000 to 10,000 points F at 1 % of one shape with itself cannot reach 1: 0.145 with "
        "1,024, 0.771 with 10,000 for a box 1 x 0.6 x 0.3",
    ),
    faults=(
        "the original's precision is computed from the truth's points and its recall from the "
        "prediction's: its two columns are exchanged, its F is right",
        "level 0 instead of 0.5, and the division by the padded side, in its voxel conversion",
    ),
    used_by=("What3D", "LegoFormer and Pix2Vox++ (see legoformer-fscore-v1)"),
    unconfirmed=(
        "the number of points of its reference clouds; 10,000 here",
        "how large an object is in its cube; longest edge 1 here",
        "that its mean over classes is unweighted",
    ),
    slugs=("what3d-f",),
)  # fmt: skip

LEGOFORMER = replace(
    WHAT3D,
    id="legoformer-fscore-v1",
    title="voxel F-score of LegoFormer and the Pix2Vox++ line, 8,192 points",
    paper="Yagubbayli, Wang, Tonioni, Tombari: LegoFormer, 2021",
    reference="faridyagubbayli/LegoFormer: legoformer/util/metrics.py",
    data="ShapeNetCore v1, Choy's renderings and ShapeNetVox32, Pix2Vox's split",
    views_rule="the first n views; one prediction of several views, or view 0",
    frame="the cube that the grid fills, side 1",
    compared="points on the surfaces of both voxel grids",
    sampling="8,192 area-weighted points a side, keyed by (seed 0, object id, view), those of the "
    "truth by its id alone",
    thresholds="0.01, <; voxel predictions are cut at the method's threshold, p >= t",
    averaging="mean over all samples; the mean over classes is reported beside it, under its own "
    "name",
    failures="0, as in the original where one grid is empty",
    scorer="benchbench.protocols.fscores:score_legoformer",
    metrics=(_ratio("fscore", "F-score at 1 %", "2 P R / (P + R)"),),
    truth="voxels:binvox|lsm|vpl",
    accepts={
        "voxels": _WHAT3D_MESH,
        "mesh": f"house-voxeliser-v1 on the truth's grid, then {_WHAT3D_MESH}",
    },
    views="first",
    conversion_truth=_WHAT3D_MESH,
    edge_cases=(
        "the half cell that What3D's conversion adds is on both sides here",
        "the truth against itself stays below 1: 8,192 points cannot fill a radius of 0.01",
        "voxel predictions on another grid are not accepted",
    ),
    faults=("nobody reproduces Pix2Vox++'s published F-scores (LRGT #12, Pix2Vox #76, what3d #1)",),
    used_by=("LegoFormer", "UMIFormer", "LRGT", "Pix2Vox++ (not reproducible)"),
    unconfirmed=("the threshold on the network's output that each table used",),
    slugs=("voxfscore-legoformer",),
)

DIBR_FSCORE = replace(
    DIBR_CHAMFER,
    id="dibr-fscore-v1",
    title="F-scores of DIB-R's first repository, both meshes at half-extent 0.45",
    paper="Chen et al.: Learning to Predict 3D Objects with an Interpolation-based Differentiable "
    "Renderer, NeurIPS 2019",
    reference="nv-tlabs/DIB-R: dib-render/check_chamfer.py",
    data="ShapeNetCore v1, the paper's own renderings (unreleased)",
    views_rule="one view of each object: view 0",
    frame="the truth's box centred, half-extent 0.45",
    alignment="the prediction's own box to half-extent 0.45 too",
    compared="points on both surfaces",
    sampling="2,500 area-weighted points a side, keyed by (seed 0, object id, view), those of the "
    "truth by its id alone",
    reporting="x1",
    averaging="mean over a class's objects, then over classes; the mean over objects is reported "
    "beside it, under its own name",
    failures="F-score 0, distance sqrt(3) (the original skips unreadable files silently)",
    scorer="benchbench.protocols.fscores:score_dibr_fscore",
    metrics=(
        *(replace(m, decimals=3) for m in DIBR_CHAMFER.metrics[1:]),
        replace(DIBR_CHAMFER.metrics[0], unit="longest edge 0.9", factor=1.0, decimals=4),
    ),
    truth="mesh",
    accepts={
        "mesh": "area-weighted samples",
        "voxels": "marching-cubes-v1 at the method's threshold, then area-weighted samples",
    },
    edge_cases=(
        "0.01 to 0.05 are 0.011 to 0.056 of the longest edge",
        "a prediction of the wrong size or place scores as one of the right: both are fitted",
    ),
    faults=("the paper's renderings are its own: not comparable with Kato's (issue #24)",),
    used_by=("DIB-R",),
    unconfirmed=("which of the nine thresholds the paper's 0.558 belongs to",),
    slugs=("dibr-fscore",),
)

FSCORE_PROTOCOLS = (WHAT3D, LEGOFORMER, DIBR_FSCORE)
