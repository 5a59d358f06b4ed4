"""Pickles as data: genuine ones of every protocol read as by pickle, hostile ones refused."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest

from benchbench.core.errors import InputError
from benchbench.datasets.pickle_values import Blob, LateArray
from benchbench.datasets.pickle_writing import pickle2
from benchbench.datasets.pickled import (
    PickleLimits,
    index_pickle,
    read_pickle,
    read_pickled_npy,
)

PROTOCOLS = (0, 1, 2, 3, 4, 5)
VALUES: dict[str, Any] = {
    "plain": {"a": [1, -2, 2**31, -(2**70), 0.1, 1e300, True, False, None], "b": (1, (2, ()), {})},
    "strings": {"ascii": "x", "latin": "\xe9\n\\'\"", "wide": "\u20ac\U0001f600", "empty": ""},
    "bytes": {"short": b"", "all": bytes(range(256)) * 3, 7: b"x"},
    "many": {f"key {n}": [n, str(n)] for n in range(2500)},
    "scalars": [np.float32(1.5), np.int64(-3), np.bool_(True), np.uint8(255)],
}
ARRAYS = [
    np.arange(24).astype(dtype).reshape(2, 3, 4)
    for dtype in ("<u1", "<i2", ">i4", "<f4", ">f8", "<c16", "?", "<f2")
] + [
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.zeros((0, 3), np.float32),
    np.array(5),
    np.array(["ab", "c"]),
    np.array([b"ab", b"c"]),
]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and one.dtype == object:
        pairs = zip(one.flat, other.flat, strict=True)
        return one.shape == other.shape and all(same(a, b) for a, b in pairs)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and bool((one == other).all())
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and all(map(same, one, other)) and len(one) == len(other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", VALUES)
def test_plain_values_of_every_protocol(name: str, protocol: int) -> None:
    value = VALUES[name]
    assert same(read_pickle(pickle.dumps(value, protocol), "x.pkl"), value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_arrays_of_every_protocol(array: np.ndarray, protocol: int) -> None:
    ragged = np.empty(2, object)
    ragged[:] = [array, [array, "x"]]
    value = {"one": array, "again": array, "ragged": ragged}
    found = read_pickle(pickle.dumps(value, protocol), "x.pkl")
    assert same(found, value)
    assert found["one"].flags.f_contiguous == array.flags.f_contiguous


# cPickle of python 2.7 with numpy 1.16, {'a': uint8 [[0, 1, 2]], u'b': 'caf\xe9'}
PYTHON2 = (
    b"\x80\x02}q\x01(U\x01acnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00"
    b"\x85U\x01b\x87Rq\x04(K\x01K\x01K\x03\x86cnumpy\ndtype\nq\x05U\x02u1K\x00K\x01\x87Rq\x06(K\x03"
    b"U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x03\x00\x01\x02tbX\x01\x00\x00\x00b"
    b"U\x04caf\xe9u."
)


def test_strings_of_python_2_are_bytes() -> None:
    twin = pickle.loads(PYTHON2, encoding="bytes")
    found = read_pickle(PYTHON2, "x.pkl")
    assert same(found, twin)
    assert found[b"a"].tolist() == [[0, 1, 2]] and found["b"] == b"caf\xe9"


@pytest.mark.parametrize("text", [b"plain", bytes(range(256)), b"it's", b"\"'", b"\\x41\n\r\t"])
def test_quoted_strings_of_protocol_0(text: bytes) -> None:
    data = b"S" + repr(text)[1:].encode() + b"\n."  # python 2's repr of a plain string
    assert pickle.loads(data, encoding="bytes") == text
    assert read_pickle(data, "x.pkl") == text


def test_written_pickles_are_python_2s() -> None:
    value = {
        b"key": [1, -5, 2.5, None, True, (b"x" * 300, "\u20ac")],
        b"array": np.arange(12, dtype=np.float32).reshape(3, 4),
        b"flags": np.array([[True], [False]]),
    }
    data = pickle2(value)
    assert same(pickle.loads(data, encoding="bytes"), value)
    assert same(read_pickle(data, "x.pkl"), value)
    with pytest.raises(TypeError, match="set is not written"):
        pickle2({1, 2})
    with pytest.raises(TypeError, match="set is not written"):
        pickle2(np.array([{1, 2}], object))
    objects = np.empty(2, object)
    objects[0], objects[1] = np.arange(6, dtype=np.uint8).reshape(1, 2, 3), b"a"
    data = pickle2(objects)
    for back in (pickle.loads(data, encoding="bytes"), read_pickle(data, "x.pkl")):
        assert back.shape == (2,) and back.dtype == object and back[1] == b"a"
        assert back[0].dtype == np.uint8 and np.array_equal(back[0], objects[0])


class Bomb:
    def __init__(self, what: Any, *args: Any) -> None:
        self.what, self.args = what, args

    def __reduce__(self) -> Any:
        return self.what, self.args


class Plain:
    pass


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_functions_are_refused_by_name_and_not_called(protocol: int, tmp_path: Any) -> None:
    touched = tmp_path / "touched"
    for value, word in (
        (Bomb(os.system, f"touch {touched}"), "posix.system"),
        (Bomb(eval, "1"), "eval"),
        (Bomb(open, str(touched), "w"), "open"),
        (Bomb(np.load, "x"), "numpy"),
        (Bomb(getattr, "x", "upper"), "getattr"),
        (Bomb(np.ndarray, (2, 2)), "calls the class of arrays"),
        ([os.system], "posix.system"),
        ({1, 2}, "set"),
        (np.random.RandomState(0), "numpy.random"),
    ):
        with pytest.raises(InputError, match=word) as caught:
            read_pickle(pickle.dumps([value], protocol), "x.pkl")
        assert "'x.pkl'" in str(caught.value) and "refused" in str(caught.value)
    with pytest.raises(InputError, match=r"object of a class|copy_?reg|test_pickled"):
        read_pickle(pickle.dumps(Plain(), protocol), "x.pkl")
    assert not touched.exists()


def laughs(levels: int, width: int = 10) -> Any:
    value: Any = ["ha"]
    for _ in range(levels):
        value = [value] * width
    return value


def deep(levels: int, start: bytes = b"]", around: bytes = b"\x85") -> bytes:
    return b"\x80\x02" + start + around * levels + b"."


def object_array(inner: bytes) -> bytes:
    """An array of one object, made from opcodes."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01K\x01\x85"
        b"cnumpy\ndtype\nC\x02O8K\x00K\x01\x87R(K\x03C\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
        b"K\x3ftb\x89]" + inner + b"atb"
    )


