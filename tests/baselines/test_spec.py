"""Names, settings as typed, and that looking at specs loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import pytest

from benchbench.baselines import get_spec, list_baselines, load_baseline
from benchbench.baselines.kato.spec import KatoOptions
from benchbench.baselines.spec import apply_settings
from benchbench.core.errors import UsageError


@dataclass(frozen=True)
class Everything:
    count: int = 1
    rate: float = 0.5
    flag: bool = False
    word: str = "a"
    widths: tuple[int, ...] = (1, 2)
    maybe: int | None = None


def test_every_type_is_parsed() -> None:
    words = ["count=1e3", "rate=2", "flag=yes", "word=b", "widths=3,4,5", "maybe=7"]
    assert apply_settings(Everything(), words) == Everything(1000, 2.0, True, "b", (3, 4, 5), 7)
    assert apply_settings(Everything(maybe=3), ["maybe=none"]).maybe is None
    assert apply_settings(Everything(), {"widths": [9], "rate": 1}).widths == (9,)
    assert apply_settings(KatoOptions(), ["learning-rate=1e-3"]).learning_rate == 1e-3


@pytest.mark.parametrize(
    "word", ["count=1.5", "count=x", "count=inf", "rate=nan", "flag=perhaps", "widths=1,b"]
)
def test_wrong_types_are_refused_by_name(word: str) -> None:
    name, _, value = word.partition("=")
    with pytest.raises(UsageError, match=f"'{name}'.*'{value}'") as caught:
        apply_settings(Everything(), [word])
    assert caught.value.exit_code == 2


def test_unknown_setting_offers_the_nearest() -> None:
    with pytest.raises(UsageError, match="'learning_rat'") as caught:
        apply_settings(KatoOptions(), ["learning_rat=1"])
    assert "learning_rate" in str(caught.value.hint)
    with pytest.raises(UsageError, match="no setting"):
        apply_settings(KatoOptions(), ["steps"])


def test_unknown_baseline_offers_the_nearest() -> None:
    with pytest.raises(UsageError, match="'katoo'") as caught:
        get_spec("katoo")
    assert "kato" in str(caught.value.hint)
    with pytest.raises(UsageError, match="block_sise"):
        load_baseline("kato", block_sise=3)


def test_specs_point_at_what_exists() -> None:
    import importlib

    for spec in list_baselines():
        for reference in filter(None, (spec.loader, spec.trainer, spec.options)):
            module, _, name = reference.partition(":")
            assert callable(getattr(importlib.import_module(module), name))
        assert spec.parameters() == spec.parameters()


def test_every_preset_fits_its_trainer() -> None:
    import importlib

    for spec in list_baselines():
        if spec.options is None:
            assert not spec.presets
            continue
        module, _, name = spec.options.partition(":")
        options = getattr(importlib.import_module(module), name)()
        assert spec.presets
        for values in spec.presets.values():
            made = apply_settings(options, values)
            assert {key: getattr(made, key) for key in values} == dict(values)


def test_katos_recipes_are_those_of_his_script() -> None:
    presets = get_spec("kato").presets
    assert apply_settings(KatoOptions(), presets["multi-class"]).steps == 1_000_000
    chair = apply_settings(KatoOptions(), presets["single-class-chair"])
    assert (chair.classes, chair.steps, chair.smoothness) == ("03001627", 250_000, 0.001)
    assert (chair.batch, chair.learning_rate, chair.reduce_at) == (64, 1e-4, 0.95)
    single = {n: v["steps"] for n, v in presets.items() if n.startswith("single-class-")}
    assert len(single) == 13 and sum(single.values()) == 1_100_000
    assert single["single-class-cabinet"] == 40_000 and single["single-class-rifle"] == 130_000


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from benchbench.baselines import list_baselines; list_baselines();"
        "print([m for m in ('torch', 'numpy', 'h5py', 'pandas') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
