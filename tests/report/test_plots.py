"""Pictures of tables: what is drawn is what the tables say, and the same bytes each time."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text

from benchbench.core.errors import CheckError, MissingError, UsageError
from benchbench.report.objects import ObjectFiles
from benchbench.report.plots import figure as figures
from benchbench.report.plots.bars import bars
from benchbench.report.plots.distribution import distribution
from benchbench.report.plots.figure import COLOURS, encode, style
from benchbench.report.plots.scatter import correlations, scatter
from benchbench.report.results import find_results
from benchbench.report.tables import OVER_CLASSES, Table, build_tables, cell
from benchbench.report.uncertainty import add_uncertainty

from .conftest import CLASSES, SIZES

Make = Callable[..., Any]
Scores = Mapping[str, float]
IOU, SURFACE = "bench-iou-v1", "bench-surface-v1"


@pytest.fixture(autouse=True)
def _styled() -> Iterator[None]:
    with style():
        yield


def table_of(folder: Path, metric: str = "iou", intervals: bool = False) -> Table:
    ((table,), _) = build_tables(find_results([folder]), metric)
    if intervals:
        add_uncertainty(table, ObjectFiles(), True)
    return table


def distances(scores: Scores) -> dict[str, float]:
    """Small where the overlap is large."""
    return {i: 20 * math.exp(-4 * v) for i, v in scores.items()}


def both(base: Scores) -> dict[str, dict[str, Scores]]:
    return {IOU: {"iou": base}, SURFACE: {"chamfer": distances(base)}}


def numbers_of(figure: Any) -> Iterator[float]:
    """Every coordinate that the figure would put on paper."""
    for axes in figure.axes:
        for patch in axes.patches:
            yield from np.ravel(patch.get_path().vertices)
            yield from patch.get_extents().get_points().ravel()
        for line in axes.lines:
            yield from np.ravel(line.get_xydata())
        for some in axes.collections:
            yield from np.ravel(some.get_offsets())
            for path in some.get_paths():
                yield from path.vertices.ravel()
        yield from (*axes.get_xlim(), *axes.get_ylim())


def texts_of(figure: Any) -> list[str]:
    return [t.get_text() for t in figure.findobj(Text) if t.get_text()]


def drawn_bars(axes: Any) -> list[Any]:
    return [p for c in axes.containers if hasattr(c, "patches") for p in c.patches]


def drawn_intervals(axes: Any) -> dict[float, tuple[float, float]]:
    """Ends by place; each is drawn twice, with a white rim."""
    found = {}
    for container in axes.containers:
        if hasattr(container, "patches"):
            continue
        for (x, low), (same, high) in container.lines[2][0].get_segments():
            assert x == same
            found[round(float(x), 9)] = (float(low), float(high))
    return found


def test_bars_are_the_numbers_of_the_table(
    tmp_path: Path, make_run: Make, base: Scores, noisy: Make
) -> None:
    make_run("kato", {IOU: {"iou": base}}, failed=3)
    make_run("mean", {IOU: {"iou": noisy("mean", -0.1)}})
    table = table_of(tmp_path / "runs", intervals=True)
    figure, record = bars(table)
    (axes,) = figure.axes
    columns = [*(s for s, _ in table.classes), OVER_CLASSES]
    patches, ends = drawn_bars(axes), drawn_intervals(axes)
    assert len(patches) == len(ends) == len(record) == 8
    by_hand = [
        np.mean([v for i, v in base.items() if i.startswith(synset)]) for synset, _ in CLASSES
    ]
    np.testing.assert_allclose([p.get_height() for p in patches[:3]], by_hand, rtol=1e-12)
    np.testing.assert_allclose(patches[3].get_height(), np.mean(by_hand), rtol=1e-12)
    wanted = itertools.product(table.rows, columns)
    for patch, told, (row, column) in zip(patches, record, wanted, strict=True):
        assert patch.get_height() == cell(row, column) == told["value"]
        middle = patch.get_x() + patch.get_width() / 2
        np.testing.assert_allclose(ends[round(middle, 9)], row.bounds[column], rtol=1e-12)
        assert told["interval"] == row.bounds[column]
        # Fewer than 40 objects: hatched. The mean over classes never is.
        assert (patch.get_hatch() is not None) == (SIZES.get(column, 99) < 40)
        assert told["rough"] == (SIZES.get(column, 99) < 40)
    # Bars of one class stand side by side, and no two lie on each other.
    spans = sorted((p.get_x(), p.get_x() + p.get_width()) for p in patches)
    assert all(a[1] <= b[0] + 1e-9 for a, b in itertools.pairwise(spans))
    words = texts_of(figure)
    assert "kato (3 of 1,848 failed)" in words and "mean (0 of 1,848 failed)" in words
    assert axes.get_ylabel() == "voxel IoU ↑ (ratio)"
    assert [t.get_text() for t in axes.get_xticklabels()] == [
        "airplane", "chair", "table", "mean over\nclasses",
    ]  # fmt: skip
    note = next(t for t in words if "bench-iou-v1:iou" in t)
    assert "shapes13-demo@9f3a9f3a" in note and "95 % intervals" in note


def test_bars_where_there_is_no_interval(tmp_path: Path, make_run: Make, base: Scores) -> None:
    one_table = {i: v for i, v in base.items() if i < "04379243/01"}
    make_run("kato", {IOU: {"iou": one_table}})
    figure, record = bars(table_of(tmp_path / "runs", intervals=True))
    by_column = {r["column"]: r["interval"] for r in record}
    assert by_column["04379243"] is None and by_column[OVER_CLASSES] is None
    assert by_column["02691156"] is not None
    assert len(drawn_intervals(figure.axes[0])) == 2
    assert np.isfinite(list(numbers_of(figure))).all()


def test_bars_without_scores_of_objects(tmp_path: Path, make_run: Make, base: Scores) -> None:
    make_run("kato", {IOU: {"iou": base}}, objects=False)
    table = table_of(tmp_path / "runs", intervals=True)
    figure, record = bars(table)
    assert len(record) == 4 and drawn_intervals(figure.axes[0]) == {}
    assert any("no intervals" in text for text in texts_of(figure))
    with pytest.raises(MissingError, match="no scores of objects to draw") as caught:
        distribution(table, ObjectFiles())
    assert str(caught.value.hint).startswith("bench score '")


def test_a_class_that_one_method_lacks(tmp_path: Path, make_run: Make, base: Scores) -> None:
    make_run("kato", {IOU: {"iou": base}})
    make_run("mean", {IOU: {"iou": {i: v for i, v in base.items() if i[:8] != "03001627"}}})
    # A run on fewer objects says the same of its split: only a careless hand makes such a file.
    table = table_of(tmp_path / "runs")
    _, record = bars(table)
    assert [r["column"] for r in record if r["method"] == "mean"] == [
        "02691156", "04379243", OVER_CLASSES,
    ]  # fmt: skip


def quantile(values: list[float], share: float) -> float:
    """Slow and by the book: linear between the sorted values."""
    ranked, place = sorted(values), share * (len(values) - 1)
    low = int(place)
    rest = place - low
    return ranked[low] if rest == 0 else ranked[low] * (1 - rest) + ranked[low + 1] * rest


def test_distributions_are_those_of_the_objects(
    tmp_path: Path, make_run: Make, base: Scores, noisy: Make
) -> None:
    lost = {"02691156/03": 24, "04379243/05": 24, "04379243/06": 2}  # the last lost two views
    make_run("kato", {IOU: {"iou": base}}, failed=50, lost=lost)
    make_run("mean", {IOU: {"iou": noisy("mean", -0.1)}})
    table = table_of(tmp_path / "runs")
    figure, record = distribution(table, ObjectFiles())
    assert [(r["method"], r["column"], r["objects"], r["lost"]) for r in record[:6]] == [
        ("kato", "02691156", 45, 1), ("mean", "02691156", 45, 0), ("kato", "03001627", 20, 0),
        ("mean", "03001627", 20, 0), ("kato", "04379243", 12, 1), ("mean", "04379243", 12, 0),
    ]  # fmt: skip
    for told in record:
        if told["method"] != "kato":
            continue
        values = [v for i, v in base.items() if told["column"] in (i[:8], "mean over objects")]
        for name, share in (("least", 0), ("lower", 0.25), ("median", 0.5), ("upper", 0.75),
                            ("greatest", 1)):  # fmt: skip
            assert told[name] == pytest.approx(quantile(values, share), rel=1e-12)
        assert told["mean"] == pytest.approx(cell(table.rows[0], told["column"]), rel=1e-12)
    (axes,) = figure.axes
    boxes = drawn_bars(axes)
    np.testing.assert_allclose([b.get_x() for b in boxes], [r["lower"] for r in record])
    np.testing.assert_allclose(
        [b.get_x() + b.get_width() for b in boxes], [r["upper"] for r in record]
    )
    dots = [c.get_offsets() for c in axes.collections if len(c.get_offsets()) > 1]
    assert [len(d) for d in dots] == [44, 45, 20, 20, 11, 12, 75, 77]
    airplanes = sorted(v for i, v in base.items() if i[:8] == "02691156" and i not in lost)
    np.testing.assert_allclose(np.sort(dots[0][:, 0]), airplanes)
    for box, some in zip(boxes, dots, strict=True):  # each dot beside its own box
        assert (np.abs(some[:, 1] - box.get_y() - box.get_height() / 2) < box.get_height()).all()
    assert [t for t in texts_of(figure) if t.endswith(" failed")] == [
        "1 failed", "1 failed", "2 failed",
    ]  # fmt: skip
    assert np.isfinite(list(numbers_of(figure))).all()


def test_distances_stand_on_a_logarithmic_axis(
    tmp_path: Path, make_run: Make, base: Scores
) -> None:
    run = make_run("kato", both(base))
    figure, _ = distribution(table_of(run, "chamfer"), ObjectFiles())
    assert figure.axes[0].get_xscale() == "log"
    assert figure.axes[0].get_xlabel() == "surface distance ↓ (% of the truth's longest edge)"
    run = make_run("gt", {SURFACE: {"chamfer": dict.fromkeys(base, 0.0)}})
    figure, _ = distribution(table_of(run, "chamfer"), ObjectFiles())
    assert figure.axes[0].get_xscale() == "linear"
    assert np.isfinite(list(numbers_of(figure))).all()


def slow_tau(x: list[float], y: list[float]) -> float:
    """Kendall's tau-b, pair by pair."""
    agree = ties_x = ties_y = 0
    pairs = list(itertools.combinations(range(len(x)), 2))
    for i, j in pairs:
        agree += int(np.sign(x[i] - x[j]) * np.sign(y[i] - y[j]))
        ties_x += x[i] == x[j]
        ties_y += y[i] == y[j]
    return agree / math.sqrt((len(pairs) - ties_x) * (len(pairs) - ties_y))


