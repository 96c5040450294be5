"""The discriminators that see the whole image, against their layer tables."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from curate.pipeline.core.errors import UsageError
from curate.train.networks.patchgan import PatchDiscriminator, PatchNorm
from curate.train.recipes.cyclegan.config import CycleGANConfig
from curate.train.recipes.cyclegan.dual_discriminator import DualDiscriminator
from curate.train.recipes.cyclegan.unet_discriminator import UNetDiscriminator

torch.set_num_threads(1)


def count(*networks: nn.Module) -> int:
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


def test_dual_has_the_parameters_of_its_table() -> None:
    dual = DualDiscriminator()
    assert [count(part) for part in (dual.trunk, dual.local, dual.whole)] == [658_880, 2_105_857, 10_495_489]
    assert count(dual) == 13_260_226


def test_unet_has_the_parameters_of_its_table() -> None:
    with torch.device("meta"):
        unet, smaller = UNetDiscriminator(size=256), UNetDiscriminator(size=128)
    assert (count(unet), count(unet.down), count(smaller)) == (44_067_651, 24_523_968, 31_481_667)


def test_dual_gives_one_number_and_the_patch_map() -> None:
    whole, local = DualDiscriminator(2)(torch.zeros(2, 3, 256, 256))
    assert (whole.shape, local.shape) == ((2, 1, 1, 1), (2, 1, 30, 30))


@pytest.mark.parametrize("size", [64, 128])
def test_dual_adapts_its_last_convolution_to_the_size(size: int) -> None:
    whole, local = DualDiscriminator(2, size)(torch.zeros(1, 3, size, size))
    assert (whole.shape, local.shape) == ((1, 1, 1, 1), (1, 1, size // 8 - 2, size // 8 - 2))


@pytest.mark.parametrize("size", [16, 32, 64, 128])
def test_unet_gives_one_number_and_one_for_each_pixel(size: int) -> None:
    whole, pixels = UNetDiscriminator(2, size)(torch.rand(2, 3, size, size))
    assert (whole.shape, pixels.shape) == ((2, 1), (2, 1, size, size))


def test_unets_pixels_see_far_and_near() -> None:
    unet = UNetDiscriminator(2, 32).eval()
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    unet(image)[1][0, 0, 16, 16].backward()
    assert image.grad is not None
    assert (image.grad.abs().sum(1) > 0).all(), "the bottom of the U sees the whole image"


@pytest.mark.parametrize("make", [lambda: DualDiscriminator(4, 64), lambda: UNetDiscriminator(4, 32)])
def test_spectral_norm_is_one_after_some_training(make) -> None:
    torch.manual_seed(0)
    network = make().train()
    size = 64 if isinstance(network, DualDiscriminator) else 32
    with torch.no_grad():
        for _ in range(50):
            network(torch.rand(1, 3, size, size))
    layers = [m for m in network.eval().modules() if hasattr(m, "parametrizations")]
    assert layers
    for layer in layers:
        sigma = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
        assert sigma.item() == pytest.approx(1.0, abs=1e-2)


@pytest.mark.parametrize("norm", ["instance", "spectral"])
@pytest.mark.parametrize("layers", [2, 3, 4])
def test_the_least_size_of_a_patch_discriminator_is_true(layers: int, norm: PatchNorm) -> None:
    least = 3 * 2**layers
    network = PatchDiscriminator(2, layers, norm=norm)
    assert network(torch.zeros(1, 3, least, least)).shape == (1, 1, 1, 1)
    with pytest.raises((RuntimeError, ValueError)):
        network(torch.zeros(1, 3, least - 4, least - 4))
    config = CycleGANConfig(discriminator_layers=layers, discriminator_norm=norm)
    config.check_images(least, least)
    with pytest.raises(UsageError, match=f"want {least} px"):
        config.check_images(least - 4, least)
