"""Ways of storing pictures, measured: bytes a picture, random pictures a second, memory.

``pytest tests/benchmarks/bench_store.py -o python_files='bench_*.py' -s``, or as a script with a
folder of PNG files: ``python tests/benchmarks/bench_store.py [DIR]``. Without a folder the genuine
sample beside the project is used where it is, and a made-up set of dense pictures always.

One thread, seconds of the processor (a busy machine changes them little), files in the system's
cache, HDF5's own chunk cache off (it would hold so small a set whole, and a real one not at all),
random single views: what one training worker does.
``--memory`` writes a store of ShapeNet's size and tells what reading it takes.
"""

from __future__ import annotations

import contextlib
import io
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from tabulate import tabulate

from benchbench.datasets.picture_coding import decode_picture, encode_picture

READS = 2000
SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "author_data" / "shapenet_sample"
Reader = Callable[[int], np.ndarray]


def dense_pictures(count: int = 240) -> np.ndarray:
    """Opaque pictures with smooth shading and some noise, as of a room: (count, 137, 137, 4)."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 9, 9, 3), dtype=np.uint8)
    pictures = np.full((count, 137, 137, 4), 255, np.uint8)
    for n, colours in enumerate(coarse):
        smooth = np.asarray(Image.fromarray(colours).resize((137, 137), Image.Resampling.BICUBIC))
        noise = rng.integers(-3, 4, smooth.shape)
        pictures[n, ..., :3] = np.clip(smooth.astype(int) + noise, 0, 255)
    return pictures


def load(folder: Path) -> tuple[np.ndarray, list[bytes]]:
    files = [p.read_bytes() for p in sorted(folder.rglob("*.png"))]
    stack = np.stack([np.asarray(Image.open(io.BytesIO(f)).convert("RGBA")) for f in files])
    return stack, files


def encode_pngs(stack: np.ndarray) -> list[bytes]:
    files = []
    for image in stack:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG", optimize=False)
        files.append(stream.getvalue())
    return files


def png_folder(stack: np.ndarray, files: list[bytes], folder: Path) -> tuple[int, Reader]:
    for n, data in enumerate(files):
        (folder / f"{n:06d}.png").write_bytes(data)

    def read(n: int) -> np.ndarray:
        return np.asarray(Image.open(folder / f"{n:06d}.png"))

    return sum(map(len, files)), read


def png_in_hdf5(stack: np.ndarray, files: list[bytes], folder: Path) -> tuple[int, Reader]:
    return _flat(files, folder, lambda _, data: np.asarray(Image.open(io.BytesIO(data))))


def raw_chunks(stack: np.ndarray, files: list[bytes], folder: Path) -> tuple[int, Reader]:
    return _chunked(stack, folder, (1, *stack.shape[1:]), {})


def gzip_chunks(stack: np.ndarray, files: list[bytes], folder: Path) -> tuple[int, Reader]:
    return _chunked(stack, folder, (1, *stack.shape[1:]), {"compression": "gzip"})


def lzf_chunks(stack: np.ndarray, files: list[bytes], folder: Path) -> tuple[int, Reader]:
    return _chunked(stack, folder, (1, *stack.shape[1:]), {"compression": "lzf"})


def shuffled_gzip_chunks(stack: np.ndarray, files: list[bytes], folder: Path) -> tuple[int, Reader]:
    return _chunked(stack, folder, (1, *stack.shape[1:]), {"compression": "gzip", "shuffle": True})


def gzip_objects(stack: np.ndarray, files: list[bytes], folder: Path) -> tuple[int, Reader]:
    return _chunked(stack, folder, (24, *stack.shape[1:]), {"compression": "gzip"})


def whole_deflated(stack: np.ndarray, files: list[bytes], folder: Path) -> tuple[int, Reader]:
    clean = stack * (stack[..., 3:] > 0)
    shape = stack.shape[1:]
    return _flat(
        [zlib.compress(image.tobytes(), 6) for image in clean],
        folder,
        lambda _, data: np.frombuffer(zlib.decompress(data), np.uint8).reshape(shape),
    )


def box_raw(stack: np.ndarray, files: list[bytes], folder: Path) -> tuple[int, Reader]:
    boxes = [encode_picture(image)[0] for image in stack]

    def read(n: int, data: bytes) -> np.ndarray:
        top, left, rows, columns = boxes[n]
        image = np.zeros(stack.shape[1:], np.uint8)
        part = np.frombuffer(data, np.uint8).reshape(rows, columns, 4)
        image[top : top + rows, left : left + columns] = part
        return image

    parts = [
        image[top : top + rows, left : left + columns].tobytes()
        for image, (top, left, rows, columns) in zip(stack, boxes, strict=True)
    ]
    return _flat(parts, folder, read)


def box_deflated(stack: np.ndarray, files: list[bytes], folder: Path) -> tuple[int, Reader]:
    packed = [encode_picture(image) for image in stack]
    height, width = stack.shape[1:3]
    return _flat(
        [data for _, data in packed],
        folder,
        lambda n, data: decode_picture(packed[n][0], data, height, width),
    )


def _chunked(
    stack: np.ndarray, folder: Path, chunks: tuple[int, ...], options: dict
) -> tuple[int, Reader]:
    clean = stack * (stack[..., 3:] > 0)
    path = folder / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=clean, chunks=chunks, **options)
    data = h5py.File(path, "r", rdcc_nbytes=0)["x"]
    return path.stat().st_size, lambda n: data[n]


def _flat(
    pieces: list[bytes], folder: Path, decode: Callable[[int, bytes], np.ndarray]
) -> tuple[int, Reader]:
    path = folder / "x.h5"
    offset = np.concatenate([[0], np.cumsum([len(p) for p in pieces])])
    with h5py.File(path, "w") as file:
        file["x"] = np.frombuffer(b"".join(pieces), np.uint8)
    data = h5py.File(path, "r")["x"]
    return path.stat().st_size, lambda n: decode(n, data[offset[n] : offset[n + 1]].tobytes())


VARIANTS = {
    "PNG folder, Pillow": png_folder,
    "PNG bytes in one array": png_in_hdf5,
    "raw, chunk = view": raw_chunks,
    "gzip 4, chunk = view": gzip_chunks,
    "gzip 4 + shuffle, chunk = view": shuffled_gzip_chunks,
    "lzf, chunk = view": lzf_chunks,
    "gzip 4, chunk = 24 views": gzip_objects,
    "deflate 6 whole, one array": whole_deflated,
    "visible box raw, one array": box_raw,
    "visible box deflate 6, one array (chosen)": box_deflated,
}


def measure(stack: np.ndarray, files: list[bytes]) -> list[list[object]]:
    """Rows: name, bytes a picture, share of the PNG's, pictures a second, times Pillow."""
    order = np.random.default_rng(1).integers(0, len(stack), READS).tolist()
    sizes: dict[str, int] = {}
    readers: dict[str, Reader] = {}
    best: dict[str, float] = {}
    with contextlib.ExitStack() as stacked:
        for name, build in VARIANTS.items():
            folder = Path(stacked.enter_context(tempfile.TemporaryDirectory()))
            sizes[name], readers[name] = build(stack, files, folder)
            visible = stack[order[0]][..., 3] > 0
            found = readers[name](order[0])[visible]
            assert np.array_equal(found, stack[order[0]][visible]), name
        for _ in range(5):  # in turns, so that a busy machine is unfair to none
            for name, read in readers.items():
                reads = order[: READS // 20] if "24 views" in name else order
                start = time.process_time()
                for n in reads:
                    read(n)
                took = (time.process_time() - start) / len(reads)
                best[name] = min(took, best.get(name, np.inf))
    first = next(iter(VARIANTS))
    return [
        [name, sizes[name] / len(stack), sizes[name] / sizes[first], 1 / t, best[first] / t]
        for name, t in best.items()
    ]


def table(title: str, stack: np.ndarray, files: list[bytes]) -> str:
    headers = [f"{title} ({len(stack)} pictures)", "bytes", "of PNG", "random/cpu s", "x Pillow"]
    return tabulate(measure(stack, files), headers, floatfmt=("", ".0f", ".2f", ".0f", ".1f"))


def report(folder: Path | None = None) -> str:
    parts = []
    folder = folder or (SAMPLE if SAMPLE.is_dir() else None)
    if folder is not None:
        parts.append(
            table("genuine renderings" if folder == SAMPLE else folder.name, *load(folder))
        )
    else:
        parts.append("the genuine sample is not beside the project; dense pictures only")
    stack = dense_pictures()
    parts.append(table("dense pictures", stack, encode_pngs(stack)))
    return "\n\n".join(parts)


MEMORY = """
import sys
import numpy as np
from benchbench.datasets.store import Store
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
empty = resident()
store = Store(sys.argv[1])
rng = np.random.default_rng(0)
for n in rng.integers(0, len(store), int(sys.argv[2])):
    store.image(int(n), int(rng.integers(0, store.view_count(int(n)))))
print(resident() - empty)
"""


def memory(path: Path, reads: int = 20000) -> int:
    """Bytes which a reader of random views takes on top of the imports (its own process)."""
    command = [sys.executable, "-c", MEMORY, str(path), str(reads)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def full_size_store(folder: Path, objects: int = 43_784) -> Path:
    """A store with as many objects and views as ShapeNet's 13 classes, with tiny pictures."""
    from benchbench.datasets.cameras import kato_cameras
    from benchbench.datasets.records import (
        Encoded,
        Layout,
        ObjectRecord,
        Rendering,
        VoxelKind,
        encode,
    )
    from benchbench.datasets.store_writer import StoreWriter

    image = np.zeros((24, 8, 8, 4), np.uint8)
    image[:, 2:6, 2:6] = 255
    grid = np.zeros((32, 32, 32), bool)
    grid[8:24] = True
    cameras = kato_cameras(8)
    ids = [f"03001627/{n:032x}" for n in range(objects)]
    columns = ("azimuth", "elevation", "distance")
    layout = Layout({"k": Rendering(8, 8, columns)}, {"a": VoxelKind(32, np.eye(4))})
    record = ObjectRecord("03001627/x", "03001627", {"k": image}, {"k": cameras}, {"a": grid})
    base = encode(record, layout)
    with StoreWriter(
        folder,
        "full",
        (("03001627", "chair"),),
        layout,
        {"title": "full size"},
        {},
    ) as writer:
        for shard, start in enumerate(range(0, objects, 2048)):
            part = ids[start : start + 2048]
            writer.shard(shard, [Encoded(name, "03001627", base.columns) for name in part])
        return writer.finish({"s": {"train": ids}})


def test_store_table(capsys) -> None:
    """Prints the table; asserts nothing about time."""
    with capsys.disabled():
        sys.stdout.write("\n" + report() + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        with tempfile.TemporaryDirectory() as temporary:
            start = time.perf_counter()
            made = full_size_store(Path(temporary))
            took = time.perf_counter() - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            sys.stdout.write(
                f"43,784 objects, 1,050,816 views: written in {took:.0f} s, "
                f"writer's peak {peak // 1024} MiB, "
                f"reader {memory(made) >> 20} MiB above its imports\n"
            )
    else:
        sys.stdout.write(report(Path(sys.argv[1]) if len(sys.argv) > 1 else None) + "\n")
