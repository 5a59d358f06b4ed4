"""Tables: what shares one, what is marked, and that every format says the same numbers."""

from __future__ import annotations

import copy
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from benchbench.core.errors import CheckError, InputError, MissingError, UsageError
from benchbench.protocols.registry import get_protocol
from benchbench.report.formats import FORMATS
from benchbench.report.formats import render as render_sheets
from benchbench.report.latex import latex_escape
from benchbench.report.results import find_results
from benchbench.report.sheets import table_sheets
from benchbench.report.tables import build_tables

CLASSES = [["02691156", "airplane"], ["03001627", "chair"], ["04379243", "table"]]
VALUES = {"kato": (0.6, 0.5, 0.4), "mean": (0.3, 0.50004, 0.1), "gt": (1.0, 1.0, 1.0)}


def result(baseline: str, values: tuple[float, ...], **changes: Any) -> dict[str, Any]:
    """A result file by hand: three classes of 2, 2 and 6 objects, IoU and surface distance."""
    counts = (2, 2, 6)

    def summary(protocol: str, factor: float) -> dict[str, Any]:
        names = [m.name for m in get_protocol(protocol).metrics]
        rows = {
            synset: {"name": name, "objects": n, "metrics": dict.fromkeys(names, v * factor)}
            for (synset, name), n, v in zip(CLASSES, counts, values, strict=True)
        }
        macro = sum(v * factor for v in values) / 3
        micro = sum(v * n * factor for v, n in zip(values, counts, strict=True)) / 10
        return {
            "per_class": rows, "objects": 10, "items": 240, "ok": 239, "failed": {"empty": 1},
            "mean_over_classes": dict.fromkeys(names, macro),
            "mean_over_objects": dict.fromkeys(names, micro),
            "classes": 3, "failed_items": [], "truth_grid": None,
        }  # fmt: skip

    content = {
        "schema": 1,
        "kind": "benchbench result",
        "hash": changes.pop("hash", "a1b2c3d4" * 8),
        "baseline": {
            "id": baseline, "title": "t", "caption": f"{baseline}: 50 % of_weights & more",
            "takes": "truth" if baseline == "gt" else "image",
        },
        "dataset": {
            "id": "shapes13-demo", "identity": "9f3a" * 16, "title": "boxes", "split": "test",
            "split_name": "shapes13", "split_hash": "12ab" * 16, "classes": CLASSES,
        },
        "selection": {"views": "all", "views_of_set": 24, "classes": None, "limit": None},
        "protocols": {
            "bench-iou-v1": summary("bench-iou-v1", 1),
            "bench-surface-v1": summary("bench-surface-v1", 10),
        },
        "complete": True,
        "incomplete_because": [],
    }  # fmt: skip
    content = copy.deepcopy(content)
    for path, value in changes.items():
        where: Any = content
        *outer, last = path.split("__")
        for key in outer:
            where = where[key]
        where[last] = value
    return content


def write(folder: Path, *contents: dict[str, Any]) -> list[Path]:
    paths = []
    for n, content in enumerate(contents):
        path = folder / "runs" / f"{content['dataset']['id']}" / f"{content['baseline']['id']}-{n}"
        path.mkdir(parents=True)
        (path / "result.json").write_text(json.dumps(content))
        paths.append(path)
    return paths


def three(folder: Path) -> list[Path]:
    return write(folder, *(result(name, values) for name, values in VALUES.items()))


def tables(folder: Path, metric: str = "iou", **options: Any) -> list[Any]:
    return build_tables(find_results([folder / "runs"]), metric, **options)[0]


def render(found: list[Any], form: str) -> str:
    return render_sheets(table_sheets(found), form)


