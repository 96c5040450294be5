"""CAGAN: a person, the garment worn and another garment, to the same person in the other garment.

Jetchev & Bergmann: The Conditional Analogy GAN, Swapping Fashion Articles on People Images (2017), arXiv 1709.04695.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from msgspec import Meta
from torch import Tensor, nn

from curate.pipeline.core.config import Positive, Section, Share
from curate.pipeline.core.errors import UsageError
from curate.train.engine.contract import Batch, Clock, Defaults, Update
from curate.train.gan.diffaugment import tint
from curate.train.gan.ema import EMA
from curate.train.gan.losses import ADVERSARIAL, accuracy, gradient_penalty, l1, preference
from curate.train.networks.blocks import frozen
from curate.train.networks.patchgan import PatchDiscriminator
from curate.train.recipes.cagan.networks import (
    AdditiveUNet,
    BatchNormPatch,
    ConditionedUNet,
    GlobalDiscriminator,
    affine_norm,
)

Weight = Annotated[float, Meta(ge=0.0)]
Beta = Annotated[float, Meta(ge=0.0, lt=1.0)]


class CAGANConfig(Section, frozen=True, kw_only=True):
    """The constants of CAGAN. "article" is the swimwear article (Chainer), "notebook" the Keras one."""

    variant: Literal["chainer", "keras", "modern"] = "chainer"  # the article, the notebook, the notebook renewed
    size: Positive | None = None  # px, sides of the images, to which chainer's discriminator is bound; None: data.size
    width: Positive = 64  # channels of the first layer, in both networks; article and notebook
    cycle: Weight = 1.0  # there and back; section 3.3, article and notebook
    mask: Weight = 0.1  # mean of the mask; section 3.3, article and notebook
    identity: Weight = 0.0  # the garment worn, put on again, changes nothing; the third notebook has 1
    adversarial: Literal["bce", "lsgan", "hinge"] = "bce"  # section 3.3, article and notebook
    upsampling: Literal["transposed", "nearest"] = "transposed"  # nearest leaves no checkerboard; not for chainer
    tint: Share = 0.0  # DiffAugment's colours, the same for a person and the article beside; arXiv 2006.10738 has 1
    r1: Weight = 0.0  # half of gamma, the gradient penalty on real pairs; Mescheder et al., arXiv 1801.04406, has 5
    noise: Weight = 0.2  # std of the noise in chainer's discriminator; article
    ema: Beta = 0.0  # decay of the generator's moving average, which then renders; 0 for none
    lr: Annotated[float, Meta(gt=0.0)] = 2e-4  # article and notebook, no decay
    beta1: Beta = 0.5  # article and notebook
    beta2: Beta = 0.999  # Adam's own

    FOLLOWS: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
        "variant": {"modern": {"identity": 1.0, "adversarial": "lsgan", "ema": 0.999, "upsampling": "nearest"}}
    }


class CAGAN(nn.Module):
    """Batches hold "human", the "article" worn and the "other" to wear, image by image."""

    Config: ClassVar[type[Section]] = CAGANConfig
    DEFAULTS: ClassVar[Defaults] = {"run": {"batch": 16, "epochs": 50}}  # article

    @staticmethod
    def keys(config: CAGANConfig) -> Collection[str]:
        """A person, the article worn and the one to wear."""
        return ("human", "article", "other")

    def __init__(self, config: CAGANConfig) -> None:
        super().__init__()
        self.config = config
        self.generator, self.discriminator = _networks(config)
        self.average = EMA(self.generator, config.ema) if config.ema else None
        self.optimizers = {"D": self._adam(self.discriminator), "G": self._adam(self.generator)}

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """The discriminator, which also sees people beside garments that they don't wear, then the generator."""
        config, gan = self.config, ADVERSARIAL[self.config.adversarial]
        human, worn, wanted = self._pictures(batch)
        swapped, alpha = dress(self.generator, human, worn, wanted)
        fake = swapped.detach()
        real, made, wrong = self._score(human, worn), self._score(fake, wanted), self._score(human, wanted)
        judged = {"real": gan.judge(real, 1.0), "swapped": gan.judge(made, 0.0), "wrong": gan.judge(wrong, 0.0)}
        if config.r1:
            pair = torch.cat((human, worn), 1).requires_grad_()
            judged["r1"] = config.r1 * gradient_penalty(self.discriminator(pair).flatten(1).mean(1), pair)
        yield Update("D", judged, {"accuracy": accuracy(real, made, gan.middle), "article": preference(real, wrong)})
        back, _ = dress(self.generator, swapped, wanted, worn)
        with frozen(self.discriminator):
            score = self._score(swapped, wanted)
        losses = {
            "gan": gan.fool(score),
            "cycle": config.cycle * l1(back, human),
            "mask": config.mask * alpha.float().mean(),
        }
        if config.identity:
            same, _ = dress(self.generator, human, worn, worn)
            losses["identity"] = config.identity * l1(same, human)
        yield Update("G", losses, {"mask": alpha.mean(), "painted": (alpha > 0.5).float().mean()})
        if self.average is not None:
            self.average.follow(self.generator, clock.step)

    def schedule(self, clock: Clock) -> float:
        """Constant, as in the article and the notebook."""
        return 1.0

    @torch.no_grad()
    def render(self, batch: Batch) -> Batch:
        """ "swapped", the person in the "other" article, and "alpha", where it was painted: white, kept: black.

        Both [N, 3, H, W] in [-1, 1].
        """
        human, worn, wanted = self._pictures(batch)
        swapped, alpha = dress(self.average or self.generator, human, worn, wanted)
        picture = swapped * 2 - 1 if self.config.variant == "chainer" else swapped
        return {"swapped": picture, "alpha": (alpha * 2 - 1).expand_as(swapped)}

    def _pictures(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Person, article worn and article wanted, as the variant wants them: chainer, which paints with a sigmoid,
        in [0, 1]. Raises UsageError for a size that its networks don't take.
        """
        variant, (height, width) = self.config.variant, batch["human"].shape[-2:]
        if height % 16 or width % 16:
            raise UsageError(f"data.size: {height} x {width} px: CAGAN wants multiples of 16", "set data.size to one")
        human, worn, wanted = (batch[key] for key in ("human", "article", "other"))
        return ((human + 1) / 2, (worn + 1) / 2, (wanted + 1) / 2) if variant == "chainer" else (human, worn, wanted)

    def _score(self, human: Tensor, article: Tensor) -> Tensor:
        side = self.config.size or 256
        if self.config.variant == "chainer" and human.shape[-2:] != (side, side):
            raise UsageError(
                f"data: {human.shape[2]} x {human.shape[3]} px, but chainer's discriminator takes {side} x {side}",
                "leave out data.width and model.size, or set model.variant to modern",
            )
        if self.config.tint:  # side by side they are one image, and get one colour
            human, article = tint(torch.cat((human, article), 3), self.config.tint).chunk(2, 3)
        return self.discriminator(torch.cat((human, article), 1))

    def _adam(self, network: nn.Module) -> torch.optim.Adam:
        betas = (self.config.beta1, self.config.beta2)
        return torch.optim.Adam(network.parameters(), self.config.lr, betas, fused=True)


def dress(generator: nn.Module, human: Tensor, worn: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """`human` in `wanted` instead of `worn`, [N, 3, H, W] each, and the mask [N, 1, H, W] in [0, 1]; section 3.2.

    What the generator paints shows through the mask, everything else is `human`'s own pixels.
    """
    alpha, rgb = generator(torch.cat((human, worn, wanted), 1))
    return alpha * rgb + (1 - alpha) * human, alpha


def _networks(config: CAGANConfig) -> tuple[nn.Module, nn.Module]:
    """The variant's generator and discriminator. Raises UsageError for what it can't have."""
    width = config.width
    if config.variant == "chainer":
        size = config.size or 256
        if size % 32 or size < 64:
            raise UsageError(f"model.size: {size}: chainer wants multiples of 32, from 64 on", "set data.size to one")
        if config.upsampling != "transposed":
            raise UsageError(
                "model.upsampling: nearest: chainer has transposed alone", "or set model.variant to modern"
            )
        return AdditiveUNet(width), GlobalDiscriminator(width, size, config.noise)
    if config.variant == "keras":
        return ConditionedUNet(width, upsampling=config.upsampling), BatchNormPatch(width)
    generator = ConditionedUNet(width, affine_norm, bias=True, upsampling=config.upsampling)
    return generator, PatchDiscriminator(width, inputs=6, norm="spectral")
