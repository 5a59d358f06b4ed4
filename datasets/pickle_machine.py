"""The small machine whose program a pickle is, for data only (see `pickled`).

A step for each opcode of protocols 0 to 5 that data needs; the others are refused by name. Names of
functions are words of `_NAMES`, never looked up.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from benchbench.datasets.pickle_values import (
    Blob,
    Refused,
    Unbuilt,
    array_of,
    make_scalar,
    start_dtype,
    text_of,
    unquote,
)

_NAMES = {
    **{
        (f"numpy.{core}.{module}", function): role
        for core in ("core", "_core")
        for module, function, role in (
            ("multiarray", "_reconstruct", "array"),
            ("multiarray", "scalar", "scalar"),
            ("numeric", "_frombuffer", "buffer"),
        )
    },
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
    ("__builtin__", "bytes"): "bytes",
    ("builtins", "bytes"): "bytes",
}
_KEYS = (str, bytes, int)
_WORD, _NUMBER = 256, 64  # longest line of a name, of a number


@dataclass(frozen=True)
class Name:
    """Something that a file may name, as a word for this machine."""

    role: str


class Machine:
    """One run of one pickle.

    Args:
        file: Seekable; read from its place to its end.
        most_opcodes: Steps of the program.
        most_bytes: Of the strings it makes.
        late: Byte strings longer than this are left in the file; None for none.
    """

    def __init__(
        self, file: BinaryIO, most_opcodes: int, most_bytes: int, late: int | None
    ) -> None:
        self.file, self.late = file, late
        self.most_opcodes, self.most_bytes = most_opcodes, most_bytes
        start = file.tell()
        self.end = file.seek(0, io.SEEK_END)
        file.seek(start)
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each mark
        self.memo: dict[int, Any] = {}
        self.held = 0

    def run(self) -> Any:
        """The value at the program's end.

        Raises:
            Refused: It asks for what is no data, or for too much.
            IndexError, KeyError, TypeError, ValueError, struct.error, OverflowError: It is broken.
        """
        for _ in range(self.most_opcodes):
            code = self.file.read(1)
            if code == b".":
                break
            step = _STEPS.get(code)
            if step is None:
                if not code:
                    raise Refused("is a pickle that is cut off")
                raise Refused(_FORBIDDEN.get(code, f"holds {code!r}, which is no pickle's opcode"))
            step(self)
        else:
            raise Refused(f"is a pickle of more than {self.most_opcodes} steps")
        if len(self.stack) != 1 or self.below:
            raise Refused("is a pickle that leaves more or less than one value")
        if self.file.tell() != self.end:
            raise Refused("has bytes after the end of its pickle")
        return self.stack.pop()

    # What is read

    def take(self, size: int) -> bytes:
        """The next bytes; what a length claims is compared with the file first."""
        if size > 4096 and size > self.end - self.file.tell():
            raise Refused("is a pickle that is cut off")
        data = self.file.read(size)
        if len(data) != size:
            raise Refused("is a pickle that is cut off")
        return data

    def line(self, most: int) -> bytes:
        data = self.file.readline(most + 1)
        if not data.endswith(b"\n"):
            raise Refused("is a pickle that is cut off or holds too long a line")
        return data[:-1]

    def unpack(self, layout: str) -> Any:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def count(self, size: int) -> None:
        self.held += size
        if self.held > self.most_bytes:
            raise Refused(f"holds strings of more than {self.most_bytes} bytes")

    def string(self, layout: str) -> bytes | Blob:
        """A byte string after its length, or a note of where it is."""
        size: int = self.unpack(layout)
        if size < 0:
            raise Refused("holds a string of negative length")
        if self.late is None or size <= self.late:
            self.count(size)
            return self.take(size)
        start = self.file.tell()
        if start + size > self.end:
            raise Refused("is a pickle that is cut off")
        self.file.seek(start + size)
        return Blob(start, size)

    def quoted(self) -> bytes | Blob:
        start = self.file.tell()
        line = self.line(self.most_bytes)
        if self.late is not None and len(line) > self.late:
            return Blob(start, len(line), quoted=True)
        self.count(len(line))
        return unquote(line)

    def text(self, layout: str) -> str:
        size = self.unpack(layout)
        self.count(size)
        return self.take(size).decode("utf-8", "surrogatepass")

    def text_line(self) -> str:
        line = self.line(self.most_bytes)
        self.count(len(line))
        return line.decode("raw-unicode-escape")

    def long(self, size: int) -> int:
        if not 0 <= size <= _NUMBER:
            raise Refused("holds a number of too many digits")
        return int.from_bytes(self.take(size), "little", signed=True)

    # What is made

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def items(self) -> list[Any]:
        """What lies above the topmost mark, which goes too."""
        found, self.stack = self.stack, self.below.pop()
        return found

    def last(self, count: int) -> tuple[Any, ...]:
        first = len(self.stack) - count
        if first < 0:
            raise IndexError
        found = tuple(self.stack[first:])
        del self.stack[first:]
        return found

    def pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.items()

    def fill(self, target: Any, pairs: Any) -> dict[Any, Any]:
        if type(target) is not dict or len(pairs) % 2:
            raise TypeError
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if type(key) not in _KEYS:
                raise Refused(f"holds a dict with a key of type {type(key).__name__}")
            target[key] = value
        return target

    def extend(self, target: Any, values: Any) -> None:
        if type(target) is not list:
            raise TypeError
        target.extend(values)

    def remember(self, place: int) -> None:
        value = self.memo[place] = self.stack[-1]
        if isinstance(value, Unbuilt):
            value.places.append(place)

    def named(self, module: str, function: str) -> Name:
        role = _NAMES.get((module, function))
        if role is None:
            raise Refused(f"asks for {f'{module}.{function}'!r}, which is no data")
        return Name(role)

    def reduce(self) -> Any:
        what, args = self.last(2)
        if not isinstance(what, Name) or not isinstance(args, tuple):
            raise Refused("calls something that is no data")
        return _CALLS[what.role](args, self)

    def build(self) -> None:
        state, value = self.stack.pop(), self.stack[-1]
        if not isinstance(value, Unbuilt):
            raise Refused("gives state to something that is no array")
        self.stack[-1] = built = value.build(state)
        for place in value.places:
            self.memo[place] = built


def _integer(line: bytes) -> int | bool:
    return line == b"01" if line in (b"00", b"01") else int(line)


def _encode(args: tuple[Any, ...], machine: Machine) -> bytes:
    # how python 3 writes bytes in protocol 2
    text, code = args
    if type(text) is not str or text_of(code) not in ("latin1", "latin-1"):
        raise Refused("encodes something else than bytes")
    machine.count(len(text))
    return text.encode("latin-1")


def _bytes(args: tuple[Any, ...], _: Machine) -> bytes:
    if args:
        raise Refused("calls bytes with arguments")
    return b""


def _array(args: tuple[Any, ...], _: Machine) -> Unbuilt:
    if len(args) != 3 or not isinstance(args[0], Name) or args[0].role != "ndarray":
        raise Refused("holds an array of a class of its own")
    return Unbuilt()


def _buffer(args: tuple[Any, ...], _: Machine) -> Any:
    content, dtype, shape, order = args
    if text_of(order) not in ("C", "F"):
        raise Refused("holds an array of odd order")
    return array_of(dtype, shape, text_of(order) == "F", content)


def _ndarray(args: tuple[Any, ...], _: Machine) -> Any:
    raise Refused("calls the class of arrays")


_CALLS: dict[str, Callable[[tuple[Any, ...], Machine], Any]] = {
    "array": _array,
    "buffer": _buffer,
    "bytes": _bytes,
    "dtype": lambda args, _: start_dtype(args),
    "encode": _encode,
    "ndarray": _ndarray,
    "scalar": lambda args, _: make_scalar(args),
}


def _name_lines(machine: Machine) -> Name:
    module, function = (machine.line(_WORD).decode("utf-8") for _ in range(2))
    return machine.named(module, function)


def _stacked_name(machine: Machine) -> Name:
    module, function = machine.last(2)
    if type(module) is not str or type(function) is not str:
        raise TypeError
    return machine.named(text_of(module), text_of(function))


# Each gives the value that is put on the stack.
_VALUES: dict[bytes, Callable[[Machine], Any]] = {
    b"N": lambda m: None,
    b"\x88": lambda m: True,
    b"\x89": lambda m: False,
    b"I": lambda m: _integer(m.line(_NUMBER)),
    b"L": lambda m: int(m.line(_NUMBER).removesuffix(b"L")),
    b"F": lambda m: float(m.line(_NUMBER)),
    b"J": lambda m: m.unpack("<i"),
    b"K": lambda m: m.unpack("<B"),
    b"M": lambda m: m.unpack("<H"),
    b"G": lambda m: m.unpack(">d"),
    b"\x8a": lambda m: m.long(m.unpack("<B")),
    b"\x8b": lambda m: m.long(m.unpack("<i")),
    b"S": Machine.quoted,
    b"T": lambda m: m.string("<i"),
    b"U": lambda m: m.string("<B"),
    b"B": lambda m: m.string("<I"),
    b"C": lambda m: m.string("<B"),
    b"\x8e": lambda m: m.string("<Q"),
    b"\x96": lambda m: m.string("<Q"),
    b"V": Machine.text_line,
    b"X": lambda m: m.text("<I"),
    b"\x8c": lambda m: m.text("<B"),
    b"\x8d": lambda m: m.text("<Q"),
    b"}": lambda m: {},
    b"]": lambda m: [],
    b")": lambda m: (),
    b"\x85": lambda m: m.last(1),
    b"\x86": lambda m: m.last(2),
    b"\x87": lambda m: m.last(3),
    b"t": lambda m: tuple(m.items()),
    b"l": lambda m: m.items(),
    b"d": lambda m: m.fill({}, m.items()),
    b"g": lambda m: m.memo[int(m.line(_NUMBER))],
    b"h": lambda m: m.memo[m.unpack("<B")],
    b"j": lambda m: m.memo[m.unpack("<I")],
    b"2": lambda m: m.stack[-1],
    b"c": _name_lines,
    b"\x93": _stacked_name,
    b"R": Machine.reduce,
}


def _pushing(make: Callable[[Machine], Any]) -> Callable[[Machine], None]:
    def step(machine: Machine) -> None:
        value = make(machine)  # first: it may put another list in the stack's place
        machine.stack.append(value)

    return step


def _put_all(add: Callable[[Machine, Any, Any], Any]) -> Callable[[Machine], None]:
    def step(machine: Machine) -> None:
        found = machine.items()
        add(machine, machine.stack[-1], found)

    return step


def _put_last(add: Callable[[Machine, Any, Any], Any], count: int) -> Callable[[Machine], None]:
    def step(machine: Machine) -> None:
        found = machine.last(count)
        add(machine, machine.stack[-1], found)

    return step


def _protocol(machine: Machine) -> None:
    version = machine.unpack("<B")
    if version > 5:
        raise Refused(f"is a pickle of protocol {version}")


def _frame(machine: Machine) -> None:
    machine.take(8)  # how many bytes belong together; a hint only


_STEPS: dict[bytes, Callable[[Machine], None]] = {
    **{code: _pushing(make) for code, make in _VALUES.items()},
    b"(": Machine.mark,
    b"0": Machine.pop,
    b"1": lambda m: m.items().clear(),
    b"s": _put_last(Machine.fill, 2),
    b"u": _put_all(Machine.fill),
    b"a": _put_last(Machine.extend, 1),
    b"e": _put_all(Machine.extend),
    b"p": lambda m: m.remember(int(m.line(_NUMBER))),
    b"q": lambda m: m.remember(m.unpack("<B")),
    b"r": lambda m: m.remember(m.unpack("<I")),
    b"\x94": lambda m: m.remember(len(m.memo)),
    b"b": Machine.build,
    b"\x80": _protocol,
    b"\x95": _frame,
}

_FORBIDDEN = {
    **dict.fromkeys((b"i", b"o", b"\x81", b"\x92"), "holds an object of a class, which is no data"),
    **dict.fromkeys((b"P", b"Q"), "asks for an object from elsewhere (persistent id)"),
    **dict.fromkeys((b"\x82", b"\x83", b"\x84"), "asks for a registered extension"),
    **dict.fromkeys((b"\x97", b"\x98"), "asks for a buffer that is not in the file"),
    **dict.fromkeys((b"\x8f", b"\x90", b"\x91"), "holds a set, which no data set needs"),
}
