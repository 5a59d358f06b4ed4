"""--against, --across and --ranks as sheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchbench.core.errors import CheckError, MissingError
from benchbench.protocols.registry import get_protocol, protocols
from benchbench.report.across import across_sheet, differing
from benchbench.report.against import against_sheet
from benchbench.report.formats import FORMATS, render
from benchbench.report.objects import ObjectFiles
from benchbench.report.order import order_sheets
from benchbench.report.results import Result, find_results
from benchbench.report.sheets import BEST, Sheet, table_sheets
from benchbench.report.tables import OVER_CLASSES, OVER_OBJECTS, build_tables
from benchbench.statistics.sample import Sample

Make = Callable[..., Any]
CHAIR = "03001627"


def against(folder: Path, reference: Path, metric: str = "iou") -> Sheet:
    (table,) = build_tables(find_results([folder / "runs"]), metric)[0]
    return against_sheet(table, find_results([reference])[0], ObjectFiles())


def test_paired_differences(tmp_path: Path, make_run: Make, base: Any, noisy: Make) -> None:
    other = noisy("b", 0.05, 0.1)
    a = make_run("a", {"bench-iou-v1": {"iou": base}}, failed=2)
    make_run("b", {"bench-iou-v1": {"iou": other}}, failed=1)
    make_run("c", {"bench-iou-v1": {"iou": base}})
    sheet = against(tmp_path, a)
    assert [label for label, _ in sheet.rows] == ["b - a", "c - a"]
    one, same = sheet.record["rows"]
    gaps = {i: other[i] - base[i] for i in base}
    classes: dict[str, list[float]] = {}
    for i, gap in gaps.items():
        classes.setdefault(i.split("/")[0], []).append(gap)
    means = [sum(v) / len(v) for v in classes.values()]
    assert one["difference"][OVER_CLASSES] == pytest.approx(sum(means) / 3, rel=1e-9)
    assert one["difference"][OVER_OBJECTS] == pytest.approx(sum(gaps.values()) / 77, rel=1e-9)
    low, high = one["intervals"][OVER_CLASSES]
    assert low < one["difference"][OVER_CLASSES] < high and low > 0
    assert one["better"] == sum(gap > 0 for gap in gaps.values()) == 77 - one["worse"]
    assert one["p"][OVER_CLASSES] < 0.01 < one["p"][CHAIR] * 20
    assert one["p_over_methods"] == pytest.approx(min(1, 2 * one["p"][OVER_CLASSES]))
    assert (one["failed"], one["reference_failed"]) == (1, 2)
    assert (same["better"], same["equal"], same["worse"]) == (0, 77, 0)
    assert same["p"][OVER_CLASSES] == 1.0 and same["intervals"][OVER_CLASSES] == (0.0, 0.0)
    text = render([sheet], "table")
    assert "above 0 is better" in text and "compared with a: weights by hand" in text
    row = next(line for line in text.splitlines() if line.startswith("b - a"))
    assert row.split()[-1] == "1/2" and f"{one['difference'][OVER_CLASSES]:+.3f}*" in row
    line = next(csv.DictReader(io.StringIO(render([sheet], "csv"))))
    assert float(line["mean_over_classes low"]) == low
    assert float(line["03001627 chair difference"]) == one["difference"][CHAIR]
    assert json.loads(render([sheet], "json"))["against"][0]["rows"][0]["p"] == one["p"]
    for form in FORMATS:
        assert "nan" not in render([sheet], form).lower()


def test_the_first_metric_is_the_primary_one(tmp_path: Path, make_run: Make, base: Any) -> None:
    make_run("a", {"bench-iou-v1": {"iou": base}, "bench-surface-v1": {"chamfer": base}})
    results = find_results([tmp_path / "runs"])
    for metrics in (("iou", "chamfer"), ("chamfer", "iou")):
        tables = [table for metric in metrics for table in build_tables(results, metric)[0]]
        first, second = (" ".join(sheet.legend) for sheet in table_sheets(tables))
        name = f"{tables[0].protocol.id}:{tables[0].metric.name}"
        assert f"secondary: the primary metric, named first, is {name}" in second
        assert "secondary" not in first


def test_both_means_are_held_to_the_number_of_methods(
    tmp_path: Path, make_run: Make, base: Any, noisy: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each p is 0.03: one method differs at 5 %, of two methods none does (Holm: 0.06)."""

    def flips(gaps: Sample, columns: Any) -> np.ndarray:
        return np.full((len(columns), gaps.means().shape[1]), 0.03)

    monkeypatch.setattr("benchbench.report.against.sign_flips", flips)
    reference = make_run("base", {"bench-iou-v1": {"iou": base}})
    for count, mark in ((1, BEST), (2, "")):
        make_run(f"rival {count}", {"bench-iou-v1": {"iou": noisy(str(count), 0.1)}})
        sheet = against(tmp_path, reference)
        texts = [heading.text for heading in sheet.headings]
        for _, cells in sheet.rows:
            assert [cells[texts.index(c)].mark for c in ("classes", "objects")] == [mark] * 2
        assert len(sheet.rows) == count


