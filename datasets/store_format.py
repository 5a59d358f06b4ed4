"""The HDF5 store, schema 1: names, picture coding and bit packing shared by reader and writer.

Layout of ``<root>/<id>.h5`` (N objects, K views of all objects together)::

    attributes                  schema, id, identity, info (JSON)
    excluded, failed            UTF-8 JSON: [id, reason] of what is not stored; failed = broken
    objects/id                  (N,) fixed-length bytes "synset/model"
    objects/synset              (N,) fixed-length bytes
    objects/source_to_object    (N,4,4) float64
    objects/identity            (N,32) uint8, sha256 of what the object is
    objects/parameters          UTF-8 JSON, concatenated;  objects/parameters_offset (N+1,)
    meshes/vertices, faces      concatenated float32 / int32; meshes/{vertices,faces}_offset (N+1,)
    voxels/<kind>/bits          (N, R^3/8) uint8, [x,y,z] in C order, lowest bit first
    renderings/<name>/view_offset      (N+1,) int64: views of object n are [n] .. [n+1]
    renderings/<name>/box              (K,4) uint16: top, left, height, width of the stored part
    renderings/<name>/byte_offset      (K+1,) int64 into pixels
    renderings/<name>/pixels           uint8; a view is one byte (0 plain, 1 differences), then a
                                       zlib stream of its box; a transparent view has no bytes
    renderings/<name>/world_to_camera  (K,4,4) float64; intrinsics (K,3,3); parameters (K,P)
    splits/<name>/<train|val|test>     int64 rows of objects, ascending

Every dataset is contiguous (no chunks, no HDF5 filter): one picture is one read of its own bytes.
Measured on two cores (tests/benchmarks/bench_store.py): a rendering cut to the box of its visible
pixels and deflated takes fewer bytes than its PNG and is read several times faster than Pillow
reads that. One HDF5 chunk a view needs more of both, 24 views a chunk cost 24 decodings a picture.
Dense pictures do not deflate well; where more than half is left, differences to the left and upper
neighbours are tried, and the shorter stream is kept.

RGB under alpha 0 is stored as 0: no published conversion of these renderings reads it (the alpha
test replaces it by a background colour), and it is what makes the box and the deflate work.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError

SCHEMA = 1
SPLITS = ("train", "val", "test")
_PLAIN, _DIFFERENCES = 0, 1
_LEVELS = (6, 4)  # measured: 9 saves 1 % and writes at a third of the speed; reading is the same

Array = npt.NDArray[Any]


def encode_picture(image: Array) -> tuple[tuple[int, int, int, int], bytes]:
    """Cut a straight-alpha RGBA picture to its visible box and deflate it.

    Args:
        image: (H, W, 4) uint8.

    Returns:
        Box (top, left, height, width) and the bytes that `decode_picture` takes. RGB is set to 0
        where alpha is 0. A fully transparent picture gives four zeros and b"".

    Raises:
        InputError: Another shape or type.

    Example:
        >>> picture = np.zeros((8, 8, 4), np.uint8)
        >>> picture[2:4, 3] = 255
        >>> box, data = encode_picture(picture)
        >>> box
        (2, 3, 2, 1)
        >>> bool((decode_picture(box, data, 8, 8) == picture).all())
        True
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 4:
        raise InputError(f"a picture is (H, W, 4) uint8, not {image.shape} {image.dtype}")
    visible = image[..., 3] > 0
    rows = np.flatnonzero(visible.any(axis=1))
    if rows.size == 0:
        return (0, 0, 0, 0), b""
    columns = np.flatnonzero(visible.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    part = image[top:bottom, left:right] * visible[top:bottom, left:right, None]
    box = (int(top), int(left), int(bottom - top), int(right - left))
    data = bytes([_PLAIN]) + zlib.compress(part.tobytes(), _LEVELS[0])
    if len(data) > part.size // 2:
        change = np.diff(part, axis=1, prepend=np.zeros_like(part[:, :1]))
        change = np.diff(change, axis=0, prepend=np.zeros_like(part[:1]))
        other = bytes([_DIFFERENCES]) + zlib.compress(change.tobytes(), _LEVELS[1])
        data = min(data, other, key=len)
    return box, data


def decode_picture(box: Iterable[int], data: bytes | memoryview, height: int, width: int) -> Array:
    """Undo `encode_picture`.

    Args:
        box: Top, left, height, width of the stored part.
        data: What `encode_picture` returned.
        height: Rows of the whole picture.
        width: Columns of the whole picture.

    Returns:
        (height, width, 4) uint8.

    Raises:
        InputError: The stream is broken or does not fill the box.
    """
    top, left, rows, columns = (int(value) for value in box)
    image = np.zeros((height, width, 4), np.uint8)
    size = rows * columns * 4
    if size == 0:
        return image
    if top + rows > height or left + columns > width:
        raise InputError(f"a stored box {top, left, rows, columns} leaves the picture")
    inflate = zlib.decompressobj()
    try:
        raw = inflate.decompress(data[1:], size + 1)  # never more, whatever the stream claims
    except zlib.error as error:
        raise InputError(f"a stored picture is damaged ({error})") from error
    if len(raw) != size or not inflate.eof or data[0] not in (_PLAIN, _DIFFERENCES):
        raise InputError(f"a stored picture does not fill its box of {size} bytes")
    part = np.frombuffer(raw, np.uint8).reshape(rows, columns, 4)
    if data[0] == _DIFFERENCES:
        part = np.cumsum(np.cumsum(part, axis=0, dtype=np.uint8), axis=1, dtype=np.uint8)
    image[top : top + rows, left : left + columns] = part
    return image


def pack_voxels(occupied: Array) -> Array:
    """(R,R,R) bool [x,y,z] to (ceil(R^3/8),) uint8, C order, lowest bit first."""
    if occupied.ndim != 3 or len(set(occupied.shape)) != 1 or occupied.dtype != np.bool_:
        raise InputError(f"voxels are (R, R, R) bool, not {occupied.shape} {occupied.dtype}")
    return np.packbits(occupied.reshape(-1), bitorder="little")


def unpack_voxels(bits: Array, resolution: int) -> Array:
    """Undo `pack_voxels`: (ceil(R^3/8),) uint8 to (R,R,R) bool."""
    flat = np.unpackbits(bits, count=resolution**3, bitorder="little")
    return flat.view(np.bool_).reshape(resolution, resolution, resolution)


def write_text(file: Any, name: str, text: str) -> None:
    """Store a text of any length as bytes (an attribute ends at 64 KiB)."""
    file[name] = np.frombuffer(text.encode("utf-8"), np.uint8)


def read_text(file: Any, name: str) -> str:
    """Undo `write_text`."""
    return bytes(file[name][()].tobytes()).decode("utf-8")


def read_attribute(file: Any, name: str) -> str:
    """A fixed-length text attribute (no variable-length strings are written)."""
    value = file.attrs[name]
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def dump(value: Any) -> str:
    """JSON text that is the same for equal values: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def split_hash(ids: Iterable[str]) -> str:
    """sha256 of the ids, one a line, in data-set order: the fingerprint of a split.

    Example:
        >>> split_hash(["03001627/a", "03001627/b"])[:12]
        '18689206c3a4'
    """
    return hashlib.sha256("".join(f"{name}\n" for name in ids).encode()).hexdigest()


def content_identity(columns: Mapping[str, Array], images: Mapping[str, Array]) -> bytes:
    """sha256 (32 bytes) of an object: its rows of the file and its pictures' pixels.

    The pixels are hashed, not their zlib streams, which may differ between versions of zlib.

    Args:
        columns: Dataset name to the object's rows; `pixels` and the byte counts are left out.
        images: Rendering name to (K, H, W, 4) uint8.
    """
    digest = hashlib.sha256()
    for name in sorted(images):
        for image in images[name]:
            digest.update((image * (image[..., 3:] > 0)).tobytes())
    for name in sorted(columns):
        if not name.endswith(("/pixels", "/view_bytes", "/identity")):
            rows = np.ascontiguousarray(columns[name])
            digest.update(f"{name} {rows.shape} {rows.dtype.str}\n".encode())
            digest.update(rows.tobytes())
    return digest.digest()


def store_identity(dataset: str, objects: Iterable[tuple[str, bytes]]) -> str:
    """sha256 of what a data set is: its id, and name and content hash of each object in order."""
    digest = hashlib.sha256(f"benchbench store {SCHEMA}\n{dataset}\n".encode())
    for name, content in objects:
        digest.update(f"{name} {bytes(content).hex()}\n".encode())
    return digest.hexdigest()


def check_splits(splits: Mapping[str, Mapping[str, Iterable[str]]], known: set[str]) -> None:
    """Refuse overlapping parts, unknown parts and unknown ids (a programming error of a set)."""
    for name, parts in splits.items():
        seen: set[str] = set()
        for part, ids in parts.items():
            if part not in SPLITS:
                raise InputError(f"split '{name}' has a part '{part}'; known: {', '.join(SPLITS)}")
            members = list(ids)
            chosen = set(members)
            if len(chosen) != len(members) or chosen & seen:
                raise InputError(f"split '{name}' lists an object twice")
            if not chosen <= known:
                raise InputError(f"split '{name}' lists '{sorted(chosen - known)[0]}', not stored")
            seen |= chosen
