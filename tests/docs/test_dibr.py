"""The page on DIB-R: its example runs, and its picture is what its script draws."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (DOCS / "dibr.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.S)
    exec(compile(block, "dibr.md", "exec"), {})
    assert "[1, 96, 96, 3]" in capsys.readouterr().out


def test_the_picture_is_what_the_script_draws() -> None:
    specification = importlib.util.spec_from_file_location("docs_dibr", DOCS / "dibr.py")
    assert specification is not None
    assert specification.loader is not None
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    with Image.open(DOCS / "dibr.png") as picture:
        stored = np.asarray(picture.convert("RGB")).astype(int)
    # Another processor may round a corner, and so a pixel on an edge, differently.
    differs = np.abs(script.draw().astype(int) - stored).max(-1) > 2
    assert differs.mean() < 0.002
