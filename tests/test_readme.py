"""The README's loop around a method of one's own really runs, and what it writes is scored."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchbench.cli.main import cli
from benchbench.core.types import Mesh
from benchbench.datasets import Layout, ObjectRecord, Rendering, StoreWriter, VoxelKind
from benchbench.datasets.cameras import KATO_PARAMETERS, kato_cameras

ROOT = Path(__file__).resolve().parent.parent


def test_loop_around_a_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    grid = np.diag([1 / 32, 1 / 32, 1 / 32, 1.0])
    grid[:3, 3] = -0.5
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
    faces = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
             [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]  # fmt: skip
    box = Mesh(corners - 0.5, np.array(faces, np.int32))
    record = ObjectRecord(
        id="02691156/box",
        synset="02691156",
        images={"choy": np.full((24, 64, 64, 4), 255, np.uint8)},
        cameras={"choy": kato_cameras()},
        voxels={"binvox": np.ones((32, 32, 32), bool)},
        mesh=box,
    )
    with StoreWriter(
        root,
        "shapes13-demo",
        (("02691156", "airplane"),),
        Layout({"choy": Rendering(64, 64, KATO_PARAMETERS)}, {"binvox": VoxelKind(32, grid)}),
        {
            "title": "t",
            "licence": "MIT",
            "citation": [],
            "axes": "",
            "converter": "",
            "sources": {},
        },
        {"test": 1},
    ) as writer:
        writer.shard(0, [record])
        writer.finish({"s": {"train": [], "val": [], "test": ["02691156/box"]}})
    monkeypatch.setenv("BENCH_HOME", str(root))
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```py\n(.*?)```", text, re.S)
    exec(
        compile(block, "README.md", "exec"),
        {"my_method": lambda picture: (box.vertices, box.faces)},
    )
    assert len(list((tmp_path / "my_predictions" / "02691156" / "box").glob("*.obj"))) == 24
    (command,) = re.findall(r"^    bench (score my_predictions .*)$", text, re.M)
    words = command.replace("shapes13 ", "shapes13-demo ").split()
    result = CliRunner().invoke(cli, [*words, "--protocol", "bench-iou-v1", "--json"])
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)["result"]["protocols"]["bench-iou-v1"]
    assert summary["mean_over_objects"] == {"iou": 1.0}
