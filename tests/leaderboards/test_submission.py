"""A submission is accepted when its numbers follow from its scores; else all that is wrong is said.

Nothing of it is executed: a pickle among its files is not opened, links are not followed.
"""

from __future__ import annotations

import json
import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchbench.cli.main import cli
from benchbench.core.errors import InputError, MissingError
from benchbench.core.files import sha256_file
from benchbench.leaderboards.form import read_strict
from benchbench.leaderboards.measured import read_measured
from benchbench.leaderboards.submission import check_submission

Write = Callable[..., Path]


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["leaderboard", *map(str, arguments)])


def problems(folder: Path, root: Path) -> list[str]:
    return check_submission(folder, root).problems


def test_good_one_is_accepted(submission: Write, tmp_path: Path) -> None:
    checked = check_submission(submission(tmp_path / "a"), tmp_path)
    assert checked.problems == []
    assert ["not compared" in remark for remark in checked.remarks] == [True]


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="there is no folder"):
        check_submission(tmp_path / "a")


def change(content: dict[str, Any], path: str, value: Any) -> None:
    *way, last = path.split("/")
    for name in way:
        content = content[name]
    content[last] = value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("kind", "sweet", "it is a 'sweet'"),
        ("complete", False, "not complete"),
        ("incomplete_because", ["--limit 3"], "not complete (--limit 3)"),
        ("hash", "../../etc/passwd", "result.hash is '../../etc/passwd'"),
        ("baseline/id", "../evil", "result.baseline.id is '../evil'"),
        ("baseline/title", "a\nb", "result.baseline.title is 'a\\nb'"),
        ("baseline/caption", "x" * 1001, "not a line of text of at most 1000"),
        ("baseline/caption", ["x"], "result.baseline.caption is ['x']"),
        ("dataset/id", "nowhere", "data set 'nowhere' is none of this version"),
        ("dataset/classes", [["02691156"]], "does not hold pairs"),
        ("dataset/split_objects", 4, "3 of the 4 objects of the split"),
        ("selection/limit", 3, "limited to a part"),
        ("selection/objects", True, "result.selection.objects is True, not a count"),
        ("selection/items", 4, "3 predictions for 4 items"),
        ("protocols", {}, "under no protocol"),
        ("protocols/bench-iou-v1/mean_over_classes/iou", 0.51, "the scores give 0.5"),
        ("protocols/bench-iou-v1/mean_over_objects/iou", 0.5, "the result says 0.5, the scores"),
        ("protocols/bench-iou-v1/per_class/03001627/metrics/iou", 0.3, "class 03001627: the re"),
        ("protocols/bench-iou-v1/mean_over_classes/iou", "0.5", "is '0.5', not a number"),
        ("protocols/bench-iou-v1/mean_over_classes", {"cd": 0.5}, "has other metrics than iou"),
        ("protocols/kato-iou-v1/ok", 3, "items without failure: the result says 3, the scores 2"),
        ("protocols/kato-iou-v1/failed", {}, "failures: the result says {}, the scores {'empty'"),
        ("protocols/kato-iou-v1/objects", 2, "objects: the result says 2, the scores 3"),
        ("protocols/kato-iou-v1/failed_items", [], "failed items: the result says 0"),
        ("settings/views/value", {"a": 1}, "result.settings.views.value is {'a': 1}"),
        ("training", {"seen": -1}, "result.training.seen is -1"),
    ],
)
def test_what_is_wrong_is_said(
    submission: Write, content: dict[str, Any], tmp_path: Path, path: str, value: Any, words: str
) -> None:
    change(content, path, value)
    found = problems(submission(tmp_path / "a", content), tmp_path)
    assert any(words in problem for problem in found), found


def test_unknown_protocol(submission: Write, content: dict[str, Any], tmp_path: Path) -> None:
    content["protocols"]["my-iou-v1"] = content["protocols"].pop("kato-iou-v1")
    found = problems(submission(tmp_path / "a", content), tmp_path)
    assert found == ["protocol 'my-iou-v1' is none of this version"]


def test_missing_keys_are_all_named(
    submission: Write, content: dict[str, Any], tmp_path: Path
) -> None:
    del content["seeds"], content["dataset"]["identity"]
    found = problems(submission(tmp_path / "a", content), tmp_path)
    assert found == ["result.dataset.identity is missing", "result.seeds is missing"]


