"""The one command that makes a result again. Light."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

_PLACED = ("baseline", "dataset", "split")


def command_of(result: Mapping[str, Any]) -> str:
    """What to type, from the settings that a result holds.

    Settings that stand at their default are left out. Protocols are named where the result holds
    others than a run has without any. A file of weights is named, its folder is not known.

    Args:
        result: Of `bench run`, or of `bench score` of somebody else's predictions.

    Example:
        >>> setting = lambda value, source="commandline": {"value": value, "source": source}
        >>> command_of({"protocols": {}, "settings": {
        ...     "baseline": setting("kato"), "dataset": setting("shapes13"),
        ...     "split": setting("test"), "views": setting("1"), "seed": setting(0, "default"),
        ...     "set.block_size": setting("8")}})
        'bench run --baseline kato --dataset shapes13 --split test --views 1 --set block_size=8'
    """
    settings = result["settings"]
    value = {name: entry["value"] for name, entry in settings.items()}
    typed = {name for name, entry in settings.items() if entry["source"] != "default"}
    if "baseline" in value:
        words = ["bench", "run"]
        places: tuple[str, ...] = _PLACED
    else:
        words, places = ["bench", "score", value.get("predictions", "PREDICTIONS")], _PLACED[1:]
    for name in places:
        if value.get(name) is not None:
            words += [f"--{name}", value[name]]
    for name in ("checkpoint", "views", "seed", "classes", "limit", "device", "threshold"):
        if name in typed and value[name] not in (None, "all", "found") and name in value:
            words += [f"--{name}", _word(value[name])]
    if value.get("allow_seen") is True:
        words.append("--allow-seen")
    for name in sorted(value):
        if name.startswith("set."):
            words += ["--set", f"{name[4:]}={_word(value[name])}"]
    if "protocols" in typed or list(value.get("protocols") or ()) != list(result["protocols"]):
        for name in result["protocols"]:
            words += ["--protocol", name]
    return shlex.join(str(word) for word in words)


def _word(value: Any) -> str:
    return ",".join(str(entry) for entry in value) if isinstance(value, list) else str(value)
