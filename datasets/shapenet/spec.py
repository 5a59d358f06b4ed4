"""ShapeNet renderings and voxels of 3D-R2N2: what they are and where they lie."""

from __future__ import annotations

from dataclasses import replace

from benchbench.datasets.licences import shapenet_terms
from benchbench.datasets.spec import Archive, DatasetSpec, PictureSize, VoxelSize
from benchbench.datasets.split_facts import LSM, PIXEL2MESH, R2N2, R2N2_WITH_VAL

_RULE = "rule on all 43,784 ids"
_RULE_MEANS = (
    "the same as the list in this package. A prepared set follows the rule on the model folders "
    "that are there: where some are missing, objects may be in another part."
)

SPEC = DatasetSpec(
    id="shapenet",
    title="ShapeNet, 13 classes: 24 random views at 137x137 and 32^3 voxels, by 3D-R2N2 (2016)",
    licence=shapenet_terms(
        "pictures and voxels",
        "Choy et al., 3D-R2N2: A Unified Approach for Single and Multi-view 3D Object "
        "Reconstruction, ECCV 2016",
    ),
    prepare="benchbench.datasets.shapenet.prepare:prepare",
    export="benchbench.datasets.shapenet.export:export",
    stores=("shapenet",),
    # Nobody published lengths or hashes; those found at the first fetch are kept with the data.
    archives=(
        Archive(
            name="ShapeNetRendering.tgz",
            mirrors=(
                "http://cvgl.stanford.edu/data2/ShapeNetRendering.tgz",
                "http://ftp.cs.stanford.edu/cs/cvgl/ShapeNetRendering.tgz",
            ),
            about_bytes=13_000_000_000,
        ),
        Archive(
            name="ShapeNetVox32.tgz",
            mirrors=(
                "http://cvgl.stanford.edu/data2/ShapeNetVox32.tgz",
                "http://ftp.cs.stanford.edu/cs/cvgl/ShapeNetVox32.tgz",
            ),
            about_bytes=100_000_000,
        ),
    ),
    renderings=("choy",),
    truth="voxels",
    picture_sizes=(PictureSize("choy", 137, 137),),
    voxel_sizes=(VoxelSize("binvox", 32),),
    splits=("r2n2-80-20", "r2n2-70-10-20", "pixel2mesh", "lsm"),
    split_facts=(
        replace(R2N2, known_from=_RULE, meaning=_RULE_MEANS),
        replace(R2N2_WITH_VAL, known_from=_RULE, meaning=_RULE_MEANS),
        PIXEL2MESH,
        LSM,
    ),
    objects=43_784,  # ids in public lists; which of them both archives hold is unconfirmed
    store_bytes=7_000_000_000,
    made_by="Choy, Xu, Gwak, Chen and Savarese (3D-R2N2), 2016",
    release="ShapeNetCore v1",
    renderer="Blender 2.7, script of 3D-R2N2: 35 mm lens on a 32 mm sensor, two hemisphere lamps",
    voxelisation="binvox, solid, 32^3 cells of the unit cube; the exact call is unconfirmed",
    faults=(
        "Pictures see the model with a box of diagonal 1, voxels with a longest side of 1; the "
        "factor comes from the binvox header, or is estimated from the voxels where that lacks it.",
        "The field-of-view column (25) was ignored by the renderer; the true one is 49.13 degrees.",
        "04090263/4a32519f44dc84aabafe26e2eb69ebf4 is faulty, says 3D-R2N2's repository, and is "
        "left in, as there.",
        "02958343/207e69af994efa9330714334794526d4 probably has no geometry (unconfirmed).",
        "Lengths and hashes of the archives were never published.",
    ),
    notes=(
        "No meshes are in the two archives.\n"
        "Split r2n2-80-20 is the rule of the repository (ids sorted, first 80 % train), which is "
        "younger than the paper and its weights; r2n2-70-10-20 has the same test part and cuts "
        "val from the end of train. Lists: pixel2mesh, Pixel2Mesh's test list; lsm, LSM's, which "
        "is Pix2Vox's. Ids of a list that the archives lack are dropped, and counted."
    ),
)
