"""3D-R2N2's networks and the tensors they imply, without torch.

Tensors have the original's names, order and layouts (r2n2.md 5 and 6): 2D kernels (out, in, rows,
columns), 3D kernels (out, x, in, y, z), dense layers (in, out). Kernels are those of true
convolutions, which a correlation must flip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

Shape = tuple[int, ...]

GRID = 32
STATE_SIDE = 4
CLASSES = 2  # channel 0 empty, channel 1 occupied
IMAGE_SIZE = 127
MAX_WIDTH = 8192


@dataclass(frozen=True)
class Kind:
    """One of the paper's networks.

    Attributes:
        paper: Name in the paper's table. Which name belongs to which file of the original is
            inferred from the structure (r2n2.md 5.3, UNCONFIRMED) except for the two published.
        source: Its file in the history of the original.
        residual: Deep residual encoder and decoder; else one convolution a stage.
        cell: "gru" or "lstm".
        kernel: Side of the recurrent kernels.
    """

    paper: str
    source: str
    residual: bool
    cell: str
    kernel: int

    @property
    def gates(self) -> tuple[str, ...]:
        """Names of the gates, in the order of the file."""
        names = ("update", "reset", "candidate") if self.cell == "gru" else _LSTM
        return tuple(f"{self.cell}_{name}" for name in names)


_LSTM = ("input", "forget", "transform")
KINDS: dict[str, Kind] = {
    "res3d-gru-3": Kind("Res3D-GRU-3", "res_gru_net (ResidualGRUNet)", True, "gru", 3),
    "3d-gru-3": Kind("3D-GRU-3", "gru_net (GRUNet)", False, "gru", 3),
    "3d-gru-1": Kind("3D-GRU-1", "mv_gru_net", False, "gru", 1),
    "3d-lstm-3": Kind("3D-LSTM-3", "none; mv_lstm_net by analogy", False, "lstm", 3),
    "3d-lstm-1": Kind("3D-LSTM-1", "mv_lstm_net", False, "lstm", 1),
}


@dataclass(frozen=True)
class Architecture:
    """Which network, and its widths; the defaults are the published network's.

    Attributes:
        network: Key of `KINDS`.
        channels: Of the six stages of the picture encoder.
        feature: Of the dense layer.
        decoder: Channels of the recurrent state and of the decoder's first four stages. In the
            residual network the first three are equal, because their skips are identities.

    Example:
        >>> Architecture().parameters, len(Architecture().shapes())
        (35968706, 63)
        >>> Architecture("3d-gru-3").parameters, len(Architecture("3d-gru-3").shapes())
        (32207266, 33)
    """

    network: str = "res3d-gru-3"
    channels: tuple[int, ...] = (96, 128, 256, 256, 256, 256)
    feature: int = 1024
    decoder: tuple[int, ...] = (128, 128, 128, 64, 32)

    @property
    def kind(self) -> Kind:
        """What the network's name stands for."""
        return KINDS[self.network]

    @property
    def state(self) -> int:
        """Channels of the recurrent state."""
        return self.decoder[0]

    @property
    def flat(self) -> int:
        """Numbers that the dense layer takes."""
        side = IMAGE_SIZE
        for _ in self.channels:
            side = pooled(side)
        return self.channels[-1] * side * side

    def problem(self) -> str | None:
        """What is wrong with it, or None."""
        if self.network not in KINDS:
            return f"unknown network '{self.network}' (known: {', '.join(KINDS)})"
        if len(self.channels) != 6 or len(self.decoder) != 5:
            return "channels takes 6 widths and decoder 5"
        widths = (*self.channels, self.feature, *self.decoder)
        if not all(1 <= width <= MAX_WIDTH for width in widths):
            return f"widths lie between 1 and {MAX_WIDTH}, not {widths}"
        if self.kind.residual and self.channels[4] != self.channels[5]:
            return "the last two channels are equal: the sixth stage skips with an identity"
        if self.kind.residual and len(set(self.decoder[:3])) != 1:
            return "the first three of decoder are equal: their stages skip with identities"
        return None

    def shapes(self) -> dict[str, Shape]:
        """Shape of every tensor by name, e.g. "conv1a.W", in the order of the published file."""
        shapes: dict[str, Shape] = {}

        def add(name: str, weight: Shape, outputs: int) -> None:
            shapes[f"{name}.W"] = weight
            shapes[f"{name}.b"] = (outputs,)

        for name, before, after, kernel in self._pictures():
            add(name, (after, before, kernel, kernel), after)
        add("fc7", (self.flat, self.feature), self.feature)
        k, state = self.kind.kernel, self.state
        for gate in self.kind.gates:
            shapes[f"{gate}.Wh"] = (state, k, state, k, k)
            shapes[f"{gate}.Wx"] = (self.feature, STATE_SIDE**3 * state)
            shapes[f"{gate}.b"] = (state,)
        for name, before, after, kernel in self._grids():
            add(name, (after, kernel, before, kernel, kernel), after)
        return shapes

    def _pictures(self) -> list[tuple[str, int, int, int]]:
        """Name, channels in and out, and kernel of the 2D convolutions."""
        inputs = (3, *self.channels[:-1])
        stages = list(zip(range(1, 7), inputs, self.channels, strict=True))
        if not self.kind.residual:
            return [(f"conv{n}", a, b, 7 if n == 1 else 3) for n, a, b in stages]
        layers = []
        for n, before, after in stages:
            layers.append((f"conv{n}a", before, after, 7 if n == 1 else 3))
            layers.append((f"conv{n}b", after, after, 3))
            if n in (2, 3, 5):
                layers.append((f"conv{n}c", before, after, 1))
        return layers

    def _grids(self) -> list[tuple[str, int, int, int]]:
        """Name, channels in and out, and kernel of the 3D convolutions of the decoder."""
        d = self.decoder
        if not self.kind.residual:
            outputs = (*d[1:], CLASSES)
            stages = zip(range(7, 12), d, outputs, strict=True)
            return [(f"conv{n}", a, b, 3) for n, a, b in stages]
        return [
            ("conv7a", d[0], d[1], 3),
            ("conv7b", d[1], d[1], 3),
            ("conv8a", d[1], d[2], 3),
            ("conv8b", d[2], d[2], 3),
            ("conv9a", d[2], d[3], 3),
            ("conv9b", d[3], d[3], 3),
            ("conv9c", d[2], d[3], 1),
            ("conv10a", d[3], d[4], 3),
            ("conv10b", d[4], d[4], 3),
            ("conv10c", d[4], d[4], 3),
            ("conv11", d[4], CLASSES, 3),
        ]

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(math.prod(shape) for shape in self.shapes().values())

    def __str__(self) -> str:
        words = ["-".join(map(str, part)) for part in (self.channels, self.decoder)]
        return f"{self.network}, encoder {words[0]}, feature {self.feature}, decoder {words[1]}"


