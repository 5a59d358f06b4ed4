"""Preparing and reading data sets, measured: cores, batches against PNG files, bytes, memory.

    python tests/benchmarks/bench_datasets.py conversion   one process against all cores
    python tests/benchmarks/bench_datasets.py reading      random batches against Pillow
    python tests/benchmarks/bench_datasets.py size         bytes of pictures and voxels
    python tests/benchmarks/bench_datasets.py memory SET   peak while 2,000 objects are prepared
    python tests/benchmarks/bench_datasets.py scale        a file of many objects: seconds, memory

The genuine sample is taken from beside the project where it is (three chairs of `shapenet`,
repeated under other ids); `conversion` and `memory` also take any layout that can be exported, and
`memory` shapes13 itself.
Both sides of every ratio run in turn, several times, and the median is printed. As a test
(``pytest tests/benchmarks/bench_datasets.py -o python_files='bench_*.py' -s``) it prints short
forms of the first three and asserts nothing about time.
"""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, RandomSampler

from benchbench.datasets import registry
from benchbench.datasets.cameras import CHOY_PARAMETERS, choy_cameras
from benchbench.datasets.exporting import asymmetric_solid, export
from benchbench.datasets.loading import ViewLoader
from benchbench.datasets.records import Encoded, Layout, ObjectRecord, Rendering, encode
from benchbench.datasets.shapenet.prepare import CONVERTER, RENDERINGS, VOXELS, locate, read
from benchbench.datasets.store import Store
from benchbench.datasets.store_writer import StoreWriter
from benchbench.datasets.views import ViewDataset
from benchbench.datasets.workers import usable_cores
from benchbench.evaluation.scores import Score, write_scores

SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "author_data" / "shapenet_sample"
CHAIR = "03001627"
BATCH = 64


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def repeated_source(folder: Path, objects: int) -> Path:
    """The genuine chairs as unpacked folders under other ids."""
    models = sorted((SAMPLE / VOXELS.what / CHAIR).iterdir())
    for number in range(objects):
        model = models[number % len(models)].name
        for what in (RENDERINGS.what, VOXELS.what):
            target = folder / what / CHAIR / f"{number:06d}"
            shutil.copytree(SAMPLE / what / CHAIR / model, target, copy_function=shutil.copyfile)
    return folder


