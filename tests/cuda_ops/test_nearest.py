"""`nearest` and `chamfer_nearest` against float64 brute force and the torch twin."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.core.keyed import keyed_rng
from benchbench.cuda_ops import chamfer_nearest, library, nearest
from benchbench.cuda_ops.nearest import METHODS
from benchbench.cuda_ops.reference import nearest as twin

PATHS = ("brute", "tree")
DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ),
]


def sphere(rng: np.random.Generator, n: int, radius: float = 0.5) -> np.ndarray:
    points = rng.normal(size=(n, 3))
    return radius * points / np.linalg.norm(points, axis=1, keepdims=True)


def make_pair(kind: str, n: int, m: int) -> tuple[Tensor, Tensor]:
    """Two clouds (1, N, 3), (1, M, 3) of a kind that is hard for some search structure."""
    rng = keyed_rng("nearest", kind, n, m)
    if kind == "uniform":
        source, target = rng.random((n, 3)), rng.random((m, 3))
    elif kind == "clustered":
        centres = 1000 * rng.random((7, 3))
        source = centres[rng.integers(0, 7, n)] + rng.normal(size=(n, 3)) * 1e-3
        target = centres[rng.integers(0, 7, m)] + rng.normal(size=(m, 3)) * 1e-3
    elif kind == "collinear":
        source, target = np.zeros((n, 3)), np.zeros((m, 3))
        source[:, 1], target[:, 1] = rng.random(n), rng.random(m)
    elif kind == "coincident":
        source, target = np.full((n, 3), 0.3), np.full((m, 3), 0.3)
    elif kind == "two places":
        source, target = np.zeros((n, 3)), np.zeros((m, 3))
        source[::2, 2], target[1::3, 2] = 1, 1
    elif kind == "far apart":
        source, target = sphere(rng, n), sphere(rng, m) + 1e4
    elif kind == "box in sphere":
        source, target = rng.uniform(-0.1, 0.1, (n, 3)), sphere(rng, m)
    elif kind == "centre of sphere":
        source, target = rng.normal(size=(n, 3)) * 1e-7, sphere(rng, m)
    elif kind == "tiny target":  # closer together than the queries
        source, target = rng.random((n, 3)), 1 + 1e-3 * rng.random((m, 3))
    elif kind == "outlier":
        source, target = sphere(rng, n), sphere(rng, m)
        source[n // 2], target[0] = (1e6, 0, 0), (-1e6, 3, 0)
    elif kind == "nested scales":
        source = sphere(rng, n) * 10.0 ** rng.uniform(-25, 15, (n, 1))
        target = sphere(rng, m) * 10.0 ** rng.uniform(-25, 15, (m, 1))
    elif kind == "lattice":  # ties everywhere
        source, target = rng.integers(0, 6, (n, 3)) + 0.5, rng.integers(0, 6, (m, 3))
    elif kind == "denormal":
        source, target = rng.random((n, 3)) * 1e-41, rng.random((m, 3)) * 1e-41
    elif kind == "overflow":
        source, target = sphere(rng, n, 3e38), sphere(rng, m, 1e20)
    else:
        raise AssertionError(kind)
    return (
        torch.from_numpy(source.astype(np.float32))[None],
        torch.from_numpy(target.astype(np.float32))[None],
    )


KINDS = (
    "uniform", "clustered", "collinear", "coincident", "two places", "far apart",
    "box in sphere", "centre of sphere", "tiny target", "outlier", "nested scales", "lattice",
    "denormal", "overflow",
)  # fmt: skip
SIZES = ((1, 1), (1, 700), (700, 1), (17, 16), (33, 257), (600, 900))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_twin_bit_for_bit(kind: str, path: str) -> None:
    for n, m in SIZES:
        source, target = make_pair(kind, n, m)
        expected = twin.both_ways(source, target)
        for got, want in zip(chamfer_nearest(source, target, method=path), expected, strict=True):
            assert torch.equal(got, want), (n, m)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("overflow", "denormal")])
def test_agrees_with_float64_brute_force(kind: str, path: str) -> None:
    source, target = make_pair(kind, 500, 800)
    distance, index = nearest(source, target, method=path)
    wide = (source[0, :, None].double() - target[0, None].double()).square().sum(dim=2)
    truth = wide.amin(dim=1)
    chosen = wide.gather(1, index[0, :, None])[:, 0]
    # Three rounded products and two rounded sums of rounded differences.
    torch.testing.assert_close(distance[0].double(), truth, rtol=5e-7, atol=1e-42)
    torch.testing.assert_close(chosen, truth, rtol=1e-6, atol=1e-42)


@pytest.mark.parametrize("path", PATHS)
def test_hand_computed(path: str) -> None:
    source = torch.tensor([[[0.0, 0, 0], [3, 4, 0], [1, 1, 1]]])
    target = torch.tensor([[[0.0, 0, 5], [3, 0, 0], [1, 1, 3], [1, 1, -1]]])
    result = chamfer_nearest(source, target, method=path)
    assert result[0].tolist() == [[3, 14, 4]]
    assert result[1].tolist() == [[3, 3, 2]]  # (1, 1, 1) is as far from 2 as from 3
    assert result[2].tolist() == [[18, 6, 4, 3]]
    assert result[3].tolist() == [[2, 2, 2, 0]]


@pytest.mark.parametrize("path", PATHS)
def test_ties_go_to_the_lowest_index(path: str) -> None:
    rng = keyed_rng("ties")
    target = torch.from_numpy(rng.random((400, 3)).astype(np.float32))
    shuffled = torch.from_numpy(rng.permutation(np.tile(np.arange(400), 5)))
    distance, index = nearest(target[None], target[shuffled][None], method=path)
    assert not distance.any()
    first = (shuffled[None, :] == torch.arange(400)[:, None]).to(torch.uint8).argmax(dim=1)
    assert torch.equal(index[0], first)


@pytest.mark.parametrize("kind", ("uniform", "box in sphere", "coincident", "clustered"))
def test_large_clouds_take_the_tree_and_equal_brute_force(kind: str) -> None:
    source, target = make_pair(kind, 20000, 5000)
    tree, brute = (chamfer_nearest(source, target, method=m) for m in ("auto", "brute"))
    assert all(torch.equal(a, b) for a, b in zip(tree, brute, strict=True))


@pytest.mark.parametrize("kind", ("coincident", "outlier", "collinear", "two places"))
def test_no_quadratic_time_where_one_grid_would_take_it(kind: str) -> None:
    # All pairs of 2 * 300,000^2 would take many seconds; the answer is known for a shifted copy.
    source, _ = make_pair(kind, 300_000, 1)
    distance, index = nearest(source, source.clone())
    assert not distance.any()
    assert torch.equal(source[0][index[0]], source[0])
    assert (index[0] <= torch.arange(300_000)).all()


def test_no_quadratic_time_where_queries_are_far_from_a_small_target() -> None:
    source, target = make_pair("tiny target", 200_000, 200_000)
    distance, index = nearest(source, target)
    some = source[:, ::20_000]
    expected = nearest(some, target, method="brute")
    assert torch.equal(distance[:, ::20_000], expected[0])
    assert torch.equal(index[:, ::20_000], expected[1])


@pytest.mark.parametrize("path", METHODS)
def test_ragged_batch(path: str) -> None:
    rng = keyed_rng("ragged")
    source = torch.from_numpy(rng.random((5, 90, 3)).astype(np.float32))
    target = torch.from_numpy(rng.random((5, 70, 3)).astype(np.float32))
    n, m = torch.tensor([90, 1, 40, 17, 33]), torch.tensor([1, 70, 70, 16, 2], dtype=torch.int32)
    # Padding that would win or poison every search if it were looked at.
    for b in range(5):
        source[b, n[b] :] = torch.nan
        target[b, m[b] :] = source[b, 0]
    result = chamfer_nearest(source, target, n, m, method=path)
    for b in range(5):
        alone = chamfer_nearest(source[b : b + 1, : n[b]], target[b : b + 1, : m[b]])
        for got, want, length in zip(result, alone, (n[b], n[b], m[b], m[b]), strict=True):
            assert torch.equal(got[b, :length], want[0])
            assert (got[b, length:] == (-1 if got.dtype == torch.int64 else 0)).all()
    single = nearest(source, target, n, m, method=path)
    assert all(torch.equal(a, b) for a, b in zip(single, result[:2], strict=True))


@pytest.mark.parametrize("path", [*METHODS, "twin"])
@pytest.mark.parametrize("device", DEVICES)
def test_clouds_of_length_0(path: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if path == "twin":
        monkeypatch.setattr(library, "available", lambda device: False)
    source = torch.rand(3, 40, 3, device=device, requires_grad=True)
    target = torch.rand(3, 30, 3, device=device, requires_grad=True)
    n, m = torch.tensor([40, 0, 0], device=device), torch.tensor([0, 30, 0], device=device)
    there, index, back, back_index = chamfer_nearest(
        source, target, n, m, method="auto" if path == "twin" else path
    )
    assert there[0].isnan().all() and back[1].isnan().all()
    assert (index == -1).all() and (back_index == -1).all()
    for padding in (there[1:], back[0], back[2]):
        assert (padding == 0).all()
    (there.sum() + back.sum()).backward()
    for cloud in (source, target):
        assert cloud.grad is not None and (cloud.grad == 0).all()


def test_batch_items_do_not_see_each_other() -> None:
    source = torch.from_numpy(keyed_rng("batch").random((9, 333, 3)).astype(np.float32))
    target = source.flip(0).contiguous() + 0.01
    together = chamfer_nearest(source, target)
    for b in range(9):
        alone = chamfer_nearest(source[b : b + 1], target[b : b + 1])
        assert all(torch.equal(t[b], a[0]) for t, a in zip(together, alone, strict=True))


@pytest.mark.parametrize("path", PATHS)
def test_nan_and_infinity(path: str) -> None:
    source, target = make_pair("uniform", 300, 280)
    source[0, 5, 1] = target[0, 0, 0] = torch.nan
    source[0, 6], target[0, 1], target[0, 2, 2] = torch.inf, torch.inf, -torch.inf
    result = chamfer_nearest(source, target, method=path)
    for got, want in zip(result, twin.both_ways(source, target), strict=True):
        assert torch.allclose(got, want, rtol=0, atol=0, equal_nan=True)
    assert result[0][0, 5].isnan() and result[1][0, 5] == -1
    assert result[0][0, 6] == torch.inf and result[1][0, 6] == 2
    # Index 1 would be inf - inf, which is no distance; finite points choose finite points.
    assert (result[1][0, :5] > 2).all() and (result[1][0, 7:] > 2).all()
    nothing = nearest(source, torch.full_like(target, torch.nan), method=path)
    assert nothing[0].isnan().all() and (nothing[1] == -1).all()


def test_accepts_views_that_are_not_contiguous() -> None:
    source, target = make_pair("uniform", 200, 300)
    strided = target.transpose(1, 2).contiguous().transpose(1, 2)
    expected = nearest(source[:, ::2].contiguous(), target)
    got = nearest(source[:, ::2], strided)
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


@pytest.mark.parametrize("path", PATHS)
def test_gradient_equals_finite_differences(path: str) -> None:
    source, target = make_pair("uniform", 40, 30)
    source.requires_grad_(), target.requires_grad_()
    weight_s = torch.from_numpy(keyed_rng("ws").normal(size=(1, 40)).astype(np.float32))
    weight_t = torch.from_numpy(keyed_rng("wt").normal(size=(1, 30)).astype(np.float32))

    there, _, back, _ = chamfer_nearest(source, target, method=path)
    ((there * weight_s).sum() + (back * weight_t).sum()).backward()

    def loss(s: Tensor, t: Tensor) -> float:
        pairs = (s[0, :, None] - t[0, None]).square().sum(dim=2)
        there, back = pairs.amin(dim=1), pairs.amin(dim=0)
        return float((there * weight_s[0]).sum() + (back * weight_t[0]).sum())

    s, t = source.detach().double(), target.detach().double()
    for which, cloud, grad in ((0, s, source.grad), (1, t, target.grad)):
        assert grad is not None
        for i, axis in ((0, 0), (3, 1), (17, 2), (29, 0)):
            step = torch.zeros_like(cloud)
            step[0, i, axis] = 1e-6
            plus = loss(s + step, t) if which == 0 else loss(s, t + step)
            minus = loss(s - step, t) if which == 0 else loss(s, t - step)
            assert float(grad[0, i, axis]) == pytest.approx((plus - minus) / 2e-6, abs=2e-5)


def test_gradient_equals_the_twin_and_autograd_of_the_formula() -> None:
    source = torch.from_numpy(keyed_rng("g").random((3, 50, 3)).astype(np.float32))
    target = torch.from_numpy(keyed_rng("h").random((3, 20, 3)).astype(np.float32))
    n, m = torch.tensor([50, 20, 1]), torch.tensor([20, 3, 20])
    a, b = source.clone().requires_grad_(), target.clone().requires_grad_()
    there, index, back, back_index = chamfer_nearest(a, b, n, m)
    (there.sum() + 3 * back.square().sum()).backward()

    c, d = source.clone().requires_grad_(), target.clone().requires_grad_()
    rows = torch.arange(3)[:, None]
    pairs = (c - d[rows, index.clamp(min=0)]).square().sum(dim=2) * (index >= 0)
    pairs_back = (d - c[rows, back_index.clamp(min=0)]).square().sum(dim=2) * (back_index >= 0)
    (pairs.sum() + 3 * pairs_back.square().sum()).backward()
    torch.testing.assert_close(a.grad, c.grad, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(b.grad, d.grad, rtol=1e-5, atol=1e-6)

    expected = twin.gradients(
        source, target, index, back_index, torch.ones_like(there), 6 * back.detach()
    )
    torch.testing.assert_close(a.grad, expected[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(b.grad, expected[1], rtol=1e-5, atol=1e-6)


def test_gradient_of_one_direction_and_of_one_cloud() -> None:
    source, target = make_pair("uniform", 10, 12)
    target.requires_grad_()
    distance, index = nearest(source, target)
    assert distance.requires_grad and not index.requires_grad
    distance.sum().backward()
    expected = torch.zeros_like(target)
    for i, j in enumerate(index[0]):
        expected[0, j] += 2 * (target.detach()[0, j] - source[0, i])
    torch.testing.assert_close(target.grad, expected)


def test_same_bits_for_any_number_of_threads() -> None:
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            one = []
            for kind, n, m in (("uniform", 700, 900), ("clustered", 5000, 4000)):
                source, target = (c.requires_grad_() for c in make_pair(kind, n, m))
                output = chamfer_nearest(source, target)
                (output[0].square().sum() + output[2].sum()).backward()
                one += [*output, source.grad, target.grad]
            results.append(one)
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


_LEVEL_SCRIPT = """
import hashlib, torch
from benchbench.core.keyed import keyed_rng
from benchbench.cuda_ops import chamfer_nearest
digest = hashlib.sha256()
for method in ("brute", "tree"):
    for scale in (1.0, 1e-3, 1e19):
        source, target = (
            torch.from_numpy(keyed_rng("level", k).normal(size=(2, n, 3)) * scale).float()
            for k, n in (("s", 1500), ("t", 777))
        )
        source.requires_grad_()
        output = chamfer_nearest(source, target, method=method)
        (output[0].sum() + output[2].sum()).backward()
        for tensor in (*output, source.grad):
            digest.update(tensor.detach().numpy().tobytes())
