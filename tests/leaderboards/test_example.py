"""The site that ships: whole, and showing the measured results that ship beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchbench.core.files import read_json, sha256_file

ROOT = Path(__file__).resolve().parents[2] / "leaderboards"
SITE, RESULTS = ROOT / "example", sorted((ROOT / "measured").glob("*.json"))


def test_every_file_is_the_one_that_was_built() -> None:
    listed = {}
    for line in (SITE / "files.sha256").read_text(encoding="utf-8").splitlines():
        digest, name = line.split(maxsplit=1)
        listed[name.lstrip("*")] = digest
    there = {path.relative_to(SITE).as_posix() for path in SITE.rglob("*") if path.is_file()}
    assert there - {"files.sha256"} == set(listed)
    for name, digest in listed.items():
        assert sha256_file(SITE / name) == digest, name


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_measured_result_stands_in_its_table(path: Path) -> None:
    result = read_json(path)
    name = result["baseline"]["id"]
    pages = [p for p in SITE.glob("board-*.html") if p.stem.endswith("-bench-iou-v1")]
    assert len(pages) == 1
    rows = re.findall(r"<tr[ >].*?</tr>", pages[0].read_text(encoding="utf-8"), re.DOTALL)
    (row,) = (row for row in rows if f"method-{name}-{result['hash'][:8]}.html" in row)
    mean = result["protocols"]["bench-iou-v1"]["mean_over_classes"]["iou"]
    assert f">{mean:.3f}<" in row
    assert (SITE / f"method-{name}-{result['hash'][:8]}.html").is_file()
