"""Council-GAN's networks against plain formulas, hand-computed numbers and the authors' counts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.train.networks.whole_image import WholeImage
from curate.train.recipes.council.networks import (
    CouncilGenerator,
    Layered,
    ScaledDiscriminator,
    flattened,
    normalised,
)

torch.set_num_threads(1)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def small() -> CouncilGenerator:
    torch.manual_seed(0)
    return CouncilGenerator(4, 1, style=3, hidden=5, masks=2)


def test_parameters_are_as_many_as_the_authors() -> None:
    with torch.device("meta"):
        generator = CouncilGenerator()
        parts = [generator.enc_style, generator.enc_content, generator.dec, generator.mlp]
        assert [parameters(part) for part in parts] == [2_779_328, 6_566_016, 6_463_244, 1_595_648]
        assert parameters(generator) == 17_404_236
        assert parameters(ScaledDiscriminator()) == 5_514_114
        assert parameters(ScaledDiscriminator(council=True)) == 6_040_194


def test_a_norm_takes_its_shift_and_scale_as_they_are() -> None:
    x = torch.tensor([1.0, 3.0, 5.0, 7.0]).reshape(1, 1, 2, 2)  # mean 4, biased variance 5
    made = normalised(x, (torch.tensor([[10.0]]), torch.tensor([[2.0]])))
    torch.testing.assert_close(made.flatten(), 10 + 2 * torch.tensor([-3.0, -1.0, 1.0, 3.0]) / (5 + 1e-5) ** 0.5)


def test_a_norm_is_the_same_on_every_path() -> None:
    torch.manual_seed(0)
    x, style = torch.randn(2, 3, 5, 4), (torch.randn(2, 3), torch.randn(2, 3))
    image = WholeImage()
    for norm in (style, None):
        with image.measure():
            plain = normalised(x, norm)
        torch.testing.assert_close(normalised(x, norm), plain, rtol=1e-5, atol=1e-5)


def test_shifts_come_before_scales_and_layers_in_order() -> None:
    generator = small()
    wide = 16
    numbers = torch.arange(float(2 * sum(generator.dec.adaptive)))[None]
    assert generator.dec.adaptive == [wide, wide, 8, 8, 4, 4]
    norms = list(generator.dec._norms(numbers))
    assert norms[0][0].tolist() == [list(range(wide))]
    assert norms[0][1].tolist() == [list(range(wide, 2 * wide))]
    assert norms[-1][1][0, -1] == numbers.numel() - 1


def test_layers_lie_one_over_the_other() -> None:
    generator = small()
    raw = torch.zeros(1, 8, 1, 1)
    raw[0, :, 0, 0] = torch.tensor([0.2, 0.2, 0.2, -0.6, -0.6, -0.6, 0.01, -0.02])
    generator.dec.forward = lambda *_: raw  # type: ignore[method-assign]
    made = generator.decode(torch.zeros(1), torch.zeros(1, 3), torch.full((1, 3, 1, 1), 0.5))
    first, second = ((torch.tanh(torch.tensor(v)) + 1) / 2 for v in (0.1, -0.2))
    torch.testing.assert_close(made.masks.flatten(), torch.stack([first, second]))
    under = 0.5 * (1 - first) + 0.2 * first
    torch.testing.assert_close(made.image.flatten(), (under * (1 - second) - 0.6 * second).expand(3))


def test_one_mask_and_one_paint_stand_for_all_layers() -> None:
    torch.manual_seed(0)
    images, masks, layers = torch.rand(2, 3, 4, 4), torch.rand(2, 2, 4, 4), torch.rand(2, 6, 4, 4) * 2 - 1
    masks[0, :, 0, 0] = 0.0  # nothing is painted there
    image = images
    for k in range(2):
        image = (1 - masks[:, k : k + 1]) * image + masks[:, k : k + 1] * layers[:, 3 * k : 3 * k + 3]
    mask, paint = flattened(Layered(image, masks, layers))
    torch.testing.assert_close(torch.lerp(images, paint, mask), image)
    assert mask[0, 0, 0, 0] == 0
    assert paint.abs().max() <= 1


def test_a_generator_sees_z_and_keeps_the_size() -> None:
    generator, images = small(), torch.rand(2, 3, 16, 24) * 2 - 1
    one, other = (generator(images, z) for z in (torch.zeros(2, 3), torch.ones(2, 3)))
    assert one.image.shape == images.shape
    assert one.masks.shape == (2, 2, 16, 24)
    assert not torch.equal(one.image, other.image)


def test_the_style_encoder_never_trains() -> None:
    generator = small()
    generator(torch.rand(1, 3, 16, 16), torch.randn(1, 3)).image.sum().backward()
    assert all(p.grad is None for p in generator.enc_style.parameters())
    assert all(p.grad is not None for name, p in generator.named_parameters() if not name.startswith("enc_style"))


def test_a_discriminator_judges_the_image_and_its_half() -> None:
    torch.manual_seed(0)
    judge, images = ScaledDiscriminator(2), torch.rand(1, 3, 64, 64)
    maps = judge(images)
    assert [tuple(m.shape) for m in maps] == [(1, 1, 4, 4), (1, 1, 2, 2)]
    half = F.avg_pool2d(images, 3, 2, 1, count_include_pad=False)
    x: Tensor = half
    for layer in list(judge.cnns[1])[:-1]:  # type: ignore[arg-type]
        x = F.leaky_relu(F.conv2d(x, layer.conv.weight, layer.conv.bias, 2, 1), 0.2)
    torch.testing.assert_close(maps[1], list(judge.cnns[1])[-1](x))  # type: ignore[arg-type]
    council = ScaledDiscriminator(2, council=True)(torch.rand(1, 6, 64, 64))
    assert [tuple(m.shape) for m in council] == [(1, 1, 8, 8), (1, 1, 4, 4)]
