"""Writing one shape as a file of the kind that its name says."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchbench.core.errors import InputError, UsageError
from benchbench.core.files import atomic_path
from benchbench.core.types import Mesh, Voxels, problem
from benchbench.cuda_ops.house_voxels import house_voxels, unit_cube_grid
from benchbench.datasets.binvox import write_binvox
from benchbench.protocols.convert import check_size, marching_cubes, nearest_cell
from benchbench.protocols.truth import Unscorable

MESHES, GRIDS = (".obj", ".ply", ".glb"), (".npy", ".binvox")
ENDINGS = (*MESHES, *GRIDS)


def check_ending(path: Path) -> str:
    """The ending of a file's name, in small letters.

    Raises:
        UsageError: It is none that can be written.

    Example:
        >>> check_ending(Path("Chair.OBJ"))
        '.obj'
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(
            f"'{path}' does not say which kind of file to write",
            hint=f"give it one of these endings: {', '.join(ENDINGS)}",
        )
    return ending


def as_mesh(shape: Mesh | Voxels, threshold: float | None) -> Mesh:
    """The surface of a prediction, winding outward, in the object frame.

    Args:
        shape: A mesh as it is; of voxels marching cubes at the threshold (marching-cubes-v1).
        threshold: Of voxels; None for 0.5.

    Raises:
        InputError: There is no surface.
    """
    if isinstance(shape, Mesh):
        return shape
    try:
        return marching_cubes(shape, 0.5 if threshold is None else threshold)
    except Unscorable as error:
        raise InputError(f"the reconstruction has no surface: {error}") from error


def as_cells(shape: Mesh | Voxels, threshold: float | None) -> NDArray[np.bool_]:
    """The 32^3 cells of the object frame's unit cube that a prediction occupies, [x, y, z].

    Args:
        shape: Of a mesh house-voxeliser-v1, of voxels the cell at each centre.
        threshold: Of voxels; None for 0.5.

    Raises:
        InputError: A mesh's coordinates are absurd.
    """
    if isinstance(shape, Voxels):
        return nearest_cell(shape, 0.5 if threshold is None else threshold, unit_cube_grid())
    try:
        check_size(shape)
    except Unscorable as error:
        raise InputError(f"the reconstruction cannot be voxelised: {error}") from error
    return house_voxels(shape, unit_cube_grid())


def write_shape(shape: Mesh | Voxels, path: Path, threshold: float | None = None) -> None:
    """Write a prediction.

    ``.obj``, ``.ply`` and ``.glb`` hold a surface, ``.npy`` (bool) and ``.binvox`` the 32^3 cells
    of the unit cube; all in the object frame (x front, y up, longest side 1). `bench score` reads
    each of them again.

    Args:
        shape: Object frame.
        path: The ending says the kind.
        threshold: Of voxels; None for 0.5.

    Raises:
        UsageError: The ending says none of these.
        InputError: There is nothing to write.

    Example:
        >>> import tempfile
        >>> corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
        >>> path = Path(tempfile.mkdtemp()) / "a.obj"
        >>> write_shape(Mesh(corners, np.array([[0, 1, 2]], np.int32)), path)
        >>> path.read_text().splitlines()[-1]
        'f 1 2 3'
    """
    ending = check_ending(path)
    if (why := problem(shape)) is not None:
        raise InputError(f"the reconstruction is {why}; '{path}' was not written")
    path.parent.mkdir(parents=True, exist_ok=True)
    if ending in MESHES:
        data = _mesh_file(as_mesh(shape, threshold), ending)
    elif ending == ".binvox":
        data = write_binvox(as_cells(shape, threshold))
    else:
        stream = io.BytesIO()
        np.save(stream, as_cells(shape, threshold), allow_pickle=False)
        data = stream.getvalue()
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def _mesh_file(mesh: Mesh, ending: str) -> bytes:
    import trimesh

    if ending == ".obj":  # nine digits bring every float32 back
        lines = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in mesh.vertices.tolist()]
        lines += [f"f {a} {b} {c}" for a, b, c in (mesh.faces + 1).tolist()]
        return ("\n".join(lines) + "\n").encode("ascii")
    # process=False: vertices stay as they are, none is merged.
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    data = solid.export(file_type=ending[1:])
    assert isinstance(data, bytes)  # as these two kinds always are
    return data
