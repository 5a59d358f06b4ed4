"""View Prior Learning's form of PASCAL3D+: what it is and where it lies."""

from __future__ import annotations

from benchbench.datasets.pascal3d.spec import CITE
from benchbench.datasets.spec import Archive, DatasetSpec, Licence, PictureSize, VoxelSize

CLASSES = {"02691156": "aeroplane", "02958343": "car", "03001627": "chair"}

SPEC = DatasetSpec(
    id="pascal3d-vpl",
    title="PASCAL3D+, 3 classes, as View Prior Learning and learn3D use it: crops and references",
    licence=Licence(
        name="PASCAL3D+ (no licence published)",
        url="https://github.com/hiroharu-kato/view_prior_learning",
        text=(
            "No licence is published with these files or with PASCAL3D+, which they are made of. "
            "The photographs are those of\n"
            "PASCAL VOC 2012 (Flickr's terms of use) and of ImageNet (non-commercial research and "
            "education only).\n"
            "Rights in pictures and models stay with their makers."
        ),
        cite=(*CITE, "Kato, Harada, Learning View Priors for Single-View 3D Reconstruction, 2019"),
    ),
    prepare="benchbench.datasets.pascal3d_vpl.prepare:prepare",
    stores=("pascal3d-vpl",),
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
    renderings=("crop", "ref"),
    picture_sizes=(
        PictureSize("crop", 224, 224, "rgb+mask"),
        PictureSize("ref", 224, 224, "rgb+mask"),
    ),
    voxel_sizes=(VoxelSize("vpl", 32),),
    truth="voxels",
    splits=("vpl",),
    classes=len(CLASSES),
    store_bytes=2_500_000_000,
    made_by="Hiroharu Kato, Tatsuya Harada, University of Tokyo, 2019",
    release="PASCAL3D+; which release is unconfirmed",
    renderer="photographs: PASCAL VOC 2012 and ImageNet",
    voxelisation=(
        "CAD models, 32^3 over the cube of side 1 whose unit is the diagonal of the model's box; "
        "whether by DRC's voxeliser is unconfirmed, and so is its half-voxel alignment"
    ),
    faults=(
        "Train and test share the same CAD models, as in all published uses of PASCAL3D+ (see "
        "pascal3d, whose split 'disjoint' does not).",
        "All frames and cameras are derived from the code of the two programs that read these "
        "files; they were never compared with a genuine file.",
        "The files do not hold the cameras of the photographs: the 'crop' camera is estimated by "
        "laying the reference mask's box on the annotated box. Rotations are the file's own.",
        "The original photographs are not kept: only the crop that evaluation uses (no jitter). "
        "Training crops of the authors reach up to 15 % of the box further, or less far.",
        "Whether truncated and occluded instances were left out is unconfirmed, and so are the "
        "numbers of objects. Test is the file 'val', on which both programs also select weights.",
    ),
    export="benchbench.datasets.pascal3d_vpl.export:export",
    notes=(
        "Ids are '<synset>/<train|val|imagenet>-<row>'; the files hold none. Split 'vpl': train is "
        "the files 'train' and 'imagenet', test is 'val'.\n"
        "Rendering 'crop' is the box with 15 % more on each side at 224x224, its mask is all of "
        "it; 'ref' is images_ref as it is: colour and mask, orthographic, the CAD model's origin "
        "in the middle."
    ),
)
