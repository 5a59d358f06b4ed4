"""What JSON from outside must look like, said once and checked strictly. Light."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchbench.core.errors import InputError

Form = Callable[[Any, str], Iterator[str]]
_DEEP = 20
_SHOWN = 60


def read_strict(path: Path, most: int) -> Any:
    """Reads JSON that a stranger wrote: no NaN, no key twice, neither large nor deep.

    Args:
        path: The file.
        most: Bytes.

    Raises:
        InputError: It is none of that.
    """
    try:
        if path.stat().st_size > most:
            raise ValueError(f"it is larger than {most >> 20} MiB")
        content = json.loads(
            path.read_text(encoding="utf-8"), parse_constant=_no_constant, object_pairs_hook=_once
        )
        _check_depth(content)
    except (ValueError, RecursionError, OSError) as error:
        raise InputError(f"'{path.name}' is not the JSON of a result: {error}") from error
    return content


def _no_constant(name: str) -> Any:
    raise ValueError(f"it holds {name}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _check_depth(content: Any, depth: int = 0) -> None:
    if depth > _DEEP:
        raise ValueError(f"it is nested more than {_DEEP} deep")
    if isinstance(content, float) and not math.isfinite(content):
        raise ValueError("it holds a number that is too large")
    inner = content.values() if isinstance(content, dict) else content
    if isinstance(content, (dict, list)):
        for entry in inner:
            _check_depth(entry, depth + 1)


def show(value: Any) -> str:
    """A value in a message, cut short.

    Example:
        >>> show("a" * 100)
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..."
    """
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 4] + "..."


def text(most: int = 300, pattern: str | None = None) -> Form:
    """One line of printable text, perhaps of a pattern (of the whole).

    Example:
        >>> list(text(pattern="[a-z]+")("../x", "id"))
        ["id is '../x', not a text of the form [a-z]+"]
    """

    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, str) or len(value) > most or not value.isprintable():
            yield f"{where} is {show(value)}, not a line of text of at most {most} characters"
        elif pattern is not None and not re.fullmatch(pattern, value):
            yield f"{where} is {show(value)}, not a text of the form {pattern}"

    return check


def count(value: Any, where: str) -> Iterator[str]:
    """A whole number from 0 to 10^9."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10**9:
        yield f"{where} is {show(value)}, not a count"


def number(value: Any, where: str) -> Iterator[str]:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e300:
        yield f"{where} is {show(value)}, not a number"


def flag(value: Any, where: str) -> Iterator[str]:
    """true or false."""
    if not isinstance(value, bool):
        yield f"{where} is {show(value)}, not true or false"


def plain(value: Any, where: str) -> Iterator[str]:
    """A value of a setting: null, a flag, a number, a line of text or a list of such."""
    if isinstance(value, list) and len(value) <= 100:
        for n, entry in enumerate(value):
            yield from plain(entry, f"{where}[{n}]")
    elif isinstance(value, str):
        yield from text()(value, where)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from number(value, where)
    elif value is not None and not isinstance(value, bool):
        yield f"{where} is {show(value)}, not a plain value"


def maybe(form: Form) -> Form:
    """null, or of the form."""

    def check(value: Any, where: str) -> Iterator[str]:
        if value is not None:
            yield from form(value, where)

    return check


def listing(form: Form, most: int = 10**6) -> Form:
    """A list of entries of one form."""

    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, list) or len(value) > most:
            yield f"{where} is {show(value)}, not a list of at most {most}"
            return
        for n, entry in enumerate(value):
            yield from form(entry, f"{where}[{n}]")

    return check


def mapping(key: str, form: Form, most: int = 1000) -> Form:
    """An object whose keys have a pattern and whose values have one form."""

    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, dict) or len(value) > most:
            yield f"{where} is {show(value)}, not an object of at most {most} keys"
            return
        for name, entry in value.items():
            if re.fullmatch(key, name):
                yield from form(entry, f"{where}.{name}")
            else:
                yield f"{where} has the odd key {show(name)}"

    return check


def record(needed: Mapping[str, Form], more: Mapping[str, Form] | None = None) -> Form:
    """An object with these keys; those of `more` may be absent, others are not looked at.

    Example:
        >>> list(record({"n": count})({"n": -1}, "result"))
        ['result.n is -1, not a count']
        >>> list(record({"n": count})({}, "result"))
        ['result.n is missing']
    """

    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where} is {show(value)}, not an object"
            return
        for name, form in needed.items():
            if name in value:
                yield from form(value[name], f"{where}.{name}")
            else:
                yield f"{where}.{name} is missing"
        for name, form in (more or {}).items():
            if name in value:
                yield from form(value[name], f"{where}.{name}")

    return check
