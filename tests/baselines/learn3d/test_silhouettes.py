"""Cameras, silhouettes and their gradient against the original renderer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchbench.baselines.kato.losses import silhouette_iou_loss
from benchbench.baselines.learn3d.examples import kato_eyes
from benchbench.baselines.learn3d.forms import FORMS
from benchbench.baselines.learn3d.silhouettes import on_screen, silhouettes
from benchbench.baselines.learn3d.sphere import sphere
from benchbench.core.errors import ShapeError
from benchbench.cuda_ops.camera import get_points_from_angles, look_at

FACES = torch.tensor(sphere(642)[1])
FEW = 8 * 0.25  # "up to a handful of pixels may flip on other hardware"


def test_katos_camera(arrays) -> None:
    d = arrays("io_cvpr18")
    eyes = torch.from_numpy(kato_eyes())[d["view_ids"].long()]
    np.testing.assert_allclose(eyes, d["eye"], atol=1e-5)
    np.testing.assert_allclose(look_at(d["vertices"], eyes), d["vertices_camera"], atol=1e-5)
    seen = on_screen(d["vertices"], eyes, FORMS["kato"].half_field)
    np.testing.assert_allclose(seen, d["vertices_ndc"], atol=1e-5)
    drawn = silhouettes(d["vertices"], FACES, eyes, FORMS["kato"].half_field)
    assert (drawn - d["silhouettes"][:, 0]).abs().sum() <= FEW


def test_lsms_camera(arrays) -> None:
    d, vertices = arrays("io_nips17_camera"), arrays("io_cvpr18")["vertices"]
    rows = d["view_rows_az_el_x_dist"].tolist()
    eyes = torch.tensor([get_points_from_angles(r[3], r[1], r[0]) for r in rows])
    np.testing.assert_allclose(eyes, d["eye"], atol=1e-5)
    half_field = FORMS["lsm"].half_field
    assert half_field == pytest.approx(14.9314, abs=1e-4)
    seen = on_screen(vertices, eyes, half_field)
    np.testing.assert_allclose(seen, d["vertices_ndc"], atol=1e-5)
    drawn = silhouettes(vertices, FACES, eyes, half_field)
    assert (drawn - d["silhouettes"][:, 0]).abs().sum() <= FEW


def test_pascals_camera(arrays) -> None:
    d = arrays("io_pascal")
    seen = on_screen(d["vertices"], d["rotation_matrices"], None)
    np.testing.assert_allclose(seen, d["vertices_for_rasteriser"], atol=1e-5)
    drawn = silhouettes(d["vertices"], FACES, d["rotation_matrices"], None)
    assert (drawn - d["silhouettes"][:, 0]).abs().sum() <= FEW


def test_gradient_of_the_silhouette_loss(arrays) -> None:
    d, wanted = arrays("io_cvpr18"), arrays("renderer_grad")
    vertices = wanted["vertices"].clone().requires_grad_()
    masks = d["images_uint8"][:, 3].float() / 255
    drawn = silhouettes(vertices, FACES, d["eye"], 15.0)
    silhouette_iou_loss(drawn, masks).backward()
    difference = vertices.grad - wanted["grad_vertices_of_iou_loss"]
    assert difference.norm() < 1e-3 * wanted["grad_vertices_of_iou_loss"].norm()


def test_cameras_of_another_kind_are_refused() -> None:
    vertices = torch.zeros(2, 4, 3)
    with pytest.raises(ShapeError, match="cameras"):
        on_screen(vertices, torch.zeros(2, 3, 3), 15.0)
    with pytest.raises(ShapeError, match="cameras"):
        on_screen(vertices, torch.zeros(1, 3, 3), None)