def nested_arrays(levels: int) -> bytes:
    inner = b"N"
    for _ in range(levels):
        inner = object_array(inner)
    return b"\x80\x03" + inner + b"."


def array_with(**changed: bytes) -> bytes:
    """A pickled array of four bytes with some of its parts changed."""
    parts = {
        "version": b"K\x01", "shape": b"K\x02K\x02\x86", "code": b"C\x02u1", "order": b"C\x01|",
        "fields": b"N", "length": b"J\xff\xff\xff\xff", "raw": b"C\x04abcd", "type": b"ndarray",
    } | changed  # fmt: skip
    return (
        b"\x80\x03cnumpy.core.multiarray\n_reconstruct\ncnumpy\n%b\nK\x00\x85C\x01b\x87R(%b%b"
        b"cnumpy\ndtype\n%bK\x00K\x01\x87R(K\x03%bNN%b%bJ\xff\xff\xff\xffK\x00tb\x89%btb."
        % tuple(
            parts[name]
            for name in ("type", "version", "shape", "code", "order", "fields", "length", "raw")
        )
    )


def test_the_array_that_is_changed_below_is_a_good_one() -> None:
    assert read_pickle(array_with(), "x").tobytes() == b"abcd"
    assert read_pickle(nested_arrays(1), "x").tolist() == [None]


