"""The group itself: help, version, unknown names, configuration, signals, pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from benchbench.cli.main import cli
from benchbench.core.errors import (
    BenchError,
    CheckError,
    InputError,
    MissingError,
    UsageError,
)


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_every_verb_explains_itself() -> None:
    for name, command in cli.commands.items():
        result = bench(name, "--help")
        assert result.exit_code == 0, name
        assert command.get_short_help_str(), f"{name} has no summary"
        assert f"bench {name}" in (command.epilog or ""), f"{name} shows no example"
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.opts} has no help"


def test_verbs_are_those_of_the_manual() -> None:
    seven = ["list", "prepare", "train", "run", "score", "report", "doctor"]
    assert [name for name in cli.commands if name in seven] == seven
    assert set(cli.commands) - set(seven) == {"leaderboard", "reconstruct", "analyze", "check"}


def test_common_options_mean_the_same_everywhere() -> None:
    meanings: dict[str, set[str]] = {}
    for command in cli.commands.values():
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                if option in ("-v", "-q", "--root", "--json"):
                    meanings.setdefault(option, set()).add(str(getattr(parameter, "help", "")))
    assert all(len(texts) == 1 for texts in meanings.values())
    assert set(meanings) == {"-v", "-q", "--root", "--json"}


def test_unknown_verb_offers_the_nearest() -> None:
    result = bench("prepar", "shapenet")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such command 'prepar'" in result.stderr
    assert "Did you mean" in result.stderr
    assert "'prepare'" in result.stderr


def test_unknown_name_offers_the_nearest() -> None:
    result = bench("list", "shapnet")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[0] == "error: unknown name 'shapnet'"
    assert "'shapenet'" in result.stderr.splitlines()[1]


def test_list_json_is_one_object_on_stdout(tmp_path: Path) -> None:
    result = bench("list", "--json", "--root", str(tmp_path))
    assert (result.exit_code, result.stderr) == (0, "")
    records = json.loads(result.stdout)["records"]
    names = {record["name"] for record in records}
    assert {"shapenet", "shapes13", "kato", "mean", "gt", "bench-iou-v1", "iou"} <= names
    states = {r["name"]: r["state"] for r in records if r["kind"] == "dataset"}
    assert set(states.values()) == {"absent"}


def test_list_one_record_says_unknown_where_nothing_is_known(tmp_path: Path) -> None:
    result = bench("list", "shapenet", "--root", str(tmp_path))
    assert result.exit_code == 0
    assert result.stdout.startswith("shapenet: ")
    assert "sha256 unknown" in result.stdout
    assert "None" not in result.stdout


def test_version_names_package_and_torch() -> None:
    result = bench("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("bench 0.1.0")
    assert ", torch " in result.stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BenchError("a", hint="type b"), 1),
        (InputError("a", hint="type b"), 1),
        (UsageError("a", hint="type b"), 2),
        (MissingError("a", hint="type b"), 3),
        (CheckError("a", hint="type b"), 5),
    ],
)
def test_errors_are_one_sentence_and_a_hint(
    error: BenchError, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise error

    monkeypatch.setattr("benchbench.cli.list._records", fail)
    result = bench("list")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr == "error: a\nhint: type b\n"


def test_unexpected_errors_are_explained_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BENCH_DEBUG", raising=False)

    def fail(*_args: object, **_kwargs: object) -> None:
        raise KeyError("nothing here")

    monkeypatch.setattr("benchbench.cli.list._records", fail)
    result = bench("list")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: unexpected KeyError: 'nothing here'\nhint: run again")
    assert isinstance(bench("list", "-vv").exception, KeyError)
    monkeypatch.setenv("BENCH_DEBUG", "1")
    assert isinstance(bench("list").exception, KeyError)


def test_configuration_file_gives_defaults_and_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench.toml").write_text('[list]\nkind = "protocol"\n')
    assert "bench-iou-v1" in bench("list").stdout
    assert "shapenet" not in bench("list").stdout
    assert "shapenet" in bench("list", "--kind", "dataset").stdout  # the command line wins
    for content, words in (
        ('[list]\nkint = "protocol"\n', ["unknown key in table [list] 'kint'", "'kind'"]),
        ('[lst]\nkind = "x"\n', ["unknown table 'lst'", "'list'"]),
        ("[list\n", ["not valid TOML", "line 1"]),
    ):
        (tmp_path / "bench.toml").write_text(content)
        result = bench("list")
        assert (result.exit_code, result.stdout) == (2, "")
        assert all(word in result.stderr for word in words), result.stderr
    result = bench("--config", "none.toml", "list")
    assert result.exit_code == 2
    assert "none.toml" in result.stderr


def _process(*arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchbench", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_signals_have_their_exit_codes(tmp_path: Path, number: int, code: int, word: str) -> None:
    # The command waits at a known place: for somebody to write its configuration.
    fifo = tmp_path / "bench.toml"
    os.mkfifo(fifo)
    process = _process("--config", str(fifo), "list")
    time.sleep(2.0)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (code, "")
    assert stderr.strip().splitlines()[-1] == f"{word}; the same command continues"


def test_closed_stdout_ends_quietly(tmp_path: Path) -> None:
    command = f"{sys.executable} -m benchbench list --json --root {tmp_path} | head -c 1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert result.stderr == ""
    assert result.stdout == "{"


def test_module_and_narrow_terminal(tmp_path: Path) -> None:
    process = _process("list", "--root", str(tmp_path), env={**os.environ, "COLUMNS": "40"})
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    assert any(len(line) > 60 for line in stdout.splitlines())  # never truncated when piped


def test_a_proposed_command_keeps_the_root_that_was_typed(tmp_path: Path) -> None:
    line = ("run", "--baseline", "gt", "--split", "test", "--dataset", "shapes13")
    hint = bench(*line, "--root", f"{tmp_path}/my data").stderr.splitlines()[-1]
    assert hint == f"hint: bench prepare shapes13 --root '{tmp_path}/my data'"
    result = CliRunner().invoke(cli, list(line), env={"BENCH_HOME": str(tmp_path)})
    assert result.stderr.splitlines()[-1] == "hint: bench prepare shapes13"


def test_full_output_is_explained(tmp_path: Path) -> None:
    command = f"{sys.executable} -m benchbench list --root {tmp_path} > /dev/full"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert result.returncode == 3
    assert result.stderr.splitlines()[0] == "error: no space left where the output goes"
