"""Protocols that compare voxel grids."""

from __future__ import annotations

from benchbench.protocols.specs import MetricSpec, ProtocolSpec

_MACRO = "mean over an object's views, then over a class's objects, then over classes; the mean "
_MACRO += "over objects is reported beside it, under its own name"
_KATO_VOXELISER = (
    "Kato's voxeliser: every cell touched by a triangle in one of three axis passes, and every "
    "cell enclosed by those (conservative surface and fill)"
)

BENCH_IOU = ProtocolSpec(
    id="bench-iou-v1",
    title="voxel IoU on the object frame's unit cube, 32^3, Kato's voxeliser on both sides",
    paper="this project",
    reference="this project",
    data="any prepared set",
    views_rule="the views that were predicted; the caption names them",
    frame="object frame, longest side of the truth 1, centred; cell n covers "
    "[-0.5 + n/32, -0.5 + (n + 1)/32]",
    alignment="none",
    compared="solid 32^3 grids: meshes by Kato's voxeliser at 32 (c + 0.5), the truth too where "
    "the set holds meshes; where it holds voxels only, the truth is the set's own grid and the "
    "mesh is voxelised in the coordinates of that grid",
    sampling="none",
    distance="none",
    combination="intersection over union of occupied cells",
    thresholds="voxel predictions: occupied if p >= the method's threshold",
    reporting="x1",
    averaging=_MACRO,
    failures="IoU 0",
    scorer="benchbench.protocols.iou:score_bench_iou",
    metrics=(MetricSpec("iou", "voxel IoU", "|P and T| / |P or T|", "ratio", True, 3, 0.0),),
    truth="mesh|voxels",
    accepts={
        "mesh": "house-voxeliser-v1",
        "voxels": "nearest-cell-v1 (only if the prediction is on another grid)",
    },
    conversion_truth="house-voxeliser-v1 where the set holds meshes",
    edge_cases=(
        "meshes are voxelised in a grid of twice the side (64^3 cells of the same size around the "
        "same centre) and the middle 32^3 are kept: Kato's fill leaks where a mesh touches the "
        "border of its grid, and the longest side of every truth does",
        "what lies outside the unit cube is not counted; a mesh that leaves the cube of twice the "
        "side is hollow, as in Kato's voxeliser",
        "two empty grids give 1, one empty grid gives 0",
        "a voxel prediction on another grid is read at the centres of the truth's cells "
        "(nearest-cell-v1); outside its own grid it is empty",
        "coordinates beyond 1e6 are no shape: the item is invalid",
    ),
    house=True,
)

KATO_IOU = ProtocolSpec(
    id="kato-iou-v1",
    title="voxel IoU of Kato et al. (Neural 3D Mesh Renderer), 32^3",
    paper="Kato, Ushiku, Harada: Neural 3D Mesh Renderer, CVPR 2018",
    reference="hiroharu-kato/mesh_reconstruction@bbf2abf: mesh_reconstruction/models.py:145-152, "
    "voxelization.py, training.py:27-39",
    data="ShapeNetCore v1, Kato's 64x64 renderings and 32^3 grids",
    views_rule="all 24 views of each object of the test split",
    frame="Kato's mesh frame (x, y, z) = (-Z, Y, -X) of the object frame, longest side 1; voxel "
    "coordinate 31 c + 16",
    alignment="none",
    compared="the mesh under Kato's voxeliser and the stored grid of kind 'kato'",
    sampling="none",
    distance="none",
    combination="intersection over union of occupied cells",
    thresholds="voxel predictions on Kato's own grid: occupied if p >= the method's threshold",
    reporting="x1",
    averaging="sum over a class's objects and views / their number, then the unweighted mean over "
    "classes; the mean over objects is reported beside it, under its own name",
    failures="IoU 0 (the original has no failure rule: its meshes always exist)",
    scorer="benchbench.protocols.iou:score_kato_iou",
    metrics=(MetricSpec("iou", "voxel IoU", "|P and T| / |P or T|", "ratio", True, 4, 0.0),),
    truth="voxels:kato",
    accepts={
        "mesh": "kato-voxeliser: float32 ((31 c) / 32) + 0.5, left to right, then "
        + _KATO_VOXELISER,
        "voxels": "",
    },
    views="all",
    edge_cases=(
        "voxel predictions are accepted only on Kato's own grid; no conversion is named",
        "a mesh that leaves the grid is hollow, as in the original",
        "coordinates beyond 1e6 are no shape: the item is invalid",
        "SoftRas rounds corners down where Kato truncates: the same number for every mesh inside "
        "the cube",
    ),
    faults=(
        "SoftRas's examples/recon/test.py, x100, scores the val split",
        "learn3D's mean over classes is the last class's score wherever several classes are "
        "passed in one call",
        "the paper's renderings of SoftRas are its own: 64.6 there, 61.8 with the public ones",
    ),
    used_by=("Neural 3D Mesh Renderer", "SoftRas (x100)", "learn3D", "View Prior Learning"),
    slugs=("voxiou32-kato",),
)

R2N2_IOU = ProtocolSpec(
    id="r2n2-iou-v1",
    title="voxel IoU and average precision of Choy et al. (3D-R2N2), 32^3, p >= 0.4",
    paper="Choy et al.: 3D-R2N2, ECCV 2016",
    reference="chrischoy/3D-R2N2@13a30e2: lib/test_net.py:45-82, lib/voxel.py:4-12",
    data="ShapeNetCore v1, Choy's 137x137 renderings and ShapeNetVox32",
    views_rule="one view: view 0 (the original of August 2016 takes views 0 to N-1, later "
    "versions draw at random, unseeded)",
    frame="object frame; binvox grid, cell n covers [-0.5 + n/32, -0.5 + (n + 1)/32]",
    alignment="none",
    compared="the occupancy grid and the stored grid of kind 'binvox'",
    sampling="none",
    distance="none",
    combination="intersection over union of occupied cells",
    thresholds="occupied if p >= 0.4, compared in float32",
    reporting="x1",
    averaging="mean over objects and mean over classes are both in use in published tables; both "
    "are reported, each under its name",
    failures="IoU 0, average precision 0",
    scorer="benchbench.protocols.iou:score_r2n2_iou",
    metrics=(
        MetricSpec("iou", "voxel IoU at p >= 0.4", "|P and T| / |P or T|", "ratio", True, 3, 0.0),
        MetricSpec(
            "ap",
            "average precision over all cells",
            "sum_n (R_n - R_(n-1)) P_n over descending p, ties grouped",
            "ratio",
            True,
            3,
            0.0,
        ),
    ),
    truth="voxels:binvox",
    accepts={
        "voxels": "",
        "mesh": "house-voxeliser-v1 (that of bench-iou-v1), which is not binvox",
    },
    views="first",
    edge_cases=(
        "average precision of a mesh is that of a 0/1 grid",
        "two empty grids give IoU 1 and average precision 1 (the original divides by 0)",
        "voxel predictions on another grid are not accepted",
    ),
    faults=(
        "the original drops the samples of an incomplete last batch; none is dropped here",
        "it never computes IoU itself; intersection / union per sample is the published step",
        "the row .560 .603 .617 .625 .634 of later tables holds means over classes for 1 to 3 "
        "views and the mean over objects for 5",
    ),
    used_by=("3D-R2N2", "Occupancy Networks (its 3D-R2N2 row)", "OGN", "PSGN"),
    unconfirmed=("the threshold behind the paper's tables; 0.4 is the code's only one",),
    slugs=("voxiou32-r2n2",),
)

VOXEL_PROTOCOLS = (BENCH_IOU, KATO_IOU, R2N2_IOU)
