"""shapes13: what it is and how large."""

from __future__ import annotations

from benchbench.datasets.spec import DatasetSpec, Licence, PictureSize, SplitFacts, VoxelSize

# A change that moves a vertex, a parameter or a pixel's geometry is a new generator number.
GENERATOR = 1
# A change of cameras, light or grids, which leaves the objects what they are.
PICTURES = 2
SEED = 0

# Objects a class in train, val and test. The demo holds the first ones of each split.
SIZES: dict[str, tuple[int, int, int]] = {"demo": (8, 2, 4), "full": (100, 10, 40)}

# From which index within the class each part counts; the full set leaves no gap.
STARTS = {"train": 0, "val": SIZES["full"][0], "test": SIZES["full"][0] + SIZES["full"][1]}

SPEC = DatasetSpec(
    id="shapes13",
    title="procedural solids in the 13 ShapeNet classes, made on this machine from a seed",
    licence=Licence(
        name="MIT",
        url="https://opensource.org/license/mit",
        text="Made by this package on your machine; use it as you like.",
    ),
    prepare="benchbench.datasets.shapes13.prepare:prepare",
    audit="benchbench.datasets.shapes13.audit:audit_path",
    stores=("shapes13", "shapes13-demo"),
    sizes=("full", "demo"),
    renderings=("kato", "choy", "wild"),
    picture_sizes=(
        PictureSize("kato", 64, 64),
        PictureSize("choy", 137, 137),
        PictureSize("wild", 137, 137),
    ),
    voxel_sizes=(VoxelSize("kato", 32), VoxelSize("binvox", 32)),
    truth="mesh",
    splits=("shapes13",),
    split_facts=(
        SplitFacts(
            "shapes13",
            "--size full",
            train=(1300, "4aa1ede6ef4197d0d59f3ad3919632128fb3c21612cf179826fa7be1e1f92b32"),
            val=(130, "c9b2d81d000d67dbe61b691dee8f3cd5fe42327e031eda5b312cf929c13e741d"),
            test=(520, "fb4715bf72e3eb5329e2668fd194999634bbdb2380fdc44d33bd6b04186e7f6b"),
        ),
        SplitFacts(
            "shapes13",
            "--size demo",
            train=(104, "1486061ae53dfc5b676eece594c663bde993e52881f925117f7cfd1e8e8438fa"),
            val=(26, "f67f8a93408c64efe41193aebe805aa9ee5fad53a2ae0203ce46016b88717f17"),
            test=(52, "e7d3085a1202b47f44cf384d8c050d63749d6a15f1b7ecacad1ef40bd1de9ef6"),
        ),
    ),
    objects=13 * 150,
    store_bytes=210_000_000,
    made_by="this package, on your machine, from a seed",
    release="nothing: every object is made by the generator",
    renderer="own rasteriser, 2x2 samples a pixel, ambient light and three lamps",
    voxelisation="Kato's voxeliser, filled, 32^3: on his grid and on the unit cube's cells",
    faults=("Shapes of a generator are simpler and more alike than ShapeNet's.",),
    notes=(
        "Object frame: ShapeNetCore v1 (right-handed, y up, front to +x), longest box side 1.\n"
        "Pictures: Kato's cameras (64x64), 3D-R2N2's (137x137), and 'wild' (137x137): any azimuth, "
        "elevation -20 to 60, field of view 15 to 75 degrees, 0.6 to 1 of the picture filled.\n"
        "A test bed, not a benchmark of its own: its numbers never stand in a table beside "
        "ShapeNet's.\n"
        "Made with the manifold3d of constraints.txt it has the same vertices on every run; other "
        "versions work (3.0.1 to 3.5.4 tried) but round some intersections otherwise, which the "
        "identity hash shows."
    ),
)
