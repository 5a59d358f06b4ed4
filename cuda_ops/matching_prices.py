"""Prices of the cheapest one-to-one matching, for a solver to start from."""

import ctypes

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library
from benchbench.cuda_ops.mesh_arguments import describe

_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_int64


def matching_prices(costs: Tensor) -> Tensor:
    """Dual solution of the assignment problem, in float32: what each column is worth.

    With prices v and u_i = min_j (c_ij - v_j), no c_ij - u_i - v_j is below zero, and those of the
    cheapest matching are zero, both within the rounding of float32. A solver in double precision
    that starts from such prices has little left to do. By shortest augmenting paths (Jonker and
    Volgenant, Computing 38, 1987) on one thread; for the CPU alone, as the solvers are.

    Args:
        costs: (N, N) float32 on the CPU, each in [0, 1]; N may be 0.

    Returns:
        (N,) float32.

    Raises:
        ShapeError: Wrong shape, type or device, or a cost outside [0, 1].
        KernelError: Nothing is compiled here.

    Example:
        Both rows want the first column; it costs them what the second one would save:

        >>> import torch
        >>> from benchbench.cuda_ops.matching_prices import matching_prices
        >>> matching_prices(torch.tensor([[0.25, 0.5], [0.25, 1.0]])).tolist()
        [-0.25, 0.0]
    """
    wanted = "(N, N) float32 on 'cpu'"
    square = costs.ndim == 2 and costs.shape[0] == costs.shape[1]
    if not square or costs.dtype != torch.float32 or costs.device.type != "cpu":
        raise ShapeError("matching_prices", "costs", wanted, describe(costs))
    low, high = map(float, torch.aminmax(costs)) if costs.numel() else (0.0, 1.0)
    if not 0 <= low <= high <= 1:
        raise ShapeError("matching_prices", "costs", "in [0, 1]", f"from {low:g} to {high:g}")
    prices = torch.empty(len(costs), dtype=torch.float32)
    costs = costs.contiguous()
    library.call(
        "bench_matching_prices", costs.device, (_POINTER, _SIZE, _POINTER),
        costs.data_ptr(), len(costs), prices.data_ptr(),
    )  # fmt: skip
    return prices