def test_lower_is_better_turns_the_shares(
    tmp_path: Path, make_run: Make, base: Any, noisy: Make
) -> None:
    other = noisy("b", 0.05, 0.1)
    a = make_run("a", {"dibr-chamfer-v1": {"chamfer": base}})
    make_run("b", {"dibr-chamfer-v1": {"chamfer": other}})
    (one,) = against(tmp_path, a, "dibr-chamfer-v1").record["rows"]
    assert one["better"] == sum(other[i] < base[i] for i in base)
    gap = sum(other[i] - base[i] for i in base) / 77
    assert one["difference"][OVER_OBJECTS] == pytest.approx(100 * gap, rel=1e-9)


def test_nothing_to_compare(tmp_path: Path, make_run: Make, base: Any) -> None:
    a = make_run("a", {"bench-iou-v1": {"iou": base}})
    with pytest.raises(MissingError, match="no other result compares"):
        against(tmp_path, a)
    make_run("b", {"bench-iou-v1": {"iou": base}}, objects=False)
    with pytest.raises(MissingError, match="no other result compares"):
        against(tmp_path, a)
    old = make_run("c", {"bench-iou-v1": {"iou": base}}, objects=False)
    with pytest.raises(CheckError, match="no scores of objects to compare with") as caught:
        against(tmp_path, old)
    assert caught.value.hint == f"bench score '{old}'"


def test_different_objects_never_pair(tmp_path: Path, make_run: Make, base: Any) -> None:
    a = make_run("a", {"bench-iou-v1": {"iou": base}})
    other = {("04379243/99" if i == "04379243/00" else i): v for i, v in base.items()}
    make_run("b", {"bench-iou-v1": {"iou": other}})
    with pytest.raises(CheckError, match="not scored the same objects"):
        against(tmp_path, a)


def across(place: Path) -> Sheet:
    return across_sheet(find_results([place])[0], ObjectFiles())


