"""The page on size: its tables are what its script prints, and its arithmetic is right."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("docs_scale", DOCS / "scale.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_page_shows_what_the_script_prints(script: ModuleType) -> None:
    page = (DOCS / "scale.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- tables -->\n")[2].partition("\n<!-- end -->")[0]
    assert shown.strip() == script.tables()


def test_hand_computed(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {
        "converted objects a second and core": 10.0,
        "parent's milliseconds an object, unpacked": 5.0,
        "parent's milliseconds an object, .tgz": 20.0,
        "store bytes an object": 1000.0,
        "bytes a second put together": 500.0,
    }
    monkeypatch.setattr(script, "RATES", rates)
    # 100 objects: 2 cores make 20 a second, 5 s; putting 100,000 bytes together takes 200 s.
    assert script.prepare(100, 2, folder=False) == pytest.approx(5 + 200)
    # 16 cores could make 160 a second; one parent reads 50 out of an archive, 200 out of folders.
    assert script.prepare(100, 16, folder=False) == pytest.approx(2 + 200)
    assert script.prepare(100, 16, folder=True) == pytest.approx(0.625 + 200)


def test_words_for_numbers(script: ModuleType) -> None:
    seconds = [script.seconds_text(s) for s in (0.07, 59, 61, 7_199, 7_200, 172_800, 1e6)]
    assert seconds == ["0.07 s", "59 s", "1 min", "120 min", "2 h", "2 days", "12 days"]
    sizes = [script.bytes_text(size) for size in (0, 999, 1_000, 5.5e7, 1.649e12, 2.5e15)]
    assert sizes == ["0 B", "1000 B", "1 kB", "55 MB", "1.6 TB", "2500 TB"]
