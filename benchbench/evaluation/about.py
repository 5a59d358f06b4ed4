"""What a run says of its method: supervision, networks, parameters, training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchbench.baselines.checkpoints import read_record, weights_folder
from benchbench.core.errors import InputError
from benchbench.core.files import read_json
from benchbench.datasets.store import Store

NO_WEIGHTS = "none"
_MOST = 200  # letters
_WORDS = ("supervision", "networks")


def method_facts(spec: Any, baseline: Any, checkpoint: Path | None, store: Store) -> dict[str, Any]:
    """What stands beside the scores of a method; None is unknown.

    Args:
        spec: Of the method; one of another package may lack fields.
        baseline: The loaded method.
        checkpoint: The file that was named, None for the shipped weights.
        store: The data set, on which a method without weights was fitted.

    Returns:
        "supervision": words of the spec; "networks": "joint ..." or "per class"; "parameters":
        those of the record of the weights, else those that the loaded network could learn, 0
        without weights; "training_time": the record's words on machine and time; "trained_on":
        of a method without weights, the list of what it was made of.
    """
    supervision, networks = (_line(getattr(spec, name, None)) for name in _WORDS)
    facts: dict[str, Any] = {
        "supervision": None if supervision == "unknown" else supervision,
        "networks": networks,
        "parameters": None,
        "training_time": None,
        "trained_on": None,
    }
    if getattr(baseline, "checkpoint_hash", None) == NO_WEIGHTS:
        facts.update(parameters=0, training_time="none", trained_on=_fitted_on(baseline, store))
        return facts
    record = _record(spec, baseline, checkpoint) or {}
    parameters = record.get("parameters")
    known = isinstance(parameters, int) and not isinstance(parameters, bool) and parameters > 0
    facts["parameters"] = parameters if known else _learnable(getattr(baseline, "network", None))
    facts["training_time"] = _line(record.get("machine"))
    settings = record.get("settings")
    if not networks and isinstance(settings, Mapping) and "classes" in settings:
        facts["networks"] = _networks(settings["classes"])
    return facts


def _networks(classes: Any) -> str | None:
    """In words, from the setting "classes" of a training.

    Example:
        >>> _networks(None), _networks("chair"), _networks("chair,car")
        ('joint (all classes)', 'per class (chair)', 'joint (chair, car)')
    """
    if classes is None:
        return "joint (all classes)"
    text = _line(classes)
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    return f"{'joint' if len(names) > 1 else 'per class'} ({', '.join(names)})"


def _line(value: Any) -> str | None:
    """A printable line, or None."""
    fine = isinstance(value, str) and value.isprintable() and 0 < len(value) <= _MOST
    return value if fine else None


def _learnable(network: Any) -> int | None:
    """Numbers that a torch module would learn; None where that cannot be told."""
    try:
        count = sum(int(p.numel()) for p in network.parameters() if p.requires_grad)
    except (AttributeError, TypeError):
        return None
    return count or None


def _record(spec: Any, baseline: Any, checkpoint: Path | None) -> dict[str, Any] | None:
    """The record of the weights: beside the file, or among the shipped ones by their hash."""
    if checkpoint is not None:
        try:
            return read_record(checkpoint)
        except InputError:  # what says nothing is no reason not to run
            return None
    try:
        folder = weights_folder(spec.id)
    except (ModuleNotFoundError, TypeError):  # of another package, perhaps called as a module here
        return None
    for path in sorted(folder.glob("*.json")):
        try:
            content = read_json(path)
        except InputError:
            continue
        if isinstance(content, dict) and content.get("sha256") == baseline.checkpoint_hash:
            return content
    return None


def _fitted_on(baseline: Any, store: Store) -> dict[str, Any] | None:
    """The train split, for a method that was fitted on it and does not say so itself."""
    if getattr(baseline, "trained_on", None) != store.id:
        return None
    return {
        "dataset": store.id,
        "split": store.split_name,
        "objects": len(store.indices("train")),
        "sha256": store.split_hash("train"),
    }
