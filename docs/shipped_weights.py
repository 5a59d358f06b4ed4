"""Ships the best of several training seeds: its weights, its record, and the tables of its page.

    bench train --baseline kato --dataset shapes13 --preset shapes13 --seed 0 --out kato-0   (1, 2)
    bench run --baseline kato --dataset shapes13 --split test --checkpoint kato-0/model.safetensors
    bench run --baseline mean --dataset shapes13 --split test
    python docs/shipped_weights.py kato --models kato-0 kato-1 kato-2 --runs RUN0 RUN1 RUN2 \\
        --mean RUN --machine "one thread of 2 CPU cores; 20 minutes a seed"

The seed is chosen by IoU on the val split. The record beside the weights says how they were made,
what every seed scores on the test split, and how much of the variance is the seeds' and how much
the objects'. The tables on the baseline's page, between two marks, are written from the record.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
from pathlib import Path
from typing import Any

from benchbench.baselines import load_baseline
from benchbench.baselines.checkpoints import SHIPPED
from benchbench.core.classes import SYNSETS
from benchbench.core.files import atomic_path, read_json, write_json, write_text
from benchbench.datasets.store import open_dataset
from benchbench.evaluation.objects import ObjectScores, read_objects
from benchbench.statistics.sample import Sample
from benchbench.statistics.seeds import crossed

FOLDER = Path(__file__).resolve().parent.parent / "baselines"
METRICS = (
    ("bench-iou-v1", "iou", "IoU", 3),
    ("bench-surface-v1", "chamfer", "distance", 2),
    ("bench-surface-v1", "fscore", "F-score", 3),
    ("bench-surface-v1", "normals", "normals", 3),
)
AVERAGE = "mean over classes"
BEGIN, END = "<!-- scores: written by docs/shipped_weights.py -->", "<!-- end of scores -->"
_HISTORY = 40  # entries that are kept of a training's history, beside those on val


def record_of(name: str, stem: str, models: list[Path], machine: str) -> tuple[int, dict[str, Any]]:
    """Number of the chosen seed, and the record without scores."""
    records = [read_json(folder / "model.json") for folder in models]
    vals = [_on_val(name, folder, record) for folder, record in zip(models, records, strict=True)]
    best = max(range(len(models)), key=lambda n: vals[n]["val_iou"])
    command = f"bench train --baseline {name} --dataset shapes13 --preset {stem} --seed SEED"
    if records[0]["settings"].get("mixed_precision"):
        command += " --mixed-precision"
    chosen = records[best]
    seed = chosen["settings"]["seed"]
    record = {
        **_rounded({**chosen, "history": _thinned(chosen["history"])}),
        "settings": chosen["settings"],
        "command": command.replace("SEED", str(seed)),
        "licence": "MIT",
        "machine": machine,
        "seeds": {
            "command": command,
            "selected_on": "val_iou",
            "runs": [
                {"seed": one["settings"]["seed"], "sha256": one["sha256"], "val": val}
                for one, val in zip(records, vals, strict=True)
            ],
        },
    }
    return best, record


def add_scores(record: dict[str, Any], name: str, best: int, runs: list[Path], mean: Path) -> None:
    """Scores of every seed and of the class mean on the test split, and their variance."""
    results = [read_json(run / "result.json") for run in runs]
    rows, others = [_rows(result) for result in results], _rows(read_json(mean / "result.json"))
    for run, result, found, path in zip(record["seeds"]["runs"], results, rows, runs, strict=True):
        if result["hashes"]["weights"] != run["sha256"]:
            raise SystemExit(f"{path} scored other weights than {run['sha256'][:12]}")
        run["scores"] = {metric: row[AVERAGE] for metric, row in found.items()}
    record["evaluated"] = _evaluated(name, read_json(runs[best] / "config.json"))
    record["scores"] = {
        metric: {name: row, "mean": others[metric]} for metric, row in rows[best].items()
    }
    scores = [read_objects(run / "objects.csv") for run in runs]
    record["seeds"]["variance"] = _variance(scores)


def _on_val(name: str, folder: Path, record: dict[str, Any]) -> dict[str, float]:
    by_threshold = record.get("val_iou_by_threshold")
    iou = max(by_threshold.values()) if by_threshold else record["history"][-1]["val_iou"]
    found = {"val_iou": round(iou, 5)}
    if name in ("learn3d", "vpl"):
        from benchbench.baselines.learn3d.entanglement import pose_entanglement

        store = open_dataset("shapes13")
        baseline: Any = load_baseline(name, checkpoint=folder / "model.safetensors")
        rows = store.indices("val").tolist()
        views = store.view_count(rows[0], "kato")
        codes = baseline.codes_of(store, [(row, view) for row in rows for view in range(views)])
        spread = pose_entanglement(codes.reshape(len(rows), views, -1))
        found["pose_entanglement"] = round(spread, 5)
    return found


def _evaluated(name: str, config: dict[str, Any]) -> str:
    views = config["settings"]["views"]["value"]
    words = f"bench run --baseline {name} --dataset shapes13 --split test"
    return words if views == "all" else f"{words} --views {views}"


def _rows(result: dict[str, Any]) -> dict[str, dict[str, float]]:
    """{metric: {class: mean, "mean over classes": mean}}."""
    found = {}
    for protocol, metric, _, _ in METRICS:
        part = result["protocols"][protocol]
        row = {one["name"]: round(one["metrics"][metric], 5) for one in part["per_class"].values()}
        found[f"{protocol}:{metric}"] = {
            **row,
            AVERAGE: round(part["mean_over_classes"][metric], 5),
        }
    return found


def _variance(scores: list[dict[str, ObjectScores]]) -> dict[str, Any]:
    found = {}
    for protocol, metric, _, _ in METRICS:
        units = scores[0][protocol].units
        sample = Sample.of([one[protocol].values[metric] for one in scores], units)
        parts = dataclasses.asdict(crossed(sample, sample.per_class_weights()))
        found[f"{protocol}:{metric}"] = _rounded(parts)
    return found


def _thinned(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    step = max(len(history) // _HISTORY, 1)
    last = len(history) - 1
    return [one for n, one in enumerate(history) if n % step == 0 or "val_iou" in one or n == last]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def block(record: dict[str, Any], name: str) -> str:
    """The tables of a baseline's page, from its record."""
    seeds, scores = record["seeds"], record["scores"]
    runs = seeds["runs"]
    entangled = "pose_entanglement" in runs[0]["val"]
    head = ["", "IoU on val", *(["entanglement on val"] if entangled else [])]
    lines = [_line([*head, *(label for _, _, label, _ in METRICS)])]
    lines.append("|" + "---|" * (len(head) + len(METRICS)))
    for run in runs:
        ships = " (ships: the best on val)" if run["sha256"] == record["sha256"] else ""
        cells = [f"seed {run['seed']}{ships}", f"{run['val']['val_iou']:.3f}"]
        cells += [f"{run['val']['pose_entanglement']:.3f}"] if entangled else []
        lines.append(_line(cells + _numbers(run["scores"])))
    means = {metric: one["mean"] for metric, one in seeds["variance"].items()}
    blanks = [""] * (len(head) - 1)
    lines.append(_line([f"mean of {len(runs)} seeds", *blanks, *_numbers(means)]))
    for key, label in (
        ("objects_variance", "its standard deviation: other objects"),
        ("seeds_variance", "its standard deviation: other seeds"),
    ):
        cells = [f"{one[key] ** 0.5:.4f}" for one in seeds["variance"].values()]
        lines.append(_line([label, *blanks, *cells]))
    mean = {metric: rows["mean"][AVERAGE] for metric, rows in scores.items()}
    lines.append(_line(["`mean`", *blanks, *_numbers(mean)]))
    lines += ["", _line(["class", f"IoU {name}", "IoU mean", f"distance {name}", "distance mean"])]
    lines.append("|---|---|---|---|---|")
    iou, distance = (scores[f"{protocol}:{metric}"] for protocol, metric, _, _ in METRICS[:2])
    for label in [*SYNSETS.values(), AVERAGE]:
        cells = [f"{iou[who][label]:.3f}" for who in (name, "mean")]
        cells += [f"{distance[who][label]:.2f}" for who in (name, "mean")]
        lines.append(_line([label, *cells]))
    said = f"`{record['evaluated']}`, means over classes; `mean` is told the class:"
    return "\n".join([BEGIN, "", said, "", *lines, "", END])


