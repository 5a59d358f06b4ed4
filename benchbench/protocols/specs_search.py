"""Protocols that search for a pose before they compare; slow, never a default."""

from __future__ import annotations

from dataclasses import replace

from benchbench.protocols.specs import MetricSpec, ProtocolSpec
from benchbench.protocols.specs_point_sets import PIX3D_CHAMFER

ZEROSHAPE = ProtocolSpec(
    id="zeroshape-v1",
    title="Chamfer distance and F-scores of ZeroShape, the best of 6,912 rotations",
    paper="Huang et al.: ZeroShape, CVPR 2024",
    reference="zxhuang1698/ZeroShape@fe8e004: utils/eval_3D.py, utils/camera.py",
    data="OmniObject3D, Ocrtoc, Pix3D; any prepared set here",
    views_rule="one picture of each object; here the views that were predicted",
    frame="the view's camera; each cloud minus its mean, divided by the larger of its extents "
    "along x and y. Without a view, or in a set without pictures, the object frame",
    alignment="brute force: 24 azimuths, 24 elevations, 12 rolls over full circles; the prediction "
    "is normalised again after each rotation; the first with the smallest distance counts",
    compared="points of the prediction with points of the truth",
    sampling="10,000 area-weighted points a side, keyed by (seed 0, object id, view), those of the "
    "truth by its id alone",
    distance="unsquared Euclidean to points",
    combination="(m1 + m2) / 2",
    thresholds="F-score at 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, <, at the rotation found",
    reporting="x1",
    averaging="mean over objects; the mean over classes is reported beside it",
    failures="distance sqrt(3), F-score 0 (the original puts all points of an empty mesh at the "
    "origin)",
    scorer="benchbench.protocols.zeroshape:score_zeroshape",
    metrics=(
        MetricSpec(
            "chamfer", "Chamfer distance", "(m1 + m2) / 2", "larger of the extents along x and y",
            False, 4, 3.0**0.5,
        ),
        *(
            MetricSpec(f"fscore@{t}", f"F-score at {t}", "2 P R / (P + R)", "ratio", True, 3, 0.0)
            for t in ("0.005", "0.01", "0.02", "0.05", "0.1", "0.2")
        ),
    ),
    truth="mesh|points",
    accepts={
        "mesh": "area-weighted samples",
        "voxels": "marching-cubes-v1 at the method's threshold, then area-weighted samples",
        "points": "10,000 of them by a keyed permutation",
    },
    conversion_truth="area-weighted samples where the set holds no cloud",
    edge_cases=(
        "a minimum over a search: never above the number without it, never comparable with it",
        "the extent along z does not count: a deep object seen from the front is not scaled by "
        "its depth",
        "the unit of length changes with the view",
        "6,912 comparisons an item: about half a minute on one core",
    ),
    faults=(),
    used_by=("ZeroShape",),
    unconfirmed=("that every table of the paper comes from the brute force and not from the ICP "
                 "that the script offers beside it",),
    slugs=("zeroshape-bf",),
)  # fmt: skip

LMNET_ICP = replace(
    PIX3D_CHAMFER,
    id="lmnet-icp-v1",
    title="Chamfer distance of 3D-LMNet after ICP, 1,024 points",
    paper="Mandikal et al.: 3D-LMNet, BMVC 2018",
    reference="val-iisc/3d-lmnet: metrics.py, utils/metrics_utils.py",
    data="ShapeNetCore v1, Choy's renderings",
    frame="each cloud box-centred, longest edge 1",
    alignment="the prediction's own box to the unit cube; then an ICP of the truth onto the "
    "prediction (point to point, at most 1,000 rounds, until the mean distance changes by less "
    "than 1e-10), and the prediction moved by y R - t",
    compared="points of the prediction with points of the truth",
    thresholds="none",
    averaging="mean over a class's objects, then over classes; the original takes the mean of "
    "batch means",
    scorer="benchbench.protocols.icp:score_lmnet",
    accepts={
        "mesh": "area-weighted samples",
        "voxels": "marching-cubes-v1 at the method's threshold, then area-weighted samples",
        "points": "1,024 of them by a keyed permutation",
    },
    edge_cases=(
        "the ICP finds the local minimum that is near, so a prediction turned by 90 degrees stays "
        "wrong",
        "each cloud is fitted to its box first: size and place of a prediction do not count",
    ),
    faults=(
        "the inverse of x R^T + t is applied as y R - t, with the translation not turned back; "
        "kept here",
        "a short last batch weighs as much as a full one; not so here",
        "its EMD is an approximate matching (lmnet-emd-v1, refused)",
    ),
    used_by=("3D-LMNet",),
    unconfirmed=("the reporting factor, presumably 1",),
    slugs=("lmnet-icp",),
)

SEARCH_PROTOCOLS = (LMNET_ICP, ZEROSHAPE)
