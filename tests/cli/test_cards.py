"""`bench list NAME` of a data set: every fact of the spec and the sidecar, unknown ones said so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchbench.cli.cards import card
from benchbench.cli.main import cli
from benchbench.datasets.registry import dataset_names, dataset_spec
from benchbench.datasets.spec import Archive, DatasetSpec, Licence

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


def test_unknown_facts_are_unknown(tmp_path: Path) -> None:
    shown = lines(card(BARE, "absent", [], tmp_path, "bench prepare bare"))
    assert shown["made by"] == shown["made from"] == ["unknown"]
    assert shown["renderer"] == shown["voxelisation"] == ["unknown"]
    assert shown["objects"] == ["unknown in 13 classes"]
    assert shown["size"] == ["unknown when prepared"]
    assert shown["pictures"] == ["'front' size unknown (not prepared)"]
    table = [line.split() for line in shown["splits"]]
    assert table[1:] == [["a", "not", "prepared"], ["b", "not", "prepared"]]
    assert shown["faults"] == ["- none known"]
    assert shown["cite"] == ["nobody"]
    assert shown["archives"] == ["nothing is fetched"]
    assert shown["prepare"] == ["bench prepare bare --from DIR"]


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
    rest = [row[0] for row in table[4:]]
    assert rest == list(dataset_spec("shapenet").splits)
    assert all(row[1:] == ["not", "prepared"] for row in table[4:])
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
    assert shown["pictures"] == ["'choy' size unknown (not prepared)"]
    assert "objects unknown" in shown["size"][0]
    assert shown["state"] == ["prepared"]
