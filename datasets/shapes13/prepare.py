"""`bench prepare shapes13`: make the objects, draw and voxelise them, store them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchbench.core.classes import SYNSETS
from benchbench.core.errors import BenchError, UsageError
from benchbench.core.names import require
from benchbench.core.progress import Progress
from benchbench.datasets.cameras import CHOY_PARAMETERS, KATO_PARAMETERS
from benchbench.datasets.records import Encoded, Layout, ObjectRecord, Rendering, encode
from benchbench.datasets.shapes13.render import CHOY_SIZE, KATO_SIZE, WILD_PARAMETERS, WILD_SIZE
from benchbench.datasets.shapes13.spec import GENERATOR, PICTURES, SEED, SIZES, SPEC, STARTS
from benchbench.datasets.shapes13.voxels import VOXEL_KINDS
from benchbench.datasets.spec import PrepareReport
from benchbench.datasets.store import Store
from benchbench.datasets.store_writer import StoreWriter
from benchbench.datasets.verify import verify_store
from benchbench.datasets.workers import spread, usable_cores

RENDERINGS = {
    "kato": Rendering(
        KATO_SIZE, KATO_SIZE, KATO_PARAMETERS, "24 views with Kato's cameras, own rasteriser"
    ),
    "choy": Rendering(
        CHOY_SIZE, CHOY_SIZE, CHOY_PARAMETERS, "24 random views as in 3D-R2N2, own rasteriser"
    ),
    "wild": Rendering(
        WILD_SIZE, WILD_SIZE, WILD_PARAMETERS, "24 views from anywhere, any lens, own rasteriser"
    ),
}
LAYOUT = Layout(RENDERINGS, VOXEL_KINDS)
_SHARD = 52  # objects
_MOST_WORKERS = 5  # together they stay below 2 GB
_BYTES_PER_OBJECT = 500_000  # a generous guess, for the check of free space

Item = tuple[str, int, int]  # class name, index, seed


def store_id(size: str) -> str:
    """Id of the prepared file of a size."""
    return SPEC.id if size == "full" else f"{SPEC.id}-{size}"


def members(size: str) -> dict[str, list[tuple[str, int]]]:
    """(class name, index) of every object of each part, in data-set order.

    Example:
        >>> {part: len(items) for part, items in members("demo").items()}
        {'train': 104, 'val': 26, 'test': 52}
    """
    counts = dict(zip(("train", "val", "test"), SIZES[size], strict=True))
    return {
        part: [(name, STARTS[part] + k) for name in SYNSETS.values() for k in range(count)]
        for part, count in counts.items()
    }


def object_id(name: str, index: int) -> str:
    """`synset/model` of an object."""
    synset = next(synset for synset, known in SYNSETS.items() if known == name)
    return f"{synset}/{name}{index:04d}"


def make(item: Item) -> Encoded | tuple[str, str]:
    """Makes, draws, voxelises and packs one object; (id, reason) if it cannot be made."""
    from benchbench.datasets.shapes13 import render, voxels
    from benchbench.datasets.shapes13.generate import generate

    name, index, seed = item
    try:
        shape = generate(name, index, seed)
        kato, kato_cameras = render.kato_pictures(shape)
        choy, choy_cameras = render.choy_pictures(shape)
        wild, wild_cameras = render.wild_pictures(shape)
    except BenchError as error:
        return object_id(name, index), str(error)
    vertices, faces = shape.solid.vertices, shape.solid.faces
    return encode(
        ObjectRecord(
            id=shape.id,
            synset=shape.id.split("/")[0],
            images={"kato": kato, "choy": choy, "wild": wild},
            cameras={"kato": kato_cameras, "choy": choy_cameras, "wild": wild_cameras},
            voxels={
                "kato": voxels.kato_grid(vertices, faces),
                "binvox": voxels.unit_grid(vertices, faces),
            },
            mesh=shape.mesh,
            parameters=shape.parameters,
            identity=shape.identity,
        ),
        LAYOUT,
    )


def prepare(
    root: Path,
    *,
    source: Path | None = None,
    size: str | None = None,
    accept_license: bool = False,
    keep_archives: bool = True,
    overwrite: bool = False,
    dry_run: bool = False,
    verify: bool = False,
    quiet: bool = False,
    seed: int = SEED,
    workers: int | None = None,
    split: str | None = None,
    objects_per_file: int | None = None,
) -> PrepareReport:
    """Makes `<root>/shapes13.h5` or `<root>/shapes13-demo.h5`; goes on where it stopped.

    Args:
        root: Folder of the data sets.
        source: Has no meaning here: nothing is fetched.
        size: "full" (100/10/40 objects a class in train/val/test) or "demo" (the first 8/2/4).
        accept_license: Has no meaning here.
        keep_archives: Has no meaning here.
        overwrite: Make everything anew.
        dry_run: Say what would be done and change nothing.
        verify: Read the prepared file again and check it, change nothing.
        quiet: No progress on stderr.
        seed: Another seed makes another set; it is stored and in the identity.
        workers: Processes; None for one per usable core, at most 5: some 320 MB each.
        split: The set has one only.
        objects_per_file: Most objects of a file; None for one file.

    Returns:
        Counts and what failed.

    Raises:
        UsageError: Unknown size or split, or a source.
    """
    del accept_license, keep_archives
    size = size or SPEC.sizes[0]
    if size not in SIZES:
        raise UsageError(f"data set '{SPEC.id}' has no size '{size}'", f"known: {', '.join(SIZES)}")
    if source is not None:
        raise UsageError(
            f"'{SPEC.id}' is made on this machine; '--from {source}' has nothing to give it",
            hint=f"bench prepare {SPEC.id} --size {size}",
        )
    if split is not None:
        require(split, SPEC.splits, "split")
    root = Path(root)
    path = root / f"{store_id(size)}.h5"
    parts = members(size)
    total = sum(len(items) for items in parts.values())
    if dry_run:
        return _dry_run(path, total)
    if verify:
        store = Store(path)
        verify_store(store, own_identities=True, quiet=quiet)
        return _report(store, [f"{path}: all {len(store)} objects are what was stored"])
    info = {
        "title": SPEC.title,
        "licence": SPEC.licence.name,
        "licence_url": SPEC.licence.url,
        "licence_text": SPEC.licence.text,
        "citation": [],
        "axes": "x front, y up, right-handed; ShapeNetCore v1, longest side 1, centred",
        "converter": f"shapes13 generator {GENERATOR}, pictures {PICTURES}",
        "sources": {},
        "notes": SPEC.notes,
        "size": size,
        "seed": seed,
    }
    plan = {
        "generator": GENERATOR,
        "pictures": PICTURES,
        "seed": seed,
        "size": size,
        "manifold3d": version("manifold3d"),
        "objects": SIZES[size],
    }
    classes = tuple(SYNSETS.items())
    with StoreWriter(
        root,
        store_id(size),
        classes,
        LAYOUT,
        info,
        plan,
        overwrite=overwrite,
        objects_per_file=objects_per_file,
    ) as writer:
        if writer.finished:
            return _report(Store(path), [f"already prepared: {path}"])
        items = [(name, index, seed) for part in parts.values() for name, index in part]
        _write_shards(writer, items, workers, quiet)
        broken = {name for name, _ in writer.failed()}
        ids = {part: [object_id(*item) for item in found] for part, found in parts.items()}
        kept = {part: [i for i in found if i not in broken] for part, found in ids.items()}
        writer.finish({SPEC.splits[0]: kept})
    return _report(Store(path), [])


def _write_shards(
    writer: StoreWriter, items: Sequence[Item], workers: int | None, quiet: bool
) -> None:
    blocks = [list(items[k : k + _SHARD]) for k in range(0, len(items), _SHARD)]
    todo = [number for number in range(len(blocks)) if not writer.done(number)]
    done = len(items) - sum(len(blocks[number]) for number in todo)
    broken = len(writer.failed())
    with Progress(writer.dataset, len(items), "objects", quiet, done=done) as progress:
        workers = workers or min(usable_cores(), _MOST_WORKERS)
        made = spread(make, (item for number in todo for item in blocks[number]), workers)
        for number in todo:
            records, failed = [], []
            for result in itertools.islice(made, len(blocks[number])):
                if isinstance(result, Encoded):
                    records.append(result)
                else:
                    failed.append(result)
                    broken += 1
                progress.update(failed=broken)
            writer.shard(number, records, failed)


def _dry_run(path: Path, total: int) -> PrepareReport:
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    lines = [
        f"would make {total} objects with {24 * len(RENDERINGS)} pictures each; nothing is fetched",
        f"would write {path} (at most {total * _BYTES_PER_OBJECT / 2**20:.0f} MiB)",
        f"free space: {free / 2**30:.1f} GiB",
    ]
    return PrepareReport(path, messages=lines)


def _report(store: Store, messages: list[str]) -> PrepareReport:
    counts = dict.fromkeys((name for _, name in store.classes), 0)
    names = dict(store.classes)
    for index in range(len(store)):
        counts[names[store.class_of(index)]] += 1
    counts["objects"] = len(store)
    counts["pictures"] = sum(
        store.view_count(i, r) for i in range(len(store)) for r in store.renderings
    )
    parts = ", ".join(f"{part} {n}" for part, n in store.split_counts().items())
    lines = [*messages, f"split {store.split_name}: {parts}; identity {store.identity[:12]}"]
    return PrepareReport(store.path, counts, store.failed, store.excluded, lines)
