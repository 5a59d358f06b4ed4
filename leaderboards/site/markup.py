"""HTML that cannot be forgotten to be escaped: text is text, elements are made by `tag`. Light."""

from __future__ import annotations

import html
from collections.abc import Iterable

_VOID = {"br", "img", "input", "link", "meta"}


class Markup(str):
    """HTML that was made here."""

    __slots__ = ()


Piece = str | Iterable["Piece"] | None


def escape(piece: Piece) -> Markup:
    """Text as HTML, markup as it is, pieces one after the other, nothing for None.

    Example:
        >>> escape("<b> & 'c'"), escape(["a", tag("b", "c"), None])
        ('&lt;b&gt; &amp; &#x27;c&#x27;', 'a<b>c</b>')
    """
    if piece is None:
        return Markup()
    if isinstance(piece, Markup):
        return piece
    if isinstance(piece, str):
        return Markup(html.escape(_sound(piece)))
    return Markup("".join(escape(one) for one in piece))


def _sound(text: str) -> str:
    """Without characters that no HTML may hold or that turn the direction of writing."""
    return "".join(c if c.isprintable() or c in " \n" else "\ufffd" for c in text)


def tag(name: str, /, *pieces: Piece, **attributes: str | int | bool | None) -> Markup:
    """An element; `class_` and `data_value` become class and data-value, None and False nothing.

    Example:
        >>> tag("a", "x < y", href="page.html", class_="one", hidden=False)
        '<a href="page.html" class="one">x &lt; y</a>'
        >>> tag("img", src="a.png", alt='"')
        '<img src="a.png" alt="&quot;">'
    """
    opened = name
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        opened += f" {key}" if value is True else f' {key}="{html.escape(_sound(str(value)))}"'
    if name in _VOID:
        return Markup(f"<{opened}>")
    return Markup(f"<{opened}>{escape(pieces)}</{name}>")


def page(title: str, *pieces: Piece, scripts: Iterable[str] = ()) -> str:
    """A whole page.

    Args:
        title: Of the page.
        pieces: Its content, below the way back.
        scripts: Names of assets besides the one for tables.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{title} - benchbench"),
        tag("link", rel="stylesheet", href="assets/style.css"),
        [tag("script", src=f"assets/{name}", defer=True) for name in ("table.js", *scripts)],
    )
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#content", class_="skip"),
        tag("header", tag("nav", tag("a", "All tables", href="index.html"),
                          aria_label="site")),
        tag("main", *pieces, id="content"),
        tag("footer", tag("p", "Made by bench leaderboard build. Numbers mean what the line above "
                               "their table says, and nothing else.")),
    )  # fmt: skip
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def lines(*texts: str) -> Markup:
    """Texts, a line each."""
    return escape([[text, tag("br")] for text in texts[:-1]] + [list(texts[-1:])])