def edit_scores(folder: Path, old: str, new: str) -> Path:
    """Changes scores.csv and the hash that the result says it has."""
    path = folder / "scores.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    content["hashes"]["scores"] = sha256_file(path)
    (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("iou,0.9,ok", "iou,0.8,ok", "the result says 0.5, the scores give 0.475"),
        ("iou,0.9,ok", "iou,nan,ok", "the value is nan"),
        ("iou,0.9,ok", "iou,1.5,ok", "iou 1.5, which is no ratio"),
        ("iou,0.0,empty", "iou,0.1,empty", "is empty and has 0.1, not the penalty 0.0"),
        ("iou,0.0,empty", "iou,0.0,fine", "the unknown status 'fine'"),
        ("03001627/c0", "99999999/c0", "objects in classes"),
        ("03001627/c0", "c0", "an object is called 'c0'"),
        ("kato-iou-v1,02691156/a1", "kato-iou-v1,02691156/a0", "every score once"),
        ("0,iou,0.5", "0,ap,0.5", "it has no metric 'ap'"),
        ("kato-iou-v1", "lsm-iou-v1", "scores of 'lsm-iou-v1' that the result does not name"),
        ("value,status", "value", "no line of scores"),
    ],
)
def test_scores_that_do_not_fit(
    submission: Write, tmp_path: Path, old: str, new: str, words: str
) -> None:
    found = problems(edit_scores(submission(tmp_path / "a"), old, new), tmp_path)
    assert any(words in problem for problem in found), found


def test_files_of_another_run(submission: Write, tmp_path: Path) -> None:
    folder = submission(tmp_path / "a")
    with (folder / "objects.csv").open("a", encoding="utf-8") as file:
        file.write("\n")
    assert problems(folder, tmp_path) == [
        "'objects.csv' is not the file of the result (its hash is another)"
    ]


def test_objects_that_differ(submission: Write, content: dict[str, Any], tmp_path: Path) -> None:
    folder = submission(tmp_path / "a", content)
    path = folder / "objects.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("0.9", "0.95"), encoding="utf-8")
    content["hashes"]["objects"] = sha256_file(path)
    (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
    assert problems(folder, tmp_path) == [
        "'objects.csv' holds other scores of bench-iou-v1:iou than 'scores.csv'"
    ]


def test_links_and_folders_are_no_files(submission: Write, tmp_path: Path) -> None:
    folder = submission(tmp_path / "a")
    (folder / "scores.csv").rename(tmp_path / "elsewhere.csv")
    (folder / "scores.csv").symlink_to(tmp_path / "elsewhere.csv")
    assert problems(folder, tmp_path) == ["'scores.csv' is no plain file"]
    (folder / "scores.csv").unlink()
    (folder / "scores.csv").mkdir()
    assert problems(folder, tmp_path) == ["'scores.csv' is no plain file"]
    (folder / "scores.csv").rmdir()
    os.mkfifo(folder / "scores.csv")
    assert problems(folder, tmp_path) == ["'scores.csv' is no plain file"]


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (os.environ["BOMB"], "w"))


def test_a_pickle_among_the_files_is_not_opened(
    submission: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOMB", str(tmp_path / "gone-off"))
    folder = submission(tmp_path / "a")
    for name in ("scores.pkl", "predictions", "model.npy"):
        (folder / name).write_bytes(pickle.dumps(_Bomb()))
    assert problems(folder, tmp_path) == []
    assert not (tmp_path / "gone-off").exists()
    (folder / "result.json").write_bytes(pickle.dumps(_Bomb()))
    assert "not the JSON of a result" in problems(folder, tmp_path)[0]
    assert not (tmp_path / "gone-off").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": NaN}', "holds NaN"),
        ('{"a": -Infinity}', "holds -Infinity"),
        ('{"a": 1e999}', "too large"),
        ('{"a": 1, "a": 2}', "stands twice"),
        ("[" * 100_000, "not the JSON"),
        ("[" * 30 + "]" * 30, "more than 20 deep"),
        ("", "not the JSON"),
        ("9" * 10_000, "not the JSON"),
    ],
)
def test_json_of_strangers(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_strict(tmp_path / "x.json", 1 << 20)


def test_large_json_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"[" + b" " * (1 << 20) + b"]")
    with pytest.raises(InputError, match="larger than 1 MiB"):
        read_strict(tmp_path / "x.json", 1 << 20)


def test_check_on_the_command_line(submission: Write, tmp_path: Path) -> None:
    folder = submission(tmp_path / "a")
    done = bench("check", folder, "--root", tmp_path)
    assert (done.exit_code, done.stdout) == (
        0, "accepted: kato on shapes13-demo test, 3 objects, bench-iou-v1, kato-iou-v1\n",
    )  # fmt: skip
    assert "were not compared" in done.stderr
    done = bench("check", folder, "--root", tmp_path, "--json", "-q")
    assert done.stderr == "" and json.loads(done.stdout)["accepted"] is True
    edit_scores(folder, "iou,0.9,ok", "iou,0.8,ok")
    (folder / "objects.csv").unlink()
    done = bench("check", folder, "--root", tmp_path)
    assert done.exit_code == 5
    assert done.stdout.startswith("- bench-iou-v1:iou, mean over classes: the result says 0.5, ")
    assert done.stdout.count("\n- ") == 2  # and the class and the mean over objects
    assert done.stderr.startswith(f"error: '{folder}' is refused: 3 problems\nhint: ")
    done = bench("check", folder, "--root", tmp_path, "--json")
    answer = json.loads(done.stdout)
    assert (done.exit_code, answer["accepted"], len(answer["problems"])) == (5, False, 3)
    done = bench("check", tmp_path / "none")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.startswith(f"error: there is no folder '{tmp_path / 'none'}'\nhint: ")


