from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from curate.train.recipes.stylegan2.layers import StyledConvolution, ToRGB, blur, upsample
from curate.train.recipes.stylegan2.networks import Generator
from curate.train.recipes.stylegan2.residual_discriminator import Discriminator, differences


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def small(c_dim: int = 0) -> Generator:
    torch.manual_seed(0)
    generator = Generator(16, z_dim=6, c_dim=c_dim, w_dim=6, mapping_layers=2, channel_base=64, channel_max=8)
    for name, parameter in generator.named_parameters():
        if parameter.ndim <= 1:  # first values hide errors: biases of 0, no noise
            parameter.data += 0.3 * torch.randn(parameter.shape) if "fc" not in name else torch.randn(parameter.shape)
    generator.mapping.w_avg.normal_()
    return generator


@pytest.mark.parametrize(
    ("resolution", "base", "layers", "generator", "discriminator"),
    [
        (256, 16384, 8, 24_767_458, 24_001_089),
        (256, 16384, 2, 23_191_522, 24_001_089),
        (512, 32768, 2, 28_700_647, 28_982_849),
        (1024, 32768, 8, 30_370_060, 29_012_513),
    ],
)
def test_parameters_are_as_many_as_the_papers(
    resolution: int, base: int, layers: int, generator: int, discriminator: int
) -> None:
    with torch.device("meta"):
        assert count(Generator(resolution, mapping_layers=layers, channel_base=base)) == generator
        assert count(Discriminator(resolution, channel_base=base)) == discriminator


