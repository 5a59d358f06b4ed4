"""Reading pickles from outside as data: nothing that they name is looked up or called.

Some published sets are python-2 pickles. A pickle is a program for a small machine; `pickle.load`
lets that program call anything. This machine of our own knows dicts, lists, tuples, None, booleans,
numbers, text, bytes and numpy arrays, protocols 0 to 5. Whatever else a file asks for is refused by
name.

Python 2's plain strings come as bytes, keys included: nothing in the file says what they are.

What a file can cost is bounded by `PickleLimits`: opcodes (each makes at most one small object),
bytes, and the size of the result counted as if nothing in it were shared, so that a few lists which
hold each other ten times over do not unfold in whoever walks them. Values that hold themselves are
refused.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.datasets.archives import read_npy
from benchbench.datasets.npy_header import read_npy_header
from benchbench.datasets.pickle_machine import Machine
from benchbench.datasets.pickle_values import Blob, LateArray, Refused, Unbuilt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class PickleLimits:
    """What an honest pickle stays below.

    Attributes:
        opcodes: Steps of its program; each can take about 200 bytes of memory.
        bytes: Of all its strings and arrays together, and of the result's, shared parts counted as
            often as they stand there.
        values: In the result, counted in the same way.
        depth: Containers in containers.
    """

    opcodes: int = 5_000_000
    bytes: int = 1 << 30
    values: int = 20_000_000
    depth: int = 32


def read_pickle(data: bytes, name: str, limits: PickleLimits | None = None) -> Any:
    """The value that a pickle holds.

    Args:
        data: The whole file.
        name: What to call it in errors.
        limits: What is refused.

    Returns:
        Dicts (keys are text, bytes or integers), lists, tuples, None, bool, int, float, complex
        only within arrays, str, bytes, numpy numbers and arrays (read-only but for arrays of
        objects).

    Raises:
        InputError: It asks for something else, is cut off or broken, or exceeds the limits.

    Example:
        >>> read_pickle(b"(dp0\\nS'a'\\np1\\nI3\\ns.", "x.pkl")
        {b'a': 3}
        >>> read_pickle(b"cos\\nsystem\\n.", "x.pkl")
        Traceback (most recent call last):
        benchbench.core.errors.InputError: 'x.pkl' asks for 'os.system', which is no data; refused
    """
    return _run(io.BytesIO(data), name, limits, None)


def index_pickle(
    file: BinaryIO, name: str, limits: PickleLimits | None = None, late: int = 512
) -> Any:
    """Like `read_pickle` for a file too large for memory: long strings stay where they are.

    Args:
        file: A seekable file, read from its place to its end.
        name: What to call it in errors.
        limits: What is refused; strings that stay in the file count as `Blob`s, not as bytes.
        late: Byte strings longer than this become a `Blob`, and arrays of them a `LateArray`;
            their `read(file)` gives what `read_pickle` would have.

    Raises:
        InputError: As `read_pickle`.

    Example:
        >>> file = io.BytesIO(b"\\x80\\x02]U\\x05helloa.")
        >>> (blob,) = index_pickle(file, "x.pkl", late=4)
        >>> blob, blob.read(file)
        (Blob(offset=5, length=5, quoted=False), b'hello')
    """
    return _run(file, name, limits, late)


def read_pickled_npy(data: bytes, name: str, limits: PickleLimits | None = None) -> Array:
    """One .npy file's array, which may hold objects: those that `read_pickle` knows.

    Args:
        data: The whole file (a member of an .npz).
        name: What to call it in errors.
        limits: For the objects.

    Raises:
        InputError: Broken, or holding anything else.
    """
    stream = io.BytesIO(data)
    shape, _, dtype, _ = read_npy_header(stream, name)
    if not dtype.hasobject:
        return read_npy(data, name)
    value = _run(stream, name, limits, None)
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.shape != shape:
        raise InputError(f"'{name}' claims objects of shape {shape} and holds something else")
    return value


def _run(file: BinaryIO, name: str, limits: PickleLimits | None, late: int | None) -> Any:
    limits = limits or PickleLimits()
    machine = Machine(file, limits.opcodes, limits.bytes, late)
    try:
        value = machine.run()
        _check_tree(value, limits)
        return value
    except Refused as error:
        raise InputError(f"'{name}' {error}; refused") from error
    except (LookupError, TypeError, ValueError, struct.error, OverflowError) as error:
        # a stack with too little on it, a memo never filled, a value of another kind
        raise InputError(f"'{name}' is a broken pickle (at byte {file.tell()})") from error


def _check_tree(value: Any, limits: PickleLimits) -> None:
    """Refuse results that hold themselves, are too deep, or unfold to too much.

    Every container is measured once, after what it holds; its measure counts wherever it stands.
    """
    if not _is_container(value):
        _size(value)
        return
    measured: dict[int, tuple[int, int]] = {}  # id -> values and bytes, all of it counted
    opened: set[int] = set()
    todo = [value]
    while todo:
        node = todo[-1]
        if id(node) in measured:
            todo.pop()
        elif id(node) not in opened:
            opened.add(id(node))
            if len(opened) - len(measured) > limits.depth:
                raise Refused(f"holds containers more than {limits.depth} deep")
            inner = [part for part in _parts(node) if _is_container(part)]
            if any(id(part) in opened and id(part) not in measured for part in inner):
                raise Refused("holds a container that holds itself")
            todo += inner
        else:
            values, size = 1, 0
            for part in _parts(node):
                more = measured[id(part)] if _is_container(part) else (1, _size(part))
                values, size = values + more[0], size + more[1]
            if values > limits.values or size > limits.bytes:
                raise Refused(
                    f"unfolds to more than {limits.values} values or {limits.bytes} bytes"
                )
            measured[id(node)] = values, size
            todo.pop()


def _is_container(node: Any) -> bool:
    if isinstance(node, np.ndarray):
        return bool(node.dtype.hasobject)
    return isinstance(node, (dict, list, tuple))


def _parts(node: Any) -> Iterator[Any]:
    """What a container holds, keys too."""
    if isinstance(node, dict):
        return chain(node.keys(), node.values())
    return iter(node.flat if isinstance(node, np.ndarray) else node)


def _size(leaf: Any) -> int:
    if leaf is None or isinstance(leaf, (bool, int, float, Blob, LateArray)):
        return 0
    if isinstance(leaf, (str, bytes)):
        return len(leaf)
    if isinstance(leaf, (np.ndarray, np.generic)):
        return leaf.nbytes
    if isinstance(leaf, Unbuilt):
        raise Refused("holds an array that was never filled or holds itself")
    raise Refused("holds the name of a type or function as a value")
