"""A run folder that was damaged after the fact: told, never averaged over, and made good again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

LINE = ("run", "--baseline", "gt", "--split", "test", "--protocol", "bench-iou-v1")
NAMES = ("result.json", "scores.csv", "config.json", "predictions/shard-0001.h5",
         "scores/bench-iou-v1/shard-0001.csv")  # fmt: skip


@pytest.fixture(scope="module")
def finished(tiny_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of three shards."""
    from click.testing import CliRunner

    from benchbench.cli.main import cli

    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("benchbench.evaluation.plan.SHARD_OBJECTS", 4)
        patch.setattr("benchbench.baselines.gt.model.TruthBaseline.block_size", 4)
        patch.setattr("benchbench.evaluation.result.git_commit", lambda: "a commit")
        done = CliRunner().invoke(cli, [*LINE, "--root", str(tiny_home)])
        assert done.exit_code == 0, done.stderr
    return next(folder.glob("runs/*/gt-*"))


@pytest.fixture
def run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench: Any) -> Path:
    monkeypatch.setattr("benchbench.evaluation.plan.SHARD_OBJECTS", 4)
    monkeypatch.setattr("benchbench.baselines.gt.model.TruthBaseline.block_size", 4)
    monkeypatch.setattr("benchbench.evaluation.result.git_commit", lambda: "a commit")
    shutil.copytree(finished.parents[1], tmp_path / "runs")
    return Path("runs") / finished.parent.name / finished.name


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith((".lock", "run.log"))
    }


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_vertices(path: Path) -> None:
    """One bit of a stored vertex; the file opens as before."""
    with h5py.File(path) as file:
        start = file["vertices"].id.get_offset()
    data = bytearray(path.read_bytes())
    data[start + 5] ^= 0x01
    path.write_bytes(data)


def nan_vertices(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["vertices"][3] = np.nan


def lose_line(path: Path) -> None:
    """The last line of scores is gone; what is left is a fine CSV."""
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))


def change_score(path: Path) -> None:
    head, _, last = path.read_text().rstrip("\n").rpartition("\n")
    path.write_text(f"{head}\n{last.replace(',1.0,', ',0.25,')}\n")


def nan_score(path: Path) -> None:
    head, _, last = path.read_text().rstrip("\n").rpartition("\n")
    path.write_text(f"{head}\n{last.replace(',1.0,', ',nan,')}\n")


FAULTS: list[tuple[str, Callable[[Path], None]]] = [
    ("predictions/shard-0001.h5", cut),
    ("predictions/shard-0001.h5", lambda path: path.write_bytes(b"")),
    ("predictions/shard-0001.h5", lambda path: path.unlink()),
    ("predictions/shard-0001.h5", flip_vertices),
    ("predictions/shard-0001.h5", nan_vertices),
    ("scores/bench-iou-v1/shard-0001.csv", cut),
    ("scores/bench-iou-v1/shard-0001.csv", lambda path: path.write_bytes(b"")),
    ("scores/bench-iou-v1/shard-0001.csv", lambda path: path.unlink()),
    ("scores/bench-iou-v1/shard-0001.csv", lose_line),
    ("scores/bench-iou-v1/shard-0001.csv", change_score),
    ("scores/bench-iou-v1/shard-0001.csv", nan_score),
    ("scores.csv", lose_line),
    ("result.json", cut),
    ("result.json", lambda path: path.write_text("[]")),
    ("result.json", lambda path: path.unlink()),
]
IDS = [f"{name.rpartition('/')[2]} {number}" for number, (name, _) in enumerate(FAULTS)]


@pytest.mark.parametrize(("name", "fault"), FAULTS, ids=IDS)
def test_the_same_run_makes_it_good(
    bench: Any, run: Path, finished: Path, tiny_home: Path, name: str,
    fault: Callable[[Path], None],
) -> None:  # fmt: skip
    fault(run / name)
    done = bench(*LINE, "--root", tiny_home)
    assert done.exit_code == 0, done.stderr
    assert "mean over classes 1.000" in done.stdout and "12 objects" in done.stdout
    assert content(run) == content(finished)


@pytest.mark.parametrize(("name", "fault"), FAULTS[:5], ids=IDS[:5])
def test_score_refuses_damaged_predictions(
    bench: Any, refused: Any, run: Path, tiny_home: Path, name: str, fault: Callable[[Path], None]
) -> None:
    fault(run / name)
    done = bench("score", run, "--overwrite", "--root", tiny_home, "-q")
    hint = refused(done, 5 if not (run / name).exists() else 1, str(run))
    assert "bench run" in hint
    assert bench(*LINE, "--root", tiny_home).exit_code == 0
    done = bench("score", run, "--overwrite", "--root", tiny_home)
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"kind": "benchbench result"}', "null"])
def test_a_broken_result_is_named(
    bench: Any, refused: Any, run: Path, tiny_home: Path, text: str
) -> None:
    (run / "result.json").write_text(text)
    refused(bench("report", "--metric", "iou"), 1, "result.json'")
    refused(bench("report", run, "--metric", "iou"), 1, "result.json'")
    done = bench("score", run, "--expect", run / "result.json", "--root", tiny_home)
    refused(done, 1, "result.json'")
    done = bench("score", run, "--root", tiny_home)
    assert done.exit_code == 0, done.stderr
    assert bench("report", "--metric", "iou").exit_code == 0


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null"])
def test_a_broken_configuration_is_named(
    bench: Any, refused: Any, run: Path, finished: Path, tiny_home: Path, text: str
) -> None:
    (run / "config.json").write_text(text)
    refused(bench("score", run, "--root", tiny_home), 1, "config.json'")
    hint = refused(bench(*LINE, "--root", tiny_home), 1, "config.json'")
    assert "--overwrite" in hint
    done = bench(*LINE, "--root", tiny_home, "--overwrite")
    assert done.exit_code == 0, done.stderr
    assert content(run) == content(finished)


def test_predictions_of_another_data_set_are_refused(
    bench: Any, refused: Any, run: Path, tiny: Any, tmp_path: Path
) -> None:
    tiny.make_store(tmp_path / "other", meshes=False)
    hint = refused(bench("score", run, "--root", "other"), 5, "made on 'shapes13-demo'")
    assert "--root" in hint


def test_a_result_says_what_is_in_the_files(run: Path) -> None:
    """So that a reader of the damaged kind can be sure of the whole kind."""
    from benchbench.core.files import sha256_file

    result = json.loads((run / "result.json").read_text())
    assert result["hashes"]["scores"] == sha256_file(run / "scores.csv")