def slow_rho(x: list[float], y: list[float]) -> float:
    """Spearman's rho: Pearson's of mean ranks."""
    ranks = [[sum(b < a for b in v) + (sum(b == a for b in v) + 1) / 2 for a in v] for v in (x, y)]
    return float(np.corrcoef(*ranks)[0, 1])


def test_correlations_are_those_of_the_book() -> None:
    x, y = [1.0, 2.0, 2.0, 3.0, 7.0, 5.0], [9.0, 4.0, 5.0, 5.0, 0.5, 2.0]
    rho, tau = correlations(np.array(x), np.array(y))
    assert rho == pytest.approx(slow_rho(x, y)) and tau == pytest.approx(slow_tau(x, y))
    assert tau == pytest.approx(-11 / 14)  # by hand: 12 pairs against, 1 for, 1 tie each
    assert correlations(np.array([]), np.array([])) == (None, None)
    assert correlations(np.array([1.0]), np.array([2.0])) == (None, None)


def test_scatter_shows_each_object_once(
    tmp_path: Path, make_run: Make, base: Scores, noisy: Make
) -> None:
    lost = {"02691156/03": 24}
    make_run("kato", both(base), failed=24, lost=lost)
    other = {IOU: {"iou": base}, SURFACE: {"chamfer": distances(noisy("mean", 0.1))}}
    make_run("mean", other)
    tables = table_of(tmp_path / "runs", "iou"), table_of(tmp_path / "runs", "chamfer")
    figure, record = scatter(*tables, ObjectFiles())
    first, second = (axes.collections[0].get_offsets() for axes in figure.axes)
    kept = [i for i in base if i not in lost]
    np.testing.assert_allclose(first[:, 1], [base[i] for i in kept])
    np.testing.assert_allclose(first[:, 0], [distances(base)[i] for i in kept])
    assert len(second) == 77
    assert record[0] == {
        "method": "kato", "objects": 76, "lost": 1, "spearman": -1.0, "kendall": -1.0,
    }  # fmt: skip
    x, y = second.T.tolist()
    assert record[1]["spearman"] == pytest.approx(slow_rho(x, y))
    assert record[1]["kendall"] == pytest.approx(slow_tau(x, y))
    assert figure.axes[0].get_xscale() == "log" and figure.axes[0].get_yscale() == "linear"
    words = texts_of(figure)
    assert "rho −1.00, tau −1.00, n = 76, 1 failed" in words
    assert any("-1 where both metrics order them alike" in " ".join(t.split()) for t in words)


