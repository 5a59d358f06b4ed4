"""`bench train` as a user types it: presets, settings, what is shown and what is refused."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from benchbench.baselines import get_spec
from benchbench.cli.main import cli
from benchbench.cli.train import complete_presets

TINY = Path(__file__).parent.parent / "evaluation" / "tiny.py"
LINE = ("train", "--baseline", "kato", "--dataset", "shapes13-demo")


@pytest.fixture(scope="module")
def tiny() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_tests_tiny", TINY)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bench(tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls the program in an empty folder where a tiny set is prepared."""
    tiny.make_store(tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "home"))

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(cli, [str(a) for a in arguments])

    return call


def shown(done: Result) -> dict[str, str]:
    """The settings in the answer of a dry run."""
    assert (done.exit_code, done.stderr) == (0, ""), done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("  ")]
    return dict(line.strip().split(" = ") for line in lines)


def test_a_preset_is_the_recipe_and_settings_change_it(bench: Any, tmp_path: Path) -> None:
    plain = shown(bench(*LINE, "--dry-run"))
    assert plain["steps"] == "1000000" and plain["classes"] == "none"
    done = bench(*LINE, "--preset", "single-class-chair", "--set", "steps=7", "--seed", 3,
                 "--dry-run")  # fmt: skip
    assert "preset: single-class-chair" in done.stdout.splitlines()
    changed = {"classes": "03001627", "steps": "7", "smoothness": "0.001", "seed": "3",
               "validate_every": "1000"}  # fmt: skip
    assert shown(done) == {**plain, **changed}
    assert "preset: none" in bench(*LINE, "--dry-run").stdout
    done = bench(*LINE, "--preset", "shapes13", "--dry-run", "--json")
    content = json.loads(done.stdout)
    assert content["preset"] == "shapes13" and content["settings"]["channels"] == [16, 32, 64]
    assert not (tmp_path / "checkpoints").exists()


def test_what_a_dry_run_shows_can_be_typed(bench: Any) -> None:
    first = bench(*LINE, "--preset", "shapes13", "--dry-run")
    words = [word for k, v in shown(first).items() for word in ("--set", f"{k}={v}")]
    second = bench(*LINE, *words, "--dry-run")
    assert shown(second) == shown(first)
    folders = [
        next(line for line in done.stdout.splitlines() if line.startswith("out: "))
        for done in (first, second)
    ]
    assert folders[0] == folders[1]  # the same recipe is the same run, however it was typed


def test_mixed_precision_is_a_run_of_its_own(bench: Any) -> None:
    exact, mixed = (
        json.loads(bench(*LINE, *more, "--dry-run", "--json").stdout)
        for more in ((), ("--mixed-precision",))
    )
    assert (exact["mixed_precision"], mixed["mixed_precision"]) == (False, True)
    assert exact["out"] != mixed["out"] and exact["settings"] == mixed["settings"]


def test_what_is_asked_for_reaches_the_trainer(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def train(store: Any, out: Path, options: Any, **more: Any) -> Path:
        seen.update(more, out=out, steps=options.steps, store=store.id)
        return out / "model.safetensors"

    monkeypatch.setattr("benchbench.baselines.kato.train.train", train)
    done = bench(*LINE, "--set", "steps=9", "--limit", 5, "--mixed-precision", "--tensorboard",
                 "--out", "here", "-q")  # fmt: skip
    assert (done.exit_code, done.stdout, done.stderr) == (0, "here/model.safetensors\n", "")
    assert seen == {
        "device": "cpu", "limit": 5, "quiet": True, "mixed_precision": True, "tensorboard": True,
        "out": Path("here"), "steps": 9, "store": "shapes13-demo",
    }  # fmt: skip
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    done = bench(*LINE)  # the first process speaks for all
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "") and seen["quiet"]
    assert bench(*LINE, "--dry-run").stdout == ""


def test_unknown_presets_offer_the_nearest(bench: Any) -> None:
    done = bench(*LINE, "--preset", "single-class-chairs")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "error: unknown preset of 'kato' 'single-class-chairs'",
        next(line for line in done.stderr.splitlines() if line.startswith("hint: did you mean")),
    ]
    assert "'single-class-chair'" in done.stderr


def test_the_list_shows_presets_and_pictures() -> None:
    done = CliRunner().invoke(cli, ["list", "kato"])
    assert (done.exit_code, done.stderr) == (0, "")
    assert "input: 64x64 RGBA, inverted colours" in done.stdout
    for name in get_spec("kato").presets:
        assert f"\n  {name}: " in done.stdout
    done = CliRunner().invoke(cli, ["list", "kato", "--json"])
    assert json.loads(done.stdout)["record"]["presets"]["multi-class"] == {"validate_every": 100000}


def test_completion_knows_the_presets_of_the_method() -> None:
    context = click.Context(cli.commands["train"])
    context.params = {"baseline": "kato"}
    found = complete_presets(context, click.Option(["--preset"]), "single-class-c")
    assert found == ["single-class-cabinet", "single-class-car", "single-class-chair"]
    context.params = {"baseline": "mean"}
    assert complete_presets(context, click.Option(["--preset"]), "") == []
