"""CycleGAN: two generators that undo each other, and a discriminator per domain; and what hair wants of it.

Zhu, Park, Isola, Efros: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks (2017).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from curate.train.engine.contract import Batch, Clock, Update
from curate.train.engine.rng import noise_like
from curate.train.gan.ema import EMA
from curate.train.gan.image_pool import ImagePool
from curate.train.gan.inpainting import without_blocks
from curate.train.gan.losses import l1, masked_l2
from curate.train.gan.mask_losses import mask_losses
from curate.train.networks.masked import Painted, as_painted
from curate.train.recipes.cyclegan.config import CycleGANConfig
from curate.train.recipes.cyclegan.discriminator import (
    discriminator_losses,
    generator_losses,
    make_ada,
    make_discriminator,
    make_queue,
)
from curate.train.recipes.cyclegan.generator import make_generator


class CycleGAN(nn.Module):
    """Domains "a" and "b". `d_b` judges images of b, which the official code calls D_A."""

    Config: ClassVar[type[CycleGANConfig]] = CycleGANConfig

    @staticmethod
    def keys(config: CycleGANConfig) -> Collection[str]:
        """One image of each domain, and the masks of their faces where they are asked for."""
        return ("a", "b", "face_a", "face_b") if config.face_weight or config.face_branch else ("a", "b")

    def __init__(self, config: CycleGANConfig) -> None:
        super().__init__()
        self.config = config
        self.g_a2b, self.g_b2a = make_generator(config), make_generator(config)
        self.d_a, self.d_b = make_discriminator(config), make_discriminator(config)
        self.ada_a, self.ada_b = make_ada(config), make_ada(config)
        self.queue_a, self.queue_b = make_queue(config), make_queue(config)
        self.pool_a, self.pool_b = ImagePool(config.pool), ImagePool(config.pool)
        self.average_a2b = EMA(self.g_a2b, config.ema) if config.ema else None
        self.average_b2a = EMA(self.g_b2a, config.ema) if config.ema else None

    @cached_property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """Made for who trains: whoever only translates spares the two seconds that torch takes for its first."""
        lr = self.config.lr
        return {
            "G": self._adam(lr, self.g_a2b, self.g_b2a),
            "D": self._adam(self.config.discriminator_lr or lr, self.d_a, self.d_b),
        }

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """In-painting for the first share of the run that `pretrain` says, then the game, with a clock of its own."""
        pretrained = round(self.config.pretrain * clock.total)  # steps
        if clock.step < pretrained:
            yield from self._pretrain(batch)
        else:
            yield from self._play(batch, Clock(clock.step - pretrained, clock.total - pretrained))
        if self.average_a2b is not None and self.average_b2a is not None:
            self.average_a2b.update(self.g_a2b, clock.step)
            self.average_b2a.update(self.g_b2a, clock.step)

    def schedule(self, clock: Clock) -> float:
        """1 - max(0, k - constant) / (decay + 1) in the k-th epoch, counted from 1 (code).

        The run is taken as constant + decay epochs, however many steps it has.
        """
        constant, decay = self.config.constant_epochs, self.config.decay_epochs
        epoch = clock.step * (constant + decay) // clock.total + 1
        return 1.0 - max(0, epoch - constant) / (decay + 1)

    @torch.no_grad()
    def render(self, batch: Batch) -> Batch:
        """ "a2b" for the images under "a" and "b2a" for those under "b", same shapes, in [-1, 1].

        Masked generators add "a2b_mask" [N, 1, H, W] in [0, 1] and "a2b_paint", of which "a2b" is made, and as much
        for "b2a".
        With a face branch, the masks [N, 1, H, W] are under "face_a" and "face_b"; without them it sees no face.
        """
        made: dict[str, Tensor] = {}
        for key, source, network in (
            ("a2b", "a", self.average_a2b or self.g_a2b),
            ("b2a", "b", self.average_b2a or self.g_b2a),
        ):
            if source in batch:
                painted = self._translate(network, batch[source], batch.get(f"face_{source}"))
                parts = {key: painted.image, f"{key}_mask": painted.mask, f"{key}_paint": painted.paint}
                made |= {name: part for name, part in parts.items() if part is not None}
        return made

    def _pretrain(self, batch: Batch) -> Iterator[Update]:
        """Each generator fills in blocks of images of the domain that it makes: its paint does, if it has a mask."""
        for source, target, generator in (("a", "b", self.g_a2b), ("b", "a", self.g_b2a)):
            images = batch[target]
            made = self._translate(generator, without_blocks(images), batch.get(f"face_{target}"))
            loss = l1(made.image if made.paint is None else made.paint, images)
            yield Update("G", {f"inpaint_{source}2{target}": self.config.cycle_weight * loss}, more=target == "b")

    def _play(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """Both generators, then both discriminators on the same fakes through the pools."""
        config, a, b = self.config, batch["a"], batch["b"]
        self._adapt(clock)
        fake_b, losses, seen = self._cycle("a", "b", batch, clock)
        yield Update("G", losses, seen, more=True)
        fake_a, losses, seen = self._cycle("b", "a", batch, clock)
        yield Update("G", losses, seen)
        del losses
        on_a = discriminator_losses(config, self.d_a, a, fake_a, self.pool_a(fake_a), clock, self.ada_a, self.queue_a)
        on_b = discriminator_losses(config, self.d_b, b, fake_b, self.pool_b(fake_b), clock, self.ada_b, self.queue_b)
        seen = {"accuracy_a": on_a.accuracy, "accuracy_b": on_b.accuracy}
        seen |= {f"ada_{key}": ada.p.clone() for key, ada in (("a", self.ada_a), ("b", self.ada_b)) if ada is not None}
        yield Update("D", {**_prefixed("d_a", on_a.losses), **_prefixed("d_b", on_b.losses)}, seen)

    def _cycle(
        self, source: Literal["a", "b"], target: Literal["a", "b"], batch: Batch, clock: Clock
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """The images of `source` as `target`'s, detached, the generators' losses for them, and what is logged."""
        config, images, face = self.config, batch[source], batch.get(f"face_{source}")
        there, back = (self.g_a2b, self.g_b2a) if source == "a" else (self.g_b2a, self.g_a2b)
        judge, ada, queue = (
            (self.d_b, self.ada_b, self.queue_b) if source == "a" else (self.d_a, self.ada_a, self.queue_a)
        )
        cycle, identity = self._weights(source)
        made = self._translate(there, images, face)
        fake = made.image
        losses = _prefixed(f"gan_{source}2{target}", generator_losses(config, judge, fake, clock, ada, queue))
        sent = fake + config.cycle_noise * noise_like(fake) if config.cycle_noise else fake
        if identity:
            # One call for both: instance norm sees each image alone, so it equals two calls, with half the launches.
            faces = None if face is None else torch.cat([face, face])  # the mask is the original's
            cycled, same = self._translate(back, torch.cat([sent, images]), faces).chunk()
            losses[f"identity_{source}"] = identity * l1(same.image, images)
        else:
            cycled = self._translate(back, sent, face)
        losses[f"cycle_{source}"] = cycle * l1(cycled.image, images)
        if face is not None and config.face_weight:
            losses[f"face_{source}"] = config.face_weight * masked_l2(fake, images, face)
        losses |= mask_losses(config, f"{source}2{target}", made.mask, cycled.mask, clock)
        seen = {} if made.mask is None else {f"mask_{source}2{target}": made.mask.detach().mean()}
        return fake.detach(), losses, seen

    def _weights(self, source: Literal["a", "b"]) -> tuple[float, float]:
        """Of the cycle and of the identity loss for images of `source`."""
        config = self.config
        if source == "a":
            return config.cycle_weight, config.identity_weight
        return (
            config.cycle_weight if config.cycle_weight_b is None else config.cycle_weight_b,
            config.identity_weight if config.identity_weight_b is None else config.identity_weight_b,
        )

    def _adapt(self, clock: Clock) -> None:
        """Lets adaptive augmentation follow the steps before this one."""
        for ada in (self.ada_a, self.ada_b):
            if ada is not None:
                ada.adapt(clock.step)

    def _translate(self, generator: nn.Module, images: Tensor, faces: Tensor | None) -> Painted:
        if not self.config.face_branch:
            return as_painted(generator(images))
        return as_painted(generator(images, torch.zeros_like(images[:, :1]) if faces is None else faces))

    def _adam(self, lr: float, *networks: nn.Module) -> torch.optim.Adam:
        parameters = [parameter for network in networks for parameter in network.parameters()]
        return torch.optim.Adam(parameters, lr, (self.config.beta1, self.config.beta2), fused=True)


def _prefixed(name: str, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`losses` by suffix, under `name`."""
    return {name + suffix: loss for suffix, loss in losses.items()}
