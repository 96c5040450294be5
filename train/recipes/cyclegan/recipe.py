"""CycleGAN: two generators that undo each other, and a discriminator per domain; and what hair wants of it.

Zhu, Park, Isola, Efros: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks (2017).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from msgspec import Meta
from torch import Tensor, nn

from curate.pipeline.core.config import NonNegative, Positive, Section
from curate.train.engine.contract import Batch, Clock, Defaults, Update
from curate.train.gan.ema import EMA
from curate.train.gan.image_pool import ImagePool
from curate.train.gan.losses import l1, masked_l2
from curate.train.networks.resnet import ResnetGenerator
from curate.train.recipes.cyclegan.discriminator import Judging, adaptive, discriminator, fooled, judged
from curate.train.recipes.cyclegan.face_generator import FaceGenerator

Weight = Annotated[float, Meta(ge=0.0)]
Beta = Annotated[float, Meta(ge=0.0, lt=1.0)]


class CycleGANConfig(Judging, frozen=True, kw_only=True):
    """The constants of CycleGAN; "code" is the authors' PyTorch implementation where it differs from the paper."""

    preset: Literal["plain", "blog", "hair"] = "plain"  # the paper's; the hair article's last; recommended for hair
    ngf: Positive = 64  # generator's width; appendix 7.2
    blocks: Positive = 9  # residual blocks: 9 for 256 px, 6 for 128 px; appendix 7.2
    upsampling: Literal["transposed", "nearest"] = "transposed"  # appendix 7.2; nearest leaves no checkerboard
    lambda_a: Weight = 10.0  # cycle a -> b -> a; section 4
    lambda_b: Weight = 10.0  # cycle b -> a -> b; section 4
    lambda_identity: Weight = 0.5  # identity, relative to the cycle's weight; section 5.2, always on in the code
    face_loss: Weight = (
        0.0  # the face stays as it is, under a mask from its landmarks; the hair article, no weight given
    )
    face_branch: bool = False  # shows the generators the face once more, which enlarge by nearest; tried in the article
    pool: NonNegative = 50  # earlier fakes shown to a discriminator; section 4
    ema: Beta = 0.0  # decay of the generators' moving averages, which then render; 0 for none
    lr: Annotated[float, Meta(gt=0.0)] = 2e-4  # section 4
    lr_d: Annotated[float, Meta(gt=0.0)] | None = None  # of the discriminators; None: lr
    beta1: Beta = 0.5  # code
    beta2: Beta = 0.999  # code
    constant_epochs: NonNegative = 100  # of each constant + decay epochs at the full learning rate; section 4
    decay_epochs: NonNegative = 100  # that follow, falling in a line towards 0; section 4

    FOLLOWS: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
        "preset": {
            "blog": {"d_kind": "dual", "d_norm": "spectral", "bcr_real": 10.0, "bcr_fake": 10.0},
            "hair": {
                "d_kind": "dual",
                "d_norm": "spectral",
                "global_weight": 0.3,
                "global_warmup": 0.1,
                "face_loss": 10.0,
                "bcr_real": 10.0,
                "bcr_fake": 10.0,
                "bcr_tint": 0.1,
                "ema": 0.999,
                "upsampling": "nearest",
                "lambda_identity": 0.3,
            },
        },
        "d_kind": {"dual": {"d_norm": "spectral"}, "unet": {"d_norm": "spectral"}},
    }