def spread(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Zeros between pixels: x at even places of twice the sides."""
    made = np.zeros((2 * x.shape[0], 2 * x.shape[1]), np.float32)
    made[::2, ::2] = x
    return made


def filtered(x: NDArray[np.float32], before: int, after: int, gain: float) -> NDArray[np.float32]:
    taps = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64 * gain
    padded = np.pad(x, (before, after))
    height, width = padded.shape[0] - 3, padded.shape[1] - 3
    return sum(taps[i, j] * padded[i : i + height, j : j + width] for i in range(4) for j in range(4))  # type: ignore[no-any-return]


def test_blurs_are_those_of_the_spec() -> None:
    x = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32)
    tensor = torch.from_numpy(x)[None, None]
    assert np.allclose(upsample(tensor)[0, 0], filtered(spread(x), 2, 1, 4.0), atol=1e-5)
    assert np.allclose(blur(tensor, 2)[0, 0], filtered(x, 2, 2, 1.0), atol=1e-5)
    assert np.allclose(blur(tensor, 1, stride=2)[0, 0], filtered(x, 1, 1, 1.0)[::2, ::2], atol=1e-5)


def one_by_one(layer: StyledConvolution, x: Tensor, w: Tensor) -> Tensor:
    """Each image with weights of its own, as section 2.2 writes them down."""
    made = []
    for image, style in zip(x, w, strict=True):
        scale = style @ layer.affine.weight.t() / style.shape[0] ** 0.5 + layer.affine.bias
        weight = layer.weight * scale[None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if layer.up:
            y = blur(F.conv_transpose2d(image[None], weight.transpose(0, 1), stride=2), 1, gain=4.0)
        else:
            y = F.conv2d(image[None], weight, padding=1)
        y = y + layer.noise_strength * layer.noise_const + layer.bias[:, None, None]
        made.append(2**0.5 * F.leaky_relu(y, 0.2))
    return torch.cat(made)


@pytest.mark.parametrize("up", [False, True])
def test_a_styled_convolution_has_weights_for_each_image(up: bool) -> None:
    torch.manual_seed(0)
    layer = StyledConvolution(5, 7, 6, 8 if up else 4, up=up)
    layer.noise_strength.data.fill_(0.7)
    layer.bias.data.normal_()
    x, w = torch.randn(3, 5, 4, 4), torch.randn(3, 6)
    expected = one_by_one(layer, x, w)
    assert torch.allclose(layer(x, w, "const"), expected, atol=1e-5)
    layer.clamp = 0.5
    assert torch.allclose(layer(x, w, "const"), expected.clamp(-0.5, 0.5), atol=1e-5)
    assert not torch.equal(layer(x, w, "none"), layer(x, w, "const"))
    assert not torch.equal(layer(x, w, "random"), layer(x, w, "random"))


def test_colours_are_not_demodulated() -> None:
    torch.manual_seed(0)
    layer = ToRGB(5, 6)
    layer.bias.data.normal_()
    x, w = torch.randn(2, 5, 4, 4), torch.randn(2, 6)
    styles = layer.affine(w) / 5**0.5
    expected = torch.einsum("oi,ni,nihw->nohw", layer.weight[:, :, 0, 0], styles, x) + layer.bias[:, None, None]
    assert torch.allclose(layer(x, w), expected, atol=1e-5)


def test_which_w_is_whose() -> None:
    """Block 4 has w 0 and 1; the next begins with that of its colours."""
    generator = small()
    used: dict[int, list[str]] = {}
    ws = torch.randn(1, generator.num_ws, 6)
    hooks = [
        module.register_forward_hook(
            lambda _, inputs, __, name=name: used.setdefault(
                next(n for n in range(generator.num_ws) if torch.equal(inputs[1][0], ws[0, n])), []
            ).append(name)
        )
        for name, module in generator.synthesis.named_modules()
        if isinstance(module, StyledConvolution | ToRGB)
    ]
    generator.synthesis(ws, "none")
    for hook in hooks:
        hook.remove()
    assert used == {
        0: ["b4.conv1"],
        1: ["b4.torgb", "b8.conv0"],
        2: ["b8.conv1"],
        3: ["b8.torgb", "b16.conv0"],
        4: ["b16.conv1"],
        5: ["b16.torgb"],
    }


def test_truncation_moves_the_first_ws_towards_the_mean() -> None:
    generator, z = small(), torch.randn(2, 6)
    ws, mean = generator.mapping(z), generator.mapping.w_avg
    assert ws.shape == (2, 6, 6)
    assert torch.equal(ws[:, 0], ws[:, 5])
    assert torch.allclose(generator.mapping(z, psi=0.3), mean + 0.3 * (ws - mean), atol=1e-6)
    cut = generator.mapping(z, psi=0.3, cutoff=2)
    assert torch.allclose(cut[:, :2], mean + 0.3 * (ws[:, :2] - mean), atol=1e-6)
    assert torch.equal(cut[:, 2:], ws[:, 2:])


def test_labels_change_pictures_and_have_to_be_there() -> None:
    generator, z = small(c_dim=3), torch.randn(2, 6)
    first, second = torch.eye(3)[[0, 0]], torch.eye(3)[[1, 1]]
    assert not torch.allclose(generator(z, first), generator(z, second))
    with pytest.raises(ValueError, match=r"\[N, 3\]"):
        generator(z)
    discriminator = Discriminator(16, c_dim=3, channel_base=64, channel_max=8, mapping_layers=2)
    images = torch.randn(4, 3, 16, 16)
    labels = torch.eye(3)[[0, 1, 2, 0]]
    assert discriminator(images, labels).shape == (4, 1)
    assert not torch.allclose(discriminator(images, labels), discriminator(images, labels.roll(1, 0)))


def test_differences_are_those_of_each_group() -> None:
    x = torch.randn(8, 3, 4, 4)
    found = differences(x, 4)
    for first in (0, 1):  # image n belongs to group n modulo 2
        members = x[first::2]
        expected = (members.var(0, correction=0) + 1e-8).sqrt().mean()
        assert torch.allclose(found[first::2], expected.expand(4, 1, 4, 4), atol=1e-6)
    assert differences(x[:2], 4).shape == (2, 1, 4, 4)
    assert torch.equal(differences(x[:6], 4), differences(x[:6], 3)), "6 have no groups of 4"
    first, second = x[:4], x[4:8]
    turns = differences(torch.stack((first, second), 1).flatten(0, 1), 2, compared=4)
    assert torch.equal(turns[0::2], differences(first, 2)), "of two batches that take turns, each is for itself"
    assert torch.equal(turns[1::2], differences(second, 2))


def test_gradient_penalties_have_gradients() -> None:
    discriminator = Discriminator(16, channel_base=64, channel_max=8, conv_clamp=256.0)
    images = torch.randn(4, 3, 16, 16, requires_grad=True)
    (gradient,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
    gradient.square().sum().backward()
    assert discriminator.b16.conv0.weight.grad.abs().sum() > 0
    generator = small()
    ws = generator.mapping(torch.randn(2, 6))
    (gradient,) = torch.autograd.grad(generator.synthesis(ws).sum(), ws, create_graph=True)
    gradient.square().sum().backward()
    assert generator.mapping.fc0.weight.grad.abs().sum() > 0


def test_half_precision_is_of_the_highest_resolutions() -> None:
    kinds: dict[str, torch.dtype] = {}
    torch.manual_seed(0)
    generator = Generator(16, z_dim=6, w_dim=6, mapping_layers=2, channel_base=64, channel_max=8, half_levels=1)
    discriminator = Discriminator(16, channel_base=64, channel_max=8, half_levels=1)
    for network in (generator.synthesis, discriminator):
        for name, block in network.named_children():
            block.register_forward_hook(
                lambda _, __, out, name=name, network=network: kinds.update(
                    {f"{type(network).__name__} {name}": (out[0] if isinstance(out, tuple) else out).dtype}
                )
            )
    with torch.autocast("cpu", torch.bfloat16):
        images = generator(torch.randn(2, 6))
        scores = discriminator(images)
    assert images.dtype == scores.dtype == torch.float32
    assert {name for name, kind in kinds.items() if kind == torch.bfloat16} == {"Synthesis b16", "Discriminator b16"}
