"""LSM's renderings of ShapeNet (NIPS 2017): what they are and where they lie."""

from __future__ import annotations

from benchbench.datasets.licences import shapenet_terms
from benchbench.datasets.spec import Archive, DatasetSpec, PictureSize, SplitFacts, VoxelSize
from benchbench.datasets.split_facts import LSM, LSM_SPLITS1, LSM_SPLITS2

# data/splits1.json and data/splits2.json of akar43/lsm: the classes of each.
SPLIT_CLASSES = {
    "lsm-splits1": ("02933112", "03001627", "03636649", "04379243", "04401088", "04530566"),
    "lsm-splits2": (
        "02691156",
        "02828884",
        "02958343",
        "03211117",
        "03691459",
        "04090263",
        "04256520",
    ),
}

SPEC = DatasetSpec(
    id="shapenet-lsm",
    title="ShapeNet, 13 classes: 20 views at 224x224, depth, 32^3 and 64^3 voxels, by LSM (2017)",
    licence=shapenet_terms(
        "pictures and voxels",
        "Kar, Haene, Malik, Learning a Multi-View Stereo Machine, NIPS 2017",
    ),
    prepare="benchbench.datasets.shapenet_lsm.prepare:prepare",
    stores=("shapenet-lsm",),
    archives=(
        Archive(
            name="shapenet_release.tar.gz",
            mirrors=(),  # people.eecs.berkeley.edu/~akar/lsm is gone (issue 14 of akar43/lsm)
            md5="61feff8480368e00eb928d4b10a40a40",
            about_bytes=21_000_000_000,
            by_hand=(
                "open https://drive.google.com/file/d/17GjULuQZsn-s92PQFQSBzezDkonowIxR in a "
                "browser (21 GB, md5 61feff8480368e00eb928d4b10a40a40)"
            ),
        ),
    ),
    renderings=("lsm", "lsm-depth"),
    picture_sizes=(PictureSize("lsm", 224, 224), PictureSize("lsm-depth", 224, 224, "depth")),
    voxel_sizes=(VoxelSize("lsm", 32),),
    truth="voxels",
    splits=("lsm", *SPLIT_CLASSES, "splits", "splits1", "splits2"),
    split_facts=(
        LSM,
        LSM_SPLITS1,
        LSM_SPLITS2,
        *(
            SplitFacts(name, f"only with a {name}.json of your own")
            for name in ("splits", "splits1", "splits2")
        ),
    ),
    objects=43_784,  # ids in splits.json; whether the release has all is unconfirmed
    store_bytes=22_000_000_000,
    made_by="Abhishek Kar, Christian Haene, Jitendra Malik, UC Berkeley, 2017",
    release="ShapeNetCore.v1",
    renderer=None,
    voxelisation=None,
    faults=(
        "No file of the release was at hand: names, shapes and axes come from the programs that "
        "read it (LSM, VPL, learn3D). The address of the authors is dead.",
        "The axes of the world of camera_*.mat are nowhere written. They are measured against the "
        "angles of view.txt for every object; where the two contradict each other it fails.",
        "Volume[i, j, k] is (x, y, -z): derived from LSM's, VPL's and learn3D's readers, which "
        "agree; not seen in a file.",
        "Depth is taken as 65535ths (or 255ths, in files of 8 bits) of 10 world units along the "
        "viewing direction, full scale as background. Bit depth is unconfirmed; each object says.",
        "Whether the longest side of an object is 1 is unconfirmed: the frame is that of the grid. "
        "Each object says how many cells it occupies along x, y, z.",
        "Whether pictures have alpha is unconfirmed; each object says. LSM draws them on white, "
        "learn3D drops alpha and takes its mask from depth.",
    ),
    export="benchbench.datasets.shapenet_lsm.export:export",
    notes=(
        "Split lsm: data/splits.json of akar43/lsm, 70/10/20 a class, the same as Pix2Vox's. "
        "lsm-splits1 and lsm-splits2: that list restricted to six and to the other seven classes. "
        "splits, splits1, splits2: files of that name beside the release, where they say something "
        "else. Depth is the rendering 'lsm-depth', grids of 64^3 are the table 'volume64', the "
        "colours under alpha 0 the tables 'hidden_colour' and 'hidden_pixels'."
    ),
)
