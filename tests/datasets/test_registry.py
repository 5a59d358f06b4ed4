"""Names, states and the promise that listing loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import benchbench.datasets
from benchbench.core.errors import UsageError
from benchbench.datasets import registry


def test_listing_is_light() -> None:
    code = (
        "import sys, benchbench.datasets.registry as r\n"
        "[(r.dataset_spec(n), r.state(n), r.sidecars(n)) for n in r.dataset_names()]\n"
        "heavy = {'numpy', 'h5py', 'torch', 'pandas', 'PIL'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_specs_agree_with_their_names() -> None:
    for name in registry.dataset_names():
        spec = registry.dataset_spec(name)
        assert spec.id == name
        assert spec.stores
        assert spec.splits
        assert spec.licence.text
        assert spec.truth in ("mesh", "voxels", "points")


def test_what_a_person_does_is_said_once() -> None:
    # Where the file goes and what is typed then is added by the one who tells it.
    for name in registry.dataset_names():
        for archive in registry.dataset_spec(name).archives:
            assert archive.mirrors or archive.by_hand
            assert "bench" not in archive.by_hand and "save" not in archive.by_hand


def test_unknown_names() -> None:
    with pytest.raises(UsageError) as caught:
        registry.dataset_spec("shapnet")
    assert "shapenet" in str(caught.value.hint)
    with pytest.raises(UsageError, match="size 'dmeo'"):
        registry.prepare("shapes13", size="dmeo")


def test_states(tmp_path: Path) -> None:
    assert registry.state("shapenet", tmp_path) == "absent"
    archives = tmp_path / "archives" / "shapenet"
    archives.mkdir(parents=True)
    (archives / ".ShapeNetVox32.tgz.lock").touch()
    assert registry.state("shapenet", tmp_path) == "absent"
    (archives / "ShapeNetVox32.tgz.part").touch()
    assert registry.state("shapenet", tmp_path) == "partial"
    (tmp_path / "shapenet.json").write_text("{}")
    assert registry.sidecars("shapenet", tmp_path) == []  # a sidecar without its file is nothing


def test_lazy_names() -> None:
    for name in benchbench.datasets.__all__:
        assert getattr(benchbench.datasets, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Stoer'"):
        _ = benchbench.datasets.Stoer
