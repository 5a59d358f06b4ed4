"""Occupancy Networks' evaluation and those that grew out of it."""

from __future__ import annotations

from dataclasses import replace

from benchbench.protocols.specs import MetricSpec, ProtocolSpec

_DIAGONAL = 3.0**0.5
_VOXELS = "marching-cubes-v1 at the method's threshold"
_MACRO = "mean over a class's objects, then the unweighted mean over classes; the mean over "
_MACRO += "objects is reported beside it, under its own name"
_WATERTIGHT = (
    "the truth's mesh is taken as it is; the authors' was made watertight first, so that inner "
    "faces and holes of raw ShapeNet models give other numbers"
)
_DRAWS = "all draws are keyed by (seed 0, object id, view), those of the truth by its id alone"

ONET_IOU = ProtocolSpec(
    id="onet-iou-v1",
    title="point IoU of Occupancy Networks, 100,000 points in the cube of side 1.1",
    paper="Mescheder et al.: Occupancy Networks, CVPR 2019",
    reference="autonomousvision/occupancy_networks@406f794: im2mesh/eval.py:38-164, "
    "utils/libmesh/inside_mesh.py, scripts/sample_mesh.py:93-205",
    data="ShapeNetCore v1, Choy's 137x137 renderings",
    views_rule="view 0 of each object of the test split",
    frame="object frame, box-centred, longest edge of the original mesh 1",
    alignment="none",
    compared="which of 100,000 points each mesh contains (parity-v1: vertical rays, hits strictly "
    "inside triangles, the parities above and below must both be odd)",
    sampling="uniform in the cube of side 1.1 around the origin, keyed by the object's id",
    distance="none",
    combination="|A and B| / |A or B| of the points",
    thresholds="none for meshes",
    reporting="x1",
    averaging=_MACRO,
    failures="IoU 0, as in the original",
    scorer="benchbench.protocols.occupancy:score_iou",
    metrics=(MetricSpec("iou", "point IoU", "|A and B| / |A or B|", "ratio", True, 3, 0.0),),
    truth="mesh",
    accepts={"mesh": "parity-v1", "voxels": f"{_VOXELS}, then parity-v1"},
    views="first",
    conversion_truth="parity-v1",
    edge_cases=(
        "a point outside the mesh's box is outside; a flat mesh contains nothing",
        "a ray through an edge or a corner hits nothing there",
        "standard error of the IoU: sqrt(IoU (1 - IoU) / points in the union)",
        "a truth that contains no point makes the item invalid (the original gives NaN)",
        _WATERTIGHT,
    ),
    faults=(
        "the original stores its points as float16 and adds noise of 1e-4 without a seed at "
        "each reading, so its IoU of one mesh changes from run to run; no noise here",
        "eval.py without meshes thresholds the network instead: at 0.5, 0.2 in the picture "
        "configurations, 0.4 for 3D-R2N2, 0.9 for Pixel2Mesh",
    ),
    used_by=("Occupancy Networks", "Convolutional Occupancy Networks", "DefTet", "SDFNet"),
    unconfirmed=("that the authors' test lists are 3D-R2N2's last fifth of each class",),
    slugs=("occnet-mesh",),
)


_EDGE = "longest edge 1"
_TENTH = "x10: units of 1/10 of the longest edge"
_CHAMFER_METRICS = (
    MetricSpec(
        "chamfer_l1", "Chamfer-L1", "(m1 + m2) / 2, m the mean of unsquared distances", _TENTH,
        False, 3, _DIAGONAL, 10.0,
    ),
    MetricSpec(
        "chamfer_l2", "Chamfer-L2", "(s1 + s2) / 2, s the mean of squared distances", _EDGE,
        False, 5, 3.0,
    ),
    MetricSpec(
        "accuracy", "accuracy", "m1, from the prediction to the truth", _EDGE, False, 4, _DIAGONAL
    ),
    MetricSpec(
        "completeness", "completeness", "m2, from the truth to the prediction", _EDGE, False, 4,
        _DIAGONAL,
    ),
)  # fmt: skip
_NORMAL_METRICS = (
    MetricSpec(
        "normals", "normal consistency", "mean of both directions of mean |n . n'|",
        "ratio (0.5 is chance)", True, 3, -1.0,
    ),
    MetricSpec(
        "normals_accuracy", "normal accuracy", "mean |n_p . n_T|", "ratio (0.5 is chance)", True,
        3, -1.0,
    ),
    MetricSpec(
        "normals_completeness", "normal completeness", "mean |n_t . n_P|", "ratio (0.5 is chance)",
        True, 3, -1.0,
    ),
)  # fmt: skip

