"""Pictures of the three forms, and the crops of View Prior Learning."""

from __future__ import annotations

import numpy as np
import torch

from benchbench.baselines.inputs import convert_picture
from benchbench.baselines.learn3d.forms import FORMS
from benchbench.baselines.learn3d.photographs import target_mask
from benchbench.baselines.learn3d.pictures import jittered_box, normalised
from benchbench.datasets.pascal3d.convert import resized


def test_training_crop_with_jitter_and_flip(arrays) -> None:
    d = {key: value.numpy() for key, value in arrays("crop_image").items()}
    height, width = d["image"].shape[:2]
    # The original's order of draws: top, bottom, left, right, mirror.
    rng = np.random.RandomState(0)
    shares = [rng.uniform(-0.15, 0.15) for _ in range(4)]
    mirrored = rng.rand() < 0.5
    box = jittered_box(d["bbox"], (0, 0, width, height), shares)
    crop = resized(d["image"], box, 64)
    crop = crop[:, ::-1] if mirrored else crop
    assert np.array_equal(crop.transpose(2, 0, 1), d["in_64_seed0_jitter_flip"])


def test_crops_of_evaluation(arrays) -> None:
    d = {key: value.numpy() for key, value in arrays("crop_image").items()}
    height, width = d["image"].shape[:2]
    for size in (64, 128, 224):
        box = jittered_box(d["bbox"], (0, 0, width, height), (0, 0, 0, 0))
        assert np.array_equal(resized(d["image"], box, size).transpose(2, 0, 1), d[f"in_{size}"])
    box = jittered_box(d["bbox_outside"], (0, 0, width, height), (0, 0, 0, 0))
    assert np.array_equal(resized(d["image"], box, 64).transpose(2, 0, 1), d["in_64_bbox_outside"])


def test_masks_of_the_reference(arrays) -> None:
    d = {key: value.numpy() for key, value in arrays("crop_image").items()}
    reference = d["image_ref"]
    assert np.array_equal(target_mask(reference, 64), d["ref_64"][3])
    for size in (128, 224):
        wanted = d[f"ref_{size}"][3][None, None].astype(np.float32)
        nearest = torch.nn.functional.interpolate(
            torch.from_numpy(wanted), 64
        )  # the original's call
        assert np.array_equal(target_mask(reference, size), nearest[0, 0].numpy())


def test_lsms_picture_is_shrunk_as_by_the_original(arrays) -> None:
    d = {key: value.numpy() for key, value in arrays("lsm_resize").items()}
    form = FORMS["lsm"].input(64)
    found = convert_picture(d["image_uint8"], form, whole=True)
    # That file's channels are in the order in which learn3D holds them; ours come as RGBA.
    np.testing.assert_allclose(found, d["out"][[2, 1, 0, 3]], atol=2e-5)


def test_only_large_pictures_are_normalised() -> None:
    grey = torch.full((1, 3, 224, 224), 0.5)
    found = normalised(grey)[0, :, 0, 0]
    np.testing.assert_allclose(found, [0.015 / 0.229, 0.044 / 0.224, 0.094 / 0.225], rtol=1e-4)
    assert normalised(grey[..., :64, :64]) is not None
    assert torch.equal(normalised(torch.ones(1, 3, 64, 64)), torch.ones(1, 3, 64, 64))
