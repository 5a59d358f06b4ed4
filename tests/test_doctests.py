"""Every example in a docstring and in a README runs."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "benchbench": "benchbench",
    "benchbench.cuda_ops": "cuda_ops",
    "benchbench.datasets": "datasets",
    "benchbench.baselines": "baselines",
    "benchbench.leaderboards": "leaderboards",
}


def _with_examples() -> list[str]:
    found = []
    for package, folder in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                parts = path.relative_to(ROOT / folder).with_suffix("").parts
                found.append(".".join((package, *(p for p in parts if p != "__init__"))))
    return found


@pytest.mark.parametrize("name", _with_examples())
def test_examples_of_module(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # By its full name: the short one would make a second module of the same file.
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


def _readmes() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "baselines").rglob("README.md"))]


@pytest.mark.parametrize("path", _readmes(), ids=lambda path: path.parent.name)
def test_examples_of_readme(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.S):
        exec(compile(block, str(path), "exec"), {})
