"""Kato's network: picture to feature to displaced sphere (mesh_reconstruction/models.py)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchbench.baselines.checkpoints import Tensors
from benchbench.baselines.kato.architecture import CHANNELS_IN, IMAGE_SIZE, KERNEL, VERTICES, Widths
from benchbench.baselines.kato.template import sphere_642
from benchbench.core.errors import ShapeError
from benchbench.core.keyed import keyed_rng

CENTROID_SCALE = 0.1
BIAS_SCALE = 1.0
OBJECT_SCALE = 0.5


class Encoder(nn.Module):
    """Picture (B, 4, 64, 64) to feature (B, feature), all activations ReLU, the last one too."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        c1, c2, c3 = widths.channels
        e1, e2 = widths.encoder_hidden
        self.conv1 = nn.Conv2d(CHANNELS_IN, c1, KERNEL, stride=2, padding=2)
        self.conv2 = nn.Conv2d(c1, c2, KERNEL, stride=2, padding=2)
        self.conv3 = nn.Conv2d(c2, c3, KERNEL, stride=2, padding=2)
        self.linear1 = nn.Linear(c3 * (IMAGE_SIZE // 8) ** 2, e1)
        self.linear2 = nn.Linear(e1, e2)
        self.linear3 = nn.Linear(e2, widths.feature)

    def forward(self, images: Tensor) -> Tensor:
        x = functional.relu(self.conv1(images))
        x = functional.relu(self.conv2(x))
        x = functional.relu(self.conv3(x))
        x = functional.relu(self.linear1(x.flatten(1)))
        x = functional.relu(self.linear2(x))
        return functional.relu(self.linear3(x))


class Decoder(nn.Module):
    """Feature (B, feature) to vertices (B, 642, 3) of the deformed sphere, in (-0.5, 0.5).

    The displacement acts on the logarithm of a coordinate's odds, so it never changes a sign:
    a template vertex on a coordinate plane stays on the plane through the centroid.
    """

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        d1, d2 = widths.decoder_hidden
        self.linear1 = nn.Linear(widths.feature, d1)
        self.linear2 = nn.Linear(d1, d2)
        self.linear_centroids = nn.Linear(d2, 3)
        self.linear_bias = nn.Linear(d2, VERTICES * 3)
        base = torch.tensor(sphere_642()[0]) * OBJECT_SCALE
        odds = base.abs() / (1 - base.abs())
        self.register_buffer("sign", base.sign(), persistent=False)
        self.register_buffer("log_odds", odds.log(), persistent=False)

    def forward(self, feature: Tensor) -> Tensor:
        x = functional.relu(self.linear1(feature))
        x = functional.relu(self.linear2(x))
        centroid = torch.tanh(self.linear_centroids(x) * CENTROID_SCALE)[:, None, :]
        bias = self.linear_bias(x).unflatten(1, (VERTICES, 3)) * BIAS_SCALE
        return deform(bias, centroid, self.get_buffer("sign"), self.get_buffer("log_odds"))


def deform(bias: Tensor, centroid: Tensor, sign: Tensor, log_odds: Tensor) -> Tensor:
    """Vertices from displacements: kato.md 3, "vertex formula".

    Args:
        bias: (B, 642, 3) displacement of the log odds.
        centroid: (B, 1, 3) in (-1, 1).
        sign: (642, 3) of the template's coordinates, -1, 0 or 1.
        log_odds: (642, 3), minus infinity where the coordinate is 0.

    Returns:
        (B, 642, 3) in (-0.5, 0.5).
    """
    unit = torch.sigmoid(log_odds + bias) * sign
    # Room left on the vertex's own side of the centroid; where unit is 0 the factor is 1 - c or
    # 1 + c times 0, which is 0 as well.
    room = 1 - centroid * torch.where(unit > 0, 1.0, -1.0)
    return (unit * room + centroid) * OBJECT_SCALE


class Network(nn.Module):
    """Encoder and decoder.

    Args:
        widths: Output widths of all layers.

    Example:
        >>> network = Network(Widths((2, 2, 2), (4, 4), 4, (4, 4)))
        >>> network(torch.zeros(1, 4, 64, 64)).shape
        torch.Size([1, 642, 3])
    """

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.widths = widths
        with torch.random.fork_rng(devices=[]):  # torch's own initial weights are not used
            self.encoder = Encoder(widths)
            self.decoder = Decoder(widths)

    def forward(self, images: Tensor) -> Tensor:
        """Pictures (B, 4, 64, 64) float32 in [0, 1] to vertices (B, 642, 3), Kato's frame."""
        check_images("Network", images)
        return self.decoder(self.encoder(images))

    def initialise(self, seed: int) -> None:
        """Chainer's default start: W ~ N(0, 1/fan_in), biases 0; drawn by key, not globally."""
        with torch.no_grad():
            for key, parameter in self.chainer_parameters().items():
                if key.endswith("/b"):
                    parameter.zero_()
                    continue
                fan_in = parameter[0].numel()
                draw = keyed_rng("kato-init", seed, key).standard_normal(parameter.shape)
                parameter.copy_(torch.from_numpy((draw / np.sqrt(fan_in)).astype(np.float32)))

    def chainer_parameters(self) -> dict[str, nn.Parameter]:
        """Parameters under their Chainer keys, e.g. "encoder/conv1/W"."""
        parts = {"weight": "W", "bias": "b"}
        named = {}
        for name, parameter in self.named_parameters():
            half, layer, part = name.split(".")
            named[f"{half}/{layer}/{parts[part]}"] = parameter
        return named

    def tensors(self) -> Tensors:
        """Copies of the weights as numpy arrays under their Chainer keys."""
        return {
            key: parameter.detach().cpu().numpy().copy()
            for key, parameter in self.chainer_parameters().items()
        }

    def load(self, tensors: Tensors) -> None:
        """Sets all weights; the shapes are known to fit (`architecture.widths_of`)."""
        with torch.no_grad():
            for key, parameter in self.chainer_parameters().items():
                parameter.copy_(torch.tensor(tensors[key]))


def check_images(function: str, images: Tensor) -> None:
    """Refuses anything but (B, 4, 64, 64) float32 with B >= 1."""
    expected = f"(B, {CHANNELS_IN}, {IMAGE_SIZE}, {IMAGE_SIZE}) float32"
    if not isinstance(images, Tensor):
        raise ShapeError(function, "images", expected, type(images).__name__)
    shape, kind = tuple(images.shape), str(images.dtype).removeprefix("torch.")
    wanted = (CHANNELS_IN, IMAGE_SIZE, IMAGE_SIZE)
    if len(shape) != 4 or shape[1:] != wanted or shape[0] < 1 or images.dtype != torch.float32:
        raise ShapeError(function, "images", expected, f"{shape} {kind}")
