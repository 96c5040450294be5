"""The spectral norm and the enlarging convolution that all networks share, against plain formulas, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.train.networks.blocks import ResizeConv2d, init_normal, spectral_norm
from curate.train.recipes.ugatit.networks import SpectralConv2d, SpectralLinear

torch.set_num_threads(1)


class PlainSpectral(nn.Module):
    """U-GAT-IT's spectral norm, step by step: v first, and the output is divided."""

    u: Tensor
    v: Tensor

    def __init__(self, layer: nn.Conv2d | nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        rows, columns = layer.weight.flatten(1).shape
        self.register_buffer("u", F.normalize(torch.randn(rows), dim=0))
        self.register_buffer("v", F.normalize(torch.randn(columns), dim=0))

    def forward(self, x: Tensor) -> Tensor:
        matrix = self.weight.flatten(1)
        if self.training:
            with torch.no_grad():
                self.v = F.normalize(matrix.T @ self.u, dim=0)
                self.u = F.normalize(matrix @ self.v, dim=0)
        norm = torch.dot(self.u, matrix @ self.v)
        if self.weight.ndim == 2:
            return F.linear(x, self.weight) / norm
        assert self.bias is not None
        return F.conv2d(x, self.weight, None, 2) / norm + self.bias[:, None, None]


class PlainParametrized(nn.Module):
    """The other spectral norm, step by step: 15 iterations at the start, u first, and the weight is divided."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, eps: float) -> None:
        super().__init__()
        self.eps = eps
        rows, columns = weight.flatten(1).shape
        self.register_buffer("_u", F.normalize(torch.randn(rows), dim=0, eps=eps))
        self.register_buffer("_v", F.normalize(torch.randn(columns), dim=0, eps=eps))
        for _ in range(15):
            self.iterate(weight.detach().flatten(1))

    @torch.no_grad()
    def iterate(self, matrix: Tensor) -> None:
        self._u = F.normalize(matrix @ self._v, dim=0, eps=self.eps)
        self._v = F.normalize(matrix.T @ self._u, dim=0, eps=self.eps)

    def forward(self, weight: Tensor) -> Tensor:
        matrix = weight.flatten(1)
        if self.training:
            self.iterate(matrix)
        return weight / torch.dot(self._u, matrix @ self._v)


def plain_parametrized(layer: nn.Module) -> Any:
    made = PlainParametrized(layer.get_parameter("weight"), 1e-12)
    return nn.utils.parametrize.register_parametrization(layer, "weight", made)


def seeded(build: Any) -> Any:
    torch.manual_seed(0)
    return build()


@pytest.mark.parametrize(
    ("ours", "plain", "shape"),
    [
        (
            lambda: SpectralConv2d(3, 8, stride=2),
            lambda: PlainSpectral(nn.Conv2d(3, 8, 4, 2)),
            (2, 3, 9, 9),
        ),
        (lambda: SpectralLinear(5, 4), lambda: PlainSpectral(nn.Linear(5, 4, bias=False)), (2, 5)),
        (
            lambda: spectral_norm(nn.Conv2d(3, 8, 4, 2), eps=1e-12),
            lambda: plain_parametrized(nn.Conv2d(3, 8, 4, 2)),
            (2, 3, 9, 9),
        ),
    ],
)
def test_spectral_norms_have_the_numbers_and_the_names_of_their_formulas(
    ours: Any, plain: Any, shape: tuple[int, ...]
) -> None:
    one, other = seeded(ours), seeded(plain)
    for step in range(4):
        if step == 3:
            one.eval(), other.eval()
        x = torch.randn(*shape)
        results = [layer(x) for layer in (one, other)]
        assert torch.equal(*results)
        for layer, result in zip((one, other), results, strict=True):
            layer.zero_grad()
            result.square().sum().backward()
        for (name, parameter), wanted in zip(one.named_parameters(), other.parameters(), strict=True):
            assert torch.equal(parameter.grad, wanted.grad), name
        mine, theirs = one.state_dict(), other.state_dict()
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_two_forwards_before_a_backward_do_not_disturb_each_other() -> None:
    layer = seeded(lambda: SpectralLinear(5, 4))
    twice = seeded(lambda: SpectralLinear(5, 4))
    x, y = torch.randn(2, 5), torch.randn(2, 5)
    (layer(x).square().sum() + layer(y).square().sum()).backward()
    for part in (x, y):
        twice(part).square().sum().backward()
    assert torch.allclose(layer.weight.grad, twice.weight.grad, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 5), (6, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_enlarging_and_convolving_at_once_is_the_same_as_one_after_the_other(
    bias: bool, height: int, width: int
) -> None:
    fused, apart = (seeded(lambda fused=fused: ResizeConv2d(3, 2, bias=bias, fused=fused)) for fused in (True, False))
    assert list(fused.state_dict()) == list(apart.state_dict()) == ["weight", "bias"][: 1 + bias]
    x = torch.randn(2, 3, height, width).double()
    enlarged = F.interpolate(x, scale_factor=2, mode="nearest")
    padded = F.pad(enlarged, (1, 1, 1, 1), "reflect")
    fused, apart = fused.double(), apart.double()
    torch.testing.assert_close(fused(x), F.conv2d(padded, fused.weight, fused.bias))
    assert torch.equal(apart(x), F.conv2d(padded, apart.weight, apart.bias))


class PlainFused(nn.Module):
    """U-GAT-IT's enlarging convolution, step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Conv2d(3, 2, 3, bias=False).weight

    def forward(self, x: Tensor) -> Tensor:
        kernel = halved(halved(self.weight, 2), 4).flatten(0, 2)
        all_four = F.conv2d(F.pad(x, (1, 1, 1, 1), "replicate"), kernel).unflatten(1, (4, -1))
        height, width = x.shape[2:]
        parts = [all_four[:, n, :, n % 2 : n % 2 + height, n // 2 : n // 2 + width] for n in (0, 2, 1, 3)]
        return F.pixel_shuffle(torch.stack(parts, 2).flatten(1, 2), 2)


def halved(kernel: Tensor, dim: int) -> Tensor:
    first, second, third = kernel.unbind(dim)
    return torch.stack([torch.stack([first, second + third], dim), torch.stack([first + second, third], dim)])


def test_the_fused_convolution_is_u_gat_its_bit_for_bit() -> None:
    ours, plain = seeded(lambda: ResizeConv2d(3, 2, bias=False, fused=True)), seeded(PlainFused)
    x = torch.randn(2, 3, 4, 5)
    assert torch.equal(ours(x), plain(x))
    for layer in (ours, plain):
        layer(x).square().sum().backward()
    assert torch.equal(ours.weight.grad, plain.weight.grad)
    mine, theirs = ours.state_dict(), plain.state_dict()
    assert mine.keys() == theirs.keys() and torch.equal(mine["weight"], theirs["weight"])


def test_a_normal_start_reaches_every_enlarging_convolution() -> None:
    for fused in (True, False):
        layer = seeded(lambda fused=fused: ResizeConv2d(16, 16, fused=fused))
        init_normal(layer)
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
        assert not layer.bias.any()
