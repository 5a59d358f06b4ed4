"""The network equals the original, forward and backward; the template, the start, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from benchbench.baselines.dibr.architecture import COUNT, Widths, widths_of
from benchbench.baselines.dibr.network import Network, normalise_meshes
from benchbench.baselines.dibr.template import edge_faces, neighbour_means, sphere
from benchbench.core.errors import ShapeError

# The original's float32 lies 3e-6 from its own float64 (dibr.md 8).
FORWARD, DOUBLE = 5e-6, 1e-5


@pytest.fixture
def network(recipe_weights: dict[str, np.ndarray]) -> Network:
    network = Network(Widths())
    network.load_tensors(recipe_weights)
    return network


def pictures(original: dict[str, np.ndarray]) -> torch.Tensor:
    return torch.tensor(original["preprocessed_224"]).permute(0, 3, 1, 2)[:, :3].contiguous()


def close(found: torch.Tensor, expected: np.ndarray, tolerance: float) -> None:
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found.detach(), expected, rtol=0, atol=tolerance * scale)


def test_state_dict_has_the_originals_names_and_shapes(original_state: dict[str, Any]) -> None:
    state = Network(Widths()).state_dict()
    stored = original_state["state_dict"]
    assert {n: (list(v.shape), str(v.dtype)[6:]) for n, v in state.items()} == {
        n: (shape, kind) for n, (shape, kind, *_) in stored.items()
    }
    kept = {n: tuple(s) for n, (s, *_) in stored.items() if not n.endswith(COUNT)}
    assert len(stored) == 163 and widths_of(kept) == Widths()
    assert Widths().parameters == 14_597_452  # dibr.md 2


def test_recipe_is_the_originals(
    recipe_weights: dict[str, np.ndarray], original_state: dict[str, Any]
) -> None:
    for name, (_, _, total, first) in original_state["state_dict"].items():
        value = recipe_weights[name].astype(np.float64)
        np.testing.assert_allclose(value.reshape(-1)[: len(first)], first, atol=1e-7)
        assert value.sum() == pytest.approx(total, rel=1e-6, abs=1e-4)


def test_forward_equals_the_original(network: Network, original: dict[str, np.ndarray]) -> None:
    network.eval()
    images = pictures(original)
    with torch.no_grad():
        encoder = network.encoder
        normal = (images - encoder.get_buffer("mean")) / encoder.get_buffer("std")
        close(encoder.features(normal), original["resnet_features"], FORWARD)
        close(encoder(images), original["code"], FORWARD)
        vertices, offsets, colours = network(images)
    close(vertices, original["vertices"], FORWARD)
    close(offsets, original["delta"], FORWARD)
    close(colours, original["rgb"], FORWARD)
    close(normalise_meshes(vertices), original["vertices_normalized"], FORWARD)
    close(vertices, original["vertices_f64"], DOUBLE)
    close(colours, original["rgb_f64"], DOUBLE)


def test_double_precision_equals_the_originals(
    network: Network, original: dict[str, np.ndarray]
) -> None:
    network.eval().double()
    with torch.no_grad():
        code = network.encoder(pictures(original).double())
        colours, offsets = network.decoder(network.template, code)
        vertices = network.template + network.residual_coef * offsets
    # The constants of the normalisation are float32 in one of the two, so 1e-7 is left.
    np.testing.assert_allclose(code, original["code_f64"], atol=1e-5)
    np.testing.assert_allclose(vertices, original["vertices_f64"], atol=1e-6)
    np.testing.assert_allclose(colours, original["rgb_f64"], atol=1e-6)


def test_gradients_in_training_equal_the_originals(
    network: Network, original: dict[str, np.ndarray], original_state: dict[str, Any]
) -> None:
    """Sum and sum of absolute values of all 102 gradients, batch normalisation by the batch."""
    network.train()
    vertices, _, colours = network(pictures(original))
    close(vertices, original["train_mode_vertices"], FORWARD)
    close(colours, original["train_mode_rgb"], FORWARD)
    ramp = torch.linspace(0, 1, 642)[None, :, None]
    (vertices.sum() + (colours * ramp).sum()).backward()
    learned = {n: p for n, p in network.named_parameters() if p.requires_grad}
    stored = original_state["train_mode_grad_sum_abs"]
    assert set(stored) == set(learned) and len(stored) == 102
    for name, (total, absolute) in stored.items():
        gradient = learned[name].grad.double()
        assert float(gradient.abs().sum()) == pytest.approx(absolute, rel=2e-4), name
        assert float(gradient.sum()) == pytest.approx(total, abs=2e-4 * absolute), name


def test_template_is_the_authors_file(original: dict[str, np.ndarray]) -> None:
    vertices, faces = sphere()
    # Six decimals of a radius of 0.5, times 0.39.
    np.testing.assert_allclose(vertices, original["template"], atol=5e-7)
    assert np.array_equal(faces, original["faces"])
    assert np.array_equal(edge_faces(faces), original["edge_faces"])
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 0.35 / 0.45 / 4, atol=1e-6)


@pytest.mark.parametrize("level", [0, 1, 2, 4])
def test_other_levels_are_closed_and_wound_outward(level: int) -> None:
    vertices, faces = sphere(level)
    assert len(vertices) == 10 * 4**level + 2 and len(faces) == 20 * 4**level
    a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
    outward = (np.cross(b - a, c - a) * (a + b + c)).sum(1)
    assert (outward > 0).all()
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    pairs = {tuple(edge) for edge in directed.tolist()}
    assert len(pairs) == len(directed) and all((b, a) in pairs for a, b in pairs)
    means = neighbour_means(faces)
    np.testing.assert_allclose(means.sum(1), 1, atol=1e-6)
    assert ((means > 0).sum(1) >= 5).all() and not means.diagonal().any()


def test_start_is_keyed_and_gives_the_template() -> None:
    network, other = Network(Widths((2,) * 4, (1,) * 4, 4, 4, 2, 1)), None
    network.initialise(3)
    first = network.tensors()
    state = torch.random.get_rng_state()
    other = Network(network.widths)
    other.initialise(3)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(np.array_equal(first[n], v) for n, v in other.tensors().items())
    other.initialise(4)
    assert not np.array_equal(first["encoder.fc.weight"], other.tensors()["encoder.fc.weight"])
    assert not first["decoder.blocks.1.fc_1.weight"].any()
    assert first["decoder.blocks.1.fc_1.bias"].any() and first["decoder.blocks.0.alpha"] == 1
    with torch.no_grad():
        vertices, offsets, _ = network.eval()(torch.rand(2, 3, 64, 64))
    assert torch.equal(vertices, network.template.expand(2, -1, -1)) and offsets.any()


def test_spread_of_the_start_by_hand() -> None:
    network = Network(Widths((32, 8, 8, 8), (1,) * 4, 64, 128, 1, 0))
    network.initialise(0)
    tensors = network.tensors()
    convolution = tensors["encoder.features.conv1.weight"]
    assert convolution.std() == pytest.approx(np.sqrt(2 / (32 * 49)), rel=0.05)
    linear = tensors["decoder.fc_c.0.weight"]  # uniform within 1/sqrt(64)
    assert 0.99 / 8 < np.abs(linear).max() <= 1 / 8
    assert linear.std() == pytest.approx(1 / 8 / np.sqrt(3), rel=0.05)
    network.initialise(0, 20.0)
    found = network.tensors()
    gained = found.pop("decoder.fc_p.weight")
    np.testing.assert_allclose(gained, 20 * tensors["decoder.fc_p.weight"], rtol=1e-6)
    assert all(np.array_equal(value, tensors[name]) for name, value in found.items())


def test_normalisation_by_hand() -> None:
    vertices = torch.tensor([[[0.0, 0, 0], [2, 1, -4], [1, 3, 0]]])
    found = normalise_meshes(vertices)[0]
    # Boxes 2 x 3 x 4 about (1, 1.5, -2); half of the longest is 2.
    expected = [[-0.25, -0.375, 0.5], [0.25, -0.125, -0.5], [0, 0.375, 0.5]]
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_normalisation_gives_a_tie_to_one_vertex() -> None:
    vertices = torch.tensor([[[-1.0, 0, 0], [1, 0, 0], [1, 0.5, 0]]], requires_grad=True)
    normalise_meshes(vertices)[0, 1, 1].backward()
    assert vertices.grad is not None and (vertices.grad[0, 1:, 0] != 0).sum() <= 1


@pytest.mark.parametrize(
    "images",
    [torch.zeros(1, 4, 64, 64), torch.zeros(3, 64, 64), torch.zeros(1, 3, 64, 65),
     torch.zeros(1, 3, 16, 16), torch.zeros(0, 3, 64, 64), torch.zeros(1, 3, 64, 64).double(),
     np.zeros((1, 3, 64, 64), np.float32)],
)  # fmt: skip
def test_other_pictures_are_refused(small_network: Network, images: Any) -> None:
    with pytest.raises(ShapeError, match=r"Network: images must be \(B, 3, S, S\) float32"):
        small_network(images)
