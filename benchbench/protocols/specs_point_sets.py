"""Protocols that compare two clouds of points, as methods that predict points introduced them."""

from __future__ import annotations

from dataclasses import replace

from benchbench.protocols.specs import MetricSpec, ProtocolSpec

_DIAGONAL = 3.0**0.5
_VOXELS = "marching-cubes-v1 at the method's threshold, then area-weighted samples"
_MACRO = "mean over an object's views, then over a class's objects, then over classes; the mean "
_MACRO += "over objects is reported beside it, under its own name"
_KEYED = "keyed by (seed 0, object id, view), those of the truth by its id alone"
_VIEWS = "the views that were predicted; the caption names them"


def _distance(
    name: str, title: str, formula: str, unit: str, penalty: float, factor: float = 1.0
) -> MetricSpec:
    return MetricSpec(name, title, formula, unit, False, 3, penalty, factor)


ATLASNET = ProtocolSpec(
    id="atlasnet-v1",
    title="Chamfer distance and F-score of AtlasNet (2019), 2,500 points in the unit ball",
    paper="Groueix et al.: AtlasNet, CVPR 2018 (numbers of the 2019 code)",
    reference="ThibaultGROUEIX/AtlasNet@c9aba65: training/trainer_loss.py:39-110, "
    "dataset/dataset_shapenet.py, dataset/pointcloud_processor.py",
    data="ShapeNetCore v1, Choy's renderings, centre crop of 127 pixels resized to 224; clouds by "
    "ray shooting, without inner faces",
    views_rule="view 00, the last fifth of each class",
    frame="object frame; the truth's cloud minus its mean, divided by its largest radius",
    alignment="none; the truth's transform for both",
    compared="points of the prediction with points of the truth",
    sampling="prediction: 2,500 points; truth: 2,500 with replacement of 30,000 area-weighted "
    f"samples, or of the set's own cloud; {_KEYED}",
    distance="squared Euclidean to points",
    combination="s1 + s2",
    thresholds="F-score on squared distances at 0.001, <: a radius of 0.0316 of the ball",
    reporting="Chamfer x1000",
    averaging=_MACRO,
    failures="Chamfer 8, both means at the ball's diameter (x1000: 8000); F-score 0",
    scorer="benchbench.protocols.point_sets:score_atlasnet",
    metrics=(
        _distance("chamfer", "Chamfer distance", "s1 + s2", "x1000, unit ball", 8.0, 1000.0),
        MetricSpec(
            "fscore", "F-score at 0.001", "F at squared distances < 0.001", "ratio", True, 3, 0.0
        ),
    ),
    truth="mesh|points",
    accepts={
        "mesh": "area-weighted samples",
        "voxels": _VOXELS,
        "points": "2,500 of them by a keyed permutation",
    },
    views="first",
    conversion_truth="area-weighted samples where the set holds no cloud",
    edge_cases=(
        "the radius of the unit ball depends on the object: the number is 1 to 4 times the one "
        "with longest edge 1",
        "inner faces of the truth's mesh are sampled; the authors' clouds had none",
    ),
    faults=(
        "drawing with replacement leaves fewer distinct points of the truth",
        "the original's mean is that of batch means, in which a short last batch weighs as much",
        "per-class numbers of the paper come from the 2018 code: not these",
    ),
    used_by=("AtlasNet",),
    slugs=("atlasnet-unitball",),
)

PSGN = replace(
    ATLASNET,
    id="psgn-v1",
    title="training distance of PSGN, 1,024 points with 16,384 of the truth",
    paper="Fan, Su, Guibas: A Point Set Generation Network, CVPR 2017",
    reference="fanhqme/PointSetGeneration@c5e8064: depthestimate/train_nn.py, tf_nndistance.cpp",
    data="ShapeNetCore v1, its own renderings",
    views_rule=_VIEWS,
    frame="object frame, longest edge 1; the release's own coordinates are not confirmed",
    alignment="none",
    sampling=f"1,024 points of the prediction, 16,384 of the truth, {_KEYED}",
    combination="s2 + s1 / 2: from the truth in full, from the prediction by half",
    thresholds="none",
    reporting="x10,000",
    failures="4.5, both means at the cube's diagonal (x10,000: 45,000)",
    scorer="benchbench.protocols.point_sets:score_psgn",
    metrics=(
        _distance(
            "chamfer", "asymmetric Chamfer distance", "s2 + s1 / 2", "x10,000, longest edge 1",
            4.5, 10_000.0,
        ),
    ),
    accepts={**ATLASNET.accepts, "points": "1,024 of them by a keyed permutation"},
    views="any",
    edge_cases=("not symmetric: exchanging prediction and truth changes the number",),
    faults=(
        "there is no evaluation script; this is the value that training prints",
        "columns called PSGN in later papers come from other people's training",
    ),
    used_by=("PSGN (training)",),
    unconfirmed=(
        "the release's coordinates: base at height 0, scaled to a hemisphere of radius 3.2, is a "
        "third party's reconstruction",
    ),
    slugs=(),
)  # fmt: skip

PCG = replace(
    PSGN,
    id="pcg-v1",
    title="two-number distance of 3D-PCG, 200 points to all",
    paper="3D-PCG (point-cloud generation from one picture)",
    reference="3D-PCG: evaluation script (commit UNCONFIRMED)",
    data="ShapeNetCore v1",
    views_rule="all 24 views",
    frame="object frame, longest edge 1",
    sampling="at most 200 points as sources in each direction; targets: all points of the "
    f"prediction, 100,000 of the truth; {_KEYED}",
    distance="unsquared Euclidean to points",
    combination="none: the two directions apart",
    reporting="x100",
    failures="sqrt(3) both ways (x100: 173)",
    scorer="benchbench.protocols.point_sets:score_pcg",
    metrics=(
        _distance("to_truth", "prediction to truth", "m1", "x100, longest edge 1", _DIAGONAL, 100),
        _distance(
            "to_prediction", "truth to prediction", "m2", "x100, longest edge 1", _DIAGONAL, 100
        ),
    ),
    accepts={"points": ""},
    views="all",
    edge_cases=("a mean of 200 distances is noisy: look at its interval before comparing",),
    faults=(),
    used_by=("3D-PCG", "differentiable point clouds (all points; see dpc-chamfer-v1)"),
    unconfirmed=("the frame's scale",),
    slugs=("pcg",),
)  # fmt: skip

