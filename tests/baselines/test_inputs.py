"""Pictures of any size and set become what each network takes."""

from __future__ import annotations

import dataclasses
import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchbench.baselines.inputs import (
    as_floats,
    choose_rendering,
    convert_picture,
    network_pictures,
    on_background,
)
from benchbench.baselines.kato.spec import INPUT as KATO
from benchbench.baselines.resizing import area_weights, axis_matrix, resize
from benchbench.baselines.spec import InputForm
from benchbench.core.errors import ShapeError, UsageError

# As the specifications of the other methods have them.
R2N2 = InputForm(127, "rgb", "keyed", background=240, crop_from=137)
LSM = InputForm(
    64, "bgra", "stored", background=255, resize="antialiased", mask="depth", kind="float32"
)
PASCAL = InputForm(64, "rgba", "over", background=255, resize="bilinear")
DIBR = InputForm(8, "bgra", "over", background=255, kind="float32")


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
    out = convert_picture(picture, KATO)
    assert out.shape == (4, 64, 64) and out.dtype == np.uint8
    assert abs(out[:, 0, 0].astype(int) - [204, 153, 0, 255]).max() <= 1  # the cut may lose one
    assert abs(out[:, 1, 2].astype(int) - [40, 30, 0, 51]).max() <= 1
    assert out[:, 5, 5].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("side", [137, 31, 128])
