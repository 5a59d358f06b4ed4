"""What stands around kaolin's DIB-R renderer in its examples, under kaolin's names.

From vertices and cameras to what the renderer takes, and the loss on its soft mask. Source: Chen
et al., "Learning to Predict 3D Objects with an Interpolation-based Differentiable Renderer",
NeurIPS 2019, and kaolin 0.9 to 0.18 (`kaolin.render.mesh.prepare_vertices`,
`kaolin.ops.mesh.index_vertices_by_faces` and `face_normals`, `kaolin.metrics.render.mask_iou`).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from benchbench.core.errors import ShapeError, UsageError
from benchbench.cuda_ops.dibr_camera import perspective_camera, rotate_translate_points
from benchbench.cuda_ops.vertices_to_faces import vertices_to_faces

__all__ = ["face_normals", "index_vertices_by_faces", "mask_iou", "prepare_vertices"]

_TINY = 1e-10


def index_vertices_by_faces(vertices_features: Tensor, faces: Tensor) -> Tensor:
    """Gathers what the corners of each face carry.

    Args:
        vertices_features: (B, V, K) float32 or float64.
        faces: (F, 3) int32 or int64.

    Returns:
        (B, F, 3, K). In float32 its gradient is the same bits in every run.

    Raises:
        ShapeError: Wrong shapes or types, an empty tensor, or (on the CPU) an index outside
            0..V-1.

    Example:
        >>> uv = torch.arange(8.0).reshape(1, 4, 2)
        >>> index_vertices_by_faces(uv, torch.tensor([[0, 1, 3]])).tolist()
        [[[[0.0, 1.0], [2.0, 3.0], [6.0, 7.0]]]]
    """
    if vertices_features.ndim != 3 or vertices_features.numel() == 0:
        got = tuple(vertices_features.shape)
        raise ShapeError(
            "index_vertices_by_faces", "vertices_features", "(B, V, K), not empty", got
        )
    batch, count, columns = vertices_features.shape
    # The gatherer takes three columns at a time: more of them stand in line as a larger batch.
    groups = -(-columns // 3)
    padded = pad(vertices_features, (0, 3 * groups - columns)).unflatten(2, (groups, 3))
    stacked = padded.transpose(1, 2).reshape(batch * groups, count, 3)
    corners = vertices_to_faces(stacked, faces).unflatten(0, (batch, groups))
    return corners.permute(0, 2, 3, 1, 4).flatten(3)[..., :columns]


def face_normals(face_vertices: Tensor, unit: bool = False) -> Tensor:
    """Normals of faces whose corners run counter-clockwise as seen from outside.

    Args:
        face_vertices: (B, F, 3, 3).
        unit: Divide by length + 1e-10; a face without area gets 0. Otherwise the length is twice
            the area.

    Returns:
        (B, F, 3).

    Example:
        >>> face_normals(torch.tensor([[[[0.0, 0, 0], [2, 0, 0], [0, 1, 0]]]])).tolist()
        [[[0.0, 0.0, 2.0]]]
    """
    if face_vertices.ndim != 4 or face_vertices.shape[2:] != (3, 3):
        got = tuple(face_vertices.shape)
        raise ShapeError("face_normals", "face_vertices", "(B, F, 3, 3)", got)
    edges = face_vertices[:, :, 1:] - face_vertices[:, :, :1]
    normals = torch.linalg.cross(edges[:, :, 0], edges[:, :, 1])
    if not unit:
        return normals
    return normals / (torch.linalg.vector_norm(normals, dim=-1, keepdim=True) + _TINY)


def prepare_vertices(
    vertices: Tensor,
    faces: Tensor,
    camera_proj: Tensor,
    camera_rot: Tensor | None = None,
    camera_trans: Tensor | None = None,
    camera_transform: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """From vertices of the world to what `dibr_rasterization` takes.

    Args:
        vertices: (B, V, 3) float32 or float64.
        faces: (F, 3) int32 or int64.
        camera_proj: (3, 1), from `generate_perspective_projection`.
        camera_rot: (B, 3, 3) and
        camera_trans: (B, 3), from `generate_rotate_translate_matrices`; or, instead of both,
        camera_transform: (B, 4, 3), from `generate_transformation_matrix`.

    Returns:
        Corners in the camera frame (B, F, 3, 3), corners on the image plane (B, F, 3, 2), unit
        normals in the camera frame (B, F, 3).

    Raises:
        ShapeError: Wrong shapes or types.
        UsageError: Neither form of the camera is complete, or both are given.

    Example:
        >>> points = torch.tensor([[[0.0, 0, 0], [2, 0, 0], [0, 1, 0]]])
        >>> camera, plane, normals = prepare_vertices(
        ...     points, torch.tensor([[0, 1, 2]]), torch.tensor([[1.0], [1], [-1]]),
        ...     torch.eye(3)[None], torch.tensor([[0.0, 0, 4]]))
        >>> plane.tolist(), normals.tolist()
        ([[[[0.0, 0.0], [0.5, 0.0], [0.0, 0.25]]]], [[[0.0, 0.0, 1.0]]])
    """
    if camera_transform is None:
        if camera_rot is None or camera_trans is None:
            raise UsageError(
                "prepare_vertices: no whole camera given",
                hint="give camera_rot and camera_trans, or camera_transform",
            )
        camera = rotate_translate_points(vertices, camera_rot, camera_trans)
    elif camera_rot is None and camera_trans is None:
        camera = torch.matmul(pad(vertices, (0, 1), value=1.0), camera_transform)
    else:
        raise UsageError(
            "prepare_vertices: two cameras given",
            hint="leave out camera_transform, or both camera_rot and camera_trans",
        )
    plane = perspective_camera(camera, camera_proj)
    corners = index_vertices_by_faces(camera, faces)
    return corners, index_vertices_by_faces(plane, faces), face_normals(corners, unit=True)


def mask_iou(lhs_mask: Tensor, rhs_mask: Tensor) -> Tensor:
    """1 - intersection over union of soft masks, mean over the batch: a LOSS, as kaolin's.

    Args:
        lhs_mask: (B, H, W) in [0, 1].
        rhs_mask: (B, H, W) in [0, 1].

    Returns:
        A number from 0 (the same) to 1; 1 also where both are empty, as in kaolin.

    Example:
        >>> mask_iou(torch.tensor([[[1.0, 0.5]]]), torch.tensor([[[1.0, 0.0]]]))
        tensor(0.3333)
    """
    if lhs_mask.ndim != 3 or lhs_mask.shape != rhs_mask.shape:
        expected, got = f"(B, H, W) as lhs_mask {tuple(lhs_mask.shape)}", tuple(rhs_mask.shape)
        raise ShapeError("mask_iou", "rhs_mask", expected, got)
    both = (lhs_mask * rhs_mask).flatten(1).sum(1)
    either = (lhs_mask + rhs_mask - lhs_mask * rhs_mask).flatten(1).sum(1)
    return 1 - (both / (either + _TINY)).mean()