def test_terminals_are_not_moved(
    submission: Write, content: dict[str, Any], tmp_path: Path
) -> None:
    content["baseline"]["id"] = "\x1b[2J"
    done = bench("check", submission(tmp_path / "a", content), "--root", tmp_path)
    assert done.exit_code == 5 and "\x1b" not in done.stdout + done.stderr


def test_add_and_read_again(submission: Write, tmp_path: Path) -> None:
    folder, measured = submission(tmp_path / "a"), tmp_path / "measured"
    done = bench("add", folder, "--measured", measured, "--root", tmp_path, "-q")
    path = measured / f"shapes13-demo-test-kato-{'ab' * 4}.json"
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{path}\n", "")
    first = path.read_bytes()
    again = bench("add", folder, "--measured", measured, "--root", tmp_path)
    assert again.stderr.endswith(f"next: bench leaderboard build -o site --measured {measured}\n")
    assert path.read_bytes() == first
    (one,) = read_measured(measured)
    part = one.content["leaderboard"]
    assert part["command"] == "bench run --baseline kato --dataset shapes13-demo --split test " \
        "--views 1"  # fmt: skip
    assert (measured / f"{path.stem}.objects.csv").read_bytes() == (
        folder / "objects.csv"
    ).read_bytes()
    table = "report", str(measured), "--metric", "iou", "--intervals", "--json"
    shown = CliRunner().invoke(cli, list(table))
    (row,) = json.loads(shown.stdout)["tables"][0]["rows"]
    assert (row["mean_over_classes"], row["per_class"]["02691156"]) == (0.5, 0.8)


def test_add_takes_all_or_none(submission: Write, content: dict[str, Any], tmp_path: Path) -> None:
    good = submission(tmp_path / "a")
    content["complete"] = False
    bad = submission(tmp_path / "b", content)
    done = bench("add", good, bad, "--measured", tmp_path / "m", "--root", tmp_path)
    assert (done.exit_code, done.stdout) == (5, "")
    assert f"error: '{bad}' is refused: the run is not complete" in done.stderr
    assert f"hint: bench leaderboard check '{bad}'" in done.stderr
    assert not (tmp_path / "m").exists()


def test_measured_files_are_checked_when_read(submission: Write, tmp_path: Path) -> None:
    bench("add", submission(tmp_path / "a"), "--measured", tmp_path / "m", "--root", tmp_path)
    (path,) = (tmp_path / "m").glob("*.json")
    whole = json.loads(path.read_text(encoding="utf-8"))
    for place, value, words in (
        ("leaderboard/command", 3, "result.leaderboard.command is 3"),
        ("leaderboard/schema", 2, "it is of schema 2"),
        ("hash", "x", "result.hash is 'x'"),
        ("protocols", {"my-v1": whole["protocols"]["bench-iou-v1"]}, "'my-v1' is none"),
    ):
        changed = json.loads(json.dumps(whole))
        change(changed, place, value)
        path.write_text(json.dumps(changed), encoding="utf-8")
        with pytest.raises(InputError, match=r"is no measured result") as caught:
            read_measured(tmp_path / "m")
        assert words in str(caught.value)


_ODD: list[Any] = [
    None, True, -1, 0.5, 1e300, 10**400, "", "x" * 2000, "\x00", "..", [], {}, [[]], {"": {}},
    {"a": [None]}, [1e308, 1e308],
]  # fmt: skip


def _nodes(content: Any) -> list[tuple[Any, Any]]:
    """Every place of a tree: its container and its key."""
    keys = content if isinstance(content, dict) else range(len(content))
    found = []
    for key in keys:
        found.append((content, key))
        if isinstance(content[key], (dict, list)):
            found += _nodes(content[key])
    return found


def test_every_place_of_a_result_may_hold_anything(submission: Write, tmp_path: Path) -> None:
    """What comes is refused or accepted, never an accident."""
    folder = submission(tmp_path / "a")
    text = (folder / "result.json").read_text(encoding="utf-8")
    rng = random.Random(0)
    refused = 0
    for place in range(len(_nodes(json.loads(text)))):
        content = json.loads(text)
        container, key = _nodes(content)[place]
        if rng.random() < 0.3 and isinstance(container, dict):
            del container[key]
        else:
            container[key] = rng.choice(_ODD)
        (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
        refused += bool(problems(folder, tmp_path))
    assert refused > 100


@pytest.mark.parametrize("name", ["result.json", "scores.csv", "objects.csv"])
def test_every_byte_may_be_another(submission: Write, tmp_path: Path, name: str) -> None:
    """A file is refused or, where a digit too small to count was changed, accepted."""
    folder = submission(tmp_path / "a")
    content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    whole = (folder / name).read_bytes()
    rng = random.Random(1)
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.choice(b'\x00\n",\\0-9e.{}[]\xff/a')
        (folder / name).write_bytes(data)
        if name != "result.json":  # the result says that it is this very file
            content["hashes"][name[:-4]] = sha256_file(folder / name)
            (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
        refused += bool(problems(folder, tmp_path))
    assert refused > 100
