"""Losses against the original's values and against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchbench.baselines.kato.losses import edges_of, silhouette_iou_loss, smoothness_loss
from benchbench.baselines.kato.template import sphere_642
from benchbench.core.errors import ShapeError

PAIR = torch.tensor([[0], [1], [2], [3]])


@pytest.fixture(scope="module")
def edges() -> torch.Tensor:
    return torch.from_numpy(edges_of(sphere_642()[1]))


def test_edges_equal_the_original(small_data: dict[str, np.ndarray], edges: torch.Tensor) -> None:
    np.testing.assert_array_equal(edges.numpy(), small_data["template/edges_v0v1v2v3"])


def test_edges_of_open_or_forked_meshes_are_refused() -> None:
    for faces in ([[0, 1, 2]], [[0, 1, 2], [1, 0, 3], [0, 1, 4], [0, 1, 5]]):
        with pytest.raises(ShapeError, match="two faces an edge"):
            edges_of(np.array(faces, np.int32))


def fold(degrees: float) -> torch.Tensor:
    """Two unit right triangles sharing the edge from the origin to x = 1, opened by an angle."""
    angle = np.radians(degrees)
    points = [[0, 0, 0], [1, 0, 0], [0.5, 1, 0], [0.5, np.cos(angle), np.sin(angle)]]
    return torch.tensor([points], dtype=torch.float32)


@pytest.mark.parametrize("degrees", [0, 30, 60, 90, 120, 150, 180])
def test_fold_by_hand(degrees: float) -> None:
    # Heights are unit vectors at that angle: the loss is (cos + 1)^2.
    wanted = (np.cos(np.radians(degrees)) + 1) ** 2
    assert float(smoothness_loss(fold(degrees), PAIR)) == pytest.approx(wanted, abs=2e-5)


def test_collapsed_mesh_costs_one_an_edge(edges: torch.Tensor) -> None:
    assert float(smoothness_loss(torch.zeros(2, 642, 3), edges)) == 1920.0


def test_sum_is_divided_by_the_batch(edges: torch.Tensor) -> None:
    rng = np.random.default_rng(0)
    batch = torch.tensor(rng.normal(size=(3, 642, 3)).astype(np.float32))
    each = [float(smoothness_loss(one[None], edges)) for one in batch]
    assert float(smoothness_loss(batch, edges)) == pytest.approx(np.mean(each), rel=1e-6)


def check_smoothness(vertices: np.ndarray, loss: float, grad: np.ndarray, edges: torch.Tensor):
    points = torch.tensor(vertices, requires_grad=True)
    value = smoothness_loss(points, edges)
    value.backward()
    assert value.item() == pytest.approx(loss, rel=1e-6, abs=1e-12)
    assert np.abs(points.grad.numpy() - grad).max() <= 1e-4 * np.abs(grad).max() + 1e-6


@pytest.mark.parametrize(
    "case", ["template_unit", "template_quarter", "template_noise", "all_equal", "flattened_y"]
)
def test_smoothness_equals_the_original(
    case: str, small_data: dict[str, np.ndarray], edges: torch.Tensor
) -> None:
    d, name = small_data, f"smoothness/{case}"
    check_smoothness(d[f"{name}/vertices"], float(d[f"{name}/loss"]), d[f"{name}/grad"], edges)


@pytest.mark.parametrize("degrees", ["000", "030", "090", "150", "180", "270", "330", "360"])
def test_pairs_equal_the_original(degrees: str, small_data: dict[str, np.ndarray]) -> None:
    d, name = small_data, f"smoothness_pair/{degrees}"
    check_smoothness(d[f"{name}/vertices"], float(d[f"{name}/loss"]), d[f"{name}/grad"], PAIR)


@pytest.mark.parametrize("case", ["example_airplane", "example_car", "example_chair"])
def test_published_meshes_equal_the_original(case: str, shared: Path, edges: torch.Tensor) -> None:
    with np.load(shared / "oracles" / "kato" / "misc.npz") as file:
        arrays = [file[f"smoothness/{case}/{part}"] for part in ("vertices", "loss", "grad")]
    check_smoothness(arrays[0], float(arrays[1]), arrays[2], edges)


def test_iou_equals_the_original(small_data: dict[str, np.ndarray]) -> None:
    preds = torch.tensor(small_data["iou_loss/prediction"], requires_grad=True)
    value = silhouette_iou_loss(preds, torch.tensor(small_data["iou_loss/target"]))
    value.backward()
    assert value.item() == pytest.approx(float(small_data["iou_loss/value"]), rel=1e-6)
    assert 1 - value.item() == pytest.approx(float(small_data["iou_loss/iou"]), rel=1e-6)
    assert np.abs(preds.grad.numpy() - small_data["iou_loss/grad_prediction"]).max() < 1e-9


def test_iou_by_hand() -> None:
    target = torch.tensor([[[1.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]])
    preds = torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[0.5, 0.5], [0.0, 0.0]]])
    # 1/3, and 0.5 / (1 + 0.5): IoU is per picture, then averaged.
    assert silhouette_iou_loss(preds, target).item() == pytest.approx(1 - (1 / 3 + 1 / 3) / 2)


def test_two_empty_masks() -> None:
    preds = torch.zeros(2, 4, 4, requires_grad=True)
    target = torch.zeros(2, 4, 4)
    target.data[1, 0, 0] = 1
    assert silhouette_iou_loss(preds, target).isnan()
    value = silhouette_iou_loss(preds, target, guarded=True)
    value.backward()
    assert value.item() == 0.5  # IoU 1 for the empty pair, 0 for the missed pixel
    assert preds.grad.isfinite().all() and not preds.grad[0].any()
    full = torch.rand(3, 4, 4)
    other = torch.rand(3, 4, 4)
    assert torch.equal(
        silhouette_iou_loss(full, other), silhouette_iou_loss(full, other, guarded=True)
    )


def test_shapes_are_checked() -> None:
    with pytest.raises(ShapeError, match="like target"):
        silhouette_iou_loss(torch.zeros(1, 4, 4), torch.zeros(1, 4, 5))
