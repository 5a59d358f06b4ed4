"""Result files of strangers: what they say is text, and what they lack is named with the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchbench.core.errors import CheckError, InputError
from benchbench.report.columns import add_about
from benchbench.report.formats import FORMATS, render
from benchbench.report.objects import ObjectFiles
from benchbench.report.results import find_results
from benchbench.report.sheets import table_sheets
from benchbench.report.tables import build_tables

Make = Callable[..., Path]
IOU = "bench-iou-v1"
EVIL = "\x1b[2Ja\nb\r\tc\x07\u202e"


def change(run: Path, path: tuple[Any, ...], value: Any) -> None:
    file = run / "result.json"
    content = where = json.loads(file.read_text())
    for key in path[:-1]:
        where = where[key]
    where[path[-1]] = value
    file.write_text(json.dumps(content))


def test_no_text_of_a_result_speaks_to_the_terminal(
    tmp_path: Path, make_run: Make, base: dict[str, float]
) -> None:
    run = make_run("kato", {IOU: {"iou": base}})
    change(run, ("baseline", "id"), EVIL)
    change(run, ("baseline", "caption"), EVIL)
    change(run, ("dataset", "classes", 0, 1), EVIL)
    change(run, ("about",), {"supervision": EVIL})
    tables, _ = build_tables(find_results([run]), "iou")
    sheets = table_sheets(tables)
    add_about(tables, sheets)
    for form in FORMATS:
        text = render([*table_sheets(tables), *sheets], form)
        assert not set(text) & set("\x1b\x07\r\t\u202e"), form
        assert "a b c" in text, form


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("dataset", "identity"), None, "identity is None"),
        (("dataset", "split_name"), 3, "split_name is 3"),
        (("dataset", "classes"), "none", "a class is 'none'"),
        (("dataset", "classes", 1), ["03001627"], r"a class is \['03001627'\]"),
        (("dataset", "classes", 1, 1), 7, "a class is"),
        (("dataset", "classes", 1, 0), "02691156", "02691156 twice"),
        (("dataset", "classes", 1, 0), "00000000", "03001627 is no class of the data set"),
        (("selection",), {"classes": None, "limit": None, "views": "all"}, "views_of_set"),
        (("selection", "rendering"), 3, "rendering is 3"),
        (("selection", "together"), "all", "together is 'all'"),
        (("protocols", IOU, "mean_over_classes", "iou"), 10**400, "too large"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(
    make_run: Make, base: dict[str, float], path: tuple[Any, ...], value: Any, words: str
) -> None:
    run = make_run("kato", {IOU: {"iou": base}})
    change(run, path, value)
    with pytest.raises(InputError, match=f"result.json' lacks what a result holds.*{words}"):
        find_results([run])


def test_scores_of_objects_of_other_classes_are_refused(
    make_run: Make, base: dict[str, float]
) -> None:
    """One object stands under another class than the result's means know; the count is right."""
    run = make_run("kato", {IOU: {"iou": base}})
    change(run, ("dataset", "classes"), [["02691156", "airplane"], ["03001627", "chair"]])
    file = run / "result.json"
    content = json.loads(file.read_text())
    del content["protocols"][IOU]["per_class"]["04379243"]
    file.write_text(json.dumps(content))
    (result,) = find_results([run])
    with pytest.raises(CheckError, match="does not hold the 77 objects of bench-iou-v1"):
        ObjectFiles().of(result, IOU)
