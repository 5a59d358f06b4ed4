"""Widths of DIB-R's single-image network and the tensors they imply, without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

Shapes = dict[str, tuple[int, ...]]
STAGES = 4  # of a residual network for ImageNet
LARGEST_LEVEL = 5  # 10,242 vertices
COUNT = "num_batches_tracked"  # of torch's normalisation; plays no part in any result
_MOST_UNITS = 64


@dataclass(frozen=True)
class Widths:
    """Output widths of the layers; the defaults are the published network's.

    Attributes:
        stages: Channels of the encoder's four stages; the first convolution has the first's.
        units: Residual units of each stage (2 each: ResNet-18).
        code: Numbers in the code, the decoder's input.
        hidden: Width of the decoder.
        blocks: Its residual blocks.
        level: Subdivisions of the template's icosahedron: 10 * 4^level + 2 vertices.

    Example:
        >>> Widths().vertices, Widths().parameters
        (642, 14597452)
    """

    stages: tuple[int, ...] = (64, 128, 256, 512)
    units: tuple[int, ...] = (2, 2, 2, 2)
    code: int = 256
    hidden: int = 512
    blocks: int = 5
    level: int = 3

    @property
    def vertices(self) -> int:
        """V of the template."""
        return 10 * 4**self.level + 2

    def shapes(self) -> Shapes:
        """Shape of every tensor that matters in a checkpoint: torchvision's names in the encoder.

        The authors' files have batch counts (`COUNT`) too.
        """
        shapes: Shapes = {"template": (self.vertices, 3), "residual_coef": (1,)}
        shapes |= _linear("decoder.fc_p", 3, self.hidden)
        shapes |= _linear("decoder.fc_out", self.hidden, 6)
        for n in range(self.blocks):
            shapes |= _linear(f"decoder.fc_c.{n}", self.code, self.hidden)
            shapes[f"decoder.blocks.{n}.alpha"] = (1,)
            shapes |= _linear(f"decoder.blocks.{n}.fc_0", self.hidden, self.hidden)
            shapes |= _linear(f"decoder.blocks.{n}.fc_1", self.hidden, self.hidden)
        features = "encoder.features"
        before = self.stages[0]
        shapes[f"{features}.conv1.weight"] = (before, 3, 7, 7)
        shapes |= _norm(f"{features}.bn1", before)
        for stage, (width, units) in enumerate(zip(self.stages, self.units, strict=True)):
            for unit in range(units):
                name = f"{features}.layer{stage + 1}.{unit}"
                shapes[f"{name}.conv1.weight"] = (width, before, 3, 3)
                shapes |= _norm(f"{name}.bn1", width)
                shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
                shapes |= _norm(f"{name}.bn2", width)
                if stage > 0 and unit == 0:
                    shapes[f"{name}.downsample.0.weight"] = (width, before, 1, 1)
                    shapes |= _norm(f"{name}.downsample.1", width)
                before = width
        return shapes | _linear("encoder.fc", before, self.code)

    @property
    def parameters(self) -> int:
        """Number of weights that are learned."""
        fixed = ("running_mean", "running_var", "template")
        return sum(
            math.prod(shape) for name, shape in self.shapes().items() if not name.endswith(fixed)
        )

    def __str__(self) -> str:
        stages = "-".join(map(str, self.stages))
        units = "-".join(map(str, self.units))
        return (
            f"resnet {stages} of {units} units, code {self.code}, "
            f"decoder {self.blocks}x{self.hidden}, template of {self.vertices} vertices"
        )


def widths_of(shapes: Mapping[str, tuple[int, ...]]) -> Widths | None:
    """The widths whose tensors have exactly these shapes, or None: another architecture.

    Example:
        >>> widths_of(Widths(code=8, blocks=1).shapes()) == Widths(code=8, blocks=1)
        True
        >>> widths_of({"fc.weight": (10, 4)}) is None
        True
    """
    try:
        stages, units = [], []
        for stage in range(1, STAGES + 1):
            names = [f"encoder.features.layer{stage}.{n}.conv1.weight" for n in range(_MOST_UNITS)]
            units.append(sum(name in shapes for name in names))
            stages.append(shapes[names[0]][0])
        level = next(
            n for n in range(LARGEST_LEVEL + 1) if shapes["template"] == (10 * 4**n + 2, 3)
        )
        hidden, code = shapes["decoder.fc_c.0.weight"]
        blocks = sum(f"decoder.fc_c.{n}.weight" in shapes for n in range(_MOST_UNITS))
    except (KeyError, IndexError, ValueError, StopIteration):
        return None
    widths = Widths(tuple(stages), tuple(units), code, hidden, blocks, level)
    return widths if widths.shapes() == shapes else None


def _linear(name: str, before: int, after: int) -> Shapes:
    return {f"{name}.weight": (after, before), f"{name}.bias": (after,)}


def _norm(name: str, width: int) -> Shapes:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (width,) for part in parts}