def test_one_table_with_both_means(tmp_path: Path) -> None:
    three(tmp_path)
    (table,) = tables(tmp_path)
    assert [row.label for row in table.rows] == ["kato", "mean", "gt"]  # the truth below
    text = render([table], "table")
    for words in (
        "bench-iou-v1:iou", "higher is better", "|P and T| / |P or T|", "10 objects",
        "split test of shapes13@12ab12ab", "all 24 views", "shapes13-demo@9f3a9f3a",
        "mean over classes", "mean over objects", "50 % of_weights",
        "1 of 240 items failed and got the penalty",
    ):  # fmt: skip
        assert words in text, words
    line = next(line for line in text.splitlines() if line.startswith("kato "))
    # Macro (.6 + .5 + .4) / 3 = .5, micro (2 * .6 + 2 * .5 + 6 * .4) / 10 = .46.
    numbers = line.replace("*", "").split()
    assert numbers == ["kato", "0.600", "0.500", "0.400", "0.500", "0.460", "1"]


def test_best_is_marked_as_printed_and_truth_does_not_compete(tmp_path: Path) -> None:
    three(tmp_path)
    (table,) = tables(tmp_path)
    labels = [row.label for row in table.rows]
    best = {(labels[n], column) for n, column in table.best}
    # .5 and .50004 print alike, so both are best.
    assert best == {
        ("kato", "02691156"), ("kato", "03001627"), ("mean", "03001627"), ("kato", "04379243"),
        ("kato", "mean over classes"), ("kato", "mean over objects"),
    }  # fmt: skip
    (distance,) = tables(tmp_path, "chamfer")
    best = {(distance.rows[n].label, column) for n, column in distance.best}
    assert ("mean", "mean over classes") in best and ("kato", "mean over classes") not in best
    (alone,) = build_tables(find_results([next((tmp_path / "runs").rglob("kato-*"))]), "iou")[0]
    assert alone.best == set()


def test_thirteen_columns_fit_a_wide_terminal() -> None:
    from benchbench.core.classes import SYNSETS
    from benchbench.report.tables import Row, Table, best_cells

    spec = get_protocol("bench-iou-v1")
    rows = [
        Row(name, name, dict.fromkeys(SYNSETS, v), v, v, 0, 9, True, False, "r")
        for name, v in (("kato", 0.5), ("mean", 0.25))
    ]
    facts = {"id": "d", "identity": "0" * 64, "split": "test", "split_name": "s",
             "split_hash": "0" * 64}  # fmt: skip
    table = Table(spec, spec.metrics[0], facts, list(SYNSETS.items()), 9, "view 0", None, rows)
    table.best = best_cells(table)
    width = max(len(line) for line in render([table], "table").splitlines())
    assert 120 < width <= 150


def test_formats_agree(tmp_path: Path) -> None:
    three(tmp_path)
    found = tables(tmp_path) + tables(tmp_path, "chamfer")
    content = json.loads(render(found, "json"))
    assert content["schema"] == 1 and len(content["tables"]) == 2
    rows = list(csv.DictReader(io.StringIO(render(found, "csv"))))
    assert len(rows) == 6
    flat = [row for table in content["tables"] for row in table["rows"]]
    for line, row in zip(rows, flat, strict=True):
        assert line["method"] == row["method"] and line["protocol"] == row["protocol"]
        assert float(line["mean_over_classes"]) == row["mean_over_classes"]
        assert float(line["02691156 airplane"]) == row["per_class"]["02691156"]
    for form in FORMATS:
        text = render(found, form)
        assert "nan" not in text.lower().replace("naninf", "")
    assert "| kato | **0.600** |" in render(found, "md")
    assert r"kato & \benchbest{0.600}" in render(found, "latex")


def test_latex_is_escaped_and_balanced(tmp_path: Path) -> None:
    evil = r"ev_il\input{/etc/passwd}%$&#^~"
    write(tmp_path, result("kato", VALUES["kato"], baseline__caption=evil))
    text = render(tables(tmp_path), "latex")
    assert r"\input" not in text
    assert latex_escape("ü") == "?" and latex_escape("--seeds") == "-{}-seeds"
    body = text.split("\n", 1)[1]
    unescaped = body.replace(r"\{", "").replace(r"\}", "")
    assert unescaped.count("{") == unescaped.count("}")
    rows = [
        line for line in body.splitlines() if line.endswith(r"\\") and "multicolumn" not in line
    ]
    assert len({line.replace(r"\&", "").count("&") for line in rows}) == 1


