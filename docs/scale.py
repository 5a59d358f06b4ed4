"""The tables of scale.md: `python docs/scale.py`.

Plain arithmetic on measured rates; scale.md says how each of them was measured.
"""

from __future__ import annotations

import math
import sys

RATES = {
    # preparing, 24 pictures of 137x137 and 32^3 voxels an object (3D-R2N2's form)
    "source bytes an object": 250_000.0,
    "converted objects a second and core": 30.0,
    "parent's milliseconds an object, unpacked": 2.7,
    "parent's milliseconds an object, .tgz": 5.4,
    "store bytes an object": 165_000.0,
    "bytes a second put together": 277e6,
    "bytes held while preparing": 100e6,
    "bytes held while preparing, an object": 5_800.0,
    "bytes held while putting together, an object": 2_700.0,
    # reading
    "seconds to open, an object": 1.6e-6,
    "bytes a reader holds": 60e6,
    "bytes a reader holds, an object": 1_330.0,
    "pictures a second and worker": 10_000.0,
    # scoring
    "predictions of bytes": 7_800.0,
    "IoU a second and core": 1_110.0,
    "surfaces a second and core": 39.0,
    "bytes of a score line": 86.0,
    "bytes held of a score": 215.0,
    "scores put together a second": 371_000.0,
}
VIEWS = 24
SIZES = {"ShapeNet": 43_783, "ten million": 10_000_000}


def seconds_text(seconds: float) -> str:
    """A duration for people: two digits.

    Example:
        >>> seconds_text(5.04), seconds_text(130), seconds_text(7200), seconds_text(2e6)
        ('5 s', '2.2 min', '2 h', '23 days')
    """
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length or (unit == "min" and seconds >= length):
            return f"{float(f'{seconds / length:.2g}'):g} {unit}"
    return f"{float(f'{seconds:.2g}'):g} s"


def bytes_text(size: float) -> str:
    """A size for people: two digits, decimal units.

    Example:
        >>> bytes_text(950), bytes_text(340e6), bytes_text(1.65e12)
        ('950 B', '340 MB', '1.6 TB')
    """
    power = min(4, int(math.log10(max(size, 1)) / 3))
    return f"{float(f'{size / 1000**power:.2g}'):g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def prepare(objects: int, cores: int, folder: bool) -> float:
    """Seconds from files to the finished store.

    Args:
        objects: Number of objects.
        cores: Processes that convert.
        folder: Unpacked folders, which the workers read themselves, instead of one archive.
    """
    form = "unpacked" if folder else ".tgz"
    one_parent = 1000 / RATES[f"parent's milliseconds an object, {form}"]
    speed = min(RATES["converted objects a second and core"] * cores, one_parent)
    together = objects * RATES["store bytes an object"] / RATES["bytes a second put together"]
    return objects / speed + together


def table(rows: dict[str, list[str]]) -> str:
    """Markdown."""
    head = f"| | {' | '.join(f'{name}: {count:,} objects' for name, count in SIZES.items())} |"
    lines = [head, "|---|" + "---|" * len(SIZES)]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(row)} |" for name, row in rows.items())])


def tables() -> str:
    """All three, with their headings."""
    n = list(SIZES.values())
    r = RATES
    disk = r["store bytes an object"]
    held = r["bytes held while preparing, an object"]
    train, test = [0.8 * c * VIEWS for c in n], [0.2 * c * VIEWS for c in n]

    def times(cores: int, folder: bool) -> list[str]:
        return [seconds_text(prepare(c, cores, folder)) for c in n]

    def each(per_object: float, base: float = 0.0) -> list[str]:
        return [bytes_text(base + c * per_object) for c in n]

    def lasting(counts: list[float], rate: float) -> list[str]:
        return [seconds_text(c / rate) for c in counts]

    parts = {
        "### Prepare": {
            "source, packed": each(r["source bytes an object"]),
            "time, one .tgz, 2 cores": times(2, False),
            "time, one .tgz, 16 cores": times(16, False),
            "time, unpacked folders, 16 cores": times(16, True),
            "disk: store": each(disk),
            "disk: at the end of the conversion (shards and store)": each(2 * disk),
            "memory: the parent, converting": each(held, r["bytes held while preparing"]),
            "memory: the parent, putting together": each(
                r["bytes held while putting together, an object"] + held,
                r["bytes held while preparing"],
            ),
        },
        "### Read": {
            "time to open": [seconds_text(c * r["seconds to open, an object"]) for c in n],
            "memory of each reader": each(
                r["bytes a reader holds, an object"], r["bytes a reader holds"]
            ),
            "an epoch of random pictures of the train part, 1 worker": lasting(
                train, r["pictures a second and worker"]
            ),
            "the same, 16 workers": lasting(train, 16 * r["pictures a second and worker"]),
        },
        "### Score the test part, one core": {
            "predictions": [f"{c:,.0f}" for c in test],
            "disk: meshes of one method": [bytes_text(c * r["predictions of bytes"]) for c in test],
            "time: kato-iou-v1": lasting(test, r["IoU a second and core"]),
            "time: bench-surface-v1 (Chamfer, F-score, normals)": lasting(
                test, r["surfaces a second and core"]
            ),
            "the latter, 16 cores": lasting(test, 16 * r["surfaces a second and core"]),
            "disk: lines of scores, five metrics": [
                bytes_text(5 * c * r["bytes of a score line"]) for c in test
            ],
            "memory: putting five metrics together": [
                bytes_text(5 * c * r["bytes held of a score"]) for c in test
            ],
            "time: the same": lasting(
                [5 * c for c in test], r["scores put together a second"]
            ),
        },
    }  # fmt: skip
    return "\n\n".join(f"{title}\n\n{table(rows)}" for title, rows in parts.items())


if __name__ == "__main__":
    sys.stdout.write(tables() + "\n")
