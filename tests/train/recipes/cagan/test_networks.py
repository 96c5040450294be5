"""CAGAN's networks against their layer tables and a second implementation in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from curate.train.recipes.cagan.networks import AdditiveUNet, BatchNormPatch, ConditionedUNet, GlobalDiscriminator
from tests.support import cagan_numpy

torch.set_num_threads(1)

WIDTH = 4
PAIRS = {
    "chainer": (lambda: AdditiveUNet(WIDTH), lambda: GlobalDiscriminator(WIDTH, 64), (64, 64)),
    "keras": (lambda: ConditionedUNet(WIDTH), lambda: BatchNormPatch(WIDTH), (64, 48)),
}


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def perturbed(network: nn.Module) -> nn.Module:
    """Every parameter off its initial value: zero biases and equal scales would hide mistakes."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += torch.randn_like(parameter) * (0.3 if parameter.ndim == 1 else 0.1)
    return network.eval()


def arrays(network: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.detach().double().numpy() for name, value in network.state_dict().items()}


def pictures(variant: str, size: tuple[int, int], n: int = 2) -> list[torch.Tensor]:
    low = 0.0 if variant == "chainer" else -1.0
    return [torch.empty(n, 3, *size).uniform_(low, 1.0) for _ in range(3)]


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (AdditiveUNet(), 5_522_564),
        (GlobalDiscriminator(), 6_990_145),
        (ConditionedUNet(), 6_339_264),
        (BatchNormPatch(), 2_768_705),
    ],
    ids=lambda value: type(value).__name__,
)
def test_full_size_networks_have_the_published_number_of_parameters(network: nn.Module, parameters: int) -> None:
    assert count(network) == parameters


@pytest.mark.parametrize("variant", PAIRS)
def test_generators_agree_with_numpy(variant: str) -> None:
    torch.manual_seed(1)
    make, _, size = PAIRS[variant]
    generator = perturbed(make())
    images = pictures(variant, size)
    with torch.no_grad():
        alpha, rgb = generator(torch.cat(images, 1))
    expected = cagan_numpy.GENERATORS[variant](arrays(generator), *(image.double().numpy() for image in images))
    np.testing.assert_allclose(alpha, expected[0], atol=1e-5)
    np.testing.assert_allclose(rgb, expected[1], atol=1e-5)
    assert alpha.std() > 0.05 and rgb.std() > 0.05, "constant outputs would prove nothing"


@pytest.mark.parametrize("variant", PAIRS)
def test_discriminators_agree_with_numpy(variant: str) -> None:
    torch.manual_seed(2)
    _, make, size = PAIRS[variant]
    discriminator = perturbed(make())
    human, article, _ = pictures(variant, size)
    with torch.no_grad():
        logits = discriminator(torch.cat((human, article), 1))
    expected = cagan_numpy.DISCRIMINATORS[variant](
        arrays(discriminator), human.double().numpy(), article.double().numpy()
    )
    np.testing.assert_allclose(torch.sigmoid(logits), expected, atol=1e-5)


NORMS = {
    "keras": (ConditionedUNet(2).down2[1], cagan_numpy.norm_keras),
    "chainer": (AdditiveUNet(2).bn1, cagan_numpy.norm_chainer),
    "batch": (BatchNormPatch(2).conv2[1], cagan_numpy.norm_batch),
}


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("spread", [1e-3, 1e-5])
def test_norms_agree_with_numpy_where_their_epsilon_counts(name: str, spread: float) -> None:
    torch.manual_seed(5)
    norm, by_hand = NORMS[name]
    perturbed(norm)
    x = torch.randn(2, 4, 8, 8) * spread
    with torch.no_grad():
        made = norm(x)
    expected = by_hand(x.double().numpy(), {f"n.{key}": value for key, value in arrays(norm).items()}, "n")
    np.testing.assert_allclose(made, expected, atol=1e-5)


def test_patch_map_at_the_notebooks_size() -> None:
    assert BatchNormPatch(2)(torch.zeros(1, 6, 128, 96)).shape == (1, 1, 14, 10)


def test_noise_is_drawn_only_while_training_and_afresh_each_time() -> None:
    discriminator = GlobalDiscriminator(2, 64)
    x = torch.rand(1, 6, 64, 64)
    assert not torch.equal(discriminator(x), discriminator(x))
    discriminator.eval()
    assert torch.equal(discriminator(x), discriminator(x))


def test_batch_statistics_judge_in_evaluation_too() -> None:
    discriminator = BatchNormPatch(2)
    x = torch.rand(2, 6, 32, 32)
    assert torch.equal(discriminator(x), discriminator.eval()(x))
