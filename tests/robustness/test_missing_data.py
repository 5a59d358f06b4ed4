"""What is not there yet: exit 3, and the command to type, which then works."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

RUN = ("run", "--baseline", "gt", "--split", "test")


@pytest.fixture
def quick_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--size demo` makes one object a class, in the test split."""
    from benchbench.datasets import workers
    from benchbench.datasets.shapes13 import prepare as module

    monkeypatch.setitem(module.SIZES, "demo", (0, 0, 1))
    monkeypatch.setattr(workers, "usable_cores", lambda: 1)


@pytest.mark.parametrize(
    ("words", "message", "command"),
    [
        ((*RUN, "--dataset", "shapenet"), "'shapenet' is not prepared", "bench prepare shapenet"),
        ((*RUN, "--dataset", "shapes13"), "'shapes13' is not prepared", "bench prepare shapes13"),
        ((*RUN, "--dry-run"), "is prepared in", "bench prepare shapes13 --size demo"),
        (("train", "--baseline", "kato", "--dataset", "shapes13"), "'shapes13' is not prepared",
         "bench prepare shapes13"),
        (("score", ".", "--dataset", "shapenet", "--split", "test"), "'shapenet' is not prepared",
         "bench prepare shapenet"),
        (("score", "nowhere", "--dataset", "shapes13", "--split", "test"), "'nowhere'",
         "bench score --help"),
        (("prepare", "shapenet"), "terms of 'shapenet'",
         "bench prepare shapenet --root home --accept-license"),
        (("prepare", "shapenet", "--verify"), "shapenet.h5'", "bench prepare shapenet"),
        (("prepare", "shapes13", "--verify", "--size", "demo"), "shapes13-demo.h5'",
         "bench prepare shapes13 --size demo"),
        (("prepare", "shapenet", "--from", "nowhere"), "'nowhere'",
         "the folder which holds"),
        (("report", "--metric", "iou"), "no results in 'runs'",
         "bench run --baseline kato"),
        (("report", "nowhere"), "'nowhere'", "bench run --baseline kato"),
        (("run", "--baseline", "kato", "--split", "test", "--checkpoint", "none.safetensors"),
         "no checkpoint 'none.safetensors'", "--checkpoint"),
    ],
)  # fmt: skip
def test_missing_things_are_named_with_the_command(
    bench: Any, refused: Any, tmp_path: Path, tiny_home: Path,
    words: tuple[str, ...], message: str, command: str,
) -> None:  # fmt: skip
    root = tiny_home if "--checkpoint" in words else "home"
    hint = refused(bench(*words, "--root", root), 3, message)
    assert command in hint
    assert not (tmp_path / "runs").exists() and not (tmp_path / "checkpoints").exists()
    assert not list(tmp_path.rglob("*.h5"))


def test_the_command_of_the_hint_works(bench: Any, refused: Any, quick_demo: None) -> None:
    line = (*RUN, "--dataset", "shapes13-demo", "--protocol", "bench-iou-v1", "--root", "my home")
    hint = refused(bench(*line), 3, "'shapes13-demo' is not prepared")
    assert hint == "bench prepare shapes13 --size demo --root 'my home'"
    done = bench(*shlex.split(hint)[1:])
    assert done.exit_code == 0, done.stderr
    proposed = done.stderr.splitlines()[-1].removeprefix("next: bench ")
    assert "--root 'my home'" in proposed
    done = bench(*line)
    assert done.exit_code == 0 and "mean over classes 1.0" in done.stdout, done.stderr


def test_with_nothing_prepared_the_demo_is_made(
    bench: Any, quick_demo: None, tmp_path: Path
) -> None:
    done = bench(*RUN, "--protocol", "bench-iou-v1", "--root", "home")
    assert done.exit_code == 0, done.stderr
    assert "dataset: shapes13-demo (nothing was prepared: made on the spot)" in done.stderr
    assert (tmp_path / "home" / "shapes13-demo.h5").is_file()


def test_no_shipped_weights(
    bench: Any, refused: Any, tiny_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchbench.baselines.checkpoints.weights_folder", lambda name: tmp_path)
    done = bench("run", "--baseline", "kato", "--split", "test", "--root", tiny_home)
    assert "bench train --baseline kato" in refused(done, 3, "no weights of 'kato' come with")


def test_doctor_requires(bench: Any) -> None:
    done = bench("doctor", "--require", "shapes13-demo", "--root", "home")
    assert done.exit_code == 3
    assert "absent" in done.stdout  # the answer is given all the same
    assert done.stderr.splitlines() == [
        "error: 'shapes13-demo' is required and not there",
        "hint: bench prepare shapes13 --size demo --root home",
    ]


@pytest.mark.parametrize("verb", ["list", "doctor"])
def test_looking_never_makes_anything(bench: Any, tmp_path: Path, verb: str) -> None:
    done = bench(verb, "--root", "home")
    assert done.exit_code == 0, done.stderr
    assert "absent" in done.stdout
    assert not (tmp_path / "home").exists()
