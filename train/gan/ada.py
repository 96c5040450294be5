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
    buffers, and the same in every process of a team.
    """

    p: Tensor
    signs: Tensor
    judged: Tensor

    def __init__(self, target: float, kimg: float = 500.0) -> None:
        super().__init__()
        self.target, self.kimg = target, kimg
        self.register_buffer("p", torch.zeros(()))
        self.register_buffer("signs", torch.zeros(()))  # since the last change of p
        self.register_buffer("judged", torch.zeros(()))  # images
        self._adapted = -1  # the step, so that the parts of one count once

    def forward(self, images: Tensor) -> Tensor:
        """The images, changed."""
        count, channels, height, width = images.shape
        grid = F.affine_grid(self._places(count)[:, :2], [count, channels, height, width], align_corners=False)
        moved = F.grid_sample(images.float(), grid, padding_mode="reflection", align_corners=False)
        matrix, offset = self._colours(count)
        return (matrix @ moved.flatten(2) + offset).view_as(moved)

    @torch.no_grad()
    def watch(self, scores: Tensor) -> None:
        """Counts a discriminator's scores of real images, [N, ...], positive for real."""
        signs = current_batch_slice().gather(scores.detach().float().sign().flatten(1).mean(1))
        self.signs += signs.sum()
        self.judged += len(signs)

    @torch.no_grad()
    def adapt(self, step: int) -> None:
        """Changes p by what was counted, at every INTERVAL-th step, counted from 0; for the parts of a step once."""
        if step % INTERVAL or step == self._adapted:
            return
        self._adapted = step
        way = (self.signs / self.judged.clamp_min(1.0) - self.target).sign()
        self.p.add_(way * self.judged / (1000.0 * self.kimg)).clamp_(0.0, 1.0)
        self.signs.zero_()
        self.judged.zero_()

    def _places(self, count: int) -> Tensor:
        """Where each pixel of the changed images comes from, [N, 3, 3], in coordinates of [-1, 1]."""
        turned = 1.0 - (1.0 - self.p).sqrt()  # of two turns, so that either happens with probability p
        places = _scaled(torch.where(self._happens(count), -1.0, 1.0), torch.ones(count, device=self.p.device))
        quarters = (self._uniform(count) * 4.0).floor() * (math.pi / 2)
        places = places @ _turned(self._chosen(quarters))
        places = places @ _moved(*(self._chosen(self._spread(count, 0.25)) for _ in "xy"))  # an eighth of a side
        zoom = self._chosen(self._normal(count) * 0.2 * OCTAVE).exp()
        places = places @ _scaled(zoom, zoom)
        places = places @ _turned(self._chosen(self._spread(count, math.pi), turned))
        stretch = self._chosen(self._normal(count) * 0.2 * OCTAVE).exp()
        places = places @ _scaled(stretch, 1.0 / stretch)
        places = places @ _turned(self._chosen(self._spread(count, math.pi), turned))
        return places @ _moved(*(self._chosen(self._normal(count) * 0.25) for _ in "xy"))

    def _colours(self, count: int) -> tuple[Tensor, Tensor]:
        """What colours [3] are multiplied with, [N, 3, 3], and what is added then, [N, 3, 1]."""
        device = self.p.device
        grey = torch.full((3, 3), 1 / 3, device=device)  # projects a colour on the line of greys
        colour = torch.eye(3, device=device) - grey
        offset = self._chosen(self._normal(count) * 0.2)[:, None, None].expand(-1, 3, 1)
        matrix = self._chosen(self._normal(count) * 0.5 * OCTAVE).exp()[:, None, None] * torch.eye(3, device=device)
        flip = torch.where(self._happens(count), -1.0, 1.0)[:, None, None]
        matrix, offset = (colour + flip * grey) @ matrix, flip * offset  # brightness upside down, colours kept
        matrix = _hue(self._chosen(self._spread(count, math.pi)), grey, colour) @ matrix
        more = self._chosen(self._normal(count) * OCTAVE).exp()[:, None, None]
        return (grey + more * colour) @ matrix, offset

    def _happens(self, count: int, p: Tensor | None = None) -> Tensor:
        return self._uniform(count) < (self.p if p is None else p)

    def _chosen(self, values: Tensor, p: Tensor | None = None) -> Tensor:
        """`values` [N], but 0 where nothing is to happen."""
        return torch.where(self._happens(len(values), p), values, 0.0)

    def _uniform(self, count: int) -> Tensor:
        return to_device(rand(count), self.p.device)

    def _spread(self, count: int, most: float) -> Tensor:
        """Uniform in [-most, most)."""
        return (self._uniform(count) * 2.0 - 1.0) * most

    def _normal(self, count: int) -> Tensor:
        return torch.special.ndtri(self._uniform(count).clamp(1e-6, 1.0 - 1e-6))


def _matrix(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _turned(angle: Tensor) -> Tensor:
    none, one = torch.zeros_like(angle), torch.ones_like(angle)
    cos, sin = angle.cos(), angle.sin()
    return _matrix([[cos, sin, none], [-sin, cos, none], [none, none, one]])


def _scaled(across: Tensor, down: Tensor) -> Tensor:
    none, one = torch.zeros_like(down), torch.ones_like(down)
    return _matrix([[across, none, none], [none, down, none], [none, none, one]])


def _moved(right: Tensor, down: Tensor) -> Tensor:
    none, one = torch.zeros_like(right), torch.ones_like(right)
    return _matrix([[one, none, right], [none, one, down], [none, none, one]])


def _hue(angle: Tensor, grey: Tensor, colour: Tensor) -> Tensor:
    """Turns colours around the line of greys, [N, 3, 3]; Rodrigues' formula."""
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]], device=angle.device) / 3**0.5
    return grey + angle.cos()[:, None, None] * colour + angle.sin()[:, None, None] * cross