HUGE = struct.pack("<q", 1 << 33)
HOSTILE = {
    "a huge number in the memo": (b"]r\xff\xff\xff\xff0j\xfe\xff\xff\xff.", "broken"),
    "a memo never filled": (b"h\x05.", "broken"),
    "a huge string claimed": (b"T\xff\xff\xff\x7fabc.", "more than"),
    "a string longer than the file": (b"T\x00\x20\x00\x00abc.", "cut off"),
    "a negative length": (b"T\xff\xff\xff\xffabc.", "negative"),
    "a huge unicode claimed": (b"\x8d" + HUGE + b"abc.", "more than"),
    "a huge bytes claimed": (b"\x8e" + HUGE + b"abc.", "more than"),
    "a huge buffer claimed": (b"\x96" + HUGE + b"abc.", "more than"),
    "a huge integer": (b"\x8b\xff\xff\xff\x00" + b"1" * 100 + b".", "digits"),
    "a long line of digits": (b"I" + b"9" * 5000 + b"\n.", "too long a line"),
    "a long name": (b"c" + b"os" * 5000 + b"\nsystem\n.", "too long a line"),
    "billion laughs": (pickle.dumps(laughs(12), 2), "unfolds"),
    "a list in itself": (b"]2a.", "holds itself"),
    "a dict in itself": (b"}q\x00K\x01h\x00s.", "holds itself"),
    "deep tuples": (deep(200_000), "deep"),
    "deep lists": (b"]" * 200_000 + b"a" * 199_999 + b".", "deep"),
    "arrays in arrays": (nested_arrays(2), "array of objects in an array"),
    "many marks": (b"(" * 100_000 + b".", "more or less than one value"),
    "nothing": (b"", "cut off"),
    "only an end": (b".", "more or less than one value"),
    "two values": (b"K\x01K\x01.", "more or less than one value"),
    "bytes after the end": (b"K\x01.K", "after the end"),
    "an unknown opcode": (b"\xff.", "no pickle's opcode"),
    "a newer protocol": (b"\x80\x06N.", "protocol 6"),
    "an object from elsewhere": (b"P1\n.", "persistent"),
    "an object from elsewhere, by value": (b"K\x01Q.", "persistent"),
    "an extension": (b"\x82\x01.", "extension"),
    "a buffer out of band": (b"\x97.", "buffer that is not in the file"),
    "an instance": (b"(ios\nsystem\n.", "object of a class"),
    "a name by itself": (b"cnumpy\nndarray\n.", "name of a type"),
    "a name in a list": (b"]cnumpy\ndtype\na.", "name of a type"),
    "a number called": (b"K\x01)R.", "no data"),
    "a name called with no tuple": (b"cnumpy\ndtype\n]R.", "no data"),
    "a list as key": (b"}]K\x01s.", "key of type list"),
    "a tuple as key": (b"})K\x01s.", "key of type tuple"),
    "append to a dict": (b"}K\x01a.", "broken"),
    "an item for a list": (b"]K\x01K\x01s.", "broken"),
    "a key without value": (b"}(K\x01u.", "broken"),
    "a step on an empty stack": (b"\x86.", "broken"),
    "items without a mark": (b"K\x01e.", "broken"),
    "state for a number": (b"K\x01Nb.", "no array"),
    "an unquoted string": (b"Sabc\n.", "no quoted string"),
    "a string half quoted": (b"S'abc\n.", "no quoted string"),
    "a bad escape": (b"S'\\x1'\n.", "no quoted string"),
    "no number": (b"Ifoo\n.", "broken"),
    "bad utf-8": (b"X\x01\x00\x00\x00\xff.", "broken"),
    "text in another code": (b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.",
                             "something else than bytes"),
    "bytes of a size": (b"c__builtin__\nbytes\nJ\xff\xff\xff\x7f\x85R.", "with arguments"),
    "an array never filled": (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R.",
        "never filled",
    ),
    "an array of more than its bytes": (array_with(shape=b"K\x09\x85"), "do not fit"),
    "a huge array of nothing": (
        array_with(shape=b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", raw=b"C\x00"), "do not fit"
    ),
    "a negative side": (array_with(shape=b"J\xff\xff\xff\xffJ\xfc\xff\xff\xff\x86"), "odd shape"),
    "sides that are no numbers": (array_with(shape=b"NN\x86"), "odd shape"),
    "too many sides": (array_with(shape=b"(" + b"K\x01" * 40 + b"t"), "odd shape"),
    "an odd version": (array_with(version=b"N"), "odd state"),
    "bytes as a number": (array_with(raw=b"K\x04"), "do not fit"),
    "objects as bytes": (array_with(code=b"C\x02O8"), "number of objects"),
    "times": (array_with(code=b"C\x02M8"), "of type 'M8'"),
    "records": (array_with(code=b"C\x02V4"), "of type 'V4'"),
    "no type": (array_with(code=b"C\x02zz"), "of type 'zz'"),
    "a type by name": (array_with(code=b"C\x06u1, O8"), "of type 'u1, O8'"),
    "a number of odd size": (array_with(code=b"C\x02f3"), "of type 'f3'"),
    "texts of no length": (array_with(code=b"C\x02S0", length=b"K\x00"), "odd length"),
    "texts of huge length": (
        array_with(code=b"C\x02S0", length=b"J\xff\xff\xff\x7f"), "odd length"
    ),
    "a type with fields": (array_with(fields=b"}"), "fields"),
    "an odd byte order": (array_with(order=b"C\x01="), "byte order '='"),
    "a class of its own": (array_with(type=b"dtype"), "class of its own"),
    "a matrix": (array_with(type=b"matrix"), "numpy.matrix"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_pickles_are_refused(case: str) -> None:
    data, word = HOSTILE[case]
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=word) as caught:
            read_pickle(data, "x.pkl")
        assert "'x.pkl'" in str(caught.value) and len(str(caught.value)) < 300
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * len(data) + (1 << 20)
    with pytest.raises(InputError):
        index_pickle(io.BytesIO(data), "x.pkl", late=64)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_truncation_is_refused(protocol: int) -> None:
    value = {"a": np.arange(5), "b": [b"bytes" * 10, "text", 1.5, (2**70, None)]}
    data = pickle.dumps(value, protocol)
    for end in range(len(data)):
        with pytest.raises(InputError):
            read_pickle(data[:end], "x.pkl")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_changed_byte_raises_anything_else(protocol: int) -> None:
    value = {"a": np.arange(3), "b": [b"bytes", "text", 1.5, (2**70, None)]}
    data = bytearray(pickle.dumps(value, protocol))
    for place in range(len(data)):
        old = data[place]
        for new in (0, 255, old ^ 1, old ^ 0x20, ord("("), ord("R"), ord("b"), ord("0")):
            data[place] = new
            try:
                read_pickle(bytes(data), "x.pkl")
            except InputError:
                pass
        data[place] = old


def test_limits_are_those_given() -> None:
    data = pickle.dumps([[b"x" * 100] * 10] * 10, 2)
    read_pickle(data, "x", PickleLimits(opcodes=200, bytes=10_000, values=111, depth=2))
    for limits, word in (
        (PickleLimits(opcodes=20), "more than 20 steps"),
        (PickleLimits(bytes=99), "more than 99 bytes"),
        (PickleLimits(bytes=9_999), "unfolds to more than"),
        (PickleLimits(values=110), "unfolds to more than 110 values"),
        (PickleLimits(depth=1), "more than 1 deep"),
    ):
        with pytest.raises(InputError, match=word):
            read_pickle(data, "x", limits)


def test_sharing_is_no_reason_to_refuse_or_to_take_long() -> None:
    shared = list(range(100_000))
    data = pickle.dumps([shared] * 150, 2)
    assert len(read_pickle(data, "x")) == 150
    with pytest.raises(InputError, match="unfolds"):
        read_pickle(pickle.dumps([shared] * 100_000, 2), "x")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_index_leaves_long_strings_in_the_file(protocol: int) -> None:
    value = {
        "images": {f"k{n}": bytes([n]) * 2000 for n in range(20)},
        "voxels": {"k": np.asfortranarray(np.arange(9000, dtype=np.int32).reshape(3, 3000))},
        "small": np.arange(3),
    }
    data = b"front" + pickle.dumps(value, protocol)
    file = io.BytesIO(data)
    file.seek(5)
    found = index_pickle(file, "x.pkl")
    late = protocol >= 3  # before that, python 3 writes bytes as text
    assert isinstance(found["images"]["k7"], Blob if late else bytes)
    if late:
        assert found["images"]["k7"].read(file) == bytes([7]) * 2000
        assert isinstance(found["voxels"]["k"], LateArray)
        assert same(found["voxels"]["k"].read(file), value["voxels"]["k"])
    assert found["small"].tolist() == [0, 1, 2]


def test_an_index_of_python_2s_files() -> None:
    picture = bytes(range(256)) * 8
    array = np.arange(4096.0)
    for data in (
        pickle2({b"p": picture, b"a": array}),
        b"(dp0\nS'p'\nS" + repr(picture)[1:].encode() + b"\np1\nsS'q'\ng1\ns.",
    ):
        file = io.BytesIO(data)
        twin, found = pickle.loads(data, encoding="bytes"), index_pickle(file, "x.pkl")
        assert list(found) == list(twin)
        for key in found:
            assert isinstance(found[key], (Blob, LateArray))
            assert same(found[key].read(file), twin[key])


def test_an_index_of_a_file_that_changed_since() -> None:
    file = io.BytesIO(pickle2([b"x" * 2000, np.zeros(500)]))
    blob, array = index_pickle(file, "x.pkl")
    for late in (blob, array):
        with pytest.raises(InputError, match="ends before"):
            late.read(io.BytesIO(b"short"))
    quoted = Blob(0, 5, quoted=True)
    with pytest.raises(InputError, match="no quoted string"):
        quoted.read(io.BytesIO(b"abcdef"))
    with pytest.raises(InputError, match="do not fit"):
        LateArray(np.dtype("u1"), (9,), False, Blob(0, 4)).read(io.BytesIO(b"abcdef"))


def test_an_index_refuses_arrays_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="in 600 bytes"):
        index_pickle(io.BytesIO(array_with(raw=b"B\x58\x02\x00\x00" + b"x" * 600)), "x.pkl")
    with pytest.raises(InputError, match="without a list"):
        data = array_with(code=b"C\x02O8", raw=b"B\x58\x02\x00\x00" + b"x" * 600)
        index_pickle(io.BytesIO(data), "x.pkl")


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=array.dtype.hasobject)
    return stream.getvalue()


