"""mesh-pairs-v1: what pairs of meshes score, under every alignment that is asked for.

Distances are those of bench-surface-v1: 30,000 area-weighted samples of each surface to the nearest
triangle of the other, unsquared, the mean of the two directions, in percent of the longest edge of
the truth's box. A prediction that is missing, unreadable, empty or without a surface gets the
penalty; it is counted and named, and every mean is over all truths.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchbench import __version__
from benchbench.core.environment import git_commit, versions
from benchbench.core.errors import CheckError
from benchbench.core.progress import Progress
from benchbench.core.types import Mesh
from benchbench.evaluation.aggregate import mean
from benchbench.evaluation.alignment import Similarity, aligned, normalised, plain, to_box
from benchbench.evaluation.outer_surface import outer_surface
from benchbench.evaluation.pair_journal import Journal
from benchbench.evaluation.pair_signature import PairSignature
from benchbench.evaluation.pairs import Pairs, Side, read_mesh
from benchbench.evaluation.signature_line import DIGITS
from benchbench.evaluation.topology import topology
from benchbench.protocols import surface
from benchbench.protocols.registry import get_protocol
from benchbench.protocols.specs import MetricSpec
from benchbench.protocols.surface import SEED, Surface, distances, sampled_surface
from benchbench.protocols.truth import Unscorable
from benchbench.statistics.medians import median

PROTOCOL = "mesh-pairs-v1"
KIND = "benchbench pairs"
SURFACES = ("all", "outer")
THRESHOLDS = (0.01, 0.02, 0.05)  # of the truth's longest edge
OK = "ok"


@dataclass(frozen=True)
class Choices:
    """What is chosen when pairs are scored; all of it stands in the signature.

    Attributes:
        aligns: Names of alignments, "none" among them, in the order of the table.
        norm: One of `alignment.NORMALISATIONS`.
        surface: One of `SURFACES`: the meshes as they are, or what can be reached from outside.
    """

    aligns: tuple[str, ...]
    norm: str
    surface: str


@dataclass(frozen=True)
class Build:
    """How a mesh is made.

    Attributes:
        faces: Triangles with an area.
        parts: Pieces that share no corner.
        open_edges: Edges of an odd number of triangles.
        interior: Share of the area that cannot be reached from outside.
        has_interior: It is more than what lies in creases.
    """

    faces: int
    parts: int
    open_edges: int
    interior: float
    has_interior: bool


@dataclass(frozen=True)
class Scored:
    """One pair under one alignment.

    Attributes:
        status: "ok", or why the penalty is in `scores`.
        message: Words for people.
        scores: By metric.
        pose: What the alignment did, None where nothing was scored.
        seconds: That the search and the comparison took.
    """

    status: str
    message: str
    scores: dict[str, float]
    pose: Similarity | None
    seconds: float


def metrics() -> tuple[MetricSpec, ...]:
    """The numbers of the protocol, with the penalties of bench-surface-v1.

    Example:
        >>> [m.name for m in metrics()]
        ['chamfer', 'fscore@0.01', 'fscore@0.02', 'fscore@0.05', 'normals']
    """
    house = get_protocol("bench-surface-v1")
    radii = (
        MetricSpec(f"fscore@{t}", f"F-score at {t}", "2 P R / (P + R)", "ratio", True, 3, 0.0)
        for t in THRESHOLDS
    )
    return (house.metric("chamfer"), *radii, house.metric("normals"))


@dataclass(frozen=True)
class Pair:
    """One pair under every alignment.

    Attributes:
        build: How the prediction is made, None where nobody could read it.
        size: Its longest box side in units of the truth's, None likewise.
        scored: By alignment.
    """

    build: Build | None
    size: float | None
    scored: dict[str, Scored]


def about(pairs: Pairs, choices: Choices) -> dict[str, Any]:
    """What a comparison depends on beside the pair and the alignment, for a `Journal`."""
    return {
        "protocol": PROTOCOL,
        "version": __version__,
        "samples": surface.SAMPLES,
        "norm": choices.norm,
        "surface": choices.surface,
        "truths": pairs.truths.content,
        "predictions": pairs.preds.content,
    }


def signature(pairs: Pairs, choices: Choices, align: str, metric: str) -> PairSignature:
    """What a mean over these pairs is; known before anything is scored.

    Args:
        pairs: From `find_pairs`.
        choices: Normalisation and surface.
        align: Name of an alignment.
        metric: Of the protocol.
    """
    return PairSignature(
        metric=metric,
        protocol=PROTOCOL,
        truths=pairs.truths.content[:DIGITS],
        preds=pairs.preds.content[:DIGITS],
        norm=choices.norm,
        surface=choices.surface,
        align=align,
        fail="worst",
        mean="objects",
        objects=len(pairs.truths.files),
        seed=SEED,
        version=__version__,
    )


def score_pairs(
    pairs: Pairs, choices: Choices, quiet: bool = False, journal: Journal | None = None
) -> dict[str, Any]:
    """Scores every pair.

    Args:
        pairs: From `find_pairs`.
        choices: Alignments, normalisation and surface.
        quiet: No progress.
        journal: Of the same pairs and choices: what it holds is not computed again.

    Returns:
        Plain data: "alignments" with means, medians, counts and signatures by name, both sides
        with what was counted, "pairs" one by one.

    Raises:
        CheckError: A truth cannot be scored.
    """
    truths = _check_truths(pairs.truths, quiet)
    found: dict[str, Pair] = {}
    journal = journal or Journal(None, {})
    total = len(pairs.truths.files) * len(choices.aligns)
    there = len([1 for _, align in journal.records if align in choices.aligns])
    with Progress("score", total, "comparisons", quiet, done=there) as progress:
        for name in pairs.truths.files:
            found[name] = _score_pair(pairs, name, choices, journal, progress)
    return {
        "kind": KIND,
        "protocol": PROTOCOL,
        "normalisation": choices.norm,
        "surface": choices.surface,
        "metrics": [asdict(metric) for metric in metrics()],
        "alignments": {a: _summary(pairs, choices, a, found) for a in choices.aligns},
        "predictions": _side(pairs.preds, [p.build for p in found.values() if p.build is not None])
        | _failures(found),
        "truths": _side(pairs.truths, list(truths.values())),
        "pairs": [
            {
                "name": name,
                "prediction": None if pair.build is None else asdict(pair.build),
                "truth": asdict(truths[name]),
                "size": pair.size,
                "alignments": {align: _record(s) for align, s in pair.scored.items()},
            }
            for name, pair in found.items()
        ],
        "versions": versions(),
        "git_commit": git_commit(),
    }


def _check_truths(side: Side, quiet: bool) -> dict[str, Build]:
    """All truths are looked at before anything is scored: a broken one ends it."""
    builds = {}
    with Progress("truths", len(side.files), "files", quiet) as progress:
        for name, file in side.files.items():
            try:
                builds[name], _ = _load(file, name, "all")
            except Unscorable as error:
                raise CheckError(
                    f"the truth '{name}' cannot be scored: {error.status}: {error}",
                    hint=f"mend '{file}', or take it and its prediction away",
                ) from error
            progress.update()
    return builds


def _load(file: Path, name: str, which: str) -> tuple[Build, Mesh]:
    """How the mesh of a file is made, and the part of it that is compared."""
    mesh = read_mesh(file, name)
    outer, counted = outer_surface(mesh), topology(mesh)
    build = Build(
        len(mesh.faces), counted.parts, counted.open_edges, outer.interior, outer.has_interior
    )
    return build, plain(outer.mesh) if which == "outer" else mesh


def _again(file: Path, name: str, which: str) -> Mesh:
    """The part of a truth that is compared; how it is made is known by now."""
    mesh = read_mesh(file, name)
    return plain(outer_surface(mesh).mesh) if which == "outer" else mesh


def _score_pair(
    pairs: Pairs, name: str, choices: Choices, journal: Journal, progress: Progress
) -> Pair:
    build: Build | None = None
    size: float | None = None
    scored: dict[str, Scored] = {}
    try:
        if name not in pairs.preds.files:
            raise Unscorable("missing", f"no file in '{pairs.preds.path}'")
        build, preds = _load(pairs.preds.files[name], name, choices.surface)
        target = _again(pairs.truths.files[name], name, choices.surface)
        size = to_box(target.vertices).scale / to_box(preds.vertices).scale
        preds, target = normalised(preds, target, choices.norm)
        goal = sampled_surface(target, name, surface.SAMPLES, SEED)
    except Unscorable as error:
        scored = dict.fromkeys(choices.aligns, _penalty(error, 0.0))
        progress.update(len(scored))
        return Pair(build, size, scored)
    for align in choices.aligns:
        known = _scored(journal.records.get((name, align)))
        if known is None:
            known = _compared(preds, target, goal, name, align, choices.norm)
            journal.add((name, align), _record(known))
            progress.update()
        scored[align] = known
    return Pair(build, size, scored)


def _compared(preds: Mesh, target: Mesh, goal: Surface, name: str, align: str, norm: str) -> Scored:
    begun = time.monotonic()
    try:
        pose = aligned(preds, target, name, align, norm)
        moved = sampled_surface(pose.mesh(preds), f"{name}#-1", surface.SAMPLES, SEED)
    except Unscorable as error:
        return _penalty(error, time.monotonic() - begun)
    apart = distances(moved, goal)
    scores = {
        "chamfer": apart.chamfer(),
        **{f"fscore@{t}": apart.fscore(t) for t in THRESHOLDS},
        "normals": apart.normals(),
    }
    return Scored(OK, "", scores, pose, time.monotonic() - begun)


def _penalty(error: Unscorable, seconds: float) -> Scored:
    return Scored(error.status, str(error), {m.name: m.penalty for m in metrics()}, None, seconds)


def _summary(pairs: Pairs, choices: Choices, align: str, found: dict[str, Pair]) -> dict[str, Any]:
    """Means, medians, failures and signatures of one alignment."""
    scored = {name: pair.scored[align] for name, pair in found.items()}
    means, medians, lines = {}, {}, {}
    for metric in metrics():
        values = {name: one.scores[metric.name] for name, one in scored.items()}
        means[metric.name], medians[metric.name] = mean(list(values.values())), median(values)
        lines[metric.name] = str(signature(pairs, choices, align, metric.name))
    return {
        "mean": means,
        "median": medians,
        "pairs": len(scored),
        "failed": sum(one.status != OK for one in scored.values()),
        "seconds": sum(one.seconds for one in scored.values()),
        "signatures": lines,
    }


def _side(side: Side, builds: Sequence[Build]) -> dict[str, Any]:
    return {
        "path": str(side.path),
        "sha256": side.content,
        "files": len(side.files),
        "ignored": side.ignored,
        "looked_at": len(builds),
        "multi_part": sum(b.parts > 1 for b in builds),
        "open": sum(b.open_edges > 0 for b in builds),
        "interior_surface": sum(b.has_interior for b in builds),
    }


def _failures(found: dict[str, Pair]) -> dict[str, Any]:
    """Predictions without a score under any alignment, by reason and by name.

    One that fails under some alignments only is named with the first of them.
    """
    named = []
    for name, pair in found.items():
        wrong = {align: one for align, one in pair.scored.items() if one.status != OK}
        if wrong:
            first = next(iter(wrong.values()))
            record = {"name": name, "status": first.status, "message": first.message}
            named.append({**record, "alignments": list(wrong)})
    return {
        "failed": dict(sorted(Counter(str(one["status"]) for one in named).items())),
        "failed_pairs": named,
    }


def _record(one: Scored) -> dict[str, Any]:
    pose = one.pose
    return {
        "status": one.status,
        "message": one.message,
        "scores": one.scores,
        "pose": None
        if pose is None
        else {"scale": pose.scale, "turn": pose.turn.tolist(), "shift": pose.shift.tolist()},
        "seconds": one.seconds,
    }


def _scored(record: dict[str, Any] | None) -> Scored | None:
    """What `_record` made a record of; None where it is not whole."""
    if record is None:
        return None
    try:
        status, message = str(record["status"]), str(record["message"])
        pose = None
        if status == OK:
            pose = Similarity(
                float(record["pose"]["scale"]),
                np.array(record["pose"]["turn"], np.float64).reshape(3, 3),
                np.array(record["pose"]["shift"], np.float64).reshape(3),
            )
        scores = {m.name: float(record["scores"][m.name]) for m in metrics()}
        seconds = float(record["seconds"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    numbers = [*scores.values(), seconds]
    if pose is not None:
        numbers += [pose.scale, *pose.turn.flat, *pose.shift]
    return Scored(status, message, scores, pose, seconds) if np.isfinite(numbers).all() else None
