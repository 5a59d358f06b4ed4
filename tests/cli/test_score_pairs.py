"""`bench score DIR --gt DIR` as a user types it: exit code, stdout and stderr."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchbench.cli.main import cli
from benchbench.evaluation import alignment, outer_surface, pair_scores

Call = Callable[..., Result]
BOX = "".join(f"v {x} {y} {z}\n" for x in (0, 1) for y in (0, 0.5) for z in (0, 0.25))
BOX += "f 1 2 4\nf 1 4 3\nf 5 7 8\nf 5 8 6\nf 1 5 6\nf 1 6 2\nf 3 4 8\nf 3 8 7\nf 1 3 7\n"
BOX += "f 1 7 5\nf 2 6 8\nf 2 8 4\n"
# The same box after a quarter turn about y, of twice the size.
TURNED = re.sub(
    r"v (\S+) (\S+) (\S+)",
    lambda v: f"v {2 * float(v[3])} {2 * float(v[2])} {-2 * float(v[1])}",
    BOX,
)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Calls the program beside two true meshes and a prediction of each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("benchbench.protocols.surface.SAMPLES", 300)
    monkeypatch.setattr(alignment, "SEARCH_POINTS", 300)
    monkeypatch.setattr(outer_surface, "CELLS", 64)
    monkeypatch.setattr(outer_surface, "INNER_CELLS", 59)
    for file, text in (("t/a.obj", BOX), ("t/b.obj", BOX), ("p/a.obj", BOX), ("p/b.obj", TURNED)):
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).write_text(text)
    return lambda *words: CliRunner().invoke(cli, ["score", *map(str, words)])


def test_a_table_of_aligned_and_unaligned_scores(bench: Call) -> None:
    done = bench("p", "--gt", "t", "--align", "yaw24", "--normalise", "each-box")
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("mesh-pairs-v1: 2 pairs, all surfaces; each box centred")
    rows = {
        tuple(words[:2]): words[2:]
        for line in lines
        if len(words := line.split()) == 8 and words[1] in ("mean", "median")
    }
    assert rows["yaw24", "mean"] == ["0.00", "1.000", "1.000", "1.000", "1.000", "0"]
    assert rows["none", "mean"] != rows["yaw24", "mean"] and len(rows) == 4
    sides = [line.split() for line in lines if line.startswith(("predictions ", "truths "))]
    assert sides == [["predictions", "2", "0", "0", "0"], ["truths", "2", "0", "0", "0"]]
    assert re.search(r"score 4/4 comparisons 100%", done.stderr)
    assert re.search(r"^yaw24: \d+\.\d\d s a pair$", done.stderr, re.M)
    assert "failed" not in done.stderr


def test_other_units_are_pointed_out(bench: Call) -> None:
    Path("p/a.obj").write_text(TURNED)
    done = bench("p", "--gt", "t")
    assert "median prediction is 2 times as large as its truth; --normalise" in done.stderr
    assert "as large" not in bench("p", "--gt", "t", "--normalise", "each-box").stderr
    assert bench("p", "--gt", "t", "-q").stderr == ""


def test_failures_end_in_four(bench: Call) -> None:
    Path("p/a.obj").write_text("v 0 0 0\n")
    Path("p/b.obj").unlink()
    Path("p/b.mtl").write_text("newmtl b")
    Path("p/a.obj").rename("p/b.obj")
    done = bench("p", "--gt", "t")
    assert done.exit_code == 4
    assert "1 files are no predictions and were not read" in done.stderr
    assert "2 predictions failed and got the penalty (1 empty, 1 missing)" in done.stderr
    assert "  a: missing: no file in 'p'" in done.stderr
    assert "173.21" in done.stdout and re.search(r"^predictions +1 +0 +0 +0$", done.stdout, re.M)


def test_a_failure_under_one_alignment_is_told(bench: Call) -> None:
    """A turn about y brings the box beyond a million sizes of the truth."""
    for side in "pt":
        Path(side, "b.obj").unlink()
    Path("p/a.obj").write_text(re.sub(r"v (\S+) (\S+) \S+", r"v 99000\1 99000\2 990000", BOX))
    done = bench("p", "--gt", "t", "--align", "yaw24")
    assert done.exit_code == 4
    assert "1 predictions failed and got the penalty (1 invalid)" in done.stderr
    assert re.search(r"^  a: invalid: .* beyond .* \(under yaw24\)$", done.stderr, re.M)


def test_json_and_csv(bench: Call) -> None:
    Path("p/a.obj").rename("p/=cmd.obj")
    Path("t/a.obj").rename("t/=cmd.obj")
    done = bench("p", "--gt", "t", "--align", "yaw24", "--json", "-q", "-o", "out/pairs.csv")
    assert (done.exit_code, done.stderr) == (0, "")
    content = json.loads(done.stdout, parse_constant=pytest.fail)
    assert content["schema"] == 1 and content["protocol"] == "mesh-pairs-v1"
    assert list(content["alignments"]) == ["none", "yaw24"]
    with Path("out/pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["pair"], r["align"]) for r in rows] == [
        ("'=cmd", "none"), ("'=cmd", "yaw24"), ("b", "none"), ("b", "yaw24")
    ]  # fmt: skip
    values = [float(r["chamfer"]) for r in rows if r["align"] == "none"]
    assert sum(values) / 2 == pytest.approx(content["alignments"]["none"]["mean"]["chamfer"])
    assert rows[3]["size"] == "2.0" and rows[3]["prediction_parts"] == "1"
    assert [file.name for file in Path("out").iterdir()] == ["pairs.csv"]


def test_signatures_are_printed_and_computed_again(bench: Call) -> None:
    done = bench("p", "--gt", "t", "--align", "yaw24", "--surface", "outer", "--signatures", "-q")
    lines = done.stdout.splitlines()
    assert done.exit_code == 0 and len(lines) == 10
    value, _, line = lines[5].partition("  ")
    assert "|norm:truth-box|surface:outer|align:yaw24|fail:worst|mean:objects|n:2|" in line
    again = bench("p", "--gt", "t", "--signature", line, "-q")
    assert (again.exit_code, again.stdout) == (0, f"{value}  {line}\n")
    as_json = json.loads(bench("p", "--gt", "t", "--signature", line, "-q", "--json").stdout)
    assert as_json["signatures"]["yaw24:chamfer"]["signature"] == line


def test_another_signature_is_refused_before_anything_is_scored(
    bench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search takes half a minute a pair."""
    line = bench("p", "--gt", "t", "--signatures", "-q").stdout.splitlines()[0].partition("  ")[2]
    monkeypatch.setattr(pair_scores, "score_pairs", lambda *_: pytest.fail("scored"))
    for change in (("|seed:0", "|seed:1"), ("|n:2", "|n:3"), ("mean:objects", "mean:classes")):
        done = bench("p", "--gt", "t", "--signature", line.replace(*change), "-q")
        key = change[0].partition(":")[0].strip("|")
        assert (done.exit_code, done.stdout) == (5, "")
        assert f"what would be scored is not what the signature says: {key} " in done.stderr
    Path("p/b.obj").write_text(BOX)
    done = bench("p", "--gt", "t", "--signature", line, "-q")
    assert (done.exit_code, done.stdout) == (5, "") and "signature says: preds " in done.stderr
    assert "hint: its own signature: cd|p:mesh-pairs-v1|" in done.stderr


