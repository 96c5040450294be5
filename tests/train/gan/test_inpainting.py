"""Images with holes."""

from __future__ import annotations

import torch

from curate.train.gan.inpainting import without_blocks


def test_about_two_in_five_blocks_are_grey_and_the_rest_is_as_it_was() -> None:
    torch.manual_seed(0)
    images = torch.rand(20, 3, 16, 24) + 0.1
    holed = without_blocks(images)
    blocks = (holed == 0).unflatten(2, (8, 2)).unflatten(4, (8, 3))  # [N, 3, 8, 2, 8, 3]
    taken = blocks.all(5).all(3)
    assert torch.equal(taken, blocks.any(5).any(3)), "a block is taken whole"
    assert torch.equal(taken.all(1), taken.any(1)), "in all channels"
    assert 0.35 < taken.float().mean() < 0.45
    assert torch.equal(holed[holed != 0], images[holed != 0])
