"""Silhouettes and Kato's gradient: by hand, by the plain twin, and by the original kernels."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchbench.core.errors import ShapeError, UsageError
from benchbench.cuda_ops import build, library, rasterize_silhouettes
from benchbench.cuda_ops.rasterize import _silhouettes_backward
from benchbench.cuda_ops.reference import rasterize as twin

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_CUDA)]
FREE_SCENES = [
    "backward_case1_64", "backward_case2_64", "big_faces_40", "depth_triangle_64",
    "odd_33_b2_bg2d", "soup_degenerate_48", "soup_random_48_aa",
]  # fmt: skip
NAN = float("nan")


def wall(size: int = 4) -> Tensor:
    """One face left of a vertical edge at pixel 1.25, with corners at given pixel coordinates."""
    pixels = torch.tensor([[1.25, -10.5], [1.25, 13.5], [-22.75, 1.5]])
    corners = torch.ones(1, 1, 3, 3)
    corners[..., :2] = (2 * pixels + 1 - size) / size
    return corners


def gradient_of(faces: Tensor, upstream: Tensor, **options: float | bool) -> Tensor:
    leaf = faces.clone().requires_grad_()
    alpha = rasterize_silhouettes(leaf, upstream.shape[-1], **options)
    return torch.autograd.grad(alpha, leaf, upstream.to(leaf))[0].cpu()


def random_faces(kind: int, batch: int = 2) -> Tensor:
    rng = np.random.default_rng(kind)
    count = int(rng.integers(1, 25))
    faces = rng.uniform(-1.3, 1.3, (batch, count, 3, 3))
    faces[..., 2] = rng.uniform(0.5, 3, (batch, count, 3))
    if kind % 4 == 1:
        faces[..., :2] *= 20
    if kind % 4 == 2:
        faces[:, ::3, 1] = faces[:, ::3, 0]
    if kind % 4 == 3:
        faces[:, 0, 0, 0], faces[:, -1, 1, 2] = np.nan, np.nan
    return torch.from_numpy(faces.astype(np.float32))


@pytest.mark.parametrize("device", DEVICES)
def test_the_wall_by_hand(device: str) -> None:
    faces = wall().to(device)
    alpha = rasterize_silhouettes(faces, 4, anti_aliasing=False)
    assert alpha.tolist() == [[[1, 1, 0, 0]] * 4]

    # The loss falls by 1 if raster pixel (3, 2) is covered. On row 2 the edge crosses at 1.25,
    # so it has to move by 1.75 pixels = 0.875 device units there; a corner moves by more, the
    # further it is from that row (levers 24 / 11.5 and 24 / 12.5).
    upstream = torch.zeros(1, 4, 4)
    upstream[0, 4 - 1 - 2, 3] = -1
    expected = torch.zeros(1, 1, 3, 3)
    expected[0, 0, 0, 0] = -1 / (24 / 11.5 * 0.875 + 1e-4)
    expected[0, 0, 1, 0] = -1 / (24 / 12.5 * 0.875 + 1e-4)
    found = gradient_of(faces, upstream, anti_aliasing=False)
    assert torch.allclose(found, expected, rtol=1e-5)

    # The loss falls by 1 if raster pixel (1, 2) is uncovered: back by 0.25 pixels.
    upstream = torch.zeros(1, 4, 4)
    upstream[0, 4 - 1 - 2, 1] = 1
    expected[0, 0, 0, 0] = 1 / (24 / 11.5 * 0.125 + 1e-3)
    expected[0, 0, 1, 0] = 1 / (24 / 12.5 * 0.125 + 1e-3)
    found = gradient_of(faces, upstream, anti_aliasing=False, eps=1e-3)
    assert torch.allclose(found, expected, rtol=1e-5)

    # The opposite wishes: nothing to gain, nothing moves.
    assert gradient_of(faces, -upstream, anti_aliasing=False).abs().sum() == 0


@pytest.mark.parametrize("device", DEVICES)
def test_anti_aliasing_is_the_mean_of_four(device: str) -> None:
    faces = random_faces(0).to(device)
    fine = rasterize_silhouettes(faces, 26, anti_aliasing=False)
    smooth = rasterize_silhouettes(faces, 13, anti_aliasing=True)
    assert torch.equal(smooth, fine.unflatten(2, (13, 2)).unflatten(1, (13, 2)).mean((2, 4)))
    upstream = torch.randn(2, 13, 13, generator=torch.Generator().manual_seed(0))
    spread = upstream.repeat_interleave(2, 1).repeat_interleave(2, 2) / 4
    assert torch.equal(
        gradient_of(faces, upstream), gradient_of(faces, spread, anti_aliasing=False)
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", range(24))
def test_equals_the_twin(device: str, kind: int) -> None:
    faces = random_faces(kind)
    rng = np.random.default_rng(kind + 1000)
    size, pool = int(rng.integers(2, 15)), 1 + kind % 2
    alpha, index = twin.rasterize_silhouettes(faces, size, pool, 0.1, 100.0)
    upstream = torch.from_numpy(rng.standard_normal((2, size, size)).astype(np.float32))
    expected = twin.silhouettes_backward(upstream, faces, index, pool, 1e-3)
    found = rasterize_silhouettes(faces.to(device), size, pool == 2).cpu()
    assert torch.equal(found, alpha)
    found = gradient_of(faces.to(device), upstream, anti_aliasing=pool == 2, eps=1e-3)
    assert torch.linalg.norm(found - expected) <= 1e-5 * torch.linalg.norm(expected)


@pytest.mark.parametrize("name", FREE_SCENES)
def test_equals_the_original_kernels(data: Path, name: str) -> None:
    check_scene(data / "nmr" / f"{name}.npz")


def test_equals_the_original_kernels_on_every_scene(shared: Path) -> None:
    scenes = sorted((shared / "oracles" / "nmr" / "scenes").glob("*.npz"))
    checked = [scene.stem for scene in scenes if check_scene(scene)]
    assert len(checked) >= 17


def check_scene(path: Path) -> bool:
    """False if the scene has no silhouettes."""
    with np.load(path) as scene:
        if "out_sil_alpha" not in scene:
            return False
        meta = json.loads(str(scene["meta"]))
        near, far = (0.1, 100.0) if meta["kind"] == "renderer" else (meta["near"], meta["far"])
        pool, eps = (2 if meta["anti_aliasing"] else 1), meta["eps_sil"]
        unstable, index = scene["unstable_pix"], scene["face_index"].astype(np.int32)
        expected, out = scene["grad_faces_sil"], scene["out_sil_alpha"]
        stable_faces = ~scene["unstable_face_sil"]
        upstream = torch.from_numpy(scene["g_alpha"])
        faces = torch.from_numpy(scene["faces_screen"])
    alpha = rasterize_silhouettes(faces, meta["image_size"], pool == 2, near, far).numpy()
    rough = torch.from_numpy(unstable).flip(1).float()
    rough = rough.unflatten(2, (-1, pool)).unflatten(1, (-1, pool)).amax((2, 4)).bool().numpy()
    assert np.array_equal(alpha[~rough], out[~rough])

    stored = torch.from_numpy(index).flip(1).contiguous()
    alone = _silhouettes_backward(upstream, faces, stored, pool, eps).numpy()
    assert relative(alone[stable_faces], expected[stable_faces]) < 1e-3
    if not unstable.any():
        options = {"anti_aliasing": pool == 2, "near": near, "far": far, "eps": eps}
        assert relative(gradient_of(faces, upstream, **options).numpy(), expected) < 1e-2
    return True


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    scale = float(np.linalg.norm(expected))
    return float(np.linalg.norm(found - expected)) / (scale or 1.0)


@pytest.mark.parametrize("seed", range(40))
def test_the_gradient_says_how_far_to_move(seed: int) -> None:
    """Moving any coordinate by -1 / gradient makes the wished pixel change."""
    generator = torch.Generator().manual_seed(seed)
    faces = torch.ones(1, 1, 3, 3)
    faces[..., :2] = torch.rand(1, 1, 3, 2, generator=generator) * 1.6 - 0.8
    if torch.linalg.det(faces[0, 0]) < 0:
        faces = faces.flip(2)
    alpha = rasterize_silhouettes(faces, 32, anti_aliasing=False)[0]
    wish = seed % 2  # cover a pixel of the background, or uncover one of the face
    candidates = (alpha != wish).nonzero()
    if len(candidates) == 0:
        pytest.skip("the face has no pixel to uncover")
    row, column = candidates[int(torch.randint(len(candidates), (), generator=generator))]
    upstream = torch.zeros(1, 32, 32)
    upstream[0, row, column] = 1 - 2 * wish
    gradient = gradient_of(faces, upstream, anti_aliasing=False)
    assert gradient[..., 2].abs().sum() == 0
    for corner, axis in gradient[0, 0].nonzero().tolist():
        step = -1 / gradient[0, 0, corner, axis]
        if abs(step) > 0.3:
            continue  # the corner's other edge moves too, and by then it can get in the way
        moved = faces.clone()
        moved[0, 0, corner, axis] += step
        assert rasterize_silhouettes(moved, 32, False)[0, row, column] == wish
        if wish == 0:
            continue  # edges on both sides pull, against each other
        moved[0, 0, corner, axis] -= 2e-3 * step.sign()  # ... and no more than it must
        assert rasterize_silhouettes(moved, 32, False)[0, row, column] != wish


@pytest.mark.parametrize("seed", range(5))
def test_a_step_against_the_gradient_lowers_the_loss(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand(6, 1, 2, generator=generator) - 0.5
    faces = torch.ones(1, 6, 3, 3)
    faces[0, :, :, :2] = centre + torch.tensor([[-0.3, -0.3], [0.3, -0.3], [0.0, 0.4]])
    target = rasterize_silhouettes(faces.roll(1, 1) * torch.tensor([0.8, 1.2, 1.0]), 48)
    losses = []
    leaf = faces.clone().requires_grad_()
    for _ in range(15):
        loss = (rasterize_silhouettes(leaf, 48) - target).square().sum()
        losses.append(float(loss.detach()))
        (gradient,) = torch.autograd.grad(loss, leaf)
        with torch.no_grad():
            leaf -= 0.01 * gradient / gradient.abs().max()
    assert losses[-1] < 0.9 * losses[0]


def test_threads_and_runs_do_not_change_a_bit() -> None:
    before = torch.get_num_threads()
    upstream = torch.randn(3, 31, 31, generator=torch.Generator().manual_seed(0))
    faces = random_faces(0, 3)
    try:
        torch.set_num_threads(1)
        alone = gradient_of(faces, upstream), rasterize_silhouettes(faces, 31)
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            assert torch.equal(gradient_of(faces, upstream), alone[0])
            assert torch.equal(rasterize_silhouettes(faces, 31), alone[1])
            for b in range(3):  # a picture does not depend on its batch
                assert torch.equal(
                    gradient_of(faces[b : b + 1], upstream[b : b + 1])[0], alone[0][b]
                )
    finally:
        torch.set_num_threads(before)


def test_instruction_sets_do_not_change_a_bit() -> None:
    best = library.location("cpu")
    if best is None:
        pytest.skip("no compiled kernels")
    levels = build.cpu_levels()
    faces, size = random_faces(0), 40
    upstream = torch.randn(2, size, size, generator=torch.Generator().manual_seed(0))
    pointer, whole, real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
    results = []
    for level in levels[levels.index(library.cpu_level()) :]:
        kernels = ctypes.CDLL(str(Path(best).with_name(build.cpu_library(level))))
        index = torch.zeros(2, 2 * size, 2 * size, dtype=torch.int32)
        alpha, gradient = torch.zeros(2, size, size), torch.zeros_like(faces)
        sizes = [whole(n) for n in (2, faces.shape[1], size, size, 2)]
        a, g, u, f, i = (
            pointer(values.data_ptr()) for values in (alpha, gradient, upstream, faces, index)
        )
        assert not kernels.bench_rasterize_silhouettes(
            f, *sizes, real(0.1), real(100), i, a, ctypes.c_int(1)
        )
        assert not kernels.bench_rasterize_silhouettes_backward(
            u, f, i, *sizes, real(1e-4), g, ctypes.c_int(1)
        )
        results.append((alpha, gradient))
    assert results[0][1].abs().sum() > 0
    for one in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(one, results[0], strict=True))


@pytest.mark.parametrize("device", DEVICES)
def test_where_the_gradient_is_zero(device: str) -> None:
    upstream = torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(0))
    everything = torch.tensor([[[[-9.0, -9, 1], [9, -9, 1], [0, 9, 1]]]], device=device)
    assert gradient_of(everything, upstream).abs().sum() == 0
    hidden = torch.cat((everything, everything * torch.tensor([0.01, 0.01, 2], device=device)), 1)
    assert gradient_of(hidden, upstream).abs().sum() == 0
    outside = everything * torch.tensor([0.1, 0.1, 1], device=device) + 5
    assert rasterize_silhouettes(outside, 8).sum() == 0
    assert gradient_of(outside, upstream).abs().sum() == 0


@pytest.mark.parametrize("device", DEVICES)
def test_not_a_number_stays_in_its_face(device: str) -> None:
    good = random_faces(0, 1)
    bad = good[:, :1].clone()
    bad[0, 0, 1, 0] = NAN
    upstream = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(0))
    both = torch.cat((good, bad), 1).to(device)
    found = gradient_of(both, upstream)
    assert torch.equal(found[:, :-1], gradient_of(good.to(device), upstream))
    assert found[:, -1].abs().sum() == 0
    assert torch.isfinite(gradient_of(both, torch.full((1, 16, 16), NAN))).all()


def test_slow_twin_serves_where_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    faces, upstream = random_faces(1), torch.ones(2, 6, 6)
    expected = rasterize_silhouettes(faces, 6), gradient_of(faces, -upstream)
    monkeypatch.setattr(library, "available", lambda device: False)
    assert torch.equal(rasterize_silhouettes(faces, 6), expected[0])
    assert torch.allclose(gradient_of(faces, -upstream), expected[1], rtol=1e-4, atol=1e-5)


def test_the_ops_are_sound() -> None:
    faces = random_faces(0).requires_grad_()
    op = torch.ops.benchbench.rasterize_silhouettes.default
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(op, (faces, 8, 8, 2, 0.1, 100.0, 1e-4), test_utils=tests)


@pytest.mark.parametrize(
    ("faces", "size", "argument"),
    [
        (torch.zeros(2, 3, 3), 4, "faces"),
        (torch.zeros(1, 0, 3, 3), 4, "faces"),
        (torch.zeros(1, 2, 3, 3, dtype=torch.float16), 4, "faces"),
        (torch.zeros(1, 2, 3, 3), 0, "image_size"),
        (torch.zeros(1, 2, 3, 3), 16384, "image_size"),
    ],
)
def test_refuses_by_name(faces: Tensor, size: int, argument: str) -> None:
    with pytest.raises(ShapeError) as error:
        rasterize_silhouettes(faces, size)
    assert error.value.argument == argument


def test_refuses_no_eps() -> None:
    with pytest.raises(UsageError, match="eps must be greater than 0, got 0"):
        rasterize_silhouettes(torch.zeros(1, 1, 3, 3), 2, eps=0)
