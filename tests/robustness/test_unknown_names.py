"""A name that nobody knows gets the nearest known ones: exit 2 before any work is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RUN = ("run", "--baseline", "gt", "--split", "test")
TRAIN = ("train", "--baseline", "kato", "--dataset", "shapes13")


@pytest.mark.parametrize(
    ("words", "wrong", "nearest"),
    [
        (("list", "shapnet"), "shapnet", "shapenet"),
        (("prepare", "shapnet"), "shapnet", "shapenet"),
        (("prepare", "shapes13", "--size", "demmo"), "demmo", "demo"),
        (("run", "--baseline", "kat", "--split", "test"), "kat", "kato"),
        ((*RUN, "--dataset", "shapes31"), "shapes31", "shapes13"),
        ((*RUN, "--dataset", "shapes13-dmeo"), "shapes13-dmeo", "shapes13-demo"),
        (("run", "--baseline", "gt", "--split", "tset"), "tset", "test"),
        (("run", "--baseline", "gt", "--split", "tinny:test"), "tinny", "tiny"),
        ((*RUN, "--classes", "chair,tabel"), "tabel", "table"),
        ((*RUN, "--classes", "02691165"), "02691165", "02691156"),
        ((*RUN, "--protocol", "bench-iuo-v1"), "bench-iuo-v1", "bench-iou-v1"),
        (("run", "--baseline", "kato", "--split", "test", "--set", "blocksize=2"),
         "blocksize", "block_size"),
        (("train", "--baseline", "katto", "--dataset", "shapes13"), "katto", "kato"),
        (("train", "--baseline", "kato", "--dataset", "shapenett"), "shapenett", "shapenet"),
        ((*TRAIN, "--set", "stpes=2"), "stpes", "steps"),
        ((*TRAIN, "--set", "classes=chiar"), "chiar", "chair"),
        ((*TRAIN, "--set", "rendering=katoo"), "katoo", "kato"),
        (("score", ".", "--dataset", "shapes31", "--split", "test"), "shapes31", "shapes13"),
        (("score", "mine", "--dataset", "shapes13", "--split", "tets"), "tets", "test"),
        (("score", "mine", "--dataset", "shapes13", "--split", "test", "--protocol", "iou-bench"),
         "iou-bench", "bench-iou-v1"),
        (("report", "--metric", "chanfer"), "chanfer", "chamfer"),
        (("report", "--metric", "bench-iou-v1:iuo"), "iuo", "iou"),
        (("report", "--metric", "iou", "--split", "tset"), "tset", "test"),
        (("doctor", "--require", "shapnet"), "shapnet", "shapenet"),
        (("doctor", "--require", "cuda-kernel"), "cuda-kernel", "cuda-kernels"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_the_nearest_name_is_offered(
    bench: Any, refused: Any, tiny_home: Path, tmp_path: Path,
    words: tuple[str, ...], wrong: str, nearest: str,
) -> None:  # fmt: skip
    mine = tmp_path / "mine" / "02691156"
    mine.mkdir(parents=True)
    (mine / "test0.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    done = bench(*words, "--root", tiny_home)
    hint = refused(done, 2, f"'{wrong}'")
    assert nearest in hint.replace("'", " ").replace(",", " ").replace("?", " ").split()
    assert not (tmp_path / "runs").exists() and not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (("prepair", "shapenet"), "prepare"),
        (("run", "--basline", "kato"), "--baseline"),
        (("report", "--metrics", "iou"), "--metric"),
        (("report", "--format", "latx"), "latex"),
    ],
)
def test_verbs_and_options_too(bench: Any, words: tuple[str, ...], nearest: str) -> None:
    done = bench(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert nearest in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ((*RUN, "--limit", "none"), "none"),
        ((*RUN, "--limit", "0"), "0"),
        ((*RUN, "--views", "few"), "few"),
        ((*RUN, "--views", "0"), "0"),
        ((*RUN, "--set", "kind"), "kind"),
        ((*TRAIN, "--set", "steps=many"), "many"),
        ((*TRAIN, "--set", "steps=0"), "0"),
        ((*TRAIN, "--set", "learning_rate=nan"), "nan"),
        ((*TRAIN, "--set", "channels=4,4"), "4, 4"),
        ((*TRAIN, "--device", "tpu"), "tpu"),
        (("train", "--baseline", "gt", "--dataset", "shapes13"), "gt"),
        (("run", "--baseline", "gt", "--split", "val", "--classes", ","), ","),
    ],
)
def test_values_that_make_no_sense_are_named(
    bench: Any, tiny_home: Path, tmp_path: Path, words: tuple[str, ...], value: str
) -> None:
    done = bench(*words, "--root", tiny_home)
    assert (done.exit_code, done.stdout) == (2, ""), (done.exit_code, done.stderr)
    assert value in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists() and not (tmp_path / "checkpoints").exists()


def test_a_name_in_the_configuration_is_checked_too(
    bench: Callable[..., Any], refused: Any, tiny_home: Path, tmp_path: Path
) -> None:
    (tmp_path / "bench.toml").write_text('[run]\nbaseline = "kat"\nsplit = "test"\n')
    assert "kato" in refused(bench("run", "--root", tiny_home), 2, "'kat'")
    (tmp_path / "bench.toml").write_text('[run]\nbasline = "kato"\n')
    assert "baseline" in refused(bench("run", "--root", tiny_home), 2, "'basline'")


def test_a_table_of_an_unknown_data_set(bench: Any, refused: Any, tiny_home: Path) -> None:
    done = bench(*RUN, "--protocol", "bench-iou-v1", "--root", tiny_home)
    assert done.exit_code == 0, done.stderr
    line = ("report", "--metric", "iou", "--dataset")
    assert "shapes13" in refused(bench(*line, "shapes31"), 2, "'shapes31'")
    refused(bench(*line, "shapenet"), 3, "no result has the metric 'iou' on 'shapenet'")
