"""3D-R2N2's networks: pictures of one object, one after another, to a grid of occupancy.

Grids are laid out (B, channel, x, y, z) here; the original's are (B, x, channel, y, z).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchbench.baselines.checkpoints import Tensors
from benchbench.baselines.r2n2.architecture import CLASSES, IMAGE_SIZE, STATE_SIDE, Architecture
from benchbench.baselines.r2n2.layouts import from_original, to_original
from benchbench.core.errors import ShapeError
from benchbench.core.keyed import keyed_rng

SLOPE = 0.01  # of the leaky ReLU below 0
BIAS = 0.1  # initial value of every bias
_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


@dataclass(frozen=True)
class Step:
    """What the recurrent cell holds after one view.

    Attributes:
        hidden: (B, state, 4, 4, 4), what the decoder sees.
        memory: Of an LSTM, likewise; equal to `hidden` in a GRU.
        gates: By name, each likewise.
    """

    hidden: Tensor
    memory: Tensor
    gates: dict[str, Tensor]


class Network(nn.Module):
    """Encoder, recurrent cell and decoder.

    Args:
        architecture: Which network, and its widths.

    Example:
        >>> small = Architecture("res3d-gru-3", (2, 2, 2, 2, 2, 2), 4, (2, 2, 2, 2, 2))
        >>> network = Network(small)
        >>> network(torch.zeros(1, 3, 3, 127, 127)).shape  # one object, three views
        torch.Size([1, 2, 32, 32, 32])
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        # Weights are kept by the original's names, a dot read as an underscore, in torch's layout.
        for name, shape in architecture.shapes().items():
            empty = torch.zeros(from_original(name, np.zeros(shape, np.float32)).shape)
            if empty.ndim > 3:  # up to twice as fast on CPUs
                empty = empty.contiguous(memory_format=_FORMATS[empty.ndim])
            self.register_parameter(name.replace(".", "_"), nn.Parameter(empty))

    def weight(self, name: str) -> Tensor:
        """A parameter by its original name, in torch's layout."""
        return self.get_parameter(name.replace(".", "_"))

    def forward(self, images: Tensor) -> Tensor:
        """Pictures to logits.

        Args:
            images: (B, T, 3, 127, 127) float32 in [0, 1], RGB.

        Returns:
            (B, 2, 32, 32, 32): channel 0 empty, channel 1 occupied; then x, y, z.
        """
        check_images("Network", images)
        batch, views = images.shape[:2]
        features = self.encode(images.flatten(0, 1)).unflatten(0, (batch, views))
        return self.decode(self.recur(features)[-1].hidden)

    def encode(self, images: Tensor) -> Tensor:
        """Pictures (N, 3, 127, 127) to features (N, feature)."""
        flat = self.pool6(images).flatten(1)
        return leaky(functional.linear(flat, self.weight("fc7.W"), self.weight("fc7.b")))

    def pool6(self, images: Tensor) -> Tensor:
        """Pictures (N, 3, 127, 127) to the last feature maps, before they are flattened."""
        h = images.contiguous(memory_format=torch.channels_last)
        if not self.architecture.kind.residual:
            for n in range(1, 7):
                # Pooling before the leaky ReLU, as in the original, and cheaper.
                h = leaky(pool(self._conv(f"conv{n}", h)))
            return h
        for n in range(1, 7):
            deep = leaky(self._conv(f"conv{n}b", leaky(self._conv(f"conv{n}a", h))))
            if n in (2, 3, 5):
                deep = self._conv(f"conv{n}c", h) + deep
            elif n == 6:
                deep = h + deep
            h = pool(deep)
        return h

    def recur(self, features: Tensor) -> list[Step]:
        """The cell's states after every view, starting from zero.

        Args:
            features: (B, T, feature).
        """
        kind, batch = self.architecture.kind, len(features)
        shape = (self.architecture.state, STATE_SIDE, STATE_SIDE, STATE_SIDE)
        # What the gates see of the pictures, for all views at once.
        seen = [self.seen(gate, features).unbind(1) for gate in kind.gates]
        hidden = memory = features.new_zeros(batch, *shape)
        steps = []
        for views in zip(*seen, strict=True):
            first, second = (
                torch.sigmoid(self.gate(gate, hidden, view))
                for gate, view in zip(kind.gates[:2], views[:2], strict=True)
            )
            if kind.cell == "gru":  # update, reset: the update gate keeps the OLD state
                third = torch.tanh(self.gate(kind.gates[2], second * hidden, views[2]))
                hidden = memory = first * hidden + (1 - first) * third
            else:  # input, forget; there is no output gate
                third = torch.tanh(self.gate(kind.gates[2], hidden, views[2]))
                memory = second * memory + first * third
                hidden = torch.tanh(memory)
            gates = dict(zip(kind.gates, (first, second, third), strict=True))
            steps.append(Step(hidden, memory, gates))
        return steps

    def decode(self, hidden: Tensor) -> Tensor:
        """State (B, state, 4, 4, 4) to logits (B, 2, 32, 32, 32)."""
        h = hidden.contiguous(memory_format=torch.channels_last_3d)
        if not self.architecture.kind.residual:
            for n in (7, 8, 9):
                h = leaky(self._unpooled_conv(f"conv{n}", h))
            return self._conv("conv11", leaky(self._conv("conv10", h)))
        for n in (7, 8, 9):
            deep = leaky(self._unpooled_conv(f"conv{n}a", h))
            deep = leaky(self._conv(f"conv{n}b", deep))
            # A 1x1x1 kernel sees zeros between the values: only its bias arrives there.
            h = unpool(h) + deep if n < 9 else self._unpooled_conv("conv9c", h) + deep
        a = leaky(self._conv("conv10a", h))
        # Both see the same values: one convolution of twice the channels.
        both = convolve(
            a,
            torch.cat([self.weight("conv10b.W"), self.weight("conv10c.W")]),
            torch.cat([self.weight("conv10b.b"), self.weight("conv10c.b")]),
        )
        deep, straight = both.chunk(2, dim=1)
        h = straight + leaky(deep)
        return self._conv("conv11", h)

    def seen(self, gate: str, features: Tensor) -> Tensor:
        """What a gate gets from features (B, T, feature): (B, T, state, 4, 4, 4)."""
        shape = (self.architecture.state, STATE_SIDE, STATE_SIDE, STATE_SIDE)
        return functional.linear(features, self.weight(f"{gate}.Wx")).unflatten(2, shape)

    def gate(self, gate: str, hidden: Tensor, seen: Tensor) -> Tensor:
        """A gate before its nonlinearity, from the hidden state and what it sees of one view."""
        return convolve(hidden, self.weight(f"{gate}.Wh"), self.weight(f"{gate}.b")) + seen

    def _conv(self, name: str, h: Tensor) -> Tensor:
        return convolve(h, self.weight(f"{name}.W"), self.weight(f"{name}.b"))

    def _unpooled_conv(self, name: str, h: Tensor) -> Tensor:
        kernel, bias = self.weight(f"{name}.W"), self.weight(f"{name}.b")
        if kernel.shape[-1] == 1:
            small = functional.conv3d(h, kernel)
            return unpool(small) + bias[:, None, None, None]
        return unpooled_conv(h, kernel, bias)

    def initialise(self, seed: int) -> None:
        """The original's start: biases 0.1, W ~ N(0, 2/n), n the mean of fan in and fan out.

        The fans are those of the stored layout: of the dense layers too, whatever the original's
        code asked for (r2n2.md 7.1). Drawn by key, so that equal seeds start equal.
        """
        tensors = {}
        for name, shape in self.architecture.shapes().items():
            if name.endswith(".b"):
                tensors[name] = np.full(shape, BIAS, np.float32)
                continue
            draw = keyed_rng("r2n2-init", seed, name).standard_normal(shape)
            tensors[name] = (draw * initial_deviation(shape)).astype(np.float32)
        self.load(tensors)

    @torch.no_grad()
    def load(self, tensors: Tensors) -> None:
        """Takes over tensors in the original's names and layouts."""
        for name in self.architecture.shapes():
            self.weight(name).copy_(torch.from_numpy(from_original(name, tensors[name])))

    def tensors(self) -> Tensors:
        """All weights in the original's names, order and layouts."""
        return {
            name: to_original(name, self.weight(name).detach().cpu().numpy())
            for name in self.architecture.shapes()
        }


