"""Changes below the checksums: a file is unwrapped, changed inside, and wrapped again as if valid.

The kind of a file is seen from its first bytes, else from its name; files inside of files are
changed in the same way.
"""

from __future__ import annotations

import ast
import gzip
import io
import itertools
import json
import pickle
import pickletools
import random
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import h5py
import numpy as np
from mutations import mutate, mutate_text

_PNG = b"\x89PNG\r\n\x1a\n"
_TEXTS = (".txt", ".obj", ".off", ".ply", ".json", ".lst", ".csv", ".xml")
# How much of a file says what it is; random changes mostly stay behind that.
_HEADERS = {"png": 33, "gzip": 10, "zip": 4, "tar": 0, "hdf5": 8, "npy": 10, "mat": 128}
# A change in such a file that nobody wrapped again is found, or changes nothing that is read.
PROTECTED = ("png", "gzip", "zip")


@dataclass(frozen=True)
class Changed:
    """A changed file.

    Attributes:
        data: Its bytes.
        protected: No checksum was made again, and every byte that is read has one.
    """

    data: bytes
    protected: bool


def kind_of(name: str, data: bytes) -> str:
    """What a file is: "png", "zip", "text", ..., or "other"."""
    for magic, kind in (
        (_PNG, "png"),
        (b"\x1f\x8b", "gzip"),
        (b"PK\x03\x04", "zip"),
        (b"\x89HDF", "hdf5"),
        (b"\x93NUMPY", "npy"),
        (b"#binvox", "binvox"),
        (b"MATLAB 5.0", "mat"),
        (b"\x80\x02", "pickle"),
        (b"\x80\x04", "pickle"),
    ):
        if data.startswith(magic):
            return kind
    if data[257:262] == b"ustar":
        return "tar"
    if name.endswith(".safetensors"):
        return "safetensors"
    if name.endswith((".pkl", ".pickle")):
        return "pickle"
    return "text" if name.endswith(_TEXTS) else "other"


def change(name: str, data: bytes, rng: random.Random, wrapped: bool) -> Changed:
    """One changed copy of a valid file.

    Args:
        name: Its name.
        data: Its bytes.
        rng: Decides.
        wrapped: Change it below its checksums, where it has any.
    """
    kind = kind_of(name, data)
    if wrapped and kind in _INSIDE:
        return Changed(_INSIDE[kind](data, rng), False)
    changed = mutate(data, rng, _HEADERS.get(kind, 0))
    return Changed(changed, kind in PROTECTED and len(changed) > 0)


def inside(name: str, data: bytes, rng: random.Random) -> bytes:
    """A member of an archive, changed in either way."""
    return change(name, data, rng, rng.random() < 0.6).data


def pick(names: list[str], rng: random.Random) -> str:
    """One of several files: first the kind of name, so that the rare ones have their turn."""
    kinds: dict[str, list[str]] = {}
    for name in sorted(names):
        kinds.setdefault(name.rpartition(".")[2].lower(), []).append(name)
    return rng.choice(kinds[rng.choice(sorted(kinds))])


def _png(data: bytes, rng: random.Random) -> bytes:
    chunks, position = [], len(_PNG)
    while position + 12 <= len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        kind = data[position + 4 : position + 8]
        chunks.append((kind, data[position + 8 : position + 8 + length]))
        position += 12 + length
    n, what = rng.randrange(len(chunks)), rng.randrange(6)
    kind, body = chunks[n]
    if what == 0:
        del chunks[n]
    elif what == 1:
        chunks.insert(rng.randrange(len(chunks)), (kind, body))
    elif what == 2:
        chunks[n] = (mutate(kind, rng)[:4].ljust(4, b"x"), body)
    elif kind == b"IDAT" and what < 5:
        try:
            chunks[n] = (kind, zlib.compress(mutate(zlib.decompress(body), rng), 1))
        except zlib.error:  # one of several pieces of a stream
            chunks[n] = (kind, mutate(body, rng))
    else:
        chunks[n] = (kind, mutate(body, rng) if body else b"\0")
    return _PNG + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _gzip(data: bytes, rng: random.Random) -> bytes:
    return gzip.compress(inside("x.tar", gzip.decompress(data), rng), 1, mtime=0)


