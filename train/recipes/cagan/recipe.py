"""CAGAN: a person, the garment worn and another garment, to the same person in the other garment.

Jetchev & Bergmann: The Conditional Analogy GAN, Swapping Fashion Articles on People Images (2017), arXiv 1709.04695.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from curate.pipeline.core.errors import UsageError
from curate.train.engine.contract import Batch, Clock, Update
from curate.train.gan.diffaugment import tint
from curate.train.gan.ema import EMA
from curate.train.gan.losses import ADVERSARIAL, accuracy, gradient_penalty, l1, preference
from curate.train.networks.blocks import frozen
from curate.train.networks.patchgan import PatchDiscriminator
from curate.train.recipes.cagan.config import CAGANConfig
from curate.train.recipes.cagan.fitting import Fitted, WarpedUNet, bending, paste
from curate.train.recipes.cagan.networks import (
    AdditiveUNet,
    BatchNormPatch,
    ConditionedUNet,
    GlobalDiscriminator,
    affine_norm,
)


class CAGAN(nn.Module):
    """Batches hold "human", the "article" worn and the "other" to wear, image by image."""

    Config: ClassVar[type[CAGANConfig]] = CAGANConfig

    @staticmethod
    def keys(config: CAGANConfig) -> Collection[str]:
        """A person, the article worn and the one to wear."""
        return ("human", "article", "other")

    def __init__(self, config: CAGANConfig) -> None:
        super().__init__()
        self.config = config
        self.generator, self.discriminator = _networks(config)
        self.average = EMA(self.generator, config.ema) if config.ema else None

    @cached_property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """Made for who trains: whoever only translates spares the two seconds that torch takes for its first."""
        return {"D": self._adam(self.discriminator), "G": self._adam(self.generator)}

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """The discriminator, which also sees people beside garments that they don't wear, then the generator.

        Where pairs teach the generator alone, adversarial_weight 0, there is no discriminator's turn.
        """
        human, worn, wanted = self._pictures(batch)
        losses: dict[str, Tensor] = {}
        if self.config.adversarial_weight or not self.config.paste_weight:
            swapped, alpha = try_on(self.generator, human, worn, wanted)
            yield self._judge(human, worn, wanted, swapped.detach())
            losses = self._play(human, worn, wanted, swapped)
        if self.config.paste_weight:
            pasted, alpha = self._unpaste(human, worn)
            losses |= pasted
        losses["mask"] = self.config.mask_weight * alpha.float().mean()
        yield Update("G", losses, {"mask": alpha.mean(), "painted": (alpha > 0.5).float().mean()})
        if self.average is not None:
            self.average.update(self.generator, clock.step)

    def _judge(self, human: Tensor, worn: Tensor, wanted: Tensor, fake: Tensor) -> Update:
        """What the discriminator learns from people in their article, in the wanted one, and beside it."""
        config, adversarial = self.config, ADVERSARIAL[self.config.adversarial]
        real, made, wrong = self._score(human, worn), self._score(fake, wanted), self._score(human, wanted)
        losses = {
            name: adversarial.discriminator(scores, target)
            for name, scores, target in (("real", real, 1.0), ("swapped", made, 0.0), ("wrong", wrong, 0.0))
        }
        if config.r1_weight:
            pair = torch.cat((human, worn), 1).requires_grad_()
            losses["r1"] = config.r1_weight * gradient_penalty(self.discriminator(pair).flatten(1).mean(1), pair)
        losses = {name: config.adversarial_weight * loss for name, loss in losses.items()}
        return Update(
            "D",
            losses,
            {"accuracy": accuracy(real, made, adversarial.boundary), "article": preference(real, wrong)},
        )

    def _play(self, human: Tensor, worn: Tensor, wanted: Tensor, swapped: Tensor) -> dict[str, Tensor]:
        """The generator's losses without truth: the discriminator's, and those of the way back and of no change."""
        config = self.config
        back = try_on(self.generator, swapped, wanted, worn)[0] if config.cycle_weight else None
        with frozen(self.discriminator):
            score = self._score(swapped, wanted)
        losses = {"gan": config.adversarial_weight * ADVERSARIAL[config.adversarial].generator(score)}
        if back is not None:
            losses["cycle"] = config.cycle_weight * l1(back, human)
        if config.identity_weight:
            same, _ = try_on(self.generator, human, worn, worn)
            losses["identity"] = config.identity_weight * l1(same, human)
        return losses

    def _unpaste(self, human: Tensor, worn: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The losses of warped's generator on people under others' garments, whose own look is known, and the mask."""
        generator, weight = self.generator, self.config.paste_weight
        assert isinstance(generator, WarpedUNet)
        region = generator.region(human, worn)
        generator.region.learn(region)
        person, pasted = paste(human, worn, region)
        fitted: Fitted = generator(torch.cat((person, pasted, worn), 1))
        made = torch.lerp(person, fitted.paint, fitted.alpha)
        losses = {
            "pasted": l1(made, human),
            "paint": 0.5 * l1(fitted.paint * region, human * region),
            "warped": 0.5 * l1(fitted.warped * region, human * region),
            "shape": 0.3 * l1(fitted.shape, region),
            "bend": 0.5 * bending(fitted.bend),
        }
        return {name: weight * loss for name, loss in losses.items()}, fitted.alpha

    def schedule(self, clock: Clock) -> float:
        """Constant, as in the article and the notebook."""
        return 1.0

    @torch.no_grad()
    def render(self, batch: Batch) -> Batch:
        """ "swapped", the person in the "other" article, and "alpha", where it was painted: white, kept: black.

        Both [N, 3, H, W] in [-1, 1].
        """
        human, worn, wanted = self._pictures(batch)
        swapped, alpha = try_on(self.average or self.generator, human, worn, wanted)
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


def try_on(generator: nn.Module, human: Tensor, worn: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """`human` in `wanted` instead of `worn`, [N, 3, H, W] each, and the mask [N, 1, H, W] in [0, 1]; section 3.2.

    What the generator paints shows through the mask, everything else is `human`'s own pixels.
    """
    alpha, rgb = generator(torch.cat((human, worn, wanted), 1))[:2]
    return alpha * rgb + (1 - alpha) * human, alpha


def _networks(config: CAGANConfig) -> tuple[nn.Module, nn.Module]:
    """The variant's generator and discriminator. Raises UsageError for what it can't have."""
    width = config.width
    if config.paste_weight and config.variant != "warped":
        raise UsageError(f"model.paste_weight: {config.variant} can't paste", "set model.variant to warped")
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
    generator = (
        WarpedUNet(width)
        if config.variant == "warped"
        else ConditionedUNet(width, affine_norm, bias=True, upsampling=config.upsampling)
    )
    return generator, PatchDiscriminator(width, inputs=6, norm="spectral")
