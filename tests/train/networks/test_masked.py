"""Generators that paint through a mask, and the cheap network below them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from curate.train.networks.masked import MaskedGenerator, Painted, as_painted
from curate.train.networks.resnet import ResnetGenerator
from curate.train.networks.unet import OwnColours, UNetGenerator

torch.set_num_threads(1)


class Raw(nn.Module):
    """Paint 0.5 behind a mask that is shut on the left half and open on the right one."""

    def forward(self, images: Tensor) -> Tensor:
        raw = torch.full((len(images), 4, *images.shape[2:]), 0.5493061)  # tanh of it is 0.5
        raw[:, 3, :, : images.shape[3] // 2] = -100.0
        raw[:, 3, :, images.shape[3] // 2 :] = 100.0
        return raw


def test_a_mask_keeps_the_image_where_it_is_shut_and_shows_the_paint_where_it_is_open() -> None:
    images = torch.rand(2, 3, 8, 8) * 2 - 1
    made = MaskedGenerator(Raw())(images)
    assert torch.equal(made.image[..., :4], images[..., :4]), "bit for bit"
    assert torch.allclose(made.image[..., 4:], torch.tensor(0.5))
    assert made.mask.shape == (2, 1, 8, 8)
    assert torch.allclose(made.image, images * (1 - made.mask) + made.paint * made.mask, atol=1e-6)


def test_what_a_plain_generator_makes_has_no_mask() -> None:
    images = torch.rand(2, 3, 8, 8)
    assert as_painted(images) == Painted(images)
    first, second = as_painted(images).chunk()
    assert torch.equal(first.image, images[:1])
    assert second.mask is None


def test_halves_of_what_was_painted_keep_their_masks() -> None:
    made = MaskedGenerator(Raw())(torch.rand(4, 3, 8, 8))
    first, second = made.chunk()
    assert first.mask is not None
    assert first.mask.shape == (2, 1, 8, 8)
    assert torch.equal(torch.cat([first.image, second.image]), made.image)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 48), (36, 44)])
def test_the_cheap_network_takes_any_size(height: int, width: int) -> None:
    assert UNetGenerator(4, 1, 1)(torch.rand(1, 3, height, width)).shape == (1, 4, height, width)


def test_nothing_that_it_makes_repeats_every_2_px() -> None:
    torch.manual_seed(0)
    network = UNetGenerator(8, 1, 1)
    nn.init.normal_(network.head.weight)  # wild ones, which differ from px to px of a block
    made = network(torch.rand(1, 3, 64, 64))[:, 3:, 8:-8, 8:-8]
    chequered = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(24, 24)
    assert (made * chequered).mean().abs() < 0.01 * made.std()


def test_what_it_paints_at_first_are_the_images_own_colours() -> None:
    torch.manual_seed(0)
    green = torch.tensor([-0.5, 0.6, -0.3])[:, None, None]
    paint = UNetGenerator(8, 1)(green.expand(1, 3, 64, 64)).tanh()
    assert (paint - green).abs().mean() < 0.2


def test_a_place_gets_colours_between_those_of_the_image() -> None:
    torch.manual_seed(0)
    images = torch.rand(2, 3, 48, 64) * 0.2 + 0.5
    mixed = OwnColours(5)(torch.randn(2, 5, 12, 16), images)
    assert mixed.shape == (2, 3, 12, 16)
    assert images.min() <= mixed.min()
    assert mixed.max() <= images.max()


def test_two_of_them_fit_into_2_mb_at_half_precision() -> None:
    assert sum(parameter.numel() for parameter in UNetGenerator(16, 1, 1).parameters()) <= 480_000


def test_raw_outputs_are_the_same_layers_without_the_end() -> None:
    with_mask, paper = ResnetGenerator(4, 1, raw_outputs=4), ResnetGenerator(4, 1)
    assert with_mask(torch.rand(1, 3, 32, 32)).shape == (1, 4, 32, 32)
    assert set(with_mask.state_dict()) == set(paper.state_dict())
