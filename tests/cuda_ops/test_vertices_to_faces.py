"""The corner gather: torch's own indexing is the twin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library
from benchbench.cuda_ops.vertices_to_faces import vertices_to_faces

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_CUDA)]


def twin(vertices: Tensor, faces: Tensor) -> Tensor:
    return torch.stack([one[index.long()] for one, index in zip(vertices, faces, strict=True)])


def test_equals_the_original(data: Path) -> None:
    with np.load(data / "nmr" / "vertices_to_faces.npz") as archive:
        vertices = torch.from_numpy(archive["vertices"]).requires_grad_()
        out = vertices_to_faces(vertices, torch.from_numpy(archive["faces"]))
        assert np.array_equal(out.detach().numpy(), archive["out"])
        out.backward(torch.from_numpy(archive["g"]))
        assert vertices.grad is not None
        np.testing.assert_allclose(vertices.grad.numpy(), archive["grad_vertices"], atol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("shared_faces", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_indexing(device: str, batch: int, shared_faces: bool, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(batch)
    vertices = torch.randn(batch, 9, 3, dtype=dtype, generator=generator)
    faces = torch.randint(9, (batch, 40, 3), generator=generator, dtype=torch.int32)
    if shared_faces:
        faces = faces[:1].expand(batch, -1, -1)
    upstream = torch.randn(batch, 40, 3, 3, dtype=dtype, generator=generator)
    leaves = [vertices.clone().requires_grad_(), vertices.clone().to(device).requires_grad_()]
    given = faces[0] if shared_faces else faces
    results = [twin(leaves[0], faces), vertices_to_faces(leaves[1], given.to(device))]
    assert torch.equal(results[0], results[1].cpu())
    for result, leaf in zip(results, leaves, strict=True):
        result.backward(upstream.to(leaf.device))
    assert torch.allclose(leaves[0].grad, leaves[1].grad.cpu(), atol=1e-5)  # type: ignore[arg-type, union-attr]


@pytest.mark.parametrize("device", DEVICES)
def test_the_gradient_is_the_same_bits_every_time(device: str) -> None:
    generator = torch.Generator().manual_seed(0)
    faces = torch.randint(5, (3000, 3), generator=generator).to(device)
    upstream = torch.randn(4, 3000, 3, 3, generator=generator).to(device)
    leaf = torch.zeros(4, 5, 3, device=device, requires_grad=True)
    found = [
        torch.autograd.grad(vertices_to_faces(leaf, faces), leaf, upstream)[0] for _ in range(5)
    ]
    assert all(torch.equal(one, found[0]) for one in found)


def test_serves_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = torch.tensor([[0, 1, 2], [2, 1, 3]])
    leaf = torch.randn(2, 4, 3, requires_grad=True)
    expected = torch.autograd.grad(vertices_to_faces(leaf, faces).square().sum(), leaf)[0]
    monkeypatch.setattr(library, "available", lambda device: False)
    found = torch.autograd.grad(vertices_to_faces(leaf, faces).square().sum(), leaf)[0]
    assert torch.allclose(found, expected)


def test_the_op_is_sound() -> None:
    faces = torch.tensor([[[0, 1, 2]]], dtype=torch.int32)
    vertices = torch.randn(2, 4, 3, requires_grad=True)
    torch.library.opcheck(
        torch.ops.benchbench.vertices_to_faces.default,
        (vertices, faces),
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (torch.zeros(4, 3), torch.zeros(2, 3).int(), "vertices must be"),
        (torch.zeros(2, 0, 3), torch.zeros(2, 3).int(), "vertices must be"),
        (torch.zeros(2, 4, 3).half(), torch.zeros(2, 3).int(), "vertices must be float32"),
        (torch.zeros(2, 4, 3), torch.zeros(0, 3).int(), "faces must be"),
        (torch.zeros(2, 4, 3), torch.zeros(3, 2, 3).int(), "faces must be"),
        (torch.zeros(2, 4, 3), torch.zeros(2, 3), "faces must be int32 or int64"),
        (torch.zeros(2, 4, 3), torch.tensor([[0, 1, 4]]), "from 0 to 3, got 4"),
        (torch.zeros(2, 4, 3), torch.tensor([[0, -1, 3]]), "from 0 to 3, got -1"),
    ],
)
def test_refuses_by_name(vertices: Tensor, faces: Tensor, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        vertices_to_faces(vertices, faces)
