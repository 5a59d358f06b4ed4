"""`prepare shapenet-vpl` on a file of a gigabyte."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path

import pytest

from benchbench.datasets.shapenet_vpl import prepare as module


@pytest.mark.slow
def test_memory_does_not_grow_with_the_pictures(raw: Path, tmp_path: Path) -> None:
    """2,000 objects with 40,000 pictures of 20 KB: what the keys and places take."""
    content = pickle.loads((raw / "03001627_train.pkl").read_bytes(), encoding="bytes")
    padding = b"\0" * 20_000  # behind the end of the picture; nothing is decoded here
    views = {f"03001627_m{n:04d}_{v}": v for n in range(2000) for v in range(20)}
    pictures = [data + padding for data in content[b"images"].values()]
    viewpoints = list(content[b"viewpoints"].values())
    (cells,) = content[b"voxels"].values()
    with (tmp_path / "03001627_train.pkl").open("wb") as file:
        pickler = pickle.Pickler(file, 4)
        pickler.fast = True  # no memo: every picture is written anew
        pickler.dump(
            {
                "images": {key: pictures[view] for key, view in views.items()},
                "viewpoints": {key: viewpoints[view] for key, view in views.items()},
                "voxels": {f"03001627_m{n:04d}": cells for n in range(2000)},
            }
        )
    size = (tmp_path / "03001627_train.pkl").stat().st_size
    assert size > 800_000_000
    tracemalloc.start()
    try:
        jobs = module.read(module.locate(tmp_path)).jobs(frozenset())
        assert sum(1 for _ in jobs) == 2000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60_000_000
