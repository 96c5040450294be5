"""How far made images are from real ones, and from what they were made of: numbers from features and from pixels.

A metric takes the features of real and of made images, float [N, d] each, and gives named numbers. A new one is a
function here and a line in METRICS.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from curate.pipeline.core.registry import Registry
from curate.train.engine.rng import generator

METRICS = Registry(
    "metric",
    {
        "kid": "curate.train.evaluation.metrics:kid",
        "fid": "curate.train.evaluation.metrics:fid",
        "diversity": "curate.train.evaluation.metrics:diversity",
    },
)

BLOCKS = 100  # halves of the images, for the spread of KID
BLOCK = 1000  # images in one at the most; Binkowski et al.'s

TILE = 16  # px, sides of the parts of an image in which a checkerboard is looked for
PERIOD = 4  # px: those of one and of two enlarging layers


def kid(real: Tensor, fake: Tensor) -> Mapping[str, float]:
    """Kernel Inception Distance: "kid", 0 for one distribution, and "kid_std", the standard error of this estimate.

    Binkowski et al., Demystifying MMD GANs (2018), section 4: the unbiased squared MMD with the kernel
    (x . y / d + 1)^3. Unbiased, it does not depend on the number of images but for its noise, and may be just below 0.
    It is the mean over all blocks of the images, which is the estimate on all of them. The spread is that of random
    blocks of half the images: for a mean of independent terms a half deviates from the whole as the whole does from the
    truth, so it is a standard error and not the spread of an estimate on fewer images; between equal distributions it
    is up to twice as large as it should be. Fewer than 4 images on a side have none.

    Raises ValueError for fewer than 2 on a side.
    """
    real, fake = real.double(), fake.double()
    if min(len(real), len(fake)) < 2:
        raise ValueError("KID needs two images on either side")
    within, across, between = kernel(real, real), kernel(fake, fake), kernel(real, fake)
    scores = {"kid": _mmd(within, across, between).item()}
    size = min(len(real) // 2, len(fake) // 2, BLOCK)
    if size >= 2:
        rng = generator("kid")
        estimates = []
        for _ in range(BLOCKS):
            rows, columns = (torch.randperm(len(side), generator=rng)[:size] for side in (real, fake))
            estimates.append(_mmd(within[rows][:, rows], across[columns][:, columns], between[rows][:, columns]))
        scores["kid_std"] = torch.stack(estimates).std().item()
    return scores


def kernel(x: Tensor, y: Tensor) -> Tensor:
    """How alike the features of either side are in KID's eyes: [m, d] and [n, d] to [m, n]."""
    return (x @ y.T / x.shape[1] + 1.0) ** 3


def _mmd(within: Tensor, across: Tensor, between: Tensor) -> Tensor:
    """Unbiased squared MMD from the kernel's values [m, m], [n, n] and [m, n]; equation 4 of Binkowski et al."""
    m, n = between.shape
    one = (within.sum() - within.trace()) / (m * (m - 1))
    other = (across.sum() - across.trace()) / (n * (n - 1))
    return one + other - 2.0 * between.mean()


def fid(real: Tensor, fake: Tensor) -> Mapping[str, float]:
    """Frechet Inception Distance, "fid": 0 for equal means and covariances.

    Heusel et al., GANs Trained by a Two Time-Scale Update Rule (2017), section 4:
    |m - m'|^2 + Tr(C + C' - 2 (C C')^(1/2)). With C = A^T A and C' = B^T B the last trace is the sum of the singular
    values of A B^T, which needs no root of an ill-conditioned product. It is biased: compare it at one number of images
    only. Raises ValueError for fewer than 2 on a side.
    """
    if min(len(real), len(fake)) < 2:
        raise ValueError("FID needs two images on either side")
    one, other = _factor(real.double()), _factor(fake.double())
    apart = (real.double().mean(0) - fake.double().mean(0)).square().sum()
    shared = torch.linalg.svdvals(one @ other.T).sum()
    return {"fid": (apart + one.square().sum() + other.square().sum() - 2.0 * shared).item()}


