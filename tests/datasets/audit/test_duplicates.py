"""Equal objects, within and across the parts of splits."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np

from benchbench.datasets.audit.duplicates import find_sharing, find_twins
from benchbench.datasets.audit.objects import ObjectFacts
from benchbench.datasets.audit.run import audit_store


def slow_sharing(parts: dict[str, list[int]], keys: dict[int, bytes]) -> dict[tuple[str, str], set]:
    """Every pair of objects of different parts, compared."""
    names = list(parts)
    found: dict[tuple[str, str], set] = {}
    for n, first in enumerate(names):
        for second in names[n + 1 :]:
            for a in parts[first]:
                for b in parts[second]:
                    if keys.get(a) is not None and keys.get(a) == keys.get(b):
                        found.setdefault((first, second), set()).update({a, b})
    return found


def test_sharing_equals_its_slow_twin() -> None:
    rng = np.random.default_rng(3)
    keys = {row: bytes([int(rng.integers(12))]) for row in range(40)}
    facts = [ObjectFacts(row, grid_hashes={"a": key}) for row, key in keys.items()]
    order = rng.permutation(40).tolist()
    parts = {"train": order[:15], "val": order[15:20], "test": order[20:36]}
    twins = find_twins(facts)
    assert [kind.what for kind in twins] == ["voxels 'a'"]
    wanted = slow_sharing(parts, keys)
    found = find_sharing("s", parts, twins)
    assert {(s.first, s.second) for s in found} == set(wanted)
    for sharing in found:
        rows = wanted[sharing.first, sharing.second]
        assert sharing.of_first == len(rows & set(parts[sharing.first]))
        assert sharing.of_second == len(rows & set(parts[sharing.second]))
        assert sharing.different == len({keys[row] for row in rows})


def test_twins_of_every_kind(hand_made: ModuleType, tmp_path: Path) -> None:
    """Objects 0, 2, 4, 6 are train, 1, 5 val, 3, 7 test."""
    items = hand_made.records()
    items[3] = hand_made.change(items[3], voxels=items[2].voxels)  # equal grids, other pictures
    items[7] = hand_made.change(items[7], images=items[5].images)
    items[6] = hand_made.change(items[6], mesh=items[4].mesh)
    items[1] = hand_made.change(items[1], identity=b"x" * 32)
    items[0] = hand_made.change(items[0], identity=b"x" * 32)
    path = hand_made.write(tmp_path, items)
    report = audit_store(path, workers=1)
    ids = [item.id for item in items]
    content = report.as_dict()
    groups = {entry["what"]: entry["groups"] for entry in content["duplicates"]}
    assert groups == {
        "voxels 'cells'": [[ids[2], ids[3]]],
        "pictures 'kato'": [[ids[5], ids[7]]],
        "meshes": [[ids[4], ids[6]]],
        "identities": [[ids[0], ids[1]]],
    }
    shared = {(s["what"], s["first"], s["second"]): s for s in content["shared"]}
    assert set(shared) == {
        ("voxels 'cells'", "train", "test"),
        ("pictures 'kato'", "val", "test"),
        ("identities", "train", "val"),
    }
    sentence = shared["voxels 'cells'", "train", "test"]["sentence"]
    assert sentence == (
        "split half: train and test share their voxels 'cells': 1 of 2 test objects have one that "
        "a train object has too (1 of 4 train objects, 1 different)"
    )
    assert sentence in report.table()


def test_shared_cad_models_come_out_as_a_sentence(hand_made: ModuleType, tmp_path: Path) -> None:
    items = hand_made.records()
    keys = ["a", "a", "b", "a", "b", "c", "d", "e"]  # 0 2 4 6 train, 1 5 val, 3 7 test
    items = [
        hand_made.change(item, mesh=None, shared_mesh=key)
        for item, key in zip(items, keys, strict=True)
    ]
    meshes = {key: hand_made.surface(hand_made.arms(n)) for n, key in enumerate("abcde")}
    splits = {
        "given": hand_made.ids(items),
        "disjoint": {"train": [items[n].id for n in (0, 1, 3)], "test": [items[2].id, items[4].id]},
    }
    path = hand_made.write(tmp_path, items, splits, shared_meshes=meshes)
    report = audit_store(path, workers=1)
    assert [kind.what for kind in report.twins] == ["CAD models"]
    assert [sharing.sentence() for sharing in report.sharing] == [
        "split given: train and val share their CAD models: 1 of 2 val objects have one that a "
        "train object has too (1 of 4 train objects, 1 different)",
        "split given: train and test share their CAD models: 1 of 2 test objects have one that a "
        "train object has too (1 of 4 train objects, 1 different)",
        "split given: val and test share their CAD models: 1 of 2 test objects have one that a "
        "val object has too (1 of 2 val objects, 1 different)",
    ]
    # the disjoint split leaves three objects out
    assert report.splits["disjoint"]["none"]["objects"] == 3
    assert "none" not in report.splits["given"]


def test_empty_things_are_nobodys_twins(hand_made: ModuleType, tmp_path: Path) -> None:
    items = hand_made.records()
    for number in (1, 4):
        nothing = np.zeros_like(items[number].images["kato"])
        items[number] = hand_made.change(
            items[number],
            images={"kato": nothing},
            voxels={"cells": np.zeros((32, 32, 32), bool)},
        )
    report = audit_store(hand_made.write(tmp_path, items), workers=1)
    assert report.twins == ()
    assert len(report.errors) == 2
