"""GLB files of strangers, made harmless before a library reads them.

A glTF may name other files, ask for more numbers than it holds, show one mesh a million times, or
carry pictures that unpack to gigabytes. What is left here is geometry that lies within the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchbench.core.errors import InputError

_HEADER, _JSON, _BIN = 12, 0x4E4F534A, 0x004E4942
_KEPT = ("asset", "scene", "scenes", "nodes", "meshes", "accessors", "bufferViews", "buffers")
_ATTRIBUTE = "POSITION"
_MOST_NODES = 10_000
_MOST_CORNERS = 30_000_000


def plain_glb(path: Path, data: bytes) -> bytes:
    """The same file with triangles and their places only.

    Args:
        path: For messages.
        data: Its bytes.

    Raises:
        InputError: It is no GLB 2, names other files, claims what it does not hold, or its nodes
            are no trees of a sane size.
    """

    def broken(why: str) -> InputError:
        return InputError(f"'{path}' is no readable GLB file: {why}")

    if len(data) < _HEADER or data[:4] != b"glTF":
        raise broken("it does not begin with glTF")
    version, length = (int.from_bytes(data[k : k + 4], "little") for k in (4, 8))
    if version != 2 or length > len(data):
        raise broken(f"version {version}, {length} bytes claimed, {len(data)} there")
    chunks = _chunks(data[:length], broken)
    if not chunks or chunks[0][0] != _JSON:
        raise broken("its first chunk is no JSON")
    try:
        content = json.loads(chunks[0][1])
    except (ValueError, RecursionError) as error:
        raise broken(f"{type(error).__name__} in its JSON") from error
    if not isinstance(content, dict):
        raise broken("its JSON is no object")
    binary = next((body for kind, body in chunks[1:] if kind == _BIN), b"")
    try:
        kept = _geometry(content, len(binary), broken)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise broken(f"{type(error).__name__}: {error}"[:200]) from error
    return _packed(kept, binary)


def _chunks(data: bytes, broken: Any) -> list[tuple[int, bytes]]:
    found, place = [], _HEADER
    while place + 8 <= len(data):
        size, kind = (int.from_bytes(data[k : k + 4], "little") for k in (place, place + 4))
        if place + 8 + size > len(data):
            raise broken(f"a chunk of {size} bytes ends behind the file")
        found.append((kind, data[place + 8 : place + 8 + size]))
        place += 8 + size
    return found


def _geometry(content: dict[str, Any], size: int, broken: Any) -> dict[str, Any]:
    if content.get("extensionsRequired"):
        raise broken(f"it needs {', '.join(map(str, content['extensionsRequired']))[:100]}")
    kept = {key: content[key] for key in _KEPT if key in content}
    buffers = kept.get("buffers", [])
    if len(buffers) > 1 or any("uri" in buffer for buffer in buffers):
        raise broken("its numbers lie in another file")
    if any(int(buffer["byteLength"]) > size for buffer in buffers):
        raise broken("its buffer is longer than what it holds")
    for view in kept.get("bufferViews", []):
        start, length = int(view.get("byteOffset", 0)), int(view["byteLength"])
        if view.get("buffer", 0) != 0 or start < 0 or length < 0 or start + length > size:
            raise broken("a part of its buffer is not there")
    accessors, views = kept.get("accessors", []), kept.get("bufferViews", [])
    for accessor in accessors:
        place = accessor.get("bufferView")
        if not isinstance(place, int) or not 0 <= place < len(views) or "sparse" in accessor:
            raise broken("numbers that lie nowhere")
        count = int(accessor["count"])
        if count < 0 or count > int(views[place]["byteLength"]):
            raise broken(f"{count} elements in {views[place]['byteLength']} bytes")
    meshes = [_plain_mesh(mesh, accessors) for mesh in kept.get("meshes", [])]
    kept["meshes"] = [mesh for mesh, _ in meshes]
    kept["nodes"] = _plain_nodes(kept.get("nodes", []), [corners for _, corners in meshes], broken)
    return kept


def _plain_mesh(mesh: dict[str, Any], accessors: list[Any]) -> tuple[dict[str, Any], int]:
    """A mesh without materials and all attributes but positions, and how many numbers it has."""
    primitives, corners = [], 0
    for primitive in mesh["primitives"]:
        places = primitive["attributes"][_ATTRIBUTE]
        plain: dict[str, Any] = {"attributes": {_ATTRIBUTE: places}}
        plain |= {key: primitive[key] for key in ("indices", "mode") if key in primitive}
        for number in (places, plain.get("indices", places)):
            if not isinstance(number, int) or number < 0:
                raise IndexError(f"accessor {number}")
            corners += int(accessors[number]["count"])
        primitives.append(plain)
    return {"primitives": primitives}, corners


def _plain_nodes(nodes: list[Any], corners: list[int], broken: Any) -> list[dict[str, Any]]:
    """Nodes that are trees, and show no more than a sane number of corners in all."""
    if len(nodes) > _MOST_NODES:
        raise broken(f"{len(nodes)} nodes, more than {_MOST_NODES}")
    parents = [0] * len(nodes)
    shown, plain = 0, []
    for node in nodes:
        kept = {
            key: node[key]
            for key in ("matrix", "translation", "rotation", "scale", "children", "mesh")
            if key in node
        }
        for child in kept.get("children", []):
            if not isinstance(child, int) or not 0 <= child < len(nodes):
                raise broken(f"a node has the child {child!r}"[:100])
            parents[child] += 1
        if "mesh" in kept:
            if not isinstance(kept["mesh"], int) or not 0 <= kept["mesh"] < len(corners):
                raise broken(f"a node shows the mesh {kept['mesh']!r}"[:100])
            shown += corners[kept["mesh"]]
        plain.append(kept)
    if any(count > 1 for count in parents):
        raise broken("a node has two parents")
    reached, todo = 0, [n for n, count in enumerate(parents) if count == 0]
    while todo:  # with one parent each, what no root reaches runs in a circle
        reached += 1
        todo += plain[todo.pop()].get("children", [])
    if reached != len(nodes):
        raise broken("its nodes run in a circle")
    if shown > _MOST_CORNERS:
        raise broken(f"it shows {shown} corners, more than {_MOST_CORNERS}")
    return plain


def _packed(content: dict[str, Any], binary: bytes) -> bytes:
    text = json.dumps(content, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    body = binary + bytes(-len(binary) % 4)
    chunks = len(text).to_bytes(4, "little") + _JSON.to_bytes(4, "little") + text
    chunks += len(body).to_bytes(4, "little") + _BIN.to_bytes(4, "little") + body
    head = b"glTF" + (2).to_bytes(4, "little") + (_HEADER + len(chunks)).to_bytes(4, "little")
    return head + chunks