def test_one_prediction_under_all_protocols(
    tmp_path: Path, make_run: Make, base: Any, noisy: Make
) -> None:
    names = ("kato-iou-v1", "bench-surface-v1", "bench-iou-v1", "dibr-chamfer-v1")
    run = make_run("kato", {name: {"x": base} for name in names}, failed=4)
    sheet = across(run)
    labels = [label for label, _ in sheet.rows]
    assert len(labels) == sum(len(get_protocol(name).metrics) for name in names)
    # Families stand together, the protocols in their order.
    assert labels[:2] == ["bench-iou-v1:iou", "kato-iou-v1:iou"]
    chamfers = [n for n, label in enumerate(labels) if label.endswith(":chamfer")]
    assert chamfers[1] == chamfers[0] + 1
    rows = {f"{r['protocol']}:{r['metric']}": r for r in sheet.record["rows"]}
    one = rows["dibr-chamfer-v1:chamfer"]
    assert one["mean_over_objects"] == pytest.approx(100 * sum(base.values()) / 77)
    low, high = one["intervals"][OVER_CLASSES]
    assert low < one["mean_over_classes"] < high
    assert one["failed"] == 4 and one["compared_with"] == "bench-surface-v1"
    # The reasons are the protocols' own words.
    other, first = get_protocol("dibr-chamfer-v1"), get_protocol("bench-surface-v1")
    assert one["differs_in"]["sampling"] == {"here": other.sampling, "there": first.sampling}
    text = render([sheet], "table")
    assert f"  sampling: {other.sampling}  (there: {first.sampling})" in text
    assert text.count("dibr-chamfer-v1 differs from bench-surface-v1 in") == 1
    assert rows["bench-iou-v1:iou"]["differs_in"] == {}
    for form in FORMATS:
        assert "kato-iou-v1" in render([sheet], form).replace("\\", "")


def test_across_names_what_is_absent(make_run: Make, base: Any) -> None:
    """Of view 0 alone: those over all views could not score it, all others have a command."""
    run = make_run("a", {"bench-iou-v1": {"iou": base}}, views="0")
    blind, points, rest, command = across(run).notes[-4:]
    assert blind.startswith("not here: kato-iou-v1, vpl-iou-v1, ") and "of views 0" in blind
    assert points == "not here: onet-points-v1, pcg-v1: of methods that predict points"
    named = rest.removeprefix("not scored: ").split(", ")
    assert command == f"  bench score {run} " + " ".join(f"--protocol {n}" for n in named)
    absent = [*blind.split(": ")[1].split(", "), "onet-points-v1", "pcg-v1", *named]
    assert sorted([*absent, "bench-iou-v1"]) == sorted(protocols())
    whole = across(make_run("b", {"bench-iou-v1": {"iou": base}})).notes
    assert "kato-iou-v1" in whole[-2] and "means over all views" not in str(whole)


def test_across_without_scores_of_objects(make_run: Make, base: Any) -> None:
    run = make_run("kato", {"bench-iou-v1": {"iou": base}}, objects=False)
    sheet = across(run)
    assert not sheet.intervals and sheet.record["rows"][0]["intervals"][OVER_CLASSES] is None
    # A protocol of a later version is named, not dropped.
    content = json.loads((run / "result.json").read_text())
    content["protocols"]["iou-of-2031"] = content["protocols"]["bench-iou-v1"]
    result = Result(run / "result.json", content)
    text = render([across_sheet(result, ObjectFiles())], "table")
    assert "iou-of-2031: this version does not know it" in text


def test_fields_that_differ() -> None:
    one = get_protocol("bench-iou-v1")
    assert differing(one, one) == {}
    found = differing(get_protocol("voxel-surface-v1"), get_protocol("bench-surface-v1"))
    assert set(found) == {"data", "compared", "conversion_truth"}


def orders(folder: Path, *metrics: str) -> list[Sheet]:
    results = find_results([folder / "runs"])
    tables = [table for metric in metrics for table in build_tables(results, metric)[0]]
    return order_sheets(tables, ObjectFiles())


