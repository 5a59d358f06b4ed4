"""Files of shapes: every kind is read again by what scores predictions, in the object frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from benchbench.core.errors import InputError, UsageError
from benchbench.core.types import Mesh, Voxels
from benchbench.cuda_ops.house_voxels import unit_cube_grid
from benchbench.datasets.binvox import read_binvox
from benchbench.datasets.exporting import asymmetric_cells, asymmetric_solid, snug_solid
from benchbench.evaluation.meshes_in import read_shape
from benchbench.reconstruction.shapes import ENDINGS, as_mesh, write_shape

SOLID = asymmetric_solid("03001627/a").mesh
CELLS = Voxels(asymmetric_cells().astype(np.float32), unit_cube_grid())


@pytest.mark.parametrize("ending", [".obj", ".ply", ".glb"])
def test_meshes_come_back(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "new" / f"a{ending}"
    write_shape(SOLID, path)
    found = read_shape(path)
    assert isinstance(found, Mesh)
    assert (found.vertices == SOLID.vertices).all()
    assert (found.faces == SOLID.faces).all()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("ending", [".obj", ".ply", ".glb"])
def test_surfaces_of_voxels_wind_outward(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    write_shape(CELLS, path, 0.5)
    solid = trimesh.load(path, force="mesh", process=False)
    solid.merge_vertices()
    assert solid.is_watertight
    # 1,056 cells; marching cubes cuts their corners, never adds.
    assert 0.8 < solid.volume * 32**3 / 1056 < 1
    # The short arm is at low x, the tall one too: none of the mirror images has these bounds.
    assert np.allclose(solid.bounds[0] * 32 + 16, [0, 6, 7], atol=0.51)


def test_cells_of_a_mesh_are_known_by_hand(tmp_path: Path) -> None:
    mesh = snug_solid("03001627/a").mesh
    write_shape(mesh, tmp_path / "a.binvox")
    write_shape(mesh, tmp_path / "a.npy")
    found = read_binvox(tmp_path / "a.binvox")
    assert (found.occupied == asymmetric_cells()).all()
    assert (found.translate, found.scale) == ((-0.5, -0.5, -0.5), 1.0)
    loaded = np.load(tmp_path / "a.npy", allow_pickle=False)
    assert loaded.dtype == np.bool_ and (loaded == asymmetric_cells()).all()


def test_cells_of_voxels_are_those_at_the_threshold(tmp_path: Path) -> None:
    values = np.where(asymmetric_cells(), 0.4, 0.39).astype(np.float32)
    for ending in (".npy", ".binvox"):
        write_shape(Voxels(values, unit_cube_grid()), tmp_path / f"a{ending}", 0.4)
        found = read_shape(tmp_path / f"a{ending}")
        assert isinstance(found, Voxels)
        assert (found.occupancy == asymmetric_cells()).all()


def test_odd_floats_come_back_from_text(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vertices = (rng.normal(size=(500, 3)) * 10.0 ** rng.integers(-6, 3, (500, 1))).astype(
        np.float32
    )
    mesh = Mesh(vertices, rng.permutation(498).reshape(-1, 3).astype(np.int32))
    write_shape(mesh, tmp_path / "a.obj")
    found = read_shape(tmp_path / "a.obj")
    assert isinstance(found, Mesh)
    assert (found.vertices == vertices).all() and (found.faces == mesh.faces).all()


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_no_file(tmp_path: Path, ending: str) -> None:
    empty = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    broken = Mesh(np.full((3, 3), np.nan, np.float32), np.array([[0, 1, 2]], np.int32))
    for shape, word in ((empty, "empty"), (broken, "nonfinite")):
        with pytest.raises(InputError, match=word):
            write_shape(shape, tmp_path / f"a{ending}")
    assert list(tmp_path.iterdir()) == []


def test_no_surface_at_the_threshold() -> None:
    low = Voxels(np.full((4, 4, 4), 0.1, np.float32), unit_cube_grid(4))
    with pytest.raises(InputError, match="no surface"):
        as_mesh(low, 0.4)


@pytest.mark.parametrize("name", ["a", "a.stl", "obj", "a.obj.gz"])
def test_other_endings(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="which kind of file") as caught:
        write_shape(SOLID, tmp_path / name)
    assert caught.value.hint is not None and ".obj, .ply, .glb, .npy, .binvox" in caught.value.hint
