"""Adaptive discriminator augmentation: as much as keeps a discriminator from learning its few images by heart.

Karras et al., Training Generative Adversarial Networks with Limited Data (2020), arXiv 2006.06676.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from curate.train.engine.rng import current_batch_slice, rand, to_device
from curate.train.gan.warp import warp

INTERVAL = 4  # steps between two changes of p; section 3
OCTAVE = math.log(2.0)


class AdaptiveAugment(nn.Module):
    """Changes images [N, 3, H, W] in [-1, 1], each kind of change with probability `p`; gradients pass through.

    `p` rises while the share of real images that the discriminator calls real, less that of those it does not, is above
    `target`, and falls below it: by 1 in `kimg` thousand images at the fastest; section 3. The changes are those of the
    paper's pipeline "bgc", appendix B: flips, quarter turns, shifts, scales, turns, and colours. Gradients of gradients
    pass, too, so that R1 may be of images before they are changed. `p` and what is counted are buffers, and the same in
    every process of a run.
    """

    p: Tensor
    signs: Tensor
    judged: Tensor

    def __init__(self, target: float, kimg: float = 500.0) -> None:
        super().__init__()
        self.target, self.kimg = target, kimg
        self.register_buffer("p", torch.zeros(()))
        self.register_buffer("signs", torch.zeros(()))  # since the last change of p
        self.register_buffer("judged", torch.zeros(()))  # images; the name is the checkpoints'
        self._last_step = -1  # that p was changed at, so that the parts of one count once

    def forward(self, images: Tensor) -> Tensor:
        """The images, changed; fp32."""
        count, _, height, width = images.shape
        p = self.p.item()  # the transforms are hundreds of tiny operations, which the CPU does sooner than a GPU
        if p == 0.0:
            return images.float()
        draws = Draws(count, p)
        moved = warp(images, inverse_transform(draws, height, width))
        matrix, offset = (to_device(part, images.device) for part in colour_transform(draws))
        with torch.autocast(images.device.type, enabled=False):
            return (matrix @ moved.flatten(2) + offset).view_as(moved)

    @torch.no_grad()
    def observe(self, scores: Tensor) -> None:
        """Counts a discriminator's scores of real images, [N, ...], positive for real."""
        signs = current_batch_slice().gather(scores.detach().float().sign().flatten(1).mean(1))
        self.signs += signs.sum()
        self.judged += len(signs)

    @torch.no_grad()
    def adapt(self, step: int) -> None:
        """Changes p by what was counted, at every INTERVAL-th step, counted from 0; for the parts of a step once."""
        if step % INTERVAL or step == self._last_step:
            return
        self._last_step = step
        direction = (self.signs / self.judged.clamp_min(1.0) - self.target).sign()
        self.p.add_(direction * self.judged / (1000.0 * self.kimg)).clamp_min_(0.0)
        self.signs.zero_()
        self.judged.zero_()


class Draws:
    """Random values [N] for `count` images, on the CPU: each kind of change is drawn, and applied with probability."""

    def __init__(self, count: int, p: float) -> None:
        self.count, self.p = count, p

    def uniform(self) -> Tensor:
        return rand(self.count)

    def within(self, limit: float) -> Tensor:
        """Uniform in [-limit, limit)."""
        return (self.uniform() * 2.0 - 1.0) * limit

    def normal(self) -> Tensor:
        return torch.special.ndtri(self.uniform().clamp(1e-6, 1.0 - 1e-6))

    def applied(self, *values: Tensor, p: float | None = None) -> tuple[Tensor, ...]:
        """`values`, but 0 where the change is not applied, to all or none of them."""
        chosen = self.uniform() < (self.p if p is None else p)
        return tuple(torch.where(chosen, value, 0.0) for value in values)

    def octaves(self, std: float) -> Tensor:
        """A factor 2^N(0, std); 1 where it is not applied."""
        return (self.applied(self.normal() * std)[0] * OCTAVE).exp()

    def mirrored(self) -> Tensor:
        """-1 or 1, each for half of those to which it is applied."""
        return 1.0 - 2.0 * self.applied((self.uniform() * 2.0).floor())[0]


def inverse_transform(draws: Draws, height: int, width: int) -> Tensor:
    """Where each pixel of the changed images comes from, [N, 3, 3], in px from their middle."""
    rotated = 1.0 - max(0.0, 1.0 - draws.p) ** 0.5  # of two turns, so that either happens with probability p
    inverse = _scaling(draws.mirrored(), torch.ones(draws.count))
    inverse = inverse @ _rotation(*draws.applied((draws.uniform() * 4.0).floor() * (math.pi / 2)))
    right, down = draws.applied(draws.within(0.125), draws.within(0.125))
    inverse = inverse @ _translation((right * width).round(), (down * height).round())
    zoom = draws.octaves(0.2)
    inverse = inverse @ _scaling(zoom, zoom)
    inverse = inverse @ _rotation(*draws.applied(draws.within(math.pi), p=rotated))
    stretch = draws.octaves(0.2)
    inverse = inverse @ _scaling(stretch, 1.0 / stretch)
    inverse = inverse @ _rotation(*draws.applied(draws.within(math.pi), p=rotated))
    right, down = draws.applied(draws.normal() * 0.125, draws.normal() * 0.125)
    return inverse @ _translation(right * width, down * height)


def colour_transform(draws: Draws) -> tuple[Tensor, Tensor]:
    """What colours [3] are multiplied with, [N, 3, 3], and what is added then, [N, 3, 1]."""
    grey = torch.full((3, 3), 1 / 3)  # projects a colour on the line of greys
    colour = torch.eye(3) - grey
    brightness = draws.applied(draws.normal() * 0.2)[0][:, None, None]
    contrast = draws.octaves(0.5)[:, None, None]
    inversion = draws.mirrored()[:, None, None]  # brightness upside down, colours kept
    (hue,) = draws.applied(draws.within(math.pi))
    saturation = draws.octaves(1.0)[:, None, None]
    matrix = (grey + saturation * colour) @ _hue_rotation(hue, grey, colour) @ (colour + inversion * grey) * contrast
    return matrix, (inversion * contrast * brightness).expand(-1, 3, 1)


def _matrix(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _rotation(angle: Tensor) -> Tensor:
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    cos, sin = angle.cos(), angle.sin()
    return _matrix([[cos, -sin, zero], [sin, cos, zero], [zero, zero, one]])


def _scaling(across: Tensor, down: Tensor) -> Tensor:
    zero, one = torch.zeros_like(down), torch.ones_like(down)
    return _matrix([[across, zero, zero], [zero, down, zero], [zero, zero, one]])


def _translation(right: Tensor, down: Tensor) -> Tensor:
    zero, one = torch.zeros_like(right), torch.ones_like(right)
    return _matrix([[one, zero, right], [zero, one, down], [zero, zero, one]])


def _hue_rotation(angle: Tensor, grey: Tensor, colour: Tensor) -> Tensor:
    """Turns colours around the line of greys, [N, 3, 3]; Rodrigues' formula."""
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]], device=angle.device) / 3**0.5
    return grey + angle.cos()[:, None, None] * colour + angle.sin()[:, None, None] * cross
