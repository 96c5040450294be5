"""Flat drawings have few colours: some of the drawn person's own, ink for the lines, white for the edge."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.train.networks.unet import positions

INK, WHITE = (-0.75, -0.8, -0.65), (0.95, 0.95, 0.95)  # at first; they are learned
SHARPNESS = 4.0  # of each choice, of places and of colours
NEAR = 0.15  # of half the side: how far from its place each colour is taken at first
RARER = -0.3  # are ink and white, before SHARPNESS, lest pale skin turn white
REACH = 0.7  # of half the side: how far from the middle those places are


class Palette(nn.Module):
    """Mixes images of few colours: `own` of each image's, which attention finds, and two fixed ones.

    Attention looks for each colour by what lies at a place, and by where that is: at first each has a place of its own,
    so that no two look for the same. A pixel takes each colour in part, by a softmax that soon decides: what is
    painted is flat from the first step on, and a person's hair keeps its colour.
    """

    def __init__(self, channels: int, own: int) -> None:
        super().__init__()
        self.where = nn.Conv2d(channels + 3, own, 1)
        turns = torch.arange(own) * torch.pi * (3 - 5**0.5)  # sunflower seeds: evenly over a disc
        at = REACH * ((torch.arange(own) + 0.5) / own).sqrt() * torch.stack((turns.cos(), turns.sin()))
        near = torch.cat((2 * at, -torch.ones(1, own))) / (2 * NEAR**2 * SHARPNESS)  # a Gaussian, by its logarithm
        self.where.weight.data[:, channels:] = near.T[..., None, None]
        self.fixed = nn.Parameter(torch.atanh(torch.tensor([INK, WHITE])))
        self.prior = nn.Parameter(torch.tensor([0.0] * own + [RARER] * len(self.fixed)))

    @property
    def size(self) -> int:
        """How many colours there are."""
        return self.where.out_channels + len(self.fixed)

    def forward(self, votes: Tensor, maps: Tensor, images: Tensor) -> Tensor:
        """Images [N, 3, H, W] in [-1, 1] as `votes` [N, size, H, W] choose among the colours that `maps`
        [N, channels, h, w] find in `images` [N, 3, H, W]."""
        places = (SHARPNESS * self.where(torch.cat((maps, positions(maps)), 1)).float()).flatten(2).softmax(2)
        seen = F.adaptive_avg_pool2d(images, (maps.shape[2], maps.shape[3])).float().flatten(2)
        own = torch.einsum("nkp,ncp->nkc", places, seen)
        colours = torch.cat((own, torch.tanh(self.fixed).expand(len(own), -1, -1)), 1)
        shares = (SHARPNESS * (votes.float() + self.prior[:, None, None])).softmax(1)
        return torch.einsum("nkhw,nkc->nchw", shares, colours)
