"""`bench prepare NAME --audit` as a user types it: exit code, stdout and stderr."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner, Result

from benchbench.cli.main import cli


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def prepared(hand_made: ModuleType, root: Path, broken: bool = False, blocks: bool = False) -> None:
    items = hand_made.records()
    if broken:
        empty = np.zeros((32, 32, 32), bool)
        items[2] = hand_made.change(items[2], voxels={"cells": empty})
    if blocks:
        cells = items[3].voxels["cells"].copy()
        cells[2:4, 6, 10] = False
        items[3] = hand_made.change(items[3], voxels={"cells": cells})
    hand_made.write(root, items, name="shapenet")


def test_nothing_wrong(hand_made: ModuleType, tmp_path: Path) -> None:
    prepared(hand_made, tmp_path)
    result = bench("prepare", "shapenet", "--audit", "--root", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("shapenet@")  # the audit is the answer, not what is prepared
    assert "nothing found that is wrong" in result.stdout
    assert f"8 objects: {tmp_path / 'shapenet.h5'}" in result.stderr
    assert "next:" not in result.stderr
    assert "can this set tell methods apart" not in result.stdout  # this set has no such audit
    assert "error" not in result.stderr


def test_warnings_leave_the_exit_code(hand_made: ModuleType, tmp_path: Path) -> None:
    prepared(hand_made, tmp_path, blocks=True)
    result = bench("prepare", "shapenet", "--audit", "--root", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert "warning  voxel grids with sealed cavities" in result.stdout


def test_errors_are_five_and_name_what_to_type(hand_made: ModuleType, tmp_path: Path) -> None:
    prepared(hand_made, tmp_path, broken=True)
    result = bench("prepare", "shapenet", "--audit", "--root", tmp_path, "-q")
    assert result.exit_code == 5
    assert "02691156/m2" in result.stdout
    assert result.stderr == (
        "error: 'shapenet' has faults that make numbers wrong: empty voxel grids: 1 objects\n"
        f"hint: all of them by id: bench prepare shapenet --root {tmp_path} --audit --json\n"
    )
    result = bench("prepare", "shapenet", "--audit", "--root", tmp_path, "-q", "--json")
    assert result.exit_code == 5
    audit = json.loads(result.stdout)["prepared"][0]["audit"]
    assert (audit["passed"], audit["set"]) == (False, None)
    (finding,) = audit["store"]["findings"]
    assert finding == {
        "level": "error",
        "check": "empty voxel grids",
        "count": 1,
        "objects": [["02691156/m2", "'cells' 0 of 32768 cells"]],
    }


def test_ids_are_bounded_in_the_table_only(
    hand_made: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [
        hand_made.change(item, voxels={"cells": np.zeros((32, 32, 32), bool)})
        for item in hand_made.records()
    ]
    hand_made.write(tmp_path, items, name="shapenet")
    result = bench("prepare", "shapenet", "--audit", "--root", tmp_path, "-q")
    assert "and 5 more" in result.stdout and "03001627/m7" not in result.stdout
    result = bench("prepare", "shapenet", "--audit", "--root", tmp_path, "-q", "--json")
    (finding,) = json.loads(result.stdout)["prepared"][0]["audit"]["store"]["findings"]
    assert [name for name, _ in finding["objects"]] == [item.id for item in items]


def test_the_sets_own_audit_comes_after(
    hand_made: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(hand_made, tmp_path)
    (tmp_path / "shapenet.h5").rename(tmp_path / "shapes13.h5")
    from benchbench.datasets import registry
    from benchbench.datasets.spec import PrepareReport

    report = PrepareReport(tmp_path / "shapes13.h5", {"objects": 8})
    monkeypatch.setattr(registry, "prepare", lambda *_args, **_options: report)
    answer = {"passed": False, "table": "a table\ndemand no", "rows": []}
    monkeypatch.setattr(registry, "audit", lambda _name, _path: answer)
    result = bench("prepare", "shapes13", "--audit", "--root", tmp_path, "-q")
    assert result.exit_code == 5
    assert result.stdout.index("nothing found") < result.stdout.index("demand no")
    assert result.stderr == (
        "error: the audit found limits exceeded\nhint: see the lines marked 'no'\n"
    )
    result = bench("prepare", "shapes13", "--audit", "--root", tmp_path, "-q", "--json")
    audit = json.loads(result.stdout)["prepared"][0]["audit"]
    assert audit["set"] == {"passed": False, "rows": []}
    assert audit["store"]["passed"] and not audit["passed"]
