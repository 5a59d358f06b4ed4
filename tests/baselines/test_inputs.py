"""Pictures of any size become Kato's inverted, premultiplied four channels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from benchbench.baselines.inputs import choose_rendering, convert_picture, network_pictures
from benchbench.core.errors import ShapeError, UsageError


def slow_twin(picture: np.ndarray, size: int) -> np.ndarray:
    """Exact rational arithmetic: coverage-weighted mean colour of every output cell."""
    side = picture.shape[0]
    step = Fraction(side, size)
    out = np.zeros((4, size, size))
    alphas = {}
    for r in range(size):
        for c in range(size):
            alpha, colour = Fraction(0), [Fraction(0)] * 3
            for i in range(int(r * step), min(side, int((r + 1) * step) + 1)):
                for j in range(int(c * step), min(side, int((c + 1) * step) + 1)):
                    high = min(i + 1, (r + 1) * step) - max(i, r * step)
                    wide = min(j + 1, (c + 1) * step) - max(j, c * step)
                    if high <= 0 or wide <= 0:
                        continue
                    a = Fraction(int(picture[i, j, 3]), 255) * high * wide / step**2
                    alpha += a
                    for k in range(3):
                        colour[k] += a * Fraction(int(picture[i, j, k]), 255)
            alphas[r, c] = alpha
            for k in range(3):
                out[k, r, c] = alpha - colour[k]  # (1 - c) m, not yet divided by the largest m
    largest = max(alphas.values())
    for (r, c), alpha in alphas.items():
        out[3, r, c] = alpha
    return out / float(largest) * 255


def test_hand_computed_pixel() -> None:
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[0, 0] = (51, 102, 255, 255)  # opaque: 1 - c = 0.8, 0.6, 0
    picture[1, 2] = (51, 102, 255, 51)  # a fifth of it
    out = convert_picture(picture)
    assert out.shape == (4, 64, 64) and out.dtype == np.uint8
    assert abs(out[:, 0, 0].astype(int) - [204, 153, 0, 255]).max() <= 1  # the cut may lose one
    assert abs(out[:, 1, 2].astype(int) - [40, 30, 0, 51]).max() <= 1
    assert out[:, 5, 5].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("side", [137, 31, 128])
def test_area_average_equals_exact_arithmetic(side: int) -> None:
    rng = np.random.default_rng(side)
    picture = rng.integers(0, 256, (side, side, 4), dtype=np.uint8)
    picture[: side // 3] = 0
    got = convert_picture(picture, 16).astype(float)
    wanted = slow_twin(picture, 16)
    # Cut to 8 bits: never above, at most one (and rounding) below.
    assert (got <= wanted + 1e-3).all() and (wanted - got < 1.001).all()


def test_max_alpha_becomes_opaque() -> None:
    picture = np.full((64, 64, 4), 128, np.uint8)
    assert (convert_picture(picture)[3] == 255).all()


def test_transparent_picture_gives_zeros() -> None:
    picture = np.full((137, 137, 4), 200, np.uint8)
    picture[..., 3] = 0
    assert not convert_picture(picture).any()


def test_oblong_picture_is_padded_not_stretched() -> None:
    picture = np.full((32, 64, 4), 255, np.uint8)
    alpha = convert_picture(picture)[3]
    assert (alpha[16:48] == 255).all() and not alpha[:16].any() and not alpha[48:].any()


@pytest.mark.parametrize(
    "bad",
    [np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64, 4)), np.zeros((0, 64, 4), np.uint8), None],
)
def test_other_arrays_are_refused(bad: object) -> None:
    with pytest.raises(ShapeError, match="picture must be"):
        convert_picture(bad)  # type: ignore[arg-type]


def test_equals_the_original_conversion(shared: Path) -> None:
    with np.load(shared / "oracles" / "kato" / "misc.npz") as file:
        pictures, wanted = file["make_dataset/rgba_in"], file["make_dataset/npz_out"]
    for picture, one in zip(pictures, wanted, strict=True):
        np.testing.assert_array_equal(convert_picture(picture), one)


def test_genuine_renderings_reach_the_network(shared: Path) -> None:
    from PIL import Image

    folder = shared / "author_data" / "shapenet_sample" / "ShapeNetRendering"
    paths = sorted(folder.rglob("00.png"))
    assert paths
    for path in paths:
        out = convert_picture(np.asarray(Image.open(path).convert("RGBA")))
        assert 0.02 < (out[3] > 127).mean() < 0.7
        assert (out[:3].max(0) <= out[3]).all()  # premultiplied


def test_rendering_is_chosen_by_preference(little_store) -> None:
    assert choose_rendering(little_store, None, ("choy", "kato")) == "kato"
    assert choose_rendering(little_store, None, ("none",)) == "kato"
    with pytest.raises(UsageError, match="'chay'"):
        choose_rendering(little_store, "chay", ())
    pictures = network_pictures(little_store, [(0, 0), (0, 5)], "kato")
    assert pictures.shape == (2, 4, 64, 64)
    np.testing.assert_array_equal(pictures[1], convert_picture(little_store.image(0, 5)))
