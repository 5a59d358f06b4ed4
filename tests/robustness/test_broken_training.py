"""A folder of `bench train` that was damaged: refused with what to do, never trained over."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SETTINGS = ("channels=4,4,4", "encoder_hidden=8,8", "feature=8", "decoder_hidden=8,16", "batch=1",
            "steps=2", "save_every=1", "validate_every=0")  # fmt: skip
LINE = ("train", "--baseline", "kato", "--dataset", "shapes13", "--out", "out", "-q",
        *(word for setting in SETTINGS for word in ("--set", setting)))  # fmt: skip


@pytest.fixture(scope="module")
def trained(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training of two steps."""
    from click.testing import CliRunner

    from benchbench.cli.main import cli

    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = CliRunner().invoke(cli, [*LINE, "--root", str(demo_home)])
        assert done.exit_code == 0, done.stderr
    return folder / "out"


@pytest.fixture
def out(trained: Path, tmp_path: Path, bench: Any) -> Path:
    shutil.copytree(trained, tmp_path / "out")
    return Path("out")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 0x40
    path.write_bytes(data)


def change(**fields: Any) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return apply


def without(name: str) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        fields = json.loads(path.read_text())
        del fields[name]
        path.write_text(json.dumps(fields))

    return apply


STATE, WEIGHTS = "checkpoint.json", "checkpoint-000000002.safetensors"
FAULTS: list[tuple[str, Callable[[Path], None]]] = [
    (STATE, cut),
    (STATE, lambda path: path.write_text("")),
    (STATE, lambda path: path.write_text("[]")),
    (STATE, lambda path: path.write_text("null")),
    (STATE, change(schema=99)),
    (STATE, change(step="many")),
    (STATE, change(history=7)),
    (STATE, without("file")),
    (STATE, without("sha256")),
    (STATE, without("step")),
    (STATE, change(file="../../etc/passwd")),
    (WEIGHTS, cut),
    (WEIGHTS, flip),
    (WEIGHTS, lambda path: path.write_bytes(b"")),
    (WEIGHTS, lambda path: path.unlink()),
]


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_a_damaged_state_is_refused_and_anew_helps(
    bench: Any, refused: Any, out: Path, trained: Path, demo_home: Path, number: int
) -> None:
    name, fault = FAULTS[number]
    fault(out / name)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    done = bench(*LINE, "--root", demo_home)
    hint = refused(done, 5 if done.exit_code == 5 else 1, "out/checkpoint")
    assert "--out" in hint and "remove 'out'" in hint
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before  # nothing touched
    shutil.rmtree(out)
    assert bench(*LINE, "--root", demo_home).exit_code == 0
    assert (out / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()


def test_lost_weights_are_written_again(
    bench: Any, out: Path, trained: Path, demo_home: Path
) -> None:
    for name in ("model.safetensors", "model.json"):
        (out / name).write_bytes(b"")
        assert bench(*LINE, "--root", demo_home).exit_code == 0
        assert (out / name).read_bytes() == (trained / name).read_bytes()


def test_another_recipe_in_the_same_folder(
    bench: Any, refused: Any, out: Path, demo_home: Path
) -> None:
    done = bench(*LINE, "--set", "steps=3", "--root", demo_home)
    assert "--out" in refused(done, 5, "steps 2 there, 3 asked for")


def test_pictures_from_other_cameras(
    bench: Any, refused: Any, demo_home: Path, tiny_home: Path
) -> None:
    line = (*LINE[:3], "--dataset", "shapes13", "--out", "new", "-q")
    done = bench(*line, "--set", "rendering=choy", "--root", demo_home)
    assert "shapes13 has 'kato'" in refused(done, 2, "'choy'", "Kato's 24 cameras")
    refused(bench(*line, "--root", tiny_home), 2, "Kato's 24 cameras")
