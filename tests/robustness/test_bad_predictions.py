"""Predictions that cannot be scored: named, penalised, exit 4; hostile ones never get far."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SPLIT = ("--dataset", "shapes13", "--split", "test", "--protocol", "bench-iou-v1", "--protocol",
         "bench-surface-v1")  # fmt: skip
CORNERS = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
OFF = "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 9\n"
PLY = """ply
format ascii 1.0
element vertex 3
property float x
property float y
property float z
element face 1
property list uchar int vertex_indices
end_header
0 0 0
1 0 0
0 1 0
3 0 1 -7
"""


def npy(array: np.ndarray) -> bytes:
    import io

    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=array.dtype.hasobject)
    return stream.getvalue()


CASES: dict[str, tuple[str, bytes, str]] = {
    "NaN in a vertex": ("obj", f"{CORNERS}v nan 0 0\nf 1 2 4\n".encode(), "nonfinite"),
    "infinity in a vertex": ("obj", f"{CORNERS}v inf 0 0\nf 1 2 4\n".encode(), "nonfinite"),
    "too large for 32 bits": ("obj", f"{CORNERS}v 1e300 0 0\nf 1 2 4\n".encode(), "nonfinite"),
    "no faces": ("obj", CORNERS.encode(), "empty"),
    "an empty file": ("obj", b"", "empty"),
    "an empty mesh": ("off", b"OFF\n0 0 0\n", "empty"),
    "face index beyond the vertices": ("obj", f"{CORNERS}f 1 2 9\n".encode(), "unreadable"),
    "face index beyond them, OFF": ("off", OFF.encode(), "unreadable"),
    "negative face index": ("ply", PLY.encode(), "unreadable"),
    "face index of 64 bits": ("off", OFF.replace("9", str(2**40)).encode(), "unreadable"),
    "more faces than bytes": ("off", b"OFF\n3 99999999 0\n0 0 0\n", "unreadable"),
    "binary rubbish": ("ply", b"ply\n" + bytes(range(256)), "unreadable"),
    "NaN in a grid": ("npy", npy(np.full((4, 4, 4), np.nan, np.float32)), "nonfinite"),
    "a grid beyond [0, 1]": ("npy", npy(np.full((4, 4, 4), 2, np.float32)), "invalid"),
    "a flat array": ("npy", npy(np.zeros(9, np.float32)), "unreadable"),
    "a pickle": ("npy", npy(np.array([{}], object)), "unreadable"),
    "an array cut off": ("npy", npy(np.zeros((8, 8, 8), np.float32))[:-9], "unreadable"),
}


@pytest.fixture(scope="module")
def others(tiny: Any, tiny_home: Path) -> dict[str, bytes]:
    """A right prediction of every test object, as .obj."""
    store = tiny.tiny_store(tiny_home)
    found = {}
    for row in store.indices("test").tolist():
        mesh = store.mesh(row)
        lines = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in mesh.vertices.tolist()]
        lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in mesh.faces.tolist()]
        found[store.object_ids[row]] = ("\n".join(lines) + "\n").encode()
    return found


def hand_in(folder: Path, others: dict[str, bytes]) -> None:
    for object_id, data in others.items():
        path = folder / f"{object_id}.obj"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_every_bad_prediction_is_named_and_penalised(
    bench: Any, tiny_home: Path, tmp_path: Path, others: dict[str, bytes]
) -> None:
    """Eleven right objects and one bad, for each kind of bad; the denominator stays twelve."""
    for number, (case, (suffix, data, status)) in enumerate(CASES.items()):
        folder = tmp_path / f"mine{number}"
        hand_in(folder, dict(list(others.items())[1:]))
        bad = next(iter(others))
        (folder / f"{bad}.{suffix}").write_bytes(data)
        done = bench("score", folder, *SPLIT, "--root", tiny_home, "--json")
        told = f"{case}: exit {done.exit_code}\n{done.stderr}"
        assert done.exit_code == 4, told
        assert f"1 items failed and got the penalty (1 {status})" in done.stderr, told
        assert f"{bad} view -1: " in done.stderr and "Traceback" not in done.stderr, told
        assert "NaN" not in done.stdout, told
        result = json.loads(done.stdout)["result"]
        iou = result["protocols"]["bench-iou-v1"]
        assert (iou["items"], iou["ok"], iou["failed"]) == (12, 11, {status: 1}), told
        assert iou["mean_over_objects"]["iou"] == pytest.approx(11 / 12), told
        surface = result["protocols"]["bench-surface-v1"]["per_class"]["02691156"]["metrics"]
        assert surface["chamfer"] > 10, told  # the penalty, not a hole


def test_all_predictions_bad_is_still_a_result(
    bench: Any, tiny_home: Path, tmp_path: Path, others: dict[str, bytes]
) -> None:
    hand_in(tmp_path / "mine", dict.fromkeys(others, CASES["NaN in a vertex"][1]))
    done = bench("score", "mine", *SPLIT, "--root", tiny_home)
    assert done.exit_code == 4
    assert "12 items failed and got the penalty (12 nonfinite)" in done.stderr
    assert "bench-iou-v1:iou  mean over classes 0.000" in done.stdout
    done = bench("report", "--metric", "iou")
    assert done.exit_code == 0 and "12 of 12" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("wrong", "status"),
    [("EMPTY", "empty"), ("NAN", "nonfinite"), ("FAR_INDEX", "invalid"), (None, "missing")],
)
def test_a_method_that_makes_them(
    bench: Any, tiny: Any, tiny_home: Path, monkeypatch: pytest.MonkeyPatch,
    wrong: str | None, status: str,
) -> None:  # fmt: skip
    tiny.register(monkeypatch)
    row = int(tiny.tiny_store(tiny_home).indices("test")[0])
    value = getattr(tiny, wrong) if wrong else None
    tiny.STUBS["stub"] = tiny.Stub(wrong={(row, 0): value})
    line = ("run", "--baseline", "stub", "--split", "test", "--views", "1", "--root", tiny_home)
    for _ in range(2):  # and it is remembered
        done = bench(*line, "--protocol", "bench-iou-v1")
        assert done.exit_code == 4, done.stderr
        assert f"1 items failed and got the penalty (1 {status})" in done.stderr
        assert "Traceback" not in done.stderr and "nan" not in done.stdout.lower()


def test_names_that_are_not_of_the_set(
    bench: Any, refused: Any, tiny_home: Path, tmp_path: Path, others: dict[str, bytes]
) -> None:
    hand_in(tmp_path / "mine", others)
    stray = tmp_path / "mine" / "02691156" / "tset0.obj"
    stray.write_bytes(b"")
    line = ("score", "mine", *SPLIT, "--root", tiny_home)
    assert "02691156/test0" in refused(bench(*line), 5, "no object '02691156/tset0'")
    stray.unlink()
    (tmp_path / "mine" / "02691156" / "test1").mkdir()
    (tmp_path / "mine" / "02691156" / "test1" / "99.obj").write_bytes(b"")
    refused(bench(*line), 5, "no view 99")
    (tmp_path / "mine" / "02691156" / "test1" / "99.obj").unlink()
    (tmp_path / "mine" / "02691156" / "test2.off").symlink_to("/etc/passwd")
    refused(bench(*line), 5, "test2.off")


@pytest.mark.parametrize(
    "content", [b"", b"not HDF5", b"\x89HDF\r\n\x1a\n" + bytes(200)], ids=["empty", "text", "magic"]
)
def test_a_file_that_is_no_predictions(
    bench: Any, refused: Any, tiny_home: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "mine.h5").write_bytes(content)
    done = bench("score", "mine.h5", *SPLIT, "--root", tiny_home)
    refused(done, 1, "'mine.h5' is damaged or no file of predictions")
