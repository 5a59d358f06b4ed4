"""The training cloud with the smallest Chamfer distance."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchbench.core.errors import UsageError
from benchbench.core.keyed import keyed_rng
from benchbench.cuda_ops.nearest import chamfer_nearest
from benchbench.cuda_ops.sample_surface import sample_surface
from benchbench.datasets.clouds import surface_points

POINTS = 128
_SEED = 0
_CHUNK = 1024  # clouds compared at once


def cloud_of(store: Any, index: int) -> NDArray[np.float32]:
    """Points on an object's surface: (128, 3) float32, the same in every run.

    They are drawn from the mesh, or from the set's own cloud where there is no mesh.

    Raises:
        UsageError: There is neither.
    """
    mesh, name = store.mesh(index), store.object_ids[index]
    if mesh is not None:
        vertices, faces = torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces)
        points: NDArray[np.float32] = sample_surface(vertices, faces, POINTS, _SEED, name)[
            0
        ].numpy()
        return points
    cloud = surface_points(store, index)
    if cloud is None or not len(cloud):
        raise UsageError(
            f"object '{name}' of '{store.id}' has neither a mesh nor points", hint="--set by=iou"
        )
    return cloud[keyed_rng("oracle-cloud", _SEED, name).integers(0, len(cloud), POINTS)]


def best_cloud(query: Tensor, clouds: Tensor) -> tuple[int, float]:
    """The first cloud with the smallest Chamfer distance, and that, in the points' unit.

    Args:
        query: (P, 3) float32.
        clouds: (N, P, 3) float32, N >= 1, on the same device.

    Example:
        >>> clouds = torch.tensor([[[0.0, 0, 0]], [[0, 0, 2]], [[0, 0, 2]]])
        >>> best_cloud(torch.tensor([[0.0, 0, 5]]), clouds)
        (1, 3.0)
    """
    row, value = -1, float("inf")
    for start in range(0, len(clouds), _CHUNK):
        part = clouds[start : start + _CHUNK]
        asked = query[None].expand(len(part), -1, -1).contiguous()
        there, _, back, _ = chamfer_nearest(asked, part)
        # In double precision on the CPU: sums in an order of their own on no device.
        distances = (
            there.cpu().double().sqrt().mean(1) + back.cpu().double().sqrt().mean(1)
        ).numpy() / 2
        first = int(distances.argmin())
        if distances[first] < value:
            row, value = start + first, float(distances[first])
    return row, value
