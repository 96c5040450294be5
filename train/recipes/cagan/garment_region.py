"""Where in a person's photo the garment worn is, by its colours alone: nobody has to draw a mask."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from curate.train.networks.blocks import without_autocast

BINS = 12  # per channel, of the histograms
GRID = 32  # sides of the map of where garments usually are
PACE = 0.1  # of the newest batch in that map
ROUNDS = 2  # the second knows what the rest of the photo looks like
GROUND = 0.15  # of the range [-1, 1], by which an article differs from the ground that it lies on
SEEN = 0.01  # share of a picture below which it shows no article
CORE = 0.7  # of the map's highest, above which a garment is nearly always


class GarmentRegion(nn.Module):
    """How likely each pixel of a person belongs to the garment worn.

    A pixel's colour votes by how common it is in the article and in the rest of the photo; Swain & Ballard, Color
    Indexing (1991), section 3. Where garments usually are is learnt: `learn` keeps a moving average, a buffer. Of a
    white picture in place of the article, the colours in the middle of that place are taken for the garment's.
    """

    usual: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("usual", torch.full((1, 1, GRID, GRID), 0.3))

    @torch.no_grad()
    def forward(self, human: Tensor, article: Tensor) -> Tensor:
        """[N, 1, H, W] in [0, 1] from a person and the article worn, [N, 3, H, W] in [-1, 1] each."""
        with without_autocast(human):
            shape = human.shape[2:]
            human, shown = human.float()[..., ::2, ::2], foreground(article.float())[..., ::2, ::2]
            article = article.float()[..., ::2, ::2]
            prior = F.interpolate(self.usual, human.shape[2:], mode="bilinear")
            place = _bins(human)
            own = _histogram(_bins(article), shown.flatten(1))
            middle = (prior > CORE * prior.max()).float().expand(len(human), -1, -1, -1)
            guessed = _histogram(place, middle.flatten(1))
            known = shown.mean((1, 2, 3)) > SEEN
            wanted = torch.where(known[:, None], own, guessed).gather(1, place).view(middle.shape)
            found = torch.zeros_like(middle)
            for _ in range(ROUNDS):
                rest = _histogram(place, 1 - found.flatten(1)).gather(1, place).view(middle.shape)
                found = _blurred(prior * wanted / (prior * wanted + (1 - prior) * rest + 1e-6), 1)
            return F.interpolate(found, shape, mode="bilinear")

    @torch.no_grad()
    def learn(self, found: Tensor) -> None:
        """Moves the map of where garments usually are towards the regions `found`, [N, 1, H, W]."""
        mean = _blurred(F.interpolate(found.mean(0, keepdim=True), (GRID, GRID), mode="area"), 1)
        mean = torch.maximum(mean, mean.flip(3)).clamp(0.02, 0.9)  # people may be mirrored
        self.usual.lerp_(mean, PACE)


def foreground(article: Tensor) -> Tensor:
    """Where an article lies on its plain ground: 0 or 1, [N, 1, H, W], of pictures [N, 3, H, W] in [-1, 1]."""
    edges = torch.cat((article[:, :, :2].flatten(2), article[:, :, -2:].flatten(2)), 2)
    ground = edges.median(2).values[..., None, None]
    return ((article - ground).abs().amax(1, keepdim=True) > GROUND).float()


def trunk(region: Tensor, sleeve: float) -> Tensor:
    """Middle, top and half width of the garments in `region` [N, 1, H, W], without their sleeves: [N, 3].

    In units in which a picture spans -1 to 1 each way. What is narrower than `sleeve`, a share of the picture's width,
    counts as one; the half width is the standard deviation across.
    """
    height, width = region.shape[2:]
    reach = max(1, round(width * sleeve) // 2)
    solid = (region > 0.4).float()
    eroded = -F.max_pool2d(-F.pad(solid, (reach,) * 4), 2 * reach + 1, 1)
    core = F.max_pool2d(eroded, 2 * reach + 1, 1, reach) * solid
    core = torch.where(core.sum((1, 2, 3), keepdim=True) > 0.002 * height * width, core, solid)
    across = torch.linspace(1 / width - 1, 1 - 1 / width, width, device=region.device)
    down = torch.linspace(1 / height - 1, 1 - 1 / height, height, device=region.device)
    count = core.sum((1, 2, 3)).clamp(min=1)
    middle = (core * across).sum((1, 2, 3)) / count
    spread = (core * (across - middle[:, None, None, None]).square()).sum((1, 2, 3)).div(count).sqrt()
    above = (core.sum((1, 3)).cumsum(1) / count[:, None] < 0.05).sum(1).clamp(max=height - 1)
    return torch.stack((middle, down[above], spread.clamp(min=0.05)), 1)


def matched(from_trunk: Tensor, to_trunk: Tensor) -> Tensor:
    """The map, [N, 2, 3] as F.affine_grid takes it, that brings what has `from_trunk` [N, 3] to where `to_trunk` is."""
    scale = from_trunk[:, 2] / to_trunk[:, 2]
    right = from_trunk[:, 0] - scale * to_trunk[:, 0]
    down = from_trunk[:, 1] - scale * to_trunk[:, 1]
    none = torch.zeros_like(scale)
    return torch.stack((scale, none, right, none, scale, down), 1).view(-1, 2, 3)


def sampled(images: Tensor, grid: Tensor) -> Tensor:
    """`images` [N, C, H, W] at the places `grid` [N, H, W, 2]; beyond the edge, the edge."""
    with without_autocast(images):
        return F.grid_sample(images.float(), grid.float(), padding_mode="border", align_corners=False)


def _bins(images: Tensor) -> Tensor:
    """The number of each pixel's colour, int64 [N, H W]."""
    red, green, blue = ((images + 1) / 2 * BINS).long().clamp(0, BINS - 1).flatten(2).unbind(1)
    return (red * BINS + green) * BINS + blue


def _histogram(numbers: Tensor, weights: Tensor) -> Tensor:
    """Shares of BINS ** 3 colours, smoothed; [N, bins] from numbers and weights of pixels, [N, P] each."""
    counts = weights.new_zeros(len(numbers), BINS**3).scatter_add_(1, numbers, weights)
    cube = counts.view(-1, BINS, BINS, BINS)
    for axis in (1, 2, 3):
        before, after = (cube.narrow(axis, start, BINS - 1) for start in (0, 1))
        wider = 0.5 * cube
        wider.narrow(axis, 1, BINS - 1).add_(before, alpha=0.25)
        wider.narrow(axis, 0, BINS - 1).add_(after, alpha=0.25)
        cube = wider
    counts = cube.flatten(1)
    return counts / counts.sum(1, keepdim=True).clamp(min=1e-6)


def _blurred(maps: Tensor, reach: int) -> Tensor:
    return F.avg_pool2d(F.pad(maps, (reach,) * 4, mode="replicate"), 2 * reach + 1, 1)