@pytest.mark.parametrize(
    ("text", "printed"),
    [("--seeds", "-{}-seeds"), ("a---b----c", "a-{}-{}-b-{}-{}-{}-c"), ("a-b", "a-b")],
)
def test_hyphens_stay_hyphens_in_latex(text: str, printed: str) -> None:
    assert latex_escape(text) == printed


def test_views_are_counted_in_words(tmp_path: Path) -> None:
    for views, words in (("0-11", "views 0-11 of 24"), ("3", "view 3 of 24")):
        write(tmp_path / views, result("kato", VALUES["kato"], selection__views=views))
        assert tables(tmp_path / views)[0].views == words


def test_markdown_and_csv_are_inert(tmp_path: Path) -> None:
    evil = "=cmd|x\n| a | <script>"
    write(tmp_path, result("kato", VALUES["kato"], baseline__caption=evil))
    found = tables(tmp_path)
    text = render(found, "md")
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert len([line for line in text.splitlines() if line.startswith("|")]) == 3
    (row,) = csv.DictReader(io.StringIO(render(found, "csv")))
    assert row["caption"].startswith("'=")


def test_data_sets_never_meet(tmp_path: Path) -> None:
    other = result("kato", (0.1, 0.2, 0.3), dataset__id="shapenet", dataset__identity="b" * 64)
    again = result("mean", (0.1, 0.2, 0.3), dataset__identity="c" * 64)
    paths = write(tmp_path, result("kato", VALUES["kato"]), other, again)
    found = tables(tmp_path)
    assert len(found) == 3 and all(len(table.rows) == 1 for table in found)
    assert len(tables(tmp_path, dataset="shapenet")) == 1
    assert len(tables(tmp_path, dataset="shapes13")) == 2  # the demo answers to the set's name
    for pair in ((0, 1), (0, 2)):
        with pytest.raises(CheckError, match="different data sets") as caught:
            build_tables(find_results([paths[n] for n in pair]), "iou")
        assert all(str(paths[n]) in str(caught.value) for n in pair)
        assert "--dataset" in str(caught.value.hint)


def test_protocols_never_meet(tmp_path: Path) -> None:
    voxel = result("mean", (0.1, 0.2, 0.3))
    voxel["protocols"]["voxel-surface-v1"] = voxel["protocols"].pop("bench-surface-v1")
    paths = write(tmp_path, result("kato", VALUES["kato"]), voxel)
    with pytest.raises(CheckError, match="different protocols"):
        build_tables(find_results(paths), "chamfer")
    found = tables(tmp_path, "chamfer")
    assert [len(table.rows) for table in found] == [1, 1]
    assert {table.protocol.id for table in found} == {"bench-surface-v1", "voxel-surface-v1"}


def test_views_never_meet_but_blind_methods_join(tmp_path: Path) -> None:
    paths = write(
        tmp_path,
        result("kato", VALUES["kato"]),
        result("kato", VALUES["kato"], selection__views="0", hash="f" * 64),
        result("mean", VALUES["mean"], selection__views="none"),
    )
    found = tables(tmp_path)
    assert sorted(table.views for table in found) == ["all 24 views", "view 0 of 24"]
    assert all(len(table.rows) == 2 for table in found)
    with pytest.raises(CheckError, match="different views"):
        build_tables(find_results(paths), "iou")
    assert build_tables(find_results([paths[0], paths[2]]), "iou")[0][0].views == "all 24 views"