print(digest.hexdigest())
"""


@pytest.mark.skipif(not library.available("cpu"), reason="no compiled CPU kernels")
def test_same_bits_on_every_instruction_set() -> None:
    best = library.cpu_level()
    levels = ["x86-64", "x86-64-v3", "x86-64-v4"]
    if best not in levels:
        pytest.skip(f"one level only: {best}")
    digests = set()
    for level in levels[: levels.index(best) + 1]:
        done = subprocess.run(
            [sys.executable, "-c", _LEVEL_SCRIPT],
            env={**os.environ, "BENCH_CPU_LEVEL": level},
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        digests.add(done.stdout.strip())
    assert len(digests) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("threads", (1, 2))
def test_works_in_a_fork_after_a_parallel_call(threads: int) -> None:
    source, target = make_pair("uniform", 5000, 5000)
    expected = chamfer_nearest(source, target)
    child = os.fork()
    if child == 0:
        library._state.forked = threads == 1  # 2: the kernel's own threads start anew in a fork
        got = chamfer_nearest(source, target)
        same = all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_many_callers_at_once() -> None:
    pairs = [make_pair("uniform", 3000 + k, 2000) for k in range(4)]
    expected = [chamfer_nearest(*pair) for pair in pairs]
    with ThreadPoolExecutor(4) as callers:
        got = list(callers.map(lambda k: chamfer_nearest(*pairs[k % 4]), range(80)))
    for k, result in enumerate(got):
        assert all(torch.equal(a, b) for a, b in zip(result, expected[k % 4], strict=True))


def test_falls_back_to_the_twin_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = make_pair("uniform", 60, 50)
    source.requires_grad_()
    expected = chamfer_nearest(source, target)
    expected[0].sum().backward()
    grad, source.grad = source.grad, None
    monkeypatch.setattr(library, "available", lambda device: False)
    got = chamfer_nearest(source, target)
    got[0].sum().backward()
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))
    torch.testing.assert_close(source.grad, grad)


def test_meta_shapes_and_registration() -> None:
    source, target = make_pair("uniform", 9, 7)
    op = torch.ops.benchbench.nearest.default
    tests = ("test_schema", "test_faketensor", "test_autograd_registration")
    for two_ways in (False, True):
        arguments = (source.requires_grad_(), target, None, None, two_ways, 0)
        torch.library.opcheck(op, arguments, test_utils=tests)


NO_THREADS = """
import resource, sys
import torch
from benchbench.cuda_ops import chamfer_nearest, library
torch.set_num_threads(1)
torch.manual_seed(0)
clouds = torch.rand(2, 1, 3000, 3)
expected = chamfer_nearest(*clouds)
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (1 << 30)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
library.threads = lambda: 4
for _ in range(3):
    assert all(map(torch.equal, chamfer_nearest(*clouds), expected))
