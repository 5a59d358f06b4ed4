"""Every operation exists three times: compiled for the CPU, compiled for CUDA, in plain torch.

But for `CPU_ALONE`, which are no operations: nothing depends on what they answer but time.
"""

from __future__ import annotations

import ast
import ctypes
import importlib
import re
from pathlib import Path

import pytest
import torch

from benchbench.cuda_ops import build, library

SOURCES = Path(build.SOURCE_FOLDER)
PYTHON = SOURCES.parent
CUDA_ALONE = {"bench_sample_areas", "bench_sample_weights"}
"""Steps of an operation that takes one call on the CPU."""
CPU_ALONE = {"bench_matching_prices"}
"""The head start of a solver that runs on the CPU; what is scored is the solver's answer."""
OPS = {
    "dibr_rasterize", "dibr_rasterize_backward", "dibr_soft_mask", "dibr_soft_mask_backward",
    "nearest", "nearest_backward", "point_to_mesh", "points_in_mesh",
    "rasterize_layers", "rasterize_layers_backward", "rasterize_maps", "rasterize_silhouettes",
    "rasterize_silhouettes_backward", "sample_surface", "separating_axis",
    "vertices_to_faces", "vertices_to_faces_backward", "voxel_iou", "voxelize",
}  # fmt: skip


def exported(ending: str) -> set[str]:
    """Names of the C functions in the sources, written out or given to a macro."""
    names: set[str] = set()
    for path in SOURCES.glob(f"*{ending}"):
        text = path.read_text(encoding="utf-8")
        names |= set(re.findall(r"BENCH_API\s+int\s+(bench_\w+)", text))
        names |= set(re.findall(r"^BENCH_\w+\((bench_\w+),", text, re.MULTILINE))
    return names


def registered() -> dict[str, ast.FunctionDef]:
    """Name of a registered operation -> the function behind it."""
    found: dict[str, ast.FunctionDef] = {}
    for path in sorted(PYTHON.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith("custom_op"):
                    assert isinstance(mark.args[0], ast.Constant)
                    found[str(mark.args[0].value).removeprefix("benchbench::")] = node
                    importlib.import_module(f"benchbench.cuda_ops.{path.stem}")
    return found


def test_every_function_of_the_cpu_has_one_for_cuda() -> None:
    cpu, cuda = exported(".cpp"), exported(".cu")
    assert len(cpu) >= 22
    assert {f"{name}_cuda" for name in (cpu - CPU_ALONE) | CUDA_ALONE} == cuda


def test_python_calls_what_exists() -> None:
    called = {
        name
        for path in PYTHON.glob("*.py")
        for name in re.findall(r'"(bench_\w+)"', path.read_text(encoding="utf-8"))
    }
    known = {re.sub(r"_f(32|64)$", "", name) for name in exported(".cpp")}
    assert called == known | CUDA_ALONE


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_compiled_library_holds_them_all(device: str) -> None:
    name = "libbench_cuda.so" if device == "cuda" else build.cpu_library(library.cpu_level())
    path = library.INSTALL_FOLDER / name
    if not path.exists() or not build.is_current(device, library.INSTALL_FOLDER):
        pytest.skip(f"the install holds no {name} made from these sources")
    kernels = ctypes.CDLL(str(path))
    for function in exported(".cu" if device == "cuda" else ".cpp"):
        assert hasattr(kernels, function)


def test_every_operation_has_a_twin_and_a_shape() -> None:
    """Where nothing is compiled it asks first and goes another way; its shapes are known."""
    found = registered()
    assert set(found) >= OPS
    for name, function in found.items():
        body = ast.unparse(function)
        assert "library.available(" in body or "_compiled(" in body, name
        assert hasattr(torch.ops.benchbench, name)
        assert torch._C._dispatch_has_kernel_for_dispatch_key(f"benchbench::{name}", "Meta"), name