def exported_source(name: str, folder: Path, objects: int) -> Path:
    """Solids of our own in a set's raw layout."""
    module: Any = importlib.import_module(f"benchbench.datasets.{name.replace('-', '_')}.prepare")
    pictures = registry.dataset_spec(name).renderings[:1]
    converter = module.CONVERTER if hasattr(module, "CONVERTER") else module.converter(pictures)
    synsets = [synset for synset, _ in converter.classes]
    parts = ("train", "train", "val", "test")
    solids = (
        asymmetric_solid(f"{synsets[n % len(synsets)]}/{n:032x}", parts[n // 13 % 4], seed=n)
        for n in range(objects)
    )
    return export(name, solids, folder / name)


# -- conversion -----------------------------------------------------------------------------


def packed_source(folder: Path, objects: int) -> Path:
    """The genuine chairs under other ids, as the two archives."""
    files = repeated_source(folder / "files", objects)
    target = folder / "archives"
    target.mkdir()
    for what in (RENDERINGS.what, VOXELS.what):
        with tarfile.open(target / f"{what}.tgz", "w:gz", compresslevel=6) as tar:
            tar.add(files / what, what)
    return target


def source_of(name: str, folder: Path, objects: int) -> tuple[str, Path]:
    """Data set and files of "sample", "sample-tgz" or a layout."""
    if name == "sample":
        return "shapenet", repeated_source(folder, objects)
    if name == "sample-tgz":
        return "shapenet", packed_source(folder, objects)
    return name, exported_source(name, folder, objects)


PREPARES = """
import sys, time
from pathlib import Path
from benchbench.datasets import registry
name, root, source, workers = sys.argv[1:]
source = Path(source) if source else None  # what is made here is read from nowhere
registry.prepare(name, Path(root), source=source, dry_run=True)  # imports are behind it
start, spent = time.perf_counter(), time.process_time()
registry.prepare(name, Path(root), source=source, quiet=True, workers=int(workers))
print(time.perf_counter() - start, time.process_time() - spent)
"""


def conversion(name: str, objects: int, rounds: int) -> None:
    """Prints objects a second with one process and with all cores."""
    cores = usable_cores()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made, source = source_of(name, folder / "source", objects)
        times: dict[int, list[float]] = {1: [], cores: []}
        parent: list[float] = []
        for turn in range(rounds + 1):
            for workers in times:
                root = folder / f"root{turn}-{workers}"
                root.mkdir()
                # A process of its own: forking this one, with torch in it, is no part of the work.
                words = [made, str(root), str(source), str(workers)]
                done = subprocess.run([sys.executable, "-c", PREPARES, *words], check=True,
                                      text=True, capture_output=True)  # fmt: skip
                if turn > 0:  # the first round warms up
                    took, own = map(float, done.stdout.split())
                    times[workers].append(took)
                    parent += [own] if workers == cores else []
                shutil.rmtree(root)
    one, all_ = (objects / statistics.median(times[w]) for w in (1, cores))
    say(
        f"conversion of {objects} objects, {name}: one process {one:.1f} objects/s, {cores} cores "
        f"{all_:.1f} objects/s: {all_ / one / cores:.2f} x cores; the parent's own work is "
        f"{1e3 * statistics.median(parent) / objects:.1f} ms an object"
    )


# -- reading --------------------------------------------------------------------------------


class PngFiles(Dataset[dict[str, Any]]):
    """Pictures of a folder through Pillow, as a training loop would read them."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(str(path) for path in folder.rglob("*.png"))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, item: int) -> dict[str, Any]:
        with Image.open(self.files[item]) as picture:
            pixels = np.array(picture.convert("RGBA"))
        return {"image": torch.from_numpy(pixels).permute(2, 0, 1), "number": item}


def repeated_store(folder: Path, objects: int) -> Path:
    """A store of the genuine chairs under other ids, each packed once."""
    jobs = read(locate(SAMPLE)).jobs(frozenset())
    packed = [encode(job.make(), CONVERTER.layout) for job in jobs]
    ids = [f"{CHAIR}/{number:06d}" for number in range(objects)]
    with StoreWriter(
        folder, "shapenet", CONVERTER.classes, CONVERTER.layout, {"title": "repeated"}, {}
    ) as writer:
        for shard, start in enumerate(range(0, objects, 200)):
            part = enumerate(ids[start : start + 200], start)
            writer.shard(
                shard, [Encoded(i, CHAIR, packed[n % len(packed)].columns) for n, i in part]
            )
        return writer.finish({"all": {"train": ids}})


def png_copies(store: Store, rendering: str, folder: Path) -> Path:
    """The pictures of a store as PNG files."""
    for row in range(len(store)):
        for view in range(store.view_count(row, rendering)):
            path = folder / f"{row:06d}" / f"{view:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(store.image(row, view, rendering)).save(path)
    return folder


def rate(made: Callable[..., Any], dataset: Any, workers: int, batches: int) -> float:
    """Pictures a second of random batches, once the workers are up."""
    draw = torch.Generator().manual_seed(1)
    sampler = RandomSampler(dataset, num_samples=BATCH * batches, generator=draw)
    iterator = iter(made(dataset, batch_size=BATCH, sampler=sampler, num_workers=workers))
    for _ in range(min(8, batches // 2)):
        next(iterator)
    start, count = time.perf_counter(), 0
    for batch in iterator:
        count += len(batch["image"])
    return count / (time.perf_counter() - start)


def race(title: str, store: Store, rendering: str, pngs: Path, batches: int, rounds: int) -> None:
    torch.set_num_threads(1)
    views, files = ViewDataset(store, store.indices("all"), rendering), PngFiles(pngs)
    assert len(views) == len(files)
    sides: dict[str, tuple[Callable[..., Any], Any]] = {
        "PNG": (DataLoader, files),
        "DataLoader": (DataLoader, views),
        "ViewLoader": (ViewLoader, views),
    }
    say(f"random batches of {BATCH}, {title}: {len(views)} pictures, {rendering}")
    for workers in (0, 1, 2):
        rates: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(rounds):
            for side, (made, dataset) in sides.items():
                rates[side].append(rate(made, dataset, workers, batches))
        png, plain, own = (statistics.median(found) for found in rates.values())
        say(
            f"  {workers} workers: PNG {png:.0f}/s, ViewDataset in a DataLoader {plain:.0f}/s "
            f"({plain / png:.1f}x), ViewLoader {own:.0f}/s ({own / png:.1f}x)"
        )


def reading_sample(objects: int, batches: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        store = Store(repeated_store(folder, objects))
        pngs = repeated_source(folder / "files", objects) / RENDERINGS.what
        race("the genuine sample repeated", store, "choy", pngs, batches, rounds)


def reading_shapes13(batches: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        store = Store(registry.prepare("shapes13", folder, size="demo", quiet=True).path)
        for rendering in store.renderings:
            pngs = png_copies(store, rendering, folder / rendering)
            race("shapes13 demo", store, rendering, pngs, batches, rounds)


# -- bytes on disk --------------------------------------------------------------------------


def sizes(title: str, store: Store, originals: dict[str, int]) -> None:
    """Prints what pictures and voxels take; tables of cameras and places count as pictures."""
    import h5py

    with h5py.File(store.path) as file:
        for rendering, original in originals.items():
            group = file[f"renderings/{rendering}"]
            pixels = group["pixels"].id.get_storage_size()
            whole = sum(table.id.get_storage_size() for table in group.values())
            say(
                f"{title}, {rendering}: pictures {pixels / original:.3f} of their PNG files, with "
                f"cameras and places {whole / original:.3f}"
            )
        for kind in store.voxel_kinds:
            bits = file[f"voxels/{kind}/bits"]
            cells = len(store) * store.voxels(0, kind).size
            say(f"{title}, {kind}: {bits.id.get_storage_size() / cells:.4f} bytes a voxel")


def size_tables() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if SAMPLE.is_dir():
            store = Store(repeated_store(folder, 3))
            ids = [model.name for model in sorted((SAMPLE / VOXELS.what / CHAIR).iterdir())]
            files = [f for i in ids for f in (SAMPLE / RENDERINGS.what / CHAIR / i).rglob("*.png")]
            sizes("genuine sample", store, {"choy": sum(f.stat().st_size for f in files)})
        store = Store(registry.prepare("shapes13", folder, size="demo", quiet=True).path)
        originals = {}
        for rendering in store.renderings:
            pngs = png_copies(store, rendering, folder / rendering)
            originals[rendering] = sum(f.stat().st_size for f in pngs.rglob("*.png"))
        sizes("shapes13 demo", store, originals)


# -- memory ---------------------------------------------------------------------------------


def family(root: int) -> Iterator[int]:
    """A process and all below it."""
    yield root
    try:
        with open(f"/proc/{root}/task/{root}/children") as file:
            children = [int(word) for word in file.read().split()]
    except OSError:
        return
    for child in children:
        yield from family(child)


def memory_of(process: int) -> int:
    """Bytes of a process; what several share counts in parts (PSS)."""
    try:
        with open(f"/proc/{process}/smaps_rollup") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("Pss:")) * 1024
    except OSError:
        return 0


def memory(name: str, objects: int, source: Path | None, workers: int) -> None:
    """Prints the largest memory that a conversion and its workers took together."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made = name
        if source is None and name != "shapes13":
            made, source = source_of(name, folder / "source", objects)
        words = (made, folder / "root", source or "", workers)
        command = [sys.executable, "-c", PREPARES, *map(str, words)]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        peak = parent = 0
        while process.poll() is None:
            found = [memory_of(one) for one in family(process.pid)]
            peak, parent = max(peak, sum(found)), max(parent, found[0])
            time.sleep(0.1)
        took = time.perf_counter() - start
        store = Store(folder / "root" / f"{made}.h5")
        say(
            f"{name}: {len(store)} objects in {took:.0f} s, {workers} workers; peak of all "
            f"processes {peak >> 20} MiB, of the parent {parent >> 20} MiB; "
            f"store {store.path.stat().st_size >> 20} MiB; exit {process.returncode}"
        )


# -- many objects ---------------------------------------------------------------------------

RESIDENT = """
import sys, time
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
"""
OPENS = (
    RESIDENT
    + """
from benchbench.datasets.store import Store
from benchbench.datasets.views import ViewDataset
empty, start = resident(), time.perf_counter()
store = Store(sys.argv[1])
views = ViewDataset(store, store.indices("all"))
store.index_of(store.object_ids[-1]), views[len(views) - 1]
print(time.perf_counter() - start, resident() - empty)
"""
)


def tiny_object() -> tuple[Layout, Encoded]:
    """24 pictures of 8 pixels a side, and voxels."""
    layout = Layout({"choy": Rendering(8, 8, CHOY_PARAMETERS)}, CONVERTER.layout.voxel_kinds)
    image, cells = np.zeros((24, 8, 8, 4), np.uint8), np.zeros((32, 32, 32), bool)
    image[:, 2:6, 2:6], cells[8:24] = 255, True
    cameras = choy_cameras(np.tile([30.0, 20.0, 0.0, 1.0, 25.0], (24, 1)))
    record = ObjectRecord(
        f"{CHAIR}/x", CHAIR, {"choy": image}, {"choy": cameras}, {"binvox": cells}
    )
    return layout, encode(record, layout)


def scale(name: str, objects: int, shard: int = 64) -> None:
    """Prints what a file of that many objects costs: tiny ones, or the sample's first chair."""
    if name == "sample":
        job = next(read(locate(SAMPLE)).jobs(frozenset()))
        layout, base = CONVERTER.layout, encode(job.make(), CONVERTER.layout)
    else:
        layout, base = tiny_object()
    ids = [f"{CHAIR}/{number:032x}" for number in range(objects)]
    with tempfile.TemporaryDirectory() as temporary:
        start = time.perf_counter()
        with StoreWriter(temporary, "many", CONVERTER.classes, layout, {}, {}) as writer:
            for number, first in enumerate(range(0, objects, shard)):
                part = [Encoded(i, CHAIR, base.columns) for i in ids[first : first + shard]]
                writer.shard(number, part)
            shards = time.perf_counter() - start
            start, before = time.perf_counter(), memory_of(os.getpid())
            path = writer.finish({"all": {"train": ids}})
        finish = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
        done = subprocess.run([sys.executable, "-c", OPENS, str(path)], check=True, text=True,
                              capture_output=True)  # fmt: skip
        seconds, held = map(float, done.stdout.split())
        size = path.stat().st_size
        say(
            f"{objects} {name} objects in shards of {shard}: {1e3 * shards / objects:.2f} ms an "
            f"object to write shards; putting together {size / finish / 1e6:.0f} MB/s, "
            f"{1e3 * finish / objects:.2f} ms and {peak / objects:.0f} bytes of memory an object; "
            f"a reader opens it in {seconds:.1f} s ({1e6 * seconds / objects:.1f} us an object) "
            f"and holds {held / objects:.0f} bytes an object"
        )


MEANS = (
    RESIDENT
    + """
from benchbench.evaluation.aggregate import object_means
from benchbench.evaluation.scores import read_scores
empty, start = resident(), time.perf_counter()
pairs = [(score.object_id, score.value) for score in read_scores(sys.argv[1])]
means = object_means(pairs)
print(time.perf_counter() - start, resident() - empty)
"""
)


def score_lines(objects: int) -> None:
    """Prints what the scores of a test part cost to write and to put together, one metric."""
    with tempfile.TemporaryDirectory() as temporary:
        path, start = Path(temporary) / "scores.csv", time.perf_counter()
        scores = (
            Score("kato-iou-v1", f"{CHAIR}/{number:032x}", view, "iou", 1 / (1 + number), "ok")
            for number in range(objects)
            for view in range(24)
        )
        write_scores(path, scores)
        wrote = time.perf_counter() - start
        done = subprocess.run([sys.executable, "-c", MEANS, str(path)], check=True, text=True,
                              capture_output=True)  # fmt: skip
        seconds, held = map(float, done.stdout.split())
        lines = 24 * objects
        say(
            f"{lines} scores: {path.stat().st_size / lines:.0f} bytes each; written at "
            f"{lines / wrote:.0f}/s, put together at {lines / seconds:.0f}/s with "
            f"{held / lines:.0f} bytes of memory each"
        )


# -- as tests -------------------------------------------------------------------------------


@pytest.fixture
def loud(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    with capsys.disabled():
        sys.stdout.write("\n")
        yield


def test_conversion(loud: None) -> None:
    if not SAMPLE.is_dir():
        pytest.skip("the genuine sample is not beside the project")
    conversion("sample", 24, 1)


def test_reading(loud: None) -> None:
    if not SAMPLE.is_dir():
        pytest.skip("the genuine sample is not beside the project")
    reading_sample(60, 20, 1)


def test_sizes(loud: None) -> None:
    size_tables()


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("conversion", "reading", "size", "memory", "scale"))
    parser.add_argument(
        "names", nargs="*", help="sample, sample-tgz, or layouts that can be exported"
    )
    parser.add_argument("--objects", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=usable_cores(), help="memory: processes")
    parser.add_argument("--from", type=Path, dest="source", help="memory: files that are there")
    options = parser.parse_args(words)
    if options.what == "conversion":
        for name in options.names or ("sample", "sample-tgz", "shapenet-dvr"):
            conversion(name, options.objects or 300, options.rounds)
    elif options.what == "reading":
        if SAMPLE.is_dir():
            reading_sample(options.objects or 2000, 60, options.rounds)
        reading_shapes13(60, options.rounds)
    elif options.what == "size":
        size_tables()
    elif options.what == "scale":
        for name in options.names or ("tiny",):
            scale(name, options.objects or 43_783)
        score_lines((options.objects or 43_783) // 5)
    else:
        for name in options.names or ("sample",):
            memory(name, options.objects or 2000, options.source, options.workers)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    say(f"({os.cpu_count()} cores, this process took {peak >> 10} MiB)")


if __name__ == "__main__":
    main()
