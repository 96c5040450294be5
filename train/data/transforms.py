"""From decoded pictures to what networks see: uint8 to float and back, resizing, crops, mirrors, shifts and zooms.

The only place that turns uint8 into float: images are uint8 [N, H, W, 3] on disk and in the cache, and float32
[N, 3, H, W] in [-1, 1] everywhere else in `train`. Batches are transformed on their device; what is random is drawn on
the CPU from one generator per image, so that every device and every batch size gets the same.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from curate.train.engine.rng import PerImageRng, to_device

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue


def resize(images: Tensor, height: int, width: int | None = None) -> Tensor:
    """`images` at exactly `height` x `width`, square without a width, bicubic and antialiased as Pillow does it.

    The aspect is not kept.
    """
    size = (height, width or height)
    if images.shape[-2:] == size:
        return images
    small = F.interpolate(images, size=size, mode="bicubic", antialias=True, align_corners=False)
    return small.clamp(-1.0, 1.0)  # bicubic overshoots at edges; 8-bit images can't


def crop_and_flip(images: Tensor, side: int, flip: float, rng: PerImageRng, width: int | None = None) -> Tensor:
    """A `side` x `side` window of each image at a uniformly random place, mirrored with probability `flip`.

    With a `width`, the window is `side` high and so wide.
    """
    count, _, height, full = images.shape
    width = width or side
    top, left = rng.randint(height - side + 1, 1, 1), rng.randint(full - width + 1, 1, 1)
    mirrored = rng.rand(1, 1) < flip
    across = torch.arange(width)
    rows = to_device(top + torch.arange(side)[:, None], images.device)
    columns = to_device(left + torch.where(mirrored, across.flip(0), across), images.device)
    each = torch.arange(count, device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[each, rows, columns].permute(0, 3, 1, 2).contiguous()


def shift_and_zoom(
    images: Tensor, side: int, right: tuple[float, float], down: tuple[float, float], least: float, rng: PerImageRng
) -> Tensor:
    """What a random window shows of each image, as `side` x `side`, shifted by shares of the image's side within the
    ranges `right` and `down`. The window's side is at least the share `least` and leaves out what lies beyond the edge.

    For pictures that must not be mirrored: the icon article's augmentation (zassou65535, image_converter), which rng
    on a canvas of twice the side, as this does.
    """
    count = len(images)
    shifts = torch.stack([low + (high - low) * rng.rand() for low, high in (right, down)], 1)
    most = 1.0 - 2.0 * shifts.abs().amax(1)
    window = least + (most - least).clamp_min(0.0) * rng.rand()
    turn = torch.eye(2) * window[:, None, None]
    where = torch.cat([turn, -2.0 * shifts[:, :, None]], 2)  # [N, 2, 3]; the canvas is [-1, 1] on each axis
    where = to_device(where, images.device)
    canvas = resize(images, 2 * side)
    grid = F.affine_grid(where, [count, images.shape[1], side, side], align_corners=False)
    return F.grid_sample(canvas, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def mirror(images: Tensor, chosen: Tensor) -> Tensor:
    """`images` [N, C, H, W], those that are `chosen`, bool [N], mirrored left to right."""
    return torch.where(to_device(chosen, images.device)[:, None, None, None], images.flip(3), images)


def grey(images: Tensor, chosen: Tensor) -> Tensor:
    """`images` [N, C, H, W], those that are `chosen`, bool [N], with their luma in red, green and blue.

    Luma is ITU-R BT.601's, as Pillow has it. Further channels, such as masks, stay.
    """
    colours = images[:, :3]
    luma = (colours * colours.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True).clamp(-1.0, 1.0)
    kept = torch.where(to_device(chosen, images.device)[:, None, None, None], luma, colours)
    return torch.cat([kept, images[:, 3:]], 1)


def to_float(pixels: Tensor, device: torch.device | str = "cpu") -> Tensor:
    """uint8 [N, H, W, 3] to float32 [N, 3, H, W] in [-1, 1] on `device`."""
    return to_device(pixels, device).permute(0, 3, 1, 2).float().div(127.5).sub(1.0).contiguous()


def to_uint8(pictures: Tensor) -> Tensor:
    """float [N, 3, H, W] in [-1, 1] to uint8 [N, H, W, 3] on the CPU, rounded; the inverse of `to_float`."""
    return pictures.float().add(1.0).mul(127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().contiguous()


def to_values(picture: Tensor) -> NDArray[np.float32]:
    """float [1, 3, H, W] in [-1, 1] to float [H, W, 3] in 0..255 on the CPU, not rounded."""
    values: NDArray[np.float32] = picture.float().add(1.0).mul(127.5)[0].permute(1, 2, 0).cpu().numpy()
    return values
