"""Pixel2Mesh's protocol and those that use its units."""

from __future__ import annotations

from dataclasses import replace

from benchbench.protocols.specs import MetricSpec, ProtocolSpec

_VOXELS = "marching-cubes-v1 at the method's threshold"
_MACRO = "mean over a class's views and objects, then over classes; the mean over objects is "
_MACRO += "reported beside it, under its own name"
_P2M_FAR = 2 * 0.57**2  # both mean squared distances at the diagonal of the truth's box
_GT10_FAR = 2 * 3 * 10.0**2  # both at the diagonal of a cube of side 10
_UNIT = "1 unit = a ShapeNet unit (the diagonal of the model's box) / 0.57"


def _fscore(name: str, title: str, formula: str) -> MetricSpec:
    return MetricSpec(name, title, formula, "%", True, 2, 0.0, 100.0)


P2M = ProtocolSpec(
    id="p2m-v1",
    title="Chamfer distance and F-scores of Pixel2Mesh, on vertices",
    paper="Wang et al.: Pixel2Mesh, ECCV 2018",
    reference="nywang16/Pixel2Mesh@930a016: eval_testset.py:74-149",
    data="ShapeNetCore v1, Choy's 137x137 renderings, with a cloud per view",
    views_rule="views 00 to 04 of 8,762 objects; here the views that were predicted",
    frame="camera frame; a turn changes no distance, so the object frame is kept. " + _UNIT,
    alignment="none; the truth's scale for both",
    compared="the prediction's vertices with points of the truth",
    sampling="none on the prediction; the truth's 10,000 points are area-weighted samples or those "
    "of the set's own cloud, keyed by (seed 0, object id)",
    distance="squared Euclidean to points",
    combination="s1 + s2, the sum of the two means",
    thresholds="F at squared distances of 1e-4 and 2e-4, <=, which is 0.01 and 0.01414 units; "
    "2 P R / (P + R + 1e-8)",
    reporting="Chamfer x1000, F-score in percent",
    averaging=_MACRO,
    failures="both directions at the diagonal of the truth's box: 649.8 (x1000); F-score 0 (the "
    "original has no failure rule)",
    scorer="benchbench.protocols.pixel2mesh:score_p2m",
    metrics=(
        MetricSpec(
            "chamfer", "Chamfer distance", "s1 + s2", "x1000, Pixel2Mesh units squared", False, 3,
            _P2M_FAR, 1000.0,
        ),
        _fscore("fscore@tau", "F-score at tau", "F at squared distances <= 1e-4"),
        _fscore("fscore@2tau", "F-score at 2 tau", "F at squared distances <= 2e-4"),
    ),
    truth="mesh|points",
    accepts={"mesh": "the vertices that faces use", "voxels": f"{_VOXELS}, then its vertices",
             "points": ""},
    conversion_truth="area-weighted samples where the set holds no cloud",
    edge_cases=(
        "the number depends on how a surface is cut into triangles: 3.26 with vertices, 3.17 "
        "with samples of the same ellipsoid",
        "the original compares 2,466 vertices; any number is taken here",
    ),
    faults=(
        "tau is a threshold on squared distances: read as a distance, 1e-4, every F is 0",
        "noahcao/Pixel2Mesh uses < and a switch between mean over classes and over objects: 0.482 "
        "and 0.439 for one checkpoint",
        "Pixel2Mesh++ multiplies by 10,000 where its table shows the x1000 scale",
        "issue #66: the paper's EMD cannot be found again; see p2m-emd-v1",
    ),
    used_by=("Pixel2Mesh", "Pixel2Mesh++", "noahcao/Pixel2Mesh", "Mesh R-CNN (as p2m mode)"),
    unconfirmed=("the number of points of the truth, which varies by view in the original",),
    slugs=("p2m",),
)  # fmt: skip

