"""What the lines that say what a number means have in common: how they are written and read.

A line is the metric and `key:value` fields with | between; what the fields are, its kind says.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from benchbench.core.errors import UsageError

DIGITS = 8
_SHORT = {"chamfer": "cd", "fscore": "f", "normals": "nc"}
_LONG = {short: name for name, short in _SHORT.items()}
_FIELD = re.compile(r"[^|\s:]+(:[^|\s]*)?", re.ASCII)

Line = TypeVar("Line", bound="SignatureLine")


@dataclass(frozen=True)
class SignatureLine:
    """What every line says; a kind of line adds fields, and the key of each.

    Attributes:
        metric: Of the protocol.
        protocol: Its id.
        align: How predictions were aligned.
        fail: What a failed prediction gets: "worst", the protocol's penalty.
        mean: "classes" (every class weighs the same) or "objects".
        objects: How many.
        seed: Of the protocol's sampler.
        version: Of benchbench.
    """

    KEYS: ClassVar[Mapping[str, str]]
    """By field: its key, in the order of the line."""
    HASHED: ClassVar[Collection[str]]
    """Fields that are, or end in, the start of a hash."""

    metric: str
    protocol: str
    align: str
    fail: str
    mean: str
    objects: int
    seed: int
    version: str

    def __str__(self) -> str:
        words = [f"{key}:{getattr(self, name)}" for name, key in self.KEYS.items()]
        return "|".join([_SHORT.get(self.metric, self.metric), *words])

    @classmethod
    def parse(cls: type[Line], text: str) -> Line:
        """Read a line.

        Raises:
            UsageError: It is none of this kind.
        """
        metric, given = _read_fields(text, cls.KEYS.values())
        values: dict[str, Any] = {name: given[key] for name, key in cls.KEYS.items()}
        values |= {"objects": int(given["n"]), "seed": int(given["seed"])}
        return cls(metric=metric, **values)

    def differences(self: Line, other: Line) -> list[str]:
        """What is not the same, but for the version; hashes agree as far as both are given."""
        found = []
        for name, key in {"metric": "metric", **self.KEYS}.items():
            mine, theirs = getattr(self, name), getattr(other, name)
            same = _same_hash(mine, theirs) if name in self.HASHED else mine == theirs
            if name != "version" and not same:
                found.append(f"{key} {mine} there, {theirs} here")
        return found


def _read_fields(text: str, keys: Collection[str]) -> tuple[str, dict[str, str]]:
    """The metric of a line and its fields, which must be all of `keys` and no other."""
    first, *rest = text.strip().split("|")
    if not _FIELD.fullmatch(first) or not all(map(_FIELD.fullmatch, rest)):
        raise _no_signature(text, "it is not fields with | between")
    given = dict(field.partition(":")[::2] for field in rest)
    missing = [key for key in keys if not given.get(key)]
    unknown = sorted(set(given) - set(keys))
    if missing or unknown or len(rest) != len(given):
        wrong = f"'{(missing or unknown or ['a field'])[0]}' is "
        wrong += "missing" if missing else "unknown" if unknown else "there twice"
        raise _no_signature(text, wrong)
    for key in ("n", "seed"):
        if not re.fullmatch(r"\d{1,18}", given[key], re.ASCII):
            raise _no_signature(text, f"'{key}:{given[key]}' is no number")
    return _LONG.get(first, first), given


def _same_hash(a: str, b: str) -> bool:
    """Two "name@hash" agree, as far as both hashes are given; fewer than 4 digits prove nothing.

    What is written letter for letter alike is the same, whatever its length.
    """
    if a == b:
        return True
    name, _, digits = a.rpartition("@")
    other, _, others = b.rpartition("@")
    shared = min(len(digits), len(others))
    return name == other and shared >= 4 and digits[:shared] == others[:shared]


def _no_signature(text: str, why: str) -> UsageError:
    return UsageError(
        f"'{text[:200]}' is no signature: {why}",
        hint="bench score with --signatures prints those of what it scores",
    )
