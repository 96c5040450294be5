"""A discriminator that judges an image beside others of its kind: it sees when they are too much alike."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from curate.train.gan.feature_queue import FeatureQueue
from curate.train.networks.blocks import init_normal, init_spectral
from curate.train.networks.patchgan import PatchDiscriminator, PatchNorm

FAKES = ("fake", "fresh")  # the first words of the kinds of images that are fakes
EPSILON = 1e-8  # added to variances, of which roots are taken


class BatchDiscriminator(nn.Module):
    """CycleGAN's discriminator without its last convolution, and a head that knows how much a batch differs.

    To the features [N, C, h, w] of images of one kind the head adds their standard deviation, that of earlier images
    counted in; two 3x3 convolutions make the map of scores of it. Torbunov et al., UVCGAN v2 (2023); the deviation is
    that of Karras et al., Progressive Growing of GANs (2018), section 3.
    """

    def __init__(self, width: int = 64, layers: int = 3, norm: PatchNorm = "instance") -> None:
        super().__init__()
        patches = PatchDiscriminator(width, layers, norm=norm)
        *body, last = patches.model
        assert isinstance(last, nn.Conv2d)
        channels = last.in_channels
        self.stride = patches.stride  # px of the images from one place of the map to the next
        self.body = nn.Sequential(*body)
        self.head = nn.Sequential(
            nn.Conv2d(channels + 1, channels, 3, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(channels, 1, 3, padding=1),
        )
        (init_spectral if norm == "spectral" else init_normal)(self.head)

    def forward(self, images: Tensor) -> Tensor:
        """The features [N, C, h, w] of images [N, 3, H, W]: `judge` makes scores of them."""
        features: Tensor = self.body(images)
        return features

    def judge(self, shown: Mapping[str, Tensor], queue: FeatureQueue) -> dict[str, Tensor]:
        """Maps of scores [N, 1, h, w] of each kind of images [N, 3, H, W], all in one call of each part.

        What is learnt from, kinds "real" and "fake", is then taken into the `queue`.
        """
        counts = [len(images) for images in shown.values()]
        features = self(torch.cat(list(shown.values()))).split(counts)
        told = [
            _with_deviation(part, queue.earlier(real=not kind.startswith(FAKES), like=part))
            for kind, part in zip(shown, features, strict=True)
        ]
        scores = self.head(torch.cat(told)).split(counts)
        if "real" in shown:
            found = dict(zip(shown, features, strict=True))
            queue.push(found["real"], found["fake"])
        return dict(zip(shown, scores, strict=True))


def _with_deviation(features: Tensor, earlier: Tensor) -> Tensor:
    """`features` [N, C, h, w] and one channel more: the mean deviation over them and `earlier` [n, C, h, w]."""
    all_of_them = torch.cat([features, earlier]).float()
    deviation = (all_of_them.var(0, correction=0) + EPSILON).sqrt().mean()
    return torch.cat([features, deviation.to(features).expand(len(features), 1, *features.shape[2:])], 1)
