"""U-GAT-IT's networks against plain formulas, hand-computed numbers and the tables of the paper."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.train.recipes.ugatit.networks import (
    CAM,
    LIN,
    AdaLIN,
    AttentionDiscriminator,
    AttentionGenerator,
    SpectralConv2d,
    SpectralLinear,
    clamp_rho,
    layer_instance_norm,
)

torch.set_num_threads(1)


def plainly(x: Tensor, rho: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """The paper's equation 1, term by term."""
    by_channel = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), keepdim=True) + 1e-5).sqrt()
    by_layer = (x - x.mean((1, 2, 3), keepdim=True)) / (x.var((1, 2, 3), keepdim=True) + 1e-5).sqrt()
    return (rho * by_channel + (1 - rho) * by_layer) * gamma + beta


def inputs(channels: int = 3, side: int = 4) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    x = torch.randn(2, channels, side, side, dtype=torch.double) * torch.arange(1.0, channels + 1)[:, None, None] + 5
    return x, torch.rand(1, channels, 1, 1).double(), torch.randn(2, channels, 1, 1).double(), torch.randn(2, 1, 1, 1)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_the_norm_is_its_formula_on_small_maps() -> None:
    x, rho, gamma, beta = (tensor.float() for tensor in inputs())
    torch.testing.assert_close(layer_instance_norm(x, rho, gamma, beta), plainly(x, rho, gamma, beta))


def test_the_variance_is_the_unbiased_one() -> None:
    x = torch.tensor([[1.0, 3.0]]).reshape(1, 1, 1, 2)  # mean 2, unbiased variance 2, biased 1
    one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    for rho in (one, zero):  # one channel: both norms are the same
        torch.testing.assert_close(layer_instance_norm(x, rho, one, zero).flatten(), torch.tensor([-1.0, 1.0]) / 2**0.5)


def test_the_norm_has_the_formulas_gradients_also_where_maps_hardly_vary() -> None:
    x, rho, gamma, beta = inputs()
    x = 10 + x / 100  # a mean far above the deviation
    weights = torch.randn_like(x)
    exact = [tensor.double().requires_grad_() for tensor in (x, rho, gamma, beta)]
    ours = [tensor.float().requires_grad_() for tensor in (x, rho, gamma, beta)]
    wanted = torch.autograd.grad((plainly(*exact) * weights).sum(), exact)
    got = torch.autograd.grad((layer_instance_norm(*ours) * weights.float()).sum(), ours)
    for gradient, truth in zip(got, wanted, strict=True):
        assert (gradient - truth).norm() < 2e-4 * truth.norm()


def test_rho_chooses_between_instance_and_layer() -> None:
    x = inputs()[0].float()
    norm = LIN(3)
    assert torch.equal(norm.rho, torch.zeros(1, 3, 1, 1))
    torch.testing.assert_close(norm(x).mean((1, 2, 3)), torch.zeros(2), atol=1e-6, rtol=0)
    assert norm(x).mean((2, 3)).abs().max() > 0.1  # channels keep their differences
    nn.init.ones_(norm.rho)
    torch.testing.assert_close(norm(x).mean((2, 3)), torch.zeros(2, 3), atol=1e-5, rtol=0)


def test_gamma_and_beta_come_with_each_image() -> None:
    x = inputs()[0].float()
    norm = AdaLIN(3)
    assert torch.equal(norm.rho, torch.full((1, 3, 1, 1), 0.9))
    gamma, beta = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), torch.tensor([[0.0] * 3, [7.0, 8.0, 9.0]])
    out = norm(x, gamma, beta)
    torch.testing.assert_close(out[:1], plainly(x[:1], norm.rho, gamma[:1, :, None, None], torch.zeros(1, 3, 1, 1)))
    assert torch.equal(out[1].mean((1, 2)), torch.tensor([7.0, 8.0, 9.0]))


def test_rho_is_clamped_in_place_and_nothing_else_is() -> None:
    network = nn.Sequential(LIN(2), AdaLIN(2))
    with torch.no_grad():
        network[0].rho.copy_(torch.tensor([-0.5, 1.5]).reshape(1, 2, 1, 1))
        network[0].gamma.fill_(3.0)
    before = network[0].rho
    clamp_rho(network)
    assert network[0].rho is before
    assert network[0].rho.flatten().tolist() == [0.0, 1.0]
    assert network[0].gamma.flatten().tolist() == [3.0, 3.0]


def test_norms_compute_in_fp32_under_autocast() -> None:
    x, rho, gamma, beta = (tensor.float() for tensor in inputs(side=16))
    half = x.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        out = layer_instance_norm(half, rho, gamma, beta)
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, plainly(half.float(), rho, gamma, beta).bfloat16())


