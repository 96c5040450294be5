"""U-GAT-IT: attention tells the generators and discriminators where the domains differ, and AdaLIN by how much.

Kim, Kim, Kang, Lee: U-GAT-IT: Unsupervised Generative Attentional Networks with Adaptive Layer-Instance Normalization
for Image-to-Image Translation (2020), arXiv 1907.10830.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from curate.pipeline.core.errors import UsageError
from curate.train.engine.contract import Batch, Clock, Update
from curate.train.engine.rng import noise_like
from curate.train.gan.diffaugment import diff_augment
from curate.train.gan.ema import EMA
from curate.train.gan.losses import ADVERSARIAL, accuracy, gradient_penalty, l1, lsgan
from curate.train.gan.mask_losses import mask_losses
from curate.train.networks.blocks import frozen, init_normal
from curate.train.recipes.ugatit.attention_unet import AttentionUNet
from curate.train.recipes.ugatit.config import UGATITConfig
from curate.train.recipes.ugatit.networks import Attended, AttentionDiscriminator, AttentionGenerator, clamp_rho

COLOUR_CELLS = 8  # each way, whose mean colours are compared
cross_entropy = ADVERSARIAL["bce"].discriminator


class UGATIT(nn.Module):
    """Domains "a" and "b"; `d_a_*` judge images of a. Two discriminators each: one sees patches, one the whole, unless
    `whole` is false."""

    Config: ClassVar[type[UGATITConfig]] = UGATITConfig

    @staticmethod
    def keys(config: UGATITConfig) -> Collection[str]:
        """One image of each domain."""
        return ("a", "b")

    def __init__(self, config: UGATITConfig) -> None:
        super().__init__()
        self.config = config
        self.size = config.size or 256  # px; section 4.2
        self.g_a2b, self.g_b2a = make_generator(config, self.size), make_generator(config, self.size)
        if config.whole:
            self.d_a_global = self._discriminator(config.global_layers, 7)
            self.d_b_global = self._discriminator(config.global_layers, 7)
        self.d_a_local = self._discriminator(config.local_layers, 5)
        self.d_b_local = self._discriminator(config.local_layers, 5)
        if config.init == "normal":
            init_normal(self)
        self.average_a2b = EMA(self.g_a2b, config.ema) if config.ema else None
        self.average_b2a = EMA(self.g_b2a, config.ema) if config.ema else None

    @cached_property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """Made for who trains: whoever only translates spares the two seconds that torch takes for its first."""
        lr = self.config.lr
        return {
            "G": self._adam(lr, self.g_a2b, self.g_b2a),
            "D": self._adam(self.config.discriminator_lr or lr, *self._judges("a"), *self._judges("b")),
        }

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """All discriminators, then both generators, whose rho then goes back into [0, 1].

        The fakes are made once: the discriminators see them detached, and the generators' losses go on from there.
        """
        a, b = batch["a"], batch["b"]
        self._check(a)
        to_b: Attended = self.g_a2b(a)
        to_a: Attended = self.g_b2a(b)
        kinds = ("global", "local") if self.config.whole else ("local",)
        for domain, real, fake in (("a", a, to_a.out.detach()), ("b", b, to_b.out.detach())):
            for kind in kinds:
                last = (domain, kind) == ("b", "local")
                yield self._discriminator_update(f"{domain}_{kind}", real, fake, more=not last)
        losses, seen = self._generator_losses("a2b", a, to_b, self.g_b2a, clock)
        del to_b  # with its graph, once the loop has gone back through it
        yield Update("G", losses, seen, more=True)
        losses, seen = self._generator_losses("b2a", b, to_a, self.g_a2b, clock)
        del to_a
        yield Update("G", losses, seen)
        del losses
        clamp_rho(self)
        if self.average_a2b is not None and self.average_b2a is not None:
            self.average_a2b.update(self.g_a2b, clock.step)
            self.average_b2a.update(self.g_b2a, clock.step)

    def schedule(self, clock: Clock) -> float:
        """1 for the first half of the run, then in a line down to 0 at its last step (code)."""
        half = clock.total / 2
        return 1.0 - max(0.0, clock.step + 1 - half) / half

    @torch.no_grad()
    def render(self, batch: Batch) -> Batch:
        """For "a": "a2b", and "a2b_attention", its heatmap laid over the source; for "b" alike. All in [-1, 1].

        Masked generators add "a2b_mask" [N, 1, H, W] in [0, 1] and "a2b_paint", of which "a2b" is made.
        """
        made = {}
        for source, generator in (("a", self.average_a2b or self.g_a2b), ("b", self.average_b2a or self.g_b2a)):
            if source in batch:
                name = "a2b" if source == "a" else "b2a"
                translated = generator(batch[source])
                made[name] = translated.out
                made[f"{name}_attention"] = overlay(batch[source], translated.heatmap)
                if translated.mask is not None and translated.paint is not None:
                    made |= {f"{name}_mask": translated.mask, f"{name}_paint": translated.paint}
        return made

    def _generator_losses(
        self, way: Literal["a2b", "b2a"], images: Tensor, there: Attended, back: nn.Module, clock: Clock
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The generators' losses for `images`, which were sent `there` and now go `back`, and what is logged.

        `images` themselves are of the domain that `back` makes, and go through it, too: they shall stay as they are.
        """
        config, source = self.config, way[0]
        # One call for both: every norm sees each image alone, so it is the same as two calls, with half the launches.
        sent = there.out + config.cycle_noise * noise_like(there.out) if config.cycle_noise else there.out
        both: Attended = back(torch.cat([sent, images]))
        cycled, same = both.out.chunk(2)
        _, same_cam = both.cam.chunk(2)
        gan = [self._adversarial_loss(judge, there.out) for judge in self._judges(way[-1])]
        losses = {
            f"gan_{way}": config.adversarial_weight * torch.stack(gan).sum(),
            f"cycle_{source}": config.cycle_weight * l1(cycled, images),
            f"identity_{source}": config.identity_weight * l1(same, images),
            f"cam_{way}": config.cam_weight * cross_entropy(there.cam, 1.0),
            f"cam_{source}": config.cam_weight * cross_entropy(same_cam, 0.0),
        }
        if config.colour_weight:
            coarse = (F.adaptive_avg_pool2d(made, COLOUR_CELLS) for made in (there.out, images))
            losses[f"colour_{way}"] = config.colour_weight * l1(*coarse)
        returned = None if both.mask is None else both.mask.chunk(2)[0]
        losses |= mask_losses(config, way, there.mask, returned, clock)
        return losses, {} if there.mask is None else {f"mask_{way}": there.mask.detach().mean()}

    def _judges(self, domain: str) -> tuple[AttentionDiscriminator, ...]:
        """The discriminators of `domain`, that of the whole image first."""
        local = self.d_a_local if domain == "a" else self.d_b_local
        if not self.config.whole:
            return (local,)
        return (self.d_a_global if domain == "a" else self.d_b_global, local)

    def _discriminator_update(self, name: str, real: Tensor, fake: Tensor, *, more: bool = False) -> Update:
        """A discriminator's update, on its patches and its attention heads (equations 2 and 5; without the half).

        Real and fake go in one after the other: each call is one power iteration of the spectral norm, as in the code.
        """
        config, discriminator = self.config, self.get_submodule(f"d_{name}")
        real = diff_augment(real, config.augment).detach().requires_grad_(config.r1_weight > 0)
        on_real: Attended = discriminator(real)
        on_fake: Attended = discriminator(diff_augment(fake, config.augment))
        patches = self._discriminator_loss(on_real.out, real=True) + self._discriminator_loss(on_fake.out, real=False)
        loss = (
            patches
            + self._discriminator_loss(on_real.cam, real=True)
            + self._discriminator_loss(on_fake.cam, real=False)
        )
        if config.r1_weight:
            loss = loss + config.r1_weight * gradient_penalty(on_real.out.flatten(1).mean(1), real)
        right = {f"accuracy_{name}": accuracy(on_real.out, on_fake.out, ADVERSARIAL[config.adversarial].boundary)}
        return Update("D", {f"d_{name}": config.adversarial_weight * loss}, right, more)

    def _adversarial_loss(self, discriminator: nn.Module, fake: Tensor) -> Tensor:
        """A generator's loss before one discriminator, on its patches and on its attention heads."""
        with frozen(discriminator):
            on_fake: Attended = discriminator(diff_augment(fake, self.config.augment))
        if self.config.adversarial == "lsgan":
            return lsgan(on_fake.out, real=True) + lsgan(on_fake.cam, real=True)
        loss = ADVERSARIAL[self.config.adversarial].generator
        return loss(on_fake.out) + loss(on_fake.cam)

    def _discriminator_loss(self, scores: Tensor, *, real: bool) -> Tensor:
        """A discriminator's loss for scores of any shape; least squares are summed as the authors' code sums them."""
        if self.config.adversarial == "lsgan":
            return lsgan(scores, real=real)
        return ADVERSARIAL[self.config.adversarial].discriminator(scores, float(real))

    def _discriminator(self, asked: int | None, usual: int) -> AttentionDiscriminator:
        most = AttentionDiscriminator.most_layers(self.size)
        width = self.config.discriminator_width or self.config.width
        return AttentionDiscriminator(width, min(usual, most) if asked is None else asked)

    def _check(self, images: Tensor) -> None:
        side = min(images.shape[-2:])
        if not self.config.any_size and images.shape[-2:] != (self.size, self.size):
            raise UsageError(
                f"images of {side} px, but the full generator was made for {self.size} px alone",
                "set train.ugatit.model.size to null, or light to true",
            )
        layers = max(judge.layers for judge in self._judges("a"))
        most = AttentionDiscriminator.most_layers(side)
        if layers > most:
            raise UsageError(
                f"images of {side} px: a discriminator of {layers} layers needs more, {most} layers fit",
                "set train.ugatit.model.global_layers and local_layers to null, or train.ugatit.data.size higher",
            )

    def _adam(self, lr: float, *networks: nn.Module) -> torch.optim.Adam:
        config = self.config
        parameters = [parameter for network in networks for parameter in network.parameters()]
        betas = (config.beta1, config.beta2)
        return torch.optim.Adam(parameters, lr, betas, weight_decay=config.weight_decay, fused=True)


def make_generator(config: UGATITConfig, size: int) -> AttentionGenerator | AttentionUNet:
    """The network of `config` for images of `size` px a side."""
    masked = config.generator == "masked"
    if config.backbone == "unet":
        return AttentionUNet(config.width, config.blocks, palette=config.palette, masked=masked)
    return AttentionGenerator(config.width, config.blocks, light=config.light, size=size, masked=masked)


def overlay(images: Tensor, heatmap: Tensor) -> Tensor:
    """`heatmap` [N,1,h,w], stretched to [0, 1] per image and coloured from blue over green to red, laid at one half
    over `images` [N,3,H,W] in [-1,1]; the same shape and range."""
    low, high = heatmap.amin((2, 3), keepdim=True), heatmap.amax((2, 3), keepdim=True)
    level = (heatmap.float() - low) / (high - low).clamp_min(1e-12)
    level = F.interpolate(level, size=images.shape[-2:], mode="bilinear", align_corners=False)
    peaks = torch.tensor([0.75, 0.5, 0.25], device=level.device)[:, None, None]  # where red, green and blue are full
    colours = (1.5 - 4 * (level - peaks).abs()).clamp(0.0, 1.0)
    return (images + (2 * colours - 1)) / 2
