"""Flat drawings have few colours: some of the drawn person's own, ink for the lines, white for the edge."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INK, WHITE = (-0.75, -0.8, -0.65), (0.95, 0.95, 0.95)  # at first; they are learned
SHARPNESS = 4.0  # of each choice, of places and of colours


class Palette(nn.Module):
    """Mixes images of few colours: `own` of each image's, one colour a place where attention looks, and two fixed ones.

    A pixel takes each colour in part, by a softmax that soon decides: what is painted is flat from the first step on,
    and a person's hair keeps its colour.
    """

    def __init__(self, channels: int, own: int) -> None:
        super().__init__()
        self.where = nn.Conv2d(channels, own, 1)
        self.fixed = nn.Parameter(torch.atanh(torch.tensor([INK, WHITE])))

    @property
    def size(self) -> int:
        """How many colours there are."""
        return self.where.out_channels + len(self.fixed)

    def forward(self, votes: Tensor, maps: Tensor, images: Tensor) -> Tensor:
        """Images [N, 3, H, W] in [-1, 1] as `votes` [N, size, H, W] choose among the colours that `maps`
        [N, channels, h, w] find in `images` [N, 3, H, W]."""
        places = (SHARPNESS * self.where(maps).float()).flatten(2).softmax(2)
        seen = F.adaptive_avg_pool2d(images, (maps.shape[2], maps.shape[3])).float().flatten(2)
        own = torch.einsum("nkp,ncp->nkc", places, seen)
        colours = torch.cat((own, torch.tanh(self.fixed).expand(len(own), -1, -1)), 1)
        return torch.einsum("nkhw,nkc->nchw", (SHARPNESS * votes.float()).softmax(1), colours)