def test_scatter_of_runs_that_do_not_pair(tmp_path: Path, make_run: Make, base: Scores) -> None:
    make_run("kato", {IOU: {"iou": base}})
    make_run("mean", {SURFACE: {"chamfer": distances(base)}})
    tables = table_of(tmp_path / "runs", "iou"), table_of(tmp_path / "runs", "chamfer")
    with pytest.raises(MissingError, match="no run was scored under both"):
        scatter(*tables, ObjectFiles())


def test_scatter_of_other_objects_is_refused(tmp_path: Path, make_run: Make, base: Scores) -> None:
    fewer = dict(list(base.items())[:-1])
    make_run("kato", {IOU: {"iou": base}, SURFACE: {"chamfer": fewer}})
    tables = table_of(tmp_path / "runs", "iou"), table_of(tmp_path / "runs", "chamfer")
    with pytest.raises(CheckError, match="not scored the same objects"):
        scatter(*tables, ObjectFiles())


@pytest.mark.parametrize("alone", [True, False])
def test_all_failed(tmp_path: Path, make_run: Make, base: Scores, alone: bool) -> None:
    """Penalties are numbers: bars of height 0, no dot, no NaN anywhere."""
    whole = dict.fromkeys(base, 24)
    make_run(
        "kato",
        {IOU: {"iou": dict.fromkeys(base, 0.0)}, SURFACE: {"chamfer": dict.fromkeys(base, 173.2)}},
        failed=1848, lost=whole,
    )  # fmt: skip
    if not alone:
        make_run("mean", both(base))
    runs = tmp_path / "runs"
    table, other = table_of(runs, "iou", intervals=True), table_of(runs, "chamfer")
    figure, record = bars(table)
    assert [r["value"] for r in record[:4]] == [0.0] * 4
    assert "kato (1,848 of 1,848 failed)" in texts_of(figure)
    figure_d, record_d = distribution(table, ObjectFiles())
    assert [(r["objects"], r["lost"]) for r in record_d if r["method"] == "kato"] == [
        (45, 45), (20, 20), (12, 12), (77, 77),
    ]  # fmt: skip
    figure_s, record_s = scatter(table, other, ObjectFiles())
    assert record_s[0] == {
        "method": "kato", "objects": 0, "lost": 77, "spearman": None, "kendall": None,
    }  # fmt: skip
    assert encode(figure_d, ".png")[:4] == b"\x89PNG"
    for one in (figure, figure_d, figure_s):
        assert np.isfinite(list(numbers_of(one))).all()
        assert "nan" not in " ".join(texts_of(one)).lower()


