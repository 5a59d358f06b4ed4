"""What training reads and draws, and the scores on val."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from benchbench.baselines.dibr.cameras import renderer_camera
from benchbench.baselines.dibr.data import Objects, draw, steps_per_epoch
from benchbench.baselines.dibr.held_out import HeldOut
from benchbench.baselines.dibr.losses import Topology
from benchbench.baselines.dibr.network import Network
from benchbench.baselines.dibr.template import sphere
from benchbench.core.errors import UsageError


def test_every_object_once_an_epoch_and_no_view_twice() -> None:
    orders = []
    for epoch in range(3):
        seen = []
        for place in range(4):  # 3 + 3 + 3 + 1
            rows, views = draw(10, 24, 7, 4 * epoch + place + 1, 3, 5)
            assert len(rows) == len(views) == (3 if place < 3 else 1)
            assert all(len(set(chosen)) == 5 for chosen in views.tolist())
            assert views.min() >= 0 and views.max() < 24
            seen += rows.tolist()
        assert sorted(seen) == list(range(10))
        orders.append(seen)
    assert orders[0] != orders[1] != orders[2]
    assert (
        steps_per_epoch(10, 3) == 4 and steps_per_epoch(9, 3) == 3 and steps_per_epoch(1, 32) == 1
    )


def test_draws_depend_on_seed_and_step_alone() -> None:
    first = draw(100, 24, 0, 17, 8, 2)
    for step in (1, 200, 17):
        again = draw(100, 24, 0, step, 8, 2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], draw(100, 24, 1, 17, 8, 2)[0])
    assert not np.array_equal(first[1], draw(100, 24, 0, 18, 8, 2)[1])


def test_views_are_drawn_evenly() -> None:
    """2 of 4 views for 32 objects in 100 steps: each of the 12 ordered pairs about 267 times."""
    counts = np.zeros((4, 4))
    for step in range(1, 101):
        _, views = draw(32, 4, 0, step, 32, 2)
        np.add.at(counts, tuple(views.T), 1)
    assert counts.sum() == 3200 and not counts.diagonal().any()
    others = counts[~np.eye(4, dtype=bool)]
    assert np.abs(others - 3200 / 12).max() < 5 * np.sqrt(3200 / 12)
    with pytest.raises(UsageError, match="views 5 are asked for, the rendering has 4"):
        draw(32, 4, 0, 1, 32, 5)


def test_what_a_step_sees(little_store: Any) -> None:
    objects = Objects(little_store, "kato", [0, 2, 9])
    assert len(objects) == 3 and objects.pictures.shape == (3, 24, 4, 64, 64)
    views = objects.views(np.array([2, 0]), np.array([[5, 23], [11, 1]]), 64)
    for place, (index, chosen) in enumerate(((9, (5, 23)), (0, (11, 1)))):
        for number, view in enumerate(chosen):
            picture = little_store.image(index, view).astype(float)
            alpha = picture[..., 3:] / 255
            white = np.rint(picture[..., :3] * alpha + 255 * (1 - alpha))
            found = views.pictures[number][place].numpy()
            np.testing.assert_allclose(found[:3], white[..., ::-1].transpose(2, 0, 1) / 255)
            np.testing.assert_allclose(found[3], alpha[..., 0])
            rotation, centre = renderer_camera(
                little_store.camera(index, view).world_to_camera,
                little_store.source_to_object(index),
            )
            np.testing.assert_array_equal(views.rotations[number][place], rotation)
            np.testing.assert_array_equal(views.centres[number][place], centre)
    assert objects.views(np.array([0]), np.array([[0]]), 96).pictures[0].shape == (1, 4, 96, 96)


class Answers(Network):
    """Gives the mesh it was made with, whatever it sees."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        vertices = self.template.expand(len(images), -1, -1) * self.stretch
        return vertices, vertices, vertices.abs()


def test_scores_of_a_known_answer(little_store: Any) -> None:
    """An ellipsoid of a val object scores about 1 on it; another class's does not."""
    from benchbench.baselines.dibr.architecture import Widths

    network = Answers(Widths((2,) * 4, (1,) * 4, 2, 2, 1, 3))
    faces = torch.tensor(sphere(3)[1])
    rows = little_store.indices("val").tolist()
    first = [rows[0]]
    size = np.ptp(little_store.mesh(rows[0]).vertices, axis=0)
    network.stretch = torch.tensor(size, dtype=torch.float32)
    good = HeldOut(little_store, "kato", first, 1, 64)(network, faces)
    assert set(good) == {"val_silhouette", "val_iou"}
    # The voxeliser marks every cell that is touched.
    assert good["val_silhouette"] > 0.9 and good["val_iou"] > 0.75
    network.stretch = torch.tensor([0.2, 1.0, 0.2])
    bad = HeldOut(little_store, "kato", first, 1, 64)(network, faces)
    assert bad["val_silhouette"] < 0.6 and bad["val_iou"] < 0.4
    held = HeldOut(little_store, "kato", rows, 1, 64)
    assert len(held.groups) == 2 and sorted(held.groups) == [0, 1]
    strip = held.strip(network, faces)
    assert strip is not None and strip.shape == (2 * 64, 4 * 64, 3) and strip.dtype == np.uint8
    mask = little_store.image(rows[0], 0)[..., 3]
    np.testing.assert_array_equal(strip[:64, 64:128, 0], mask)
    nothing = HeldOut(little_store, "kato", [], 1, 64)
    assert nothing(network, faces) == {} and nothing.strip(network, faces) is None


def test_topology_of_a_device() -> None:
    topology = Topology.of_sphere(2, "cpu")
    assert topology.faces.shape == (320, 3) and topology.edges.shape == (480, 2)
