"""The figures of audit.md: `python docs/audit.py STORE.h5 RENDERING KIND` and `... STORE.h5 time`.

Prints least values of a store's own grids and medians of grids that were made wrong, or how long
the audit takes in one process and in all.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import numpy as np

from benchbench.datasets.audit.objects import sampled_views
from benchbench.datasets.audit.run import audit_store
from benchbench.datasets.audit.silhouettes import mean, shares
from benchbench.datasets.store import Store
from benchbench.datasets.workers import usable_cores

CHANGES = {
    "as stored": lambda cells: cells,
    "x and z exchanged": lambda cells: cells.transpose(2, 1, 0),
    "y and z exchanged": lambda cells: cells.transpose(0, 2, 1),
    "x mirrored": lambda cells: cells[::-1],
    "inverted": lambda cells: ~cells,
}


def measure(path: Path, rendering: str, kind: str) -> None:
    """Shares of about 60 objects, spread over the store."""
    store = Store(path)
    for what, change in CHANGES.items():
        rows = []
        for index in range(0, len(store), max(1, len(store) // 60)):
            place = np.linalg.inv(store.source_to_object(index)) @ store.grid_to_object(kind)
            grid = change(store.voxels(index, kind))
            count = store.view_count(index, rendering)
            found = []
            for view in sampled_views(store, store.object_ids[index], rendering, count):
                alpha = store.image(index, view, rendering)[..., 3]
                camera = store.camera(index, view, rendering)
                found.append(shares(grid, place, camera, alpha > 0, alpha >= 128))
            rows.append(vars(mean([one for one in found if one])).values())
        table = np.array([list(row) for row in rows])
        least, middle = table.min(0).round(3).tolist(), np.median(table, 0).round(3).tolist()
        sys.stdout.write(f"{what}: inside, near, covered: least {least}, median {middle}\n")


def clock(path: Path) -> None:
    """Seconds of the audit, and the greatest memory of any process."""
    for workers in (1, usable_cores()):
        start = time.perf_counter()
        report = audit_store(path, workers)
        seconds = time.perf_counter() - start
        most = max(
            resource.getrusage(who).ru_maxrss
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        sys.stdout.write(
            f"{len(report.ids)} objects, {workers} processes: {seconds:.1f} s, {most >> 10} MiB\n"
        )


if __name__ == "__main__":
    if sys.argv[2:] == ["time"]:
        clock(Path(sys.argv[1]))
    else:
        measure(Path(sys.argv[1]), *sys.argv[2:])
