"""Names a user types: a smaller set by its own id, one value in the configuration, parts."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchbench.cli.main import cli
from benchbench.core.notices import hushed
from benchbench.datasets.registry import objects_published, resolve


def test_a_store_id_stands_for_its_set_and_size(tmp_path: Path) -> None:
    assert resolve("shapes13-demo") == ("shapes13", "demo")
    root = ["--root", str(tmp_path)]
    shown = CliRunner().invoke(cli, ["list", "shapes13-demo", *root])
    assert shown.exit_code == 0
    assert shown.stdout.startswith("shapes13: ")
    dry = CliRunner().invoke(cli, ["prepare", "shapes13-demo", "--dry-run", *root])
    assert (dry.exit_code, "shapes13-demo" in dry.stderr) == (0, True)
    wrong = CliRunner().invoke(cli, ["prepare", "shapes13-demo", "--size", "full", *root])
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert (
        wrong.stderr.splitlines()[0] == "error: 'shapes13-demo' is shapes13 of size demo, not full"
    )


def test_one_value_of_a_repeatable_option_is_fine_in_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench.toml").write_text('[report]\nmetric = "chamfr"\n')
    result = CliRunner().invoke(cli, ["report"])
    assert result.exit_code == 2
    assert "unknown metric 'chamfr'" in result.stderr  # read as a name, not letter by letter


def test_the_demo_says_that_it_stands_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchbench.core.errors import InputError
    from benchbench.datasets.store import open_dataset

    (tmp_path / "shapes13-demo.h5").write_bytes(b"no store")
    with pytest.raises(InputError):
        open_dataset("shapes13", tmp_path)
    assert (
        "'shapes13' is not prepared in full; 'shapes13-demo' stands in" in capsys.readouterr().err
    )
    with pytest.raises(InputError), hushed():
        open_dataset("shapes13", tmp_path)
    assert capsys.readouterr().err == ""


def test_whole_sets_are_known_by_their_number_of_objects() -> None:
    assert objects_published("shapes13") == 13 * 150
    assert objects_published("shapenet") == 43_784
    assert objects_published("shapes13-demo") is None


@pytest.mark.parametrize(
    ("words", "begun", "expected"),
    [
        ("bench run --baseline", "ka", ["kato"]),
        ("bench run --split", "t", ["train", "test"]),
        ("bench report --metric", "cham", ["chamfer"]),
        ("bench prepare", "shapes", ["shapes13", "shapes13-demo"]),
        ("bench list", "r2n2", ["r2n2", "r2n2-iou-v1"]),
    ],
)
def test_completion_knows_the_names(words: str, begun: str, expected: list[str]) -> None:
    from click.shell_completion import BashComplete

    completer = BashComplete(cli, {}, "bench", "_BENCH_COMPLETE")
    found = completer.get_completions(words.split()[1:], begun)
    assert [item.value for item in found] == expected
