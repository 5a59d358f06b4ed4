"""`bench list NAME` of a data set: every fact of the spec and the sidecar, unknown ones said so."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchbench.cli.cards import card
from benchbench.cli.main import cli
from benchbench.datasets.registry import dataset_names, dataset_spec
from benchbench.datasets.shapenet_core.convert import layout
from benchbench.datasets.shapenet_lsm.prepare import split_lists
from benchbench.datasets.shapes13.prepare import members, object_id
from benchbench.datasets.spec import (
    Archive,
    DatasetSpec,
    Licence,
    PictureSize,
    SplitFacts,
    VoxelSize,
)
from benchbench.datasets.split_lists import split_list, split_list_names
from benchbench.datasets.store_format import SPLITS, split_hash

BARE = DatasetSpec(
    id="bare",
    title="a set nobody knows anything of",
    licence=Licence("none", "https://example.org", "No terms."),
    prepare="x:y",
    stores=("bare",),
    renderings=("front",),
    splits=("a", "b"),
)


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def lines(text: str) -> dict[str, list[str]]:
    """Label to its lines."""
    found: dict[str, list[str]] = {}
    label = ""
    for line in text.splitlines()[2:]:
        label = line[:14].strip() or label
        found.setdefault(label, []).append(line[14:].rstrip())
    return found


def cells(table: list[str]) -> list[list[str]]:
    """The cells of each line that are not empty."""
    return [re.split(" {2,}", line.strip()) for line in table]


def test_unknown_facts_are_unknown(tmp_path: Path) -> None:
    shown = lines(card(BARE, "absent", [], tmp_path, "bench prepare bare"))
    assert shown["made by"] == shown["made from"] == ["unknown"]
    assert shown["renderer"] == shown["voxelisation"] == ["unknown"]
    assert shown["objects"] == ["unknown in 13 classes"]
    assert shown["size"] == ["unknown when prepared"]
    assert shown["pictures"] == ["'front' size unknown (not prepared)"]
    assert cells(shown["splits"])[1:] == [[name, "unknown until it is prepared"] for name in "ab"]
    assert shown["faults"] == ["- none known"]
    assert shown["cite"] == ["nobody"]
    assert shown["archives"] == ["nothing is fetched"]
    assert shown["prepare"] == ["bench prepare bare --from DIR"]


@pytest.mark.parametrize("page", ["README.md", "docs/datasets.md"])
def test_tables_say_the_command_that_the_card_says(page: str, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / page).read_text()
    said = dict(re.findall(r"^\| `([^`]+)` \|.*\| `(bench prepare [^`]+)` \|$", text, re.MULTILINE))
    assert said.keys() == set(dataset_names())
    for name in dataset_names():
        spec = dataset_spec(name)
        shown = lines(card(spec, "absent", [], tmp_path, f"bench prepare {name}"))["prepare"]
        assert shown[0].split("  (")[0] == said[name]


def test_terms_are_one_paragraph(tmp_path: Path) -> None:
    terms = Licence("none", "https://example.org", "Research only,\nno warranty.")
    shown = lines(card(DatasetSpec(**{**vars(BARE), "licence": terms}), "absent", [], tmp_path, ""))
    assert shown["licence"] == ["none, https://example.org", "Research only, no warranty."]


def test_points_have_no_voxels(tmp_path: Path) -> None:
    spec = DatasetSpec(**{**vars(BARE), "truth": "points"})
    absent = lines(card(spec, "absent", [], tmp_path, "bench prepare bare"))
    (tmp_path / "bare.h5").write_bytes(b"x")
    prepared = lines(card(spec, "prepared", [{"id": "bare"}], tmp_path, "bench prepare bare"))
    assert absent["voxels"] == prepared["voxels"] == ["none"]
    unknown = lines(card(BARE, "absent", [], tmp_path, "bench prepare bare"))
    assert unknown["voxels"] == ["size unknown (not prepared)"]


def test_what_is_fixed_is_known_before_anything_is_prepared(tmp_path: Path) -> None:
    spec = DatasetSpec(
        **{
            **vars(BARE),
            "renderings": ("front", "side"),
            "pictures": ("front", "back"),
            "picture_sizes": (PictureSize("front", 5, 4, "depth"), PictureSize("back", 7, 6)),
            "voxel_sizes": (VoxelSize("solid", 8),),
            "splits": ("a", "b", "c"),
            "split_facts": (
                SplitFacts("a", "a list", "it means so.", (1200, "0" * 64), (0, "1" * 64)),
                SplitFacts("b", "only with your file"),
                SplitFacts("a", "the small one", test=(3, "2" * 64)),
                SplitFacts("other", "of no split", "never shown."),
            ),
        }
    )
    shown = lines(card(spec, "absent", [], tmp_path, ""))
    assert shown["pictures"] == [
        "'front' 5x4 depth",
        "'side' size unknown (not prepared)",
        "'back' 7x6 rgba (with --pictures back)",
    ]
    assert shown["voxels"] == ["'solid' 8^3"]
    assert cells(shown["splits"])[1:] == [
        ["a", "train", "1,200", "0" * 12, "a list"],
        ["val", "0", "1" * 12, "a list"],
        ["a", "test", "3", "2" * 12, "the small one"],
        ["b", "only with your file"],
        ["c", "unknown until it is prepared"],
        ["a list: it means so."],
    ]
    # What is prepared replaces it, and what was left out is said to be.
    part = {"count": 2, "sha256": "f" * 64}
    note = {
        "id": "bare",
        "renderings": [{"name": "front", "width": 9, "height": 8, "mode": "rgba"}],
        "voxel_kinds": [{"name": "solid", "resolution": 16}],
        "splits": {"a": dict.fromkeys(SPLITS, part)},
    }
    (tmp_path / "bare.h5").write_bytes(b"x")
    shown = lines(card(spec, "prepared", [note], tmp_path, ""))
    assert shown["pictures"] == ["'front' 9x8 rgba", "'side' size unknown (not prepared)"]
    assert shown["voxels"] == ["'solid' 16^3"]
    assert [line.split()[0] for line in shown["splits"][1:]] == ["a", "val", "test", "b", "c"]
    note["renderings"] = []
    shown = lines(card(spec, "prepared", [note], tmp_path, ""))
    assert shown["pictures"][0] == "'front' 5x4 depth (not prepared)"


def test_an_absent_set_shows_counts_and_hashes_of_its_lists(tmp_path: Path) -> None:
    result = bench("list", "shapenet", "--root", tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    shown = lines(result.stdout)
    assert shown["pictures"] == ["'choy' 137x137 rgba"]
    assert shown["voxels"] == ["'binvox' 32^3"]
    table = cells(shown["splits"])
    for name, where in zip(
        dataset_spec("shapenet").splits,
        2 * ["rule on all 43,784 ids"] + 2 * ["list in this package"],
        strict=True,
    ):
        first = next(n for n, row in enumerate(table) if row[0] == name)
        rows = [table[first][1:], *table[first + 1 : first + 3]]
        found = split_list(name)
        for row, part in zip(rows, SPLITS, strict=True):
            count, digest = f"{len(found.parts[part]):,}", found.sha256[part][:12]
            assert row == [part, count, digest, where]
    text = " ".join(result.stdout.split())
    assert "maybe fewer, with counts and a hash of their own" in text
    own = bench("list", "shapenet-lsm", "--root", tmp_path).stdout
    for name in ("splits", "splits1", "splits2"):
        assert f"only with a {name}.json of your own" in own
    assert "not prepared" not in own


def _layout(name: str) -> Any:
    if name == "shapenet-core":
        return layout(dataset_spec(name).pictures)
    module = importlib.import_module(dataset_spec(name).prepare.split(":")[0])
    return module.LAYOUT if name == "shapes13" else module.CONVERTER.layout


@pytest.mark.parametrize("name", dataset_names())
def test_sizes_are_those_that_preparing_stores(name: str) -> None:
    spec, stored = dataset_spec(name), _layout(name)
    assert {one.name: (one.width, one.height, one.mode) for one in spec.picture_sizes} == {
        key: (one.width, one.height, one.mode) for key, one in stored.renderings.items()
    }
    assert {one.name: one.resolution for one in spec.voxel_sizes} == {
        key: one.resolution for key, one in stored.voxel_kinds.items()
    }


def test_facts_of_splits_are_those_of_the_lists() -> None:
    lists = {name: split_list(name) for name in split_list_names()}
    lists |= {one.name: one for one in split_lists({})}
    seen: dict[str, int] = {}
    for spec in map(dataset_spec, dataset_names()):
        for facts in spec.split_facts:
            assert facts.name in spec.splits
            told = {part: getattr(facts, part) for part in SPLITS}
            if facts.name in lists:
                one = lists[facts.name]
                assert told == {p: (len(one.parts[p]), one.sha256[p]) for p in SPLITS}
            elif spec.id == "shapes13":
                size = facts.known_from.removeprefix("--size ")
                ids = {p: [object_id(*i) for i in found] for p, found in members(size).items()}
                assert told == {p: (len(ids[p]), split_hash(ids[p])) for p in SPLITS}
            else:
                assert told == dict.fromkeys(SPLITS)
            seen[facts.name] = seen.get(facts.name, 0) + 1
    assert {name: seen[name] for name in lists} == {
        "r2n2-80-20": 2, "r2n2-70-10-20": 2, "pixel2mesh": 2, "lsm": 4,
        "lsm-splits1": 1, "lsm-splits2": 1,
    }  # fmt: skip
    assert seen["shapes13"] == 2


def test_a_card_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from benchbench.cli.main import cli\n"
        f"cli(['list', 'shapenet', '--root', {str(tmp_path)!r}], standalone_mode=False)\n"
        "sys.exit(' '.join({'numpy', 'h5py', 'torch', 'PIL'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_archives_by_mirror_and_by_hand(tmp_path: Path) -> None:
    spec = DatasetSpec(
        **{
            **vars(BARE),
            "archives": (
                Archive("a.zip", ("http://a", "http://b"), bytes=3 << 30, sha256="ab" * 32),
                Archive("b.zip", (), about_bytes=3 << 30, md5="cd" * 16, by_hand="open c"),
                Archive("c.zip", ("http://c",)),
            ),
        }
    )
    shown = lines(card(spec, "absent", [], tmp_path, "bench prepare bare"))
    assert shown["archives"] == [
        "a.zip, 3.0 GiB",
        f"sha256 {'ab' * 32}",
        "from http://a",
        "from http://b",
        "b.zip, about 3.0 GiB",
        f"md5 {'cd' * 16}",
        "fetched by hand",
        "by hand: open c",
        "c.zip, size unknown",
        "sha256 unknown",
        "from http://c",
    ]
    assert shown["prepare"] == ["bench prepare bare --from DIR"]  # one must be fetched by hand


@pytest.mark.parametrize("name", dataset_names())
def test_every_set_has_a_card(name: str, tmp_path: Path) -> None:
    result = bench("list", name, "--root", tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    spec = dataset_spec(name)
    text = " ".join(result.stdout.split())
    assert result.stdout.startswith(f"{name}: {spec.title}\n")
    facts = [spec.made_by, spec.release, spec.renderer, spec.voxelisation, spec.licence.name]
    for fact in [*facts, spec.licence.url, *spec.licence.cite, *spec.faults, *spec.splits]:
        assert " ".join((fact or "unknown").split()) in text
    assert f"bench prepare {name} --root {tmp_path}" in text
    assert "None" not in text
    # Words are wrapped, but an address may be longer than a line.
    long = [line for line in result.stdout.splitlines()[1:] if len(line) > 100]
    assert all("http" in line or str(tmp_path) in line for line in long)


def note(**changes: Any) -> dict[str, Any]:
    part = {"count": 1200, "sha256": "0123456789abcdef"}
    return {
        "id": "shapenet", "objects": 3600, "default_split": "b",
        "renderings": [{"name": "choy", "width": 137, "height": 120, "mode": "rgba", "title": "t"},
                       {"name": "depth", "width": 5, "height": 4, "mode": "depth", "title": ""}],
        "voxel_kinds": [{"name": "binvox", "resolution": 32, "title": "solid"}],
        "splits": {"b": {"train": part, "val": {**part, "count": 0}, "test": part}},
        **changes,
    }  # fmt: skip


def test_what_is_prepared_comes_from_the_sidecar(tmp_path: Path) -> None:
    (tmp_path / "shapenet.h5").write_bytes(b"x" * (3 << 20))
    (tmp_path / "shapenet.json").write_text(json.dumps(note()))
    result = bench("list", "shapenet", "--root", tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    shown = lines(result.stdout)
    assert shown["pictures"] == ["'choy' 137x120 rgba: t", "'depth' 5x4 depth"]
    assert shown["voxels"] == ["'binvox' 32^3: solid"]
    table = [line.split() for line in shown["splits"]]
    assert table[1] == ["b", "(default)", "train", "1,200", "0123456789ab", "shapenet"]
    assert table[2] == ["val", "0", "0123456789ab", "shapenet"]
    assert table[3] == ["test", "1,200", "0123456789ab", "shapenet"]
    rest = [row[0] for row in table[4:] if row[1:2] == ["train"]]
    assert rest == list(dataset_spec("shapenet").splits)
    assert shown["size"] == [f"3.0 MiB, 3,600 objects: {tmp_path}/shapenet.h5"]
    assert shown["state"] == ["prepared"]


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        "[]",
        json.dumps({"id": "shapenet"}),
        json.dumps(note(splits={"b": {"train": 1}})),
        json.dumps(note(splits=[1])),
        json.dumps(note(renderings=[{"name": "choy"}])),
        json.dumps(note(renderings=7)),
        json.dumps(note(objects="many")),
        json.dumps(note(voxel_kinds=[[]])),
    ],
)
def test_a_broken_sidecar_is_not_believed(tmp_path: Path, content: str) -> None:
    (tmp_path / "shapenet.h5").write_bytes(b"x")
    (tmp_path / "shapenet.json").write_text(content)
    result = bench("list", "shapenet", "--root", tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    shown = lines(result.stdout)
    assert shown["pictures"] == ["'choy' 137x137 rgba"]  # the spec's, not the sidecar's
    assert "objects unknown" in shown["size"][0]
    assert shown["state"] == ["prepared"]
