"""The coverage table of statistics.md: `python docs/interval_coverage.py [SAMPLES]`, 4,000 usually.

How often a 95 % interval holds the true mean, where the truth is known because it was simulated.
"""

from __future__ import annotations

import math
import sys

import numpy as np

from benchbench.core.keyed import keyed_rng
from benchbench.statistics.intervals import studentised
from benchbench.statistics.resampling import resample
from benchbench.statistics.sample import Sample, Stratum

TRUE = {"beta": 5 / 8, "lognormal": math.exp(0.7**2 / 2)}  # Beta(5, 3); sigma 0.7
TOGETHER = 200  # samples that share their resamples, which changes no sample's own interval


def simulate(name: str, units: int, classes: int, batch: int) -> Sample:
    """`TOGETHER` samples as the methods of one."""
    rng = keyed_rng("simulated", name, units, batch)
    shape = (TOGETHER, units)
    return Sample(
        tuple(
            Stratum(
                f"{batch} {c}",
                rng.beta(5, 3, shape) if name == "beta" else rng.lognormal(0, 0.7, shape),
                np.ones(units),
            )
            for c in range(classes)
        )
    )


def coverage(name: str, units: int, samples: int, classes: int = 13) -> tuple[float, float]:
    """Shares of samples whose interval holds the truth: mean over classes, mean of one class.

    Args:
        name: "beta" or "lognormal", the distribution of the scores.
        units: Objects a class.
        samples: How many are simulated, a multiple of `TOGETHER`.
        classes: Their number.
    """
    over_classes, of_one = [], []
    for batch in range(samples // TOGETHER):
        sample = simulate(name, units, classes, batch)
        resamples = resample(sample)
        for held, weights in (
            (over_classes, sample.per_class_weights()),
            (of_one, sample.only(0)),
        ):
            low, high = studentised(sample, resamples, weights)
            held.append((low <= TRUE[name]) & (TRUE[name] <= high))
    return float(np.mean(over_classes)), float(np.mean(of_one))


def main(samples: int) -> None:
    """Prints the table."""
    rows = [
        "| scores | objects a class | mean over 13 classes | mean of one class |",
        "|:--|--:|--:|--:|",
    ]
    for name in TRUE:
        for units in (10, 20, 40, 160):
            both = coverage(name, units, samples)
            rows.append(f"| {name} | {units} | {100 * both[0]:.1f} % | {100 * both[1]:.1f} % |")
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4000)
