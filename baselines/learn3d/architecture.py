"""Widths of learn3D's networks and the tensors they imply, without torch."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

KERNEL = 5
TAIL = 8  # side of the last feature map
LEAST_VERTICES = 42
RESNET_CHANNELS = (64, 128, 256, 512)
RESNET_SIZE = 224
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Widths:
    """Output widths of encoder and generator; the defaults are those of learn3D's train.sh.

    Attributes:
        encoder: "conv" (5x5, stride 2) or "resnet18".
        channels_in: Of the picture.
        channels: Of the convolutions; three for 64 pixels, four for 128. () for "resnet18".
        hidden: Of the encoder's two linear layers; () for "resnet18".
        latent: Of the shape code; always 512 for "resnet18".
        decoder: Of the generator's two hidden layers.
        vertices: Of the template: 42, 162 or 642.
        symmetric: Whether the mesh is its own mirror image (z = 0).

    Example:
        >>> Widths().parameters, Widths(encoder="resnet18", channels_in=3).image_size
        (27003974, 224)
    """

    encoder: str = "conv"
    channels_in: int = 4
    channels: tuple[int, ...] = (64, 128, 256)
    hidden: tuple[int, ...] = (1024, 1024)
    latent: int = 512
    decoder: tuple[int, ...] = (1024, 2048)
    vertices: int = 642
    symmetric: bool = False

    @property
    def image_size(self) -> int:
        """Side of the picture in pixels."""
        return RESNET_SIZE if self.encoder == "resnet18" else TAIL << len(self.channels)

    @property
    def offsets(self) -> int:
        """Numbers that the generator puts out: coordinates, or half of them where symmetric."""
        if not self.symmetric:
            return 3 * self.vertices
        on = mirror_plane(self.vertices)
        return 2 * on + 3 * (self.vertices - on) // 2

    def encoder_shapes(self) -> Shapes:
        """Shape of every tensor of the encoder's state_dict, its unused layers included."""
        if self.encoder == "resnet18":
            return resnet18_shapes()
        shapes: Shapes = {}
        before = self.channels_in
        for n, width in enumerate(self.channels):
            shapes[f"convBlocks.{2 * n}.weight"] = (width, before, KERNEL, KERNEL)
            shapes[f"convBlocks.{2 * n}.bias"] = (width,)
            before = width
        first, second = self.hidden
        shapes |= _linear("FC.0", before * TAIL**2, first) | _linear("FC.2", first, second)
        for name in ("shapeLayer", "muLayer", "logvarLayer"):
            shapes |= _linear(name, second, self.latent)
        return shapes

    def generator_shapes(self) -> Shapes:
        """Shape of every tensor of the generator's state_dict."""
        first, second = self.decoder
        return (
            _linear("fclayers.0", self.latent, first)
            | _linear("fclayers.2", first, second)
            | _linear("bias_layer", second, self.offsets)
        )

    def used_shapes(self) -> Shapes:
        """What a prediction needs: keys begin with "encoder." or "generator."."""
        shapes = {
            f"encoder.{key}": shape
            for key, shape in self.encoder_shapes().items()
            if not is_unused(key)
        }
        return shapes | {f"generator.{key}": s for key, s in self.generator_shapes().items()}

    @property
    def parameters(self) -> int:
        """Number of weights and biases, those included that learn3D creates and never uses."""
        both = [*self.encoder_shapes().items(), *self.generator_shapes().items()]
        return sum(
            math.prod(shape)
            for key, shape in both
            if not key.endswith(("running_mean", "running_var", "num_batches_tracked"))
        )

    def __str__(self) -> str:
        if self.encoder == "resnet18":
            encoder = f"resnet18, code {self.latent}"
        else:
            conv = "-".join(str(n) for n in (self.channels_in, *self.channels))
            hidden = "-".join(str(n) for n in self.hidden)
            encoder = f"conv {conv}, linear {hidden}, code {self.latent}"
        decoder = "-".join(str(n) for n in (*self.decoder, self.offsets))
        mirrored = " (symmetric)" if self.symmetric else ""
        return f"{encoder}, generator {decoder}{mirrored}"


