"""Protocols that compare voxel grids as 3D-R2N2's followers, LSM and View Prior Learning do."""

from __future__ import annotations

from dataclasses import replace

from benchbench.protocols.specs import MetricSpec
from benchbench.protocols.specs_voxels import BENCH_IOU, R2N2_IOU

_FORMULA = "|P and T| / |P or T|"
_VIEWS = "the views that were predicted; the caption names them"
_MACRO = "mean over an object's views, then over a class's objects, then over classes; the mean "
_MACRO += "over objects is reported beside it, under its own name"
_GRID_EDGES = (
    "two empty grids give 1 (the original divides by 0)",
    "voxel predictions on another grid are not accepted",
    "coordinates beyond 1e6 are no shape: the item is invalid",
)


def _iou(title: str, unit: str = "ratio", factor: float = 1.0, digits: int = 3) -> MetricSpec:
    return MetricSpec("iou", title, _FORMULA, unit, True, digits, 0.0, factor)


PIX2VOX_IOU = replace(
    R2N2_IOU,
    id="pix2vox-iou-v1",
    title="voxel IoU of the Pix2Vox line, 32^3, p >= 0.2, 0.3, 0.4 and 0.5",
    paper="Xie et al.: Pix2Vox, ICCV 2019",
    reference="hzxie/Pix2Vox@0596d5e: core/test.py",
    data="ShapeNetCore v1, Choy's 137x137 renderings and ShapeNetVox32; random split 70/10/20",
    views_rule="the first n views; one prediction of several views, or view 0",
    thresholds="occupied if p >= t in float32, t in 0.2, 0.3, 0.4, 0.5; the original prints the "
    "best of the four means, this project shows each",
    averaging="mean over objects (weighted by samples); the mean over classes is reported beside "
    "it, under its own name",
    failures="IoU 0",
    scorer="benchbench.protocols.grids:score_pix2vox",
    metrics=tuple(
        MetricSpec(f"iou@{t}", f"voxel IoU at p >= {t}", _FORMULA, "ratio", True, 3, 0.0)
        for t in ("0.3", "0.2", "0.4", "0.5")
    ),
    truth="voxels:binvox",
    edge_cases=_GRID_EDGES,
    faults=(
        "the best of four thresholds is chosen on the set that is reported",
        "LegoFormer counts the union as the cells with P + T >= 1, which is the same",
        "1,768 of its about 8,760 test objects are Pixel2Mesh's, and 6,124 of Pixel2Mesh's are in "
        "its training set",
    ),
    used_by=("Pix2Vox", "Pix2Vox++", "3D-RETR", "LegoFormer", "UMIFormer", "LRGT"),
    unconfirmed=("which of the four thresholds a follower's table reports",),
    slugs=("voxiou32-r2n2",),
)

LSM_IOU = replace(
    PIX2VOX_IOU,
    id="lsm-iou-v1",
    title="voxel IoU of LSM, 32^3, p > 0.4",
    paper="Kar, Haene, Malik: Learning a Multi-View Stereo Machine, NeurIPS 2017",
    reference="akar43/lsm: evaluate.py (commit UNCONFIRMED)",
    data="LSM's 224x224 renderings, 20 random views, and its 32^3 grids; other sets: their grid "
    "of the same cells",
    views_rule=_VIEWS,
    thresholds="occupied if p > 0.4, compared in float32",
    reporting="x100",
    averaging=_MACRO + "; the original prints mean or median per class",
    scorer="benchbench.protocols.grids:score_lsm",
    metrics=(_iou("voxel IoU at p > 0.4", "x100", 100.0, 1),),
    truth="voxels:lsm|vpl|binvox",
    views="any",
    faults=(),
    used_by=("LSM",),
    unconfirmed=("whether a table of the paper holds means or medians",),
    slugs=(),
)

PTN_IOU = replace(
    LSM_IOU,
    id="ptn-iou-v1",
    title="voxel IoU of Perspective Transformer Nets, 32^3, p > 0.5",
    paper="Yan et al.: Perspective Transformer Nets, NeurIPS 2016",
    reference="PTN: scripts/eval_quant_test.lua",
    data="ShapeNetCore v1, its own 24 renderings; other sets: their grid of the same cells",
    thresholds="occupied if p > 0.5, compared in float32",
    reporting="x1",
    averaging=_MACRO,
    scorer="benchbench.protocols.grids:score_ptn",
    metrics=(_iou("voxel IoU at p > 0.5"),),
    truth="voxels:binvox|lsm|vpl",
    faults=(
        "the original averages over a set rounded to whole batches; nothing is dropped here",
        "DRC uses the same formula with p > t, t chosen on the validation set",
    ),
    used_by=("PTN", "Neural 3D Mesh Renderer (its PTN row)"),
    unconfirmed=(),
)

