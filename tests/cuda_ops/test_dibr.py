"""DIB-R's renderer: by hand, by the plain twin, by differences, and on broken input."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
import torch
from torch import Tensor

from benchbench.core.errors import ShapeError, UsageError
from benchbench.cuda_ops import dibr, dibr_ops, library

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_CUDA)]
VERSIONS = ["head", "0.9.0"]
NAN, INF = float("nan"), float("inf")


def triangle(*corners: tuple[float, float], z: float = -2.0) -> tuple[Tensor, Tensor]:
    """z (1, 1, 3) and xy (1, 1, 3, 2)."""
    return torch.full((1, 1, 3), z), torch.tensor([[corners]], dtype=torch.float32)


def soup(kind: int, batch: int = 2, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Random faces: ordinary, far larger than the picture, degenerate, not a number."""
    rng = np.random.default_rng(kind)
    count = int(rng.integers(1, 25))
    xy = rng.uniform(-1.2, 1.2, (batch, count, 1, 2)) + rng.uniform(-0.5, 0.5, (batch, count, 3, 2))
    z = rng.uniform(-3, -1, (batch, count, 3))
    if kind % 4 == 1:
        xy *= 20
    if kind % 4 == 2:
        xy[:, ::3, 1] = xy[:, ::3, 0]
        xy[:, 1::3] = np.round(xy[:, 1::3] * 4) / 4
    if kind % 4 == 3:
        xy[:, 0, 0, 0], xy[:, -1, 1, 1], z[:, count // 2, 2] = NAN, INF, NAN
    scene = {
        "z": z, "xy": xy, "features": rng.uniform(size=(batch, count, 3, 1 + kind % 5)),
        "normals": np.where(rng.uniform(size=(batch, count)) < 0.2, -1.0, 0.5),
    }  # fmt: skip
    return {key: torch.from_numpy(value).to(dtype) for key, value in scene.items()}


def render(scene: dict[str, Tensor], height: int, width: int, **options: object):  # type: ignore[no-untyped-def]
    """Features, soft mask, index, and the gradients of random upstreams: xy, xy, features."""
    xy = scene["xy"].clone().requires_grad_()
    features = scene["features"].clone().requires_grad_()
    picture, mask, index = dibr.dibr_rasterization(
        height, width, scene["z"], xy, features, scene["normals"], **options
    )
    generator = torch.Generator().manual_seed(0)
    upstream = torch.randn(picture.shape, generator=generator).to(picture)
    other = torch.randn(mask.shape, generator=generator).to(mask)
    by_colour = torch.autograd.grad(picture, (xy, features), upstream)
    (by_mask,) = torch.autograd.grad(mask, xy, other)
    return picture.detach(), mask.detach(), index, by_colour[0], by_mask, by_colour[1]


def near(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    """Largest difference, relative to the largest value expected (at least 1e-3)."""
    scale = expected.abs().max().clamp_min(1e-3) if expected.numel() else 1
    return bool(((found - expected).abs() <= tolerance * scale).all())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("version", VERSIONS)
def test_foreground_by_hand(device: str, version: str) -> None:
    # Pixel centres at -0.75, -0.25, 0.25, 0.75. One triangle fills the lower left half; a nearer
    # one covers the pixel at (-0.75, -0.75) only; one behind both is never seen.
    big = [(-1.0, -1.0), (1.1, -1.0), (-1.0, 1.1)]
    small = [(-1.0, -1.0), (-0.4, -1.0), (-1.0, -0.4)]
    xy = torch.tensor([[big, small, big]], device=device)
    z = torch.tensor([[[-2.0] * 3, [-1.0] * 3, [-3.0] * 3]], device=device)
    colours = torch.tensor([1.0, 5.0, 9.0], device=device)[None, :, None, None].expand(1, 3, 3, 2)
    picture, index = dibr.rasterize(4, 4, z, xy, colours, version=version)
    assert index.dtype == torch.int64
    assert index[0].tolist() == [[0, -1, -1, -1], [0, 0, -1, -1], [0, 0, 0, -1], [1, 0, 0, 0]]
    expected = torch.tensor([0.0, 1.0, 5.0], device=device)[index + 1]
    assert torch.allclose(picture, expected[..., None].expand(-1, -1, -1, 2))
    hidden = torch.tensor([[False, True, True]], device=device)
    _, index = dibr.rasterize(4, 4, z, xy, colours, hidden, version=version)
    assert index.unique().tolist() == [-1, 1, 2]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("version", VERSIONS)
def test_soft_mask_by_hand(device: str, version: str) -> None:
    # A wall whose right side is x = 0: pixels at 0.25 and 0.75 are that far from it, but the
    # second one is outside the box that is enlarged by 0.5.
    z, xy = triangle((-9, -9), (0, -9), (0, 9))
    leaf = xy.to(device).requires_grad_()
    _, mask, index = dibr.dibr_rasterization(
        4, 4, z.to(device), leaf, torch.ones(1, 1, 3, 1, device=device),
        torch.ones(1, 1, 1, device=device), sigmainv=10.0, boxlen=0.5, version=version,
    )  # fmt: skip
    assert index[0].tolist() == [[0, 0, -1, -1]] * 4
    p = float(np.exp(-10 * 0.25**2))
    assert np.allclose(mask[0, :, 2].tolist(), p)
    assert mask[0, :, 3].tolist() == [0, 0, 0, 0]
    # Row y = 0.75 of column x = 0.25: moving the side right by v moves the corners that hold it.
    (gradient,) = torch.autograd.grad(mask[0, 0, 2], leaf)
    along = (0.75 + 9) / 18
    slope = 20 * 0.25 * p
    expected = torch.tensor([[0, 0], [slope * (1 - along), 0], [slope * along, 0]])
    assert torch.allclose(gradient[0, 0].cpu(), expected, rtol=1e-4, atol=1e-5)


def test_only_the_first_knum_faces_count() -> None:
    _, one = triangle((-9, -9), (0, -9), (0, 9))
    _, two = triangle((-9, -9), (0.1, -9), (0.1, 9))
    xy, nothing = torch.cat((one, two, one), 1), torch.full((1, 4, 4), -1)
    p = [float(np.exp(-10 * d**2)) for d in (0.25, 0.15)]
    for knum, expected in ((1, p[0]), (2, 1 - (1 - p[0]) * (1 - p[1]))):
        leaf = xy.clone().requires_grad_()
        mask = dibr.dibr_soft_mask(leaf, nothing, sigmainv=10.0, boxlen=0.5, knum=knum)
        assert np.allclose(mask.detach()[0, :, 2], expected)
        (gradient,) = torch.autograd.grad(mask.sum(), leaf)
        assert (gradient.abs().sum((0, 2, 3)) > 0).tolist() == [k < knum for k in range(3)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", range(16))
def test_equals_the_twin(kind: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    if not library.available("cpu"):
        pytest.skip("no compiled kernels")
    scene = soup(kind, dtype=dtype)
    options = {
        "sigmainv": 70.0 if kind % 3 else 7000.0, "boxlen": (0.02, 0.2, 0.0)[kind % 3],
        "knum": 1 + kind % 5, "version": VERSIONS[kind // 2 % 2],
        "multiplier": (None, 1.0, 100.0)[kind % 3],
    }  # fmt: skip
    size = 5 + kind, 20 - kind
    found = render(scene, *size, **options)
    monkeypatch.setattr(library, "available", lambda device: False)
    expected = render(scene, *size, **options)
    assert torch.equal(found[2], expected[2])
    tolerance = 1e-4 if dtype == torch.float32 else 1e-5
    if kind % 4 == 2:
        # Two edges of such a face are one line; rounding decides whose corners are pulled.
        found, expected = ((*r[:4], r[4].sum(2), r[5]) for r in (found, expected))
    for mine, twin in zip(found, expected, strict=True):
        assert torch.isfinite(mine).all()
        assert near(mine, twin, tolerance)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", [0, 4, 8])
def test_gradients_are_derivatives(kind: int, version: str) -> None:
    scene = soup(kind, batch=1, dtype=torch.float64)
    scene = {key: value[:, :6] for key, value in scene.items()}

    def colours(xy: Tensor, features: Tensor) -> Tensor:
        return dibr.rasterize(9, 7, scene["z"], xy, features, version=version)[0]

    def mask(xy: Tensor) -> Tensor:
        nothing = torch.full((1, 9, 7), -1)
        return dibr.dibr_soft_mask(xy, nothing, 70.0, 0.3, 3, version=version)

    xy, features = scene["xy"].requires_grad_(), scene["features"].requires_grad_()
    # The weights are exact to eps; damping may move a gradient by 1e-8 over the area.
    assert torch.autograd.gradcheck(colours, (xy, features), eps=1e-7, atol=1e-4, rtol=1e-4)
    assert torch.autograd.gradcheck(mask, (xy,), eps=1e-7, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "corners",
    [
        [(-0.75, -0.75), (-0.25, -0.25), (0.75, 0.75)],  # through pixel centres
        [(0.25, 0.25), (0.25, 0.25), (0.25, 0.25)],
        [(0.25, -0.75), (0.25, 0.25), (0.25, 0.75)],
        [(0.0, 0.0), (0.0, 0.0), (0.3, 0.3)],
        [(-0.3, -0.1), (0.0, 0.0), (0.3, 0.1)],  # no area but for rounding
    ],
)
def test_a_face_without_area_poisons_nothing(
    corners: list[tuple[float, float]], version: str, device: str
) -> None:
    z, xy = triangle(*corners, z=-1.0)
    behind_z, behind = triangle((-1, -1), (1, -1), (-1, 1))
    scene = {
        "z": torch.cat((z, behind_z), 1), "xy": torch.cat((xy, behind), 1),
        "features": torch.rand(1, 2, 3, 2), "normals": torch.ones(1, 2),
    }  # fmt: skip
    alone = {key: value[:, 1:].to(device) for key, value in scene.items()}
    both = {key: value.to(device) for key, value in scene.items()}
    found = render(both, 4, 4, version=version)
    expected = render(alone, 4, 4, version=version)
    assert torch.equal(found[0], expected[0])
    assert (found[2] != 0).all()
    assert torch.equal(found[3][:, 1:], expected[3])
    assert torch.equal(found[5][:, 1:], expected[5])
    assert found[3][:, 0].abs().sum() == found[5][:, 0].abs().sum() == 0
    # It takes part in the soft mask as the line or point it is, within bounds.
    assert torch.isfinite(found[4]).all()
    assert ((found[1] >= expected[1]) & (found[1] <= 1)).all()
    assert found[4].abs().max() < 1e3


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("where", "bad"),
    # 1e38 is finite until it is multiplied; as a depth it would simply be near.
    [*(("xy", bad) for bad in (NAN, INF, -INF, 1e38)), *(("z", bad) for bad in (NAN, INF, -INF))],
)
def test_not_a_number_stays_in_its_face(where: str, bad: float, version: str) -> None:
    good = soup(0, batch=1)
    spoiled = {key: value[:, :1].clone() for key, value in good.items()}
    spoiled[where][0, 0, 1] = bad
    spoiled["normals"][:] = 1
    first = {key: torch.cat((spoiled[key], value), 1) for key, value in good.items()}
    found, expected = render(first, 16, 12, version=version), render(good, 16, 12, version=version)
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[2], torch.where(expected[2] < 0, -1, expected[2] + 1))
    if where == "xy":
        assert torch.equal(found[1], expected[1])
        assert torch.equal(found[4][:, 1:], expected[4])
        assert found[4][:, 0].abs().sum() == 0
    assert torch.equal(found[3][:, 1:], expected[3])
    assert found[3][:, 0].abs().sum() == found[5][:, 0].abs().sum() == 0


def test_features_that_are_not_numbers_stay_in_their_pixels() -> None:
    scene = soup(0)
    expected = render(scene, 16, 12)
    scene["features"][0, 0] = NAN
    found = render(scene, 16, 12)
    hit = torch.isnan(found[0]).any(-1)
    assert torch.equal(hit[0], expected[2][0] == 0)
    assert torch.equal(found[0][~hit], expected[0][~hit])
    assert torch.equal(found[3][:, 1:], expected[3][:, 1:])


@pytest.mark.parametrize("device", DEVICES)
def test_no_faces_give_background(device: str) -> None:
    scene = {
        "z": torch.zeros(2, 0, 3), "xy": torch.zeros(2, 0, 3, 2),
        "features": torch.zeros(2, 0, 3, 4), "normals": torch.zeros(2, 0),
    }  # fmt: skip
    found = render({key: value.to(device) for key, value in scene.items()}, 5, 3)
    assert found[0].shape == (2, 5, 3, 4)
    assert found[0].abs().sum() == 0
    assert found[1].tolist() == torch.zeros(2, 5, 3).tolist()
    assert (found[2] == -1).all()
    assert found[3].shape == (2, 0, 3, 2)


def test_faces_behind_the_camera_are_drawn_unless_left_out() -> None:
    z, xy = triangle((-1, -1), (1, -1), (-1, 1), z=1.0)
    both_z, both = torch.cat((triangle(*xy[0, 0].tolist())[0], z), 1), torch.cat((xy, xy), 1)
    features = torch.ones(1, 2, 3, 1)
    assert dibr.rasterize(2, 2, both_z, both, features)[1].max() == 1
    ahead = (both_z < 0).all(-1)
    assert dibr.rasterize(2, 2, both_z, both, features, ahead)[1].max() == 0


@pytest.mark.parametrize("device", DEVICES)
def test_equal_depth_keeps_the_lowest_index(device: str) -> None:
    z, xy = triangle((-1, -1), (1, -1), (-1, 1))
    many = 700  # more than a block of the CUDA kernel takes at once
    _, index = dibr.rasterize(
        4, 4, z.expand(1, many, 3).to(device), xy.expand(1, many, 3, 2).to(device),
        torch.ones(1, many, 3, 1, device=device),
    )  # fmt: skip
    assert index.unique().tolist() == [-1, 0]


def test_a_list_of_features_gives_a_tuple() -> None:
    scene = soup(0)
    parts = [torch.rand(*scene["xy"].shape[:3], d) for d in (3, 1, 2)]
    drawn, index = dibr.rasterize(8, 9, scene["z"], scene["xy"], parts)
    whole, _ = dibr.rasterize(8, 9, scene["z"], scene["xy"], torch.cat(parts, -1))
    assert isinstance(drawn, tuple)
    assert [part.shape for part in drawn] == [(2, 8, 9, d) for d in (3, 1, 2)]
    assert torch.equal(torch.cat(drawn, -1), whole)
    assert index.shape == (2, 8, 9)


def test_inputs_need_not_be_contiguous() -> None:
    scene = soup(0)
    strided = {key: torch.stack((value, value), -1)[..., 0] for key, value in scene.items()}
    assert not strided["xy"].is_contiguous()
    for mine, other in zip(render(strided, 8, 9), render(scene, 8, 9), strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("version", VERSIONS)
def test_threads_and_batches_do_not_change_a_bit(version: str) -> None:
    before = torch.get_num_threads()
    scene = soup(0, batch=3)
    try:
        torch.set_num_threads(1)
        expected = render(scene, 31, 33, version=version)
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            for mine, other in zip(render(scene, 31, 33, version=version), expected, strict=True):
                assert torch.equal(mine, other)
            one = {key: value[:1] for key, value in scene.items()}
            drawn = render(one, 31, 33, version=version)
            assert all(torch.equal(drawn[k][0], expected[k][0]) for k in range(3))
    finally:
        torch.set_num_threads(before)


def test_instruction_sets_do_not_change_a_bit(libraries: dict[str, ctypes.CDLL]) -> None:
    scene = soup(0)
    (batch, faces), dims, size = scene["xy"].shape[:2], scene["features"].shape[3], 40
    real, whole, one = ctypes.c_double, ctypes.c_int64, ctypes.c_int(1)
    valid = torch.ones(batch, faces, dtype=torch.bool)
    ray = torch.Generator().manual_seed(0)
    results = []
    for kernels in libraries.values():
        index = torch.zeros(batch, size, size, dtype=torch.int32)
        stop, miss = torch.zeros_like(index), torch.zeros(batch, size, size)
        weights = torch.zeros(batch, size, size, 3)
        out = torch.zeros(batch, size, size, dims)
        slope = torch.randn(out.shape, generator=ray.manual_seed(0))
        by_xy, by_colour = torch.zeros_like(scene["xy"]), torch.zeros_like(scene["features"])
        by_mask = torch.zeros_like(scene["xy"])

        def at(values: Tensor) -> ctypes.c_void_p:
            return ctypes.c_void_p(values.data_ptr())

        sizes = [whole(n) for n in (batch, faces, dims, size, size)]
        tail = [real(1000), real(1e-8), whole(0)]
        z, xy, features = (at(scene[key]) for key in ("z", "xy", "features"))
        assert not kernels.bench_dibr_rasterize_f32(
            z, xy, features, at(valid), *sizes, *tail, at(index), at(weights), at(out), one
        )
        assert not kernels.bench_dibr_rasterize_backward_f32(
            at(slope), at(index), at(weights), xy, features, *sizes, *tail, at(by_xy),
            at(by_colour), one,
        )  # fmt: skip
        sizes.pop(2)
        options = [real(70), real(0.2), whole(5), real(1000), whole(0)]
        assert not kernels.bench_dibr_soft_mask_f32(
            xy, at(index), *sizes, *options, at(miss), at(stop), one
        )
        assert not kernels.bench_dibr_soft_mask_backward_f32(
            at(slope), at(miss), at(stop), xy, at(index), *sizes, *options, at(by_mask), one
        )
        results.append((index, weights, out, by_xy, by_colour, miss, stop, by_mask))
    assert all(values.abs().sum() > 0 for values in results[0])
    for one_result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(one_result, results[0], strict=True))


def test_the_ops_are_sound() -> None:
    scene = soup(0)
    xy, features = scene["xy"].requires_grad_(), scene["features"].requires_grad_()
    valid = torch.ones(xy.shape[:2], dtype=torch.bool)
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(
        torch.ops.benchbench.dibr_rasterize.default,
        (scene["z"], xy, features, valid, 6, 7, 1000.0, 1e-8, False), test_utils=tests,
    )  # fmt: skip
    index = dibr_ops.rasterize_maps(scene["z"], xy, features, valid, 6, 7, 1e3, 1e-8, False)[1]
    torch.library.opcheck(
        torch.ops.benchbench.dibr_soft_mask.default,
        (xy, index, 70.0, 0.2, 5, 1000.0, False), test_utils=tests,
    )  # fmt: skip


def call(**changes: object) -> None:
    scene = soup(0)
    given: dict[str, object] = {
        "height": 4, "width": 5, "face_vertices_z": scene["z"],
        "face_vertices_image": scene["xy"], "face_features": scene["features"],
        "face_normals_z": scene["normals"],
    }  # fmt: skip
    dibr.dibr_rasterization(**{**given, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("height", 0), ("width", 2.0), ("face_vertices_image", torch.zeros(0, 1, 3, 2)),
        ("face_vertices_image", torch.zeros(2, 1, 3, 2, dtype=torch.float16)),
        ("face_vertices_z", torch.zeros(2, 1, 3)), ("face_features", torch.zeros(2, 1, 3, 0)),
        ("face_features", []), ("face_normals_z", torch.ones(2, 1)),
    ],
)  # fmt: skip
def test_refuses_by_name(argument: str, value: object) -> None:
    with pytest.raises(ShapeError) as error:
        call(**{argument: value})
    assert error.value.argument == argument


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"rast_backend": "nvdiffrast"}, "no backend 'nvdiffrast'"),
        ({"version": "0.1"}, "unknown version '0.1'"),
        ({"version": "0.9.0", "eps": 1e-3}, "version 0.9.0 has no eps"),
        ({"eps": -1.0}, "eps must be 0 or more"),
        ({"knum": 0}, "knum must be at least 1"),
        ({"boxlen": -0.1}, "boxlen must be 0 or more"),
        ({"sigmainv": 0}, "sigmainv must be greater than 0"),
        ({"multiplier": NAN}, "multiplier must be greater than 0"),
    ],
)
def test_refuses_options(option: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call(**option)


def test_refuses_a_wrong_index() -> None:
    with pytest.raises(ShapeError) as error:
        dibr.dibr_soft_mask(soup(0)["xy"], torch.zeros(2, 4, 4))
    assert error.value.argument == "selected_face_idx"
