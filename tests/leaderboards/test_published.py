"""The published numbers are of one form, and what can be checked by arithmetic is right."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from pathlib import Path

import pytest

from benchbench.core.classes import SYNSETS
from benchbench.core.errors import InputError
from benchbench.datasets.registry import dataset_names, dataset_spec
from benchbench.leaderboards.published import COLUMNS, FOLDER, comparable, read_published
from benchbench.protocols.registry import get_protocol

GOOD = dict.fromkeys(COLUMNS, "") | {
    "dataset": "set", "split": "test", "protocol": "p", "method": "m", "year": "2018",
    "supervision": "2D", "class": "mean", "metric": "iou", "unit": "ratio",
    "higher_is_better": "true", "value": "0.5988", "source": "a README",
}  # fmt: skip


def write(folder: Path, *rows: dict[str, str], name: str = "p", header: object = COLUMNS) -> Path:
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)  # type: ignore[arg-type]
        writer.writerows([row.values() for row in rows])
    return folder


def test_a_number_is_read(tmp_path: Path) -> None:
    (row,) = read_published(write(tmp_path, GOOD))
    assert (row.value, row.year, row.cls, row.higher_is_better) == (0.5988, 2018, "mean", True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": ""}, "source is empty"),
        ({"split": ""}, "split is empty"),
        ({"supervision": ""}, "supervision is empty"),
        ({"unit": ""}, "unit is empty"),
        ({"dataset": ""}, "dataset is empty"),
        ({"source": "from memory"}, "is a guess"),
        ({"unit": "x1000 (UNCONFIRMED)"}, "is a guess"),
        ({"split": "as reported (not stated)"}, "is a guess"),
        ({"value": "nan"}, "value 'nan'"),
        ({"value": "inf"}, "value 'inf'"),
        ({"value": "1e3"}, "value '1e3'"),
        ({"value": "59.88"}, "no ratio"),
        ({"unit": "percent", "value": "101"}, "no percent"),
        ({"year": "18"}, "year '18'"),
        ({"class": "0330"}, "class '0330'"),
        ({"higher_is_better": "yes"}, "higher_is_better 'yes'"),
        ({"our_set": "shapenet"}, "stand together"),
        ({"our_set": "shapenet", "our_split": "test"}, "our_split 'test'"),
        ({"protocol": "q"}, "does not belong in this file"),
        ({"method": " padded"}, "no line of text"),
        ({"method": "two\nlines"}, "no line of text"),
        ({"method": "\x1b[2J"}, "no line of text"),
        ({"method": "x" * 501}, "no line of text"),
    ],
)
def test_other_forms_are_refused_by_line(
    tmp_path: Path, change: dict[str, str], words: str
) -> None:
    write(tmp_path, {**GOOD, "class": "03001627"}, {**GOOD, **change})
    with pytest.raises(InputError, match=r"line 3: ") as caught:
        read_published(tmp_path)
    assert words in str(caught.value)


def test_a_second_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has a second value"):
        read_published(write(tmp_path, GOOD, {**GOOD, "value": "0.6"}))


def test_a_metric_has_one_direction(tmp_path: Path) -> None:
    other = {**GOOD, "method": "n", "higher_is_better": "false"}
    with pytest.raises(InputError, match="better both ways"):
        read_published(write(tmp_path, GOOD, other))


def test_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the columns are not dataset,split"):
        read_published(write(tmp_path, GOOD, header=COLUMNS[::-1]))


def test_a_line_too_short_is_refused(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with (tmp_path / "p.csv").open("a", encoding="utf-8") as file:
        file.write("a,b\n")
    with pytest.raises(InputError, match="2 columns instead of 15"):
        read_published(tmp_path)


def test_every_file_is_read() -> None:
    rows = read_published()
    lines = sum(
        len(path.read_text(encoding="utf-8").splitlines()) - 1 for path in FOLDER.glob("*.csv")
    )
    assert len(rows) == lines == 478
    assert "478 numbers" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_printed_means_are_means_of_the_printed_classes() -> None:
    groups: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for row in read_published():
        groups[row.dataset, row.split, row.protocol, row.method, row.metric][row.cls] = row.text
    checked = 0
    for key, values in groups.items():
        if not {*SYNSETS, "mean"} <= set(values):
            continue
        digits = [len(values[key].partition(".")[2]) for key in (*SYNSETS, "mean")]
        # Half a unit of the last digit of the mean, and of that of the classes.
        room = 0.5 * 10.0 ** -digits[-1] + 0.5 * 10.0 ** -max(digits[:-1])
        mean = math.fsum(float(values[s]) for s in SYNSETS) / 13
        assert abs(mean - float(values["mean"])) <= room, key
        checked += 1
    assert checked == 23


def test_names_of_ours_are_known() -> None:
    for row in read_published():
        if row.our_set:
            assert row.our_set in dataset_names()
            assert row.our_split.partition(":")[0] in dataset_spec(row.our_set).splits


def test_only_what_agrees_stands_beside_measured_numbers() -> None:
    rows = read_published()
    kato = get_protocol("kato-iou-v1")
    found = comparable(rows, kato, kato.metrics[0], "shapenet-kato", "kato:val")
    assert [(row.text, round(value, 5)) for row, value in found] == [("61.838", 0.61838)]
    assert not comparable(rows, kato, kato.metrics[0], "shapenet", "kato:test")
    assert not comparable(rows, kato, kato.metrics[0], "shapenet-kato", "r2n2-80-20:test")
    house = get_protocol("bench-iou-v1")
    assert not comparable(rows, house, house.metrics[0], "shapenet-kato", "kato:test")
    dibr = get_protocol("dibr-chamfer-v1")
    found = comparable(rows, dibr, dibr.metrics[0], "shapenet-dvr", "softras:test")
    assert (len(found), found[-1][0].cls, found[-1][1]) == (14, "mean", 2.9197174732)
