"""objects.csv: the mean of each object over its views, and which objects are the same thing."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchbench.core.errors import InputError
from benchbench.core.files import sha256_file
from benchbench.evaluation.objects import (
    ObjectScores,
    read_objects,
    shared_units,
    write_objects,
)
from benchbench.evaluation.run import run
from benchbench.evaluation.scores import read_scores


def test_means_of_objects_as_loops(stubs: ModuleType, tiny_root: Path, tmp_path: Path) -> None:
    store = stubs.tiny_store(tiny_root)
    row = int(store.indices("test")[2])
    stubs.STUBS["stub"] = stubs.Stub(wrong={(row, 1): stubs.EMPTY})
    run(stubs.request(tiny_root, tmp_path), quiet=True)
    (folder,) = tmp_path.glob("*/stub-*")
    found = read_objects(folder / "objects.csv")
    assert list(found) == ["bench-iou-v1"]
    views: dict[str, list[float]] = {}
    for score in read_scores(folder / "scores.csv"):
        views.setdefault(score.object_id, []).append(score.value)
    one = found["bench-iou-v1"]
    assert list(one.values["iou"]) == [store.object_ids[r] for r in store.indices("test")]
    for object_id, values in views.items():
        assert one.values["iou"][object_id] == pytest.approx(sum(values) / 3, rel=1e-15)
        assert one.views[object_id] == 3
    assert one.failed == {store.object_ids[row]: 1}
    content = json.loads((folder / "result.json").read_text())
    assert content["hashes"]["objects"] == sha256_file(folder / "objects.csv")


class Twins:
    """As much of a store as is asked: five objects of two classes, all with voxels."""

    def __init__(self, grids: dict[str, Any], cad: dict[str, str]) -> None:
        self.object_ids = list(grids)
        self.voxel_kinds = ["kato"]
        self._grids, self._cad = list(grids.values()), cad

    def shared_mesh(self, row: int) -> str:
        return self._cad.get(self.object_ids[row], "")

    def voxels(self, row: int, kind: str) -> Any:
        return self._grids[row]


def test_the_same_thing_is_one_unit() -> None:
    import numpy as np

    one, two, none = (np.zeros((2, 2, 2), bool) for _ in range(3))
    one[0, 0, 0], two[1, 1, 1] = True, True
    grids = {"1/a": one, "1/b": two, "1/c": one, "2/d": one, "1/e": none, "1/f": none}
    store: Any = Twins(grids, {})
    # Equal voxels within a class; not across classes, and empty grids are equal to nothing.
    assert shared_units(store, list(grids)) == {"1/a": "1/a", "1/c": "1/a"}
    # A CAD model counts, whatever the voxels.
    store = Twins(grids, {"1/a": "x", "1/b": "x", "1/c": "y"})
    assert shared_units(store, list(grids)) == {"1/a": "1/a", "1/b": "1/a"}
    # Only what was scored.
    assert shared_units(store, ["1/a", "1/c"]) == {}


def test_written_and_read(tmp_path: Path) -> None:
    scores = ObjectScores(
        {"iou": {"1/a": 0.1 + 0.2, "1/b": 0.0, "1/c": 1e-300}, "ap": {"1/a": 1.0, "1/b": 0.5,
                                                                  "1/c": 0.25}},
        {"1/a": 2, "1/b": 2, "1/c": 1}, {"1/b": 2}, {"1/a": "1/a", "1/b": "1/a"},
    )  # fmt: skip
    write_objects(tmp_path / "o.csv", {"p-v1": scores, "q-v1": ObjectScores({})})
    assert read_objects(tmp_path / "o.csv") == {"p-v1": scores}


HEAD = "protocol,object,unit,views,failed,metric,value\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "wrong header"),
        ("a,b\n", "wrong header"),
        (HEAD + "p,1/a,1/a,1,0,iou,nan\n", "line 2: .*the value is nan"),
        (HEAD + "p,1/a,1/a,1,0,iou,1\np,1/a,1/a,1,0,iou,2\n", "line 3: .*second value"),
        (HEAD + "p,1/a,1/a,1,0,iou\n", "line 2"),
        (HEAD + "p,1/a,1/a,one,0,iou,1\n", "line 2"),
        (HEAD + "\udcff", "no score"),
    ],
)
def test_damaged_files(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "o.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=words):
        read_objects(tmp_path / "o.csv")
