"""`bench run`, `score` and `report` as a user types them: exit code, stdout and stderr of each."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchbench.cli.main import cli

TINY = Path(__file__).parent.parent / "evaluation" / "tiny.py"


@pytest.fixture(scope="module")
def tiny() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_tests_tiny", TINY)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def root(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    tiny.make_store(folder)
    return folder


@pytest.fixture
def bench(root: Path, tmp_path: Path, tiny: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls the program in an empty folder with the tiny set prepared and the stubs known."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_HOME", str(root))
    monkeypatch.setattr("benchbench.protocols.surface.SAMPLES", 300)
    tiny.register(monkeypatch)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(cli, [str(a) for a in arguments])

    return call


def test_the_three_lines(bench: Any, tmp_path: Path) -> None:
    done = bench("run", "--baseline", "gt", "--split", "test")
    assert done.exit_code == 0, done.stderr
    assert "bench-iou-v1:iou  mean over classes 1.000" in done.stdout
    assert "shapes13-demo (first prepared of" in done.stderr
    assert "next: bench report" in done.stderr
    (folder,) = (tmp_path / "runs" / "shapes13-demo-test").glob("gt-*")
    assert len(folder.name) == len("gt-") + 8
    for name in ("predictions", "scores.csv", "result.json", "run.log", "config.json"):
        assert (folder / name).exists()
    done = bench("report", "--metric", "chamfer")
    assert done.exit_code == 0 and "bench-surface-v1:chamfer" in done.stdout
    done = bench("report", "--metric", "iou", "--json")
    assert json.loads(done.stdout)["tables"][0]["rows"][0]["mean_over_classes"] == 1.0


def test_run_answers_json_and_nothing_else(bench: Any) -> None:
    done = bench("run", "--baseline", "gt", "--split", "val", "--json", "-q")
    content = json.loads(done.stdout)
    assert content["schema"] == 1 and content["failed"] == 0 and done.stderr == ""
    settings = content["result"]["settings"]
    assert settings["split"] == {"value": "val", "source": "commandline"}
    assert settings["seed"] == {"value": 0, "source": "default"}
    result = content["result"]
    assert set(result["hashes"]) == {"data", "weights", "predictions", "scores", "objects"}
    assert result["versions"]["torch"] and "git_commit" in result


def test_failed_items_end_in_four(bench: Any, tiny: ModuleType) -> None:
    store = tiny.tiny_store(Path(os.environ["BENCH_HOME"]))
    row = int(store.indices("test")[2])
    wrong = {(row, 1): tiny.NAN, (row, 2): ValueError("no idea"), (row + 1, 0): tiny.EMPTY,
             (row + 1, 1): tiny.FAR_INDEX}  # fmt: skip
    tiny.STUBS["stub"] = tiny.Stub(wrong=wrong)
    done = bench("run", "--baseline", "stub", "--split", "test", "--protocol", "bench-iou-v1")
    assert done.exit_code == 4
    words = "4 items failed and got the penalty (1 empty, 1 error, 1 invalid, 1 nonfinite)"
    assert words in done.stderr and "mean over objects" in done.stdout
    assert f"{store.object_ids[row]} view 2: ValueError: no idea" in done.stderr
    done = bench("report")  # no surface distance there: the other default is shown
    assert done.exit_code == 0 and done.stdout.count("mean over classes:") == 1
    assert bench("report", "--metric", "chamfer").exit_code == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("run", "--baseline", "katoo", "--split", "test"), 2, "did you mean 'kato'"),
        (("run", "--baseline", "gt", "--split", "tset"), 2, "did you mean 'test'"),
        (("run", "--baseline", "gt"), 2, "--split"),
        (("run", "--baseline", "gt", "--split", "test", "--dataset", "shapenet"), 3,
         "bench prepare shapenet"),
        (("run", "--baseline", "gt", "--split", "test", "--protocol", "bench-iuo-v1"), 2,
         "did you mean 'bench-iou-v1'"),
        (("run", "--baseline", "gt", "--split", "test", "--protocol", "p2m-emd-v1"), 2,
         "p2m-emd-v1 cannot be computed again: its matching is approximate"),
        (("score", ".", "--protocol", "dibr-iou-v1"), 2,
         "dibr-iou-v1 cannot be computed again: it runs the closed program binvox"),
        (("report", "--metric", "psgn-iou-v1"), 2, "hint: --protocol r2n2-iou-v1"),
        (("run", "--baseline", "gt", "--split", "test", "--classes", "char"), 2, "'chair'"),
        (("run", "--baseline", "gt", "--split", "test", "--set", "knd=x"), 2, "'kind'"),
        (("run", "--baseline", "gt", "--split", "test", "--set", "kind"), 2, "name=value"),
        (("run", "--baseline", "gt", "--split", "test", "--limit", "0"), 2, "--limit"),
        (("run", "--baseline", "gt", "--split", "test", "--device", "cuda"), 3, "bench doctor"),
        (("score",), 2, "name the predictions"),
        (("score", "nowhere"), 3, "no predictions at 'nowhere'"),
        (("score", ".", "--dataset", "shapes13", "--split", "test"), 3, "holds no predictions"),
        (("score", "."), 2, "need --dataset and --split"),
        (("score", ".", "--expect", "x.json"), 2, "'.' is none"),
        (("report",), 3, "bench run --baseline kato --split test"),
        (("report", "--metric", "chanfer"), 2, "'chamfer'"),
        (("report", "nowhere"), 3, "there is no 'nowhere'"),
    ],
)  # fmt: skip
def test_what_wrong_input_gets(
    bench: Any, arguments: tuple[str, ...], code: int, words: str
) -> None:
    if "cuda" in arguments:
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("there is a GPU here")
    done = bench(*arguments)
    assert done.exit_code == code, (done.stdout, done.stderr)
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_dry_run_changes_nothing(bench: Any, tmp_path: Path) -> None:
    done = bench("run", "--baseline", "gt", "--split", "test", "--limit", "3", "--dry-run")
    assert done.exit_code == 0
    assert "limit: 3 (commandline)" in done.stdout and "into: runs/" in done.stdout
    assert not (tmp_path / "runs").exists()
    content = json.loads(
        bench("run", "--baseline", "gt", "--split", "test", "--dry-run", "--json").stdout
    )
    assert content["predictions"] == 12 and content["complete"]
    done = bench("run", "--baseline", "gt", "--split", "test", "--dry-run", "--root", "empty")
    assert done.exit_code == 3 and "bench prepare shapes13 --size demo" in done.stderr
    assert not (tmp_path / "empty").exists()


def test_partial_runs_need_a_word(bench: Any) -> None:
    done = bench("run", "--baseline", "gt", "--split", "test", "--limit", "3")
    assert done.exit_code == 0 and "not complete: --limit 3" in done.stderr
    done = bench("report", "--metric", "iou")
    assert done.exit_code == 3 and "--partial" in done.stderr
    done = bench("report", "--metric", "iou", "--partial")
    assert done.exit_code == 0 and "gt (part)" in done.stdout


def test_predict_now_score_later(bench: Any, tmp_path: Path) -> None:
    done = bench("run", "--baseline", "gt", "--split", "test", "--no-score")
    assert done.exit_code == 0 and "nothing was scored" in done.stderr
    (folder,) = (tmp_path / "runs" / "shapes13-demo-test").glob("gt-*")
    done = bench("score", folder, "--protocol", "kato-iou-v1", "--protocol", "dibr-chamfer-v1")
    assert done.exit_code == 0 and "kato-iou-v1:iou  mean over classes 1.0000" in done.stdout
    done = bench("report", "--metric", "dibr-chamfer-v1")
    assert done.exit_code == 0 and "dibr-chamfer-v1:chamfer" in done.stdout
    done = bench("score", folder, "--expect", folder / "result.json")
    assert done.exit_code == 0 and "numbers agree" in done.stdout
    content = json.loads((folder / "result.json").read_text())
    content["protocols"]["kato-iou-v1"]["mean_over_classes"]["iou"] = 0.5
    (tmp_path / "wrong.json").write_text(json.dumps(content))
    done = bench("score", folder, "--expect", tmp_path / "wrong.json")
    assert done.exit_code == 5 and "0.5 expected, 1.0 found" in done.stderr


def test_score_somebody_elses_meshes(bench: Any, tiny: ModuleType, tmp_path: Path) -> None:
    import trimesh

    store = tiny.tiny_store(Path(os.environ["BENCH_HOME"]))
    rows = store.indices("test").tolist()
    for row in rows[1:]:
        path = tmp_path / "mine" / store.object_ids[row] / "0.obj"
        path.parent.mkdir(parents=True)
        mesh = store.mesh(row)
        trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(path)
    line = ("score", "mine", "--dataset", "shapes13", "--split", "test")
    done = bench(*line, "--protocol", "bench-iou-v1")
    assert done.exit_code == 4  # one object is absent
    assert f"{store.object_ids[rows[0]]} view 0: no file for it" in done.stderr
    assert "mean over objects 0.917" in done.stdout  # 11 of 12
    done = bench("report", "--metric", "iou")
    assert done.exit_code == 0 and "mine: predictions handed in" in done.stdout
    (tmp_path / "mine" / "02691156" / "nobody.obj").write_text("v 0 0 0\n")
    done = bench(*line)
    assert done.exit_code == 5 and "no object '02691156/nobody'" in done.stderr


def test_mixed_data_sets_end_in_five(bench: Any, tmp_path: Path, root: Path) -> None:
    assert bench("run", "--baseline", "gt", "--split", "test").exit_code == 0
    assert bench("run", "--baseline", "gt", "--split", "val").exit_code == 0
    folders = sorted((tmp_path / "runs").glob("*/gt-*"))
    done = bench("report", *folders, "--metric", "iou")
    assert done.exit_code == 5 and "never share a table" in done.stderr
    done = bench("report", "--metric", "iou")
    assert done.exit_code == 0 and done.stdout.count("bench-iou-v1:iou") == 2
    done = bench("report", "--metric", "iou", "--split", "val", "-o", "table.md", "--format", "md")
    assert done.exit_code == 0 and done.stdout == ""
    assert (tmp_path / "table.md").read_text().count("| gt |") == 1


def test_selftest(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchbench.protocols.surface.SAMPLES", 30_000)
    done = bench("score", "--selftest")
    assert done.exit_code == 0 and "largest deviation" in done.stdout
    content = json.loads(bench("score", "--selftest", "--json").stdout)
    assert content["passed"] and all(case["passed"] for case in content["cases"])
    # A scorer that is a little off is found.
    import benchbench.protocols.iou as iou

    real = iou.grid_iou
    monkeypatch.setattr(iou, "grid_iou", lambda a, b: real(a, b) * 0.999)
    done = bench("score", "--selftest")
    assert done.exit_code == 5 and "FAIL bench-iou-v1:iou" in done.stdout


def test_read_only_and_full_places(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    done = bench("run", "--baseline", "gt", "--split", "test", "--out", "file/runs")
    assert done.exit_code in (1, 2, 3) and "Traceback" not in done.stderr
    import errno

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    done = bench("run", "--baseline", "gt", "--split", "test")
    assert done.exit_code == 3 and "no space left" in done.stderr, done.stderr
    assert not list(tmp_path.rglob("*.tmp"))
    monkeypatch.undo()


# -- real processes -------------------------------------------------------------------------

PROGRAM = """
import importlib.util, os, sys, time
spec = importlib.util.spec_from_file_location("bench_tests_tiny", sys.argv[1])
tiny = importlib.util.module_from_spec(spec); sys.modules[spec.name] = tiny
spec.loader.exec_module(tiny)
class Patch:
    def setattr(self, where, name, value): setattr(where, name, value)