def test_area_average_equals_exact_arithmetic(side: int) -> None:
    rng = np.random.default_rng(side)
    picture = rng.integers(0, 256, (side, side, 4), dtype=np.uint8)
    picture[: side // 3] = 0
    got = convert_picture(picture, dataclasses.replace(KATO, size=16)).astype(float)
    wanted = slow_twin(picture, 16)
    # Cut to 8 bits: never above, at most one (and rounding) below.
    assert (got <= wanted + 1e-3).all() and (wanted - got < 1.001).all()


def test_max_alpha_becomes_opaque() -> None:
    picture = np.full((64, 64, 4), 128, np.uint8)
    assert (convert_picture(picture, KATO)[3] == 255).all()


def test_transparent_picture_gives_zeros() -> None:
    picture = np.full((137, 137, 4), 200, np.uint8)
    picture[..., 3] = 0
    assert not convert_picture(picture, KATO).any()


def test_oblong_picture_is_padded_not_stretched() -> None:
    picture = np.full((32, 64, 4), 255, np.uint8)
    alpha = convert_picture(picture, KATO)[3]
    assert (alpha[16:48] == 255).all() and not alpha[:16].any() and not alpha[48:].any()


@pytest.mark.parametrize(
    "bad",
    [np.zeros((64, 64, 2), np.uint8), np.zeros((64, 64, 4)), np.zeros((0, 64, 4), np.uint8), None],
)
def test_other_arrays_are_refused(bad: object) -> None:
    with pytest.raises(ShapeError, match="picture must be"):
        convert_picture(bad, KATO)  # type: ignore[arg-type]


def test_equals_the_original_conversion(shared: Path) -> None:
    with np.load(shared / "oracles" / "kato" / "misc.npz") as file:
        pictures, wanted = file["make_dataset/rgba_in"], file["make_dataset/npz_out"]
    for picture, one in zip(pictures, wanted, strict=True):
        np.testing.assert_array_equal(convert_picture(picture, KATO), one)


def test_genuine_renderings_reach_the_network(shared: Path) -> None:
    folder = shared / "author_data" / "shapenet_sample" / "ShapeNetRendering"
    paths = sorted(folder.rglob("00.png"))
    assert paths
    for path in paths:
        out = convert_picture(np.asarray(Image.open(path).convert("RGBA")), KATO)
        assert 0.02 < (out[3] > 127).mean() < 0.7
        assert (out[:3].max(0) <= out[3]).all()  # premultiplied


def test_rendering_is_chosen_by_preference(little_store) -> None:
    assert choose_rendering(little_store, None, ("choy", "kato")) == "kato"
    assert choose_rendering(little_store, None, ("none",)) == "kato"
    with pytest.raises(UsageError, match="'chay'"):
        choose_rendering(little_store, "chay", ())
    pictures = network_pictures(little_store, [(0, 0), (0, 5)], "kato", KATO)
    assert pictures.shape == (2, 4, 64, 64)
    np.testing.assert_array_equal(pictures[1], convert_picture(little_store.image(0, 5), KATO))


class Fake:
    """A store of one object with given pictures."""

    id, array_kinds = "fake", ()
    renderings: tuple[str, ...] = ("one",)

    def __init__(self, pictures: np.ndarray, tables: dict[str, Any] | None = None, **note: Any):
        self.pictures, self.tables = {"one": pictures}, tables or {}
        self.array_kinds = tuple(self.tables)
        self.info = {"renderings": [{"name": "one", "mode": "rgba", **note}]}

    def with_depth(self, depth: np.ndarray) -> Fake:
        self.renderings = ("one", "one-depth")
        self.pictures["one-depth"] = depth
        self.info["renderings"].append({"name": "one-depth", "mode": "depth"})
        return self

    def batch(self, rows: Any, views: Any, rendering: str | None = None) -> np.ndarray:
        assert not np.asarray(rows).any()
        return self.pictures[rendering or "one"][np.asarray(views)]

    def array(self, index: int, name: str) -> np.ndarray:
        return np.asarray(self.tables[name])


def one_pixel(*values: int) -> np.ndarray:
    return np.array(values, np.uint8).reshape(1, 1, 4)


def taken(store: Any, form: InputForm, views: tuple[int, ...] = (0,)) -> np.ndarray:
    return network_pictures(store, [(0, view) for view in views], "one", form)


@pytest.mark.parametrize(
    ("colours", "background", "pixel", "wanted"),
    [
        ("over", 255, (10, 20, 30, 255), (10, 20, 30)),
        ("over", 255, (10, 20, 30, 0), (255, 255, 255)),
        ("over", 255, (0, 51, 255, 51), (204, 214, 255)),  # a fifth of it: 204 + c/5, 214.2
        ("over", 100, (200, 0, 100, 128), (150, 50, 100)),  # 150.2, 49.8
        ("keyed", 240, (10, 20, 30, 1), (10, 20, 30)),
        ("keyed", 240, (10, 20, 30, 0), (240, 240, 240)),
        ("over", None, (10, 20, 30, 0), (0, 0, 0)),
    ],
)
def test_backgrounds_by_hand(
    colours: Any, background: int | None, pixel: tuple[int, ...], wanted: tuple[int, ...]
) -> None:
    form = InputForm(1, "rgb", colours, background)
    assert on_background(one_pixel(*pixel), form)[0, 0].tolist() == list(wanted)
    assert convert_picture(one_pixel(*pixel), form)[:, 0, 0].tolist() == list(wanted)
    whole = convert_picture(one_pixel(*pixel), form, whole=True)
    assert whole[:, 0, 0].tolist() == list(pixel[:3])  # a photograph keeps its own


def test_channel_orders() -> None:
    pixel = one_pixel(1, 2, 3, 255)
    for channels, wanted in {"rgb": [1, 2, 3], "bgr": [3, 2, 1], "bgra": [3, 2, 1, 255]}.items():
        form = InputForm(1, channels, "over", 0)
        assert convert_picture(pixel, form)[:, 0, 0].tolist() == wanted
    shares = convert_picture(pixel, InputForm(1, "bgra", "over", 0, kind="float32"))
    assert shares.dtype == np.float32
    np.testing.assert_array_equal(shares[:, 0, 0], np.float32([3, 2, 1, 255]) / np.float32(255))
    np.testing.assert_array_equal(as_floats(shares), shares)


def test_3d_r2n2_sees_what_its_script_makes(shared: Path) -> None:
    folder = shared / "oracles" / "r2n2"
    picture = np.asarray(Image.open(folder / "preprocess_input_rgba137.png"))
    with np.load(folder / "preprocess_expected.npz") as file:
        wanted, plain = file["test"], file["test_rgb_noalpha"]
    np.testing.assert_array_equal(
        as_floats(convert_picture(picture, R2N2)).transpose(1, 2, 0), wanted
    )
    got = as_floats(convert_picture(picture[..., :3], R2N2)).transpose(1, 2, 0)
    np.testing.assert_array_equal(got, plain)


def test_only_pictures_of_another_size_are_cut() -> None:
    ramp = np.arange(9, dtype=np.uint8)[:, None].repeat(9, 1)
    picture = np.dstack([ramp, ramp, ramp, np.full((9, 9), 255, np.uint8)])
    form = InputForm(5, "rgb", "keyed", 240, crop_from=9)
    assert convert_picture(picture, form)[0, :, 0].tolist() == [2, 3, 4, 5, 6]
    assert convert_picture(picture[:5, :5], form)[0, :, 0].tolist() == [0, 1, 2, 3, 4]
    doubled = convert_picture(picture.repeat(2, 0).repeat(2, 1), form)
    assert doubled[1, :, 0].tolist() == [2, 3, 4, 5, 6]


def test_learn3d_resizes_as_its_script_does(shared: Path) -> None:
    with np.load(shared / "oracles" / "learn3d" / "lsm_resize.npz") as file:
        picture, wanted = file["image_uint8"], file["out"]
    form = InputForm(64, "rgba", "stored", 255, "antialiased", kind="float32")
    got = convert_picture(picture, form, whole=True)
    np.testing.assert_allclose(got, wanted, atol=2e-6, rtol=0)


def test_pillow_rounds_after_each_axis() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (30, 30, 4), dtype=np.uint8)
    image = Image.fromarray(picture[..., :3]).resize((64, 64), Image.Resampling.BILINEAR)
    got = convert_picture(picture, PASCAL, whole=True)
    np.testing.assert_array_equal(got[:3].transpose(1, 2, 0), np.asarray(image))


