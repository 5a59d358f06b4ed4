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
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import planted
import readers
import server
import sets
from server import Format, Outcome

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


def fuzz(form: Format, numbers: Iterable[int], seed: int) -> list[Outcome]:
    """Runs cases, tells what went wrong, and returns the faults."""
    start = time.monotonic()
    counts: collections.Counter[str] = collections.Counter()
    kinds: collections.Counter[str] = collections.Counter()
    faults, slowest = [], 0.0
    for outcome in server.run(form, numbers, seed):
        counts[outcome.kind] += 1
        slowest = max(slowest, outcome.seconds)
        if outcome.kind == "fault":
            faults.append(outcome)
            kinds[signature(outcome.text)] += 1
            if kinds[signature(outcome.text)] <= _SHOWN:
                sys.stdout.write(f"\nFAULT {form.name} {outcome.number}: {outcome.text}\n")
                sys.stdout.write(f"  again: {command(form.name, outcome.number, seed)}\n")
    sys.stdout.write(
        f"{form.name:24} {sum(counts.values()):6} cases: {counts['refused']} refused, "
        f"{counts['read']} read, {counts['fault']} faults; "
        f"{time.monotonic() - start:.1f} s, slowest {slowest:.2f} s\n"
    )
    for kind, count in kinds.items():
        sys.stdout.write(f"  {count} times {kind}\n")
    sys.stdout.flush()
    return faults


def _side_by_side(names: list[str], options: argparse.Namespace) -> int:
    """Each format in a process of its own; what they say comes whole, in the order of their end."""
    more = ["-n", str(options.cases), "--seed", str(options.seed)]
    more += ["--seconds", str(options.seconds)] if options.seconds else []

    def one(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, __file__, name, *more]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)

    codes = [0]
    with ThreadPoolExecutor(options.jobs) as pool:
        for future in as_completed([pool.submit(one, name) for name in names]):
            done = future.result()
            sys.stdout.write(done.stdout)
            sys.stdout.flush()
            codes.append(min(1, abs(done.returncode)))
    return max(codes)


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
    if options.jobs > 1 and options.case is None:
        return _side_by_side(names, options)
    faults = 0
    for name in names:
        form = known[name] if name in known else hidden[name]
        if options.case is None:
            faults += len(fuzz(form, range(options.cases), options.seed))
            continue
        if options.keep:
            files, _, _, changed = server.make_case(form, form.seeds(), options.case, options.seed)
            server.write_files(files, options.keep)
            sys.stdout.write(f"{options.keep}: changed {changed}\n")
        outcome = next(server.run(form, [options.case], options.seed))
        sys.stdout.write(f"{name} {options.case}: {outcome.kind}\n{outcome.text}\n")
        faults += outcome.kind == "fault"
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
