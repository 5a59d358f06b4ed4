"""The network against a slow twin in plain loops and against the original's activations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from benchbench.baselines import load_baseline
from benchbench.baselines.kato.architecture import Widths
from benchbench.baselines.kato.losses import edges_of, smoothness_loss
from benchbench.baselines.kato.network import Network
from benchbench.baselines.kato.template import sphere_642
from benchbench.core.errors import ShapeError

SMALL = Widths((2, 3, 4), (5, 6), 7, (8, 9))


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def slow_convolution(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """5x5 cross-correlation, stride 2, padding 2, one output pixel at a time."""
    side = x.shape[1] // 2
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2)))
    out = np.zeros((len(w), side, side))
    for r in range(side):
        for c in range(side):
            out[:, r, c] = (w * padded[:, 2 * r : 2 * r + 5, 2 * c : 2 * c + 5]).sum((1, 2, 3)) + b
    return out


def slow_network(t: dict[str, np.ndarray], image: np.ndarray) -> np.ndarray:
    """kato.md 3 in float64, one picture."""
    x = image
    for n in (1, 2, 3):
        x = relu(slow_convolution(x, t[f"encoder/conv{n}/W"], t[f"encoder/conv{n}/b"]))
    x = x.reshape(-1)
    names = [f"encoder/linear{n}" for n in (1, 2, 3)] + ["decoder/linear1", "decoder/linear2"]
    for name in names:
        x = relu(t[f"{name}/W"] @ x + t[f"{name}/b"])
    g = t["decoder/linear_centroids/W"] @ x + t["decoder/linear_centroids/b"]
    d = (t["decoder/linear_bias/W"] @ x + t["decoder/linear_bias/b"]).reshape(642, 3)
    q = 0.5 * sphere_642()[0].astype(np.float64)
    out = np.zeros((642, 3))
    for v in range(642):
        for k in range(3):
            c = np.tanh(0.1 * g[k])
            if q[v, k] == 0:
                u = 0.0
            else:
                logit = np.log(abs(q[v, k]) / (1 - abs(q[v, k]))) + d[v, k]
                u = np.sign(q[v, k]) / (1 + np.exp(-logit))
            room = (1 - c) if u > 0 else (1 + c)
            out[v, k] = 0.5 * (u * room + c)
    return out


def test_equals_the_slow_twin() -> None:
    network = Network(SMALL)
    rng = np.random.default_rng(1)
    tensors = {
        k: (rng.normal(size=s) / np.sqrt(max(np.prod(s[1:]), 1)) * 1.5).astype(np.float32)
        for k, s in SMALL.shapes().items()
    }
    network.load(tensors)
    images = rng.random((3, 4, 64, 64)).astype(np.float32)
    with torch.no_grad():
        got = network(torch.tensor(images)).numpy()
    doubles = {k: v.astype(np.float64) for k, v in tensors.items()}
    for image, vertices in zip(images, got, strict=True):
        np.testing.assert_allclose(vertices, slow_network(doubles, image), rtol=0, atol=2e-6)


def test_zero_weights_give_the_quarter_sphere() -> None:
    network = Network(SMALL)
    network.load({k: np.zeros(s, np.float32) for k, s in SMALL.shapes().items()})
    with torch.no_grad():
        vertices = network(torch.rand(2, 4, 64, 64))
    np.testing.assert_allclose(vertices[1], sphere_642()[0] / 4, atol=1e-7)


def test_stuck_coordinates_and_gradients_stay_finite() -> None:
    network = Network(SMALL)
    network.initialise(3)
    vertices = network(torch.rand(2, 4, 64, 64))
    vertices.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())
    zero = torch.tensor(sphere_642()[0] == 0)
    for one in vertices:
        for axis in range(3):
            stuck = one[:, axis][zero[:, axis]]
            assert (stuck == stuck[0]).all()
    assert vertices.abs().max() < 0.5


def test_start_is_chainers_and_keyed() -> None:
    a, b = Network(Widths()), Network(Widths())
    state = torch.random.get_rng_state()
    a.initialise(0)
    assert torch.equal(torch.random.get_rng_state(), state)  # the global generator is not used
    weights = a.tensors()
    assert weights["encoder/conv1/W"].std() == pytest.approx(0.1, rel=0.03)  # 1 / sqrt(4 25)
    assert weights["encoder/linear1/W"].std() == pytest.approx(1 / 128, rel=0.01)
    assert not weights["decoder/linear_bias/b"].any()
    b.initialise(0)
    assert all((b.tensors()[k] == v).all() for k, v in weights.items())
    b.initialise(1)
    assert (b.tensors()["encoder/conv1/W"] != weights["encoder/conv1/W"]).all()


@pytest.mark.parametrize(
    "bad",
    [torch.zeros(1, 3, 64, 64), torch.zeros(4, 64, 64), torch.zeros(1, 4, 64, 65),
     torch.zeros(0, 4, 64, 64), torch.zeros(1, 4, 64, 64, dtype=torch.float64),
     torch.zeros(1, 4, 64, 64, dtype=torch.uint8), np.zeros((1, 4, 64, 64), np.float32)],
)  # fmt: skip
def test_other_pictures_are_refused(bad: object) -> None:
    with pytest.raises(ShapeError, match=r"images must be \(B, 4, 64, 64\) float32"):
        Network(SMALL)(bad)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def original(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "oracles" / "kato" / "forward_full.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def published(shared: Path) -> Network:
    path = shared / "oracles" / "kato" / "model_full.npz"
    return load_baseline("kato", checkpoint=path).network


def test_activations_equal_the_original(
    original: dict[str, np.ndarray], published: Network
) -> None:
    encoder, decoder = published.encoder, published.decoder
    with torch.no_grad():
        x = torch.tensor(original["images"])
        for n, layer in enumerate((encoder.conv1, encoder.conv2, encoder.conv3), 1):
            x = functional.relu(layer(x))
            np.testing.assert_allclose(x, original[f"enc_conv{n}_relu"], rtol=0, atol=1e-5)
        feature = encoder(torch.tensor(original["images"]))
        np.testing.assert_allclose(feature, original["feature"], rtol=0, atol=5e-6)
        np.testing.assert_allclose(decoder(feature), original["vertices"], rtol=0, atol=2e-6)


def test_gradients_equal_the_original(original: dict[str, np.ndarray], published: Network) -> None:
    """Gradients of sum(vertices pattern) + 0.001 smoothness, to 1e-4 of each tensor's largest.

    Two activations of the first layer are 0 in the original and 1e-7 here (the weights of the
    reference model are multiples of a power of two, so sums cancel); its mask is used there.
    """
    encoder = published.encoder
    published.zero_grad()
    x = encoder.conv1(torch.tensor(original["images"]))
    mask = torch.tensor(original["enc_conv1_relu"] > 0)
    assert ((x.detach() > 0) != mask).sum() <= 4
    x = functional.relu(encoder.conv2(x * mask))
    x = functional.relu(encoder.conv3(x)).flatten(1)
    for layer in (encoder.linear1, encoder.linear2, encoder.linear3):
        x = functional.relu(layer(x))
    vertices = published.decoder(x)
    vertices.retain_grad()
    edges = torch.from_numpy(edges_of(sphere_642()[1]))
    smooth = smoothness_loss(vertices, edges)
    assert smooth.item() == pytest.approx(float(original["smoothness_loss_batch"]), rel=1e-5)
    objective = (vertices * torch.tensor(original["grad_pattern"])).sum() + 0.001 * smooth
    objective.backward()
    parameters = published.chainer_parameters()
    names = [str(name) for name in original["param_grad_names"]]
    assert sorted(names) == sorted(parameters)
    for name, stats in zip(names, original["param_grad_stats_sum_l1_l2_max"], strict=True):
        grad = parameters[name].grad.numpy().astype(np.float64)
        found = [np.abs(grad).sum(), np.sqrt((grad**2).sum()), np.abs(grad).max()]
        np.testing.assert_allclose(found, stats[1:], rtol=1e-4)
        if f"param_grad/{name}" in original:
            difference = np.abs(grad - original[f"param_grad/{name}"]).max()
            assert difference < 1e-4 * np.abs(grad).max(), name
