"""CycleGAN's networks against a second computation, and that it sees what could be wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from curate.train.networks.patchgan import PatchDiscriminator
from curate.train.networks.resnet import ResnetGenerator
from tests.support import cyclegan_numpy
from tests.support.foreign_weights import perturbed

BLOCKS, WIDTH, HEIGHT = 2, 20, 28  # px; not square
CLOSE = 1e-5


def pictures(height: int = HEIGHT, width: int = WIDTH) -> torch.Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(5)) * 2 - 1


def arrays(network: nn.Module) -> dict[str, Any]:
    return {name: value.double().numpy() for name, value in network.state_dict().items()}


def generator() -> ResnetGenerator:
    torch.manual_seed(1)
    network = perturbed(ResnetGenerator(4, BLOCKS), 2)
    assert isinstance(network, ResnetGenerator)
    return network


@torch.no_grad()
def difference(network: nn.Module) -> float:
    """The largest between `network` and numpy on the same weights."""
    expected = cyclegan_numpy.generator(arrays(network), pictures().double().numpy(), BLOCKS)
    return float(np.abs(network(pictures()).double().numpy() - expected).max())


def test_a_generator_is_the_second_computation() -> None:
    assert difference(generator()) < CLOSE


def test_a_discriminator_is_the_second_computation() -> None:
    torch.manual_seed(3)
    network = perturbed(PatchDiscriminator(4, 3), 4)
    seen = pictures(48, 40)
    expected = cyclegan_numpy.discriminator(arrays(network), seen.double().numpy())
    with torch.no_grad():
        assert np.abs(network(seen).double().numpy() - expected).max() < CLOSE


def replaced(kind: type[nn.Module], by: Callable[[Any], nn.Module]) -> Callable[[nn.Module], None]:
    """Puts something else in the place of every layer of `kind`."""

    def change(network: nn.Module) -> None:
        for parent in list(network.modules()):
            for name, layer in list(parent.named_children()):
                if isinstance(layer, kind):
                    setattr(parent, name, by(layer))

    return change


def norm_after_activation(network: nn.Module) -> None:
    layers: Any = network.get_submodule("model")
    layers[2], layers[3] = layers[3], layers[2]


def second_norm_missing(network: nn.Module) -> None:
    network.get_submodule("model.10.conv_block").register_module("6", nn.Identity())


def other_corner(network: nn.Module) -> None:
    """The transposed convolutions crop at the other end."""
    for layer in network.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            layer.padding, layer.output_padding = (0, 0), (0, 0)
            layer.register_forward_hook(lambda module, given, made: made[:, :, :-1, :-1])


FAULTS = {
    "zeros around the picture": replaced(nn.ReflectionPad2d, lambda pad: nn.ZeroPad2d(pad.padding)),
    "the edge repeated": replaced(nn.ReflectionPad2d, lambda pad: nn.ReplicationPad2d(pad.padding)),
    "the picture goes round": replaced(nn.ReflectionPad2d, lambda pad: nn.CircularPad2d(pad.padding)),
    "batch norm": replaced(nn.InstanceNorm2d, lambda norm: nn.BatchNorm2d(norm.num_features).train()),
    "layer norm": replaced(nn.InstanceNorm2d, lambda norm: nn.GroupNorm(1, norm.num_features)),
    "another epsilon": replaced(nn.InstanceNorm2d, lambda norm: nn.InstanceNorm2d(norm.num_features, eps=1e-2)),
    "a leaky activation": replaced(nn.ReLU, lambda relu: nn.LeakyReLU(0.2)),
    "no tanh": replaced(nn.Tanh, lambda tanh: nn.Hardtanh()),
    "the norm after the activation": norm_after_activation,
    "a norm missing": second_norm_missing,
    "another corner cropped": other_corner,
}


@pytest.mark.parametrize("change", FAULTS.values(), ids=FAULTS)
def test_a_fault_would_be_seen(change: Callable[[nn.Module], None]) -> None:
    network = generator()
    change(network)
    assert difference(network) > 100 * CLOSE
