"""Writes docs/protocols.md from the protocol objects, with the numbers of three small pairs.

python docs/protocols.py
"""

from __future__ import annotations

import functools
import textwrap
from pathlib import Path

import numpy as np

from benchbench.core.types import Mesh, Points, Voxels
from benchbench.datasets.shapes13.generate import generate
from benchbench.protocols.clouds import sampled
from benchbench.protocols.convert import house_voxels, kato_grid, unit_cube_grid
from benchbench.protocols.families import PROTOCOLS
from benchbench.protocols.iou import kato_voxels
from benchbench.protocols.registry import get_protocol, load_scorer, refused_protocols
from benchbench.protocols.specs import MetricSpec, ProtocolSpec
from benchbench.protocols.truth import Truth

PAGE = Path(__file__).with_name("protocols.md")
CLASSES = ("chair", "airplane", "table")
POINTS = 2048  # of a prediction, for the protocols that take nothing but points
LEFT_OUT = ("zeroshape-v1",)  # searches 6,912 rotations an object
IOU = "Intersection over union"
FAMILIES = {
    IOU: (("iou",), "bench-iou-v1"),
    "F-score": (("fscore",), "bench-surface-v1"),
    "Distance": (("chamfer", "emd", "to_truth"), "bench-surface-v1"),
}
BEGIN, END = "<!-- numbers -->", "<!-- end -->"
FIELDS = (
    ("data", "data"), ("views", "views_rule"), ("frame of the truth", "frame"),
    ("alignment of the prediction", "alignment"), ("compared", "compared"),
    ("sampling", "sampling"), ("distance", "distance"), ("combination", "combination"),
    ("thresholds", "thresholds"), ("reported as", "reporting"), ("averaging", "averaging"),
    ("failures", "failures"),
)  # fmt: skip


@functools.cache
def pairs() -> tuple[tuple[Truth, Mesh, Voxels], ...]:
    """The reference set: object 0 of a class is the truth, object 1 the prediction.

    The prediction is also given as a soft 32^3 grid: the filled share of eight cells of 64^3.
    """
    found = []
    for name in CLASSES:
        truth, prediction = (generate(name, n).mesh for n in (0, 1))
        binvox = house_voxels(truth, unit_cube_grid()).astype(np.float32)
        kato = kato_voxels(truth).astype(np.float32)
        grids = {"binvox": Voxels(binvox, unit_cube_grid()), "kato": Voxels(kato, kato_grid())}
        fine = house_voxels(prediction, unit_cube_grid(64), 64).reshape(32, 2, 32, 2, 32, 2)
        soft = Voxels(fine.mean((1, 3, 5), dtype=np.float32), unit_cube_grid())
        found.append((Truth(truth, grids, f"{name}/0"), prediction, soft))
    return tuple(found)


def measure(spec: ProtocolSpec, soft: bool = False) -> dict[str, float]:
    """Mean over the reference set of every metric, as reported.

    Args:
        spec: The protocol.
        soft: The prediction is the soft grid.

    Returns:
        {metric: number times its factor}.
    """
    scorer = load_scorer(spec)
    grid = "kato" if spec.truth == "voxels:kato" else "binvox"
    found: dict[str, list[float]] = {metric.name: [] for metric in spec.metrics}
    for truth, mesh, voxels in pairs():
        surface = mesh if "mesh" in spec.accepts else Points(sampled(mesh, "page", POINTS).points)
        settings = {"threshold": 0.5, "grid": grid, "seed": spec.seed}
        key = (truth.object_id, 0)
        for name, value in scorer(voxels if soft else surface, truth, key, settings).items():
            found[name].append(value)
    return {m.name: m.factor * sum(found[m.name]) / len(CLASSES) for m in spec.metrics}


def number(value: float) -> str:
    """Three digits, never as a power of ten.

    Example:
        >>> number(0.0004567), number(230.06), number(12345.0), number(0.0)
        ('0.000457', '230', '12300', '0')
    """
    if value == 0:
        return "0"
    rounded = float(f"{value:.2e}")
    digits = 2 - int(np.floor(np.log10(abs(rounded))))
    return f"{rounded:.{max(digits, 0)}f}"


def main_metric(spec: ProtocolSpec, begins: tuple[str, ...]) -> MetricSpec | None:
    """The first metric whose name begins so."""
    return next((m for m in spec.metrics if m.name.startswith(begins)), None)


