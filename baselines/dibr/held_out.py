"""Scores on the val split while training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchbench.baselines.dibr.data import Objects
from benchbench.baselines.dibr.losses import draw
from benchbench.baselines.dibr.network import Network, normalise_meshes
from benchbench.cuda_ops import voxel_iou, voxelize

_BLOCK = 32


class HeldOut:
    """IoU on the first val objects of each class, one view each, mean over classes.

    "val_silhouette" is that of the drawn pixels in the picture's own camera; "val_iou" that of
    voxels, where the data set has any.

    Args:
        store: The data set.
        rendering: Name of its rendering.
        rows: Of the val objects.
        most: Objects of each class.
        size: Side of the pictures in pixels.
    """

    def __init__(self, store: Any, rendering: str, rows: list[int], most: int, size: int) -> None:
        taken: dict[str, int] = {}
        kept = []
        for index in rows:
            number = taken.setdefault(store.class_of(index), 0)
            if number < most:
                taken[store.class_of(index)] = number + 1
                kept.append(index)
        self.size = size
        self.groups = np.array([store.class_indices[index] for index in kept], np.int64)
        if not kept:
            return
        self.objects = Objects(store, rendering, kept)
        count = self.objects.pictures.shape[1]
        self.views = np.array([[7 * n % count] for n in range(len(kept))], np.int64)
        self.truth: Tensor | None = None
        if store.voxel_kinds:
            kind = "kato" if "kato" in store.voxel_kinds else None
            self.truth = torch.from_numpy(np.stack([store.voxels(n, kind) for n in kept]))
            self.to_grid = torch.from_numpy(np.linalg.inv(store.grid_to_object(kind)))

    def __call__(self, network: Network, faces: Tensor) -> dict[str, float]:
        """Scores of a network in evaluation mode; nothing where there are no val objects."""
        if not len(self.groups):
            return {}
        silhouettes: list[Tensor] = []
        grids: list[Tensor] = []
        for start in range(0, len(self.groups), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(self.groups)))
            meshes, picture, _, mask = self._predicted(network, faces, rows)
            drawn = (mask == 1).float()  # the rest of a soft mask is below
            both = (drawn * picture[:, 3]).sum((1, 2))
            either = (drawn + picture[:, 3]).sum((1, 2)) - both
            silhouettes.append(both / either.clamp(min=1e-10))
            if self.truth is not None:
                grids.append(self._occupied(meshes, faces.cpu(), self.truth[rows]))
        scores = {"val_silhouette": self._mean(silhouettes)}
        if grids:
            scores["val_iou"] = self._mean(grids)
        return scores

    def strip(self, network: Network, faces: Tensor, most: int = 8) -> NDArray[np.uint8] | None:
        """The first objects, one a row: picture, mask, what is drawn of its mesh, soft mask.

        Returns:
            (rows * S, 4 * S, 3) RGB, or None where there are no val objects.
        """
        if not len(self.groups):
            return None
        rows = np.arange(min(most, len(self.groups)))
        _, picture, drawn, mask = self._predicted(network, faces, rows)
        columns = [picture[:, :3], picture[:, 3:].expand(-1, 3, -1, -1),
                   drawn.permute(0, 3, 1, 2), mask[:, None].expand(-1, 3, -1, -1)]  # fmt: skip
        grid = torch.cat(columns, 3).flip(1).permute(0, 2, 3, 1).flatten(0, 1)
        return (grid.clamp(0, 1) * 255).round().byte().cpu().numpy()

    @torch.no_grad()
    def _predicted(
        self, network: Network, faces: Tensor, rows: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Meshes, the pictures that they come from, what is drawn of them, soft masks."""
        seen = self.objects.views(rows, self.views[rows], self.size, str(faces.device))
        picture = seen.pictures[0]
        vertices, _, colours = network(picture[:, :3])
        meshes = normalise_meshes(vertices)
        turns, centres = seen.rotations[0], seen.centres[0]
        drawn, mask, _ = draw(meshes, colours, faces, turns, centres, self.size)
        return meshes, picture, drawn, mask

    def _occupied(self, meshes: Tensor, faces: Tensor, truth: Tensor) -> Tensor:
        """Voxel IoU of each mesh."""
        resolution = truth.shape[1]
        matrix = self.to_grid / resolution
        inside = meshes.cpu().double() @ matrix[:3, :3].T + matrix[:3, 3]
        return voxel_iou(voxelize(inside.float(), faces, resolution), truth)

    def _mean(self, parts: list[Tensor]) -> float:
        values = torch.cat(parts).cpu().double().numpy()
        means = [float(values[self.groups == group].mean()) for group in np.unique(self.groups)]
        return float(np.mean(means))
