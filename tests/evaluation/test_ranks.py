"""Several processes on one run, and what may be merged: nothing stale, nothing short."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from benchbench.cli.main import cli
from benchbench.core.errors import CheckError, UsageError
from benchbench.evaluation.folder import Rank, RunFolder
from benchbench.evaluation.plan import plan_run
from benchbench.evaluation.rescore import plan_outside, score_outside, score_run
from benchbench.evaluation.result import finish
from benchbench.evaluation.run import execute, run
from benchbench.evaluation.scores import read_note, read_scores, write_scores


def test_ranks_merge_to_the_same_files(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, small_shards: None
) -> None:
    protocols = ("bench-iou-v1", "bench-surface-v1")
    stubs.STUBS["stub"] = stubs.Stub()
    alone, many = tmp_path / "alone", tmp_path / "many"
    run(stubs.request(tiny_root, alone, protocols=protocols), quiet=True)
    request = stubs.request(tiny_root, many, protocols=protocols)
    for index in (2, 1, 0):  # rank 0 last: it merges
        result = run(request, rank=Rank(index, 3), quiet=True)
        assert (result is None) == (index != 0)
    assert stubs.contents(next(alone.glob("*/stub-*"))) == stubs.contents(
        next(many.glob("*/stub-*"))
    )


def test_rank_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert Rank.from_environment() == Rank(2, 3, 0)
    monkeypatch.setenv("RANK", "3")
    with pytest.raises(UsageError, match="RANK 3"):
        Rank.from_environment()
    monkeypatch.setenv("RANK", "x")
    with pytest.raises(UsageError, match="integers"):
        Rank.from_environment()


def test_a_short_score_shard_is_scored_again(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, small_shards: None
) -> None:
    """A file of the right inputs that holds fewer lines must not shrink the denominator."""
    stubs.STUBS["stub"] = stubs.Stub()
    request = stubs.request(tiny_root, tmp_path, protocols=("bench-iou-v1", "bench-surface-v1"))
    whole = run(request, quiet=True)
    folder = next(tmp_path.glob("*/stub-*"))
    before = stubs.contents(folder)
    for name, keep in (("bench-iou-v1", slice(0, -2)), ("bench-surface-v1", slice(1, None))):
        shard = folder / "scores" / name / "shard-0001.csv"
        write_scores(shard, list(read_scores(shard))[keep], str(read_note(shard)))
    assert run(request, quiet=True) == whole
    assert stubs.contents(folder) == before


def test_nothing_is_averaged_over_a_part(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, small_shards: None
) -> None:
    """Merging checks the items once more, whatever was said of the shards before."""
    stubs.STUBS["stub"] = stubs.Stub()
    plan = plan_run(stubs.request(tiny_root, tmp_path))
    execute(plan, quiet=True)
    arguments = (["bench-iou-v1"], len(plan.shards), None, {})
    finish(plan.folder, plan.config, *arguments)
    shard = plan.folder.score_shard("bench-iou-v1", 1)
    lines = list(read_scores(shard))
    for wrong in (lines[:-1], [*lines, lines[0]], [replace(lines[0], view=7), *lines[1:]]):
        write_scores(shard, wrong, "note")
        with pytest.raises(CheckError, match="not those of its predictions") as caught:
            finish(plan.folder, plan.config, *arguments)
        assert "bench score" in str(caught.value.hint)
    write_scores(shard, lines, "note")
    with pytest.raises(CheckError, match="32 of 36 predictions"):
        finish(plan.folder, plan.config, ["bench-iou-v1"], len(plan.shards) - 1, None, {})


@pytest.mark.parametrize("what", ["predictions", "scores"])
def test_rank_0_does_not_merge_what_an_earlier_command_left(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, small_shards: None,
    monkeypatch: pytest.MonkeyPatch, what: str,
) -> None:  # fmt: skip
    """Rank 1 has not yet replaced its stale shard when rank 0 is done: rank 0 waits for it."""
    stubs.STUBS["stub"] = stubs.Stub()
    request = stubs.request(tiny_root, tmp_path)
    whole = run(request, quiet=True)
    folder = RunFolder(next(tmp_path.glob("*/stub-*")))
    before = stubs.contents(folder.path)
    if what == "predictions":  # shard 1 holds the items of shard 3
        shutil.copy(folder.prediction_shard(3), folder.prediction_shard(1))
    else:  # the scores of another version of the program
        scores = list(read_scores(folder.score_shard("bench-iou-v1", 1)))
        stale = [replace(score, value=0.0) for score in scores]
        write_scores(folder.score_shard("bench-iou-v1", 1), stale, "key=other")
    asked: list[float] = []

    def sleep(seconds: float) -> None:
        asked.append(seconds)
        if len(asked) == 3:
            run(request, rank=Rank(1, 2), quiet=True)
        assert len(asked) < 6

    monkeypatch.setattr("benchbench.evaluation.folder.time.sleep", sleep)
    assert run(request, rank=Rank(0, 2), quiet=True) == whole
    assert len(asked) == 3
    assert stubs.contents(folder.path) == before


def test_score_shares_the_work_among_ranks(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, small_shards: None
) -> None:
    """Rank 0 comes last and merges; nobody scores a shard that is another's."""
    stubs.STUBS["stub"] = stubs.Stub()
    run(stubs.request(tiny_root, tmp_path), quiet=True)
    folder = RunFolder(next(tmp_path.glob("*/stub-*")))
    alone = score_run(folder, tiny_root, ("kato-iou-v1",), quiet=True)
    before = stubs.contents(folder.path)
    shutil.rmtree(folder.path / "scores" / "kato-iou-v1")
    for index in (1, 2, 0):
        result = score_run(folder, tiny_root, ("kato-iou-v1",), rank=Rank(index, 3), quiet=True)
        assert result == (None if index else alone)
        if index == 1:
            there = sorted(p.name for p in (folder.path / "scores" / "kato-iou-v1").iterdir())
            assert there == ["shard-0001.csv", "shard-0004.csv"]
    assert stubs.contents(folder.path) == before
    with pytest.raises(UsageError, match="--overwrite and several processes"):
        score_run(folder, tiny_root, overwrite=True, rank=Rank(1, 3), quiet=True)


