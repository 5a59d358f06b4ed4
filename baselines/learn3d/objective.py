"""What one iteration of learn3D minimises (paper: domain confusion; train.sh: G_every 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchbench.baselines.kato.losses import edges_of, silhouette_iou_loss, smoothness_loss
from benchbench.baselines.learn3d.losses import (
    code_prior,
    confusion_loss,
    edge_length_loss,
    edge_list,
    inflation_loss,
    laplacian_loss,
    neighbours_of,
    pose_loss,
)
from benchbench.baselines.learn3d.spec import Learn3dOptions, SilhouetteOptions

PHASES = 2  # iterations: one for the discriminator, one to confuse it


@dataclass(frozen=True)
class Topology:
    """Faces of a template and what losses need of them.

    Attributes:
        faces: (F, 3) int32.
        folds: (4, E) int64 of `edges_of`.
        neighbours: Table and mask of `neighbours_of`.
        edges: (2, E) int64.
    """

    faces: Tensor
    folds: Tensor
    neighbours: tuple[Tensor, Tensor]
    edges: Tensor

    @classmethod
    def of(cls, faces: NDArray[np.int32], vertices: int, device: str = "cpu") -> Topology:
        """That of a closed mesh."""
        table, mask = neighbours_of(faces, vertices)
        return cls(
            torch.tensor(faces, device=device),
            torch.from_numpy(edges_of(faces)).to(device),
            (table.to(device), mask.to(device)),
            torch.from_numpy(edge_list(faces)).to(device),
        )


def is_discriminating(iteration: int) -> bool:
    """Whether an iteration, from 1, trains the discriminator; the others confuse it."""
    return iteration % PHASES != 0


def shape_losses(
    vertices: Tensor, drawn: Tensor, targets: Tensor, topology: Topology, options: SilhouetteOptions
) -> dict[str, tuple[float, Tensor]]:
    """Losses of the meshes alone, each with its weight.

    Args:
        vertices: (B, V, 3).
        drawn: (B, S, S) their silhouettes.
        targets: (B, S, S) masks.
        topology: Of the template.
        options: Weights.
    """
    losses = {"iou_loss": (1.0, silhouette_iou_loss(drawn, targets, guarded=True))}
    if options.smoothness:
        losses["smoothness"] = (options.smoothness, smoothness_loss(vertices, topology.folds))
    if options.inflation:
        losses["inflation"] = (options.inflation, inflation_loss(vertices, topology.faces))
    if options.laplacian:
        losses["laplacian"] = (options.laplacian, laplacian_loss(vertices, *topology.neighbours))
    if options.edge_length:
        losses["edge_length"] = (options.edge_length, edge_length_loss(vertices, topology.edges))
    return losses


def pose_losses(
    iteration: int, codes: Tensor, bins: Tensor, discriminator: nn.Module, options: Learn3dOptions
) -> dict[str, tuple[float, Tensor]]:
    """Losses of the shape codes, each with its weight.

    Args:
        iteration: From 1.
        codes: (B, D).
        bins: (B,) int64 true pose bins.
        discriminator: Codes to log-probabilities.
        options: Weights.
    """
    losses: dict[str, tuple[float, Tensor]] = {}
    if options.prior:
        losses["prior"] = (options.prior, code_prior(codes))
    if is_discriminating(iteration):
        losses["pose_loss"] = (1.0, pose_loss(discriminator(codes.detach()), bins))
    elif options.confusion:
        losses["confusion"] = (options.confusion, confusion_loss(discriminator(codes)))
    return losses


def weighted(losses: dict[str, tuple[float, Tensor]]) -> Tensor:
    """Sum of weight times loss."""
    terms = [weight * loss for weight, loss in losses.values()]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
