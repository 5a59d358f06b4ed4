"""A user's own ShapeNetCore meshes: what they are and what is made of them."""

from __future__ import annotations

from benchbench.datasets.spec import DatasetSpec, Licence, PictureSize, SplitFacts, VoxelSize
from benchbench.datasets.split_facts import LSM, PIXEL2MESH, R2N2, R2N2_WITH_VAL

SPEC = DatasetSpec(
    id="shapenet-core",
    title="ShapeNetCore v1 or v2, your own copy: meshes, points, voxels, occupancy, pictures",
    licence=Licence(
        name="ShapeNet terms of use",
        url="https://shapenet.org/terms",
        text=(
            "The models are for non-commercial research and teaching only, come without any "
            "warranty, and may not be passed on to people who have not agreed to the same terms.\n"
            "Rights in single models stay with their makers."
        ),
        cite=("Chang et al., ShapeNet: An Information-Rich 3D Model Repository, 2015",),
    ),
    prepare="benchbench.datasets.shapenet_core.prepare:prepare",
    export="benchbench.datasets.shapenet_core.export:export",
    stores=("shapenet-core",),
    renderings=("kato",),
    pictures=("kato", "choy", "lsm"),
    picture_sizes=(
        PictureSize("kato", 64, 64),
        PictureSize("choy", 137, 137),
        PictureSize("lsm", 224, 224),
    ),
    voxel_sizes=(VoxelSize("kato", 32), VoxelSize("binvox", 32)),
    truth="mesh",
    splits=("r2n2-80-20", "r2n2-70-10-20", "pixel2mesh", "lsm", "own-70-10-20"),
    split_facts=(
        R2N2,
        R2N2_WITH_VAL,
        PIXEL2MESH,
        LSM,
        SplitFacts("own-70-10-20", "rule on the objects that you give"),
    ),
    objects=43_784,  # ids of the 13 classes in public lists; v2 has fewer
    store_bytes=110_000_000_000,
    made_by="ShapeNet (Princeton, Stanford, TTIC), 2015; what is stored is made on this machine",
    release="ShapeNetCore v1 or v2; which one is seen from the files and stored",
    renderer="this project's rasteriser: both sides of faces, materials' colours, no textures",
    voxelisation="Kato's voxeliser: his grid, and the cells of the unit cube",
    faults=(
        "Most models are not closed, and faces look either way: normals may point inward, and "
        "occupancy of such models is that of voxels of 1/233 (thin parts thickened, wide gaps "
        "leave a shell). How many is said when the set is prepared.",
        "v1 is known to mirror models left to right (v2's notes say that v2 mends it). v1 is taken "
        "as it is, since the field's pictures and voxels are made from it; v2 is only turned. "
        "Whether the two then agree up to the mirror image is unconfirmed.",
        "The lists are v1's; v2 lacks some of their ids (how many is said when it is prepared).",
        "The pictures are not the published ones: other lights, no textures. A number on them "
        "compares with nothing published.",
        "LSM's distance (2), field of view and scale are unconfirmed against its files; with "
        "these, long objects reach beyond the edges of its pictures.",
    ),
    notes=(
        "Nothing is fetched: bench prepare shapenet-core --from DIR, where DIR holds the folders "
        "or .zip files of the classes (02691156 and so on), or ShapeNetCore.v1 or .v2 with them.\n"
        "v1: <class>/<model>/model.obj, x front, y up. v2: <class>/<model>/models/"
        "model_normalized.obj, -z front, y up; turned by (x, y, z) -> (-z, y, x).\n"
        "Pictures: --pictures kato (default), choy, lsm, several with commas, or none.\n"
        "Points: 100,000 on the surface with normals (float16; the mesh is stored too, so exact "
        "ones can be drawn); 100,000 even ones in a cube of side 1.1 with the answer whether they "
        "lie inside, exact for closed meshes.\n"
        "Split own-70-10-20: 3D-R2N2's rule on the objects that are there, for ids of your own. "
        "The others are published lists, those that cover something."
    ),
)