MATRYOSHKA_IOU = replace(
    PTN_IOU,
    id="matryoshka-iou-v1",
    title="voxel IoU of Matryoshka Networks, 32^3, binary, x100",
    paper="Richter, Roth: Matryoshka Networks, CVPR 2018",
    reference="Matryoshka: evaluate.py",
    data="ShapeNetCore v1, Choy's renderings and ShapeNetVox32",
    thresholds="none: decoded shape layers are binary; a grid of probabilities is cut at the "
    "method's own threshold, p >= t",
    reporting="x100",
    averaging="mean over all samples, without classes; the mean over classes is reported beside "
    "it, under its own name",
    scorer="benchbench.protocols.grids:score_matryoshka",
    metrics=(_iou("voxel IoU", "x100", 100.0, 1),),
    truth="voxels:binvox",
    faults=(),
    used_by=("Matryoshka Networks", "OGN (binary octrees)"),
)

VPL_IOU = replace(
    LSM_IOU,
    id="vpl-iou-v1",
    title="voxel IoU of View Prior Learning, 32^3, exact overlap of triangles and cells",
    paper="Kato, Harada: Learning View Priors for Single-view 3D Reconstruction, CVPR 2019",
    reference="hiroharu-kato/view_prior_learning@6f1afa8: mesh_reconstruction/models.py:134-142, "
    "556-563, voxelization.py, test.py",
    data="LSM's renderings as View Prior Learning packs them, and their 32^3 grids; PASCAL3D+ "
    "cropped with a padding of 0.15; other sets: their grid of the same cells",
    views_rule="all 20 views of every test object; PASCAL3D+ on val, the same list as test",
    frame="object frame, longest side 1; voxel coordinate 32 (c + 0.5), without Kato's 31/32; "
    "PASCAL3D+: 16 (c + 1)",
    compared="the mesh under separating-axis-v1 and the stored grid",
    thresholds="voxel predictions on the stored grid: occupied if p >= the method's threshold",
    reporting="x1",
    averaging=_MACRO,
    scorer="benchbench.protocols.grids:score_vpl",
    metrics=(_iou("voxel IoU"),),
    truth="voxels:vpl|lsm|binvox",
    accepts={
        "mesh": "separating-axis-v1: every cell that meets a triangle by the 13-axis test, "
        "touching counts, and every cell enclosed by those",
        "voxels": "",
    },
    views="all",
    edge_cases=(
        *_GRID_EDGES,
        "a mesh under this protocol and under kato-iou-v1 has IoU 0.913 with itself, for the 31/32",
    ),
    used_by=("View Prior Learning", "learn3D (with 31/32)"),
    unconfirmed=(),
    slugs=("voxiou32-vpl",),
)

DIBR_HOUSE_IOU = replace(
    BENCH_IOU,
    id="dibr-house-iou-v1",
    title="voxel IoU on DIB-R's cube, 32^3, Kato's voxeliser instead of binvox",
    paper="this project, beside Chen et al. (DIB-R), NeurIPS 2019",
    reference="this project; nv-tlabs/DIB-R: dib-render/check_iou.py runs the closed binvox",
    data="any prepared set that holds meshes",
    views_rule="one view of each object: view 0",
    frame="the cube in which the truth is centred and has half-extent 0.45",
    compared="both meshes under house-voxeliser-v1 on that cube",
    combination="I / (U + 1e-8)",
    thresholds="none",
    averaging="per class, then over classes; the mean over objects is reported beside it",
    failures="IoU 0 (the original skips unreadable files silently)",
    scorer="benchbench.protocols.grids:score_dibr_house",
    truth="mesh",
    accepts={"mesh": "house-voxeliser-v1"},
    conversion_truth="house-voxeliser-v1",
    views="first",
    edge_cases=(
        "two empty grids give 0, for the 1e-8",
        "what lies outside the cube is not counted",
        "coordinates beyond 1e6 are no shape: the item is invalid",
    ),
    faults=("binvox decides otherwise at thin walls: no number here is theirs",),
    house=False,
    unconfirmed=(
        "whether binvox, without -bb, fits each mesh to the grid by itself, which would undo a "
        "wrong scale of the prediction",
    ),
)

GRID_PROTOCOLS = (PIX2VOX_IOU, LSM_IOU, PTN_IOU, MATRYOSHKA_IOU, VPL_IOU, DIBR_HOUSE_IOU)
