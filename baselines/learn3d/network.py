"""learn3D's networks: picture to shape code to displaced sphere, and the pose discriminator.

Modules are named as in the published state_dicts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchbench.baselines.learn3d.architecture import KERNEL, TAIL, Widths
from benchbench.baselines.learn3d.resnet import ResNet18
from benchbench.baselines.learn3d.sphere import mirror_pairs, sphere
from benchbench.core.errors import ShapeError
from benchbench.core.keyed import keyed_rng

OBJECT_SCALE = 0.5
_LAST = (
    "shapeLayer",
    "bias_layer",
    "digit_layer",
    "adv_layer",
)  # layers without a ReLU behind them


class Encoder(nn.Module):
    """Picture (B, C, S, S) to shape code (B, latent); the code has no activation."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = widths.channels_in
        for width in widths.channels:
            layers += [nn.Conv2d(before, width, KERNEL, stride=2, padding=2), nn.ReLU()]
            before = width
        first, second = widths.hidden
        self.convBlocks = nn.Sequential(*layers)
        self.FC = nn.Sequential(
            nn.Linear(before * TAIL**2, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU()
        )
        self.shapeLayer = nn.Linear(second, widths.latent)

    def forward(self, images: Tensor) -> Tensor:
        return self.shapeLayer(self.FC(self.convBlocks(images).flatten(1)))


class ResNetEncoder(nn.Module):
    """Picture (B, 3, 224, 224), normalised as ImageNet's, to shape code (B, 512)."""

    def __init__(self) -> None:
        super().__init__()
        self.model = ResNet18()

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images)


class Generator(nn.Module):
    """Shape code (B, latent) to vertices (B, V, 3): half of template plus offset, unbounded."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        first, second = widths.decoder
        self.fclayers = nn.Sequential(
            nn.Linear(widths.latent, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU()
        )
        self.bias_layer = nn.Linear(second, widths.offsets)
        base = sphere(widths.vertices)[0]
        self.register_buffer("base", torch.tensor(base), persistent=False)
        self.symmetric = widths.symmetric
        if widths.symmetric:
            on, front, back = (torch.from_numpy(rows) for rows in mirror_pairs(base))
            # Row of (on, front, back) offsets that every vertex takes.
            place = torch.empty(len(base), dtype=torch.int64)
            place[torch.cat([on, front, back])] = torch.arange(len(base))
            self.register_buffer("place", place, persistent=False)
            self.on = len(on)

    def forward(self, codes: Tensor) -> Tensor:
        offsets = self.bias_layer(self.fclayers(codes))
        if self.symmetric:
            plane = functional.pad(offsets[:, : 2 * self.on].unflatten(1, (self.on, 2)), (0, 1))
            front = offsets[:, 2 * self.on :].unflatten(1, (-1, 3))
            back = front * front.new_tensor([1.0, 1.0, -1.0])
            offsets = torch.cat([plane, front, back], dim=1)[:, self.get_buffer("place")]
        else:
            offsets = offsets.unflatten(1, (-1, 3))
        return OBJECT_SCALE * (self.get_buffer("base") + offsets)


class PoseDiscriminator(nn.Module):
    """Shape code (B, latent) to log-probabilities (B, K) of the pose bins."""

    def __init__(self, latent: int, bins: int, hidden: tuple[int, ...] = (256, 128)) -> None:
        super().__init__()
        self.hidden_layer0 = nn.Linear(latent, hidden[0])
        self.hidden_layer1 = nn.Linear(hidden[0], hidden[1])
        self.digit_layer = nn.Linear(hidden[1], bins)

    def forward(self, codes: Tensor) -> Tensor:
        x = functional.relu(self.hidden_layer0(codes))
        x = functional.relu(self.hidden_layer1(x))
        return functional.log_softmax(self.digit_layer(x), dim=1)


class Network(nn.Module):
    """Encoder and generator.

    Args:
        widths: Output widths of all layers.

    Example:
        >>> network = Network(Widths(channels=(2, 2, 2), hidden=(4, 4), latent=4, decoder=(4, 4)))
        >>> [tuple(found.shape) for found in network(torch.zeros(1, 4, 64, 64))]
        [(1, 4), (1, 642, 3)]
    """

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.widths = widths
        with torch.random.fork_rng(devices=[]):  # torch's own initial weights are not used
            self.encoder = ResNetEncoder() if widths.encoder == "resnet18" else Encoder(widths)
            self.generator = Generator(widths)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, C, S, S) to codes (B, latent) and vertices (B, V, 3), method's frame."""
        check_images("Network", images, self.widths)
        codes = self.encoder(images)
        return codes, self.generator(codes)


def initialise(module: nn.Module, name: str, seed: int, scale: float = 1.0) -> None:
    """torch's default start (uniform within 1 / sqrt(fan in)), drawn by key, not globally.

    Convolutions without bias, which are ResNet's, get its own start: normal with variance
    2 / (output channels x kernel).

    Args:
        module: Linear and convolution layers are drawn; batch norms start as 1 and 0.
        name: Part of the key.
        seed: Part of the key.
        scale: Factor of the weights (not of biases) of layers before a ReLU.
    """
    with torch.no_grad():
        for path, layer in module.named_modules():
            if not isinstance(layer, (nn.Linear, nn.Conv2d)):
                continue
            fan_in = layer.weight[0].numel()
            rng = keyed_rng("learn3d-init", name, seed, path)
            if layer.bias is None:
                fan_out = len(layer.weight) * layer.weight[0, 0].numel()
                draw = rng.standard_normal(layer.weight.shape) * (2 / fan_out) ** 0.5
                layer.weight.copy_(torch.from_numpy(draw.astype("float32")))
                continue
            for parameter in (layer.weight, layer.bias):
                draw = rng.uniform(-1, 1, parameter.shape) / fan_in**0.5
                if parameter is layer.weight and not set(path.split(".")) & set(_LAST):
                    draw = draw * scale
                parameter.copy_(torch.from_numpy(draw.astype("float32")))


def check_images(function: str, images: Tensor, widths: Widths) -> None:
    """Refuses anything but (B, C, S, S) float32 with B >= 1."""
    wanted = (widths.channels_in, widths.image_size, widths.image_size)
    expected = f"(B, {', '.join(map(str, wanted))}) float32"
    if not isinstance(images, Tensor):
        raise ShapeError(function, "images", expected, type(images).__name__)
    shape, kind = tuple(images.shape), str(images.dtype).removeprefix("torch.")
    if len(shape) != 4 or shape[1:] != wanted or shape[0] < 1 or images.dtype != torch.float32:
        raise ShapeError(function, "images", expected, f"{shape} {kind}")
