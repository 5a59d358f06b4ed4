"""Pictures come out of their coding as they went in, and damaged ones are refused."""

from __future__ import annotations

import numpy as np
import pytest

from benchbench.core.errors import InputError
from benchbench.datasets.picture_coding import decode_picture, encode_picture
from benchbench.datasets.store_format import pack_voxels


def pictures() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shaded = np.add.outer(np.arange(60), np.arange(70))[..., None] * np.array([3, 5, 7, 0])
    shaded = (shaded + rng.integers(0, 3, shaded.shape)).astype(np.uint8)
    shaded[..., 3] = 255
    found = {"shaded": shaded, "one pixel": np.zeros((30, 40, 4), np.uint8)}
    found["one pixel"][29, 0] = (1, 2, 3, 4)
    for share in (0.0, 0.001, 0.5, 1.0):
        image = rng.integers(0, 256, (30, 40, 4), dtype=np.uint8)
        image[..., 3] = np.where(rng.random((30, 40)) < share, image[..., 3] | 1, 0)
        found[f"noise {share}"] = image
    return found


@pytest.mark.parametrize("name", pictures())
def test_picture_coding(name: str) -> None:
    image = pictures()[name]
    height, width = image.shape[:2]
    box, data = encode_picture(image)
    clean = np.where(image[..., 3:] > 0, image, 0)
    assert np.array_equal(decode_picture(box, data, height, width), clean)
    if name == "shaded":
        assert data[0] == 1  # differences are shorter here
    if name == "noise 0.0":
        assert (box, data) == ((0, 0, 0, 0), b"")
        return
    with pytest.raises(InputError, match="leaves the picture"):
        decode_picture((*box[:2], box[2] + height, box[3]), data, height, width)
    with pytest.raises(InputError, match="fill"):
        decode_picture((0, 0, box[2] + 1, box[3]), data, height + 1, width)
    for length in range(len(data)):
        with pytest.raises(InputError):
            decode_picture(box, data[:length], height, width)
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 0x41
        with pytest.raises(InputError):
            decode_picture(box, bytes(flipped), height, width)


def test_pictures_and_voxels_of_wrong_kinds() -> None:
    for wrong in (np.zeros((3, 3, 3), np.uint8), np.zeros((3, 3, 4), np.float32)):
        with pytest.raises(InputError):
            encode_picture(wrong)
    _, bomb = encode_picture(np.full((200, 200, 4), 255, np.uint8))
    with pytest.raises(InputError, match="fill"):
        decode_picture((0, 0, 2, 2), bomb, 200, 200)
    for wrong in (np.zeros((3, 3, 4), np.uint8), np.zeros((3, 3), np.uint8), np.zeros(3)):
        with pytest.raises(InputError, match="depth picture"):
            encode_picture(wrong, "depth")
    with pytest.raises(InputError):
        pack_voxels(np.zeros((2, 2, 3), bool))


def test_a_masked_picture_keeps_its_background() -> None:
    image = np.random.default_rng(3).integers(0, 256, (11, 7, 4), dtype=np.uint8)
    image[..., 3] = 0
    box, data = encode_picture(image, "rgb+mask")
    assert box == (0, 0, 11, 7)
    assert np.array_equal(decode_picture(box, data, 11, 7, "rgb+mask"), image)


@pytest.mark.parametrize("kind", ["slope", "noise", "nothing", "one"])
def test_depth(kind: str) -> None:
    rows, columns = np.mgrid[:20, :30]
    depth = {
        "slope": 40_000 + 700 * rows + 300 * columns,
        "noise": np.random.default_rng(5).integers(0, 65_536, (20, 30)),
        "nothing": np.zeros((20, 30)),
        "one": np.where((rows == 4) & (columns == 29), 65_535, 0),
    }[kind].astype(np.uint16)
    box, data = encode_picture(depth, "depth")
    assert np.array_equal(decode_picture(box, data, 20, 30, "depth"), depth)
    if kind == "nothing":
        assert (box, data) == ((0, 0, 0, 0), b"")
    if kind == "one":
        assert box == (4, 29, 1, 1)
    if kind == "slope":
        assert data[0] == 1 and len(data) < 200  # differences of a plane are constant
