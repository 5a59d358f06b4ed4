"""DIB-R's losses: every predicted mesh is drawn in every camera and compared with its picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from benchbench.baselines.dibr.cameras import FIELD_OF_VIEW
from benchbench.baselines.dibr.template import edge_faces, neighbour_means, sphere
from benchbench.core.errors import ShapeError
from benchbench.cuda_ops.dibr import (
    dibr_rasterization,
    generate_perspective_projection,
    index_vertices_by_faces,
    mask_iou,
    prepare_vertices,
)

VERSION: Literal["0.9.0"] = "0.9.0"
"""The kaolin that the authors trained with."""


@dataclass(frozen=True)
class Weights:
    """What each loss counts in the total; the defaults are the authors'.

    Attributes:
        colour: Of the mean absolute difference of colours on the object's true mask.
        silhouette: Of 1 - IoU of the soft mask.
        laplacian: Of the offsets' distance from the mean of their neighbours'.
        flatten: Of the angles between neighbouring faces.
    """

    colour: float = 3.0
    silhouette: float = 1.0
    laplacian: float = 0.01
    flatten: float = 0.001


@dataclass(frozen=True)
class Softness:
    """How far the soft mask reaches; kaolin's defaults, with which the authors draw 224 pixels.

    In pictures of fewer pixels the same reach is less than a pixel, and silhouettes have hardly
    a gradient: 571 and 0.07 are at 64 pixels what 7000 and 0.02 are at 224.

    Attributes:
        sigmainv: Sharpness: exp(-sigmainv d^2) at distance d.
        boxlen: Half the picture's side is 1; beyond this distance nothing counts.
    """

    sigmainv: float = 7000.0
    boxlen: float = 0.02


@dataclass(frozen=True)
class Topology:
    """What the losses need to know about the template.

    Attributes:
        faces: (F, 3) int32.
        edges: (E, 2) int64, the two faces at every edge.
        neighbours: (V, V) float32, the mean over neighbours.
    """

    faces: Tensor
    edges: Tensor
    neighbours: Tensor

    @classmethod
    def of_sphere(cls, level: int, device: str = "cpu") -> Topology:
        """That of the subdivided icosahedron."""
        faces = sphere(level)[1]
        return cls(
            torch.tensor(faces, device=device),
            torch.from_numpy(edge_faces(faces)).to(device),
            torch.from_numpy(neighbour_means(faces)).to(device),
        )


@dataclass(frozen=True)
class Views:
    """What a step looks at: V views of B objects.

    Attributes:
        pictures: V times (B, 4, S, S) in [0, 1]: B, G, R and the mask.
        rotations: V times (B, 3, 3).
        centres: V times (B, 3).
    """

    pictures: Sequence[Tensor]
    rotations: Sequence[Tensor]
    centres: Sequence[Tensor]


def draw(
    meshes: Tensor,
    colours: Tensor,
    faces: Tensor,
    rotations: Tensor,
    centres: Tensor,
    size: int,
    softness: Softness | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures of coloured meshes.

    Args:
        meshes: (N, V, 3) in the cameras' world.
        colours: (N, V, 3).
        faces: (F, 3).
        rotations: (N, 3, 3) of the cameras.
        centres: (N, 3) of the cameras.
        size: S, pixels.
        softness: Of the mask.

    Returns:
        Colours (N, S, S, 3), 0 where nothing is; soft mask (N, S, S); unit normals of the faces in
        the camera's frame (N, F, 3).
    """
    lens = generate_perspective_projection(math.radians(FIELD_OF_VIEW)).to(meshes)
    corners, plane, normals = prepare_vertices(meshes, faces, lens, rotations, centres)
    paint = index_vertices_by_faces(colours, faces)
    soft = softness or Softness()
    drawn, mask, _ = dibr_rasterization(
        size, size, corners[..., 2], plane, paint, normals[..., 2:], soft.sigmainv, soft.boxlen,
        version=VERSION,
    )  # fmt: skip
    assert isinstance(drawn, Tensor)  # one tensor of features was given
    return drawn, mask, normals


def losses(
    meshes: Sequence[Tensor],
    offsets: Sequence[Tensor],
    colours: Sequence[Tensor],
    views: Views,
    topology: Topology,
    weights: Weights | None = None,
    softness: Softness | None = None,
) -> dict[str, Tensor]:
    """All losses of a step.

    Args:
        meshes: V times (B, Vt, 3), normalised; mesh j was predicted from view j.
        offsets: V times (B, Vt, 3), as the decoder gives them.
        colours: V times (B, Vt, 3), B, G, R.
        views: The pictures and their cameras.
        topology: Of the template.
        weights: Of the losses in the total.
        softness: Of the mask.

    Returns:
        Scalars "silhouette", "colour", "laplacian", "flatten" and "total", lower is better.

    Raises:
        ShapeError: Another number of meshes than of views.
    """
    weights = weights or Weights()
    count = len(views.pictures)
    if not len(meshes) == len(offsets) == len(colours) == count:
        raise ShapeError("losses", "meshes", f"{count} of them, one a view", len(meshes))
    pairs = [(j, k) for j in range(count) for k in range(count)]
    target = torch.cat([views.pictures[k] for _, k in pairs])
    drawn, mask, normals = draw(
        torch.cat([meshes[j] for j, _ in pairs]),
        torch.cat([colours[j] for j, _ in pairs]),
        topology.faces,
        torch.cat([views.rotations[k] for _, k in pairs]),
        torch.cat([views.centres[k] for _, k in pairs]),
        target.shape[-1],
        softness,
    )
    found = {
        "silhouette": mask_iou(mask, target[:, 3]),
        "colour": ((drawn.permute(0, 3, 1, 2) - target[:, :3]).abs() * target[:, 3:]).mean(),
        "laplacian": laplacian_loss(torch.cat(list(offsets)), topology.neighbours),
        "flatten": flatten_loss(normals, topology.edges),
    }
    total = sum(getattr(weights, name) * value for name, value in found.items())
    assert isinstance(total, Tensor)
    return {**found, "total": total}


def laplacian_loss(offsets: Tensor, neighbours: Tensor) -> Tensor:
    """Squared distance of every offset from the mean of its neighbours', summed over vertices.

    Args:
        offsets: (N, V, 3).
        neighbours: (V, V), rows that sum to 1.

    Returns:
        Scalar, the mean over N.

    Example:
        >>> swap = torch.tensor([[0.0, 1.0], [1.0, 0.0]])  # two vertices, each other's neighbour
        >>> float(laplacian_loss(torch.tensor([[[0.0, 0, 0], [1, 0, 2]]]), swap))
        10.0
    """
    # One product for all meshes: a column for each coordinate of each of them.
    columns = offsets.transpose(0, 1).flatten(1)
    return ((neighbours @ columns - columns) ** 2).sum() / len(offsets)


def flatten_loss(normals: Tensor, edges: Tensor) -> Tensor:
    """(cos of the angle between the normals at an edge - 1)^2, summed over edges.

    Args:
        normals: (N, F, 3) unit normals.
        edges: (E, 2) face numbers.

    Returns:
        Scalar, the mean over N.

    Example:
        >>> normals = torch.tensor([[[1.0, 0, 0], [0, 1, 0], [0, -1, 0]]])
        >>> float(flatten_loss(normals, torch.tensor([[0, 1], [1, 2]])))
        5.0
    """
    cosine = (normals[:, edges[:, 0]] * normals[:, edges[:, 1]]).sum(-1)
    return ((cosine - 1) ** 2).sum(1).mean()
