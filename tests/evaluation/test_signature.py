"""Signatures: of every mean, parsed again, repeated by a command, refused where it cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from benchbench import __version__
from benchbench.cli.main import cli
from benchbench.core.errors import BenchError, CheckError, UsageError
from benchbench.evaluation.run import run
from benchbench.evaluation.signature import Signature, signatures

LINE = (
    "cd|p:bench-surface-v1|set:shapes13@9f3a|split:shapes13:test@12ab|views:all|frame:obj|"
    "align:none|fail:worst|mean:classes|n:520|seed:0|bb:0.1"
)


def test_a_line_is_read_and_written() -> None:
    found = Signature.parse(f"  {LINE}\n")
    assert (found.metric, found.protocol, found.objects) == ("chamfer", "bench-surface-v1", 520)
    assert (found.dataset_id, found.split_words) == ("shapes13", "shapes13:test")
    assert str(found) == LINE
    shuffled = "|".join([*LINE.split("|")[:1], *reversed(LINE.split("|")[1:])])
    assert Signature.parse(shuffled) == found


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("|n:520", ""), "'n' is missing"),
        (("|n:520", "|n:"), "'n' is missing"),
        (("|n:520", "|n:many"), "'n:many' is no number"),
        (("|n:520", "|n:\u0665"), "'n:\u0665' is no number"),
        (("|seed:0", "|seed:-1"), "'seed:-1' is no number"),
        (("|seed:0", "|seed:0|mood:good"), "'mood' is unknown"),
        (("|seed:0", "|seed:0|seed:0"), "'a field' is there twice"),
        (("|seed:0", "||seed:0"), "not fields with |"),
        (("frame:obj", "frame: obj"), "not fields with |"),
    ],
)
def test_what_is_no_signature(change: tuple[str, str], told: str) -> None:
    with pytest.raises(UsageError, match="is no signature") as caught:
        Signature.parse(LINE.replace(*change))
    assert told in str(caught.value)


@given(st.text(max_size=200))
def test_any_text_is_a_signature_or_a_clear_error(text: str) -> None:
    try:
        Signature.parse(text)
    except BenchError as error:
        assert len(str(error)) < 400


def test_hashes_agree_as_far_as_they_go() -> None:
    short, long = Signature.parse(LINE), Signature.parse(LINE.replace("@9f3a", "@9f3a1c20"))
    assert short.differences(long) == long.differences(short) == []
    other = Signature.parse(LINE.replace("@9f3a", "@9f3b"))
    assert short.differences(other) == ["set shapes13@9f3a there, shapes13@9f3b here"]
    tiny = Signature.parse(LINE.replace("@9f3a", "@9f"))  # two digits prove nothing
    assert len(tiny.differences(short)) == 1
    newer = Signature.parse(LINE.replace("bb:0.1", "bb:9"))
    assert short.differences(newer) == []
    metric = Signature.parse(LINE.replace("cd|", "f|"))
    assert short.differences(metric) == ["metric chamfer there, fscore here"]


@pytest.fixture
def done(stubs: ModuleType, tiny_root: Path, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A run of the stub, and its result."""
    stubs.STUBS["stub"] = stubs.Stub()
    request = stubs.request(tiny_root, tmp_path, protocols=("bench-iou-v1", "bench-surface-v1"))
    result = run(request, quiet=True)
    assert result is not None
    return next(tmp_path.glob("*/stub-*")), result


def score(root: Path, *words: object) -> Result:
    return CliRunner().invoke(cli, ["score", *map(str, words), "--root", str(root), "-q"])


def test_every_mean_has_one(done: tuple[Path, dict[str, Any]], tiny_root: Path) -> None:
    folder, result = done
    found = signatures(result)
    assert list(found) == [
        "bench-iou-v1:iou", "bench-surface-v1:chamfer", "bench-surface-v1:fscore",
        "bench-surface-v1:normals",
    ]  # fmt: skip
    line, value = found["bench-iou-v1:iou"]
    assert value == result["protocols"]["bench-iou-v1"]["mean_over_classes"]["iou"]
    data = result["dataset"]
    assert str(line) == (
        f"iou|p:bench-iou-v1|set:shapes13-demo@{data['identity'][:8]}|"
        f"split:tiny:test@{data['split_hash'][:8]}|views:all|frame:obj|align:none|fail:worst|"
        f"mean:classes|n:12|seed:0|bb:{__version__}"
    )
    shown = score(tiny_root, folder, "--signatures")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.splitlines() == [f"{v:.6g}  {s}" for s, v in found.values()]


def test_a_line_is_computed_again(done: tuple[Path, dict[str, Any]], tiny_root: Path) -> None:
    folder, result = done
    line, value = signatures(result)["bench-surface-v1:chamfer"]
    again = score(tiny_root, folder, "--signature", line)
    assert again.exit_code == 0, again.output
    assert again.stdout == f"{value:.6g}  {line}\n"
    # The predictions alone, as anybody may have them, give the same number under the same line.
    outside = score(
        tiny_root, folder / "predictions", "--signature", line, "--out", folder.parent / "again",
        "--json",
    )  # fmt: skip
    assert outside.exit_code == 0, outside.output
    (entry,) = json.loads(outside.stdout)["signatures"].values()
    assert entry == {"value": value, "signature": str(line)}


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (("n:12", "n:13"), 5, "n 13 there, 12 here"),
        (("views:all", "views:0"), 5, "views 0 there, all here"),
        (("align:none", "align:icp"), 5, "align icp there, none here"),
        (("p:bench-iou-v1", "p:bench-iou-v9"), 2, "bench-iou-v1"),
        (("iou|", "ap|"), 2, "'bench-iou-v1' has no 'ap'"),
        (("|bb:", "|cc:"), 2, "'bb' is missing"),
    ],
)
def test_what_cannot_be_repeated(
    done: tuple[Path, dict[str, Any]], tiny_root: Path, change: tuple[str, str], code: int,
    told: str,
) -> None:  # fmt: skip
    folder, result = done
    line = str(signatures(result)["bench-iou-v1:iou"][0]).replace(*change, 1)
    found = score(tiny_root, folder, "--signature", line)
    assert (found.exit_code, found.stdout) == (code, "")
    assert told in found.stderr


def test_a_line_says_all(done: tuple[Path, dict[str, Any]], tiny_root: Path) -> None:
    folder, result = done
    line = signatures(result)["bench-iou-v1:iou"][0]
    found = score(tiny_root, folder, "--signature", line, "--protocol", "bench-iou-v1")
    assert (found.exit_code, found.stdout) == (2, "")
    assert "a signature names the data set, the split and the protocol" in found.stderr


def test_a_part_has_none(stubs: ModuleType, tiny_root: Path, tmp_path: Path) -> None:
    stubs.STUBS["stub"] = stubs.Stub()
    request = stubs.request(tiny_root, tmp_path, protocols=("bench-iou-v1",), limit=2)
    result = run(request, quiet=True)
    assert result is not None
    with pytest.raises(CheckError, match="a run on a part has no signature"):
        signatures(result)
