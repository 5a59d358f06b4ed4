"""Objects that a method has been trained on are not scored unless that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchbench.baselines.training_ids import overlap
from benchbench.core.errors import CheckError
from benchbench.core.notices import notice
from benchbench.datasets.store import Store

_EXAMPLES = 3


def training_record(baseline: Any, store: Store, rows: Sequence[int]) -> dict[str, Any] | None:
    """What a run says about the training objects of its weights.

    Args:
        baseline: The loaded method; one without weights has no `training`.
        store: The data set.
        rows: Objects that will be scored.

    Returns:
        None for a method without weights; else {"trained_on": which list, or None, "seen": how
        many of the objects, or None where that cannot be known, "examples": ids, "why": not known}.
    """
    if not hasattr(baseline, "training"):
        return None
    found = overlap(baseline.training, store, rows)
    return {
        "trained_on": baseline.training.summary() if baseline.training else None,
        "seen": None if found.seen is None else len(found.seen),
        "examples": list((found.seen or ())[:_EXAMPLES]),
        "why": found.why,
    }


def tell_unknown(training: dict[str, Any] | None) -> None:
    """One notice where nobody can tell whether the weights have seen the objects."""
    if training is not None and training["seen"] is None:
        notice(
            f"training objects unknown ({training['why']}): "
            "whether the weights have seen what is scored cannot be told"
        )


def refuse_seen(config: dict[str, Any], allowed: bool) -> None:
    """Refuses to score objects that made the weights.

    Args:
        config: Of the run, as stored in config.json.
        allowed: The user wants it all the same.

    Raises:
        CheckError: There are some, and they were not asked for.
    """
    training = config.get("training")
    if allowed or not training or not training["seen"]:
        return
    dataset, where = config["dataset"], training["trained_on"]
    raise CheckError(
        f"{training['seen']} of the {config['selection']['objects']} objects of split "
        f"'{dataset['split']}' ({dataset['split_name']}) of '{dataset['id']}' are in the training "
        f"set of these weights (train of '{where['split']}', '{where['dataset']}'), for example "
        f"{', '.join(training['examples'])}",
        hint="score another split, or add --allow-seen: the result and its tables then say so",
    )
