"""Adaptive discriminator augmentation: as much as keeps a discriminator from learning its few images by heart.

Karras et al., Training Generative Adversarial Networks with Limited Data (2020), arXiv 2006.06676.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.train.engine.rng import current_batch_slice, rand, to_device

INTERVAL = 4  # steps between two changes of p; section 3
OCTAVE = math.log(2.0)


class AdaptiveAugment(nn.Module):
    """Changes images [N, 3, S, S] in [-1, 1], each kind of change with probability `p`; gradients pass through.

    `p` rises while the share of real images that the discriminator calls real, less that of those it does not, is above
    `target`, and falls below it: from 0 to 1 in `kimg` thousand images at the fastest; section 3. The changes are those
    of the paper's pipeline "bgc", appendix B: flips, quarter turns, shifts, scales, turns, and colours. Pixels are
    interpolated linearly and mirrored at the edges; the paper's wavelet filter is left out. `p` and what is counted are
    buffers, and the same in every process of a run.
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
        """The images, changed."""
        count, channels, height, width = images.shape
        places = self._inverse_transform(count)[:, :2]
        grid = F.affine_grid(places, [count, channels, height, width], align_corners=False)
        moved = F.grid_sample(images.float(), grid, padding_mode="reflection", align_corners=False)
        matrix, offset = self._colour_transform(count)
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
        self.p.add_(direction * self.judged / (1000.0 * self.kimg)).clamp_(0.0, 1.0)
        self.signs.zero_()
        self.judged.zero_()

    def _inverse_transform(self, count: int) -> Tensor:
        """Where each pixel of the changed images comes from, [N, 3, 3], in coordinates of [-1, 1]."""
        rotated = 1.0 - (1.0 - self.p).sqrt()  # of two turns, so that either happens with probability p
        inverse = _scaling(torch.where(self._applies(count), -1.0, 1.0), torch.ones(count, device=self.p.device))
        quarter_turns = (self._uniform(count) * 4.0).floor() * (math.pi / 2)
        inverse = inverse @ _rotation(self._masked(quarter_turns))
        shifts = (self._masked(self._uniform_within(count, 0.25)) for _ in "xy")  # an eighth of a side
        inverse = inverse @ _translation(*shifts)
        zoom = self._masked(self._normal(count) * 0.2 * OCTAVE).exp()
        inverse = inverse @ _scaling(zoom, zoom)
        inverse = inverse @ _rotation(self._masked(self._uniform_within(count, math.pi), rotated))
        stretch = self._masked(self._normal(count) * 0.2 * OCTAVE).exp()
        inverse = inverse @ _scaling(stretch, 1.0 / stretch)
        inverse = inverse @ _rotation(self._masked(self._uniform_within(count, math.pi), rotated))
        return inverse @ _translation(*(self._masked(self._normal(count) * 0.25) for _ in "xy"))

    def _colour_transform(self, count: int) -> tuple[Tensor, Tensor]:
        """What colours [3] are multiplied with, [N, 3, 3], and what is added then, [N, 3, 1]."""
        device = self.p.device
        grey = torch.full((3, 3), 1 / 3, device=device)  # projects a colour on the line of greys
        colour = torch.eye(3, device=device) - grey
        offset = self._masked(self._normal(count) * 0.2)[:, None, None].expand(-1, 3, 1)
        matrix = self._masked(self._normal(count) * 0.5 * OCTAVE).exp()[:, None, None] * torch.eye(3, device=device)
        inversion = torch.where(self._applies(count), -1.0, 1.0)[:, None, None]
        # Brightness upside down, colours kept.
        matrix, offset = (colour + inversion * grey) @ matrix, inversion * offset
        matrix = _hue_rotation(self._masked(self._uniform_within(count, math.pi)), grey, colour) @ matrix
        saturation = self._masked(self._normal(count) * OCTAVE).exp()[:, None, None]
        return (grey + saturation * colour) @ matrix, offset

    def _applies(self, count: int, p: Tensor | None = None) -> Tensor:
        return self._uniform(count) < (self.p if p is None else p)

    def _masked(self, values: Tensor, p: Tensor | None = None) -> Tensor:
        """`values` [N], but 0 where the change is not applied."""
        return torch.where(self._applies(len(values), p), values, 0.0)

    def _uniform(self, count: int) -> Tensor:
        return to_device(rand(count), self.p.device)

    def _uniform_within(self, count: int, limit: float) -> Tensor:
        """Uniform in [-limit, limit)."""
        return (self._uniform(count) * 2.0 - 1.0) * limit

    def _normal(self, count: int) -> Tensor:
        return torch.special.ndtri(self._uniform(count).clamp(1e-6, 1.0 - 1e-6))


def _matrix(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _rotation(angle: Tensor) -> Tensor:
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    cos, sin = angle.cos(), angle.sin()
    return _matrix([[cos, sin, zero], [-sin, cos, zero], [zero, zero, one]])


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
