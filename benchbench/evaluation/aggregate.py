"""From scores of items to the numbers of a table. Pure Python; nothing is ever dropped.

Item = (object, view). An object's score is the mean over its views, a class's score the mean over
its objects; "mean over classes" weighs every class the same, "mean over objects" every object.
Sums are exact (`math.fsum`), so they do not depend on the order of the items.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from benchbench.core.errors import CheckError


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean; the rounding does not depend on the order.

    Example:
        >>> mean([0.1, 0.2, 0.3]) == mean([0.3, 0.1, 0.2])
        True
    """
    return math.fsum(values) / len(values)


def object_means(scores: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Mean over the views of each object.

    Args:
        scores: (object id, value) of every item.

    Raises:
        CheckError: A value is NaN or infinite.
    """
    views: dict[str, list[float]] = {}
    for object_id, value in scores:
        if not math.isfinite(value):
            raise CheckError(f"the score of '{object_id}' is {value}")
        views.setdefault(object_id, []).append(value)
    return {object_id: mean(values) for object_id, values in views.items()}


def summarize(
    objects: dict[str, dict[str, float]], classes: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """Per-class means, mean over classes, mean over objects.

    Args:
        objects: {metric: {object id: score}}, every object of the selection in each.
        classes: (synset, name) in data-set order.

    Returns:
        {"per_class": {synset: {"name", "objects", metric: mean}}, "mean_over_classes": {metric},
        "mean_over_objects": {metric}, "classes": number of classes with objects, "objects"}.

    Example:
        >>> scores = {"iou": {"1/a": 0.9, "1/b": 0.7, "2/c": 0.2}}
        >>> table = summarize(scores, [("1", "chair"), ("2", "table")])
        >>> round(table["mean_over_classes"]["iou"], 3), round(table["mean_over_objects"]["iou"], 3)
        (0.5, 0.6)
    """
    metrics = list(objects)
    ids = list(objects[metrics[0]]) if metrics else []
    per_class: dict[str, dict[str, Any]] = {}
    for synset, name in classes:
        members = [i for i in ids if i.partition("/")[0] == synset]
        if members:
            per_class[synset] = {
                "name": name,
                "objects": len(members),
                "metrics": {m: mean([objects[m][i] for i in members]) for m in metrics},
            }
    rows = list(per_class.values())
    return {
        "per_class": per_class,
        "mean_over_classes": {m: mean([r["metrics"][m] for r in rows]) for m in metrics}
        if rows
        else {},
        "mean_over_objects": {m: mean(list(objects[m].values())) for m in metrics} if ids else {},
        "classes": len(rows),
        "objects": len(ids),
    }