def test_spectral_norm_divides_by_the_largest_singular_value() -> None:
    torch.manual_seed(0)
    layer = SpectralConv2d(3, 8, stride=2)
    x = torch.randn(2, 3, 9, 9)
    for _ in range(200):
        layer(x)
    largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
    torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight / largest, layer.bias, 2), atol=1e-5, rtol=1e-4)


def test_spectral_norm_takes_one_power_iteration_per_training_forward() -> None:
    torch.manual_seed(0)
    layer, x = SpectralLinear(5, 4), torch.randn(2, 5)
    u = layer.u.clone()
    v = F.normalize(layer.weight.detach().T @ u, dim=0)
    layer(x)
    assert torch.allclose(layer.v, v)
    assert torch.allclose(layer.u, F.normalize(layer.weight.detach() @ v, dim=0))
    kept = layer.u.clone()
    layer.eval()
    layer(x)
    assert torch.equal(layer.u, kept)


def test_spectral_norm_has_the_gradient_of_the_divided_weight() -> None:
    torch.manual_seed(0)
    layer, x = SpectralLinear(5, 4).eval(), torch.randn(2, 5)
    weight = layer.weight.detach().clone().requires_grad_()
    F.linear(x, weight / torch.dot(layer.u, weight @ layer.v)).square().sum().backward()
    layer(x).square().sum().backward()
    torch.testing.assert_close(layer.weight.grad, weight.grad)


@pytest.mark.parametrize("spectral", [False, True])
def test_attention_weighs_maps_by_the_raw_weights(spectral: bool) -> None:
    torch.manual_seed(0)
    cam = CAM(4, spectral=spectral).eval()
    x = torch.randn(2, 4, 3, 3)
    by_average = x * cam.gap_fc.weight[..., None, None]
    by_largest = x * cam.gmp_fc.weight[..., None, None]
    features, logits = cam(x)
    torch.testing.assert_close(features, cam.conv1x1(torch.cat([by_average, by_largest], 1)))
    torch.testing.assert_close(logits[:, :1], cam.gap_fc(x.mean((2, 3))))
    torch.testing.assert_close(logits[:, 1:], cam.gmp_fc(x.amax((2, 3))))


def test_parameters_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        assert parameters(AttentionGenerator(light=True)) == 10_589_888
        assert parameters(AttentionGenerator()) == 278_959_808
        assert parameters(AttentionGenerator(blocks=6)) == 283_679_424
        assert parameters(AttentionDiscriminator(layers=7)) == 53_130_176
        assert parameters(AttentionDiscriminator(layers=5)) == 3_290_560


@pytest.mark.parametrize("light", [True, False])
def test_a_generator_gives_an_image_logits_and_a_heatmap(light: bool) -> None:
    torch.manual_seed(0)
    made = AttentionGenerator(4, 2, light=light, size=32)(torch.rand(2, 3, 32, 32) * 2 - 1)
    assert [tuple(part.shape) for part in made[:3]] == [(2, 3, 32, 32), (2, 2), (2, 1, 8, 8)]
    assert made.out.abs().max() <= 1
    assert made.heatmap.min() >= 0  # a sum after a ReLU


def test_only_the_light_generator_takes_any_size() -> None:
    x = torch.rand(1, 3, 48, 40)
    assert AttentionGenerator(4, 1, light=True)(x).out.shape == x.shape
    with pytest.raises(RuntimeError):
        AttentionGenerator(4, 1, size=32)(x)


@pytest.mark.parametrize(("layers", "side", "logits", "heatmap"), [(5, 256, 30, 31), (7, 256, 6, 7), (7, 96, 1, 2)])
def test_a_discriminators_maps(layers: int, side: int, logits: int, heatmap: int) -> None:
    with torch.device("meta"):
        maps = AttentionDiscriminator(2, layers)(torch.empty(2, 3, side, side))
    assert [tuple(part.shape) for part in maps[:3]] == [(2, 1, logits, logits), (2, 2), (2, 1, heatmap, heatmap)]


@pytest.mark.parametrize(("side", "most"), [(24, 5), (47, 5), (48, 6), (96, 7), (256, 8)])
def test_the_most_layers_are_those_that_still_run(side: int, most: int) -> None:
    assert AttentionDiscriminator.most_layers(side) == most
    with torch.device("meta"):
        AttentionDiscriminator(1, most)(torch.empty(1, 3, side, side))
        with pytest.raises(RuntimeError):
            AttentionDiscriminator(1, most + 1)(torch.empty(1, 3, side, side))
