"""Two iterations of the proposed training against the original's: losses, gradients, steps.

The weights of the full encoder are not among the reference arrays (82 MB); its codes are. So the
codes are leaves here, and what reaches them is compared: the gradient of the encoder's last layer
follows from it and from the stored features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchbench.baselines.learn3d.adam import Adam
from benchbench.baselines.learn3d.architecture import Widths
from benchbench.baselines.learn3d.network import Generator, PoseDiscriminator
from benchbench.baselines.learn3d.objective import (
    Topology,
    is_discriminating,
    pose_losses,
    shape_losses,
    weighted,
)
from benchbench.baselines.learn3d.silhouettes import silhouettes
from benchbench.baselines.learn3d.spec import Learn3dOptions
from benchbench.baselines.learn3d.sphere import sphere

TOPOLOGY = Topology.of(sphere(642)[1], 642)
OPTIONS = Learn3dOptions()
RATE = 1e-4
FEW = 8 * 0.25


def near(found: Any, wanted: Any, rel: float) -> None:
    """[sum, L2 norm] of a tensor: the norm within `rel`, the sum within as much of the norm."""
    found = found.detach().double()
    total, norm = float(found.sum()), float(found.norm())
    assert norm == pytest.approx(wanted[1], rel=rel, abs=1e-9)
    # A sum of n numbers that nearly cancel keeps an error of sqrt(n) parts of the norm.
    assert abs(total - wanted[0]) <= rel * wanted[1] * found.numel() ** 0.5 + 1e-7


def compare(gradients: dict[str, Tensor], wanted: dict[str, Any], rel: float) -> None:
    assert gradients and set(gradients) <= set(wanted)
    for name, gradient in gradients.items():
        near(gradient, wanted[name], rel)


def iteration(
    number: int,
    codes: Tensor,
    generator: nn.Module,
    discriminator: nn.Module,
    batch: dict[str, Tensor],
) -> dict[str, tuple[float, Tensor]]:
    vertices = generator(codes)
    drawn = silhouettes(vertices, TOPOLOGY.faces, batch["eye"], 15.0)
    masks = batch["images_uint8"][:, 3].float() / 255
    losses = shape_losses(vertices, drawn, masks, TOPOLOGY, OPTIONS)
    bins = batch["view_ids"].long()
    return losses | pose_losses(number, codes, bins, discriminator, OPTIONS)


def test_two_iterations(arrays, values) -> None:
    d = arrays("io_cvpr18")
    first, second = arrays("train_proposed_iter1"), arrays("train_proposed_iter2")
    recorded = values["train_two_iterations_proposed"]
    generator, discriminator = Generator(Widths()), PoseDiscriminator(512, 24)
    generator.load_state_dict(arrays("weights_G"))
    discriminator.load_state_dict(arrays("weights_D24"))
    adam_g = Adam(dict(generator.named_parameters()))
    adam_d = Adam(dict(discriminator.named_parameters()))

    for number, file, wanted in ((1, first, recorded[0]), (2, second, recorded[1])):
        codes = (d["z"] if number == 1 else file["z"]).clone().requires_grad_()
        with torch.no_grad():
            vertices = generator(codes)
            if number == 2:
                # The gradients of one coordinate cancel over the batch, so that rounding turns
                # signs among its weights, and with them Adam's first step.
                apart = (vertices - file["vertices"]).abs()
                assert (apart > 1e-5).any(0).sum() <= 1 and apart.max() <= 2.01 * RATE
            drawn = silhouettes(vertices, TOPOLOGY.faces, d["eye"], 15.0)
            assert (drawn - file["silhouettes"][:, 0]).abs().sum() <= FEW
        adam_g.zero_grad()
        adam_d.zero_grad()
        losses = iteration(number, codes, generator, discriminator, d)
        named = {"iou_loss": "iou_loss", "smoothness": "smoothness", "prior": "Gprior"}
        named |= {"pose_loss": "d_loss"} if number == 1 else {"confusion": "adv_loss"}
        assert set(losses) == set(named)
        # The second iteration starts with that coordinate apart.
        rel, slope = (1e-5, 1e-3) if number == 1 else (1e-4, 5e-3)
        for ours, theirs in named.items():
            assert losses[ours][1].item() == pytest.approx(wanted[theirs], rel=rel), ours
        total = weighted(losses)
        assert total.item() == pytest.approx(wanted["total"], rel=rel)
        total.backward()

        compare({k: p.grad for k, p in generator.named_parameters()}, wanted["grad_G"], slope)
        compare({k: p.grad for k, p in discriminator.named_parameters()}, wanted["grad_D"], slope)
        last = {"shapeLayer.bias": codes.grad.sum(0)}
        if number == 1:
            last["shapeLayer.weight"] = codes.grad.T @ d["fc_out"]
            gradient = generator.bias_layer.bias.grad.reshape(642, 3)
            difference = gradient - first["grad_bias_layer_bias"]
            assert difference.norm() < 1e-3 * gradient.norm()
        compare(last, wanted["grad_E"], slope)

        assert is_discriminating(number) == (number == 1)
        adam_g.step(RATE)
        if is_discriminating(number):
            adam_d.step(RATE)
        # A step is nearly the gradient's sign: where the gradient is rounding noise it may turn.
        compare(dict(generator.named_parameters()), wanted["after_G"], 1e-4)
        compare(dict(discriminator.named_parameters()), wanted["after_D"], 1e-4)
        moved = generator.bias_layer.bias.detach() - file["G_bias_layer_bias_after"]
        assert moved.abs().max() <= 2.01 * RATE and (moved.abs() > 2e-6).sum() <= 10
    np.testing.assert_allclose(
        discriminator.digit_layer.bias.detach(), second["D_digit_layer_bias_after"], atol=1e-6
    )


def test_unused_layers_of_the_encoder_get_no_gradient(values) -> None:
    for one in values["train_two_iterations_proposed"]:
        unused = {name for name, gradient in one["grad_E"].items() if gradient is None}
        assert unused == {
            "muLayer.weight",
            "muLayer.bias",
            "logvarLayer.weight",
            "logvarLayer.bias",
        }


def test_first_convolution_moves_as_adam_moves_it(arrays, values) -> None:
    """What the reference arrays say of the encoder itself: two steps of Adam from exact halves."""
    one = arrays("train_proposed_iter1")["E_conv0_weight_after"]
    two = arrays("train_proposed_iter2")["E_conv0_weight_after"]
    recorded = values["train_two_iterations_proposed"]
    near(one, recorded[0]["after_E"]["convBlocks.0.weight"], 1e-5)
    near(two, recorded[1]["after_E"]["convBlocks.0.weight"], 1e-5)
    # Adam's first step is the rate times the gradient's sign (or 0 of a dead channel), so the start
    # is one of three numbers, and it was a half.
    starts = torch.stack([one, one - RATE, one + RATE])
    distance = (starts.half().float() - starts).abs()
    assert (distance.min(0).values < 2e-8).float().mean() > 0.99
    weight = nn.Parameter(torch.gather(starts, 0, distance.argmin(0)[None])[0].half().float())
    signs = torch.sign(weight.detach() - one)
    adam = Adam({"weight": weight})
    weight.grad = signs
    adam.step(RATE)
    # Where the gradient is not far above Adam's epsilon, the step is shorter.
    assert ((weight.detach() - one).abs() > 2e-8).float().mean() < 0.01
    assert (two - one).abs().max() <= 1.5 * RATE


def test_the_plain_auto_encoder_learns_nothing_from_poses() -> None:
    plain = Learn3dOptions(prior=0, confusion=0)
    codes = torch.randn(3, 4, requires_grad=True)
    discriminator = PoseDiscriminator(4, 5, (6, 7))
    bins = torch.tensor([0, 1, 4])
    odd = pose_losses(1, codes, bins, discriminator, plain)
    assert set(odd) == {"pose_loss"} and pose_losses(2, codes, bins, discriminator, plain) == {}
    odd["pose_loss"][1].backward()
    assert codes.grad is None and discriminator.digit_layer.weight.grad is not None


def test_further_terms_enter_with_their_weights() -> None:
    options = Learn3dOptions(inflation=2.0, laplacian=3.0, edge_length=4.0, smoothness=0.0)
    base, faces = sphere(42)
    vertices = torch.tensor(base)[None] / 2
    topology = Topology.of(faces, 42)
    drawn = torch.ones(1, 4, 4)
    losses = shape_losses(vertices, drawn, drawn, topology, options)
    assert {k: w for k, (w, _) in losses.items()} == {
        "iou_loss": 1.0, "inflation": 2.0, "laplacian": 3.0, "edge_length": 4.0,
    }  # fmt: skip
    assert losses["iou_loss"][1].item() == 0.0
    expected = sum(w * loss.item() for w, loss in losses.values())
    assert weighted(losses).item() == pytest.approx(expected, rel=1e-6)