def make_all(table: Table, other: Table) -> list[Any]:
    return [
        bars(table)[0], distribution(table, ObjectFiles())[0],
        scatter(table, other, ObjectFiles())[0],
    ]  # fmt: skip


def test_equal_bytes_whatever_the_user_has_set(
    tmp_path: Path, make_run: Make, base: Scores
) -> None:
    run = make_run("kato", both(base))
    table, other = table_of(run, "iou", intervals=True), table_of(run, "chamfer")
    endings = figures.ENDINGS
    first = [encode(one, e) for one, e in zip(make_all(table, other), endings, strict=True)]
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "none"}):
        before = dict(matplotlib.rcParams)
        with style():
            again = make_all(table, other)
        second = [encode(one, e) for one, e in zip(again, endings, strict=True)]
        assert dict(matplotlib.rcParams) == before
    assert first == second
    png, pdf, svg = first
    assert b"CreationDate" not in pdf and b"<dc:date>" not in svg and b"tIME" not in png
    assert b"FontFile2" in pdf and b"Type3" not in pdf  # TrueType, embedded
    assert b"<text" not in svg  # letters are outlines: no font is needed to show them


def test_nothing_is_left_in_pyplot(tmp_path: Path, make_run: Make, base: Scores) -> None:
    import matplotlib.pyplot as plt

    table = table_of(make_run("kato", {IOU: {"iou": base}}), intervals=True)
    encode(bars(table)[0], ".png")
    assert plt.get_fignums() == []


def test_names_from_files_are_only_names(tmp_path: Path, make_run: Make, base: Scores) -> None:
    """No formula is read out of them, and a long one leaves room."""
    names = ("$\\frac{1}$ & %_{", "k" * 5000)
    for name in names:
        run = make_run("kato", both(base))
        content = json.loads((run / "result.json").read_text())
        content["baseline"]["id"] = content["baseline"]["caption"] = name
        content["dataset"]["classes"][0][1] = name
        (run / "result.json").write_text(json.dumps(content))
        table, other = table_of(run, "iou", intervals=True), table_of(run, "chamfer")
        for one in make_all(table, other):
            encode(one, ".svg")
            words = "\n".join(texts_of(one))
            assert name[:37] in words and "k" * 41 not in words


def test_more_methods_than_colours(tmp_path: Path, make_run: Make, base: Scores) -> None:
    for n in range(len(COLOURS) + 1):
        make_run(f"m{n}", both(base))
    runs = tmp_path / "runs"
    table, other = table_of(runs, "iou"), table_of(runs, "chamfer")
    for draw in (
        lambda: bars(table),
        lambda: distribution(table, ObjectFiles()),
        lambda: scatter(table, other, ObjectFiles()),
    ):
        with pytest.raises(UsageError, match="10 methods are more than a picture can tell apart"):
            draw()


def lightness(colour: str) -> float:
    """CIE L* of an sRGB colour, 0 to 100."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def test_neighbours_differ_in_grey() -> None:
    assert len(set(COLOURS)) == len(COLOURS)
    for a, b in itertools.pairwise(COLOURS):
        assert abs(lightness(a) - lightness(b)) > 10, (a, b)
