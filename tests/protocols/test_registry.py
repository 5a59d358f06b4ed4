"""The registry: light, complete, and helpful with typing errors."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace

import pytest

from benchbench.core.errors import UsageError
from benchbench.protocols.registry import (
    ALIASES,
    default_protocols,
    get_protocol,
    load_scorer,
    named_grid,
    protocols,
    refused_protocols,
    resolve_metric,
    unmet,
)
from benchbench.protocols.specs import ProtocolSpec

TWELVE = (
    "data", "views_rule", "frame", "alignment", "compared", "sampling", "distance", "combination",
    "thresholds", "reporting", "averaging", "failures",
)  # fmt: skip


@pytest.mark.parametrize("name", list(protocols()))
def test_every_protocol_is_complete(name: str) -> None:
    spec = get_protocol(name)
    assert name.rpartition("-v")[2].isdigit(), "the version is part of the id"
    for field in (*TWELVE, "paper", "reference", "title"):
        assert getattr(spec, field), field
    assert callable(load_scorer(spec))
    assert spec.views in ("all", "first", "any")
    assert len({m.name for m in spec.metrics}) == len(spec.metrics)
    for metric in spec.metrics:
        # The penalty is the bad end of the scale: 0, or -1 where the original gives that.
        assert metric.penalty in (0.0, -1.0) if metric.higher_is_better else metric.penalty > 0
        assert metric.formula and metric.unit and metric.title


@pytest.mark.parametrize("name", list(refused_protocols()))
def test_what_cannot_be_computed_is_refused_with_the_reason(name: str) -> None:
    spec = refused_protocols()[name]
    assert name not in protocols() and spec.refused and not spec.scorer
    for field in (*TWELVE, "paper", "reference", "title"):
        assert getattr(spec, field), field
    for ask in (get_protocol, resolve_metric):
        with pytest.raises(UsageError) as caught:
            ask(name)
        assert str(caught.value) == f"{name} cannot be computed again: {spec.refused}"
        hint = f"--protocol {spec.instead}" if spec.instead else f"bench list {name}"
        assert caught.value.hint == hint
    assert not spec.instead or spec.instead in protocols()


def test_the_twelve_fields_are_fields() -> None:
    assert set(TWELVE) <= {f.name for f in fields(ProtocolSpec)}


def test_house_protocols_are_the_defaults() -> None:
    assert default_protocols(True, []) == ["bench-iou-v1", "bench-surface-v1"]
    assert default_protocols(False, ["binvox"]) == ["bench-iou-v1", "voxel-surface-v1"]
    # The noise floor of dibr-chamfer-v1 is more than half its published values.
    assert all("dibr" not in name for name in default_protocols(True, ["kato", "binvox"]))
    assert default_protocols(True, ["kato"], ["kato-iou-v1", "r2n2-iou-v1"])[2:] == ["kato-iou-v1"]


def test_aliases_point_at_metrics() -> None:
    for choices in ALIASES.values():
        for protocol, metric in choices:
            assert get_protocol(protocol).metric(metric)


def test_unknown_names_offer_near_ones() -> None:
    for typed, offered in (("chanfer", "chamfer"), ("kato-iou", "kato-iou-v1")):
        with pytest.raises(UsageError) as caught:
            resolve_metric(typed)
        assert f"'{typed}'" in str(caught.value) and f"'{offered}'" in str(caught.value.hint)
    with pytest.raises(UsageError) as caught:
        resolve_metric("r2n2-iou-v1:app")
    assert "'ap'" in str(caught.value.hint)
    with pytest.raises(UsageError, match="no part 'ap'"):
        resolve_metric("iou:ap")
    with pytest.raises(UsageError, match="unknown protocol"):
        get_protocol("nothing like it")


def test_unmet() -> None:
    assert unmet(get_protocol("r2n2-iou-v1"), True, ["kato"]) == "voxel grids of kind 'binvox'"
    either = replace(get_protocol("r2n2-iou-v1"), truth="voxels:vpl|lsm")
    assert unmet(either, True, ["lsm"]) is None and named_grid(either, ["lsm", "vpl"]) == "vpl"
    assert unmet(either, True, ["kato"]) == "voxel grids of kind 'vpl' or 'lsm'"
    assert unmet(get_protocol("bench-surface-v1"), False, ["kato"]) == "meshes"
    assert unmet(get_protocol("bench-iou-v1"), False, []) == "meshes or voxel grids"
    assert unmet(get_protocol("voxel-surface-v1"), True, []) == "voxel grids"


def test_points_are_a_truth_of_their_own() -> None:
    assert unmet(get_protocol("dibr-chamfer-v1"), False, ["kato"]) == "meshes or clouds of points"
    assert unmet(get_protocol("dibr-chamfer-v1"), False, [], True) is None
    assert unmet(get_protocol("bench-surface-v1"), False, [], True) == "meshes"
    assert default_protocols(False, [], ["kato-iou-v1"], True) == ["dibr-chamfer-v1"]
    assert default_protocols(False, ["kato"], [], True) == ["bench-iou-v1", "voxel-surface-v1"]
    assert default_protocols(False, []) == []


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from benchbench.protocols.registry import protocols, resolve_metric;"
        "protocols(); resolve_metric('chamfer');"
        "heavy = {'numpy', 'torch', 'h5py', 'pandas', 'scipy'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
