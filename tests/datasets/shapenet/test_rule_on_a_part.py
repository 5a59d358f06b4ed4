"""The repository's rule on a part of the archive is not the published list: said, and counted."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from benchbench.cli.main import cli
from benchbench.datasets.exporting import export, snug_solid
from benchbench.datasets.shapenet.prepare import RULES, moved_by_the_rule
from benchbench.datasets.split_lists import split_list
from benchbench.datasets.store import Store

PLANES, BENCHES = "02691156", "02828884"


def ids(split: str, part: str, synset: str) -> list[str]:
    return sorted(id for id in split_list(split).parts[part] if id.startswith(f"{synset}/"))


def prepare(root: Path, source: Path) -> tuple[str, Store]:
    line = ["prepare", "shapenet", "--from", str(source), "--root", str(root)]
    done = CliRunner().invoke(cli, line)
    assert done.exit_code == 0, done.stderr
    assert "another part" not in done.stdout
    return done.stderr, Store(root / "shapenet.h5")


def test_objects_that_change_their_part_are_counted(tmp_path: Path) -> None:
    first = ids("r2n2-70-10-20", "train", PLANES)[0]
    val = ids("r2n2-70-10-20", "val", PLANES)[0]
    tests = ids("r2n2-80-20", "test", PLANES)[-3:]
    names = [first, val, *tests, "03001627/mine"]
    solids = [snug_solid(name, "test", n) for n, name in enumerate(names)]
    source = export("shapenet", solids, tmp_path / "raw")
    told, store = prepare(tmp_path / "root", source)
    # Five planes: the first four are train, so two of the list's test ids are, too.
    assert [store.object_ids[n] for n in store.indices("test")] == [tests[2], "03001627/mine"]
    # With val: three are train, among them the list's val and one of its test ids; one is val.
    with_val = Store(store.path, "r2n2-70-10-20")
    assert [with_val.object_ids[n] for n in with_val.indices("val")] == [tests[1]]
    line = (
        "split r2n2-80-20 is the rule on the 6 model folders that are there, not the published "
        "list of 43,784 ids: 2 of 5 objects on that list are in another part than there; of "
        "r2n2-70-10-20: 3; fixed lists: --split pixel2mesh or --split lsm here, r2n2-80-20 of "
        "shapenet-core"
    )
    assert [one for one in told.splitlines() if "another part" in one] == [line]
    assert line in store.info["remarks"]  # and whoever opens the file finds it
    again = CliRunner().invoke(cli, ["prepare", "shapenet", "--root", str(tmp_path / "root")])
    assert again.exit_code == 0 and line in again.stderr.splitlines()


def test_a_set_with_no_id_of_the_list_contradicts_nothing(tmp_path: Path) -> None:
    solids = [snug_solid(f"{PLANES}/mine{n}", "test", n) for n in range(2)]
    told, store = prepare(tmp_path / "root", export("shapenet", solids, tmp_path / "raw"))
    assert "another part" not in told
    assert "remarks" not in store.info


def test_all_folders_and_all_but_one() -> None:
    folders: dict[str, list[str]] = {}
    for part in split_list("r2n2-80-20").parts.values():
        for id in part:
            synset, model = id.split("/")
            folders.setdefault(synset, []).append(model)
    whole = {name: rule(folders) for name, rule in RULES.items()}
    assert moved_by_the_rule(folders, whole) == []
    # 1,816 benches and 1,815 have int(0.8 n) = 1452 and int(0.875 * 1452) = 1270 alike: without
    # the first one, the next id moves up over either border.
    first = ids("r2n2-80-20", "train", BENCHES)[0]
    folders[BENCHES].remove(first.split("/")[1])
    (line,) = moved_by_the_rule(folders, {name: rule(folders) for name, rule in RULES.items()})
    assert ": 1 of 43,783 objects" in line
    assert "; of r2n2-70-10-20: 2; " in line
    # A folder without an object in the set counts for the rule all the same.
    none = {"train": [], "val": [], "test": []}
    (line,) = moved_by_the_rule(folders, dict.fromkeys(RULES, none))
    assert "the 43,783 model folders" in line and ": 0 of 0 objects" in line
