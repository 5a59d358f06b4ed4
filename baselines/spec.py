"""What a baseline says about itself, without loading anything heavy."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from benchbench.core.errors import UsageError
from benchbench.core.names import closest

# What `baselines/inputs.py` turns into any form, in words for the card of a method.
ACCEPTED = (
    "any set's pictures, of any size: RGBA, whole ones with a mask, Kato's inverted; no depth"
)


@dataclass(frozen=True)
class InputForm:
    """The pictures that a method's network takes; `baselines/inputs.py` makes them of any.

    Attributes:
        size: Side of the square picture in pixels.
        channels: Their order, such as "rgba" or "bgr"; "a" is coverage or a mask.
        colours: "inverted": (1 - c) m of colour c and coverage m, on black (Kato);
            "over": straight colours mixed with the background by alpha;
            "keyed": the background where alpha is 0, untouched elsewhere (3D-R2N2);
            "stored": as the archive has them, whatever alpha says, where the store kept that;
            else as "over".
        background: Grey level from 0 to 255, None for black.
        resize: Rule for pictures of another size: "area" (averages over areas), "antialiased"
            (scikit-image's), "bilinear" (Pillow's, on bytes), or "module:function" of an axis's
            matrix, see `baselines/resizing.py`.
        crop_from: Side to which pictures of another size are brought before the middle is cut
            out; None to cut nothing.
        mask: "depth": the mask is where the rendering's depth is, if the set has that.
        kind: "uint8" where bytes hold it, "float32" where resizing makes shares that matter.

    Example:
        >>> print(InputForm(127, "rgb", "keyed", background=240, crop_from=137))
        127x127 RGB, background 240, middle of 137x137, resized by area averages
    """

    size: int
    channels: str
    colours: Literal["inverted", "over", "keyed", "stored"]
    background: int | None = None
    resize: str = "area"
    crop_from: int | None = None
    mask: Literal["alpha", "depth"] = "alpha"
    kind: Literal["uint8", "float32"] = "uint8"

    def __str__(self) -> str:
        names = {"area": "area averages", "antialiased": "scikit-image", "bilinear": "Pillow"}
        inverted = self.colours == "inverted"
        parts = [
            f"{self.size}x{self.size} {self.channels.upper()}",
            "inverted colours, premultiplied" if inverted else f"background {self.background or 0}",
            "hidden colours as stored" if self.colours == "stored" else "",
            f"middle of {self.crop_from}x{self.crop_from}" if self.crop_from else "",
            "mask from depth" if self.mask == "depth" else "",
            f"resized by {names.get(self.resize, 'a rule of its own')}",
        ]
        return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class BaselineSpec:
    """Description of one baseline; listing reads these only.

    Attributes:
        id: Name on the command line.
        title: One line for people.
        paper: Reference, or "" for a baseline of this project.
        licence: Licence of the method's own code or weights.
        takes: What it is given: a picture, the true class of the object, or the truth itself.
        output: Kind of prediction.
        renderings: Renderings it prefers, best first; else the data set's default one.
        datasets: Data sets it prefers when none is named, best first.
        input: The pictures it takes, or None where it takes none.
        parameters: Frozen dataclass of what `load_baseline` accepts by keyword.
        loader: "module:function" which builds the baseline.
        trainer: "module:function" of `bench train`, or None where nothing is trained.
        options: "module:class" of the trainer's options, or None.
        protocols: Protocols of its own paper, scored besides the house's where the data fits.
        several_views: It can look at several views of an object together: `--views K` then gives
            one prediction per object, as the parameter `views` says to items of view -1.
        presets: Named recipes for `bench train --preset`: values of the trainer's options.
        supervision: What it learns from, in words, for the columns beside its scores.
        networks: "joint" for one answer to all classes, "per class", "none" where nothing is
            learned or looked up; "" where the weights say it.
    """

    id: str
    title: str
    paper: str
    licence: str
    takes: Literal["image", "class", "truth"]
    output: Literal["mesh", "voxels", "mesh or voxels"]
    renderings: tuple[str, ...]
    datasets: tuple[str, ...]
    input: InputForm | None
    parameters: type
    loader: str
    trainer: str | None = None
    options: str | None = None
    protocols: tuple[str, ...] = ()
    several_views: bool = False
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    supervision: str = "unknown"
    networks: Literal["", "joint", "per class", "none"] = ""


def apply_settings(defaults: Any, settings: Mapping[str, Any] | list[str] | tuple[str, ...]) -> Any:
    """A copy of a frozen dataclass with some fields set, each checked against its type.

    Args:
        defaults: Instance of a dataclass whose fields are bool, int, float, str, tuples of int,
            or one of these or None.
        settings: `{"field": value}` or `["field=text", ...]` as typed after `--set`.

    Raises:
        UsageError: Unknown field (near names are offered), or text of the wrong type.

    Example:
        >>> @dataclass(frozen=True)
        ... class Options:
        ...     steps: int = 10
        ...     hidden: tuple[int, ...] = (4, 4)
        >>> apply_settings(Options(), ["steps=20", "hidden=8,16"])
        Options(steps=20, hidden=(8, 16))
    """
    pairs = settings if isinstance(settings, Mapping) else dict(_split(text) for text in settings)
    hints = typing.get_type_hints(type(defaults))
    values = {}
    for name, value in pairs.items():
        if name not in hints:
            near = closest(name, hints)
            raise UsageError(
                f"unknown setting '{name}'",
                hint=f"did you mean '{near[0]}'?" if near else f"known: {', '.join(hints)}",
            )
        values[name] = _checked(name, value, hints[name])
    return dataclasses.replace(defaults, **values)


def _split(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"'{text}' is no setting", hint="write --set name=value")
    return name.strip().replace("-", "_"), value.strip()


def _checked(name: str, value: Any, hint: Any) -> Any:
    wanted: Any = hint
    optional = typing.get_origin(hint) in (typing.Union, types.UnionType)
    if optional:
        wanted = next(t for t in typing.get_args(hint) if t is not type(None))
        if value is None or value in ("none", "None"):
            return None
    try:
        if typing.get_origin(wanted) is tuple:
            parts = value.split(",") if isinstance(value, str) else value
            return tuple(_number(part, int) for part in parts)
        if wanted is bool:
            words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
            return words[str(value).lower()]
        if wanted in (int, float):
            return _number(value, wanted)
        return wanted(value)
    except (ValueError, KeyError, TypeError) as error:
        kind = getattr(wanted, "__name__", str(wanted))
        if typing.get_origin(wanted) is tuple:
            kind = "integers with commas between"
        raise UsageError(f"setting '{name}' takes {kind}, not '{value}'") from error


def _number(value: Any, kind: type) -> Any:
    # "1e4" is a fine number of steps; 1.5 is not.
    number = float(value) if isinstance(value, str) and kind is int else kind(value)
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError("not finite")
    if kind is int and (isinstance(value, bool) or number != int(number) or number != float(value)):
        raise ValueError("not an integer")
    return kind(number)