def is_unused(key: str) -> bool:
    """Whether a tensor of an encoder's state_dict never takes part in anything.

    Example:
        >>> is_unused("muLayer.weight"), is_unused("shapeLayer.weight"), is_unused("model.fc.bias")
        (True, False, True)
    """
    return key.startswith(("muLayer.", "logvarLayer.", "model.fc.")) or key.endswith(
        "num_batches_tracked"
    )


def mirror_plane(vertices: int) -> int:
    """Vertices of a template that lie on the plane z = 0.

    Example:
        >>> mirror_plane(642)
        32
    """
    return {42: 8, 162: 16, 642: 32}.get(vertices, 0)


def widths_of(shapes: Shapes) -> Widths | None:
    """The widths whose used tensors have exactly these shapes, or None: another architecture.

    Example:
        >>> small = Widths(channels=(4, 8, 16), hidden=(8, 9), latent=7, decoder=(5, 6))
        >>> widths_of(small.used_shapes()) == small, widths_of({"fc.weight": (10, 4)}) is None
        (True, True)
    """
    shapes = {key: shape for key, shape in shapes.items() if not is_unused(key.split(".", 1)[-1])}
    generator = [shapes.get(f"generator.{name}.weight", ()) for name in _GENERATOR]
    if any(len(shape) != 2 for shape in generator):
        return None
    encoder = _encoder_of(shapes)
    if encoder is None:
        return None
    decoder = (generator[0][0], generator[1][0])
    for vertices in (642, 162, 42):
        for symmetric in (False, True):
            widths = Widths(**encoder, decoder=decoder, vertices=vertices, symmetric=symmetric)
            if widths.used_shapes() == shapes:
                return widths
    return None


def resnet18_shapes() -> Shapes:
    """Shapes of torchvision's resnet18 under "model."; its last layer is not used by learn3D."""
    shapes: Shapes = {"model.conv1.weight": (64, 3, 7, 7)} | _norm("model.bn1", 64)
    before = 64
    for layer, width in enumerate(RESNET_CHANNELS, 1):
        for block in range(2):
            name = f"model.layer{layer}.{block}"
            shapes[f"{name}.conv1.weight"] = (width, before, 3, 3)
            shapes |= _norm(f"{name}.bn1", width)
            shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
            shapes |= _norm(f"{name}.bn2", width)
            if before != width:
                shapes[f"{name}.downsample.0.weight"] = (width, before, 1, 1)
                shapes |= _norm(f"{name}.downsample.1", width)
            before = width
    return shapes | _linear("model.fc", 512, 1000)


_GENERATOR = ("fclayers.0", "fclayers.2", "bias_layer")
_CONVOLUTION = re.compile(r"encoder\.convBlocks\.(\d+)\.weight")


def _encoder_of(shapes: Shapes) -> dict[str, Any] | None:
    """The encoder's part of `Widths`, as far as the shapes tell."""
    if "encoder.model.conv1.weight" in shapes:
        return {"encoder": "resnet18", "channels_in": 3, "channels": (), "hidden": ()}
    convolutions = [shape for key, shape in shapes.items() if _CONVOLUTION.fullmatch(key)]
    linear = [shapes.get(f"encoder.{name}.weight", ()) for name in ("FC.0", "FC.2", "shapeLayer")]
    if any(len(shape) != 2 for shape in linear) or any(len(shape) != 4 for shape in convolutions):
        return None
    count = len(convolutions)
    if not 1 <= count <= 5:
        return None
    ordered = [shapes.get(f"encoder.convBlocks.{2 * n}.weight", ()) for n in range(count)]
    if not all(ordered):
        return None
    return {
        "channels_in": ordered[0][1],
        "channels": tuple(shape[0] for shape in ordered),
        "hidden": (linear[0][0], linear[1][0]),
        "latent": linear[2][0],
    }


def _linear(name: str, before: int, after: int) -> Shapes:
    return {f"{name}.weight": (after, before), f"{name}.bias": (after,)}


def _norm(name: str, width: int) -> Shapes:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (width,) for part in parts} | {f"{name}.num_batches_tracked": ()}