MESHRCNN_GT10 = replace(
    P2M,
    id="meshrcnn-gt10-v1",
    title="Chamfer distance, normals and F-scores of Mesh R-CNN, longest edge of the truth 10",
    paper="Gkioxari, Malik, Johnson: Mesh R-CNN, ICCV 2019",
    reference="facebookresearch/meshrcnn@2c6ecbe: meshrcnn/utils/metrics.py:13-262, "
    "shapenet/evaluation/eval.py",
    data="ShapeNetCore v1, Choy's 137x137 renderings",
    views_rule="all 24 views of Pixel2Mesh's test objects (210,051 images)",
    frame="camera frame; the longest edge of the truth's box along the camera's axes is 10, so "
    "that the unit changes with the view. Without a view, or in a set without pictures, along the "
    "object's axes; the camera is that of the set's first rendering",
    compared="points on the predicted surface with points of the truth",
    sampling="10,000 area-weighted points a side with the normals of their faces, keyed by "
    "(seed 0, object id, view), those of the truth by its id alone",
    thresholds="F at 0.1, 0.2, 0.3, 0.4, 0.5, unsquared, <, 2 P R / (P + R + 1e-8)",
    reporting="Chamfer x1, F-score in percent",
    averaging="mean over classes and mean over objects are both in the original's tables, each "
    "under its name",
    failures="Chamfer 600, the diagonal of the cube of side 10 both ways; normals 0, F-score 0 "
    "(in the original an empty mesh becomes points at the camera)",
    scorer="benchbench.protocols.pixel2mesh:score_meshrcnn_gt10",
    metrics=(
        MetricSpec(
            "chamfer", "Chamfer-L2", "s1 + s2", "longest edge 10, squared", False, 3, _GT10_FAR
        ),
        MetricSpec(
            "abs_normals", "normal consistency", "(mean |cos| + mean |cos|) / 2",
            "ratio (0.5 is chance)", True, 3, 0.0,
        ),
        MetricSpec(
            "normals", "signed normal consistency", "(mean cos + mean cos) / 2",
            "ratio (0 is chance)", True, 3, 0.0,
        ),
        *(_fscore(f"fscore@{t}", f"F-score at {t}", "2 P R / (P + R + 1e-8)")
          for t in ("0.1", "0.2", "0.3", "0.4", "0.5")),
    ),
    accepts={"mesh": "area-weighted samples", "voxels": f"{_VOXELS}, then area-weighted samples"},
    views="all",
    edge_cases=(
        "two samplings of the truth score 0.0095, F at 0.1 87.8 %, normals 0.909 (issue #102)",
        "signed normals turn around with the winding of the faces",
        "a set whose cloud has no normals is refused",
    ),
    faults=(
        "'Chamfer-L2' is the squared distance",
        "an empty mesh among others is sampled as zeros, a batch of empty ones stops the script",
        "for one model 0.185 is the mean over classes and 0.171 that over objects",
    ),
    used_by=("Mesh R-CNN", "Pix3D's AP-mesh (a shape counts if F at 0.3 is above 50 %)"),
    unconfirmed=(),
    slugs=("meshrcnn-gt10",),
)  # fmt: skip

MESHRCNN_P2M = replace(
    MESHRCNN_GT10,
    id="meshrcnn-p2m-v1",
    title="Chamfer distance, normals and F-scores of Mesh R-CNN in Pixel2Mesh's units",
    frame="camera frame; a turn changes no distance, so the object frame is kept. " + _UNIT,
    thresholds="F at 0.01 and 0.014142 units, unsquared, <, 2 P R / (P + R + 1e-8)",
    reporting="Chamfer x1 (Pixel2Mesh's own tables: x1000), F-score in percent",
    failures="Chamfer 0.6498, both directions at the diagonal of the truth's box; normals 0, "
    "F-score 0",
    scorer="benchbench.protocols.pixel2mesh:score_meshrcnn_p2m",
    metrics=(
        MetricSpec(
            "chamfer", "Chamfer-L2", "s1 + s2", "Pixel2Mesh units squared", False, 6, _P2M_FAR
        ),
        *MESHRCNN_GT10.metrics[1:3],
        *(_fscore(f"fscore@{t}", f"F-score at {t}", "2 P R / (P + R + 1e-8)")
          for t in ("0.01", "0.014142")),
    ),
    edge_cases=MESHRCNN_GT10.edge_cases[1:],
    faults=(
        "its Chamfer must be multiplied by 1000 to stand beside Pixel2Mesh's",
        "its table lists Pixel2Mesh as published (0.591) and retrained (0.444)",
    ),
    used_by=("Mesh R-CNN",),
    unconfirmed=("which row of its first table is which of the two Pixel2Mesh results",),
    slugs=("meshrcnn-p2m",),
)  # fmt: skip

GEOMETRICS = replace(
    P2M,
    id="geometrics-fscore-v1",
    title="F-score of GEOMetrics, 2,466 samples a side",
    paper="Smith et al.: GEOMetrics, ICML 2019",
    reference="EdwardSmith1884/GEOMetrics@a39d4a4: utils.py:393-437, GEOMetrics.py:286-365",
    views_rule="one random view of 24 of each object; here the views that were predicted",
    compared="points on the predicted surface with points of the truth",
    sampling="2,466 area-weighted points a side, keyed by (seed 0, object id, view), those of the "
    "truth by its id alone",
    distance="unsquared Euclidean to points",
    combination="2 P R / (P + R) of each object",
    thresholds="0.01 units, <=",
    reporting="F-score in percent (UNCONFIRMED: stored as a share)",
    averaging="mean of batch means, then sum over classes / 13 in the original; here mean over a "
    "class's objects, then over classes",
    failures="F-score 0",
    scorer="benchbench.protocols.pixel2mesh:score_geometrics",
    metrics=(_fscore("fscore", "F-score", "F at distances <= 0.01"),),
    accepts={"mesh": "area-weighted samples", "voxels": f"{_VOXELS}, then area-weighted samples",
             "points": "2,466 of them by a keyed permutation"},
    edge_cases=("from so few points F cannot reach 1: the truth against itself does not",),
    faults=("a short last batch weighs as much as a full one; not so here",),
    used_by=("GEOMetrics",),
    unconfirmed=("the reporting factor",),
    slugs=("geometrics-f1",),
)  # fmt: skip

PIXEL2MESH_PROTOCOLS = (P2M, MESHRCNN_GT10, MESHRCNN_P2M, GEOMETRICS)
