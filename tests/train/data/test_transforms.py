"""Augmentation: what Pillow would do, at places that the draws say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from curate.train.data.transforms import crop_and_flip, grey, resize, to_float, to_uint8
from curate.train.engine.rng import PerImageRng, generator


def ramp(count: int, side: int) -> torch.Tensor:
    """Images whose every px is another number."""
    return torch.arange(count * 3 * side * side, dtype=torch.float32).reshape(count, 3, side, side)


def each(count: int, first: int = 0) -> PerImageRng:
    return PerImageRng([generator("image", number) for number in range(first, first + count)])


@pytest.mark.parametrize(("before", "after"), [(48, 72), (256, 72), (100, 286)])
def test_resizing_is_pillows_bicubic(before: int, after: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (before, before, 3), np.uint8)
    pixels = cv2.GaussianBlur(noise, (0, 0), 1.5)  # no overshoot, which Pillow cuts off between rows and columns
    expected = np.asarray(Image.fromarray(pixels).resize((after, after), Image.Resampling.BICUBIC))
    made = to_uint8(resize(to_float(torch.from_numpy(pixels)[None]), after))[0].numpy()
    assert np.abs(made.astype(int) - expected.astype(int)).max() <= 1


def test_resizing_stays_in_range() -> None:
    checks = (torch.arange(64)[:, None] + torch.arange(64)) % 8 // 4 * 2.0 - 1.0
    assert resize(checks.expand(1, 3, 64, 64), 90).abs().max() <= 1.0


def test_a_crop_is_a_window_of_the_image_and_a_flip_its_mirror() -> None:
    images = ramp(64, 8)
    made = crop_and_flip(images, 6, 0.5, each(64))
    windows = {}
    for top in range(3):
        for left in range(3):
            window = images[:, :, top : top + 6, left : left + 6]
            windows[top, left, False], windows[top, left, True] = window, window.flip(3)
    found = [next(key for key, window in windows.items() if torch.equal(made[i], window[i])) for i in range(64)]
    assert len({key[:2] for key in found}) == 9  # every place comes up
    assert 20 < sum(key[2] for key in found) < 44
    assert len({key[2] for key in found[:8]}) == 2  # drawn for each image, not for the batch


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_the_probability_of_a_flip(flip: float) -> None:
    images = ramp(8, 4)
    made = crop_and_flip(images, 4, flip, each(8))
    assert torch.equal(made, images.flip(3) if flip else images)


def test_the_same_draws_make_the_same_batch() -> None:
    images = ramp(4, 8)
    assert torch.equal(crop_and_flip(images, 5, 0.5, each(4)), crop_and_flip(images, 5, 0.5, each(4)))
    assert not torch.equal(crop_and_flip(images, 5, 0.5, each(4)), crop_and_flip(images, 5, 0.5, each(4, 8)))


def test_grey_is_pillows_and_of_the_chosen_images_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    masked = torch.cat([to_float(torch.from_numpy(pixels)), torch.rand(2, 1, 8, 8)], 1)
    made = grey(masked, torch.tensor([True, False]))
    assert torch.equal(made[1], masked[1]) and torch.equal(made[:, 3:], masked[:, 3:])
    expected = np.asarray(Image.fromarray(pixels[0]).convert("L"))[..., None]
    assert np.abs(to_uint8(made[:1, :3])[0].numpy().astype(int) - expected).max() <= 1
