"""OBJ and MTL files: what they say, and what they may not."""

from __future__ import annotations

import numpy as np
import pytest

from benchbench.core.errors import InputError
from benchbench.datasets import obj_files
from benchbench.datasets.obj_files import read_colours, read_obj

SQUARE = b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"


def test_everything_that_a_face_may_look_like() -> None:
    text = (
        b"# a comment\nmtllib x.mtl\no thing\r\n" + SQUARE.replace(b"\n", b"\r\n")
        + b"vn 0 0 1\nvt 0 0\ng part\n  f 1 2 3\nusemtl red one\ns off\n"
        b"f 1/1 2/1/1 3//1 4\nf\t-4\t-3 -1\nl 1 2\nf 1 2\nv 5 5 5 0.1 0.2 0.3\nusemtl blue\n"
        b"f 1 2 \\\n3\nusemtl red one\nf 5 4 3\n"
    )  # fmt: skip
    mesh = read_obj(text, "x")
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [5, 5, 5]]
    assert mesh.faces.tolist() == [
        [0, 1, 2], [0, 1, 2], [0, 2, 3], [0, 1, 3], [0, 1, 2], [4, 3, 2],
    ]  # fmt: skip
    assert [mesh.names[n] for n in mesh.material] == [
        b"", b"red one", b"red one", b"red one", b"blue", b"red one",
    ]  # fmt: skip


def test_a_face_may_name_a_later_vertex_but_not_a_missing_one() -> None:
    assert read_obj(b"v 0 0 0\nv 1 0 0\nf 1 2 3\nv 0 1 0\n", "x").faces.tolist() == [[0, 1, 2]]
    with pytest.raises(InputError, match="vertex 5 of 4"):
        read_obj(SQUARE + b"f 1 2 5\n", "x")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"f 1 2 0", "line 5: a face names vertex 0"),
        (b"f 1 2 -5", "vertex -5"),
        (b"f 1 2 x", "line 5"),
        (b"f 1 2 /3", "line 5"),
        (b"f 1 2 2147483649", "vertex 2147483649"),
        (b"f 1 2 99999999999999999999", "vertex 9999"),
        (b"v 1 2", "three numbers"),
        (b"v 1 2 nan", "not finite"),
        (b"v 1e999 0 0", "not finite"),
        (b"v a b c", "line 5"),
        (b"f " + b"1 " * 600_000, "no line of an honest OBJ"),
        (b"#" + b" " * (1 << 20), "no line of an honest OBJ"),
    ],
)
def test_broken_lines_are_named(line: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        read_obj(SQUARE + line + b"\nf 1 2 3\n", "dir/model.obj")
    assert "'dir/model.obj'" in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\0" * 100, SQUARE, b"f 1 2\n", b"\xff\xfe" * 50])
def test_files_without_a_face(data: bytes) -> None:
    with pytest.raises(InputError, match="holds no face"):
        read_obj(data, "x")


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obj_files, "_MAX_ITEMS", 10)
    with pytest.raises(InputError, match="more than 10"):
        read_obj(b"v 0 0 0\n" * 11 + b"f 1 2 3\n", "x")
    with pytest.raises(InputError, match="more than 10"):
        read_obj(SQUARE + b"f 1 2 3 4\n" * 6, "x")
    monkeypatch.setattr(obj_files, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="bytes"):
        read_obj(SQUARE, "x")
    monkeypatch.setattr(obj_files, "_MAX_MATERIALS", 2)
    monkeypatch.setattr(obj_files, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="honest"):
        read_obj(SQUARE + b"usemtl a\nusemtl b\nusemtl c\nf 1 2 3\n", "x")


def test_cut_anywhere_it_is_read_or_refused() -> None:
    text = SQUARE + b"usemtl a\nf 1/2/3 2//1 3\nf 1 3 4\n"
    for end in range(len(text)):
        try:
            mesh = read_obj(text[:end], "x")
        except InputError:
            continue
        assert len(mesh.faces) == len(mesh.material) and mesh.faces.max() < len(mesh.vertices)


def test_bytes_changed_anywhere_are_read_or_refused() -> None:
    text = SQUARE + b"usemtl a\nf 1/2/3 2//1 3\nf 1 3 4\n"
    rng = np.random.default_rng(0)
    for _ in range(2000):
        data = bytearray(text)
        data[rng.integers(len(data))] = rng.integers(256)
        try:
            mesh = read_obj(bytes(data), "x")
        except InputError:
            continue
        assert mesh.faces.max() < len(mesh.vertices) and np.isfinite(mesh.vertices).all()


def test_colours() -> None:
    text = (
        b"newmtl a b\n Ns 10\nKd 0.25 1.5 -1\nKa 1 1 1\n\tnewmtl c\r\nKd 1 1\nnewmtl d\n"
        b"Kd nan 0 0\nnewmtl e\nKd 0 0 1 7\nnewmtl \xff\nKd 1 0 0\nKd spectral x.rfl\n"
    )
    assert read_colours(text, "x") == {
        b"a b": (0.25, 1.0, 0.0),
        b"e": (0.0, 0.0, 1.0),
        b"\xff": (1.0, 0.0, 0.0),
    }
    assert read_colours(b"", "x") == {}
    with pytest.raises(InputError, match="refused"):
        read_colours(b" " * (1 << 22) + b" ", "x")


def test_a_refusal_quotes_the_start_of_a_long_word() -> None:
    word = b"0.25" + bytes(5000)
    with pytest.raises(InputError, match="line 2: could not convert") as caught:
        read_obj(b"v 0 0 0\nv 1 " + word + b" 0\n", "a.obj")
    assert len(str(caught.value)) < 200