import threading
try:
    threading.Thread(target=int).start()
except RuntimeError:
    print("no thread could be started")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_system_without_threads_to_give() -> None:
    # Every new thread asks for a stack of 8 GB, which the limit on memory refuses.
    def large_stacks() -> None:
        resource.setrlimit(resource.RLIMIT_STACK, (1 << 33, 1 << 33))

    done = subprocess.run(
        [sys.executable, "-c", NO_THREADS],
        capture_output=True,
        text=True,
        preexec_fn=large_stacks,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "no thread could be started\n"


OK = torch.zeros(2, 4, 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((torch.zeros(4, 3), OK), "source must be (B, N, 3) float32, got (4, 3)"),
        ((OK, torch.zeros(2, 4, 2)), "target must be (B, N, 3) float32, got (2, 4, 2)"),
        ((OK.double(), OK), "source must be (B, N, 3) float32, got (2, 4, 3) float64"),
        ((OK, OK[:1]), "target must be a batch of 2 as source, got (1, 4, 3)"),
        ((OK, OK[:, :0]), "target must be at least one cloud of at least one point"),
        ((OK[:0], OK[:0]), "source must be at least one cloud of at least one point"),
        ((OK.to("meta"), OK.to("meta")), "source must be on 'cpu' or 'cuda'"),
        ((OK, OK, torch.tensor([4])), "source_lengths must be (2,) int32 or int64, got (1,)"),
        ((OK, OK, torch.tensor([4.0, 1])), "source_lengths must be (2,) int32 or int64"),
        ((OK, OK, [4, 1]), "source_lengths must be a tensor (2,) int32 or int64, got list"),
        ((OK, OK.numpy()), "target must be (B, N, 3) float32, got ndarray"),
        ((OK, OK, None, torch.tensor([-1, 4])), "target_lengths must be in [0, 4], got -1"),
        ((OK, OK, None, torch.tensor([5, 4])), "target_lengths must be in [0, 4], got 5"),
    ],
)
def test_bad_arguments_are_named(arguments: tuple[Tensor, ...], words: str) -> None:
    with pytest.raises(ShapeError, match="nearest: ") as caught:
        nearest(*arguments)
    assert words in str(caught.value)
    with pytest.raises(ShapeError, match="chamfer_nearest: "):
        chamfer_nearest(*arguments)


def test_unknown_method_is_named() -> None:
    with pytest.raises(ShapeError, match="one of auto, brute, tree, got 'grid'"):
        nearest(OK, OK, method="grid")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_cuda_equals_cpu(kind: str) -> None:
    for n, m in (*SIZES, (5000, 3000)):
        pair = make_pair(kind, n, m)
        outputs = []
        for device in ("cpu", "cuda"):
            source, target = (c.detach().to(device).requires_grad_() for c in pair)
            result = chamfer_nearest(source, target)
            (result[0].sum() + 2 * result[2].sum()).backward()
            outputs.append([*result, source.grad, target.grad])
        for cpu, cuda in zip(*outputs, strict=True):
            assert torch.allclose(cpu, cuda.cpu(), rtol=0, atol=0, equal_nan=True), (n, m)