tiny.register(Patch())
import benchbench.evaluation.plan as plan, benchbench.evaluation.result as result
import benchbench.protocols.surface as surface
plan.SHARD_OBJECTS = 1; surface.SAMPLES = 200; result.git_commit = lambda: None
class Slow(tiny.Stub):
    def predict_items(self, store, items):
        time.sleep(float(os.environ.get("SLOW", "0"))); return super().predict_items(store, items)
tiny.STUBS["stub"] = Slow(block_size=3)
if "STUCK" in os.environ:  # a scorer that does not come back, in a thread beside the first
    import pathlib, threading
    import benchbench.evaluation.scoring as scoring
    load = scoring.load_scorer
    def load_stuck(spec):
        def scorer(*arguments):
            if threading.current_thread() is not threading.main_thread():
                pathlib.Path("stuck").touch(); time.sleep(600)
            return load(spec)(*arguments)
        return scorer
    scoring.load_scorer = load_stuck
from benchbench.cli.main import console
console(sys.argv[2:])
"""
RUN = ("run", "--baseline", "stub", "--split", "test", "--device", "cpu", "--views", "2",
       "--protocol", "bench-iou-v1")  # fmt: skip


def start(root: Path, folder: Path, *more: str, **environment: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "BENCH_HOME": str(root), "OMP_NUM_THREADS": "1", **environment}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(TINY), *RUN, *more],
        cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def files(folder: Path) -> dict[str, bytes]:
    """What a run leaves, but for locks and logs; no temporary file may remain."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not p.name.startswith((".lock", "run"))
    }