LINE = "cd|p:mesh-pairs-v1|gt:1234|preds:1234|norm:each-box|surface:all|align:none|fail:worst|"
LINE += "mean:objects|n:2|seed:0|bb:0.1.0"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--align", "yaw"), 2, "did you mean 'yaw24'"),
        (("--align", "icp"), 2, "unknown alignment 'icp'"),
        (("--normalise", "box"), 2, "unknown normalisation 'box'"),
        (("--surface", "inner"), 2, "unknown surface 'inner'"),
        (("--protocol", "disn-v1"), 2, "--protocol does not go with --gt"),
        (("--dataset", "shapes13"), 2, "--dataset does not go with --gt"),
        (("--views", "all"), 2, "--views does not go with --gt"),
        (("--overwrite",), 2, "--overwrite does not go with --gt"),
        (("--out", "t"), 2, "--out 't/pairs.csv'"),
        (("--signature", LINE, "--align", "yaw24"), 2, "a signature names the alignment"),
        (("--signature", LINE.replace("none", "icp")), 2, "unknown alignment 'icp'"),
        (("--signature", LINE.replace("cd|", "iou|")), 2, "unknown metric 'iou'"),
        (("--signature", LINE.replace("pairs-v1", "pairs-v9")), 2, "did you mean 'mesh-pairs-v1'"),
        (("--signature", "cd|n:1"), 2, "is no signature"),
    ],
)
def test_what_wrong_words_get(bench: Call, words: tuple[str, ...], code: int, told: str) -> None:
    done = bench("p", "--gt", "t", *words)
    assert (done.exit_code, done.stdout) == (code, ""), done.stderr
    assert told in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("p", "--gt", "nowhere"), 3, "there are no truths at 'nowhere'"),
        (("nowhere", "--gt", "t"), 3, "no predictions at 'nowhere'"),
        (("p/a.obj", "--gt", "t"), 2, "a folder and a file"),
        (("p", "--align", "yaw24"), 2, "are for meshes in pairs"),
        (("p", "--dataset", "shapes13", "--split", "test", "--out", "p/a.obj"), 2, "is a file"),
        (("--gt", "t"), 2, "name the predictions"),
        (("p", "--signature", LINE), 2, "is of meshes in pairs, and needs the true ones"),
    ],
)
def test_what_wrong_places_get(bench: Call, words: tuple[str, ...], code: int, told: str) -> None:
    done = bench(*words)
    assert (done.exit_code, done.stdout) == (code, ""), done.stderr
    assert told in done.stderr


def test_a_prediction_without_a_truth(bench: Call) -> None:
    Path("p/b.obj").rename("p/bb.obj")
    done = bench("p", "--gt", "t")
    assert (done.exit_code, done.stdout) == (5, "")
    assert "'p/bb.obj' has no truth" in done.stderr and "did you mean 'b'?" in done.stderr


def test_a_broken_truth(bench: Call) -> None:
    Path("t/b.obj").write_text("v 0 0 0\n")
    done = bench("p", "--gt", "t")
    assert (done.exit_code, done.stdout) == (5, "")
    assert "the truth 'b' cannot be scored: empty" in done.stderr


def test_two_files(bench: Call) -> None:
    done = bench("p/b.obj", "--gt", "t/a.obj", "--normalise", "each-box", "--align", "yaw24", "-q")
    assert done.exit_code == 0 and done.stdout.startswith("mesh-pairs-v1: 1 pairs")


def test_only_the_first_of_several_processes_answers(
    bench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = bench("p", "--gt", "t")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
