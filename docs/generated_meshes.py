"""The meshes of generated_meshes.md: `python docs/generated_meshes.py RUN... --out DIR`.

Writes DIR/truths and DIR/<method> for every run folder: one .glb for the first view of the first
test object of each class. The first method is written once more as DIR/<method>-generated, as an
image-to-3D model may write it: a quarter turn about y, of 1.8 times the size, at another place, and
with a second wall inside (a copy of 0.85 times the size about the middle of the box).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import trimesh

from benchbench.core.paths import data_root
from benchbench.core.types import Mesh
from benchbench.datasets import open_dataset
from benchbench.evaluation.alignment import Similarity
from benchbench.evaluation.folder import RunFolder
from benchbench.evaluation.predictions import Shard
from benchbench.protocols.clouds import as_mesh

QUARTER = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])


def generated(mesh: Mesh) -> Mesh:
    """The mesh with a second wall, turned, grown and shifted."""
    middle = (mesh.vertices.max(0) + mesh.vertices.min(0)) / 2
    wall = Similarity(0.85, np.eye(3), 0.15 * middle).mesh(mesh)
    both = Mesh(
        np.concatenate([mesh.vertices, wall.vertices]),
        np.concatenate([mesh.faces, wall.faces + len(mesh.vertices)]).astype(np.int32),
    )
    return Similarity(1.8, QUARTER, np.array([0.2, 0.9, -0.1])).mesh(both)


def write(mesh: Mesh, file: Path) -> None:
    """Writes a .glb."""
    file.parent.mkdir(parents=True, exist_ok=True)
    trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(file)


def main(words: list[str] | None = None) -> None:
    """Writes all folders."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--root", type=Path)
    typed = parser.parse_args(words)
    config = RunFolder(typed.runs[0]).read_config()
    store = open_dataset(config["dataset"]["id"], data_root(typed.root))
    first: dict[str, str] = {}
    for row in store.indices(config["dataset"]["split"]):
        first.setdefault(store.class_of(int(row)), store.object_ids[int(row)])
    for object_id in first.values():
        write(store.mesh(store.index_of(object_id)), typed.out / "truths" / f"{object_id}.glb")
    for run in typed.runs:
        method = run.name.rpartition("-")[0]
        for path in sorted((run / "predictions").glob("*.h5")):
            with Shard(path) as shard:
                for n, (object_id, view) in enumerate(shard.keys):
                    item = shard.item(n)
                    if object_id not in first.values() or view > 0 or item.prediction is None:
                        continue
                    mesh = as_mesh(method, item.prediction, {"threshold": shard.threshold})
                    write(mesh, typed.out / method / f"{object_id}.glb")
                    if run == typed.runs[0]:
                        write(generated(mesh), typed.out / f"{method}-generated/{object_id}.glb")


if __name__ == "__main__":
    main()
