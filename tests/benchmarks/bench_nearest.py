"""`chamfer_nearest` (both directions, structures built anew) against the k-d trees that pip brings.

Two pairs of clouds: "near", two surfaces close to each other, as late in training; "far", a box
inside a sphere, where many points are almost equally near and trees have a hard time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from benchbench.cuda_ops import chamfer_nearest

SIZES = [2_048, 10_000, 30_000, 100_000]


def clouds(kind: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds (N, 3) float32."""
    rng = np.random.default_rng(0)
    target = sphere(rng, count)
    if kind == "near":
        return sphere(rng, count) * np.float32(1.02), target
    points = rng.uniform(-0.25, 0.25, (count, 3)).astype(np.float32)
    points[np.arange(count), rng.integers(0, 3, count)] = rng.choice([-0.25, 0.25], count)
    return points, target


def sphere(rng: np.random.Generator, count: int) -> np.ndarray:
    points = rng.normal(size=(count, 3))
    return (0.5 * points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def peers(a: np.ndarray, b: np.ndarray) -> dict[str, Callable[[], object]]:
    """What answers the same question; conversions to their types are made beforehand."""
    pykdtree = pytest.importorskip("pykdtree.kdtree", reason="not installed (extra 'peers')")
    o3d = pytest.importorskip("open3d", reason="not installed (extra 'peers')")
    pcu = pytest.importorskip("point_cloud_utils", reason="not installed (extra 'peers')")
    from scipy.spatial import cKDTree

    clouds_3d = [
        o3d.geometry.PointCloud(o3d.utility.Vector3dVector(x.astype(float))) for x in (a, b)
    ]
    tensors = [o3d.core.Tensor(x) for x in (a, b)]

    def open3d_search() -> object:
        results = []
        for source, target in (tensors, tensors[::-1]):
            search = o3d.core.nns.NearestNeighborSearch(target)
            search.knn_index()
            results.append(search.knn_search(source, 1))
        return results

    return {
        "pykdtree": lambda: (pykdtree.KDTree(b).query(a), pykdtree.KDTree(a).query(b)),
        "scipy cKDTree": lambda: (cKDTree(b).query(a, workers=2), cKDTree(a).query(b, workers=2)),
        "Open3D distances": lambda: (
            clouds_3d[0].compute_point_cloud_distance(clouds_3d[1]),
            clouds_3d[1].compute_point_cloud_distance(clouds_3d[0]),
        ),
        "Open3D knn_search": open3d_search,
        "point-cloud-utils": lambda: (
            pcu.k_nearest_neighbors(a, b, 1), pcu.k_nearest_neighbors(b, a, 1),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("kind", ["near", "far"])
def test_chamfer_nearest(race, kind: str, count: int) -> None:  # type: ignore[no-untyped-def]
    a, b = clouds(kind, count)
    preds, target = torch.from_numpy(a)[None], torch.from_numpy(b)[None]
    short = count <= 10_000
    race(
        f"chamfer_nearest, 1 x {count} points, {kind}",
        {"ours": lambda: chamfer_nearest(preds, target), **peers(a, b)},
        rounds=9 if short else 1 if (kind, count) == ("far", 100_000) else 3,
        calls=5 if short else 1,
    )


def test_chamfer_nearest_of_a_batch(race) -> None:  # type: ignore[no-untyped-def]
    pykdtree = pytest.importorskip("pykdtree.kdtree", reason="not installed (extra 'peers')")
    batch = [clouds("near", 2048) for _ in range(16)]
    preds, target = (torch.from_numpy(np.stack(side)) for side in zip(*batch, strict=True))

    def loop() -> object:
        return [(pykdtree.KDTree(b).query(a), pykdtree.KDTree(a).query(b)) for a, b in batch]

    race(
        "chamfer_nearest, 16 x 2048 points, near",
        {"ours": lambda: chamfer_nearest(preds, target), "pykdtree": loop},
        calls=3,
    )


def test_forward_and_backward(race) -> None:  # type: ignore[no-untyped-def]
    a, b = clouds("near", 2048)
    preds = torch.from_numpy(a)[None].requires_grad_()
    target = torch.from_numpy(b)[None]

    def step(distances: Callable[[], tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        there, back = distances()
        return torch.autograd.grad(there.mean() + back.mean(), preds)[0]

    def cdist() -> tuple[torch.Tensor, torch.Tensor]:
        pairs = torch.cdist(preds, target)
        return pairs.amin(dim=2).square(), pairs.amin(dim=1).square()

    race(
        "Chamfer loss of 1 x 2048 points with its gradient",
        {
            "ours": lambda: step(lambda: chamfer_nearest(preds, target)[::2]),
            "torch.cdist": lambda: step(cdist),
        },
        rounds=5,
    )