def test_npy_files_with_objects() -> None:
    ragged = np.empty((2, 2), object)
    ragged[:] = [[np.zeros((2, 3), np.uint8), np.ones((4, 1), np.uint8)], [b"x", None]]
    for array in (ragged, np.arange(5.0), np.empty(0, object)):
        assert same(read_pickled_npy(npy(array), "x.npy"), array)


def test_npy_files_as_python_2_wrote_them() -> None:
    images = [np.full((n + 1, 2, 3), n, np.uint8) for n in range(3)]
    body = pickle.dumps(np.array([*images, None], object)[:3], 2)
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }"
    header += b" " * (-(len(header) + 11) % 16) + b"\n"
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body
    found = read_pickled_npy(data, "x.npy")
    assert found.shape == (3,) and all(map(same, found, images))


def test_npy_files_that_are_refused() -> None:
    good = npy(np.array([None, 1], object))
    for data, word in (
        (b"nothing", "no npy file"),
        (good[:-3], "cut off"),
        (good.replace(b"(2,)", b"(3,)"), "shape"),
        (good.replace(b"'|O'", b"'i4'"), "do not fit|no npy file"),
        (npy(np.zeros(2, [("a", object)])), "no npy file of plain numbers"),
        (npy(np.array([os.system], object)), "posix.system"),
    ):
        with pytest.raises(InputError, match=word):
            read_pickled_npy(data, "x.npy")
