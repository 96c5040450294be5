"""What discriminators are shown in place of images: DiffAugment, CutMix and moves, batched on the device.

Images are float32 [N, 3, H, W] in [-1, 1] in and out. Random choices are drawn on the CPU from torch's own generator,
which the loop seeds for each step, so that every device sees the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from curate.train.engine.rng import rand, randint, to_device


class Move(NamedTuple):
    """A mirror image and then a shift, drawn for each image, that a discriminator should not care about."""

    flip: Tensor  # bool [N]
    down: Tensor  # int64 [N], px, a multiple of the stride that it was drawn with
    right: Tensor  # int64 [N], px

    @classmethod
    def draw(cls, count: int, reach: int, stride: int, device: torch.device) -> Self:
        """`count` moves with flips half of the time and shifts of up to `reach` px each way, in steps of `stride`."""
        steps = reach // stride
        flip = rand(count) < 0.5
        down, right = randint(-steps, steps + 1, count, 2).mul(stride).unbind(1)
        return cls(to_device(flip, device), to_device(down, device), to_device(right, device))

    def apply(self, images: Tensor) -> Tensor:
        """`images` [N, C, H, W], moved; what comes in from outside is mirrored at the edge."""
        rows = _reflected(torch.arange(images.shape[2], device=images.device) - self.down[:, None], images.shape[2])
        columns = _reflected(torch.arange(images.shape[3], device=images.device) - self.right[:, None], images.shape[3])
        columns = torch.where(self.flip[:, None], images.shape[3] - 1 - columns, columns)
        return _gathered(images, rows, columns)

    def undo(self, maps: Tensor, stride: int) -> tuple[Tensor, Tensor]:
        """A discriminator's `maps` [N, C, h, w] of moved images, one place per `stride` px, put back where they belong.

        Also which places [N, 1, h, w] come from inside the map: the others mean nothing.
        """
        height, width = maps.shape[2:]
        columns = torch.arange(width, device=maps.device).expand(len(maps), -1)
        columns = torch.where(self.flip[:, None], width - 1 - columns, columns) + self.right[:, None] // stride
        rows = torch.arange(height, device=maps.device) + self.down[:, None] // stride
        inside = ((rows >= 0) & (rows < height))[:, None, :, None] & ((columns >= 0) & (columns < width))[:, None, None]
        return _gathered(maps, rows.clamp(0, height - 1), columns.clamp(0, width - 1)), inside


def _reflected(index: Tensor, length: int) -> Tensor:
    """`index`, at most `length` outside of [0, length), mirrored into it at the edges."""
    index = torch.where(index < 0, -index, index)
    return torch.where(index >= length, 2 * (length - 1) - index, index)


def _gathered(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """[N, C, H, W] from images [N, C, *, *], rows [N, H] and columns [N, W]."""
    channels, width = images.shape[1], images.shape[3]
    taken = images.gather(2, rows[:, None, :, None].expand(-1, channels, -1, width))
    return taken.gather(3, columns[:, None, None, :].expand(-1, channels, rows.shape[1], -1))


def tint(images: Tensor, strength: float) -> Tensor:
    """`images` [N, 3, H, W] with other brightness, saturation and contrast each, in this order.

    Zhao et al., Differentiable Augmentation for Data-Efficient GAN Training (2020), whose own strength is 1.
    """
    drawn = rand(len(images), 3, 1, 1, 1) - 0.5
    brightness, saturation, contrast = to_device(drawn, images.device).to(images.dtype).unbind(1)
    images = images + strength * brightness
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * (1 + 2 * strength * saturation)
    middle = images.mean((1, 2, 3), keepdim=True)
    return middle + (images - middle) * (1 + strength * contrast)


def diff_augment(images: Tensor, kinds: Iterable[str]) -> Tensor:
    """`images` [N, 3, H, W] through the `kinds` of change, "color", "translation", "cutout", in this order.

    For every image that a discriminator sees, real or not, in its own step and the generator's: Zhao et al. (2020),
    with its strengths: shifts of up to an eighth of a side onto grey, a grey square of half a side.
    """
    for kind in kinds:
        images = DIFF_AUGMENT[kind](images)
    return images


def _translated(images: Tensor) -> Tensor:
    count, _, height, width = images.shape
    down, right = (to_device(randint(-(n // 8), n // 8 + 1, count, 1), images.device) for n in (height, width))
    rows = torch.arange(height, device=images.device) - down
    columns = torch.arange(width, device=images.device) - right
    inside = ((rows >= 0) & (rows < height))[:, None, :, None] & ((columns >= 0) & (columns < width))[:, None, None]
    return _gathered(images, rows.clamp(0, height - 1), columns.clamp(0, width - 1)) * inside


def _cut_out(images: Tensor) -> Tensor:
    count, _, height, width = images.shape
    centre = [randint(0, n + 1, count, 1) for n in (height, width)]
    return images * to_device(~_box(centre, (height // 2, width // 2), (height, width)), images.device)


DIFF_AUGMENT: Mapping[str, Callable[[Tensor], Tensor]] = {
    "color": lambda images: tint(images, 1.0),
    "translation": _translated,
    "cutout": _cut_out,
}


def cutmix(count: int, height: int, width: int, device: torch.device) -> Tensor:
    """Masks [count, 1, height, width] of one box each, 0 within and 1 outside, or the other way round.

    Yun et al., CutMix (2019), as Schonfeld et al., A U-Net Based Discriminator for GANs (2020), section 3.2, use it:
    the box has a share of the image that is uniform in [0, 1], less what lies beyond the edge.
    """
    share = rand(count, 1)
    sides = [(n * share.sqrt()).int() for n in (height, width)]
    centre = [randint(0, n, count, 1) for n in (height, width)]
    box = _box(centre, sides, (height, width))
    inverted = rand(count, 1, 1, 1) < 0.5
    return to_device((box == inverted).float(), device)


def _box(centre: Sequence[Tensor], sides: Sequence[Tensor | int], shape: tuple[int, int]) -> Tensor:
    """bool [N, 1, H, W]: within `sides` around `centre`, each (rows, columns), [N, 1] px."""
    spans = []
    for middle, side, length in zip(centre, sides, shape, strict=True):
        at = torch.arange(length)
        spans.append((at >= middle - side // 2) & (at < middle + side // 2))
    return spans[0][:, None, :, None] & spans[1][:, None, None, :]
