"""Protocols that compare surfaces or points on them."""

from __future__ import annotations

from dataclasses import replace

from benchbench.protocols.specs import MetricSpec, ProtocolSpec

# The diagonal of the unit cube: no point of a truth is farther from another point of it.
_DIAGONAL = 3.0**0.5

_SURFACE_METRICS = (
    MetricSpec(
        "chamfer",
        "surface distance",
        "100 (mean_p d(p, T) + mean_t d(t, P)) / 2, d unsquared, to triangles",
        "% of the truth's longest edge",
        False,
        2,
        100.0 * _DIAGONAL,
    ),
    MetricSpec(
        "fscore",
        "F-score at 1 %",
        "2 P R / (P + R), P and R the shares of samples within 0.01",
        "ratio",
        True,
        3,
        0.0,
    ),
    MetricSpec(
        "normals",
        "normal consistency",
        "(mean_p |n_p . n_T| + mean_t |n_t . n_P|) / 2",
        "ratio (0.5 is chance)",
        True,
        3,
        0.0,
    ),
)

BENCH_SURFACE = ProtocolSpec(
    id="bench-surface-v1",
    title="surface distance, F-score and normal consistency between surfaces",
    paper="this project",
    reference="this project",
    data="any prepared set that holds meshes",
    views_rule="the views that were predicted; the caption names them",
    frame="object frame; lengths are divided by the longest edge of the truth's bounding box",
    alignment="none",
    compared="samples of each surface with the triangles of the other, so that a truth scored "
    "against itself has distance 0",
    sampling="30,000 points a side, area-weighted, from a counter-based generator keyed by "
    "(seed 0, object id, view); the truth's points by (seed 0, object id) alone",
    distance="unsquared Euclidean, to the nearest triangle",
    combination="mean of the two directions",
    thresholds="F-score at 0.01 of the truth's longest edge, <=; voxel predictions become meshes "
    "by marching cubes at the method's threshold",
    reporting="x100 for the distance",
    averaging="mean over an object's views, then over a class's objects, then over classes; the "
    "mean over objects is reported beside it, under its own name",
    failures="distance 100 sqrt(3) (the diagonal of the unit cube), F-score 0, normals 0",
    scorer="benchbench.protocols.surface:score_surface",
    metrics=_SURFACE_METRICS,
    truth="mesh",
    accepts={"mesh": "", "voxels": "marching-cubes-v1 at the method's threshold"},
    edge_cases=(
        "triangles without area are ignored; a mesh with none left is empty",
        "the distance of a prediction far away may be larger than the penalty",
        "normals compare without sign: winding does not matter",
        "marching-cubes-v1: the grid padded by one empty cell, values at cell centres, linear "
        "interpolation, level = threshold, Lewiner's cases",
        "coordinates beyond 1e6 are no shape: the item is invalid",
    ),
    house=True,
)

VOXEL_SURFACE = replace(
    BENCH_SURFACE,
    id="voxel-surface-v1",
    title="surface distance, F-score and normal consistency to the surface of the truth's voxels",
    data="any prepared set that holds voxels but no meshes",
    compared="as bench-surface-v1, but the truth is the marching-cubes surface (level 0.5) of the "
    "set's own voxel grid: it is known to half a cell only, so its numbers never stand beside "
    "those of bench-surface-v1",
    scorer="benchbench.protocols.surface:score_voxel_surface",
    truth="voxels",
    conversion_truth="marching-cubes-v1 at 0.5",
)

DIBR_CHAMFER = ProtocolSpec(
    id="dibr-chamfer-v1",
    title="Chamfer distance of DIB-R's single-image repository, 2,500 points a side",
    paper="Chen et al.: Learning to Predict 3D Objects with an Interpolation-based Differentiable "
    "Renderer, NeurIPS 2019 (numbers of the 2021 repository)",
    reference="nv-tlabs/DIB-R-Single-Image-3D-Reconstruction@afe8778: chamfer/check_chamfer.py",
    data="Kato's renderings as packed by DVR, with its pointcloud.npz (100,000 points, float16)",
    views_rule="view 0 of each object of softras_test.lst",
    frame="object frame, longest edge 1",
    alignment="none (the script's --norm is off by default; the network's own output is scaled to "
    "half-extent 0.5 before)",
    compared="points on the predicted surface with points of the truth",
    sampling="prediction: 2,500 area-weighted; truth: the first 2,500 of a permutation (numpy, "
    "seed 123456) of the set's point cloud; a set without one gets 2,500 area-weighted points of "
    "the truth's mesh, which is the same in distribution",
    distance="unsquared Euclidean to points, float32, brute force from 10,000, first index wins",
    combination="mean of the two directions",
    thresholds="F-score at 0.01, 0.015, ..., 0.05, <=, 2 P R / (P + R + 1e-8), float32",
    reporting="the README's table is x100; the value is stored raw",
    averaging="mean over a class's objects, then over the classes present; the mean over objects "
    "is reported beside it, under its own name",
    failures="distance sqrt(3), F-score 0 (the script skips unreadable files silently)",
    scorer="benchbench.protocols.dibr:score_dibr",
    metrics=(
        MetricSpec(
            "chamfer",
            "Chamfer distance",
            "(mean_p d(p, T) + mean_t d(t, P)) / 2",
            "x100, longest edge 1",
            False,
            2,
            _DIAGONAL,
            factor=100.0,
        ),
        *(
            MetricSpec(
                f"fscore@{threshold}",
                f"F-score at {threshold}",
                "2 P R / (P + R + 1e-8)",
                "ratio",
                True,
                3,
                0.0,
            )
            for threshold in (
                "0.01",
                "0.015",
                "0.02",
                "0.025",
                "0.03",
                "0.035",
                "0.04",
                "0.045",
                "0.05",
            )
        ),
    ),
    truth="mesh|points",
    accepts={"mesh": "", "points": "the first 2,500 of a keyed permutation"},
    views="first",
    edge_cases=(
        "two samplings of the same surface of area A score about sqrt(A / 2500) / 2: 1.6 to 1.8 "
        "(x100) for a box and a sphere, more than half of the published values (1.9 to 4.1)",
        "distances start at 10,000: farther points count as 10,000",
    ),
    faults=("the script's random draws come from a GPU generator and cannot be repeated",),
    used_by=("DIB-R (single-image repository)",),
    unconfirmed=("the factor 100 of the README's table, inferred from its size",),
    slugs=("dibr-dvr-2500",),
)

SURFACE_PROTOCOLS = (BENCH_SURFACE, VOXEL_SURFACE, DIBR_CHAMFER)
