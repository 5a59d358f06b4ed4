"""Cells of the original's evaluation: its meshes, its axes, and View Prior Learning's algorithm."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from benchbench.baselines.learn3d.sphere import sphere
from benchbench.cuda_ops import voxelize

FACES = torch.tensor(sphere(642)[1])
SHRINK = 31 / 32


def grids(name: str, arrays) -> dict[str, np.ndarray]:
    return {
        key: np.unpackbits(value.numpy(), axis=1).reshape(-1, 32, 32, 32).astype(bool)
        for key, value in arrays(name).items()
        if value.dtype == torch.uint8
    }


def cells(unit: Tensor) -> np.ndarray:
    return voxelize(unit, FACES, 32).numpy()


ORIENTED = {
    "cvpr18": lambda raw: raw.transpose(0, 2, 1, 3)[..., ::-1],
    "nips17": lambda raw: raw.transpose(0, 3, 2, 1)[:, ::-1],
    "pascal": lambda raw: raw.transpose(0, 1, 3, 2)[:, ::-1, ::-1, ::-1],
}


def differing(one: np.ndarray, other: np.ndarray) -> int:
    """Most differing cells of a grid."""
    return int((one != other).sum((1, 2, 3)).max())


@pytest.mark.parametrize(("name", "scale"), [("voxels", 1.0), ("voxels_inside", 0.8)])
def test_grids_of_the_evaluation(arrays, values, name: str, scale: float) -> None:
    d, vertices = grids(name, arrays), arrays("io_cvpr18")["vertices"] * scale
    raw = cells(vertices * SHRINK + 0.5)
    assert differing(raw, d["raw_learn3D"]) <= 2
    wanted = (values["voxels"] if scale == 1 else values["inside"])["count_learn3D_31_32"]
    assert np.abs(raw.sum((1, 2, 3)) - wanted).max() <= 2
    for form in ("cvpr18", "nips17"):
        assert differing(ORIENTED[form](raw), d[f"{form}_oriented"]) <= 2
    # Its other algorithm, triangles against boxes, marks the same but for cells on the border.
    assert differing(raw, d["vpl_same_faces"]) <= 4
    plain = cells(vertices + 0.5)
    other = d["vpl_nips17_faces_plus_half" if scale == 1 else "vpl_nips17_no_scaling"]
    assert differing(plain, other) <= 6
    if scale < 1:
        oriented = plain[..., ::-1]  # of View Prior Learning, whose frame is another
        assert differing(oriented, d["vpl_nips17_oriented"]) <= 6
        both, either = raw & other, raw | other
        iou = both.sum((1, 2, 3)) / either.sum((1, 2, 3))
        np.testing.assert_allclose(
            iou, values["inside"]["iou_learn3D_vs_VPL_no_scaling"], atol=1e-3
        )


def test_grids_of_pascal(arrays, values) -> None:
    d, vertices = grids("voxels", arrays), arrays("io_pascal")["vertices"]
    raw = cells((vertices + 1) / 2)
    assert differing(raw, d["pascal_raw"]) <= 2
    assert np.abs(raw.sum((1, 2, 3)) - values["voxels"]["pascal_count_learn3D"]).max() <= 2
    assert differing(ORIENTED["pascal"](raw), d["pascal_oriented"]) <= 2
    # The file of View Prior Learning's grids may be oriented or not: it is the same solid.
    assert (
        min(differing(ORIENTED["pascal"](raw), d["vpl_pascal"]), differing(raw, d["vpl_pascal"]))
        <= 2
    )


def test_spheres(values) -> None:
    unit = torch.tensor(sphere(642)[0])[None]
    wanted = values["voxels"]
    inside = cells(unit / 2 + 0.5).sum()
    assert abs(int(inside) - wanted["sphere_radius_0.5_count"]) <= 2
    scaled = cells(unit / 2 * SHRINK + 0.5).sum()
    assert abs(int(scaled) - wanted["sphere_radius_0.5x31/32_count"]) <= 2
    leaking = cells(unit * 0.7 + 0.5).sum()
    assert abs(int(leaking) - wanted["sphere_radius_0.7_outside_cube_count"]) <= 2


def test_axes_by_a_box(values) -> None:
    box = values["inside"]["box"]
    ends = torch.tensor(box["vertices_range"])
    corners = torch.cartesian_prod(*ends)[None]
    sides = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1),
             (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)]  # fmt: skip
    raw = voxelize(corners * SHRINK + 0.5, torch.tensor(sides), 32).numpy()
    assert raw.sum() == box["count"]
    pascal = voxelize((corners + 1) / 2, torch.tensor(sides), 32).numpy()
    for name, grid in (("cvpr18", raw), ("nips17", raw), ("pascal", pascal)):
        found = np.argwhere(ORIENTED[name](grid)[0])
        assert [found.min(0).tolist(), found.max(0).tolist()] == box[name], name
