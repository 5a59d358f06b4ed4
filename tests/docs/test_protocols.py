"""The page on protocols: it is what its script makes of the objects, and its numbers are theirs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from benchbench.protocols.families import PROTOCOLS
from benchbench.protocols.registry import get_protocol, refused_protocols

DOCS = Path(__file__).resolve().parents[2] / "docs"
# Measured again here: those that take milliseconds, of each family.
QUICK = {
    "Intersection over union": ("bench-iou-v1", "kato-iou-v1", "pix2vox-iou-v1", "lsm-iou-v1"),
    "F-score": ("bench-surface-v1", "p2m-v1", "atlasnet-v1", "what3d-fscore-v1"),
    "Distance": ("dibr-chamfer-v1", "p2m-v1", "meshrcnn-gt10-v1", "psgn-v1", "pix3d-chamfer-v1"),
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("docs_protocols", DOCS / "protocols.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shown() -> str:
    text = (DOCS / "protocols.md").read_text(encoding="utf-8")
    return text.partition("<!-- numbers -->\n")[2].partition("\n<!-- end -->")[0]


def test_the_page_is_up_to_date(script: ModuleType, shown: str) -> None:
    text = (DOCS / "protocols.md").read_text(encoding="utf-8")
    assert text == script.page(shown), "run: python docs/protocols.py"


def test_every_protocol_is_on_the_page_and_in_a_table(script: ModuleType, shown: str) -> None:
    text = script.page(shown)
    for spec in PROTOCOLS:
        assert f"\n### {spec.id}\n" in text
        assert spec.id in script.LEFT_OUT or f"\n| `{spec.id}` |" in shown
        for fact in spec.unconfirmed:
            assert fact.split()[0] in text.partition(f"### {spec.id}\n")[2].partition("\n### ")[0]
    for name, spec in refused_protocols().items():
        assert f"| `{name}` | {spec.title} | {spec.refused} |" in text


@pytest.mark.parametrize("family", list(QUICK))
def test_numbers_are_measured_again(script: ModuleType, shown: str, family: str) -> None:
    table = shown.partition(f"### {family}\n")[2].partition("\n### ")[0].splitlines()
    for name in QUICK[family]:
        assert script.row(get_protocol(name), family) in table, name


def test_numbers_for_people(script: ModuleType) -> None:
    found = [script.number(x) for x in (0.0004567, 230.06, 12345.0, 0.0, 1.0, 99.96, -0.5)]
    assert found == ["0.000457", "230", "12300", "0", "1.00", "100", "-0.500"]