class CycleGAN(nn.Module):
    """Domains "a" and "b". `d_b` judges images of b, which the official code calls D_A."""

    Config: ClassVar[type[Section]] = CycleGANConfig
    DEFAULTS: ClassVar[Defaults] = {}

    @staticmethod
    def keys(config: CycleGANConfig) -> Collection[str]:
        """One image of each domain, and the masks of their faces where they are asked for."""
        return ("a", "b", "face_a", "face_b") if config.face_loss or config.face_branch else ("a", "b")

    def __init__(self, config: CycleGANConfig) -> None:
        super().__init__()
        self.config = config
        self.g_a2b, self.g_b2a = self._generator(), self._generator()
        self.d_a, self.d_b = discriminator(config), discriminator(config)
        self.ada_a, self.ada_b = adaptive(config), adaptive(config)
        self.pool_a, self.pool_b = ImagePool(config.pool), ImagePool(config.pool)
        self.average_a2b = EMA(self.g_a2b, config.ema) if config.ema else None
        self.average_b2a = EMA(self.g_b2a, config.ema) if config.ema else None
        self.optimizers = {
            "G": self._adam(config.lr, self.g_a2b, self.g_b2a),
            "D": self._adam(config.lr_d or config.lr, self.d_a, self.d_b),
        }

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """Both generators, then both discriminators on the same fakes through the pools."""
        config, a, b = self.config, batch["a"], batch["b"]
        self._adapt(clock)
        fake_b, losses = self._there_and_back("a", "b", batch, clock)
        yield Update("G", losses, more=True)
        fake_a, losses = self._there_and_back("b", "a", batch, clock)
        yield Update("G", losses)
        del losses
        if self.average_a2b is not None and self.average_b2a is not None:
            self.average_a2b.follow(self.g_a2b, clock.step)
            self.average_b2a.follow(self.g_b2a, clock.step)
        on_a = judged(config, self.d_a, a, fake_a, self.pool_a(fake_a), clock, self.ada_a)
        on_b = judged(config, self.d_b, b, fake_b, self.pool_b(fake_b), clock, self.ada_b)
        seen = {"accuracy_a": on_a.accuracy, "accuracy_b": on_b.accuracy}
        seen |= {f"ada_{key}": ada.p.clone() for key, ada in (("a", self.ada_a), ("b", self.ada_b)) if ada is not None}
        yield Update("D", {**_named("d_a", on_a.losses), **_named("d_b", on_b.losses)}, seen)

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

        With a face branch, the masks [N, 1, H, W] are under "face_a" and "face_b"; without them it sees no face.
        """
        made = {}
        if "a" in batch:
            made["a2b"] = self._made(self.average_a2b or self.g_a2b, batch["a"], batch.get("face_a"))
        if "b" in batch:
            made["b2a"] = self._made(self.average_b2a or self.g_b2a, batch["b"], batch.get("face_b"))
        return made

    def _there_and_back(
        self, source: Literal["a", "b"], target: Literal["a", "b"], batch: Batch, clock: Clock
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The images of `source` as `target`'s, detached, and the generators' losses for them."""
        config, images, face = self.config, batch[source], batch.get(f"face_{source}")
        there, back, judge = (self.g_a2b, self.g_b2a, self.d_b) if source == "a" else (self.g_b2a, self.g_a2b, self.d_a)
        ada = self.ada_b if source == "a" else self.ada_a
        weight = config.lambda_a if source == "a" else config.lambda_b
        fake = self._made(there, images, face)
        losses = _named(f"gan_{source}2{target}", fooled(config, judge, fake, clock, ada))
        if config.lambda_identity:
            # One call for both: instance norm sees each image alone, so it equals two calls, with half the launches.
            faces = None if face is None else torch.cat([face, face])  # the mask is the original's
            cycled, same = self._made(back, torch.cat([fake, images]), faces).chunk(2)
            losses[f"identity_{source}"] = config.lambda_identity * weight * l1(same, images)
        else:
            cycled = self._made(back, fake, face)
        losses[f"cycle_{source}"] = weight * l1(cycled, images)
        if face is not None and config.face_loss:
            losses[f"face_{source}"] = config.face_loss * masked_l2(fake, images, face)
        return fake.detach(), losses

    def _adapt(self, clock: Clock) -> None:
        """Lets adaptive augmentation follow the steps before this one."""
        for ada in (self.ada_a, self.ada_b):
            if ada is not None:
                ada.adapt(clock.step)

    def _made(self, generator: nn.Module, images: Tensor, faces: Tensor | None) -> Tensor:
        if not self.config.face_branch:
            return generator(images)
        return generator(images, torch.zeros_like(images[:, :1]) if faces is None else faces)

    def _generator(self) -> nn.Module:
        config = self.config
        if config.face_branch:
            return FaceGenerator(config.ngf, config.blocks)
        return ResnetGenerator(config.ngf, config.blocks, config.upsampling)

    def _adam(self, lr: float, *networks: nn.Module) -> torch.optim.Adam:
        parameters = [parameter for network in networks for parameter in network.parameters()]
        return torch.optim.Adam(parameters, lr, (self.config.beta1, self.config.beta2), fused=True)


def _named(name: str, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`losses` by suffix, under `name`."""
    return {name + suffix: loss for suffix, loss in losses.items()}
