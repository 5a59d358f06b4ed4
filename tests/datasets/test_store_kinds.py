"""What only some sets hold: whole pictures with masks, depth, further tables, shared meshes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchbench.core.errors import BenchError, InputError, UsageError
from benchbench.core.types import Mesh
from benchbench.datasets.cameras import Cameras
from benchbench.datasets.records import ArrayKind, Layout, ObjectRecord, Rendering, VoxelKind
from benchbench.datasets.store import Store
from benchbench.datasets.store_writer import StoreWriter
from benchbench.datasets.verify import verify_store

LAYOUT = Layout(
    {
        "scene": Rendering(6, 8, (), mode="rgb+mask"),
        "depth": Rendering(5, 4, ("far",), mode="depth", depth_unit=0.25, colours="none"),
    },
    {"a": VoxelKind(4, np.eye(4))},
    {"points": ArrayKind((3,), "float16"), "bits": ArrayKind((), "uint8")},
)
SHARED = {
    f"cad/{name}": Mesh(np.full((4 + n, 3), n, np.float32), np.full((2 + n, 3), n, np.int32))
    for n, name in enumerate("ab")
}
SHARES = ("cad/b", "", "cad/a", "cad/b", "")


def record(number: int) -> ObjectRecord:
    rng = np.random.default_rng(number)
    views = (2, 0, 1, 3, 1)[number]
    images = {
        "scene": rng.integers(0, 256, (views, 6, 8, 4), dtype=np.uint8),
        "depth": rng.integers(0, 3, (views, 5, 4), dtype=np.uint16),
    }
    cameras = {
        name: Cameras(
            rng.random((views, 4, 4)),
            rng.random((views, 3, 3)),
            rng.random((views, len(LAYOUT.renderings[name].parameters))),
        )
        for name in images
    }
    own = Mesh(rng.random((3, 3)).astype(np.float32), np.array([[0, 1, 2]], np.int32))
    return ObjectRecord(
        f"s/{number}",
        "s",
        images,
        cameras,
        {"a": rng.random((4, 4, 4)) > 0.5},
        mesh=own if number == 4 else None,
        arrays={
            "points": rng.random((7 * number, 3)).astype(np.float16),
            "bits": rng.integers(0, 256, number, dtype=np.uint8),
        },
        shared_mesh=SHARES[number],
    )


def write(root: Path, groups: list[list[int]], shared: dict[str, Mesh] | None = None) -> Path:
    with StoreWriter(root, "toy", (("s", "thing"),), LAYOUT, {"title": "toy"}, {}) as writer:
        for number, group in enumerate(groups):
            writer.shard(number, [record(n) for n in group])
        return writer.finish(
            {"one": {"test": [f"s/{n}" for n in range(5)]}},
            order=[f"s/{n}" for n in range(5)],
            shared_meshes=SHARED if shared is None else shared,
            facts={"lists": "none"},
        )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(write(tmp_path_factory.mktemp("root"), [[0, 1, 2, 3, 4]]))


def test_what_goes_in_comes_out(store: Store) -> None:
    for index in range(5):
        given = record(index)
        for name, stack in given.images.items():
            assert np.array_equal(store.images(index, name), stack)
            assert store.images(index, name).dtype == stack.dtype
        for name, rows in given.arrays.items():
            assert np.array_equal(store.array(index, name), rows)
            assert store.array(index, name).dtype == rows.dtype
        mesh, wanted = store.mesh(index), given.mesh or SHARED.get(given.shared_mesh)
        assert store.shared_mesh(index) == given.shared_mesh
        if wanted is None:
            assert mesh is None
        else:
            assert mesh is not None
            assert np.array_equal(mesh.vertices, wanted.vertices)
            assert np.array_equal(mesh.faces, wanted.faces)
    assert (store.mode("scene"), store.mode("depth")) == ("rgb+mask", "depth")
    assert store.info["lists"] == "none"
    verify_store(store)


def test_depth_in_units_of_the_world(store: Store) -> None:
    counts = record(3).images["depth"][2]
    depth = store.depth(3, 2, "depth")
    for row, line in enumerate(counts.tolist()):
        for column, count in enumerate(line):
            assert depth[row, column] == (count * 0.25 if count else np.inf)
    with pytest.raises(UsageError, match="holds rgb\\+mask"):
        store.depth(0, 0, "scene")
    with pytest.raises(UsageError, match="array"):
        store.array(0, "pionts")


def test_a_shared_mesh_is_stored_once(store: Store, tmp_path: Path) -> None:
    import h5py

    with h5py.File(store.path) as file:
        assert file["meshes/vertices"].shape[0] == 3 + 4 + 5
        assert file["objects/mesh"][()].tolist() == [6, 1, 5, 6, 4]
    again = write(tmp_path, [[4, 1], [3], [0, 2]])
    assert again.read_bytes() == store.path.read_bytes()


def test_a_mesh_that_nobody_gave(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"'s/0' shares a mesh 'cad/b' that nobody gave"):
        write(tmp_path, [[0, 1, 2, 3, 4]], {"cad/a": SHARED["cad/a"]})


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    from benchbench.datasets.records import encode

    given = record(0)
    small = {**given.images, "scene": given.images["scene"][:, :-1]}
    with pytest.raises(InputError, match=r"pictures of \(5, 8\), \(6, 8\) belong"):
        encode(replace(given, images=small), LAYOUT)