def row(spec: ProtocolSpec, family: str) -> str | None:
    """A protocol's line in the table of a family; None if it has no number there."""
    begins, _ = FAMILIES[family]
    metric = main_metric(spec, begins)
    if metric is None:
        return None
    value, base = measure(spec)[metric.name], reference(family)
    cells = [f"`{spec.id}`", number(value), f"{metric.title}, {metric.unit}", number(value / base)]
    if family == IOU:
        takes = "voxels" in spec.accepts and spec.id != "kato-iou-v1"  # it takes Kato's grid alone
        cells.append(number(measure(spec, soft=True)[metric.name]) if takes else "-")
    return f"| {' | '.join(cells)} |"


@functools.cache
def reference(family: str) -> float:
    """The number that a family's factors are relative to."""
    begins, neighbour = FAMILIES[family]
    spec = get_protocol(neighbour)
    metric = main_metric(spec, begins)
    assert metric is not None
    return measure(spec)[metric.name]


def tables() -> str:
    """A table a family: each protocol's number for the same pairs, and times its neighbour's."""
    parts = []
    for family, (_, neighbour) in FAMILIES.items():
        head = ["protocol", "number", "unit", f"times `{neighbour}`"]
        head += ["as a soft grid"] if family == IOU else []
        rows = [row(spec, family) for spec in PROTOCOLS if spec.id not in LEFT_OUT]
        lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(r for r in rows if r)]
        parts.append(f"### {family}\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def wrapped(text: str, bullet: str = "- ") -> str:
    """One bullet, wrapped at 110."""
    return textwrap.fill(
        " ".join(text.split()), 110, initial_indent=bullet, subsequent_indent=" " * len(bullet),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def described(spec: ProtocolSpec) -> str:
    """The section of a protocol."""
    state = "this project's own" if spec.house else "reproduced"
    lines = [
        f"### {spec.id}\n",
        textwrap.fill(f"{spec.title[0].upper()}{spec.title[1:]}.", 110),
        "",
    ]
    lines.append(wrapped(f"**{state}**: {spec.paper}; {spec.reference}"))
    for metric in spec.metrics:
        better = "higher" if metric.higher_is_better else "lower"
        factor = f" x {metric.factor:g}" if metric.factor != 1 else ""
        worst = number(metric.penalty * metric.factor)
        lines.append(
            wrapped(
                f"**{metric.name}** = {metric.formula}{factor}; {metric.unit}; {better} is better; "
                f"a failure gets {worst}"
            )
        )
    for title, field in FIELDS:
        lines.append(wrapped(f"{title}: {getattr(spec, field)}"))
    takes = "; ".join(f"{kind}{f' by {way}' if way else ''}" for kind, way in spec.accepts.items())
    lines.append(wrapped(f"takes: {takes}"))
    if spec.conversion_truth:
        lines.append(wrapped(f"the truth is converted by {spec.conversion_truth}"))
    sections = (
        ("edge cases", spec.edge_cases), ("known faults of the original", spec.faults),
        ("used by", (", ".join(spec.used_by),) if spec.used_by else ()),
        ("UNCONFIRMED", spec.unconfirmed),
    )  # fmt: skip
    for title, sentences in sections:
        if sentences:
            lines.append(wrapped(f"{title}: " + "; ".join(sentences)))
    return "\n".join(lines)


def page(numbers: str) -> str:
    """The whole page.

    Args:
        numbers: The tables of the reference set.
    """
    refused = refused_protocols()
    intro = f"""\
        <!-- Made by docs/protocols.py from the protocol objects; change those. -->

        # Protocols

        {len(PROTOCOLS)} protocols that `bench run` and `bench score` compute with `--protocol ID`,
        and {len(refused)} published ones that nobody can compute again. `bench list ID` prints one.
        A change that moves a number is a new id; tables never mix protocols.

        ## One prediction, every protocol

        The same three pairs under each protocol ({", ".join(CLASSES)}: object 0 of shapes13's class
        is the truth, object 1 the prediction; mean of three; `python docs/protocols.py`). The last
        column but one, or the last, is the factor between a protocol's number and the one named, as
        both are reported. Where distances are squared it is no constant: it changes with the
        shapes, and so may the order of methods. The soft grid holds the filled share of eight
        finer cells. Protocols that take nothing but points get {POINTS:,} points of the
        prediction's surface. Left out: {", ".join(LEFT_OUT)}, which searches 6,912 rotations.
        """
    table = ["| protocol | what it is | why not | instead |", "|---|---|---|---|"]
    table += [
        f"| `{s.id}` | {s.title} | {s.refused} | {f'`{s.instead}`' if s.instead else '-'} |"
        for s in refused.values()
    ]
    parts = [
        textwrap.dedent(intro).strip(),
        f"{BEGIN}\n{numbers}\n{END}",
        "## Each protocol",
        *(described(spec) for spec in PROTOCOLS),
        "## Published, but not computed again",
        "\n".join(table),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(tables()), encoding="utf-8")
