"""`bench prepare shapenet` as typed: exit code, answer on stdout, talk on stderr."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def bench(*words: object, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "BENCH_HOME": str(home), **variables}
    return subprocess.run(
        [sys.executable, "-m", "benchbench", *map(str, words)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment,
        check=False,
    )


def test_good(fake_folders: Path, tmp_path: Path) -> None:
    done = bench("prepare", "shapenet", "--from", fake_folders, "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)["prepared"][0]
    assert answer["counts"]["objects"] == 12
    assert any("ShapeNet terms of use" in message for message in answer["messages"])
    listed = bench("list", "shapenet", "--json", home=tmp_path)
    assert json.loads(listed.stdout)
    assert "prepared" in listed.stdout


def test_views_missing_and_truncated_files(fake_folders: Path, tmp_path: Path) -> None:
    folder = tmp_path / "source"
    shutil.copytree(fake_folders, folder)
    first, second, third, *_ = sorted((folder / "ShapeNetRendering").glob("*/*"))
    (first / "rendering" / "11.png").unlink()
    (second / "rendering" / "11.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    truth = folder / "ShapeNetVox32" / third.relative_to(folder / "ShapeNetRendering")
    (truth / "model.binvox").write_bytes(b"#binvox 1\n")
    done = bench("prepare", "shapenet", "--from", folder, home=tmp_path / "home")
    assert done.returncode == 4
    assert "9" in done.stdout
    for model, reason in ((first, "23 of 24 views"), (second, "cut off"), (third, "ends early")):
        assert any(model.name in line and reason in line for line in done.stderr.splitlines())
    again = bench("prepare", "shapenet", "--from", folder, home=tmp_path / "home")
    assert again.returncode == 4


def test_truncated_archive(fake_archives: Path, tmp_path: Path) -> None:
    shutil.copytree(fake_archives, tmp_path / "source")
    path = tmp_path / "source" / "ShapeNetVox32.tgz"
    path.write_bytes(path.read_bytes()[:-10])
    done = bench("prepare", "shapenet", "--from", tmp_path / "source", home=tmp_path / "home")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "error: '" in done.stderr
    assert "ShapeNetVox32.tgz" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "variables", "code", "text"),
    [
        (["shapnet"], {}, 2, "shapenet"),
        (["shapenet"], {}, 3, "bench prepare shapenet --accept-license"),
        (["shapenet", "--accept-license"], {"BENCH_OFFLINE": "1"}, 3, "BENCH_OFFLINE"),
        (["shapenet", "--from", "/nowhere"], {}, 3, "/nowhere"),
        (["shapenet", "--from", "/"], {}, 3, "ShapeNetRendering"),
        (["shapenet", "--size", "demo"], {}, 2, "demo"),
        (["shapenet", "--verify"], {}, 3, "shapenet"),
    ],
)
def test_refusals(
    tmp_path: Path, words: list[str], variables: dict[str, str], code: int, text: str
) -> None:
    done = bench("prepare", *words, home=tmp_path, **variables)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert text in done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr


def test_root_that_cannot_be(fake_folders: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    home = tmp_path / "file" / "below"
    done = bench("prepare", "shapenet", "--from", fake_folders, home=home)
    assert done.returncode == 3
    assert "cannot make the folder" in done.stderr


def test_damaged_store(fake_folders: Path, tmp_path: Path) -> None:
    assert bench("prepare", "shapenet", "--from", fake_folders, home=tmp_path).returncode == 0
    path = tmp_path / "shapenet.h5"
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: len(content) // 2])
    done = bench("prepare", "shapenet", "--verify", home=tmp_path)
    assert done.returncode == 1
    assert "hint: bench prepare shapenet --overwrite" in done.stderr
    content[len(content) // 2] ^= 0xFF  # within the pictures, most of the file
    path.write_bytes(content)
    done = bench("prepare", "shapenet", "--verify", home=tmp_path)
    assert done.returncode in (1, 5)
    assert bench("prepare", "shapenet", "--from", fake_folders, home=tmp_path).returncode == 0
