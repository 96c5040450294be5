"""CycleGAN: two generators that undo each other, and a discriminator per domain.

Zhu, Park, Isola, Efros: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks (2017).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated, ClassVar

import torch
from msgspec import Meta
from torch import Tensor, nn

from pipeline.params import NonNegative, Positive, Section
from train.losses import l1, lsgan
from train.networks.patch import PatchDiscriminator
from train.networks.pool import ImagePool
from train.networks.resnet import ResnetGenerator
from train.recipe import Batch, Clock, Defaults, Update

Weight = Annotated[float, Meta(ge=0.0)]
Beta = Annotated[float, Meta(ge=0.0, lt=1.0)]


class CycleGANConfig(Section, frozen=True, kw_only=True):
    """The constants of CycleGAN; "code" is the authors' PyTorch implementation where it differs from the paper."""

    ngf: Positive = 64  # generator's width; appendix 7.2
    blocks: Positive = 9  # residual blocks: 9 for 256 px, 6 for 128 px; appendix 7.2
    ndf: Positive = 64  # discriminators' width; appendix 7.2
    layers: Positive = 3  # of a discriminator: 3 judge 70 px patches; appendix 7.2
    lambda_a: Weight = 10.0  # cycle a -> b -> a; section 4
    lambda_b: Weight = 10.0  # cycle b -> a -> b; section 4
    lambda_identity: Weight = 0.5  # identity, relative to the cycle's weight; section 5.2, always on in the code
    pool: NonNegative = 50  # earlier fakes shown to a discriminator; section 4
    lr: Annotated[float, Meta(gt=0.0)] = 2e-4  # section 4
    beta1: Beta = 0.5  # code
    beta2: Beta = 0.999  # code
    constant_epochs: NonNegative = 100  # of each constant + decay epochs at the full learning rate; section 4
    decay_epochs: NonNegative = 100  # that follow, falling in a line towards 0; section 4


class CycleGAN(nn.Module):
    """Domains "a" and "b". `d_b` judges images of b, which the official code calls D_A."""

    Config: ClassVar[type[Section]] = CycleGANConfig
    DEFAULTS: ClassVar[Defaults] = {}

    @staticmethod
    def keys(config: CycleGANConfig) -> Collection[str]:
        """One image of each domain."""
        return ("a", "b")

    def __init__(self, config: CycleGANConfig) -> None:
        super().__init__()
        self.config = config
        self.g_a2b = ResnetGenerator(config.ngf, config.blocks)
        self.g_b2a = ResnetGenerator(config.ngf, config.blocks)
        self.d_a = PatchDiscriminator(config.ndf, config.layers)
        self.d_b = PatchDiscriminator(config.ndf, config.layers)
        self.pool_a = ImagePool(config.pool)
        self.pool_b = ImagePool(config.pool)
        self.optimizers = {"G": self._adam(self.g_a2b, self.g_b2a), "D": self._adam(self.d_a, self.d_b)}

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """Both generators, then both discriminators on the same fakes through the pools."""
        config, a, b = self.config, batch["a"], batch["b"]
        fake_b, same_b = self._translate(self.g_a2b, a, b)
        fake_a, same_a = self._translate(self.g_b2a, b, a)
        losses = {
            "gan_a2b": lsgan(self.d_b(fake_b), real=True),
            "gan_b2a": lsgan(self.d_a(fake_a), real=True),
            "cycle_a": config.lambda_a * l1(self.g_b2a(fake_b), a),
            "cycle_b": config.lambda_b * l1(self.g_a2b(fake_a), b),
        }
        if same_a is not None and same_b is not None:
            losses["identity_a"] = config.lambda_identity * config.lambda_a * l1(same_a, a)
            losses["identity_b"] = config.lambda_identity * config.lambda_b * l1(same_b, b)
        yield Update("G", losses)
        yield Update(
            "D",
            {
                "d_a": self._judge(self.d_a, a, self.pool_a(fake_a)),
                "d_b": self._judge(self.d_b, b, self.pool_b(fake_b)),
            },
        )

    def schedule(self, clock: Clock) -> float:
        """1 - max(0, k - constant) / (decay + 1) in the k-th epoch, counted from 1 (code).

        The run is taken as constant + decay epochs, however many steps it has.
        """
        constant, decay = self.config.constant_epochs, self.config.decay_epochs
        epoch = clock.step * (constant + decay) // clock.total + 1
        return 1.0 - max(0, epoch - constant) / (decay + 1)

    @torch.no_grad()
    def render(self, batch: Batch) -> Batch:
        """ "a2b" for the images under "a" and "b2a" for those under "b", same shapes, in [-1, 1]."""
        made = {}
        if "a" in batch:
            made["a2b"] = self.g_a2b(batch["a"])
        if "b" in batch:
            made["b2a"] = self.g_b2a(batch["b"])
        return made

    def _translate(self, generator: nn.Module, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None]:
        """`source` translated, and `target` sent through the same generator where the identity loss wants it."""
        if not self.config.lambda_identity:
            return generator(source), None
        # One call for both: instance norm sees each image alone, so it equals two calls, with half the launches.
        fake, same = generator(torch.cat([source, target])).chunk(2)
        return fake, same

    def _judge(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """A discriminator's loss; the half slows it down against the generators, section 7.1."""
        on_real, on_fake = discriminator(torch.cat([real, fake.to(real)])).chunk(2)
        return 0.5 * (lsgan(on_real, real=True) + lsgan(on_fake, real=False))

    def _adam(self, *networks: nn.Module) -> torch.optim.Adam:
        parameters = [parameter for network in networks for parameter in network.parameters()]
        return torch.optim.Adam(parameters, self.config.lr, (self.config.beta1, self.config.beta2))
