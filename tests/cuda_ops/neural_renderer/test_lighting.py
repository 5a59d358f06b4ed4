"""Light on faces, by the original's numbers and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import benchbench.cuda_ops.neural_renderer as nr
from benchbench.core.errors import ShapeError

CASES: dict[str, dict[str, Any]] = {
    "default": {},
    "coloured": {
        "intensity_ambient": 0.3,
        "intensity_directional": 0.8,
        "color_ambient": [1, 0.5, 0.25],
        "color_directional": [0.2, 0.9, 1.0],
        "direction": [0.3, 0.8, -0.5],
    },
    "noambient": {"intensity_ambient": 0},
    "batched": {
        "color_ambient": [[1, 0, 0.5], [0.2, 0.3, 0.4]],
        "color_directional": [[0.5, 0.5, 1], [1, 0.9, 0.8]],
        "direction": [[0, 1, 0], [1, 0, 0]],
    },
}


@pytest.mark.parametrize("case", CASES)
def test_equals_the_original(data: Path, case: str) -> None:
    with np.load(data / "nmr" / "lighting.npz") as archive:
        faces = torch.from_numpy(archive["faces"]).requires_grad_()
        textures = torch.from_numpy(archive["textures"]).requires_grad_()
        lit = nr.lighting(faces, textures, **CASES[case])
        lit.backward(torch.from_numpy(archive["g"]))
        assert faces.grad is not None and textures.grad is not None
        for found, name in ((lit.detach(), "out"), (faces.grad, "grad_faces"),
                            (textures.grad, "grad_textures")):  # fmt: skip
            expected = archive[f"{case}__{name}"]
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("batch", "count"), [(1, 3), (3, 1), (3, 3), (2, 2)])
def test_mended_three_normals(batch: int, count: int) -> None:
    """Where batch times faces is 3, the original's cross product takes the wrong axis."""
    face = torch.tensor([[0.0, 0, 1], [0, 0, 0], [1, 0, 0]])  # looks up
    faces, textures = face.expand(batch, count, 3, 3), torch.ones(batch, count, 2, 2, 2, 3)
    assert torch.equal(nr.lighting(faces, textures), textures)
    tilted = face @ torch.tensor([[1.0, 0, 0], [0, 0.6, -0.8], [0, 0.8, 0.6]]).T
    lit = nr.lighting(tilted.expand(batch, count, 3, 3), textures)
    assert torch.allclose(lit, torch.tensor(0.5 + 0.5 * 0.6))


def test_mended_the_callers_textures_stay() -> None:
    textures = torch.ones(1, 1, 2, 2, 2, 3)
    nr.lighting(torch.zeros(1, 1, 3, 3), textures, 0.25, 0)
    assert textures.eq(1).all()


def test_gradcheck() -> None:
    generator = torch.Generator().manual_seed(0)
    faces = torch.randn(1, 2, 3, 3, dtype=torch.float64, generator=generator).requires_grad_()
    textures = torch.rand(1, 2, 2, 2, 2, 3, dtype=torch.float64, generator=generator)
    assert torch.autograd.gradcheck(
        lambda f, t: nr.lighting(f, t, direction=(0.3, 0.7, -0.4)),
        (faces, textures.requires_grad_()),
    )


def test_refuses_colours_of_another_batch() -> None:
    with pytest.raises(ShapeError, match="color_ambient"):
        nr.lighting(
            torch.zeros(2, 1, 3, 3), torch.ones(2, 1, 2, 2, 2, 3), color_ambient=torch.ones(3, 3)
        )