def in_decoder(name: str) -> bool:
    """Whether a tensor belongs to the decoder, by its name.

    Example:
        >>> [in_decoder(name) for name in ("conv6b.W", "fc7.b", "gru_reset.Wh", "conv7a.W")]
        [False, False, False, True]
        >>> in_decoder("conv1a.W"), in_decoder("conv10a.W"), in_decoder("conv11.b")
        (False, True, True)
    """
    stage = name.removeprefix("conv").split(".")[0].rstrip("abc")
    return name.startswith("conv") and int(stage) >= 7


def pooled(side: int) -> int:
    """Side after pooling 2x2 with stride 2 and a padding of 1 at every border.

    Example:
        >>> [pooled(side) for side in (127, 64, 33, 17, 9, 5)]
        [64, 33, 17, 9, 5, 3]
    """
    return side // 2 + 1


def architecture_of(shapes: dict[str, Shape], network: str) -> Architecture | None:
    """The widths of a network whose tensors have exactly these shapes, or None.

    Args:
        shapes: By name.
        network: Key of `KINDS`; shapes do not tell all of them apart.

    Example:
        >>> small = Architecture("3d-gru-1", (2, 3, 4, 5, 6, 7), 8, (9, 10, 11, 12, 13))
        >>> architecture_of(small.shapes(), "3d-gru-1") == small
        True
        >>> architecture_of(small.shapes(), "3d-gru-3") is None
        True
    """
    plain = Architecture(network)
    if set(plain.shapes()) != set(shapes) or any(not shape for shape in shapes.values()):
        return None
    suffix = "b" if plain.kind.residual else ""
    found = replace(
        plain,
        channels=tuple(shapes[f"conv{n}{suffix}.b"][0] for n in range(1, 7)),
        feature=shapes["fc7.b"][0],
        decoder=(
            shapes[f"{plain.kind.gates[0]}.b"][0],
            *(shapes[f"conv{n}{suffix}.b"][0] for n in range(7, 11)),
        ),
    )
    return found if found.problem() is None and found.shapes() == shapes else None


def named(shapes: list[Shape], network: str) -> dict[str, Shape] | None:
    """Shapes of a file without names, under the names of a network; None if not as many.

    Example:
        >>> named([(1,)], "3d-gru-3") is None
        True
    """
    names = list(Architecture(network).shapes())
    return dict(zip(names, shapes, strict=True)) if len(names) == len(shapes) else None