def _numbers(values: dict[str, float]) -> list[str]:
    return [f"{values[f'{p}:{m}']:.{decimals}f}" for p, m, _, decimals in METRICS]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def with_block(page: str, text: str) -> str:
    """The page with the tables between its marks exchanged.

    Example:
        >>> with_block(f"a {BEGIN} old {END} b", "new")
        'a new b'
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"the page lacks '{BEGIN}' and '{END}'")
    return before + text + after


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", help="baseline")
    parser.add_argument("--stem", default=SHIPPED, help="name of the weights and of the preset")
    parser.add_argument("--models", type=Path, nargs="+", help="folders of bench train, one a seed")
    parser.add_argument("--first", type=Path, nargs="+", help="the same of a recipe's first part")
    parser.add_argument("--runs", type=Path, nargs="+", help="run folders with these weights")
    parser.add_argument("--mean", type=Path, help="run folder of the baseline 'mean'")
    parser.add_argument("--machine", help="what it was trained on, and the time a seed takes")
    parser.add_argument("--page-only", action="store_true", help="write the page's tables again")
    words = parser.parse_args()
    folder = FOLDER / words.name
    target = folder / "weights" / f"{words.stem}.safetensors"
    if words.page_only:
        record = read_json(target.with_suffix(".json"))
    else:
        best, record = record_of(words.name, words.stem, words.models, words.machine)
        if words.runs:
            add_scores(record, words.name, best, words.runs, words.mean)
        if words.first:
            first = read_json(words.first[best] / "model.json")
            history = [_rounded(one) for one in first["history"] if "val_iou" in one]
            keys = ("settings", "sha256")
            record["first_part"] = {**{key: first[key] for key in keys}, "history": history}
            for part in (record, record["seeds"]):
                part["command"] = _two_parts(part["command"])
        with atomic_path(target) as temporary:
            shutil.copyfile(words.models[best] / "model.safetensors", temporary)
        write_json(target.with_suffix(".json"), record)
    if words.stem == SHIPPED:
        page = folder / "README.md"
        text = block(record, words.name)
        write_text(page, with_block(page.read_text(encoding="utf-8"), text))
        sys.stdout.write(text + "\n")
    else:
        sys.stdout.write(f"{record['seeds']['runs']}\n")


def _two_parts(command: str) -> str:
    second = command.replace("--preset shapes13", "--preset shapes13-second")
    return f"{command} --out first && {second} --set start=first/model.safetensors"


if __name__ == "__main__":
    main()
