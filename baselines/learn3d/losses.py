"""learn3D's losses beside the two of Kato's that it takes over (silhouette IoU and smoothness)."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


def code_prior(codes: Tensor) -> Tensor:
    """Sum of squares of the shape codes, a picture: a Gaussian prior.

    Args:
        codes: (B, D).

    Example:
        >>> code_prior(torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
        tensor(3.)
    """
    return (codes * codes).sum() / len(codes)


def confusion_loss(log_probabilities: Tensor) -> Tensor:
    """How far the discriminator's guess is from knowing nothing: sum of (log 1/K - log p)^2.

    Neither a cross entropy nor a gradient reversal: the squared distance of logarithms.

    Args:
        log_probabilities: (B, K).

    Returns:
        Scalar, a picture; 0 where every bin is equally likely.

    Example:
        >>> float(confusion_loss(torch.full((2, 4), 0.25).log()))
        0.0
    """
    uniform = -math.log(log_probabilities.shape[1])
    return ((uniform - log_probabilities) ** 2).sum() / len(log_probabilities)


def pose_loss(log_probabilities: Tensor, bins: Tensor) -> Tensor:
    """The discriminator's own loss: mean negative log-probability of the true bin.

    Args:
        log_probabilities: (B, K).
        bins: (B,) int64.
    """
    return functional.nll_loss(log_probabilities, bins)


def inflation_loss(vertices: Tensor, faces: Tensor) -> Tensor:
    """Pulls every corner of every face along the face's normal; the value itself says nothing.

    Defined by the original and left out of its training ("not working well").

    Args:
        vertices: (B, V, 3).
        faces: (F, 3).
    """
    corners = vertices[:, faces.long()]
    a, b, c = corners.unbind(2)
    normal = torch.linalg.cross(b - a, c - a, dim=-1)
    normal = normal / torch.linalg.vector_norm(normal, dim=-1, keepdim=True)
    target = (corners + normal[:, :, None]).detach()
    return torch.sqrt(((corners - target) ** 2).sum(-1) + 1e-5).sum() / len(vertices)


def neighbours_of(faces: NDArray[np.integer], vertices: int) -> tuple[Tensor, Tensor]:
    """Neighbours of every vertex as rows of a padded table.

    Source: the content of learn3D's Laplacian_params files, of any degrees.

    Args:
        faces: (F, 3).
        vertices: V.

    Returns:
        table (V, most neighbours) int64 in ascending order, and mask of the same shape, False
        where a row is shorter.

    Example:
        >>> table, mask = neighbours_of(np.array([[0, 1, 2], [0, 2, 3]]), 4)
        >>> table[1, mask[1]].tolist(), table[2, mask[2]].tolist()
        ([0, 2], [0, 1, 3])
    """
    near: list[set[int]] = [set() for _ in range(vertices)]
    for first, second in edge_list(faces).T.tolist():
        near[first].add(second)
        near[second].add(first)
    most = max(map(len, near))
    table = torch.zeros(vertices, most, dtype=torch.int64)
    mask = torch.zeros(vertices, most, dtype=torch.bool)
    for row, found in enumerate(near):
        table[row, : len(found)] = torch.tensor(sorted(found))
        mask[row, : len(found)] = True
    return table, mask


def edge_list(faces: NDArray[np.integer]) -> NDArray[np.int64]:
    """(2, E) both ends of every edge, smaller first, each edge once."""
    faces = np.asarray(faces, np.int64)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(ends, axis=1), axis=0).T


def laplacian_loss(vertices: Tensor, table: Tensor, mask: Tensor) -> Tensor:
    """Squared distances of the vertices from the mean of their neighbours, a mesh.

    A term of the method's history (its 3D-GAN).

    Args:
        vertices: (B, V, 3).
        table: From `neighbours_of`.
        mask: From `neighbours_of`.
    """
    near = vertices[:, table] * mask[..., None]
    mean = near.sum(2) / mask.sum(1)[:, None]
    return ((vertices - mean) ** 2).sum() / len(vertices)


def edge_length_loss(vertices: Tensor, edges: Tensor) -> Tensor:
    """Squared differences of edge lengths from their mean in each mesh; not divided by the batch.

    A term of the method's history (its 3D-GAN).

    Args:
        vertices: (B, V, 3).
        edges: (2, E) int64.
    """
    lengths = torch.linalg.vector_norm(vertices[:, edges[0]] - vertices[:, edges[1]], dim=-1)
    return ((lengths - lengths.mean(1, keepdim=True)) ** 2).sum()
