"""The lists that travel with the package against the public lists they were made from."""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchbench.core.errors import CheckError, UsageError
from benchbench.datasets import split_lists
from benchbench.datasets.split_lists import (
    cut_to_stored,
    lost_ids,
    pixel2mesh_test_views,
    split_list,
    split_list_names,
)

# Models a class in the order of synsets, and LSM's parts: the table of the specification.
MODELS = (4045, 1816, 1572, 7497, 6778, 1095, 2318, 1618, 2372, 3173, 8509, 1052, 1939)
LSM_TRAIN = (2831, 1271, 1100, 5247, 4744, 766, 1622, 1132, 1660, 2221, 5956, 736, 1357)
LSM_VAL = (404, 181, 157, 749, 677, 109, 231, 161, 237, 317, 850, 105, 193)
SIZES = {
    "r2n2-80-20": (35022, 0, 8762),
    "r2n2-70-10-20": (30638, 4384, 8762),
    "pixel2mesh": (35022, 0, 8762),
    "lsm": (30643, 4371, 8770),
}


def rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", split_list_names())
def test_sizes_and_parts(name: str) -> None:
    found = split_list(name)
    sizes = {part: len(ids) for part, ids in found.parts.items()}
    assert tuple(sizes.values()) == SIZES[name]
    assert sum(sizes.values()) == sum(MODELS) == 43784
    together = [id for ids in found.parts.values() for id in ids]
    assert len(set(together)) == 43784
    per_class = Counter(id.split("/")[0] for id in together)
    assert tuple(per_class[synset] for synset in sorted(per_class)) == MODELS
    assert found.source and found.note


def test_lsm_per_class() -> None:
    for part, expected in (("train", LSM_TRAIN), ("val", LSM_VAL)):
        counts = Counter(id.split("/")[0] for id in split_list("lsm").parts[part])
        assert tuple(counts[synset] for synset in sorted(counts)) == expected


def test_val_is_the_last_eighth_of_train() -> None:
    without, with_val = split_list("r2n2-80-20").parts, split_list("r2n2-70-10-20").parts
    assert with_val["test"] == without["test"]
    assert sorted(with_val["train"] + with_val["val"]) == sorted(without["train"])
    chairs = [id for id in without["train"] if id.startswith("03001627/")]
    assert [id for id in with_val["val"] if id in set(chairs)] == chairs[int(5422 * 0.875) :]
    assert len(with_val["train"]) == sum(int(int(n * 0.8) * 0.875) for n in MODELS) == 30638


def test_they_are_the_public_lists(shared: Path) -> None:
    table = rows(shared / "oracles" / "r2n2" / "splits" / "shapenet13_ids.csv.gz")
    lsm = rows(shared / "oracles" / "learn3d" / "lsm_splits.csv.gz")
    by_rule, by_views = split_list("r2n2-80-20").parts, split_list("pixel2mesh").parts
    for part in ("train", "test"):
        ids = {f"{r['synset']}/{r['model_id']}" for r in table if r["sorted_80_20"] == part}
        assert set(by_rule[part]) == ids
        ids = {
            f"{r['synset']}/{r['model_id']}"
            for r in table
            if bool(r["p2m_test_views"]) == (part == "test")
        }
        assert set(by_views[part]) == ids
    for part, ids in split_list("lsm").parts.items():  # in the published order, class by class
        for synset in {r["synset"] for r in lsm}:
            published = {
                int(r["index_in_list"]): f"{synset}/{r['model_id']}"
                for r in lsm
                if (r["synset"], r["split"]) == (synset, part)
            }
            ours = [id for id in ids if id.startswith(synset)]
            assert ours == [published[n] for n in range(len(published))]