def _zip(data: bytes, rng: random.Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(item, archive.read(item)) for item in archive.infolist()]
    names = [item.filename for item, _ in members]
    n, what = names.index(pick(names, rng)), rng.randrange(8)
    if what == 0 and len(members) > 1:
        del members[n]
    elif what == 1:
        members.insert(n, members[n])
    else:
        item, body = members[n]
        if what == 2:
            name = mutate(item.filename.encode(), rng).decode("utf-8", "replace")[:200]
            item = zipfile.ZipInfo(name or "x")
        members[n] = (item, body if what == 2 else inside(item.filename, body, rng))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two of one name are a change like any other
        for item, body in members:
            fresh = zipfile.ZipInfo(item.filename)
            fresh.compress_type, fresh.external_attr = item.compress_type, item.external_attr
            archive.writestr(fresh, body, compresslevel=1)
    return stream.getvalue()


def _tar(data: bytes, rng: random.Random) -> bytes:
    """Headers are changed byte by byte and summed again, members in their own way."""
    blocks: list[tuple[bytes, bytes]] = []
    position = 0
    while (head := data[position : position + 512]).strip(b"\0"):
        size = int(head[124:136].strip(b"\0 ") or b"0", 8)
        blocks.append((head, data[position + 512 : position + 512 + size]))
        position += 512 + -(-size // 512) * 512
    names = [head[:100].split(b"\0")[0].decode("latin-1") for head, _ in blocks]
    n, what = names.index(pick(names, rng)), rng.randrange(8)
    head, body = blocks[n]
    if what == 0 and len(blocks) > 1:
        del blocks[n]
    elif what == 1:
        blocks.insert(n, blocks[n])
    elif what < 5:
        field = rng.choice(((0, 100), (100, 108), (124, 136), (156, 157), (157, 257), (257, 512)))
        piece = mutate(head[slice(*field)], rng)[: field[1] - field[0]]
        piece = piece.ljust(field[1] - field[0], b"\0")
        if field == (156, 157):
            piece = rng.choice(b"01234567gxLKSN\0").to_bytes(1, "big")
        blocks[n] = (head[: field[0]] + piece + head[field[1] :], body)
    else:
        body = inside(names[n], body, rng) if body else b"x"
        size_field = f"{len(body):011o}\0".encode()
        blocks[n] = (head[:124] + size_field + head[136:], body)
    out = []
    for head, body in blocks:
        head = head[:148] + b" " * 8 + head[156:]
        head = head[:148] + f"{sum(head):06o}\0 ".encode() + head[156:]
        out.append(head + body + bytes(-len(body) % 512))
    whole = b"".join(out) + bytes(1024)
    return whole + bytes(-len(whole) % tarfile.RECORDSIZE)


def _npy(data: bytes, rng: random.Random) -> bytes:
    """Its dict says something else, or its numbers do; the length of the header stays right."""
    (length,) = struct.unpack("<H", data[8:10])
    text, body = data[10 : 10 + length], data[10 + length :]
    if rng.random() < 0.5:
        return data[: 10 + length] + mutate(body, rng)
    fields = ast.literal_eval(text.decode("latin-1"))
    what = rng.randrange(5)
    if what == 0:
        text = mutate(text, rng)
    elif what == 1:
        sides = list(fields["shape"]) or [1]
        sides[rng.randrange(len(sides))] = rng.choice((0, -1, 1, 3, 1 << 40, 1 << 70))
        fields["shape"] = tuple(sides)
    elif what == 2:
        kinds = ("|O", "<f4", ">f8", "<i1", "|S5", "<U3", "<c16", "<M8[s]", "|V7", "<f2", "|b1")
        fields["descr"] = rng.choice((*kinds, [("a", "<f4")]))
    elif what == 3:
        fields["fortran_order"] = not fields["fortran_order"]
        fields["shape"] = fields["shape"][::-1]
    else:
        fields.pop(rng.choice(sorted(fields)))
    if what != 0:
        text = (repr(fields) + "\n").encode()
    return data[:8] + struct.pack("<H", len(text)) + text + body


def _binvox(data: bytes, rng: random.Random) -> bytes:
    """The runs still fill the grid, or a word of the header is another."""
    at = data.index(b"data\n") + 5
    if rng.random() < 0.4:
        return mutate_text(data[: at - 1], rng) + b"\n" + data[at:]
    runs = [data[n : n + 2] for n in range(at, len(data), 2)]
    for _ in range(rng.choice((1, 5, 50))):
        n = rng.randrange(len(runs))
        value, count = runs[n][0], runs[n][1]
        if count > 1 and rng.random() < 0.5:
            left = rng.randint(0, count)
            runs[n : n + 1] = [bytes([value, left]), bytes([rng.randrange(256), count - left])]
        else:
            other = rng.randrange(len(runs))
            runs[n], runs[other] = runs[other], runs[n]
    return data[:at] + b"".join(runs)


def _safetensors(data: bytes, rng: random.Random) -> bytes:
    (length,) = struct.unpack("<Q", data[:8])
    text, body = data[8 : 8 + length], data[8 + length :]
    what = rng.randrange(4)
    if what == 0:
        body = mutate(body, rng)
    elif what == 1:
        text = mutate(text, rng)
    else:
        table = json.loads(text)
        key = rng.choice(sorted(k for k in table if k != "__metadata__"))
        field = rng.choice(("dtype", "shape", "data_offsets"))
        values = {
            "dtype": ("F16", "BF16", "I64", "BOOL", "F8_E4M3", "X", 3),
            "shape": ([], [-1], [1 << 62, 8], [0], [3, 3], "x", [1 << 40]),
            "data_offsets": ([0, 0], [4, 0], [0, 1 << 62], [-8, 8], [1], None),
        }
        table[key][field] = rng.choice(values[field])
        text = json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + body


def _hdf5(data: bytes, rng: random.Random) -> bytes:
    """One dataset or attribute holds other bytes, has another length or type, or is gone."""
    stream = io.BytesIO(data)
    with h5py.File(stream, "r+") as file:
        names: list[str] = []
        file.visititems(lambda name, entry: names.append(name))
        if rng.random() < 0.25:
            place = file[rng.choice(names)] if rng.random() < 0.6 else file
            if keys := sorted(place.attrs):
                _attribute(place, rng.choice(keys), rng)
                names = []
        if names:
            name = rng.choice(names)
            if isinstance(file[name], h5py.Group):
                if rng.random() < 0.3:
                    del file[name]
            else:
                _dataset(file, name, rng)
    return stream.getvalue()


def _attribute(place: h5py.Group, key: str, rng: random.Random) -> None:
    value = np.asarray(place.attrs[key])
    if value.dtype.kind in "UO":  # text of any length comes back as such
        value = np.asarray(str(value).encode())
    what = rng.randrange(4)
    if what == 0:
        del place.attrs[key]
    elif what == 1:
        place.attrs[key] = rng.choice((0, -1, 1 << 40, float("nan"), "x", np.zeros(3), b"[]"))
    else:
        changed = mutate(value.tobytes(), rng)
        if value.dtype.kind == "S":
            place.attrs[key] = np.bytes_(changed or b"x")
        else:
            size = value.dtype.itemsize * max(1, value.size)
            fresh = np.frombuffer(changed[:size].ljust(size, b"\0"), value.dtype)
            place.attrs[key] = fresh.reshape(value.shape) if value.size else value


def _dataset(file: h5py.File, name: str, rng: random.Random) -> None:
    values = file[name][()]
    attributes = dict(file[name].attrs)
    what = rng.randrange(8)
    if what == 0:
        del file[name]
        return
    if what == 1:
        fresh = values[: rng.randrange(len(values) + 1)] if values.ndim else values
    elif what == 2:
        fresh = np.concatenate([values, values[: rng.randrange(len(values) + 1)]])
    elif what == 3 and values.dtype.kind in "iuf":
        kind = rng.choice(("<f4", "<f8", "<i8", "<u1", ">i4", "<f2", "S4"))
        with np.errstate(all="ignore"):
            fresh = values.astype(kind)
    elif what == 4 and values.dtype.kind in "iuf" and values.size:
        fresh = values.copy()
        numbers = (0, 1, -1, 255, 1 << 31, 1 << 62, float("nan"), float("inf"))
        with np.errstate(all="ignore"):
            odd = np.array(rng.choice(numbers)).astype(values.dtype)
        fresh.reshape(-1)[rng.randrange(values.size)] = odd
    else:
        size = values.nbytes
        changed = mutate(values.tobytes(), rng)[:size].ljust(size, b"\0")
        fresh = np.frombuffer(changed, values.dtype).reshape(values.shape)
    del file[name]
    file[name] = fresh
    for key, value in attributes.items():
        file[name].attrs[key] = value


def _mat(data: bytes, rng: random.Random) -> bytes:
    """MATLAB 5: a deflated element is changed inside and deflated again with its length right."""
    elements, position = [], 128
    while position + 8 <= len(data):
        kind, length = struct.unpack("<II", data[position : position + 8])
        elements.append((kind, data[position + 8 : position + 8 + length]))
        position += 8 + length
    n = rng.randrange(len(elements))
    kind, body = elements[n]
    if kind == 15:
        body = zlib.compress(mutate(zlib.decompress(body), rng, 8), 1)
    else:
        body = mutate(body, rng)
    elements[n] = (kind, body)
    return data[:128] + b"".join(struct.pack("<II", k, len(b)) + b for k, b in elements)


def _pickle(data: bytes, rng: random.Random) -> bytes:
    """Operations are dropped, doubled, exchanged: each alone stays well formed."""
    starts = [at for _, _, at in pickletools.genops(data)] + [len(data)]
    ops = [data[a:b] for a, b in itertools.pairwise(starts)]
    for _ in range(rng.choice((1, 1, 2, 5))):
        n, other = rng.randrange(len(ops)), rng.randrange(len(ops))
        what = rng.randrange(5)
        if what == 0 and len(ops) > 1:
            del ops[n]
        elif what == 1:
            ops.insert(other, ops[n])
        elif what == 2:
            ops[n], ops[other] = ops[other], ops[n]
        elif what == 3:
            ops[n] = rng.choice(_OPERATIONS)
        else:
            ops[n] = ops[n][:1] + mutate(ops[n][1:], rng, 4) if len(ops[n]) > 1 else ops[n]
    return b"".join(ops)


_OPERATIONS = (
    b"cos\nsystem\n", b"cbuiltins\neval\n", b"cnumpy.core.multiarray\n_reconstruct\n", b"R", b"b",
    b"\x81", b"(", b"t", b"0", b"1", b"2", b"u", b"a", b"e", b"s", b"}", b"]", b".", b"h\xff",
    b"j\xff\xff\xff\x7f", b"r\xff\xff\xff\x7f", b"Q", b"Pabc\n", b"\x82\x01", b"iposix\nsystem\n",
    pickle.dumps(b"x" * 10, 2)[2:-1],
)  # fmt: skip


def _text(data: bytes, rng: random.Random) -> bytes:
    return mutate_text(data, rng)


_INSIDE: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "png": _png, "gzip": _gzip, "zip": _zip, "tar": _tar, "npy": _npy, "binvox": _binvox,
    "safetensors": _safetensors, "hdf5": _hdf5, "mat": _mat, "pickle": _pickle, "text": _text,
}  # fmt: skip