@pytest.fixture(scope="module")
def undisturbed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    process = start(root, folder)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return files(folder / "runs")


def finished(root: Path, folder: Path, undisturbed: dict[str, bytes], *more: str) -> None:
    process = start(root, folder, *more)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert files(folder / "runs") == undisturbed


def wait_for_work(folder: Path, process: subprocess.Popen[str], shards: int) -> None:
    """Until that many shards are there (or the process is done)."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if len(list(folder.glob("runs/*/*/predictions/*.h5"))) >= shards:
            return
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_signals_end_in_their_codes_and_the_same_line_goes_on(
    root: Path, tmp_path: Path, undisturbed: dict[str, bytes], number: int, code: int, words: str
) -> None:
    process = start(root, tmp_path, SLOW="0.2")
    wait_for_work(tmp_path, process, 2)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    assert words in err and "same command continues" in err and "Traceback" not in err
    assert not list(tmp_path.glob("runs/*/*/result.json"))
    assert not list(tmp_path.rglob("*.tmp"))
    finished(root, tmp_path, undisturbed)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_do_not_wait_for_scorers(
    root: Path, tmp_path: Path, undisturbed: dict[str, bytes], number: int, code: int
) -> None:
    process = start(root, tmp_path, STUCK="1", OMP_NUM_THREADS="2")
    deadline = time.monotonic() + 60
    while not (tmp_path / "stuck").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "same command continues" in err and "Traceback" not in err
    (tmp_path / "stuck").unlink()
    finished(root, tmp_path, undisturbed)


@pytest.mark.parametrize(
    "shards", [3, pytest.param(0, marks=pytest.mark.slow), pytest.param(6, marks=pytest.mark.slow)]
)
def test_killed_runs_go_on_to_the_same_files(
    root: Path, tmp_path: Path, undisturbed: dict[str, bytes], shards: int
) -> None:
    process = start(root, tmp_path, SLOW="0.05")
    wait_for_work(tmp_path, process, shards)
    process.kill()
    process.communicate(timeout=120)
    finished(root, tmp_path, undisturbed)


@pytest.mark.slow
def test_twenty_kills_at_random_moments(
    root: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    """Each trial is killed up to three times, then finished; the files are those of one run."""
    rng = random.Random(7)
    for trial in range(20):
        folder = tmp_path / str(trial)
        folder.mkdir()
        for _ in range(rng.randint(1, 3)):
            process = start(root, folder)
            time.sleep(rng.uniform(0.5, 6.0))
            process.kill()
            process.communicate(timeout=120)
        finished(root, folder, undisturbed)


def test_two_at_once_wait_for_each_other(
    root: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    first, second = start(root, tmp_path, SLOW="0.1"), start(root, tmp_path, SLOW="0.1")
    errors = [p.communicate(timeout=300)[1] for p in (first, second)]
    assert first.returncode == second.returncode == 0, errors
    assert files(tmp_path / "runs") == undisturbed


def test_ranks_as_torchrun_starts_them(
    root: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    ranks = [start(root, tmp_path, RANK=str(r), WORLD_SIZE="2", LOCAL_RANK=str(r)) for r in (0, 1)]
    errors = [p.communicate(timeout=300) for p in ranks]
    assert [p.returncode for p in ranks] == [0, 0], errors
    assert "bench-iou-v1:iou" in errors[0][0] and errors[1][0] == ""
    assert files(tmp_path / "runs") == undisturbed


def test_a_closed_stdout_is_no_traceback(root: Path, tmp_path: Path) -> None:
    process = start(root, tmp_path)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.wait(timeout=300)
    process.stderr.close()
    assert "Traceback" not in err
    assert list(tmp_path.glob("runs/*/*/result.json"))  # the work was done
