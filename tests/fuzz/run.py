"""Changes valid files at random and watches what every reader does with them.

    python tests/fuzz/run.py                     all formats, 2,000 cases each
    python tests/fuzz/run.py png zip -n 500      some of them
    python tests/fuzz/run.py --jobs 2            two at once
    python tests/fuzz/run.py png --case 17       one case again, with its traceback
    python tests/fuzz/run.py png --case 17 --keep DIR   its files, to look at

Every case must end in a clear error or a correct read. Exit code 1 if one did not.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import planted
import readers
import server
import sets
from server import Format

# These import torch, and a process that has it forks several times slower: they come last.
_LAST = ("shape-", "set-shapenet-core", "set-pascal3d")
_SHOWN = 2  # faults of one signature that are told in full


def formats() -> dict[str, Format]:
    """All formats by name: single files first, then data sets as they are published."""
    return {**readers.formats(), **sets.formats()}


def command(name: str, number: int, seed: int) -> str:
    """What repeats a case."""
    more = f" --seed {seed}" if seed else ""
    return f"python tests/fuzz/run.py {name} --case {number}{more}"


def signature(text: str) -> str:
    """Faults of one signature have one cause: where it was raised, and what."""
    lines = text.strip().splitlines() or [""]
    places = [line for line in lines if line.startswith("  File ")]
    return f"{places[-1].strip() if places else ''} {lines[-1].partition(':')[0]}"


def fuzz(name: str, cases: int, seed: int) -> tuple[str, int]:
    """Runs cases; returns what is to be said, and the number of faults."""
    form = {**formats(), **planted.formats()}[name]
    start = time.monotonic()
    counts: collections.Counter[str] = collections.Counter()
    kinds: collections.Counter[str] = collections.Counter()
    slowest, said = 0.0, []
    for outcome in server.run(form, range(cases), seed):
        counts[outcome.kind] += 1
        slowest = max(slowest, outcome.seconds)
        if outcome.kind == "fault":
            kinds[signature(outcome.text)] += 1
            if kinds[signature(outcome.text)] <= _SHOWN:
                said.append(f"\nFAULT {name} {outcome.number}: {outcome.text}")
                said.append(f"  again: {command(name, outcome.number, seed)}")
    said.append(
        f"{name:24} {sum(counts.values()):6} cases: {counts['refused']} refused, "
        f"{counts['read']} read, {counts['fault']} faults; "
        f"{time.monotonic() - start:.1f} s, slowest {slowest:.2f} s"
    )
    said += [f"  {count} times {kind}" for kind, count in kinds.items()]
    return "\n".join(said) + "\n", counts["fault"]


def again(form: Format, number: int, seed: int, keep: Path | None) -> int:
    """One case; returns the number of faults."""
    if keep:
        files, _, _, changed = server.make_case(form, form.seeds(), number, seed)
        server.write_files(files, keep)
        sys.stdout.write(f"{keep}: changed {changed}\n")
    outcome = next(server.run(form, [number], seed))
    sys.stdout.write(f"{form.name} {number}: {outcome.kind}\n{outcome.text}\n")
    return int(outcome.kind == "fault")


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="FORMAT")
    parser.add_argument("-n", "--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="only this one")
    parser.add_argument("--keep", type=Path, help="with --case: write its files there")
    parser.add_argument("--seconds", type=int, help="of the processor a case may take")
    parser.add_argument("--jobs", type=int, default=1, help="formats at work at once")
    parser.add_argument("--list", action="store_true", help="names of all formats")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # threads do not survive a fork
    known = formats()
    if options.list:
        sys.stdout.write("\n".join(known) + "\n")
        return 0
    hidden = planted.formats()
    if unknown := [name for name in options.names if name not in {**known, **hidden}]:
        parser.error(f"no format {', '.join(unknown)}; known: {', '.join(known)}")
    if options.seconds:
        server.SECONDS = options.seconds
    names = options.names or list(known)
    if options.case is not None:
        both = {**known, **hidden}
        faults = sum(again(both[n], options.case, options.seed, options.keep) for n in names)
        return 1 if faults else 0
    faults = 0
    # Forked: all is imported already, and a worker's own children are forked from it.
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("fork")) as pool:
        names.sort(key=lambda name: (name.startswith(_LAST), not name.startswith("set-")))
        waiting = [pool.submit(fuzz, name, options.cases, options.seed) for name in names]
        for future in as_completed(waiting):
            said, found = future.result()
            faults += found
            sys.stdout.write(said)
            sys.stdout.flush()
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
