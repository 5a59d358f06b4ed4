"""Scores of pairs of meshes as sheets: one row an alignment, and what the meshes are like."""

from __future__ import annotations

from typing import Any

from benchbench.report.sheets import Cell, Heading, Sheet, number

_LEGEND = {
    "none": "none: as the normalisation lays them",
    "yaw24": "yaw24: the best of 24 turns about y",
    "cube24+icp-similarity": "cube24+icp-similarity: the best of 24 turns of the cube, each fitted "
    "with turn, place and size",
    "zeroshape-6912": "zeroshape-6912: the best of ZeroShape's 6,912 turns, place and size by its "
    "normalisation",
}
_NORMS = {
    "truth-box": "the truth's box centred, longest side 1, the prediction moved with it",
    "each-box": "each box centred, longest side 1",
}
_SURFACES = {"all": "all surfaces", "outer": "outer surfaces (outer-surface-v1)"}
_COUNTED = ("files", "multi_part", "open", "interior_surface")


def scores_sheet(result: dict[str, Any]) -> Sheet:
    """Means and medians under each alignment; for CSV, a line for each pair and alignment.

    Args:
        result: From `benchbench.evaluation.pair_scores.score_pairs`.
    """
    metrics = result["metrics"]
    headings = [
        Heading("over pairs", words=True),
        *(Heading(f"{m['name']} {'^' if m['higher_is_better'] else 'v'}") for m in metrics),
        Heading("failed"),
    ]
    rows = []
    for align, summary in result["alignments"].items():
        for word in ("mean", "median"):
            values = [
                Cell(number(summary[word][m["name"]] * m["factor"], m["decimals"])) for m in metrics
            ]
            rows.append((align, [Cell(word), *values, Cell(str(summary["failed"]))]))
    first = next(iter(result["alignments"].values()))
    chamfer = metrics[0]
    return Sheet(
        "pairs",
        [
            f"{result['protocol']}: {first['pairs']} pairs, {_SURFACES[result['surface']]}; "
            f"{_NORMS[result['normalisation']]}",
            f"chamfer in {chamfer['unit']}; v: lower is better, ^: higher is better",
        ],
        chamfer["title"],
        "",
        headings,
        rows,
        [_LEGEND[align] for align in result["alignments"]],
        [],
        result,
        [_line(result, pair, align) for pair in result["pairs"] for align in result["alignments"]],
    )


def _line(result: dict[str, Any], pair: dict[str, Any], align: str) -> dict[str, Any]:
    one = pair["alignments"][align]
    line = {
        "pair": pair["name"],
        "align": align,
        "norm": result["normalisation"],
        "surface": result["surface"],
        "protocol": result["protocol"],
        "status": one["status"],
        "message": one["message"],
        **one["scores"],
        "size": pair["size"],
    }
    for side in ("prediction", "truth"):
        build = pair[side] or {}
        line |= {f"{side}_{key}": build.get(key) for key in ("faces", "parts", "open_edges")}
        line[f"{side}_interior"] = build.get("interior")
    return line


def sides_sheet(result: dict[str, Any]) -> Sheet:
    """How many meshes of each side have several parts, open edges, surfaces inside."""
    sides = ("predictions", "truths")
    return Sheet(
        "sides",
        [],
        "",
        "",
        [Heading(name.replace("_", " ")) for name in _COUNTED],
        [(side, [Cell(str(result[side][name])) for name in _COUNTED]) for side in sides],
        [
            "multi part: pieces that share no corner; open: an edge of an odd number of triangles; "
            "interior surface: over 1 % of the area cannot be reached from outside"
        ],
    )