def test_views_seen_together_have_a_table_of_their_own(tmp_path: Path) -> None:
    """Even under a protocol of the first view, where single views share one."""
    name, metric = "r2n2-iou-v1", "r2n2-iou-v1:iou"
    made = [
        result("r2n2", VALUES["kato"], hash="a" * 64),
        result("r2n2", VALUES["kato"], selection__views="0", hash="b" * 64),
        result(
            "r2n2", VALUES["kato"], selection__views="0-2 together", selection__together=3,
            hash="c" * 64,
        ),
        result("mean", VALUES["mean"], selection__views="none"),
    ]  # fmt: skip
    for one in made:
        one["protocols"][name] = one["protocols"].pop("bench-iou-v1")
    paths = write(tmp_path, *made)
    found = tables(tmp_path, metric)
    assert [(table.views, len(table.rows)) for table in found] == [
        ("view 0", 3),
        ("views 0-2 together of 24", 2),
    ]
    with pytest.raises(CheckError, match="different views"):
        build_tables(find_results(paths), metric)


def test_partial_runs_are_left_out_and_named(tmp_path: Path) -> None:
    part = result("mean", (0.9, 0.9, 0.9), selection__limit=5, complete=False,
                  incomplete_because=["--limit 5"])  # fmt: skip
    write(tmp_path, result("kato", VALUES["kato"]), part)
    found, remarks = build_tables(find_results([tmp_path / "runs"]), "iou")
    assert [row.label for table in found for row in table.rows] == ["kato"]
    assert "--limit 5" in remarks[0] and "--partial" in remarks[0]
    found, remarks = build_tables(find_results([tmp_path / "runs"]), "iou", partial=True)
    assert len(found) == 2 and found[1].rows[0].label == "mean (part)" and not remarks


def test_runs_of_one_method_are_told_apart(tmp_path: Path) -> None:
    write(
        tmp_path,
        result("kato", VALUES["kato"], hash="a" * 64),
        result("kato", VALUES["mean"], hash="b" * 64),
    )
    assert [row.label for row in tables(tmp_path)[0].rows] == ["kato aaaaaa", "kato bbbbbb"]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no results") as caught:
        find_results([tmp_path])
    assert caught.value.hint == "bench run --baseline kato --split test"
    with pytest.raises(MissingError, match="there is no"):
        find_results([tmp_path / "absent"])
    three(tmp_path)
    with pytest.raises(MissingError, match="no result has the metric"):
        tables(tmp_path, "kato-iou-v1")
    with pytest.raises(MissingError, match="on 'shapenet'"):
        tables(tmp_path, dataset="shapenet")
    with pytest.raises(UsageError, match="unknown metric 'iuo'"):
        tables(tmp_path, "iuo")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"kind": "other"}', '{"kind": "benchbench result", "schema": 2}',
             '{"kind": "benchbench result", "schema": 1}']
)  # fmt: skip
def test_broken_result_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(InputError):
        find_results([tmp_path])


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("mean_over_classes",), {}, "bench-iou-v1: iou"),
        (("mean_over_objects", "iou"), "0.5", "bench-iou-v1:iou is '0.5'"),
        (("per_class", "03001627", "metrics"), {}, "bench-iou-v1: iou"),
        (("per_class",), [], "values"),
        (("objects",), None, "objects is None"),
        (("ok",), "9", "ok is '9'"),
        ((), [], "indices"),
    ],
)
def test_numbers_that_are_not_there(
    tmp_path: Path, path: tuple[str, ...], value: Any, words: str
) -> None:
    content = result("kato", VALUES["kato"])
    where = content["protocols"]
    for key, after in zip(("bench-iou-v1", *path), (*path, None), strict=True):
        if after is None:
            where[key] = value
        else:
            where = where[key]
    write(tmp_path, content)
    with pytest.raises(InputError, match=words):
        find_results([tmp_path / "runs"])


def test_nan_in_a_result_is_refused(tmp_path: Path) -> None:
    write(tmp_path, result("kato", (0.1, float("nan"), 0.2)))
    for form in FORMATS:
        with pytest.raises(CheckError, match="number"):
            render(tables(tmp_path), form)


