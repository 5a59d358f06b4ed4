"""DIB-R's single-image network: a residual encoder, and a decoder that moves and paints a sphere.

The names of modules are those of the authors' state_dict, torchvision's within the encoder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchbench.baselines.checkpoints import Tensors
from benchbench.baselines.dibr.architecture import COUNT, STAGES, Widths
from benchbench.baselines.dibr.template import sphere
from benchbench.core.errors import ShapeError
from benchbench.core.keyed import keyed_rng

SMALLEST, LARGEST = 32, 1024  # sides of pictures, in pixels
# ImageNet's, in the order R, G, B; the authors feed B, G, R and so do we.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Unit(nn.Module):
    """Two convolutions beside a shortcut (torchvision's BasicBlock)."""

    def __init__(self, before: int, width: int, stride: int, shortcut: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if shortcut:
            convolution = nn.Conv2d(before, width, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """torchvision's ResNet-18 without its last layer: (B, 3, S, S) to (B, stages[-1])."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        before = widths.stages[0]
        self.conv1 = nn.Conv2d(3, before, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(before)
        for stage, (width, units) in enumerate(zip(widths.stages, widths.units, strict=True)):
            layer = nn.Sequential()
            for n in range(units):
                first = stage > 0 and n == 0
                layer.append(Unit(before, width, 2 if first else 1, first))
                before = width
            setattr(self, f"layer{stage + 1}", layer)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.max_pool2d(x, 3, 2, 1)
        for stage in range(STAGES):
            x = getattr(self, f"layer{stage + 1}")(x)
        return x.mean((2, 3))


class Encoder(nn.Module):
    """Picture (B, 3, S, S), channels B, G, R in [0, 1], to code (B, code)."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.features = ResNet(widths)
        self.fc = nn.Linear(widths.stages[-1], widths.code)
        self.register_buffer("mean", torch.tensor(_MEAN).reshape(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).reshape(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        # Blue meets the constants of red: the channels are in stored order.
        normal = (images - self.get_buffer("mean")) / self.get_buffer("std")
        return self.fc(self.features(normal))


class Block(nn.Module):
    """h + alpha fc_1(relu(fc_0(relu(h))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1))
        self.fc_0 = nn.Linear(width, width)
        self.fc_1 = nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.alpha * self.fc_1(functional.relu(self.fc_0(functional.relu(h))))


class Decoder(nn.Module):
    """Points (V, 3) and codes (B, code) to colours (B, V, 3) and offsets (B, V, 3)."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.fc_p = nn.Linear(3, widths.hidden)
        linears = [nn.Linear(widths.code, widths.hidden) for _ in range(widths.blocks)]
        self.fc_c = nn.ModuleList(linears)
        self.blocks = nn.ModuleList(Block(widths.hidden) for _ in range(widths.blocks))
        self.fc_out = nn.Linear(widths.hidden, 6)

    def forward(self, points: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        h = self.fc_p(points)[None]
        for condition, block in zip(self.fc_c, self.blocks, strict=True):
            h = block(h + condition(code)[:, None])
        out = self.fc_out(functional.leaky_relu(h, 0.2))
        return torch.sigmoid(out[..., :3]), out[..., 3:]


class Network(nn.Module):
    """Encoder, decoder, template and the one number that scales all offsets.

    Args:
        widths: Output widths of all layers.

    Example:
        >>> network = Network(Widths((2, 2, 2, 2), (1, 1, 1, 1), 4, 4, 1, 1)).eval()
        >>> vertices, offsets, colours = network(torch.zeros(1, 3, 64, 64))
        >>> vertices.shape, bool((vertices == network.template).all())
        (torch.Size([1, 42, 3]), True)
    """

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.widths = widths
        with torch.random.fork_rng(devices=[]):  # torch's own initial weights are not used
            self.encoder = Encoder(widths)
            self.decoder = Decoder(widths)
        template = torch.tensor(sphere(widths.level)[0])
        self.template = nn.Parameter(template, requires_grad=False)
        self.residual_coef = nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures to meshes.

        Args:
            images: (B, 3, S, S) float32 in [0, 1], channels B, G, R; 224 in the original.

        Returns:
            Vertices (B, V, 3) before normalisation, offsets (B, V, 3) before scaling, and colours
            (B, V, 3) in [0, 1], channels B, G, R.

        Raises:
            ShapeError: Another shape or type.
        """
        check_images("Network", images)
        colours, offsets = self.decoder(self.template, self.encoder(images))
        return self.template + self.residual_coef * offsets, offsets, colours

    def tensors(self) -> Tensors:
        """Copies of what a checkpoint holds, as numpy arrays by name."""
        return {
            name: value.detach().cpu().numpy().copy()
            for name, value in self.state_dict().items()
            if not name.endswith(COUNT)
        }

    def load_tensors(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Sets what is given; the shapes are known to fit (`architecture.widths_of`)."""
        state = self.state_dict()
        self.load_state_dict(state | {name: torch.tensor(v) for name, v in tensors.items()})

    def initialise(self, seed: int, point_gain: float = 1.0) -> None:
        """The original's start, but with a random encoder; drawn by key, not globally.

        Convolutions N(0, 2 / fan_out) as in torchvision, linear layers U(+-1/sqrt(fan_in)) as in
        torch, the second layer of every block 0, alpha 1, residual_coef 0.

        Args:
            seed: The key.
            point_gain: Factor on the weights of the layer that takes the template's points, which
                are small numbers; 1 in the original.
        """
        with torch.no_grad():
            for name, module in self.named_modules():
                rng = keyed_rng("dibr-init", seed, name)
                if isinstance(module, nn.Conv2d):
                    fan_out = module.out_channels * math.prod(module.kernel_size)
                    draw = rng.standard_normal(module.weight.shape) * math.sqrt(2 / fan_out)
                    module.weight.copy_(torch.from_numpy(draw.astype(np.float32)))
                elif isinstance(module, nn.Linear):
                    bound = 1 / math.sqrt(module.in_features)
                    for parameter in (module.weight, module.bias):
                        draw = rng.uniform(-bound, bound, parameter.shape).astype(np.float32)
                        parameter.copy_(torch.from_numpy(draw))
                    if name.endswith("fc_1"):
                        module.weight.zero_()
                elif isinstance(module, nn.BatchNorm2d):
                    module.reset_parameters()
                elif isinstance(module, Block):
                    module.alpha.fill_(1)
            self.residual_coef.zero_()
            self.decoder.fc_p.weight.mul_(point_gain)


def normalise_meshes(vertices: Tensor) -> Tensor:
    """Centres meshes on their bounding box and scales them to a largest half-extent of 0.5.

    Source: the authors' `normalize_meshes`, before the losses and before saving. Differentiable.

    Args:
        vertices: (B, V, 3); all in one point gives NaN, as in the original.

    Returns:
        (B, V, 3).

    Example:
        >>> normalise_meshes(torch.tensor([[[1.0, 0, 0], [5, 1, 0]]])).tolist()
        [[[-0.5, -0.125, 0.0], [0.5, 0.125, 0.0]]]
    """
    # `max` and not `amax`: of equal coordinates one gets the gradient, as in the original.
    low = vertices.min(1, keepdim=True).values
    high = vertices.max(1, keepdim=True).values
    centred = vertices - (low + high) / 2
    largest = centred.flatten(1).max(1).values
    return centred / largest[:, None, None] * 0.5


def check_images(function: str, images: Tensor) -> None:
    """Refuses anything but (B, 3, S, S) float32 with B >= 1 and a side within reason."""
    expected = f"(B, 3, S, S) float32 with S from {SMALLEST} to {LARGEST}"
    if not isinstance(images, Tensor):
        raise ShapeError(function, "images", expected, type(images).__name__)
    shape, kind = tuple(images.shape), str(images.dtype).removeprefix("torch.")
    good = len(shape) == 4 and shape[0] >= 1 and shape[1] == 3 and shape[2] == shape[3]
    if not good or not SMALLEST <= shape[2] <= LARGEST or images.dtype != torch.float32:
        raise ShapeError(function, "images", expected, f"{shape} {kind}")
