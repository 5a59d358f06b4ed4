"""Cameras against the originals' outputs and gradients, and against geometry by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchbench.core.errors import ShapeError, UsageError
from benchbench.cuda_ops.camera import (
    get_points_from_angles,
    look,
    look_at,
    perspective,
    projection,
)


@pytest.fixture(scope="module")
def cameras(data: Path) -> dict[str, np.ndarray]:
    with np.load(data / "nmr" / "cameras.npz") as archive:
        return dict(archive)


def compare(cameras: dict[str, np.ndarray], case: str, function, source: str, **fixed) -> None:  # type: ignore[no-untyped-def]
    """Output and every stored gradient of one case."""
    start = f"{case}__in_"
    inputs = {k.removeprefix(start): v for k, v in cameras.items() if k.startswith(start)}
    tensors = {k: torch.from_numpy(v).requires_grad_() for k, v in inputs.items()}
    tensors[source] = torch.from_numpy(cameras[source]).requires_grad_()
    arguments = {k: v for k, v in tensors.items() if k != source}
    out = function(tensors[source], **arguments, **fixed)
    np.testing.assert_allclose(
        out.detach().numpy(), cameras[f"{case}__out"], rtol=2e-5, atol=2e-5 * out.abs().max().item()
    )
    out.backward(torch.from_numpy(cameras["g"]))
    stored = [k for k in cameras if k.startswith(f"{case}__grad_")]
    assert stored
    for key in stored:
        expected = cameras[key]
        found = tensors[key.removeprefix(f"{case}__grad_")].grad
        assert found is not None
        assert np.abs(found.numpy() - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("case", ["look_at_eye1d", "look_at_eye2d", "look_at_at_up"])
def test_look_at_equals_the_original(cameras: dict[str, np.ndarray], case: str) -> None:
    compare(cameras, case, look_at, "vertices")


@pytest.mark.parametrize("case", ["look_default_dir010", "look_eye2d"])
def test_look_equals_the_original(cameras: dict[str, np.ndarray], case: str) -> None:
    compare(cameras, case, look, "vertices", direction=[0.3, 0.1, 1.0])


@pytest.mark.parametrize(("case", "angle"), [("perspective30", 30.0), ("perspective17_5", 17.5)])
def test_perspective_equals_the_original(
    cameras: dict[str, np.ndarray], case: str, angle: float
) -> None:
    compare(cameras, case, perspective, "vertices_z", angle=angle)


@pytest.mark.parametrize(("case", "size"), [("projection", 640), ("projection_bcast1", 256)])
def test_projection_equals_the_original(
    cameras: dict[str, np.ndarray], case: str, size: int
) -> None:
    compare(cameras, case, projection, "vertices_z", orig_size=size)


def test_angles_equal_the_original(data: Path) -> None:
    with np.load(data / "nmr" / "angles.npz") as archive:
        distance, elevation, azimuth = (archive[k] for k in ("distance", "elevation", "azimuth"))
        single = [
            get_points_from_angles(float(d), float(e), float(a))
            for d, e, a in zip(distance, elevation, azimuth, strict=True)
        ]
        np.testing.assert_allclose(single, archive["scalar_deg_out"], rtol=1e-5, atol=1e-6)
        tensors = [torch.from_numpy(values) for values in (distance, elevation, azimuth)]
        found = get_points_from_angles(*tensors)
        np.testing.assert_allclose(found.numpy(), archive["tensor_deg_out"], rtol=1e-5, atol=1e-6)
        found = get_points_from_angles(tensors[0], tensors[1] / 50, tensors[2] / 50, degrees=False)
        expected = archive["tensor_rad_out_of_el_over50_az_over50"]
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_katos_views(data: Path) -> None:
    with np.load(data / "nmr" / "kato_camera.npz") as archive:
        eyes = [get_points_from_angles(2.732, 30.0, -15.0 * k) for k in range(24)]
        np.testing.assert_allclose(eyes, archive["camera/eyes_view0to23"], atol=1e-6)
        # The rows of the rotation are where the axes' unit vectors go, less the eye's place.
        ends = torch.cat((torch.zeros(1, 3), torch.eye(3))).expand(24, -1, -1)
        seen = look_at(ends, torch.tensor(eyes), variant="chainer")
        rotation = (seen[:, 1:] - seen[:, :1]).transpose(1, 2)
        expected = archive["camera/rotation_rows_view0to23"]
        np.testing.assert_allclose(rotation.numpy(), expected, atol=1e-6)


def test_katos_projected_vertices(shared: Path) -> None:
    folder = shared / "oracles" / "kato"
    with np.load(folder / "misc.npz") as misc, np.load(folder / "forward_full.npz") as forward:
        vertices = torch.from_numpy(forward["vertices"])
        for view in (0, 3, 7, 17):
            eye = misc["camera/eyes_view0to23"][view]
            seen = look_at(vertices, torch.from_numpy(eye), variant="chainer")
            assert np.abs(seen.numpy() - misc[f"camera/look_at_view{view:02}"]).max() < 1e-6
            flat = perspective(seen, 15.0, variant="chainer")
            assert np.abs(flat.numpy() - misc[f"camera/perspective_view{view:02}"]).max() < 1e-6


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
def test_every_batch_size_is_the_same_camera(batch: int) -> None:
    """The original shows nothing at batch 3."""
    generator = torch.Generator().manual_seed(0)
    vertices = torch.randn(batch, 5, 3, generator=generator)
    eyes = torch.randn(batch, 3, generator=generator) + torch.tensor([0, 0, -4.0])
    ups = torch.randn(batch, 3, generator=generator)
    together = look_at(vertices, eyes, up=ups)
    for b in range(batch):
        alone = look_at(vertices[b : b + 1], eyes[b], up=ups[b])
        assert torch.allclose(together[b : b + 1], alone, atol=1e-6)
    # A rotation: lengths from the eye stay.
    lengths = (vertices - eyes[:, None]).norm(dim=-1)
    assert torch.allclose(together.norm(dim=-1), lengths, rtol=1e-5)


def test_where_things_are_by_hand() -> None:
    # From (2, 0, 0) towards the origin: forward is -x, up is y, right = up x forward = +z.
    points = torch.tensor([[[0.0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]]])
    expected = torch.tensor([[[0.0, 0, 2], [1, 0, 2], [0, 1, 2], [0, 0, 1]]])
    assert torch.allclose(look_at(points, (2.0, 0, 0)), expected)
    assert torch.allclose(look(points, (2.0, 0, 0), (-5.0, 0, 0)), expected)
    flat = perspective(expected, math.degrees(math.atan(0.5)))
    assert torch.allclose(flat, torch.tensor([[[0.0, 0, 2], [1, 0, 2], [0, 1, 2], [0, 0, 1]]]))


def test_the_variants_differ_where_they_should() -> None:
    points = torch.tensor([[[0.3, 0.4, 0.5]]], dtype=torch.float64)
    pytorch = look_at(points, (0.0, 0, -2))
    chainer = look_at(points, (0.0, 0, -2), variant="chainer")
    # Chainer's unit vectors are 1e-5 / length short: the length is 2 for z, about 1 for x and y.
    ratio = (chainer / pytorch)[0, 0]
    expected = torch.tensor([1e-5, 1e-5, 0.5e-5]).double()
    assert torch.allclose(1 - ratio, expected, rtol=1e-3)
    narrow = perspective(pytorch, 30.0)[0, 0, 0] / perspective(pytorch, 30.0, "chainer")[0, 0, 0]
    assert float(narrow) == pytest.approx(math.tan(3.1416 / 6) / math.tan(math.pi / 6))


def test_looking_along_up_collapses_without_a_crash() -> None:
    vertices = torch.randn(2, 4, 3, requires_grad=True)
    for variant in ("pytorch", "chainer"):
        seen = look_at(vertices, (0.0, 3.0, 0.0), variant=variant)  # type: ignore[arg-type]
        assert seen[..., :2].abs().sum() == 0
        seen.sum().backward()
        assert vertices.grad is not None
        assert torch.isfinite(vertices.grad).all()


def calibrated(batch: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    angle = torch.linalg.qr(torch.randn(batch, 3, 3, generator=generator).double())[0]
    focal = torch.tensor([[500.0, 3, 320], [0, 480, 240], [0, 0, 1]]).double()
    return {
        "K": focal.expand(batch, 3, 3).clone(),
        "R": angle,
        "t": torch.tensor([[[0.1, -0.2, 4.0]]]).double().expand(batch, 1, 3).clone(),
        "dist_coeffs": 0.05 * torch.randn(batch, 5, generator=generator).double(),
    }


def test_gradients_are_derivatives() -> None:
    vertices = torch.rand(3, 4, 3, dtype=torch.float64) - 0.5
    vertices.requires_grad_()
    eye = torch.tensor([1.0, 0.7, -3.0], dtype=torch.float64, requires_grad=True)
    camera = {k: v.requires_grad_() for k, v in calibrated(3).items()}
    assert torch.autograd.gradcheck(lambda v, e: perspective(look_at(v, e)), (vertices, eye))
    assert torch.autograd.gradcheck(
        lambda v, *c: projection(v, *c, orig_size=640), (vertices, *camera.values())
    )


def test_projection_by_hand_and_on_the_axis() -> None:
    camera = calibrated(1)
    camera |= {"R": torch.eye(3).double()[None], "t": torch.zeros(1, 1, 3).double()}
    camera["dist_coeffs"] = torch.tensor([[0.1, 0, 0, 0, 0]]).double()
    # x' = 0.5, y' = 0; radial = 1 + 0.1 * 0.25; u = 500 * 0.5125 + 320; v = 240,
    # counted from below.
    vertex = torch.tensor([[[1.0, 0, 2], [0, 0, 2]]]).double().requires_grad_()
    seen = projection(vertex, **camera, orig_size=640)
    expected = [2 * (500 * 0.5125 + 320 - 320) / 640, 2 * (640 - 240 - 320) / 640, 2.0]
    assert seen[0, 0].tolist() == pytest.approx(expected, abs=1e-7)
    seen.sum().backward()
    assert vertex.grad is not None
    assert torch.isfinite(vertex.grad).all()


def test_a_calibrated_camera_comes_as_arrays_or_tensors_of_any_type() -> None:
    vertices = torch.rand(2, 4, 3, generator=torch.Generator().manual_seed(3))
    camera = calibrated(2)
    expected = projection(vertices, *(one.float() for one in camera.values()), orig_size=640)
    arrays = [one.numpy() for one in camera.values()]
    assert torch.equal(projection(vertices, *arrays, orig_size=640), expected)
    assert torch.equal(projection(vertices, *camera.values(), orig_size=640), expected)
    camera["t"] = camera["t"][:, 0]
    assert torch.equal(projection(vertices, *camera.values(), orig_size=640), expected)
    # Twice as wide a picture, the centre moved along: the same place from the centre.
    wide = calibrated(2)
    wide["K"][:, 0, 2] += 320
    seen = projection(vertices, *wide.values(), orig_size=(640, 1280))
    assert torch.allclose(seen[..., 0] * 2, expected[..., 0], atol=1e-5)
    assert torch.equal(seen[..., 1:], expected[..., 1:])


@pytest.mark.parametrize(
    ("part", "shape"),
    [("K", (3, 3)), ("K", (3, 3, 3)), ("R", (2, 3, 4)), ("t", (2, 3, 1)), ("t", (3,)),
     ("dist_coeffs", (5,)), ("dist_coeffs", (2, 8))],
)  # fmt: skip
def test_a_calibrated_camera_is_refused_by_its_part(part: str, shape: tuple[int, ...]) -> None:
    camera = {**calibrated(2), part: torch.zeros(shape)}
    with pytest.raises(
        ShapeError, match=rf"projection: {part} must be \(2, .*\) or \(1, "
    ) as error:
        projection(torch.zeros(2, 4, 3), **camera, orig_size=640)
    assert error.value.argument == part


def test_look_looks_along_z_with_y_up_by_default() -> None:
    """The port's default direction is parallel to its own `up`: it shows nothing."""
    points = torch.tensor([[[0.3, 0.4, 0.5]]])
    seen = torch.tensor([[[0.3, 0.4, 2.5]]])
    assert torch.allclose(look(points, (0.0, 0, -2)), seen)
    assert torch.allclose(look(points, np.array([0, 0, -2])), seen)
    assert torch.allclose(look(points, [0, 0, -2], up=None), seen)
    assert torch.allclose(look(points, [0, 0, -2], up=[0, 2, 1]), seen)
    turned = look(points, (0, 0, -2), up=torch.tensor([[1.0, 0, 0]]))
    assert torch.allclose(turned, torch.tensor([[[-0.4, 0.3, 2.5]]]))


def test_refuses_by_name() -> None:
    vertices = torch.zeros(2, 4, 3)
    with pytest.raises(ShapeError, match=r"look_at: eye must be \(3,\) or \(2, 3\)"):
        look_at(vertices, torch.zeros(3, 3))
    with pytest.raises(ShapeError, match="perspective: vertices"):
        perspective(torch.zeros(4, 3))
    with pytest.raises(UsageError, match="'torch'"):
        perspective(vertices, variant="torch")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="elevation and azimuth"):
        get_points_from_angles(torch.ones(2), 3.0, 4.0)