def test_orders_of_three_methods(tmp_path: Path, make_run: Make, base: Any, noisy: Make) -> None:
    """IoU says a, b, c from the best; the distance c, a, b, so that 1 of 3 pairs agrees."""
    far = {"a": 0.5, "b": 0.9, "c": 0.1}
    for name, shift in (("a", 0.2), ("b", 0.1), ("c", 0.0)):
        make_run(name, {
            "bench-iou-v1": {"iou": noisy(name, shift)},
            "bench-surface-v1": {"chamfer": noisy(name, far[name])},
            "kato-iou-v1": {"iou": noisy(name, shift)},
        }, failed=2)  # fmt: skip
    make_run("gt", {"bench-iou-v1": {"iou": base}, "bench-surface-v1": {"chamfer": base}})
    ranks, tau = orders(tmp_path, "iou", "chamfer", "kato-iou-v1")
    assert [label for label, _ in ranks.rows] == ["a", "b", "c"]
    methods = {m["method"]: m["ranks"] for m in ranks.record["methods"]}
    places = [methods[m]["bench-iou-v1:iou"]["rank"] for m in "abc"]
    assert places == [1, 2, 3]
    assert [methods[m]["bench-surface-v1:chamfer"]["rank"] for m in "abc"] == [2, 3, 1]
    assert methods["a"]["bench-iou-v1:iou"]["frequencies"] == [1.0, 0.0, 0.0]
    assert ranks.rows[0][1][0].text == "1 (100 %)" and ranks.rows[0][1][-1].text == "2"
    pairs = {(p["first"], p["second"]): p for p in tau.record["pairs"]}
    assert len(pairs) == 3
    assert pairs["bench-iou-v1:iou", "bench-surface-v1:chamfer"]["tau"] == pytest.approx(-1 / 3)
    same = pairs["bench-iou-v1:iou", "kato-iou-v1:iou"]
    assert same["tau"] == 1.0 and same["interval"] == (1.0, 1.0) and same["methods"] == 3
    for form in FORMATS:
        text = render([ranks, tau], form)
        assert "bench-surface-v1:chamfer" in text.replace("\\", "")


def test_an_unsure_order_shows(tmp_path: Path, make_run: Make, noisy: Make) -> None:
    for name in "ab":
        make_run(name, {
            "bench-iou-v1": {"iou": noisy(name, 0.0, 0.3)},
            "kato-iou-v1": {"iou": noisy(name + "2", 0.0, 0.3)},
        })  # fmt: skip
    ranks, tau = orders(tmp_path, "iou", "kato-iou-v1")
    (first, _) = ranks.record["methods"]
    shares = first["ranks"]["bench-iou-v1:iou"]["frequencies"]
    assert sum(shares) == pytest.approx(1.0) and 0.01 < min(shares) < max(shares) < 0.99
    assert tau.record["pairs"][0]["interval"] == (-1.0, 1.0)


def test_orders_without_scores_of_objects(
    tmp_path: Path, make_run: Make, base: Any, noisy: Make
) -> None:
    both = ("bench-iou-v1", "kato-iou-v1")
    make_run("a", {name: {"iou": base} for name in both})
    make_run("b", {name: {"iou": noisy("b", -0.1)} for name in both}, objects=False)
    ranks, tau = orders(tmp_path, "iou", "kato-iou-v1")
    assert ranks.rows[0][1][0].text == "1" and tau.record["pairs"][0]["interval"] is None
    assert tau.record["pairs"][0]["tau"] == 1.0


def test_views_are_ranked_apart(tmp_path: Path, make_run: Make, base: Any, noisy: Make) -> None:
    both = ("bench-iou-v1", "r2n2-iou-v1")
    for name, views in (("a", "all"), ("b", "all"), ("c", "0"), ("mean", "none")):
        make_run(name, {p: {"iou": noisy(name, 0.0)} for p in both}, views=views)
    sheets = orders(tmp_path, *both)
    found = {sheet.caption[1].rpartition(" ")[2]: [label for label, _ in sheet.rows]
             for sheet in sheets[::2]}  # fmt: skip
    assert found == {"all": ["a", "b", "mean"], "0": ["c", "mean"]}


def test_no_order_of_one(tmp_path: Path, make_run: Make, base: Any) -> None:
    make_run("a", {"bench-iou-v1": {"iou": base}, "kato-iou-v1": {"iou": base}})
    with pytest.raises(MissingError, match="two methods"):
        orders(tmp_path, "iou", "kato-iou-v1")
