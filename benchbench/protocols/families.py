"""This project's own protocols, family by family, in the order in which they are listed."""

from __future__ import annotations

from benchbench.protocols.specs_fscores import FSCORE_PROTOCOLS
from benchbench.protocols.specs_grids import GRID_PROTOCOLS
from benchbench.protocols.specs_occupancy import OCCUPANCY_PROTOCOLS
from benchbench.protocols.specs_pixel2mesh import PIXEL2MESH_PROTOCOLS
from benchbench.protocols.specs_point_sets import POINT_SET_PROTOCOLS
from benchbench.protocols.specs_samples import SAMPLE_PROTOCOLS
from benchbench.protocols.specs_search import SEARCH_PROTOCOLS
from benchbench.protocols.specs_surface import SURFACE_PROTOCOLS
from benchbench.protocols.specs_voxels import VOXEL_PROTOCOLS

PROTOCOLS = (
    *VOXEL_PROTOCOLS,
    *GRID_PROTOCOLS,
    *SURFACE_PROTOCOLS,
    *OCCUPANCY_PROTOCOLS,
    *PIXEL2MESH_PROTOCOLS,
    *POINT_SET_PROTOCOLS,
    *SAMPLE_PROTOCOLS,
    *FSCORE_PROTOCOLS,
    *SEARCH_PROTOCOLS,
)
