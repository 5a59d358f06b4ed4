"""Forward passes of all networks against the original classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchbench.baselines.learn3d.architecture import Widths, is_unused, widths_of
from benchbench.baselines.learn3d.network import (
    Encoder,
    Generator,
    Network,
    PoseDiscriminator,
    ResNetEncoder,
    initialise,
)
from benchbench.baselines.learn3d.pictures import normalised
from benchbench.baselines.torch_files import read_state_dict
from benchbench.core.errors import ShapeError

SMALL = Widths(channels=(2, 3, 4), hidden=(5, 6), latent=7, decoder=(8, 9), vertices=42)
RESNET = Widths("resnet18", 3, (), (), symmetric=True)


def used(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if not is_unused(key)}


def take(module: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    """Loads what is used; nothing else may be missing or left over."""
    counters = {k: v for k, v in module.state_dict().items() if k.endswith("num_batches_tracked")}
    module.load_state_dict({**used(state), **counters})
    return module.eval()


def test_tensors_of_all_published_networks(oracle: Path) -> None:
    """Names, order, shapes and numbers of parameters of state_dict_keys.json."""
    known = json.loads((oracle / "state_dict_keys.json").read_text())
    three = {"channels_in": 3}
    expected = {
        "Encoder_4ch_512": Widths().encoder_shapes(),
        "Mesh_Generator_512": Widths().generator_shapes(),
        "ResNet_Encoder": RESNET.encoder_shapes(),
        "Mesh_Generator_symmetry": RESNET.generator_shapes(),
        "Encoder_3ch_512 ": Widths(**three).encoder_shapes(),
        "Encoder_3ch_512_nConvs4": Widths(**three, channels=(64, 128, 256, 512)).encoder_shapes(),
        "feat_Discriminator_512_24": shapes(PoseDiscriminator(512, 24)),
        "feat_Discriminator_512_72": shapes(PoseDiscriminator(512, 72)),
    }
    for name, ours in expected.items():
        published = next(value for key, value in known.items() if key.startswith(name))
        listed = [(key, tuple(shape)) for key, shape, _ in published["state_dict"]]
        assert list(ours.items()) == listed, name
        counted = [np.prod(s) for k, s in listed if "running" not in k and "tracked" not in k]
        assert int(sum(counted)) == published["n_parameters"], name


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in module.state_dict().items()}


def test_modules_have_the_shapes_that_are_stated() -> None:
    for widths in (SMALL, RESNET, Widths(channels=(2, 2, 2, 2)), Widths(symmetric=True)):
        network = Network(widths)
        found = {k: s for k, s in shapes(network).items() if not is_unused(k.split(".", 1)[1])}
        assert found == widths.used_shapes()
        assert widths_of(found) == widths


def test_generator_and_discriminator_on_the_originals_codes(arrays) -> None:
    d = arrays("io_cvpr18")
    generator = take(Generator(Widths()), arrays("weights_G"))
    with torch.no_grad():
        hidden = generator.fclayers(d["z"])
        np.testing.assert_allclose(hidden, d["hidden_2048"], atol=1e-5)
        offsets = generator.bias_layer(hidden).unflatten(1, (642, 3))
        np.testing.assert_allclose(offsets, d["bias"], atol=1e-5)
        np.testing.assert_allclose(generator(d["z"]), d["vertices"], atol=1e-5)
        discriminator = take(PoseDiscriminator(512, 24), arrays("weights_D24"))
        found = discriminator(d["z"])
        np.testing.assert_allclose(found, d["disc_logprob"], atol=1e-5)
        logits = d["disc_logits"].log_softmax(1)
        np.testing.assert_allclose(found, logits, atol=1e-5)
        lsm = take(PoseDiscriminator(512, 72), arrays("weights_D72"))
        wanted = arrays("io_nips17_camera")["disc72_logprob"]
        np.testing.assert_allclose(lsm(d["z"]), wanted, atol=1e-5)


def test_last_layer_of_the_encoder(arrays, oracle: Path) -> None:
    """A whole encoder (narrow, as published) from picture to code."""
    d = arrays("io_cvpr18")
    state = read_state_dict(oracle / "last-E_small_dim1_16_dim2_128.legacy.ckpt")
    tensors = {key: torch.tensor(value) for key, value in state.items()}
    encoder = take(Encoder(Widths(channels=(16, 32, 64), hidden=(128, 128))), tensors)
    with torch.no_grad():
        found = encoder(d["images_uint8"].float() / 255)
    np.testing.assert_allclose(found, d["z_small_encoder"], atol=1e-5)


def test_resnet_and_symmetric_generator(arrays) -> None:
    d = arrays("io_pascal")
    encoder = take(ResNetEncoder(), arrays("weights_RE_resnet18"))
    generator = take(Generator(RESNET), arrays("weights_GS_symmetry"))
    images = normalised(d["images_uint8"].float() / 255)
    with torch.no_grad():
        codes = encoder(images)
        np.testing.assert_allclose(codes, d["z_eval"], atol=1e-5)
        offsets = generator.bias_layer(generator.fclayers(codes))
        np.testing.assert_allclose(offsets, d["bias_partial"], atol=1e-5)
        np.testing.assert_allclose(generator(codes), d["vertices"], atol=1e-5)
        discriminator = take(PoseDiscriminator(512, 10), arrays("weights_D10"))
        np.testing.assert_allclose(discriminator(codes), d["disc10_logprob"], atol=1e-5)
        encoder.train()
        np.testing.assert_allclose(encoder(images), d["z_train_mode"], atol=1e-5)


def test_gradient_through_the_symmetric_generator(arrays) -> None:
    d = arrays("pascal_sym_grad")
    generator = take(Generator(RESNET), arrays("weights_GS_symmetry"))
    codes = arrays("io_pascal")["z_eval"].requires_grad_()
    (generator(codes) * d["w"]).sum().backward()
    for found, name in (
        (codes.grad, "grad_z"),
        (generator.bias_layer.bias.grad, "grad_bias_layer_bias"),
    ):
        np.testing.assert_allclose(found, d[name], rtol=1e-3, atol=1e-5 * d[name].abs().max())


@pytest.mark.parametrize("vertices", [42, 162, 642])
def test_symmetric_meshes_are_their_own_mirror_images(vertices: int) -> None:
    widths = Widths(latent=3, decoder=(4, 5), vertices=vertices, symmetric=True)
    generator = Generator(widths)
    initialise(generator, "g", 1)
    mesh = generator(torch.tensor([[1.0, -2.0, 0.5]]))[0].detach().numpy()
    mirrored = mesh * [1, 1, -1]
    distance = np.abs(mesh[:, None] - mirrored[None]).max(2)
    assert (distance.min(1) < 1e-6).all()
    assert np.abs(mesh - generator.base.numpy() / 2).max() > 0.01


def test_initial_weights_are_keyed_and_have_torchs_bounds() -> None:
    state = torch.random.get_rng_state()
    one, two, other = (Network(SMALL) for _ in range(3))
    for network, seed in ((one, 1), (two, 1), (other, 2)):
        initialise(network, "all", seed)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one.encoder.FC[0].weight, other.encoder.FC[0].weight)
    weight = one.encoder.FC[0].weight  # fan in 4 * 64
    assert 0.9 / 16 < weight.abs().max() <= 1 / 16 and abs(weight.mean()) < 0.01
    initialise(two, "all", 1, 2.0)
    for name, before in one.named_parameters():
        factor = 1 if name.endswith("bias") or "Layer" in name or "bias_layer" in name else 2
        assert torch.equal(two.get_parameter(name), factor * before), name
    resnet = ResNetEncoder()
    initialise(resnet, "r", 0)
    deviation = resnet.model.layer4[1].conv2.weight.std().item()
    assert deviation == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)


def test_pictures_of_another_shape_are_refused() -> None:
    network = Network(SMALL)
    for wrong in (
        torch.zeros(1, 3, 64, 64),
        torch.zeros(0, 4, 64, 64),
        torch.zeros(1, 4, 64, 64).double(),
    ):
        with pytest.raises(ShapeError, match=r"\(B, 4, 64, 64\) float32"):
            network(wrong)