def test_area_averages_by_hand() -> None:
    assert area_weights(3, 2).tolist() == [[2, 1, 0], [0, 1, 2]]
    picture = np.array([[0, 30, 60], [0, 30, 60], [90, 90, 90]], np.uint8)[..., None]
    got = resize(picture, 1, "area")
    np.testing.assert_allclose(got[..., 0], [[picture.mean()]], rtol=1e-6)
    got = resize(picture, 2, "area")[..., 0]
    # weights of rows and columns (2, 1, 0)/3 and (0, 1, 2)/3
    np.testing.assert_allclose(got, [[10.0, 50.0], [63.333332, 76.666664]], rtol=1e-6)


@pytest.mark.parametrize("rule", ["area", "antialiased", "test"])
@pytest.mark.parametrize(("source", "size"), [(64, 224), (137, 64), (5, 5), (1, 3), (3, 1)])
def test_a_flat_picture_stays_flat(rule: str, source: int, size: int) -> None:
    rule = f"{__name__}:nearest" if rule == "test" else rule
    matrix = axis_matrix(rule, source, size)
    assert matrix.shape == (size, source)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-6)


def nearest(source: int, size: int) -> np.ndarray:
    """A rule of a method's own."""
    return np.eye(source)[np.arange(size) * source // size]


def test_oblong_pictures_get_the_background() -> None:
    picture = np.full((4, 8, 4), 7, np.uint8)
    got = convert_picture(picture, DIBR, whole=True)
    assert (got[:, 2:6] == np.float32(7) / np.float32(255)).all()
    assert (got[:3, :2] == 1).all() and (got[3, :2] == 0).all() and (got[3, 6:] == 0).all()


def test_katos_archive_for_other_methods() -> None:
    # c = (51, 102, 255) at half coverage: stored (1 - c) m is (102, 76.5, 0)
    stored = np.zeros((1, 2, 2, 4), np.uint8)
    stored[0, 0, 0] = (102, 76, 0, 128)
    store = Fake(stored, colours="inverted")
    straight = taken(store, InputForm(2, "rgba", "keyed", 240))
    assert straight.shape == (1, 4, 2, 2)
    assert abs(straight[0, :, 0, 0].astype(int) - [52, 104, 255, 128]).max() <= 1
    assert straight[0, :, 1, 1].tolist() == [240, 240, 240, 0]
    white = taken(store, InputForm(2, "rgb", "over", 255))
    assert abs(white[0, :, 0, 0].astype(int) - (255 - stored[0, 0, 0, :3])).max() <= 1
    untouched = taken(store, dataclasses.replace(KATO, size=2))
    np.testing.assert_array_equal(untouched[0], stored[0].transpose(2, 0, 1))


def test_katos_archive_in_another_size() -> None:
    rng = np.random.default_rng(0)
    straight = rng.integers(0, 256, (1, 64, 64, 4), dtype=np.uint8)
    straight[0, 0, 0, 3] = 255
    stored = taken(Fake(straight), KATO).transpose(0, 2, 3, 1)
    half = dataclasses.replace(KATO, size=32)
    got = taken(Fake(stored, colours="inverted"), half).astype(int)
    wanted = taken(Fake(straight), half).astype(int)
    # Both cut to bytes, and colours of little coverage are coarse: some levels.
    assert abs(got - wanted).max() <= 4 and abs(got - wanted).mean() < 1


def test_whole_pictures_keep_their_background_except_for_kato() -> None:
    photo = np.full((1, 2, 2, 4), 50, np.uint8)
    photo[0, :, 0, 3], photo[0, :, 1, 3] = 255, 0
    store = Fake(photo, mode="rgb+mask")
    form = InputForm(2, "rgba", "over", 255)
    np.testing.assert_array_equal(taken(store, form)[0], photo[0].transpose(2, 0, 1))
    inverted = taken(store, dataclasses.replace(KATO, size=2))[0]
    assert abs(inverted[0, :, 0].astype(int) - 205).max() <= 1 and not inverted[:, :, 1].any()


def test_hidden_colours_of_the_lsm_archive() -> None:
    picture = np.zeros((2, 2, 2, 4), np.uint8)
    picture[:, 0, 0] = (1, 2, 3, 255)
    tables = {
        "hidden_colour": np.array([[9, 9, 9], [250, 251, 252]], np.uint8),
        "hidden_pixels": np.array([[1, 0, 1, 4, 5, 6]], np.uint8),
    }
    depth = np.array([[[5, 0], [0, 0]], [[5, 7], [0, 0]]], np.uint16)
    store = Fake(picture, tables).with_depth(depth)
    form = dataclasses.replace(LSM, size=2, kind="uint8")
    got = taken(store, form, (1,))[0].transpose(1, 2, 0)
    assert got.tolist() == [
        [[3, 2, 1, 255], [6, 5, 4, 255]],
        [[252, 251, 250, 0], [252, 251, 250, 0]],
    ]
    plain = taken(Fake(picture), form)[0].transpose(1, 2, 0)  # a set that keeps no such colours
    assert plain[1, 1].tolist() == [255, 255, 255, 0] and plain[0, 0].tolist() == [3, 2, 1, 255]


def test_depth_is_no_picture() -> None:
    store = Fake(np.zeros((1, 2, 2), np.uint16), mode="depth")
    with pytest.raises(UsageError, match="'one' of data set 'fake' holds depth") as caught:
        taken(store, KATO)
    assert caught.value.hint == "renderings there: one"
    assert network_pictures(Fake(np.zeros((0, 2, 2, 4), np.uint8)), [], "one", R2N2).shape == (
        0, 3, 127, 127,
    )  # fmt: skip


def test_files_of_any_kind() -> None:
    for mode, size in (("RGB", (3, 5)), ("RGBA", (200, 100))):
        data = io.BytesIO()
        Image.new(mode, size, "orange").save(data, "png")
        picture = np.asarray(Image.open(data))
        for form in (KATO, R2N2, LSM, PASCAL, DIBR):
            got = as_floats(convert_picture(picture, form))
            assert got.shape == (len(form.channels), form.size, form.size)
            assert np.isfinite(got).all() and got.min() >= 0 and got.max() <= 1


def test_forms_in_words() -> None:
    assert str(KATO) == ("64x64 RGBA, inverted colours, premultiplied, resized by area averages")
    assert str(LSM) == (
        "64x64 BGRA, background 255, hidden colours as stored, mask from depth, "
        "resized by scikit-image"
    )
