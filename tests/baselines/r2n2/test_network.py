"""Layers, networks, loss and gradients against the original's, run with Theano."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from benchbench.baselines.r2n2.architecture import KINDS, Architecture
from benchbench.baselines.r2n2.layouts import from_original, to_original
from benchbench.baselines.r2n2.network import (
    Network,
    convolve,
    initial_deviation,
    leaky,
    occupancy_loss,
    pool,
    probabilities,
    unpool,
    unpooled_conv,
)
from benchbench.baselines.r2n2.optimizer import DecayingAdam
from benchbench.baselines.r2n2.weights import read_checkpoint
from benchbench.core.errors import ShapeError
from benchbench.core.keyed import keyed_rng

PUBLISHED = {"res3d-gru-3": "ResidualGRUNet", "3d-gru-3": "GRUNet"}


def grids(array: np.ndarray) -> Tensor:
    """The original's (B, x, C, y, z) as (B, C, x, y, z)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -4, -3)))


def narrow(network: str, seed: int = 3) -> Network:
    """A narrow network with every weight random."""
    made = Network(Architecture(network, (2, 3, 2, 3, 2, 2), 5, (3, 3, 3, 2, 2)))
    rng = keyed_rng("narrow", seed)
    shapes = made.architecture.shapes()
    made.load({k: rng.normal(0, 0.3, shape).astype(np.float32) for k, shape in shapes.items()})
    return made


@pytest.fixture(scope="module")
def layers(data: Path) -> dict[str, np.ndarray]:
    with np.load(data / "r2n2/layers.npz") as file:
        return dict(file)


@pytest.mark.parametrize("name", ["conv2d", "conv7", "conv1"])
def test_2d_convolutions(layers: dict[str, np.ndarray], name: str) -> None:
    kernel = torch.from_numpy(from_original("conv1.W", layers[f"{name}_w"]))
    bias = torch.from_numpy(layers[f"{name}_b"])
    found = convolve(torch.from_numpy(layers["conv2d_x"]), kernel, bias)
    np.testing.assert_allclose(found, layers[f"{name}_y"], atol=1e-5)


@pytest.mark.parametrize("name", ["conv3d", "conv3d1"])
def test_3d_convolutions(layers: dict[str, np.ndarray], name: str) -> None:
    kernel = torch.from_numpy(from_original("conv7.W", layers[f"{name}_w"]))
    found = convolve(grids(layers["conv3d_x"]), kernel, torch.from_numpy(layers["conv3d_b"]))
    np.testing.assert_allclose(found, grids(layers[f"{name}_y"]), atol=1e-5)


@pytest.mark.parametrize("name", ["pool_odd", "pool_even", "pool_rect"])
def test_pooling_ignores_its_border(layers: dict[str, np.ndarray], name: str) -> None:
    assert (layers[f"{name}_x"] < 0).all()  # a border of zeros would win
    assert (pool(torch.from_numpy(layers[f"{name}_x"])).numpy() == layers[f"{name}_y"]).all()