def test_outside_predictions_are_read_and_scored_by_ranks(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, small_shards: None
) -> None:
    stubs.STUBS["stub"] = stubs.Stub()
    run(stubs.request(tiny_root, tmp_path), quiet=True)
    predictions = next(tmp_path.glob("*/stub-*")) / "predictions"
    store = stubs.tiny_store(tiny_root)
    results, files = [], []
    for name, ranks in (("alone", [Rank()]), ("many", [Rank(1, 2), Rank(0, 2)])):
        for rank in ranks:
            found, folder, config, items = plan_outside(
                predictions, store, "test", out=tmp_path / name
            )
            results.append(
                score_outside(
                    found, folder, config, items, store, ("bench-iou-v1",), rank=rank, quiet=True
                )
            )
        files.append(stubs.contents(folder.path))
    assert results[0] == results[2] and results[1] is None
    assert files[0] == files[1]


def test_commands_under_torchrun(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rank 1 says nothing and compares nothing."""
    stubs.STUBS["stub"] = stubs.Stub()
    run(stubs.request(tiny_root, tmp_path), quiet=True)
    folder = next(tmp_path.glob("*/stub-*"))
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")

    def bench(*words: Any) -> Any:
        return CliRunner().invoke(cli, [*map(str, words), "--root", str(tiny_root)])

    for more in ((), ("--expect", folder / "result.json")):
        done = bench("score", folder, *more)
        assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    done = bench("score", "--selftest")
    assert (done.exit_code, done.stdout) == (0, "")
