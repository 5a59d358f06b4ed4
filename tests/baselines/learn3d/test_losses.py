"""Losses against the original's values and against sums written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

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
from benchbench.baselines.learn3d.sphere import sphere


def test_values_of_the_original(arrays, values) -> None:
    d, wanted = arrays("io_cvpr18"), values["losses_forward"]
    masks, drawn = d["images_uint8"][:, 3].float() / 255, d["silhouettes"][:, 0]
    folds = torch.from_numpy(edges_of(sphere(642)[1]))
    half_sphere = d["vertices_base"][None] / 2
    found = {
        "iou_loss(mask,sil)": silhouette_iou_loss(drawn, masks),
        "iou_loss(identical)": silhouette_iou_loss(masks, masks),
        "smoothness": smoothness_loss(d["vertices"], folds),
        "smoothness_base_sphere_x0.5": smoothness_loss(half_sphere, folds),
        "Gprior": code_prior(d["z"]),
        "nll": pose_loss(d["disc_logprob"], d["view_ids"].long()),
        "adv_l2_uniform": confusion_loss(d["disc_logprob"]),
        "inflation": inflation_loss(d["vertices"], torch.tensor(sphere(642)[1])),
    }
    for name, loss in found.items():
        assert float(loss) == pytest.approx(wanted[name], rel=1e-5), name
    for n in range(4):
        one = slice(n, n + 1)
        alone = 1 - silhouette_iou_loss(drawn[one], masks[one])
        assert float(alone) == pytest.approx(wanted["per_image_iou"][n], rel=1e-5)
        smooth = smoothness_loss(d["vertices"][one], folds)
        assert float(smooth) == pytest.approx(wanted["smoothness_per_mesh"][n], rel=1e-5)
    forward = values["cvpr18_forward"]
    assert float(d["z"].abs().mean()) == pytest.approx(forward["z_abs_mean"], rel=1e-5)
    assert float(drawn.mean()) == pytest.approx(forward["silhouette_mean"], rel=1e-5)


@pytest.mark.parametrize("name", ["laplacian_42", "laplacian_devide_2"])
def test_losses_of_the_methods_history(arrays, values, name: str) -> None:
    d, wanted = arrays("mesh_division_42"), values[name]
    base, faces = d["vertices_base"], d["faces_base"]
    if name == "laplacian_devide_2":
        base = torch.cat([base, d["new_vertices_1"], d["new_vertices_2"]])
        faces = d["faces_2"]
    # The recipe of the reference: v_i = base / 2 + 0.02 sin(7 base + i).
    vertices = torch.stack([base / 2 + 0.02 * torch.sin(7 * base + i) for i in (0, 1)])
    table, mask = neighbours_of(faces.numpy(), len(base))
    edges = torch.from_numpy(edge_list(faces.numpy()))
    folds = torch.from_numpy(edges_of(faces.numpy()))
    assert float(laplacian_loss(vertices, table, mask)) == pytest.approx(
        wanted["laplacian"], rel=1e-5
    )
    assert float(edge_length_loss(vertices, edges)) == pytest.approx(wanted["edge"], rel=1e-5)
    assert float(smoothness_loss(vertices, folds)) == pytest.approx(wanted["smoothness"], rel=1e-5)


def test_by_hand() -> None:
    tetrahedron = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    corners = torch.tensor([[[0.0, 0, 0], [3, 0, 0], [0, 3, 0], [0, 0, 3]]])
    table, mask = neighbours_of(tetrahedron, 4)
    assert mask.all() and table[0].tolist() == [1, 2, 3]
    # (0,0,0) is (1,1,1) from the mean of its neighbours, the others (3,-1,-1) and so on.
    assert float(laplacian_loss(corners, table, mask)) == pytest.approx(3 + 3 * 11)
    edges = torch.from_numpy(edge_list(tetrahedron))
    long, short = 3 * math.sqrt(2), 3.0
    mean = (long + short) / 2
    assert float(edge_length_loss(corners, edges)) == pytest.approx(
        6 * (long - mean) ** 2, rel=1e-5
    )
    assert edge_list(tetrahedron).T.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    certain = torch.tensor([[0.5, 0.25, 0.25]]).log()
    wanted = math.log(1.5) ** 2 + 2 * math.log(0.75) ** 2
    assert float(confusion_loss(certain)) == pytest.approx(wanted, rel=1e-5)
    assert float(pose_loss(certain, torch.tensor([0]))) == pytest.approx(math.log(2), rel=1e-5)


def test_inflation_pulls_along_normals() -> None:
    corners = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]], requires_grad=True)
    inflation_loss(corners, torch.tensor([[0, 1, 2]])).backward()
    pull = -corners.grad[0]
    assert (pull[:, 2] > 0.99).all() and pull[:, :2].abs().max() < 1e-6