def test_measured_files_are_found_beside_others(tmp_path: Path) -> None:
    folder = tmp_path / "measured"
    folder.mkdir()
    (folder / "kato.json").write_text(json.dumps(result("kato", VALUES["kato"])))
    (folder / "other.json").write_text("{}")
    assert len(find_results([folder])) == 1


def test_the_hint_leads_to_what_is_there(tmp_path: Path) -> None:
    """Only runs on a part: --partial shows them; only other protocols: score them."""
    part = result("mean", VALUES["mean"], selection__limit=5, complete=False,
                  incomplete_because=["--limit 5"])  # fmt: skip
    (path,) = write(tmp_path, part)
    found = find_results([tmp_path / "runs"])
    with pytest.raises(MissingError, match="not complete") as caught:
        build_tables(found, "iou")
    assert caught.value.hint == "bench report --metric iou --partial"
    assert build_tables(found, "iou", partial=True)[0]
    with pytest.raises(MissingError) as caught:
        build_tables(found, "kato-iou-v1", partial=True)
    assert caught.value.hint == f"bench score '{path}' --protocol kato-iou-v1"
    with pytest.raises(MissingError) as caught:
        build_tables(found, "iou", dataset="shapenet")
    assert caught.value.hint == "bench run --baseline kato --split test"


def test_what_has_no_row_names_the_protocol_that_was_scored(tmp_path: Path) -> None:
    """A set of points knows no other protocol; its run cannot be scored under the house's."""
    points = result("gt", VALUES["gt"])
    points["protocols"] = {"dibr-chamfer-v1": points["protocols"]["bench-surface-v1"]}
    (path,) = write(tmp_path, points)
    found = find_results([tmp_path / "runs"])
    with pytest.raises(MissingError) as caught:
        build_tables(found, "chamfer")
    assert caught.value.hint == "bench report --metric dibr-chamfer-v1:chamfer"
    assert "bench" not in str(caught.value).rpartition("under ")[0]  # the command is said once
    assert str(caught.value).endswith("was not scored under bench-surface-v1 or voxel-surface-v1")
    with pytest.raises(MissingError) as caught:
        build_tables(found, "iou")
    assert caught.value.hint == f"bench score '{path}' --protocol bench-iou-v1"
    (second,) = write(tmp_path / "more", result("mean", VALUES["mean"]))
    _, remarks = build_tables([*found, *find_results([second])], "chamfer")
    assert remarks == [
        f"left out: '{path}' was not scored under bench-surface-v1 or voxel-surface-v1; "
        "bench report --metric dibr-chamfer-v1:chamfer"
    ]


def test_what_a_method_was_given_and_trained_on(tmp_path: Path) -> None:
    trained = {"dataset": "shapes13", "objects": 1300, "sha256": "4aa1ede6" * 8}
    kato = result("kato", VALUES["kato"])
    kato["training"] = {"seen": 0, "trained_on": trained}
    mean = result("mean", VALUES["mean"], baseline__takes="class")
    odd = result("odd", VALUES["mean"], baseline__takes="a <b>")
    odd["training"] = {"seen": None, "trained_on": {"objects": "many"}}
    write(tmp_path, kato, mean, odd)
    found = tables(tmp_path)
    text = render(found, "table")
    assert "; given a picture; trained on 1,300 objects of shapes13 (list 4aa1ede6); 1 of" in text
    assert text.count("; given the true class") == 1 and "trained on many" not in text
    rows = json.loads(render(found, "json"))["tables"][0]["rows"]
    assert [row["given"] for row in rows] == ["image", "class", "a <b>"]
    assert [row["training_objects"] for row in rows] == [1300, None, None]
    lines = list(csv.DictReader(io.StringIO(render(found, "csv"))))
    assert [line["training_list"] for line in lines] == [trained["sha256"], "unknown", "unknown"]
