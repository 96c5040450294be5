"""A feature net that needs no download: random filters, fixed by a seed, in the manner of a scattering transform.

Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models (2020), find random nets a sound basis for
comparing distributions far from ImageNet; Bruna & Mallat, Invariant Scattering Convolution Networks (2013), say why two
rectified filters in a row tell textures and shapes apart.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SEED = 20171111
OCTAVES = 5  # from 128 px down to 8 px
FILTERS = 32  # of either order
GRID = 2  # places per side at which energies are taken
LAYOUT = 8  # places per side at which colours are taken
LEAST = 0.02  # of an energy that counts: two 8-bit levels


class StandIn(nn.Module):
    """Images [N, 3, 128, 128] in [-1, 1] to features [N, 1472] of about unit size.

    In each octave, the mean absolute response of random zero-mean 3 x 3 filters, and of such filters on these
    responses, in each quarter of the image, on a logarithmic scale; beside them the colours of an 8 x 8 thumbnail.
    """

    side = 128  # px

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(SEED)
        self.register_buffer("first", _filters(3, rng))
        self.register_buffer("second", _filters(FILTERS, rng))

    def forward(self, images: Tensor) -> Tensor:
        found = [F.adaptive_avg_pool2d(images, LAYOUT).flatten(1)]
        for _ in range(OCTAVES):
            edges = _responses(images, self.get_buffer("first"))
            shapes = _responses(F.avg_pool2d(edges, 2), self.get_buffer("second"))
            for responses in (edges, shapes):
                energies = F.adaptive_avg_pool2d(responses, GRID).flatten(1)
                found.append(((energies + LEAST) / (0.2 + LEAST)).log())
            images = F.avg_pool2d(images, 2)
        return torch.cat(found, 1)


def _filters(inputs: int, rng: torch.Generator) -> Tensor:
    """FILTERS random filters [FILTERS, inputs, 3, 3] of mean 0 and length 1."""
    filters = torch.randn(FILTERS, inputs, 3, 3, generator=rng)
    filters -= filters.mean((2, 3), keepdim=True)
    return filters / filters.flatten(1).norm(dim=1)[:, None, None, None]


def _responses(images: Tensor, filters: Tensor) -> Tensor:
    return F.conv2d(F.pad(images, (1, 1, 1, 1), mode="reflect"), filters).abs()