def initial_deviation(shape: tuple[int, ...]) -> float:
    """Standard deviation of the initial weights of a tensor in the original's layout.

    Example:
        >>> round(initial_deviation((96, 3, 7, 7)), 4), round(initial_deviation((1024, 8192)), 4)
        (0.0287, 0.0208)
    """
    fan_in = np.prod(shape[1:])
    fan_out = np.prod(shape) / shape[2 if len(shape) == 5 else 1]
    return float(np.sqrt(2 / ((fan_in + fan_out) / 2)))


def unpool(h: Tensor) -> Tensor:
    """(B, C, x, y, z) to twice the sides: values in the even corners of their cells, else zeros.

    Example:
        >>> unpool(torch.ones(1, 1, 1, 1, 1)).flatten().tolist()
        [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    shape = (*h.shape[:2], *(2 * side for side in h.shape[2:]))
    out = h.new_zeros(shape).contiguous(memory_format=torch.channels_last_3d)
    out[:, :, ::2, ::2, ::2] = h
    return out


def unpooled_conv(h: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """`conv3d(unpool(h), kernel, bias, padding=1)` without the products with zeros.

    Args:
        h: (B, C, x, y, z).
        kernel: (D, C, 3, 3, 3), a correlation's.
        bias: (D,).

    Returns:
        (B, D, 2x, 2y, 2z).
    """
    turned = kernel.transpose(0, 1).flip(2, 3, 4)
    return functional.conv_transpose3d(h, turned, bias, stride=2, padding=1, output_padding=1)


def occupancy_loss(logits: Tensor, occupied: Tensor) -> Tensor:
    """Mean over voxels of -log softmax of the true channel (natural logarithm).

    Args:
        logits: (B, 2, x, y, z).
        occupied: (B, x, y, z) bool or 0/1.
    """
    margin = logits[:, 1] - logits[:, 0]
    sign = 1 - 2 * occupied.to(margin.dtype)
    return functional.softplus(sign * margin).mean()


def probabilities(logits: Tensor) -> Tensor:
    """(B, 2, x, y, z) to the probability of "occupied", (B, x, y, z)."""
    if logits.shape[1] != CLASSES:
        raise ShapeError("probabilities", "logits", "(B, 2, x, y, z)", tuple(logits.shape))
    return torch.sigmoid(logits[:, 1] - logits[:, 0])


def check_images(where: str, images: Tensor) -> None:
    """Refuses what are not views (B, T, 3, 127, 127) of float32.

    Raises:
        ShapeError: The shape or type is another, or there is no view.
    """
    fits = (
        images.ndim == 5 and images.shape[1] > 0 and images.shape[2:] == (3, IMAGE_SIZE, IMAGE_SIZE)
    )
    if not fits or images.dtype != torch.float32:
        wanted = f"(B, T, 3, {IMAGE_SIZE}, {IMAGE_SIZE}) float32, T at least 1"
        raise ShapeError(where, "images", wanted, f"{tuple(images.shape)} {images.dtype}")


def convolve(h: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """Correlation in two or three dimensions that keeps the sides, with zeros around."""
    correlate = functional.conv2d if kernel.ndim == 4 else functional.conv3d
    return correlate(h, kernel, bias, padding=kernel.shape[-1] // 2)


def leaky(h: Tensor) -> Tensor:
    """The leaky ReLU of every layer."""
    return functional.leaky_relu(h, SLOPE)


def pool(h: Tensor) -> Tensor:
    """Maximum over 2x2 pixels with stride 2 and a border of one pixel that never wins.

    Example:
        >>> pool(torch.tensor([[[[-1.0, -2.0, -3.0]]]])).flatten().tolist()
        [-1.0, -2.0]
    """
    return functional.max_pool2d(h, 2, stride=2, padding=1)
