"""A sheet of cards, each with a few small pictures in rows and words below: PNG by Pillow alone."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

_INK, _FAINT, _RULE = (26, 26, 26), (107, 107, 107), (214, 214, 214)
_GAP = 4  # pixels between pictures
_MARGIN = 20  # around the sheet and between cards
_LONGEST = 200  # letters that are looked at: names come from files
_HEAD, _TEXT, _NOTE = 15, 12, 11  # sizes of letters, pixels


@dataclass(frozen=True)
class Panel:
    """A square picture, or words in its place."""

    picture: Picture | None = None
    words: str = ""


@dataclass(frozen=True)
class Card:
    """Pictures of one object.

    Attributes:
        rows: Of panels, all of one length.
        below: Words under each column.
    """

    rows: tuple[tuple[Panel, ...], ...]
    below: tuple[str, ...]


def sheet(
    cards: Mapping[tuple[int, int], Card],
    rows: Sequence[str],
    columns: Sequence[str],
    panels: Sequence[str],
    note: Sequence[str],
    side: int,
) -> bytes:
    """Cards in rows and columns, with headings.

    Args:
        cards: By (row, column); a place without one stays empty.
        rows: Their headings, at the left.
        columns: Their headings, above; "" for none.
        panels: Heading of each column of a card.
        note: Lines of small print below.
        side: Pixels per side of a panel.

    Returns:
        A PNG file without a date.

    Example:
        >>> card = Card(((Panel(words="nothing"),),), ("0.5",))
        >>> sheet({(0, 0): card}, ["chair"], ["best"], ["kato"], ["small print"], 64)[1:4]
        b'PNG'
    """
    from PIL import Image, ImageDraw

    high = max((len(card.rows) for card in cards.values()), default=1)
    lines = max((text.count("\n") + 1 for c in cards.values() for text in c.below), default=1)
    card_width = len(panels) * (side + _GAP) - _GAP
    card_height = high * (side + _GAP) + lines * (_TEXT + 2)
    left = _MARGIN + max((round(_width(name, _HEAD)) for name in rows), default=0) + 12
    top = _MARGIN + (_HEAD + 8 if any(columns) else 0) + _TEXT + 16
    width = left + len(columns) * (card_width + _MARGIN)
    letters = max(20, int((width - 2 * _MARGIN) / (0.5 * _NOTE)))
    small = [part for line in note for part in textwrap.wrap(line, letters)]
    bottom = top + len(rows) * (card_height + _MARGIN)
    canvas = Image.new("RGB", (width, bottom + len(small) * (_NOTE + 4) + _MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    for c, name in enumerate(columns):
        x = left + c * (card_width + _MARGIN)
        _write(draw, (x + card_width / 2, _MARGIN), name, _HEAD)
        for p, title in enumerate(panels):
            place = (x + p * (side + _GAP) + side / 2, top - _TEXT - 14)
            _write(draw, place, _fitting(title, side, _TEXT), _TEXT, _FAINT)
    for r, name in enumerate(rows):
        y = top + r * (card_height + _MARGIN)
        draw.line((_MARGIN, y - 6, width - _MARGIN, y - 6), fill=_RULE)
        _write(draw, (_MARGIN, y + side / 2 - _HEAD / 2), name, _HEAD, anchor="left")
        for c in range(len(columns)):
            if (r, c) in cards:
                x = left + c * (card_width + _MARGIN)
                _card(canvas, draw, (x, y), cards[r, c], side)
    for n, text in enumerate(small):
        _write(draw, (_MARGIN, bottom + n * (_NOTE + 4)), text, _NOTE, _FAINT, "left")
    stream = io.BytesIO()
    canvas.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _card(canvas: Any, draw: Any, place: tuple[int, int], card: Card, side: int) -> None:
    from PIL import Image

    x, y = place
    for r, row in enumerate(card.rows):
        for p, panel in enumerate(row):
            at = (x + p * (side + _GAP), y + r * (side + _GAP))
            if panel.picture is not None:
                canvas.paste(Image.fromarray(panel.picture), at)
                continue
            lines = [part for text in panel.words.split("\n") for part in _lines(text, side)]
            first = at[1] + side / 2 - len(lines) * (_TEXT + 2) / 2
            for n, text in enumerate(lines):
                middle = (at[0] + side / 2, first + n * (_TEXT + 2))
                _write(draw, middle, text, _TEXT, _FAINT)
    below = y + len(card.rows) * (side + _GAP) - _GAP
    for p, words in enumerate(card.below):
        for n, text in enumerate(words.split("\n")):
            middle = (x + p * (side + _GAP) + side / 2, below + n * (_TEXT + 2))
            _write(draw, middle, _fitting(text, side, _TEXT), _TEXT)


def _lines(text: str, side: int) -> list[str]:
    """A line broken to fit into a panel, names without blanks too."""
    most = max(1, int(side / (0.6 * _TEXT)))
    return textwrap.wrap(text[:_LONGEST], most) or [""]


def _fitting(text: str, side: int, size: int) -> str:
    """The text, cut with dots where it is wider than a panel."""
    text = " ".join(text[:_LONGEST].split())
    if _width(text, size) <= side:
        return text
    while text and _width(text + "...", size) > side:
        text = text[:-1]
    return text + "..."


def _write(
    draw: Any,
    place: tuple[float, float],
    text: str,
    size: int,
    colour: tuple[int, int, int] = _INK,
    anchor: str = "middle",
) -> None:
    shift = _width(text, size) / 2 if anchor == "middle" else 0.0
    draw.text((round(place[0] - shift), round(place[1])), text, fill=colour, font=_font(size))


def _width(text: str, size: int) -> float:
    return float(_font(size).getlength(text))


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
