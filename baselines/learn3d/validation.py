"""Voxel IoU on the val split while a network is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchbench.baselines.learn3d.forms import Form
from benchbench.baselines.learn3d.pictures import encoder_pictures
from benchbench.baselines.training_ids import split_rows
from benchbench.cuda_ops import voxel_iou, voxelize

_BLOCK = 64


class HeldOut:
    """Voxel IoU on the first val objects of each class, one view each; mean over classes.

    The original uses all views of all val objects, and a grid whose border a mesh may not cross:
    there the fill leaks. Here the grid has room around, as in the house's own IoU.

    Args:
        store: The data set.
        form: Form of the data.
        rendering: Name of the rendering.
        size: Side of the encoder's pictures.
        classes: Names or synsets, or None.
        objects: Objects of each class.
        faces: (F, 3) of the template.
    """

    def __init__(
        self,
        store: Any,
        form: Form,
        rendering: str,
        size: int,
        classes: list[str] | None,
        objects: int,
        faces: Tensor,
    ) -> None:
        kind = "kato" if "kato" in store.voxel_kinds else None
        taken: dict[str, int] = {}
        items: list[tuple[int, int]] = []
        for index in split_rows(store, "val", classes, None).tolist() if store.voxel_kinds else []:
            number = taken.setdefault(store.class_of(index), 0)
            if number < objects:
                taken[store.class_of(index)] = number + 1
                items.append((index, 7 * len(items) % store.view_count(index, rendering)))
        self.count, self.faces = len(items), faces.cpu()
        if not items:
            return
        self.groups = np.array([store.class_indices[index] for index, _ in items], np.int64)
        self.images = encoder_pictures(store, items, form, rendering, size)
        self.truth = torch.from_numpy(np.stack([store.voxels(index, kind) for index, _ in items]))
        to_cells = np.linalg.inv(store.grid_to_object(kind))
        frames = [to_cells @ form.frame_to_object(store, index) for index, _ in items]
        self.to_cells = torch.from_numpy(np.stack(frames))

    def __call__(self, network: nn.Module, device: str) -> dict[str, float]:
        if not self.count:
            return {}
        values = []
        network.eval()
        with torch.no_grad():
            for start in range(0, self.count, _BLOCK):
                part = slice(start, start + _BLOCK)
                vertices = network(self.images[part].to(device))[1].cpu().double()
                matrix = self.to_cells[part]
                cells = vertices @ matrix[:, :3, :3].transpose(1, 2) + matrix[:, None, :3, 3]
                side = self.truth.shape[1]
                room = side // 2
                inside = ((cells + room) / (2 * side)).float()
                middle = slice(room, room + side)
                grids = voxelize(inside, self.faces, 2 * side)[:, middle, middle, middle]
                values.append(voxel_iou(grids, self.truth[part]).numpy())
        network.train()
        scores = np.concatenate(values)
        means = [float(scores[self.groups == g].mean()) for g in np.unique(self.groups)]
        return {"val_iou": float(np.mean(means))}
