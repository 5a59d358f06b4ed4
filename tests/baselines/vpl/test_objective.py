"""The discriminator of views and two iterations of training against the original's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchbench.baselines.learn3d.adam import Adam
from benchbench.baselines.learn3d.architecture import Widths
from benchbench.baselines.learn3d.examples import kato_eyes
from benchbench.baselines.learn3d.network import Generator
from benchbench.baselines.learn3d.objective import Topology, shape_losses, weighted
from benchbench.baselines.learn3d.silhouettes import silhouettes
from benchbench.baselines.learn3d.sphere import sphere
from benchbench.baselines.vpl.discriminator import Judge, ViewDiscriminator
from benchbench.baselines.vpl.objective import view_losses, view_shifts
from benchbench.baselines.vpl.spec import VplOptions

OPTIONS = VplOptions()
TOPOLOGY = Topology.of(sphere(642)[1], 642)
VIEWS = 24


def test_tensors_of_the_published_discriminator(oracle: Path) -> None:
    known = json.loads((oracle / "state_dict_keys.json").read_text())
    wanted = known["DCGAN_Discriminator_64_25 (D, trainCVPR19)"]
    network = ViewDiscriminator()
    found = [(key, list(value.shape)) for key, value in network.state_dict().items()]
    assert found == [(key, shape) for key, shape, _ in wanted["state_dict"]]
    assert sum(p.numel() for p in network.parameters()) == wanted["n_parameters"]


def test_discriminator_forward(arrays, values) -> None:
    d = arrays("io_cvpr18")
    network = ViewDiscriminator()
    network.load_state_dict(arrays("weights_DV_dcgan25"))
    seen = d["silhouettes"][:, 0], d["view_ids"].long()
    for mode, wanted in ((False, "eval"), (True, "train")):
        network.train(mode)
        recorded = values[f"DCGAN_Discriminator_{wanted}"]
        with torch.no_grad():
            validity, features = network(*seen)
        np.testing.assert_allclose(validity[:, 0], recorded["validity"], atol=1e-5)
        assert features.shape == (4, 16384)
        np.testing.assert_allclose(features.sum(1), recorded["feature_sum"], rtol=1e-5)


def test_planes_of_views_by_a_slow_twin() -> None:
    """The network on all its channels: a silhouette, and one plane of ones among zeros."""
    network = ViewDiscriminator(5, (3, 4, 5, 6)).eval()
    drawn = torch.rand(6, 64, 64, requires_grad=True)
    views = torch.tensor([0, 3, 3, 1, 2, 0])
    planes = torch.zeros(6, 4, 64, 64)
    for n, view in enumerate(views.tolist()):
        planes[n, view] = 1
    expected = network.model(torch.cat([drawn[:, None], planes], 1)).flatten(1)
    found = network(drawn, views)
    torch.testing.assert_close(found[1], expected)
    torch.testing.assert_close(found[0], network.adv_layer(expected))
    weight = network.model[0].weight
    inputs, upstream = [drawn, weight], torch.randn_like(expected)
    ours = torch.autograd.grad(found[1], inputs, upstream, retain_graph=True)
    theirs = torch.autograd.grad(expected, inputs, upstream)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def norms(gradients, wanted, rel: float) -> None:
    """L2 norms of gradients; a bias before a batch norm has none but rounding."""
    for name, gradient in gradients.items():
        norm = float(gradient.double().norm())
        assert norm == pytest.approx(wanted[name][1], rel=rel, abs=1e-5), name


def test_two_iterations(arrays, values) -> None:
    """The full encoder is not among the reference arrays: its codes are leaves."""
    d = arrays("io_cvpr18")
    record = values["train_two_iterations_VPL_reimplementation"]
    new = torch.tensor(record["fake_view_ids"])
    own = d["view_ids"].long()
    eyes = torch.from_numpy(kato_eyes())
    masks = d["images_uint8"][:, 3].float() / 255
    generator, discriminator = Generator(Widths()), ViewDiscriminator()
    generator.load_state_dict(arrays("weights_G"))
    discriminator.load_state_dict(arrays("weights_DV_dcgan25"))
    first = record["steps"][0]

    codes = d["z"].clone().requires_grad_()
    vertices = generator(codes)
    drawn = silhouettes(vertices, TOPOLOGY.faces, eyes[own], 15.0)
    other = silhouettes(vertices, TOPOLOGY.faces, eyes[new], 15.0)
    losses = shape_losses(vertices, drawn, masks, TOPOLOGY, OPTIONS)
    losses |= view_losses(1, drawn, other, own, new, Judge(discriminator), 1.0)
    assert losses["iou_loss"][1].item() == pytest.approx(first["iou_loss"], rel=1e-5)
    assert losses["smoothness"][1].item() == pytest.approx(first["smoothness"], rel=1e-5)
    assert losses["view_loss"][1].item() == pytest.approx(first["d_loss"], rel=1e-5)
    total = weighted(losses)
    assert total.item() == pytest.approx(first["total"], rel=1e-5)
    total.backward()
    norms({k: p.grad for k, p in generator.named_parameters()}, first["grad_G"], 1e-3)
    norms({k: p.grad for k, p in discriminator.named_parameters()}, first["grad_D"], 1e-3)
    last = {"shapeLayer.bias": codes.grad.sum(0), "shapeLayer.weight": codes.grad.T @ d["fc_out"]}
    norms(last, first["grad_E"], 1e-3)

    # Its step, and what it then says of the first drawings: surer than before on every one.
    before = discriminator.state_dict()["adv_layer.0.weight"].clone()
    Adam(dict(discriminator.named_parameters())).step(1e-4)
    step = discriminator.state_dict()["adv_layer.0.weight"] - before
    # Where the gradient is far above Adam's epsilon the first step is the whole rate.
    clear = discriminator.adv_layer[0].weight.grad.abs() > 1e-4
    assert clear.float().mean() > 0.9
    np.testing.assert_allclose(step[clear].abs(), 1e-4, rtol=1e-3)
    discriminator.zero_grad()

    deceiving = view_losses(2, drawn.detach(), other.detach(), own, new, Judge(discriminator), 2.0)
    assert set(deceiving) == {"deception"} and deceiving["deception"][0] == 2.0
    with torch.no_grad():
        fake, _ = discriminator(other, new)
    assert deceiving["deception"][1].item() == pytest.approx(-fake.log().mean().item(), rel=1e-5)


def test_second_iterations_probabilities(values) -> None:
    """Deception is the mean of -log p; the total adds it with weight 1."""
    second = values["train_two_iterations_VPL_reimplementation"]["steps"][1]
    loss = -np.log(second["p_fake"]).mean()
    assert second["adv_loss"] == pytest.approx(loss, rel=1e-5)
    total = second["iou_loss"] + OPTIONS.smoothness * second["smoothness"] + loss
    assert second["total"] == pytest.approx(total * 1.0, rel=1e-5)
    assert OPTIONS.adversarial == 1.0


def test_only_the_discriminator_learns_from_odd_iterations() -> None:
    network = ViewDiscriminator(4, (2, 2, 2, 2))
    own = torch.rand(3, 64, 64, requires_grad=True)
    other = torch.rand(3, 64, 64, requires_grad=True)
    views = torch.tensor([0, 1, 2])
    weighted(view_losses(1, own, other, views, views.flip(0), Judge(network), 1.0)).backward()
    assert own.grad is None and other.grad is None
    assert network.adv_layer[0].weight.grad is not None
    weighted(view_losses(2, own, other, views, views.flip(0), Judge(network), 1.0)).backward()
    assert own.grad is None and other.grad.abs().sum() > 0
    assert view_losses(2, own, other, views, views, Judge(network), 0.0) == {}


def test_other_views_differ_and_are_even() -> None:
    shifts = view_shifts(12_000, VIEWS, 3, 1)
    counts = np.bincount(shifts, minlength=VIEWS)
    assert len(counts) == VIEWS and counts[0] == 0
    assert counts[1:].min() > 0.8 * len(shifts) / (VIEWS - 1)
    assert np.array_equal(shifts, view_shifts(12_000, VIEWS, 3, 1))
    assert not np.array_equal(shifts, view_shifts(12_000, VIEWS, 3, 2))
