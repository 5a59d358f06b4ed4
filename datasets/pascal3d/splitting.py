"""PASCAL3D+'s splits: the release's lists, VOC's, DRC's filter, and one that shares no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchbench.datasets.pascal3d.annotations import Instance
from benchbench.datasets.pascal3d.cads import Cad
from benchbench.datasets.pascal3d.spec import CLASSES
from benchbench.datasets.splits import Split

_DRC_CLASSES = ("aeroplane", "car", "chair")
_EVERY = 3  # of the CAD models of a class, every third one is for testing


@dataclass
class Lists:
    """Names of pictures by list.

    Attributes:
        imagenet: (class, "train" or "val") to names.
        voc: "train" or "val" to names.
    """

    imagenet: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    voc: dict[str, set[str]] = field(default_factory=dict)

    def part(self, instance: Instance) -> str:
        """ "train", "val" or "" of the list that names an instance's picture."""
        for part in ("train", "val"):
            if instance.source == "pascal":
                names = self.voc.get(part, set())
            else:
                names = self.imagenet.get((CLASSES[instance.synset], part), set())
            if instance.image in names:
                return part
        return ""


def is_test_model(cads: Mapping[int, Cad], index: int) -> bool:
    """Whether the disjoint split tests on model `index` of a class: the 3rd, 6th and 9th.

    A model that is the same mesh as an earlier one goes where that one goes.

    Args:
        cads: Number to model, of the class.
        index: Number of the model.
    """
    first = min(number for number, cad in cads.items() if cad.key == cads[index].key)
    return first % _EVERY == 0


def make_splits(
    instances: Iterable[Instance], lists: Lists, cads: Mapping[str, Mapping[int, Cad]]
) -> dict[str, Split]:
    """All splits.

    Args:
        instances: The stored ones.
        lists: Which picture is on which list.
        cads: Class to its models.
    """
    splits: dict[str, Split] = {
        name: {"train": [], "val": [], "test": []}
        for name in ("disjoint", "imagenet", "pascal", "drc-like")
    }
    published = {"train": "train", "val": "test"}
    for instance in sorted(instances, key=lambda one: one.id):
        part = lists.part(instance)
        name = CLASSES[instance.synset]
        if is_test_model(cads[name], instance.cad_index):
            splits["disjoint"]["test"].append(instance.id)
        else:
            splits["disjoint"]["val" if part == "val" else "train"].append(instance.id)
        if part:
            split = splits["pascal" if instance.source == "pascal" else "imagenet"]
            split[published[part]].append(instance.id)
        if name in _DRC_CLASSES and not instance.truncated and not instance.occluded:
            if instance.source == "imagenet":
                splits["drc-like"]["train"].append(instance.id)
            elif part:
                splits["drc-like"][published[part]].append(instance.id)
    return splits


def shared_models(
    splits: Mapping[str, Split],
    instances: Mapping[str, Instance],
    cads: Mapping[str, Mapping[int, Cad]],
) -> dict[str, Any]:
    """Split name to how many meshes its test part shows, and how many of those its train part."""

    def keys(ids: Iterable[str]) -> set[tuple[str, str]]:
        found = set()
        for one in (instances[name] for name in ids):
            found.add((one.synset, cads[CLASSES[one.synset]][one.cad_index].key))
        return found

    result = {}
    for name, parts in splits.items():
        test = keys(parts["test"])
        seen = test & (keys(parts["train"]) | keys(parts["val"]))
        result[name] = {"test_models": len(test), "also_in_train": len(seen)}
    return result
