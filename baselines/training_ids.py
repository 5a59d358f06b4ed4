"""Which objects a checkpoint was trained on, so that nobody scores it on them unknowingly.

A checkpoint carries 6 bytes of the sha256 of every "synset/model", sorted, in base64: 245 KB for
the 30,643 training objects of the largest split in use. Two of 30,643 and 8,770 objects agree by
chance once in a million such pairs of lists. Names lead across data sets, since sets made from the
same ShapeNet release share them; a set that numbers its objects instead (`info["ids"]` is
"unknown") can be compared with itself only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchbench.core.errors import InputError, MissingError, UsageError
from benchbench.datasets.store import Store
from benchbench.datasets.store_format import split_hash

BYTES = 6
MOST = 1_000_000  # objects; a record that claims more is none
_SCHEMA = 1


def digest(object_id: str) -> bytes:
    """The first 6 bytes of an id's sha256.

    Example:
        >>> digest("03001627/a").hex()
        'dffa2347181f'
    """
    return hashlib.sha256(object_id.encode()).digest()[:BYTES]


@dataclass(frozen=True)
class TrainingIds:
    """The training objects of a checkpoint.

    Attributes:
        dataset: Id of the data set.
        identity: Of its content.
        split: Name of its split, whose part "train" was used, or some of it.
        sha256: Of the ids, one a line, in data-set order; that of the split's train part where
            all of it was used.
        named: False where the data set numbers its objects instead of naming them.
        digests: (6 bytes of each id), sorted.
    """

    dataset: str
    identity: str
    split: str
    sha256: str
    named: bool
    digests: frozenset[bytes]

    @classmethod
    def of(cls, store: Store, rows: Iterable[int]) -> TrainingIds:
        """The record of some rows of a data set.

        Args:
            store: The data set, with the split that was used.
            rows: Of the training objects, in data-set order.
        """
        ids = [store.object_ids[row] for row in rows]
        return cls(
            store.id,
            store.identity,
            store.split_name,
            split_hash(ids),
            has_names(store),
            frozenset(map(digest, ids)),
        )

    def summary(self) -> dict[str, Any]:
        """What it is, without the ids."""
        return {
            "dataset": self.dataset,
            "identity": self.identity,
            "split": self.split,
            "part": "train",
            "objects": len(self.digests),
            "sha256": self.sha256,
            "named": self.named,
        }

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form, complete."""
        packed = base64.b64encode(b"".join(sorted(self.digests))).decode("ascii")
        return {"schema": _SCHEMA, **self.summary(), "ids": packed}

    @classmethod
    def from_dict(cls, content: Any, where: str) -> TrainingIds:
        """Undo `as_dict`; the content comes from outside.

        Args:
            content: Anything.
            where: For the message.

        Raises:
            InputError: It is no such record.
        """
        try:
            if content["schema"] != _SCHEMA:
                raise ValueError(f"schema {content['schema']}")
            texts = {key: content[key] for key in ("dataset", "identity", "split", "sha256")}
            packed = content["ids"]
            if not all(isinstance(text, str) for text in (*texts.values(), packed)):
                raise TypeError("texts belong there")
            if not isinstance(content["named"], bool):
                raise TypeError("'named' is true or false")
            if len(packed) > MOST * BYTES * 4 // 3 + 4:
                raise ValueError("too many ids")
            raw = base64.b64decode(packed, validate=True)
            digests = frozenset(raw[n : n + BYTES] for n in range(0, len(raw), BYTES))
            if len(raw) != BYTES * content["objects"] or len(digests) != content["objects"]:
                raise ValueError("the ids are not as many as it says")
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise InputError(
                f"{where} has a damaged record of its training objects ({error})",
                hint="train it again, or fetch the file again",
            ) from error
        return cls(**texts, named=content["named"], digests=digests)


def has_names(store: Store) -> bool:
    """Whether ids of a data set are those of ShapeNet, and not numbers within the set."""
    return store.info.get("ids") != "unknown"


@dataclass(frozen=True)
class Overlap:
    """Which objects to be scored made the weights.

    Attributes:
        seen: Their ids in data-set order, or None where that cannot be known.
        why: Why not, for people.
    """

    seen: tuple[str, ...] | None
    why: str = ""


def overlap(training: TrainingIds | None, store: Store, rows: Sequence[int]) -> Overlap:
    """Compares a checkpoint's training objects with objects to be scored.

    Args:
        training: Of the checkpoint, or None where it has no record.
        store: The data set to be scored on.
        rows: The objects.
    """
    if training is None:
        return Overlap(None, "the checkpoint does not record them")
    if training.identity != store.identity:
        for name, named in ((training.dataset, training.named), (store.id, has_names(store))):
            if not named:
                return Overlap(None, f"'{name}' numbers its objects instead of naming them")
    ids = (store.object_ids[row] for row in rows)
    return Overlap(tuple(name for name in ids if digest(name) in training.digests))


def split_rows(
    store: Any, split: Literal["train", "val"], classes: list[str] | None, limit: int | None
) -> NDArray[np.int64]:
    """Rows of a split that training may see.

    Raises:
        UsageError: Any other split was asked for.
        MissingError: The train split is empty.
    """
    if split not in ("train", "val"):
        raise UsageError(f"training never reads the split '{split}'")
    rows: NDArray[np.int64] = store.indices(split, classes=classes, limit=limit)
    if split == "train" and len(rows) == 0:
        raise MissingError(
            f"data set '{store.id}' has no training objects under split '{store.split_name}'",
            hint="bench list",
        )
    return rows
