"""Shape codes of a split, t-SNE and interpolation, with methods whose codes are known."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchbench.analysis.codes import shape_codes
from benchbench.analysis.interpolation import interpolate, interpolation_strip
from benchbench.analysis.tsne import embed, scatter
from benchbench.baselines.learn3d.entanglement import pose_entanglement
from benchbench.baselines.learn3d.mmd import mean_mmd, pairwise_mmd
from benchbench.core.errors import MissingError, UsageError
from benchbench.core.types import Mesh
from benchbench.datasets.exporting import asymmetric_solid
from benchbench.datasets.store import Store


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_tests_tiny_for_analysis", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Three classes of 2 / 1 / 4 objects with three views each."""
    tiny = _load(Path(__file__).parents[1] / "evaluation" / "tiny.py")
    return Store(tiny.make_store(tmp_path_factory.mktemp("analysis")))


class Spec:
    id = "known"


class Known:
    """Codes (row, 10 view); shapes are the asymmetric solid, stretched by the first number."""

    spec = Spec()

    def rendering(self, store: Any) -> str:
        return "kato"

    def codes_of(self, store: Any, items: Sequence[tuple[int, int]]) -> torch.Tensor:
        if not hasattr(store, "object_ids"):  # picture files: the mean of their pixels
            return torch.tensor([[float(store.image(0, view).mean()), 1.0] for _, view in items])
        return torch.tensor([[float(row), 10.0 * view] for row, view in items])

    def decode(self, codes: torch.Tensor) -> Any:
        meshes = [self._mesh(float(code[0])) for code in codes]

        class Meshes:
            def to_object(self) -> list[Mesh]:
                return meshes

        return Meshes()

    def _mesh(self, scale: float) -> Mesh:
        solid = asymmetric_solid("03001627/a").mesh
        return Mesh((solid.vertices * scale).astype(np.float32), solid.faces)


def test_codes_are_by_object_and_view(store: Store) -> None:
    found = shape_codes(Known(), store, "test")
    rows = store.indices("test").tolist()
    assert found.codes.shape == (12, 3, 2) and found.views == 3
    for n, row in enumerate(rows):
        assert found.object_ids[n] == store.object_ids[row]
        assert found.classes[n] == dict(store.classes)[store.class_of(row)]
        for view in range(3):
            assert found.codes[n, view].tolist() == [row, 10 * view]
    few = shape_codes(Known(), store, "test", ["chair"], 2)
    assert few.classes == ("chair", "chair")


def test_numbers_of_known_codes(store: Store) -> None:
    # Codes (row, 10 view): within an object the spread is that of 0, 10, 20 about 10 (200 / 3);
    # between objects that of the rows. A pose moves all codes by a multiple of (0, 10).
    found = shape_codes(Known(), store, "test")
    rows = store.indices("test").astype(float)
    between = float(((rows - rows.mean()) ** 2).mean())
    assert pose_entanglement(found.codes) == pytest.approx((200 / 3 / between) ** 0.5)
    pairs = pairwise_mmd(found.codes)
    assert pairs.shape == (3, 3) and mean_mmd(pairs) > 0
    assert pairs[0, 1] == pytest.approx(float(pairs[1, 2]))  # equally far


def test_what_cannot_be_analysed(store: Store) -> None:
    class Nothing:
        spec = Spec()

    with pytest.raises(UsageError, match="'known' has no shape codes"):
        shape_codes(Nothing(), store, "test")
    with pytest.raises(UsageError, match="no shape codes"):
        interpolate(Nothing(), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8))
    with pytest.raises(MissingError, match="has no objects"):
        shape_codes(Known(), _Empty(store), "test")
    ragged = _Ragged(store)
    with pytest.raises(UsageError, match="2 to 3 pictures"):
        shape_codes(Known(), ragged, "test")


class _Empty:
    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def indices(self, *_: Any) -> np.ndarray:
        return np.zeros(0, np.int64)


class _Ragged:
    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def view_counts(self, rendering: str) -> np.ndarray:
        counts = self._store.view_counts(rendering)
        counts[self._store.indices("test")[0]] = 2
        return counts


# -- t-SNE ----------------------------------------------------------------------------------


def test_clusters_stay_apart() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(3, 80) * 40
    codes = np.concatenate([c + rng.normal(size=(30, 80)) for c in centres]).astype(np.float32)
    places = embed(codes)
    assert places.shape == (90, 2) and np.isfinite(places).all()
    groups = places.reshape(3, 30, 2)
    middles = groups.mean(1)
    widest = max(np.linalg.norm(g - m, axis=1).max() for g, m in zip(groups, middles, strict=True))
    nearest = min(np.linalg.norm(middles[a] - middles[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert nearest > 2 * widest
    assert (embed(codes) == places).all()


def test_few_codes() -> None:
    rng = np.random.default_rng(0)
    assert embed(rng.normal(size=(4, 60)).astype(np.float32)).shape == (4, 2)
    with pytest.raises(UsageError, match="t-SNE of 3 codes"):
        embed(np.zeros((3, 5), np.float32))


@pytest.mark.parametrize("ordered", [False, True])
def test_picture_has_the_size_and_a_colour_for_each_label(tmp_path: Path, ordered: bool) -> None:
    path = tmp_path / "new" / "a.png"
    labels = ["one"] * 5 + ["two"] * 5
    places = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
    scatter(path, places, labels, "a title", ordered)
    first = path.read_bytes()
    with Image.open(path) as picture:
        assert picture.size == (1500, 1000)
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    colourful = pixels[np.ptp(pixels.astype(int), axis=1) > 100]
    assert len(np.unique(colourful, axis=0)) >= 2
    scatter(path, places, labels, "a title", ordered)
    assert path.read_bytes() == first
    assert list(path.parent.iterdir()) == [path]


# -- interpolation --------------------------------------------------------------------------


def test_the_line_between_two_codes() -> None:
    # Codes (0.4, 1) and (1, 1): the asymmetric solid grows by a fifth of 0.6 a step.
    low, high = np.zeros((5, 5, 4), np.uint8), np.zeros((6, 7, 4), np.uint8)
    method = Known()
    method.codes_of = lambda files, items: torch.tensor(  # type: ignore[method-assign]
        [[0.4 if files.image(0, 0).shape[0] == 5 else 1.0, 1.0]]
    )
    meshes = interpolate(method, low, high)
    assert len(meshes) == 6
    longest = [float(np.ptp(mesh.vertices, axis=0).max()) for mesh in meshes]
    assert longest == pytest.approx([0.4, 0.52, 0.64, 0.76, 0.88, 1.0], abs=1e-6)
    strip = interpolation_strip(meshes)
    assert strip.shape == (256, 384, 3)
    shown = [int(strip[:, 64 * n : 64 * n + 64].any(axis=2).sum()) for n in range(6)]
    assert shown == sorted(shown) and shown[0] > 100
    with pytest.raises(UsageError, match="0 steps"):
        interpolate(method, low, high, 0)
