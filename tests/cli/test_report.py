"""`bench report` and its kinds of tables as a user types them: exit code, stdout and stderr."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchbench.cli.main import cli

TINY = Path(__file__).parent.parent / "evaluation" / "tiny.py"
PROTOCOLS = ("--protocol", "bench-iou-v1", "--protocol", "kato-iou-v1")


@pytest.fixture(scope="module")
def tiny() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_tests_tiny", TINY)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runs(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three scored runs, made by the program: good, bad (one item fails), gt."""
    home = tmp_path_factory.mktemp("home")
    tiny.make_store(home)
    store = tiny.tiny_store(home)
    with pytest.MonkeyPatch.context() as patch:
        tiny.register(patch)
        patch.setenv("BENCH_HOME", str(home))
        patch.chdir(home)
        row = int(store.indices("test")[2])
        tiny.STUBS["good"] = tiny.Stub()
        tiny.STUBS["bad"] = tiny.Stub(scale=0.8, wrong={(row, 1): tiny.EMPTY})
        for name, code in (("good", 0), ("bad", 4), ("gt", 0)):
            line = ["run", "--baseline", name, "--split", "test", "-q", *PROTOCOLS]
            done = CliRunner().invoke(cli, line)
            assert done.exit_code == code, done.stderr
    return home / "runs"


