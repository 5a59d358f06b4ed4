"""Small valid files of every kind."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from benchbench.baselines.kato.architecture import Widths


def grid(side: int = 32) -> np.ndarray:
    """An asymmetric bool grid."""
    cells = np.zeros((side,) * 3, bool)
    cells[side // 8 :, side // 4 : side // 2, side // 3 : side // 2] = True
    cells[: side // 2, : side // 4, -1] = True
    return cells


def png_files() -> list[bytes]:
    """RGBA, palette with transparency, grey, two levels, 16 bits."""
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (19, 23, 4), np.uint8)
    pictures: list[tuple[Image.Image, dict[str, Any]]] = [
        (Image.fromarray(rgba), {}),
        (Image.fromarray(rgba[..., :3]).quantize(16), {"transparency": 3}),
        (Image.fromarray(rgba[..., 0]), {}),
        (Image.fromarray(rgba[..., 0] > 99), {}),
        (Image.fromarray(rgba[..., :2].copy().view(np.uint16)[..., 0] >> 1), {}),
        (Image.fromarray(np.kron(rgba, np.ones((7, 7, 1), np.uint8))), {"optimize": True}),
    ]
    found = []
    for picture, options in pictures:
        stream = io.BytesIO()
        picture.save(stream, "PNG", **options)
        found.append(stream.getvalue())
    return [found[0], found[1], found[2], found[3], found[5]]


def npy_file(array: np.ndarray) -> bytes:
    """As `numpy.save` writes it."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def archive_files() -> dict[str, bytes | None]:
    """Members of an archive; None for a folder."""
    rng = np.random.default_rng(1)
    return {
        "Top": None,
        "Top/03001627/a/00.png": png_files()[0],
        "Top/03001627/a/numbers.npy": npy_file(np.arange(30.0)),
        "Top/03001627/b/text.txt": b"1 2 3\n" * 40,
        "Top/" + "long/" * 30 + "name.bin": rng.bytes(700),
        "empty.txt": b"",
    }


def tar_file(files: Mapping[str, bytes | None], packed: bool = False) -> bytes:
    """The same bytes for the same files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in files.items():
            item = tarfile.TarInfo(name)
            item.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            item.size = len(data or b"")
            tar.addfile(item, io.BytesIO(data or b""))
    whole = stream.getvalue()
    return gzip.compress(whole, 6, mtime=0) if packed else whole


def zip_file(files: Mapping[str, bytes | None]) -> bytes:
    """The same bytes for the same files; pictures and arrays are stored, the rest is deflated."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            item = zipfile.ZipInfo(name if data is not None else f"{name}/")
            stored = name.endswith((".png", ".jpg", ".npz"))
            item.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(item, data or b"")
    return stream.getvalue()


def mesh_files(kind: str) -> list[bytes]:
    """A tetrahedron as an OBJ, OFF or PLY file, plain and with what else such files hold."""
    corners = [(0, 0, 0), (1, 0, 0), (0, 1.5, 0), (0, 0, -2.25)]
    sides = [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]
    if kind == "off":
        head = f"OFF\n{len(corners)} {len(sides)} 6\n"
        lines = [" ".join(map(str, c)) for c in corners] + [
            f"3 {' '.join(map(str, s))}" for s in sides
        ]
        return [(head + "\n".join(lines) + "\n").encode()]
    if kind == "obj":
        lines = [f"v {' '.join(map(str, c))}" for c in corners]
        more = ["mtllib a.mtl", "g part", "vt 0 0", "vn 0 0 1", "usemtl red"]
        plain = [f"f {' '.join(str(n + 1) for n in s)}" for s in sides]
        fancy = [f"f {' '.join(f'{n + 1}/1/1' for n in s)}" for s in sides] + ["f -1 -2 -3 -4"]
        return ["\n".join([*lines, *plain, ""]).encode(),
                "\n".join([*lines, *more, *fancy, "# end", ""]).encode()]  # fmt: skip
    head = "ply\nformat {}\nelement vertex 4\nproperty float x\nproperty float y\n"
    head += "property float z\nelement face 4\nproperty list uchar int vertex_indices\nend_header\n"
    text = head.format("ascii 1.0")
    text += "".join(f"{x} {y} {z}\n" for x, y, z in corners)
    text += "".join(f"3 {a} {b} {c}\n" for a, b, c in sides)
    binary = head.format("binary_little_endian 1.0").encode()
    binary += np.array(corners, "<f4").tobytes()
    binary += b"".join(b"\x03" + np.array(s, "<i4").tobytes() for s in sides)
    return [text.encode(), binary]


def mat_file() -> list[bytes]:
    """Structs, cells, texts and numbers, deflated and not."""
    import scipy.io

    record = {
        "filename": "n02690373_16.JPEG",
        "size": np.array([[500.0, 375.0, 3.0]]),
        "objects": np.array(
            [({"a": 1.5},), (np.arange(4, dtype=np.uint8),)], dtype=[("bbox", object)]
        ),
        "words": np.array(["left", "right"], dtype=object),
        "flag": np.array([[True, False]]),
    }
    found = []
    for packed in (False, True):
        stream = io.BytesIO()
        scipy.io.savemat(stream, {"record": record, "n": np.arange(3)}, do_compression=packed)
        data = stream.getvalue()
        found.append(b"MATLAB 5.0 MAT-file".ljust(116) + data[116:])  # without the date
    return found


def pickle_files() -> list[bytes]:
    """Containers and arrays in the protocols that published sets use."""
    value = {
        "images": np.arange(60, dtype=np.uint8).reshape(3, 4, 5),
        "names": ["a", "b", None, True, -3, 2.5, 1 << 70],
        "more": (b"bytes", [np.float32(1.5), np.arange(3.0)], {}),
        "x" * 300: [],
    }
    return [pickle.dumps(value, protocol) for protocol in (0, 2, 4)]


def checkpoint_tensors() -> dict[str, np.ndarray]:
    """Kato's network with narrow layers."""
    widths = Widths((1, 2, 1), (2, 3), 2, (1, 2))
    rng = np.random.default_rng(2)
    return {
        key: rng.standard_normal(shape).astype(np.float32) for key, shape in widths.shapes().items()
    }