PIX3D_CHAMFER = replace(
    PSGN,
    id="pix3d-chamfer-v1",
    title="Chamfer distance of Pix3D, 1,024 points, each cloud in its own unit cube",
    paper="Sun et al.: Pix3D, CVPR 2018",
    reference="xingyuansun/pix3d: eval/eval.py:123-160",
    data="Pix3D; any prepared set here",
    frame="each cloud shifted to its box and divided by its longest edge",
    alignment="the prediction's own box to the unit cube, as the truth's",
    compared="points on the surface of each voxel grid at level 0.1 in the original; points of the "
    "prediction with points of the truth here",
    sampling=f"1,024 points a side, {_KEYED}",
    distance="unsquared Euclidean to points",
    combination="m1 + m2, the sum of the two means",
    thresholds="none; voxel predictions become meshes at level 0.1",
    reporting="x1",
    failures="2 sqrt(3), both means at the cube's diagonal",
    scorer="benchbench.protocols.point_sets:score_pix3d",
    metrics=(_distance("chamfer", "Chamfer distance", "m1 + m2", "each edge 1", 2 * _DIAGONAL),),
    accepts={
        "mesh": "area-weighted samples",
        "voxels": "marching-cubes-v1 at 0.1, then area-weighted samples",
        "points": "1,024 of them by a keyed permutation",
    },
    edge_cases=(
        "a prediction of the wrong size or place scores as one of the right: both are fitted",
        "3D-LMNet fits the same way, then runs an ICP (lmnet-icp-v1)",
    ),
    faults=("triangles are sampled densely and then thinned in the original",),
    used_by=("Pix3D", "3D-LMNet (after ICP)"),
    unconfirmed=("how the dense samples are thinned to 1,024",),
    slugs=("pix3d",),
)

UCLID = replace(
    PSGN,
    id="uclid-v1",
    title="Chamfer distance, F-score at 5 % and shell IoU of UCLID",
    paper="UCLID-Net, NeurIPS 2020",
    reference="UCLID: evaluation script (commit UNCONFIRMED)",
    data="DISN's renderings and lists (7,792 test objects)",
    frame="object frame, box-centred, longest edge 2: [-1, 1]",
    sampling="2,048 points a side for the distance, 10,000 for the F-score, 7,000 for the shell, "
    f"the first ones of one draw {_KEYED}",
    combination="s1 + s2; F 2 P R / (P + R); |A and B| / |A or B| of the 50^3 cells that hold a "
    "point",
    thresholds="F-score on squared distances at (2 x 0.05)^2 = 0.01, <",
    reporting="Chamfer x1000",
    averaging="mean over samples; the mean over classes is reported beside it",
    failures="Chamfer 24, both means at the cube's diagonal; F-score and IoU 0",
    scorer="benchbench.protocols.point_sets:score_uclid",
    metrics=(
        _distance("chamfer", "Chamfer distance", "s1 + s2", "x1000, longest edge 2", 24.0, 1000.0),
        MetricSpec("fscore", "F-score at 5 %", "F at squares < 0.01", "ratio", True, 3, 0.0),
        MetricSpec("shell_iou", "shell IoU", "|A and B| / |A or B|, 50^3", "ratio", True, 3, 0.0),
    ),
    accepts={**ATLASNET.accepts, "points": "as many of them by a keyed permutation"},
    edge_cases=(
        "the shell IoU of a surface with itself is well below 1: two draws fall into other cells",
        "points outside [-1, 1]^3 are in no cell",
    ),
    faults=(),
    used_by=("UCLID-Net",),
    unconfirmed=(
        "the factor 1000", "whether the threshold is strict", "that the 50^3 cells span [-1, 1]^3",
    ),
    slugs=("uclid",),
)  # fmt: skip

EMD_EXACT = replace(
    PSGN,
    id="emd-exact-v1",
    title="earth mover's distance, exact, 1,024 points a side",
    paper="this project",
    reference="this project (scipy.optimize.linear_sum_assignment)",
    data="any prepared set that holds meshes or clouds",
    frame="object frame, longest edge 1",
    sampling=f"1,024 points a side, {_KEYED}; a cloud of fewer points is matched with as many",
    distance="unsquared Euclidean",
    combination="mean over the cheapest one-to-one matching, float64",
    reporting="x100",
    failures="sqrt(3) (x100: 173)",
    scorer="benchbench.protocols.point_sets:score_emd",
    metrics=(
        _distance(
            "emd", "earth mover's distance", "min over matchings of mean |p - t|",
            "x100, longest edge 1", _DIAGONAL, 100.0,
        ),
    ),
    edge_cases=(
        "exact; approximate matchings (p2m-emd-v1, disn-emd-v1) are sums over other counts and no "
        "factor leads from one to the other",
        "the value falls with the number of points: 0.107 with 500 and less with more",
    ),
    faults=(),
    used_by=(),
    unconfirmed=(),
    slugs=(),
)  # fmt: skip

POINT_SET_PROTOCOLS = (ATLASNET, PSGN, PCG, PIX3D_CHAMFER, UCLID, EMD_EXACT)
