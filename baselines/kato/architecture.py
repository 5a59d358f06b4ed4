"""Widths of Kato's network and the tensors they imply, without torch."""

from __future__ import annotations

from dataclasses import dataclass

IMAGE_SIZE = 64
CHANNELS_IN = 4
KERNEL = 5
VERTICES = 642
_LINEAR = (
    "encoder/linear1",
    "encoder/linear2",
    "encoder/linear3",
    "decoder/linear1",
    "decoder/linear2",
    "decoder/linear_centroids",
    "decoder/linear_bias",
)
LAYERS = ("encoder/conv1", "encoder/conv2", "encoder/conv3", *_LINEAR)


@dataclass(frozen=True)
class Widths:
    """Output widths of the layers; the defaults are the published network's.

    Attributes:
        channels: Of the three convolutions (5x5, stride 2).
        encoder_hidden: Of the encoder's first two linear layers.
        feature: Of its third, which is the decoder's input.
        decoder_hidden: Of the decoder's two hidden layers.

    Example:
        >>> Widths().parameters
        25960521
    """

    channels: tuple[int, ...] = (64, 128, 256)
    encoder_hidden: tuple[int, ...] = (1024, 1024)
    feature: int = 512
    decoder_hidden: tuple[int, ...] = (1024, 2048)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor under its Chainer key, e.g. "encoder/conv1/W"."""
        c1, c2, c3 = self.channels
        e1, e2 = self.encoder_hidden
        d1, d2 = self.decoder_hidden
        flat = c3 * (IMAGE_SIZE // 8) ** 2
        inputs = (flat, e1, e2, self.feature, d1, d2, d2)
        outputs = (e1, e2, self.feature, d1, d2, 3, VERTICES * 3)
        shapes: dict[str, tuple[int, ...]] = {}
        for n, (before, after) in enumerate(zip((CHANNELS_IN, c1, c2), (c1, c2, c3), strict=True)):
            shapes[f"encoder/conv{n + 1}/W"] = (after, before, KERNEL, KERNEL)
            shapes[f"encoder/conv{n + 1}/b"] = (after,)
        for name, before, after in zip(_LINEAR, inputs, outputs, strict=True):
            shapes[f"{name}/W"] = (after, before)
            shapes[f"{name}/b"] = (after,)
        return shapes

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        total = 0
        for shape in self.shapes().values():
            size = 1
            for side in shape:
                size *= side
            total += size
        return total

    def __str__(self) -> str:
        conv = "-".join(str(n) for n in (CHANNELS_IN, *self.channels))
        encoder = "-".join(str(n) for n in (*self.encoder_hidden, self.feature))
        decoder = "-".join(str(n) for n in self.decoder_hidden)
        return f"conv {conv}, linear {encoder}, decoder {decoder}-{{3,{VERTICES * 3}}}"


def widths_of(shapes: dict[str, tuple[int, ...]]) -> Widths | None:
    """The widths whose tensors have exactly these shapes, or None: another architecture.

    Example:
        >>> widths_of(Widths(channels=(4, 8, 16)).shapes()).channels
        (4, 8, 16)
        >>> widths_of({"fc/W": (10, 4)}) is None
        True
    """
    if set(shapes) != {f"{layer}/{part}" for layer in LAYERS for part in ("W", "b")}:
        return None
    if any(len(shape) == 0 for shape in shapes.values()):
        return None
    out = {layer: shapes[f"{layer}/W"][0] for layer in LAYERS}
    widths = Widths(
        (out["encoder/conv1"], out["encoder/conv2"], out["encoder/conv3"]),
        (out["encoder/linear1"], out["encoder/linear2"]),
        out["encoder/linear3"],
        (out["decoder/linear1"], out["decoder/linear2"]),
    )
    return widths if widths.shapes() == shapes else None
