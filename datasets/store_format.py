"""The HDF5 store, schema 2: names, bit packing and hashes shared by reader and writer.

Layout of ``<root>/<id>.h5`` (N objects, K views of all objects together)::

    attributes                  schema, id, identity, info (JSON)
    excluded, failed            UTF-8 JSON: [id, reason] of what is not stored; failed = broken
    objects/id                  (N,) fixed-length bytes "synset/model"
    objects/synset              (N,) fixed-length bytes
    objects/source_to_object    (N,4,4) float64
    objects/identity            (N,32) uint8, sha256 of what the object is
    objects/parameters          UTF-8 JSON, concatenated;  objects/parameters_offset (N+1,)
    objects/mesh                (N,) int64 row of the object's mesh; several may share one
    meshes/vertices, faces      concatenated float32 / int32; meshes/{vertices,faces}_offset (M+1,)
    voxels/<kind>/bits          (N, R^3/8) uint8, [x,y,z] in C order, lowest bit first
    arrays/<name>/values        rows of all objects, concatenated; arrays/<name>/offset (N+1,)
    renderings/<name>/view_offset      (N+1,) int64: views of object n are [n] .. [n+1]
    renderings/<name>/box              (K,4) uint16: top, left, height, width of the stored part
    renderings/<name>/byte_offset      (K+1,) int64 into pixels
    renderings/<name>/pixels           uint8; coded by `benchbench.datasets.picture_coding`
    renderings/<name>/world_to_camera  (K,4,4) float64; intrinsics (K,3,3); parameters (K,P)
    splits/<name>/<train|val|test>     int64 rows of objects, ascending

Every dataset is contiguous (no chunks, no HDF5 filter): one picture is one read of its own bytes.

A data set in several files: ``<root>/<id>.h5`` has the attributes, `excluded` and `failed` of the
whole, and ::

    parts                       UTF-8 JSON: [file name, objects, identity] of each part

Parts lie beside it, hold consecutive objects, and have the layout above, each whole by itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError

SCHEMA = 2
SPLITS = ("train", "val", "test")

Array = npt.NDArray[Any]


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
        images: Rendering name to the K pictures as a store gives them back.
    """
    digest = hashlib.sha256()
    for name in sorted(images):
        for image in images[name]:
            digest.update(np.ascontiguousarray(image).tobytes())
    for name in sorted(columns):
        absent = name == "objects/shared_mesh" and not len(columns[name])
        if not absent and not name.endswith(("/pixels", "/view_bytes", "/identity")):
            rows = np.ascontiguousarray(columns[name])
            digest.update(f"{name} {rows.shape} {rows.dtype.str}\n".encode())
            digest.update(rows.tobytes())
    return digest.digest()


def store_identity(dataset: str, objects: Iterable[tuple[str, bytes]]) -> str:
    """sha256 of what a data set is: its id, and name and content hash of each object in order."""
    digest = hashlib.sha256(f"benchbench store 1\n{dataset}\n".encode())  # not of the layout
    for name, content in objects:
        digest.update(f"{name} {bytes(content).hex()}\n".encode())
    return digest.hexdigest()


def part_name(dataset: str, number: int, count: int, identity: str) -> str:
    """File name of one of a data set's parts; other content never has the same name.

    Example:
        >>> part_name("toy", 1, 12, "1a2b3c4d5e6f")
        'toy-00001-of-00012-1a2b3c4d.h5'
    """
    return f"{dataset}-{number:05d}-of-{count:05d}-{identity[:8]}.h5"


def part_pattern(dataset: str) -> re.Pattern[str]:
    """What `part_name` gives."""
    return re.compile(rf"{re.escape(dataset)}-\d{{5}}-of-\d{{5}}-[0-9a-f]{{8}}\.h5", re.ASCII)


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
