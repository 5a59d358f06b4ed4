"""An interrupted comparison goes on; a journal of something else, or a broken one, is not read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchbench.cli.main import cli
from benchbench.evaluation import alignment, outer_surface, pair_scores
from benchbench.evaluation.pair_journal import Journal

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 {} 0\nv 0 0 0.7\nf 1 2 3\nf 1 3 4\nf 1 2 4\n"


@pytest.fixture
def computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Three pairs in an empty folder; the list of comparisons that were computed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("benchbench.protocols.surface.SAMPLES", 100)
    monkeypatch.setattr(alignment, "SEARCH_POINTS", 100)
    monkeypatch.setattr(outer_surface, "CELLS", 64)
    monkeypatch.setattr(outer_surface, "INNER_CELLS", 59)
    for side, height in (("p", 0.5), ("t", 0.6)):
        Path(side).mkdir()
        for name in "abc":
            Path(side, f"{name}.obj").write_text(TRIANGLE.format(height))
    calls: list[tuple[str, str]] = []
    real = pair_scores._compared

    def spy(preds: Any, target: Any, goal: Any, name: str, align: str, norm: str) -> Any:
        if len(calls) == int(Path("stop").read_text()):
            raise KeyboardInterrupt
        calls.append((name, align))
        return real(preds, target, goal, name, align, norm)

    monkeypatch.setattr(pair_scores, "_compared", spy)
    Path("stop").write_text("99")
    return calls


def bench(*words: str) -> Result:
    return CliRunner().invoke(cli, ["score", "p", "--gt", "t", "--align", "yaw24", *words])


def test_the_same_command_goes_on(computed: list[tuple[str, str]]) -> None:
    assert bench("-o", "whole.csv").exit_code == 0
    assert len(computed) == 6 and not list(Path().glob("*.partial"))
    computed.clear()
    Path("stop").write_text("3")
    assert bench("-o", "pairs.csv").exit_code != 0
    assert Path("pairs.csv.partial").is_file() and not Path("pairs.csv").exists()
    computed.clear()
    Path("stop").write_text("99")
    done = bench("-o", "pairs.csv")
    assert done.exit_code == 0 and computed == [("b", "yaw24"), ("c", "none"), ("c", "yaw24")]
    assert "score 6/6 comparisons" in done.stderr
    assert Path("pairs.csv").read_text() == Path("whole.csv").read_text()
    assert not Path("pairs.csv.partial").exists()


@pytest.mark.parametrize("change", ["prediction", "truth", "norm", "surface"])
def test_what_has_changed_is_computed_anew(computed: list[tuple[str, str]], change: str) -> None:
    Path("stop").write_text("3")
    bench("-o", "pairs.csv")
    computed.clear()
    Path("stop").write_text("99")
    words = {"norm": ["--normalise", "each-box"], "surface": ["--surface", "outer"]}
    if change in ("prediction", "truth"):
        Path(change[0], "c.obj").write_text(TRIANGLE.format(0.55))
    assert bench("-o", "pairs.csv", *words.get(change, [])).exit_code == 0
    assert len(computed) == 6


@pytest.mark.parametrize(
    "line",
    [
        "",
        '["a", "none", {"sta',
        "[1, 2, 3]",
        '["a", "none", []]',
        '["a", "none", {}]',
        '["a", "none", {"status": "ok", "scores": {"chamfer": NaN}}]',
        "[" * 100_000,
        "\udcff",
    ],
)
def test_a_broken_line_is_computed_again(computed: list[tuple[str, str]], line: str) -> None:
    Path("stop").write_text("1")
    bench("-o", "pairs.csv")
    partial = Path("pairs.csv.partial")
    head, record = partial.read_text().splitlines()
    partial.write_bytes(f"{head}\n{line}\n{record}".encode("utf-8", "surrogateescape"))
    computed.clear()
    Path("stop").write_text("99")
    assert bench("-o", "pairs.csv").exit_code == 0
    assert ("a", "none") in computed or line == '["a", "none", {}]'
    assert len(computed) >= 5 and len(Path("pairs.csv").read_text().splitlines()) == 7


NO_NUMBER = ["1e999", '"nan"', "null", '"x"', "1" + "0" * 400]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *((("scores", "chamfer"), value) for value in NO_NUMBER),
        (("seconds",), "1e999"),
        (("pose", "scale"), "1e999"),
        (("pose", "shift"), "[0, 0, 1e999]"),
        (("pose", "turn"), "[1]"),
        (("pose",), "0"),
        (("pose",), "null"),
    ],
)
def test_a_number_that_is_none_is_computed_again(
    computed: list[tuple[str, str]], place: tuple[str, ...], value: str
) -> None:
    Path("stop").write_text("1")
    bench("-o", "pairs.csv")
    partial = Path("pairs.csv.partial")
    head, line = partial.read_text().splitlines()
    record = json.loads(line)
    at = record[2]
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = "HERE"
    partial.write_text(head + "\n" + json.dumps(record).replace('"HERE"', value) + "\n")
    computed.clear()
    Path("stop").write_text("99")
    done = bench("-o", "pairs.csv", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout, parse_constant=pytest.fail)
    assert computed[0] == ("a", "none") and len(computed) == 6


def test_without_a_file_nothing_is_kept(computed: list[tuple[str, str]], tmp_path: Path) -> None:
    before = {file.name for file in tmp_path.iterdir()}
    done = bench()
    assert done.exit_code == 0 and {file.name for file in tmp_path.iterdir()} == before
    assert "without --out FILE nothing is kept" in done.stderr
    Journal(Path("/dev/null"), {}).add(("a", "none"), {})
    assert not Path("/dev/null.partial").exists()


def test_a_failure_before_the_first_leaves_nothing(computed: list[tuple[str, str]]) -> None:
    Path("t/c.obj").write_text("")
    assert bench("-o", "pairs.csv").exit_code == 5
    assert computed == [] and not list(Path().glob("pairs*"))
