"""Draws docs/dibr.png: a chair of shapes13 in DIB-R's renderer, and its soft mask.

Panels: features; the hard mask; the soft mask with the default options; a softer one.

    python docs/dibr.py docs/dibr.png
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchbench.cuda_ops import dibr
from benchbench.cuda_ops.vertices_to_faces import vertices_to_faces
from benchbench.datasets.shapes13.generate import generate
from benchbench.datasets.shapes13.render import shaded

SIZE, GAP = 192, 8
SOFTER = {"sigmainv": 400.0, "boxlen": 0.15, "knum": 1000}


def scene() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Depths, corners on the image plane, colours of the corners, normals' z."""
    shape = generate("chair", 3)
    vertices, faces = (
        torch.from_numpy(shape.mesh.vertices)[None],
        torch.from_numpy(shape.mesh.faces),
    )
    eye, up = torch.tensor([[1.3, 0.9, 1.7]]), torch.tensor([[0.0, 1.0, 0.0]])
    pose = dibr.generate_rotate_translate_matrices(eye, torch.zeros(1, 3), up)
    camera = dibr.rotate_translate_points(vertices, *pose)
    factors = dibr.generate_perspective_projection(math.radians(31))
    plane = dibr.perspective_camera(camera, factors)
    corners = vertices_to_faces(torch.cat((plane, camera[..., 2:]), -1), faces)
    colours = torch.from_numpy(shaded(shape)).float() / 255
    xy = corners[..., :2].contiguous()
    normals = torch.linalg.det(xy[:, :, 1:] - xy[:, :, :1])
    return corners[..., 2], xy, colours[None, :, None].expand(1, -1, 3, 3), normals


def draw() -> np.ndarray:
    """The picture, (H, W, 3) uint8."""
    z, xy, colours, normals = scene()
    features, sharp, index = dibr.dibr_rasterization(SIZE, SIZE, z, xy, colours, normals)
    assert isinstance(features, Tensor)
    hard = (index >= 0).float()
    soft = dibr.dibr_soft_mask(xy, index, **SOFTER)
    picture = features + 1 - hard[..., None]
    masks = [1 - mask[..., None].expand(-1, -1, -1, 3) for mask in (hard, sharp, soft)]
    panels = [255 * panel[0].clamp(0, 1).numpy() for panel in (picture, *masks)]
    gap = np.full((SIZE, GAP, 3), 255.0)
    row = [part for panel in panels for part in (gap, panel)][1:]
    return np.rint(np.concatenate(row, 1)).astype(np.uint8)


if __name__ == "__main__":
    Image.fromarray(draw()).save(Path(sys.argv[1]), optimize=True)