def test_pointwise_functions_and_unpooling(layers: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(
        leaky(torch.from_numpy(layers["lrelu_x"])), layers["lrelu_y"], rtol=1e-5, atol=1e-8
    )
    np.testing.assert_allclose(
        torch.sigmoid(torch.from_numpy(layers["sig_x"])), layers["sig_y"], atol=1e-6
    )
    assert (unpool(grids(layers["unpool_x"])) == grids(layers["unpool_y"])).all()


def test_gates(layers: dict[str, np.ndarray]) -> None:
    """Hidden convolution, input matrix with its odd order of columns, and bias."""
    network = Network(Architecture("3d-gru-3", (1,) * 6, 7, (3, 3, 3, 3, 3)))
    tensors = network.tensors()
    for part, key in (("Wh", "fcc_wh"), ("Wx", "fcc_wx"), ("b", "fcc_b")):
        assert tensors[f"gru_update.{part}"].shape == layers[key].shape
        tensors[f"gru_update.{part}"] = layers[key]
    network.load(tensors)
    with torch.no_grad():
        seen = network.seen("gru_update", torch.from_numpy(layers["fcc_fc"])[:, None])
        found = network.gate("gru_update", grids(layers["fcc_s"]), seen[:, 0])
    np.testing.assert_allclose(found, grids(layers["fcc_y"]), atol=1e-5)


def test_loss_and_probabilities(layers: dict[str, np.ndarray]) -> None:
    logits, target = grids(layers["sm_x"]), grids(layers["sm_y"])
    np.testing.assert_allclose(probabilities(logits), grids(layers["sm_pred"])[:, 1], atol=1e-6)
    assert ((target == 0) | (target == 1)).all() and (target.sum(1) == 1).all()
    assert float(occupancy_loss(logits, target[:, 1])) == pytest.approx(
        float(layers["sm_loss"]), rel=1e-6
    )
    # The method called "error" is the share of equal entries at 0.5: an accuracy.
    equal = (probabilities(logits) >= 0.5) == target[:, 1].bool()
    assert float(equal.float().mean()) == pytest.approx(float(layers["sm_err"]), abs=1e-7)
    # The original overflows here.
    huge = torch.tensor([[-500.0], [500.0]])[None, :, :, None, None]
    assert float(occupancy_loss(huge, torch.zeros(1, 1, 1, 1))) == pytest.approx(1000)
    with pytest.raises(ShapeError, match="probabilities"):
        probabilities(torch.zeros(1, 3, 2, 2, 2))


@pytest.mark.parametrize("views", [1, 2, 3])
@pytest.mark.parametrize("network", PUBLISHED)
def test_forward_pass(data: Path, shared: Path, network: str, views: int) -> None:
    folder = shared / "oracles/r2n2/small"
    checkpoint = read_checkpoint(data / f"r2n2/{PUBLISHED[network]}_small.npy")
    assert checkpoint.architecture.network == network
    made = Network(checkpoint.architecture)
    made.load(checkpoint.tensors)
    with np.load(shared / "oracles/r2n2/demo_images_uint8.npz") as file:
        pictures = file["images"][:views].transpose(0, 3, 1, 2)[None]
    images = torch.from_numpy(np.ascontiguousarray(pictures)).float() / 255
    occupied = np.random.RandomState(7).rand(1, 32, 32, 32) < 0.3
    with torch.no_grad():
        maps, features = made.pool6(images[0]), made.encode(images[0])
        steps = made.recur(features[None])
        logits = made(images)
    with np.load(folder / f"{PUBLISHED[network]}_small_views{views}.npz") as expected:
        # The plain network's were taken before their leaky ReLU.
        wanted = torch.from_numpy(expected["pool6"])
        wanted = wanted if made.architecture.kind.residual else leaky(wanted)
        np.testing.assert_allclose(maps[:, None], wanted, atol=1e-4)
        np.testing.assert_allclose(features[:, None], expected["fc7"], atol=1e-4)
        hidden = torch.stack([step.hidden for step in steps])
        np.testing.assert_allclose(hidden, grids(expected["hidden"]), atol=3e-5)
        for gate in ("update", "reset"):
            found = torch.stack([step.gates[f"gru_{gate}"] for step in steps])
            np.testing.assert_allclose(found, grids(expected[f"{gate}_gate"]), atol=3e-5)
        np.testing.assert_allclose(logits, grids(expected["logits"]), atol=1e-4)
        found = probabilities(logits)
        np.testing.assert_allclose(found, grids(expected["prediction"])[:, 1], atol=3e-5)
        loss = occupancy_loss(logits, torch.from_numpy(occupied))
        assert float(loss) == pytest.approx(float(expected["loss"]), abs=1e-6)


def test_training_trace(data: Path, shared: Path) -> None:
    """Five steps of the original: losses, the first gradient, and the weights at the end."""
    folder = shared / "oracles/r2n2/small"
    checkpoint = read_checkpoint(data / "r2n2/ResidualGRUNet_small.npy")
    network = Network(checkpoint.architecture)
    network.load(checkpoint.tensors)
    names = list(checkpoint.architecture.shapes())
    weights = {name: network.weight(name) for name in names}
    optimizer = DecayingAdam(weights)
    with np.load(folder / "ResidualGRUNet_small_train.npz") as expected:
        pictures = expected["x_uint8"].swapaxes(0, 1)
        images = torch.from_numpy(np.ascontiguousarray(pictures)).float() / 255
        occupied = torch.from_numpy(expected["occ"])
        for number in range(1, 6):
            optimizer.zero_grad()
            loss = occupancy_loss(network(images), occupied)
            loss.backward()
            assert float(loss.detach()) == pytest.approx(
                float(expected["losses"][number - 1]), abs=1e-5
            )
            if number == 1:
                for place, name in enumerate(names):
                    wanted = expected[f"g{place:02d}"]
                    found = to_original(name, weights[name].grad.numpy())
                    assert np.abs(found - wanted).max() < 5e-4 * np.abs(wanted).max(), name
            optimizer.step(number, 1e-4)
        for place, (name, found) in enumerate(network.tensors().items()):
            np.testing.assert_allclose(found, expected[f"p{place:02d}"], atol=5e-5, err_msg=name)


def test_convolution_of_unpooled_values_equals_the_slow_twin() -> None:
    rng = keyed_rng("unpooled")
    h, kernel, bias = (
        torch.from_numpy(rng.normal(size=size)).requires_grad_()
        for size in ((2, 3, 2, 3, 4), (5, 3, 3, 3, 3), (5,))
    )
    slow = functional.conv3d(unpool(h), kernel, bias, padding=1)
    fast = unpooled_conv(h, kernel, bias)
    torch.testing.assert_close(fast, slow, rtol=1e-12, atol=1e-12)
    weight = torch.from_numpy(rng.normal(size=slow.shape))
    for one, other in zip(
        torch.autograd.grad((slow * weight).sum(), (h, kernel, bias)),
        torch.autograd.grad((fast * weight).sum(), (h, kernel, bias)),
        strict=True,
    ):
        torch.testing.assert_close(other, one, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("network", ["3d-lstm-1", "3d-lstm-3"])
def test_lstm_cell_by_hand(network: str) -> None:
    """c = f c + i g, h = tanh(c), no output gate; gates in the order input, forget, transform."""
    made = narrow(network)
    features = torch.from_numpy(keyed_rng("features").normal(size=(2, 3, 5)).astype(np.float32))
    weights = made.tensors()
    h = c = torch.zeros(2, 3, 4, 4, 4)
    with torch.no_grad():
        steps = made.recur(features)
        for view, step in enumerate(steps):
            i, f, g = (
                functional.conv3d(
                    h,
                    torch.from_numpy(from_original(f"{gate}.Wh", weights[f"{gate}.Wh"])),
                    torch.from_numpy(weights[f"{gate}.b"]),
                    padding=made.architecture.kind.kernel // 2,
                )
                # Columns of the input matrix: ((x * C + c) * 4 + y) * 4 + z.
                + (features[:, view] @ torch.from_numpy(weights[f"{gate}.Wx"]))
                .reshape(2, 4, 3, 4, 4)
                .permute(0, 2, 1, 3, 4)
                for gate in ("lstm_input", "lstm_forget", "lstm_transform")
            )
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.tanh(c)
            torch.testing.assert_close(step.memory, c, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(step.hidden, h, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("network", KINDS)
def test_views_of_a_batch_do_not_touch_each_other(network: str) -> None:
    """The order of views matters, other objects of the batch do not."""
    made = narrow(network)
    rng = keyed_rng("views")
    images = torch.from_numpy(rng.random((2, 3, 3, 127, 127), np.float32))
    with torch.no_grad():
        together = made(images)
        for n in range(2):
            torch.testing.assert_close(made(images[n : n + 1])[0], together[n], rtol=0, atol=1e-4)
        assert (made(images.flip(1)) - together).abs().max() > 1e-3
    with pytest.raises(ShapeError, match="images"):
        made(images[:, :0])
    with pytest.raises(ShapeError, match="images"):
        made(images[..., :64, :64])


def test_initial_weights_have_the_published_spread() -> None:
    """r2n2.md 6.1, standard deviations measured on the original's own start."""
    shapes = Architecture().shapes()
    for name, measured in {
        "conv1a.W": 0.02879, "conv2c.W": 0.13385, "conv3b.W": 0.02942, "fc7.W": 0.03465,
        "gru_update.Wh": 0.02406, "gru_update.Wx": 0.02083, "conv9a.W": 0.02779,
        "conv9c.W": 0.14405, "conv10a.W": 0.03926, "conv11.W": 0.06732,
    }.items():  # fmt: skip
        assert initial_deviation(shapes[name]) == pytest.approx(measured, rel=0.02), name
    network = Network(Architecture("res3d-gru-3", (4, 8, 8, 8, 8, 8), 32, (8, 8, 8, 8, 8)))
    network.initialise(5)
    tensors = network.tensors()
    for name, value in tensors.items():
        if name.endswith(".b"):
            assert (value == np.float32(0.1)).all()
        elif value.size > 4000:
            assert value.std() == pytest.approx(initial_deviation(value.shape), rel=0.05), name
    network.initialise(6)
    assert (network.tensors()["fc7.W"] != tensors["fc7.W"]).any()
    network.initialise(5)
    assert all((value == tensors[name]).all() for name, value in network.tensors().items())


@pytest.mark.parametrize("network", KINDS)
def test_layouts_go_there_and_back(network: str) -> None:
    for name, shape in (
        Architecture(network, (2, 3, 4, 5, 6, 6), 7, (5, 5, 5, 4, 3)).shapes().items()
    ):
        value = keyed_rng(name).normal(size=shape).astype(np.float32)
        assert (to_original(name, from_original(name, value)) == value).all()
