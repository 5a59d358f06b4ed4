"""shapes13: what it is and how large."""

from __future__ import annotations

from benchbench.datasets.spec import DatasetSpec, Licence

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
    truth="mesh",
    splits=("shapes13",),
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
