"""`prepare pascal3d` on annotations and files that are broken or cannot be used."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image

from benchbench.core.errors import InputError, MissingError
from benchbench.datasets.pascal3d.annotations import Found, read_annotation
from benchbench.datasets.pascal3d.prepare import prepare
from benchbench.datasets.store import Store

QUIET: dict[str, Any] = {"quiet": True, "workers": 1}
CAR, CHAIR, BOAT = "02958343", "03001627", "02858304"
RELEASE = "PASCAL3D+_release1.1"


def edited(path: Path, change: Callable[[dict[str, Any], np.ndarray], Any]) -> None:
    """Rewrites an annotation: `change` gets the record and its second object (a struct row)."""
    record = scipy.io.loadmat(path)["record"]
    fields = {name: record[0, 0][name] for name in record.dtype.names}
    change(fields, fields["objects"][0, 1])
    scipy.io.savemat(path, {"record": fields})


def without(*names: str) -> Callable[[dict[str, Any], np.ndarray], Any]:
    def change(_: dict[str, Any], thing: Any) -> None:
        view = thing["viewpoint"][0, 0]
        thing["viewpoint"] = {n: view[n] for n in view.dtype.names if n not in names}

    return change


def setting(**values: float) -> Callable[[dict[str, Any], np.ndarray], Any]:
    def change(_: dict[str, Any], thing: Any) -> None:
        view = thing["viewpoint"][0, 0]
        thing["viewpoint"] = {n: view[n] for n in view.dtype.names} | values

    return change


def field(**values: Any) -> Callable[[dict[str, Any], np.ndarray], Any]:
    def change(_: dict[str, Any], thing: Any) -> None:
        for key, value in values.items():
            thing[key] = value

    return change


EXCLUDED = {
    "no viewpoint": (field(viewpoint=np.zeros((0, 0))), "no viewpoint is annotated"),
    "no angles": (without("azimuth", "azimuth_coarse"), "has no azimuth"),
    "distance 0": (setting(distance=0.0), "distance is 0"),
    "no distance": (without("distance"), "distance is 0"),
    "zeros": (setting(azimuth=0.0, elevation=0.0, theta=0.0), "taken as not annotated"),
}
FAILED = {
    "half a model": (field(cad_index=np.array([[1.5]])), "no whole number"),
    "not finite": (setting(px=np.nan), "px is not one finite number"),
    "no focal": (without("focal"), "has no focal"),
    "negative": (setting(distance=-3.0), "must be positive"),
    "short box": (field(bbox=np.array([[1.0, 2, 3]])), "bbox"),
    "absurd size": (lambda record, _: record.update(imgsize=np.array([[-1.0, 2]])), "imgsize"),
}


@pytest.mark.parametrize("what", [*EXCLUDED, *FAILED])
def test_annotations_that_cannot_be_used(raw: Path, tmp_path: Path, what: str) -> None:
    change, reason = {**EXCLUDED, **FAILED}[what]
    path = tmp_path / "a.mat"
    shutil.copy(raw / RELEASE / "Annotations/car_pascal/2008_000002.mat", path)
    found = Found()
    read_annotation(path.read_bytes(), "a.mat", CAR, "car", "pascal", "a", found)
    assert [one.id for one in found.instances] == [f"{CAR}/pascal-a-2"]
    edited(path, change)
    found = Found()
    read_annotation(path.read_bytes(), "a.mat", CAR, "car", "pascal", "a", found)
    assert found.instances == []
    noted, other = found.failed, found.excluded
    if what in EXCLUDED:
        noted, other = other, noted
    assert other == {}
    assert reason in noted[f"{CAR}/pascal-a" + ("" if what == "absurd size" else "-2")]


def test_skipped_and_broken_instances_are_counted(raw: Path, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "copy")
    folder = tmp_path / "copy" / RELEASE / "Annotations"
    edited(folder / "car_pascal/2008_000002.mat", field(cad_index=np.array([[4.0]])))
    edited(folder / "car_pascal/2008_000004.mat", field(bbox=np.array([[900.0, 1, 990, 40]])))
    edited(
        folder / f"car_imagenet/n{CAR}_1.mat",
        lambda record, _: record.update(imgsize=np.array([[640.0, 240, 3]])),
    )
    edited(folder / f"car_imagenet/n{CAR}_3.mat", setting(distance=0.0))
    report = prepare(tmp_path / "root", source=tmp_path / "copy", **QUIET)
    reasons = dict(report.failed)
    assert len(reasons) == 3
    assert "no such model of car" in reasons[f"{CAR}/pascal-2008_000002-2"]
    assert "outside its 320x240" in reasons[f"{CAR}/pascal-2008_000004-2"]
    assert "annotated for 640x240" in reasons[f"{CAR}/imagenet-n{CAR}_1-2"]
    assert [name for name, _ in report.excluded] == [f"{CAR}/imagenet-n{CAR}_3-2"]
    assert list(Store(report.path).info["skipped"].values()) == [1]
    assert report.counts["objects"] == 5


def test_readers_rules_for_missing_angles(raw: Path, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "copy")
    folder = tmp_path / "copy" / RELEASE / "Annotations/car_pascal"
    edited(folder / "2008_000002.mat", without("azimuth", "elevation"))
    edited(folder / "2008_000004.mat", without("theta"))
    store = Store(prepare(tmp_path / "root", source=tmp_path / "copy", **QUIET).path)
    coarse = store.camera(store.index_of(f"{CAR}/pascal-2008_000002-2"), 0).parameters
    notes = store.parameters(store.index_of(f"{CAR}/pascal-2008_000002-2")) or {}
    assert coarse["coarse"] == 1
    assert coarse["azimuth"] == notes["annotation"]["viewpoint"]["azimuth_coarse"]
    assert coarse["elevation"] == 0
    assert store.camera(store.index_of(f"{CAR}/pascal-2008_000004-2"), 0).parameters["theta"] == 0


def test_broken_files_are_named(raw: Path, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "copy")
    root = tmp_path / "copy" / RELEASE
    path = root / "Images/car_pascal/2008_000000.jpg"
    path.write_bytes(path.read_bytes()[:900])
    (root / "Images/car_pascal/2008_000002.jpg").unlink()
    path = root / "Annotations/car_pascal/2008_000004.mat"
    path.write_bytes(path.read_bytes()[:-40])
    voc = root / "PASCAL/VOCdevkit/VOC2012"
    Image.new("RGB", (320, 240), (1, 2, 3)).save(voc / "SegmentationObject/2008_000006.png")
    models = scipy.io.loadmat(root / "CAD/boat.mat")["boat"]
    models[0, 0]["faces"] = models[0, 0]["faces"] + 100
    scipy.io.savemat(root / "CAD/boat.mat", {"boat": models})
    (root / "CAD/chair.mat").write_bytes(b"x" * 400)
    report = prepare(tmp_path / "root", source=tmp_path / "copy", **QUIET)
    reasons = dict(report.failed)
    assert "damaged JPEG" in reasons[f"{CAR}/pascal-2008_000000-2"]
    assert "2008_000004.mat" in reasons[f"{CAR}/pascal-2008_000004"]
    assert "a vertex that it does not have" in reasons[f"{BOAT}/imagenet-n{BOAT}_8-2"]
    assert "CAD/chair.mat" in reasons[f"{CHAIR}/imagenet-n{CHAIR}_7-2"]
    assert len(reasons) == 5
    assert report.excluded == [(f"{CAR}/pascal-2008_000002-2", "has an annotation but no picture")]
    (root / "CAD/chair.mat").unlink()  # the .off is taken; then the segmentation's colours count
    report = prepare(tmp_path / "root2", source=tmp_path / "copy", **QUIET)
    assert "not those of VOC" in dict(report.failed)[f"{CHAIR}/pascal-2008_000006-2"]


def test_nothing_usable(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"PASCAL3D\+_release1\.1"):
        prepare(tmp_path / "root", source=tmp_path, **QUIET)
    (tmp_path / RELEASE).mkdir()
    with pytest.raises(InputError, match="no annotation of the 12 classes"):
        prepare(tmp_path / "root", source=tmp_path, **QUIET)


def test_as_typed(raw: Path, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "copy")
    edited(
        tmp_path / "copy" / RELEASE / "Annotations/car_pascal/2008_000002.mat",
        field(cad_index=np.array([[4.0]])),
    )
    words = ["prepare", "pascal3d", "--from", str(tmp_path / "copy"), "--root", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchbench", *words, "--json"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert json.loads(done.stdout)["prepared"][0]["counts"]["objects"] == 8
    assert f"{CAR}/pascal-2008_000002-2" in done.stdout
    assert "failed 1" in done.stderr
    assert "Traceback" not in done.stderr
