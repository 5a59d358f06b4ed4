"""Kato's two losses: silhouette IoU and smoothness (mesh_reconstruction/loss_functions.py)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchbench.core.errors import ShapeError

_EPS = 1e-6


def silhouette_iou_loss(preds: Tensor, target: Tensor, guarded: bool = False) -> Tensor:
    """1 - mean over the batch of sum(t s) / sum(t + s - t s).  [1, lower is better]

    Source: kato.md 5; no epsilon in the original, so an item whose two masks are empty makes
    the loss and every gradient NaN.

    Args:
        preds: (B, H, W) silhouettes in [0, 1].
        target: (B, H, W) masks in [0, 1].
        guarded: Count an item with two empty masks as IoU 1 with gradient 0 instead.

    Returns:
        Scalar.

    Example:
        >>> one = torch.ones(1, 2, 2)
        >>> float(silhouette_iou_loss(one / 2, one))
        0.5
        >>> none = torch.zeros(1, 2, 2)
        >>> silhouette_iou_loss(none, none).isnan().item()
        True
        >>> float(silhouette_iou_loss(none, none, guarded=True))
        0.0
    """
    if preds.shape != target.shape or preds.ndim != 3:
        raise ShapeError(
            "silhouette_iou_loss",
            "preds",
            f"(B, H, W) like target {tuple(target.shape)}",
            tuple(preds.shape),
        )
    both = preds * target
    intersection = both.sum((1, 2))
    union = (preds + target - both).sum((1, 2))
    if guarded:
        empty = union == 0
        one = torch.ones_like(union)
        iou = torch.where(empty, one, intersection) / torch.where(empty, one, union)
    else:
        iou = intersection / union
    return 1 - iou.mean()


def edges_of(faces: NDArray[np.int32]) -> NDArray[np.int64]:
    """Interior edges with the vertices opposite to them.

    Args:
        faces: (F, 3) of a closed mesh in which every edge has exactly two faces.

    Returns:
        (4, E) int64 rows v0, v1, v2, v3: edge ends v0 < v1, sorted by (v0, v1); v2 is the third
        vertex of the first face that holds the edge, v3 of the second.

    Raises:
        ShapeError: An edge has one face or more than two.
    """
    faces = np.asarray(faces, np.int64)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    third = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]])
    face = np.tile(np.arange(len(faces)), 3)
    ends = np.sort(ends, axis=1)
    order = np.lexsort((face, ends[:, 1], ends[:, 0]))
    ends, third = ends[order], third[order]
    first, second = ends[0::2], ends[1::2]
    paired = len(ends) % 2 == 0 and bool((first == second).all())
    if not paired or bool((first[1:] == first[:-1]).all(axis=1).any()):
        raise ShapeError("edges_of", "faces", "closed, two faces an edge", "an open or forked mesh")
    return np.stack([first[:, 0], first[:, 1], third[0::2], third[1::2]])


def smoothness_loss(vertices: Tensor, edges: Tensor) -> Tensor:
    """Sum over edges of (cos of the dihedral angle + 1)^2, divided by the batch.

    Flat edges give 0, right angles 1, an edge folded back about 4, a collapsed mesh 1 an edge.
    Not scale invariant because of the epsilons (1e-6).

    Args:
        vertices: (B, V, 3).
        edges: (4, E) int64 from `edges_of`.

    Returns:
        Scalar, lower is smoother.
    """
    start = vertices[:, edges[0]]
    a = vertices[:, edges[1]] - start
    a_squared = _dot(a, a)
    a_length = _root(a_squared + _EPS)
    normals = []
    for opposite in (edges[2], edges[3]):
        b = vertices[:, opposite] - start
        b_length = _root(_dot(b, b) + _EPS)
        along = _dot(a, b)
        cosine = along / (a_length * b_length + _EPS)
        sine = _root(1 - cosine * cosine + _EPS)
        height = b - a * (along / (a_squared + _EPS))[..., None]
        normals.append((height, b_length * sine))
    (h2, l2), (h3, l3) = normals
    fold = _dot(h2, h3) / (l2 * l3 + _EPS)
    return ((fold + 1) ** 2).sum() / len(vertices)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    # x + y + z in this order: 1 - cos^2 of a thin triangle magnifies the last bit, and torch's
    # sum over a short axis adds in another order than the original's.
    p = a * b
    return p[..., 0] + p[..., 1] + p[..., 2]


def _root(x: Tensor) -> Tensor:
    # torch's vectorised single-precision root is not correctly rounded on every machine; through
    # double precision it is, and thin triangles show the difference in the fifth digit.
    return x.double().sqrt().to(x.dtype)