def _factor(features: Tensor) -> Tensor:
    """A with A^T A = the covariance of `features` [N, d], N - 1 in its denominator: [min(N, d), d]."""
    centred = (features - features.mean(0)) / (len(features) - 1) ** 0.5
    if len(centred) <= centred.shape[1]:
        return centred
    values, vectors = torch.linalg.eigh(centred.T @ centred)
    return values.clamp_min(0.0).sqrt()[:, None] * vectors.T


def diversity(real: Tensor, fake: Tensor) -> Mapping[str, float]:
    """How unlike each other made images are, "diversity": the mean distance of two, as a share of two real ones'.

    0 where all are alike, 1 where they differ as real ones do. Raises ValueError for fewer than 2 on a side.
    """
    if min(len(real), len(fake)) < 2:
        raise ValueError("diversity needs two images on either side")
    made, given = (torch.pdist(side.double()).mean() for side in (fake, real))
    return {"diversity": (made / given.clamp_min(1e-12)).item()}


def structure(source: Tensor, made: Tensor) -> Tensor:
    """How much of `source`'s drawing `made` has kept, [N, 3, H, W] each: [N] in [-1, 1], 1 where all edges are alike.

    The correlation of their brightness's Sobel gradients over the pixels: length and direction. Contrast may change as
    it likes; -1 is the negative, where all that was light is dark. A picture without any edge has kept none.
    """
    return _cosine(_gradients(source.float()), _gradients(made.float()))


def colour(source: Tensor, made: Tensor) -> Tensor:
    """How alike the colours of `source` and `made` are, whatever their brightness, [N, 3, H, W] each: [N] in [-1, 1].

    The correlation of the channels' deviations from the pixel's grey; -1 where each is the opposite one, 0 where either
    has none.
    """
    one, other = (images.float() - images.float().mean(1, keepdim=True) for images in (source, made))
    return _cosine(one, other)


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    one, other = one.flatten(1), other.flatten(1)
    return (one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1)).clamp_min(1e-12)


def _gradients(images: Tensor) -> Tensor:
    """The brightness's gradient, [N, 2, H, W]; brightness as ITU-R BT.601 weighs the channels."""
    grey = (images * torch.tensor([0.299, 0.587, 0.114]).to(images)[:, None, None]).sum(1, keepdim=True)
    sobel = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]).to(images)
    return F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), torch.stack([sobel, sobel.T])[:, None])


def checkerboard(made: Tensor) -> Tensor:
    """How strong a pattern that repeats every 2 or 4 px lies all over images [N, 3, H, W] in [-1, 1]: [N], in [0, 1].

    The amplitude (RMS, a share of the range) of what the phases modulo PERIOD have in common in a tile, without what
    chance gives them in common, the median of all tiles: edges and texture of a part of an image count for nothing.
    Transposed convolutions leave such patterns: Odena et al., Deconvolution and Checkerboard Artifacts (2016). 0 where
    not one tile fits.
    """
    side, count = min(made.shape[-2:]) // TILE, TILE // PERIOD
    if not side:
        return torch.zeros(len(made))
    rough = made.float() / 2.0
    rough = rough - F.avg_pool2d(F.pad(rough, (2, 2, 2, 2), mode="replicate"), 5, 1)
    tiles = F.unfold(rough, TILE, stride=TILE).unflatten(1, (3, count, PERIOD, count, PERIOD))
    common = tiles.mean((2, 4), keepdim=True)
    chance = (tiles - common).square().mean((2, 3, 4, 5)) / (count * count - 1)
    pattern = (common - common.mean((3, 5), keepdim=True)).square().mean((2, 3, 4, 5))
    return (pattern - chance).clamp_min(0.0).sqrt().mean(1).median(1).values


def change(source: Tensor, made: Tensor) -> Tensor:
    """Mean difference of images [N, 3, H, W] in [-1, 1] from `source`: [N], a share of the range, in [0, 1]."""
    return (source.float() - made.float()).abs().mean((1, 2, 3)) / 2.0
