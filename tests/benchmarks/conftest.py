"""Fair races: all sides in turn, so that a busy machine is busy for everybody."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import pytest
import torch

THREADS = 2


@pytest.fixture
def race(capsys: pytest.CaptureFixture[str], benchmark) -> Callable[..., dict[str, float]]:  # type: ignore[no-untyped-def]
    """`race(title, {"ours": f, "peer": g, ...}, rounds=9, per=1, calls=1) -> median ms of each`.

    With `calls` above 1 a turn makes that many calls after one that is not counted: for calls so
    short that threads which the other side left spinning would be measured. "ours" comes first
    and gets the benchmark's own statistics too; the ratios are printed and stored with it.
    """

    def run(
        title: str,
        sides: Mapping[str, Callable[[], object]],
        rounds: int = 9,
        per: int = 1,
        calls: int = 1,
    ) -> dict[str, float]:
        torch.set_num_threads(THREADS)
        times: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(rounds + 1):
            for name, side in sides.items():
                if calls > 1:
                    side()
                start = time.perf_counter()
                for _ in range(calls):
                    side()
                if turn > 0:  # the first round warms up
                    times[name].append((time.perf_counter() - start) / calls)
        ms = {name: statistics.median(all_) * 1e3 / per for name, all_ in times.items()}
        ours = ms["ours"]
        lines = [f"{title}, {THREADS} threads: ours {ours:.3f} ms"]
        lines += [
            f"  {name} {value:.3f} ms, {value / ours:.1f} times as long"
            for name, value in ms.items()
            if name != "ours"
        ]
        with capsys.disabled():
            print("\n" + "\n".join(lines))  # noqa: T201
        benchmark.pedantic(sides["ours"], rounds=5)
        benchmark.extra_info.update({f"ms {name}": value for name, value in ms.items()})
        return ms

    return run