def test_overlaps() -> None:
    # Two of the sets' test parts: 8,695 and 1,775 ids in common with the repository's rule.
    rule = set(split_list("r2n2-80-20").parts["test"])
    assert len(rule & set(split_list("pixel2mesh").parts["test"])) == 8695
    lsm = split_list("lsm").parts
    assert len(rule & set(lsm["test"])) == 1775
    # What the page of data sets says about training on one and testing on the other.
    assert len(rule & set(lsm["train"])) == 6113
    assert len(set(lsm["test"]) & set(split_list("r2n2-80-20").parts["train"])) == 6995


def test_views_of_pixel2mesh() -> None:
    counts = Counter(len(pixel2mesh_test_views(id)) for id in _some_of_pixel2mesh())
    assert counts[5] == 20 and sum(counts.values()) == 31  # and the eleven that are divided
    assert pixel2mesh_test_views(split_list("pixel2mesh").parts["train"][0]) == ()
    assert pixel2mesh_test_views("nothing") == ()
    views = [views for _, _, views in split_lists._rows() if views]
    assert sum(map(len, views)) == 43783  # lines of the published list


def _some_of_pixel2mesh() -> list[str]:
    whole = [id for id, _, views in split_lists._rows() if len(views) == 5][:20]
    divided = [id for id, _, views in split_lists._rows() if 0 < len(views) < 5]
    return whole + divided


def test_hash_is_that_of_a_store_with_all_ids() -> None:
    found = split_list("lsm")
    text = "".join(f"{id}\n" for id in sorted(found.parts["val"]))
    assert found.sha256["val"] == hashlib.sha256(text.encode()).hexdigest()
    assert len({one for name in split_list_names() for one in split_list(name).sha256.values()}) > 8


def test_alias_and_unknown_name() -> None:
    assert split_list("pix2vox") == split_list("lsm")
    with pytest.raises(UsageError, match="lsmm") as caught:
        split_list("lsmm")
    assert "'lsm'" in str(caught.value.hint)


def test_missing_ids_are_dropped_and_counted() -> None:
    lists = [split_list("lsm"), split_list("pixel2mesh")]
    test = [id for id in lists[0].parts["test"] if id in set(lists[1].parts["train"])][:3]
    val = lists[0].parts["val"][:1]
    splits, facts = cut_to_stored(lists, frozenset([*test, *val, "03001627/mine"]))
    assert splits["lsm"] == {"train": [], "val": val, "test": test}
    assert facts["lsm"]["missing"] == {"train": 30643, "val": 4370, "test": 8767}
    assert facts["lsm"]["unlisted"] == 1
    assert facts["lsm"]["sha256"] == lists[0].sha256
    line = lost_ids(facts)[0]
    parts = "0 of 30643 train, 1 of 4371 val, 3 of 8770 test"
    assert line == f"split lsm has {parts}; objects outside it: 1"


def test_whole_and_foreign_stores() -> None:
    lists = [split_list(name) for name in split_list_names()]
    ids = frozenset(id for part in lists[0].parts.values() for id in part)
    splits, facts = cut_to_stored(lists, ids)
    assert splits == {one.name: one.parts for one in lists}
    assert lost_ids(facts) == []
    assert cut_to_stored(lists, frozenset(["03001627/mine"])) == ({}, {})


@pytest.mark.parametrize("damage", ["cut", "byte", "other"])
def test_a_damaged_list_is_refused(monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    whole = (
        split_lists.resources.files("benchbench.datasets.lists") / split_lists.FILE
    ).read_bytes()
    data = {
        "cut": whole[:-9],
        "byte": whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:],
        "other": gzip.compress(b"synset,model,lsm,pixel2mesh_test_views\n"),
    }[damage]

    class Folder:
        def __truediv__(self, name: str) -> SimpleNamespace:
            return SimpleNamespace(read_bytes=lambda: data)

    monkeypatch.setattr(split_lists, "resources", SimpleNamespace(files=lambda _: Folder()))
    split_lists._rows.cache_clear()
    try:
        with pytest.raises(CheckError, match="list of ids"):
            split_list("lsm")
    finally:
        split_lists._rows.cache_clear()
