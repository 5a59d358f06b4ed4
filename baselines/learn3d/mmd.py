"""How far apart the shape codes of two poses lie: learn3D's maximum mean discrepancy."""

from __future__ import annotations

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError

KERNELS, FACTOR = 5, 2.0


def mmd(first: Tensor, second: Tensor) -> float:
    """Squared maximum mean discrepancy of two samples, biased, with five Gaussian kernels.

    Source: learn3D's mmd_rbf. With n = 2 m the mean squared distance d of all n (n - 1) pairs of
    both samples is the middle bandwidth: the kernels are exp(-|x - y|^2 / (d 2^k)), k from -2 to 2,
    and they are summed. The diagonals count.

    Args:
        first: (m, D).
        second: (m, D).

    Returns:
        At least 0 but for rounding; 0 where the samples agree (also where all codes are the same,
        in which the original divides by zero).

    Raises:
        ShapeError: The samples differ in shape.

    Example:
        >>> mmd(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [0.0]]))
        0.0
    """
    if first.shape != second.shape or first.ndim != 2 or not len(first):
        expected = "(m, D) like first"
        raise ShapeError("mmd", "second", expected, f"{tuple(first.shape)}, {tuple(second.shape)}")
    both = torch.cat([first, second]).double()
    # Differences, not a product, so that codes which lie close together keep their digits; row by
    # row, in memory n D instead of n n D.
    squared = torch.stack([((both - one) ** 2).sum(1) for one in both])
    n = len(both)
    bandwidth = squared.sum() / (n * n - n)
    if bandwidth == 0:
        return 0.0
    scales = bandwidth * FACTOR ** (torch.arange(KERNELS) - KERNELS // 2)
    kernel = sum(torch.exp(-squared / scale) for scale in scales)
    assert isinstance(kernel, Tensor)
    m = len(first)
    same = kernel[:m, :m] + kernel[m:, m:]
    return float((same - kernel[:m, m:] - kernel[m:, :m]).mean())


def pairwise_mmd(codes: Tensor) -> Tensor:
    """MMD between the codes of every two views.

    Args:
        codes: (objects, K, D): codes of the same objects seen from K views.

    Returns:
        (K, K) float64, symmetric, diagonal 0; learn3D reports `mean_mmd` of it.

    Raises:
        ShapeError: Another shape.
    """
    if codes.ndim != 3 or not codes.numel():
        raise ShapeError("pairwise_mmd", "codes", "(objects, K, D)", tuple(codes.shape))
    views = codes.shape[1]
    found = torch.zeros(views, views, dtype=torch.float64)
    for a in range(views):
        for b in range(a + 1, views):
            found[a, b] = found[b, a] = mmd(codes[:, a], codes[:, b])
    return found


def mean_mmd(pairs: Tensor) -> float:
    """Mean over the pairs of different views of `pairwise_mmd`'s table.

    Example:
        >>> mean_mmd(torch.tensor([[0.0, 2.0, 4.0], [2.0, 0.0, 6.0], [4.0, 6.0, 0.0]]))
        4.0
    """
    rows, columns = torch.triu_indices(len(pairs), len(pairs), 1)
    return float(pairs[rows, columns].mean())
