"""View Prior Learning's ShapeNet: what it is and where it lies."""

from __future__ import annotations

from benchbench.datasets.licences import shapenet_terms
from benchbench.datasets.spec import Archive, DatasetSpec, PictureSize, VoxelSize
from benchbench.datasets.split_facts import LSM

SPEC = DatasetSpec(
    id="shapenet-vpl",
    title="ShapeNet, 13 classes: 20 views at 224x224, 32^3 voxels, by View Prior Learning (2019)",
    licence=shapenet_terms(
        "pictures and voxels",
        "Kar, Haene, Malik, Learning a Multi-View Stereo Machine, NIPS 2017",
        "Kato, Harada, Learning View Priors for Single-View 3D Reconstruction, CVPR 2019",
    ),
    prepare="benchbench.datasets.shapenet_vpl.prepare:prepare",
    stores=("shapenet-vpl",),
    archives=(
        Archive(
            name="dataset.zip",
            mirrors=(),  # Google Drive answers programs with a page of questions
            by_hand=(
                "open https://drive.google.com/file/d/1G5gelwQGniwGgyG92ls_dfc1VtLUiM3s "
                "in a browser"
            ),
        ),
    ),
    renderings=("vpl",),
    picture_sizes=(PictureSize("vpl", 224, 224),),
    voxel_sizes=(VoxelSize("vpl", 32),),
    truth="voxels",
    splits=("vpl", "lsm"),
    split_facts=(LSM,),
    objects=None,
    store_bytes=14_000_000_000,
    made_by="Hiroharu Kato, Tatsuya Harada, University of Tokyo, 2019, from LSM's renderings",
    release="ShapeNetCore.v1",
    renderer=None,
    voxelisation=None,
    faults=(
        "No file was at hand: form, cameras and axes are derived from the programs that read them "
        "(View Prior Learning, learn3D), and agree with LSM's; they were not seen in a file.",
        "Known to be broken: 04379243/187f32df6f393d18490ad276cd2af3a4 and "
        "04379243/391fa4da294c70d0a4e97ce1d10a5ae6 (train, a picture), "
        "02828884/50cdaa9e33fc853ecb2a965e75be701c (val). The authors skip them in training only.",
        "Whether the parts are LSM's list is unconfirmed; split 'lsm' is that list.",
        "Whether the longest side of an object is 1 is unconfirmed: the frame is that of the grid.",
        "Sizes of the archive and of its files were never published.",
    ),
    export="benchbench.datasets.shapenet_vpl.export:export",
    notes=(
        "Split vpl: the file an object is in. The columns distance, elevation, azimuth_pkl are "
        "the file's; azimuth_pkl is minus LSM's azimuth. The pickles are read as data: nothing in "
        "them is called."
    ),
)
