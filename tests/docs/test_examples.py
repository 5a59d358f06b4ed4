"""The examples of the documentation run, and reach what the documentation says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
NAMES = ["example1_draw", "example2_vertices", "example3_textures", "example4_camera", "pictures"]
OLD = "author_data/neural_renderer"


def run(name: str, output: Path, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), "--output", str(output), *arguments]
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_it_runs(name: str, tmp_path: Path) -> None:
    output = tmp_path / ("picture.png" if name == "pictures" else "picture.gif")
    run(name, output, "--steps", "2")
    with Image.open(output) as image:
        assert len(image.convert("RGB").getcolors(10**6) or []) > 1


def test_the_page_of_the_renderer_runs() -> None:
    text = (EXAMPLES.parent / "neural_renderer.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("whose", ["ours", "theirs"])
@pytest.mark.parametrize(
    ("name", "pattern", "least", "most"),
    [
        ("example2_vertices", r"IoU ([\d.]+)", 0.999, 1.0),
        ("example3_textures", r"error ([\d.]+)", 0.0, 0.003),
        ("example4_camera", r"loss ([\d.]+)", 0.0, 70.0),
    ],
)
def test_it_reaches_its_goal(
    name: str, pattern: str, least: float, most: float, whose: str, tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    more: list[str] = []
    if whose == "theirs":
        more = ["--data", str(request.getfixturevalue("shared") / OLD)]
    steps = "200" if name == "example4_camera" else "300"
    told = run(name, tmp_path / "picture.gif", "--steps", steps, *more)
    found = re.search(pattern, told)
    assert found is not None
    assert least <= float(found[1]) <= most
