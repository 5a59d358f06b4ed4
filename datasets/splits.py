"""Splits: named lists of ids, by rule.

The rule of 3D-R2N2's repository: in every class the ids sorted as plain strings, the first
int(0.8 n) are train, the rest test; n counts the model folders of ShapeNetVox32. The released
weights and the paper's numbers belong to another, unpublished order (the repository sorts since
2016-09-27 only), so a number under this split is not the paper's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Split = dict[str, list[str]]


def repository_split(models: Mapping[str, Iterable[str]]) -> Split:
    """3D-R2N2's 80/20 rule; there is no val part.

    Args:
        models: Synset to model names (any order).

    Returns:
        {"train": ids, "val": [], "test": ids} of "synset/model", classes and names ascending.

    Example:
        >>> repository_split({"03001627": ["c", "a", "b"]})["test"]
        ['03001627/c']
    """
    return _sorted_split(models, 1.0)


def repository_split_with_val(models: Mapping[str, Iterable[str]]) -> Split:
    """The same test part; the last eighth of train becomes val (70/10/20 of all).

    Example:
        >>> parts = repository_split_with_val({"03001627": [f"{n:02d}" for n in range(10)]})
        >>> [len(parts[part]) for part in ("train", "val", "test")]
        [7, 1, 2]
    """
    return _sorted_split(models, 0.875)


def _sorted_split(models: Mapping[str, Iterable[str]], train_share: float) -> Split:
    split: Split = {"train": [], "val": [], "test": []}
    for synset in sorted(models):
        names = [f"{synset}/{name}" for name in sorted(models[synset])]
        first_test = int(len(names) * 0.8)
        first_val = int(first_test * train_share)
        split["train"] += names[:first_val]
        split["val"] += names[first_val:first_test]
        split["test"] += names[first_test:]
    return split


def keep_stored(split: Mapping[str, Iterable[str]], stored: Iterable[str]) -> Split:
    """The split without objects that could not be stored; the others keep their part."""
    have = set(stored)
    return {part: [name for name in ids if name in have] for part, ids in split.items()}