ONET_MESH = replace(
    ONET_IOU,
    id="onet-mesh-v1",
    title="accuracy, completeness, Chamfer-L1 and normal consistency of Occupancy Networks",
    reference="autonomousvision/occupancy_networks@406f794: im2mesh/eval.py:38-164, eval_meshes.py",
    compared="points on the predicted surface with points of the truth",
    sampling="100,000 area-weighted points a side; the truth's from the set's own cloud where it "
    "has one; " + _DRAWS,
    distance="unsquared Euclidean to points (chamfer_l2: squared); 'L1' is no L1 norm",
    combination="mean of the two directions; accuracy and completeness apart",
    reporting="papers show Chamfer-L1 x10",
    failures="distances sqrt(3) and 3, normals -1: the original's values for an empty mesh, whose "
    "Chamfer columns however are dropped from its mean",
    scorer="benchbench.protocols.occupancy:score_mesh",
    metrics=(*_CHAMFER_METRICS, *_NORMAL_METRICS),
    truth="mesh|points",
    accepts={"mesh": "area-weighted samples", "voxels": f"{_VOXELS}, then area-weighted samples"},
    conversion_truth="area-weighted samples where the set holds no cloud",
    edge_cases=(
        "two samplings of one surface of area A score sqrt(A / 100,000) / 2, 0.023 (x10) for a "
        "box 1 x 0.6 x 0.3",
        "normals are compared without sign and normalised first; 0.5 is chance",
        "a set whose cloud has no normals is refused",
        _WATERTIGHT,
    ),
    faults=(
        "an empty mesh is dropped from the Chamfer mean and counts 0 and -1 in the others; none "
        "is dropped here",
        "the truth's float16 adds 0.00003 to a Chamfer distance of 0.055",
        "the README's table (0.593, 0.194, 0.840) is not the paper's (0.571, 0.215, 0.834)",
    ),
    used_by=("Occupancy Networks", "Convolutional Occupancy Networks", "UNICORN (plain column)"),
    unconfirmed=("which voxels-to-mesh conversion its 3D-R2N2 row used",),
)

ONET_POINTS = replace(
    ONET_MESH,
    id="onet-points-v1",
    title="Occupancy Networks' distances for methods that predict points",
    compared="a method's own points, all of them, with 100,000 points of the truth",
    sampling="none on the prediction; 100,000 points of the truth",
    failures="distances sqrt(3) and 3",
    scorer="benchbench.protocols.occupancy:score_points",
    metrics=_CHAMFER_METRICS,
    accepts={"points": ""},
    edge_cases=(
        "1,024 points on the truth's own surface score 0.125 (x10), a mesh scores 0.023: the "
        "number of points is part of the number",
    ),
    faults=(),
    used_by=("Occupancy Networks (its PSGN row)",),
    unconfirmed=(),
    slugs=(),
)

DVR_MESH = replace(
    ONET_MESH,
    id="dvr-mesh-v1",
    title="Chamfer distances and F-scores of Differentiable Volumetric Rendering",
    paper="Niemeyer et al.: Differentiable Volumetric Rendering, CVPR 2020",
    reference="autonomousvision/differentiable_volumetric_rendering@5a19010: im2mesh/eval.py, "
    "eval_meshes.py",
    data="Kato's 64x64 renderings as packed by DVR, with its pointcloud.npz",
    views_rule="a random view of each object of softras_test.lst (loader shuffled after seed 0); "
    "view 0 here",
    thresholds="F-score at 0.01, 0.015, 0.02, 0.05 and 0.1 of the original's thousand, <=",
    failures="distances sqrt(3) and 3, F-score 0",
    scorer="benchbench.protocols.occupancy:score_dvr",
    metrics=(
        *_CHAMFER_METRICS,
        *(
            MetricSpec(f"fscore@{t}", f"F-score at {t}", "2 P R / (P + R)", "ratio", True, 3, 0.0)
            for t in ("0.01", "0.015", "0.02", "0.05", "0.1")
        ),
    ),
    edge_cases=(
        "F is 0 where nothing is near (the original's NaN is left out of its mean)",
        "Convolutional Occupancy Networks reads the thresholds 0.01, 0.015 and 0.02",
    ),
    faults=(
        "no points for an IoU are given by default, so its IoU column is 0",
        "0 / 0 of the F-score is NaN and skipped",
    ),
    used_by=("DVR", "Convolutional Occupancy Networks (F-score)", "SoftRas (in DVR's table)"),
    unconfirmed=(),
    slugs=("dvr-mesh",),
)

OCCUPANCY_PROTOCOLS = (ONET_IOU, ONET_MESH, ONET_POINTS, DVR_MESH)