@pytest.fixture
def bench(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls `bench report` beside the runs; neither data nor network nor torch is needed."""
    monkeypatch.chdir(runs.parent)

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(cli, ["report", *map(str, arguments)])

    return call


def folder(runs: Path, name: str) -> Path:
    (found,) = runs.glob(f"*/{name}-*")
    return found.relative_to(runs.parent)


def test_intervals(bench: Any) -> None:
    done = bench("--metric", "iou", "--intervals")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.count("  from ") == done.stdout.count("  to ") == 3
    assert (
        "median over" in done.stdout and "fewer than 40 different objects (3 of 3)" in done.stdout
    )
    done = bench("--metric", "iou")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "  from " not in done.stdout and "* not separable from the best" in done.stdout
    # 12 boxes, each shrunk by a fifth more: the methods are told apart.
    good, bad = (next(s for s in done.stdout.splitlines() if s.startswith(n)) for n in
                 ("good", "bad"))  # fmt: skip
    assert good.split()[4].endswith("*") and not bad.split()[4].endswith("*")
    assert bad.split()[-1] == "1" and "1 of 36 items failed and got the penalty" in done.stdout


def test_intervals_in_data(bench: Any) -> None:
    content = json.loads(bench("--metric", "iou", "--intervals", "--json").stdout)
    rows = {row["method"]: row for row in content["tables"][0]["rows"]}
    low, high = rows["good"]["intervals"]["mean over classes"]
    assert low < rows["good"]["mean_over_classes"] < high
    assert rows["gt"]["intervals"]["mean over objects"] == [1.0, 1.0]
    text = bench("--metric", "iou", "--intervals", "--format", "csv").stdout
    lines = {line["method"]: line for line in csv.DictReader(io.StringIO(text))}
    assert float(lines["good"]["mean_over_classes low"]) == low
    assert float(lines["good"]["02691156 airplane low"]) < float(lines["good"]["02691156 airplane"])


def test_against(bench: Any, runs: Path) -> None:
    done = bench("--metric", "iou", "--against", folder(runs, "bad"))
    assert (done.exit_code, done.stderr) == (0, "")
    good = next(line for line in done.stdout.splitlines() if line.startswith("good - bad"))
    # All 12 differ in the same direction: 2 of 4,096 signs, times the two methods of the table.
    assert good.split()[-4:] == ["100.0", "0.0", "<0.001", "0/1"]
    content = json.loads(
        bench("--metric", "iou", "--against", folder(runs, "bad"), "--json").stdout
    )
    row = next(r for r in content["against"][0]["rows"] if r["method"] == "good")
    assert row["p"]["mean over classes"] == 2 / 4096 and row["better"] == 12
    assert row["reference"] == str(folder(runs, "bad"))
    done = bench("--against", folder(runs, "bad"))  # no metric named: those that there are
    assert done.exit_code == 0 and done.stdout.count("difference to bad") == 1


def test_across(bench: Any, runs: Path) -> None:
    done = bench("--across", folder(runs, "bad"))
    assert (done.exit_code, done.stderr) == (0, "")
    assert "bad under 2 protocols" in done.stdout
    assert "kato-iou-v1 differs from bench-iou-v1 in" in done.stdout and "  frame: " in done.stdout
    content = json.loads(bench("--across", folder(runs, "bad"), "--json").stdout)["across"][0]
    assert [row["protocol"] for row in content["rows"]] == ["bench-iou-v1", "kato-iou-v1"]
    assert all(row["failed"] == 1 and row["intervals"]["mean over classes"]
               for row in content["rows"])  # fmt: skip


def test_ranks(bench: Any) -> None:
    done = bench("--ranks")
    assert (done.exit_code, done.stderr) == (0, "")
    good = next(line for line in done.stdout.splitlines() if line.startswith("good "))
    assert good.split() == ["good", "1", "(100", "%)", "1", "(100", "%)", "0"]
    assert "Kendall's tau-b" in done.stdout and "2 kato-iou-v1:iou" in done.stdout
    assert not any(line.startswith("gt") for line in done.stdout.splitlines())
    content = json.loads(bench("--ranks", "--json").stdout)
    assert content["tau"][0]["pairs"][0]["tau"] == 1.0


def test_seeds(bench: Any, runs: Path, tmp_path: Path) -> None:
    """The same run under other weights stands for a second training."""
    import shutil

    again = tmp_path / "again"
    shutil.copytree(runs.parent / folder(runs, "good"), again)
    content = json.loads((again / "result.json").read_text())
    content["hashes"]["weights"] = "other"
    (again / "result.json").write_text(json.dumps(content))
    done = bench(folder(runs, "good"), again, "--metric", "iou", "--seeds")
    assert (done.exit_code, done.stderr) == (0, "")
    row = next(line for line in done.stdout.splitlines() if line.startswith("good"))
    assert row.split()[1] == "2" and row.split()[4:6] == ["0.0000", "0.0000"]  # equal scores


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--against", "nowhere"), 3, "there is no 'nowhere'"),
        (("--across", "nowhere"), 3, "there is no 'nowhere'"),
        (("--across", "runs"), 2, "'runs' holds 3 results; one is wanted"),
        (("--across", "GOOD", "--ranks"), 2, "--across and --ranks are different tables"),
        (("--against", "GOOD", "--across", "GOOD"), 2, "are different tables"),
        (("--across", "GOOD", "--metric", "iou"), 2, "--metric does not go with it"),
        (("BAD", "--across", "GOOD"), 2, "RUN... does not go with it"),
        (("--across", "GOOD", "--split", "test"), 2, "--split does not go with it"),
        (("--against", "GOOD", "--metric", "r2n2-iou-v1"), 3, "no result has the metric"),
        (("--against", "GOOD", "--split", "val"), 3, "no result has the metric"),
        (("--ranks", "--metric", "iou"), 3, "two methods that were scored under two protocols"),
        (("--seeds", "--metric", "iou"), 3, "one seed says something about a checkpoint"),
        (("--seeds", "--ranks"), 2, "are different tables"),
        (("GOOD", "--against", "GOOD", "--metric", "iou"), 3, "no other result compares"),
    ],
)
def test_what_wrong_input_gets(
    bench: Any, runs: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    names = {"GOOD": folder(runs, "good"), "BAD": folder(runs, "bad")}
    done = bench(*(names.get(a, a) for a in arguments))
    assert done.exit_code == code, (done.stdout, done.stderr)
    assert words in done.stderr and "hint: " in done.stderr
    assert done.stdout == "" and "Traceback" not in done.stderr


def test_a_run_of_an_earlier_version(bench: Any, runs: Path, tmp_path: Path) -> None:
    """It has no objects.csv: its numbers stand, and one line says what is lacking."""
    import shutil

    old = tmp_path / "old"
    shutil.copytree(runs.parent / folder(runs, "good"), old)
    (old / "objects.csv").unlink()
    done = bench(old, "--metric", "iou", "--intervals")
    assert done.exit_code == 0 and "  from " not in done.stdout
    assert done.stderr == (
        f"'{old}' has no scores of objects, so nothing is said of its uncertainty; "
        f"bench score '{old}' writes them\n"
    )
    done = bench("--metric", "iou", "--against", old)
    assert (done.exit_code, done.stdout) == (5, "")
    assert f"hint: bench score '{old}'" in done.stderr


def test_changed_scores_end_in_five(bench: Any, runs: Path, tmp_path: Path) -> None:
    import shutil

    changed = tmp_path / "changed"
    shutil.copytree(runs.parent / folder(runs, "bad"), changed)
    text = (changed / "objects.csv").read_text()
    (changed / "objects.csv").write_text(text.replace("bench-iou-v1,", "bench-iou-v1 ,", 1))
    done = bench(changed, "--metric", "iou")
    assert (done.exit_code, done.stdout) == (5, "")
    assert "is not the one that" in done.stderr and "Traceback" not in done.stderr


def test_written_to_a_file(bench: Any, runs: Path, tmp_path: Path) -> None:
    done = bench("--ranks", "--format", "md", "-o", tmp_path / "ranks.md")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "written: " in done.stderr
    assert "| good | 1 (100 %) |" in (tmp_path / "ranks.md").read_text()
