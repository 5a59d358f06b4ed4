"""The work behind the specs."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import trimesh

from benchbench.core.types import Mesh
from benchbench.datasets.records import Layout, ObjectRecord
from benchbench.datasets.spec import PrepareReport
from benchbench.datasets.store_writer import StoreWriter


def box_of(mesh):
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    box = trimesh.creation.box(bounds=[low, high])
    return Mesh(box.vertices.astype(np.float32), box.faces.astype(np.int32))


class Box:
    """The box around each true mesh."""

    uses_views, threshold, checkpoint_hash = False, None, "none"
    caption = "box: the box around the truth"

    def __init__(self, spec, parameters):
        self.spec, self.block_size, self.settings = spec, parameters.block_size, asdict(parameters)

    def predict_items(self, store, items):
        return [box_of(store.mesh(row)) for row, _ in items]


def load(checkpoint, device, parameters):
    from boxes_for_benchbench.spec import BOX

    return Box(BOX, parameters)


def prepare(root, **options):
    cube = trimesh.creation.box()
    mesh = Mesh(cube.vertices.astype(np.float32), cube.faces.astype(np.int32))
    layout, ids = Layout({}, {}), ["02933112/cube"]
    with StoreWriter(Path(root), "cubes", [("02933112", "cabinet")], layout,
                     {"title": "One cube", "citation": []}, {"version": 1}) as writer:  # fmt: skip
        if not writer.finished:
            writer.shard(0, [ObjectRecord(ids[0], "02933112", {}, {}, {}, mesh=mesh)])
            writer.finish({"all": {"test": ids}})
    return PrepareReport(writer.path, {"cabinet": 1, "objects": 1})


def score(prediction, truth, key, settings):
    a, b = (float(np.ptp(box_of(m).vertices, axis=0).prod()) for m in (prediction, truth.mesh))
    return {"ratio": min(a, b) / max(a, b)}
