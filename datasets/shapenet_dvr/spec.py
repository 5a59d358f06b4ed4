"""DVR's NMR_Dataset (CVPR 2020): what it is and where it lies."""

from __future__ import annotations

from benchbench.datasets.licences import shapenet_terms
from benchbench.datasets.spec import Archive, DatasetSpec, PictureSize

SPEC = DatasetSpec(
    id="shapenet-dvr",
    title="ShapeNet, 13 classes: 24 views at 64x64, masks, cameras and point clouds, by DVR (2020)",
    licence=shapenet_terms(
        "pictures and points",
        "Kato, Ushiku, Harada, Neural 3D Mesh Renderer, CVPR 2018",
        "Niemeyer et al., Differentiable Volumetric Rendering, CVPR 2020",
    ),
    prepare="benchbench.datasets.shapenet_dvr.prepare:prepare",
    stores=("shapenet-dvr",),
    archives=(
        Archive(
            name="NMR_Dataset.zip",
            mirrors=(
                "https://s3.eu-central-1.amazonaws.com/avg-projects/"
                "differentiable_volumetric_rendering/data/NMR_Dataset.zip",
            ),
            about_bytes=34_000_000_000,  # DVR's README; DIB-R's says 31.5 GB
        ),
    ),
    renderings=("dvr",),
    picture_sizes=(PictureSize("dvr", 64, 64, "rgb+mask"),),
    truth="points",
    splits=("softras",),
    objects=None,  # the lists in the archive tell
    store_bytes=60_000_000_000,
    made_by="Michael Niemeyer et al. (DVR, 2020), from renderings by Kato et al. (2018)",
    release="ShapeNetCore.v1",
    renderer=(
        "Blender, by Kato et al.: 24 views, elevation 30, distance 2.732, field of view 30 degrees"
    ),
    voxelisation=None,
    faults=(
        "The set holds no voxels and no meshes: the truth is 100,000 points on the surface of a "
        "watertight version (Occupancy Networks). Only protocols for points can be scored: "
        "dibr-chamfer-v1.",
        "That the views are in Kato's order is unconfirmed; every view has a camera of its own.",
        "The background is white by DVR's README, and masks are 0 or 255; neither was looked at.",
        "Points are float16 in the archive these come from; float32 is kept where it is there.",
        "The visual hulls' depth maps are left out: they serve DVR's own training only.",
        "DVR's own code puts -1 and 1 into the middles of the outermost pixels; here they are the "
        "picture's edges, as the lens of the renderer has it (half a pixel at the rim).",
    ),
    export="benchbench.datasets.shapenet_dvr.export:export",
    notes="The split is SoftRas's, one list for each class and part, inside the archive.",
)
