"""Kato et al.'s data set (CVPR 2018): what it is and where it lies."""

from __future__ import annotations

from benchbench.datasets.licences import shapenet_terms
from benchbench.datasets.spec import Archive, DatasetSpec, PictureSize, VoxelSize

SPEC = DatasetSpec(
    id="shapenet-kato",
    title="ShapeNet, 13 classes: 24 views at 64x64 and 32^3 voxels, by Kato et al. (2018)",
    licence=shapenet_terms(
        "pictures and voxels",
        "Kato, Ushiku, Harada, Neural 3D Mesh Renderer, CVPR 2018",
    ),
    prepare="benchbench.datasets.shapenet_kato.prepare:prepare",
    stores=("shapenet-kato",),
    archives=(
        Archive(
            name="mesh_reconstruction_dataset.zip",
            mirrors=(),  # Google Drive answers programs with a page of questions
            by_hand=(
                "open https://drive.google.com/open?id=1fY9IWK7yEfLOmS3wUgeXM3NIivhoGhsg "
                "in a browser"
            ),
        ),
    ),
    renderings=("kato",),
    picture_sizes=(PictureSize("kato", 64, 64),),
    voxel_sizes=(VoxelSize("kato", 32),),
    truth="voxels",
    splits=("kato",),
    objects=None,  # 43,783 by the literature; no list travels with the files
    store_bytes=3_000_000_000,
    made_by="Hiroharu Kato, Yoshitaka Ushiku, Tatsuya Harada, University of Tokyo, 2018",
    release="ShapeNetCore.v1",  # render.py of the authors' repository
    renderer=(
        "Blender, render.py of hiroharu-kato/mesh_reconstruction: 24 views 15 degrees apart, "
        "elevation 30, distance 2.732, half field of view 15 degrees"
    ),
    voxelisation=None,  # make_dataset.py only copies the grids
    faults=(
        "The files hold no ids: objects are <class>/<split>/<index>, and whether they are in "
        "another set is unknown, until a folder shapenetcore_ids lies beside the files.",
        "Colours are inverted and premultiplied by alpha, as make_dataset.py makes them. That the "
        "published file is made so follows from pictures drawn from it; it was not looked at.",
        "Which of nine variants of resampling was published is unconfirmed.",
        "How the voxels were made is unconfirmed; they are solid and conservative, on the grid of "
        "the authors' evaluation (cell n spans (n - 16)/31 to (n - 15)/31).",
        "Archive size and number of objects were never published.",
    ),
    export="benchbench.datasets.shapenet_kato.export:export",
    notes=(
        "The split is the one of Yan et al. (PTN), 70/10/20 of each class. Pixels are stored as "
        "they are in the file: network input is the value divided by 255."
    ),
)
