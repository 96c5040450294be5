"""StyleGAN2 with adaptive discriminator augmentation.

Karras et al., Analyzing and Improving the Image Quality of StyleGAN (2020), arXiv 1912.04958, and Training Generative
Adversarial Networks with Limited Data (2020), arXiv 2006.06676.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.train.engine.contract import Batch, Clock, Update
from curate.train.engine.rng import current_batch_slice, noise_like
from curate.train.gan.ada import AdaptiveAugment
from curate.train.gan.ema import EMA
from curate.train.gan.losses import accuracy, gradient_penalty
from curate.train.networks.blocks import frozen
from curate.train.recipes.stylegan2.config import StyleGAN2Config
from curate.train.recipes.stylegan2.layers import Noise
from curate.train.recipes.stylegan2.networks import Generator
from curate.train.recipes.stylegan2.residual_discriminator import Discriminator

W_AVG_DECAY = 0.995  # of the mean w, per batch; arXiv 1812.04948, appendix C
NOISES: tuple[Noise, ...] = ("none", "const", "random")  # what a batch's "noise" 0, 1 and 2 mean


class StyleGAN2(nn.Module):
    """Pictures like those of domain "a". `average`, the moving average of the generator, makes all that is shown."""

    Config: ClassVar[type[StyleGAN2Config]] = StyleGAN2Config
    path_length: Tensor

    @staticmethod
    def keys(config: StyleGAN2Config) -> Collection[str]:
        """Images, and which class each is of, where there are any."""
        return ("a", "labels") if config.labels else ("a",)

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.config = config
        shape = {"channel_base": config.base, "channel_max": config.channel_max, "half_levels": config.half_levels}
        self.generator = Generator(
            config.side,
            z_dim=config.z_dim,
            c_dim=config.labels,
            w_dim=config.w_dim,
            mapping_layers=config.mapping_layers,
            conv_clamp=config.conv_clamp,
            **shape,
        )
        self.discriminator = Discriminator(
            config.side,
            c_dim=config.labels,
            group_size=config.group_size,
            residual=config.residual,
            conv_clamp=config.conv_clamp,
            **shape,
        )
        self.average = EMA(self.generator)
        self.ada = AdaptiveAugment(config.ada_target, config.ada_kimg) if config.ada_target else None
        self.register_buffer("path_length", torch.zeros(()))  # its mean; arXiv 1912.04958, equation 4's a
        path_length_every = config.path_length_every if config.path_length_weight else None
        self.optimizers = {
            "G": self._adam(self.generator, path_length_every),
            "D": self._adam(self.discriminator, config.r1_every if config.r1_weight != 0.0 else None),
        }

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """G, every few steps its path length; D, every few steps its R1: steps of their own, of the same optimisers.

        Each update draws its own z, and mixes it with another, unless the batch has one: "z" [N, z_dim], which is then
        the only one. "noise" is as for `render`; without it each update draws it. "direction", N(0, 1) of the shape of
        the path length's images, stands for what that one draws.
        """
        config = self.config
        if self.ada is not None:
            self.ada.adapt(clock.step)
        with frozen(self.discriminator):
            image, _ = self._generate(batch, len(batch["a"]))
            scores = self._judge(image, batch)
        yield Update("G", {"gan": config.adversarial_weight * F.softplus(-scores).mean()})
        del image, scores
        if config.path_length_weight and clock.every(config.path_length_every):
            yield self._path_length_update(batch)
        with torch.no_grad():
            fake, _ = self._generate(batch, len(batch["a"]))
        scores_fake, scores_real = self._judge_both(fake, batch)
        if self.ada is not None:
            self.ada.observe(scores_real)
        weight, seen = config.adversarial_weight, {"accuracy": accuracy(scores_real, scores_fake, 0.0)}
        seen |= {} if self.ada is None else {"ada": self.ada.p.clone()}
        losses = {"fake": F.softplus(scores_fake).mean(), "real": F.softplus(-scores_real).mean()}
        yield Update("D", {name: weight * loss for name, loss in losses.items()}, seen)
        del scores_fake, scores_real, losses
        if config.r1_weight != 0.0 and clock.every(config.r1_every):
            yield self._r1_update(batch)
        self.average.update(self.generator, clock.step, self._ema_decay(len(batch["a"]), clock))

    def schedule(self, clock: Clock) -> float:
        """1: the learning rates are constant."""
        return 1.0

    @torch.no_grad()
    def render(self, batch: Batch) -> Batch:
        """ "image" [N, 3, size, size], about [-1, 1] and not bounded, and the "w" [N, num_ws, w_dim] that made it.

        Of "w", [N, num_ws, w_dim] or one for all layers [N, w_dim], or else of "z" [N, z_dim], and one-hot "labels"
        [N, classes] where the networks have classes. Single numbers may come along: "psi" moves w's of a z towards the
        mean w, of the first "cutoff" layers alone; "noise" is 0 for none, 1 for the stored one, and so without it, and
        2 for another one each time. Raises KeyError without w and z, and ValueError for labels of another shape.
        """
        generator: Generator = self.average.network  # type: ignore[assignment]
        if "w" in batch:
            ws = batch["w"] if batch["w"].ndim > 2 else batch["w"][:, None].expand(-1, generator.num_ws, -1)
        else:
            psi = float(batch["psi"]) if "psi" in batch else 1.0
            cutoff = int(batch["cutoff"]) if "cutoff" in batch else None
            ws = generator.mapping(batch["z"], batch.get("labels"), psi, cutoff)
        return {"image": generator.synthesis(ws, _noise(batch, "const")), "w": ws}

    def _generate(self, batch: Batch, count: int) -> tuple[Tensor, Tensor]:
        """Pictures [count, 3, size, size] and their ws; for the first of the batch's z and labels, if it has them."""
        generator, labels = self.generator, batch["labels"][:count] if "labels" in batch else None
        empty = batch["a"].new_empty(count, generator.z_dim, dtype=torch.float32)
        w = generator.mapping.styles(batch["z"][:count] if "z" in batch else noise_like(empty), labels)
        generator.mapping.follow(current_batch_slice().gather(w.detach()), W_AVG_DECAY)
        ws = w[:, None].expand(-1, generator.num_ws, -1)
        if "z" not in batch and self.config.style_mixing and torch.rand(()) < self.config.style_mixing:
            first = int(torch.randint(1, generator.num_ws, ()))
            other = generator.mapping.styles(noise_like(empty), labels)[:, None]
            ws = torch.cat((ws[:, :first], other.expand(-1, generator.num_ws - first, -1)), 1)
        return generator.synthesis(ws, _noise(batch, "random")), ws

    def _judge(self, images: Tensor, batch: Batch, compared: int | None = None) -> Tensor:
        """Scores [N, 1] of images through adaptive augmentation; groups as if they were `compared` images."""
        shown = images if self.ada is None else self.ada(images)
        scores: Tensor = self.discriminator(shown, batch.get("labels"), compared)
        return scores

    def _judge_both(self, fake: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Scores [N, 1] of made images and of the batch's, in one pass, which reads the weights once.

        They take turns, so that each group whose images the discriminator compares is of one kind alone.
        """
        both = torch.stack((fake, batch["a"]), 1).flatten(0, 1)
        turns = {"labels": batch["labels"].repeat_interleave(2, 0)} if "labels" in batch else {}
        scores = self._judge(both, turns, compared=len(fake)).unflatten(0, (-1, 2))
        return scores[:, 0], scores[:, 1]

    def _path_length_update(self, batch: Batch) -> Update:
        """arXiv 1912.04958, section 3.2 and appendix B: a step in w shall change pictures as much everywhere."""
        config = self.config
        image, ws = self._generate(batch, max(1, len(batch["a"]) // config.path_length_shrink))
        drawn = batch["direction"] if "direction" in batch else noise_like(image)
        direction = drawn / (image.shape[2] * image.shape[3]) ** 0.5
        (gradient,) = torch.autograd.grad((image * direction).sum(), ws, create_graph=True)
        lengths = gradient.square().sum(2).mean(1).sqrt()
        mean = self.path_length.lerp(lengths.mean(), config.path_length_decay)
        everywhere = current_batch_slice().gather(lengths.detach()).mean()
        self.path_length.lerp_(everywhere, config.path_length_decay)
        penalty = config.path_length_every * config.path_length_weight * (lengths - mean).square().mean()
        # Adam is to see a gradient of 0 where there is none, as the authors' does.
        return Update("G", {"path_length": penalty + 0.0 * image[:, 0, 0, 0].mean()}, {"path_length": lengths.mean()})

    def _r1_update(self, batch: Batch) -> Update:
        config, images = self.config, batch["a"].detach().requires_grad_()
        count = len(images) * current_batch_slice().parts * current_batch_slice().ranks
        weight = 0.0001 * images.shape[2] ** 2 / count if config.r1_weight is None else config.r1_weight
        scores = self._judge(images, batch)
        penalty = config.adversarial_weight * config.r1_every * weight * gradient_penalty(scores, images)
        return Update("D", {"r1": penalty + 0.0 * scores.mean()})

    def _ema_decay(self, count: int, clock: Clock) -> float:
        """Of this step; the half-life is in images."""
        config = self.config
        images = count * current_batch_slice().parts * current_batch_slice().ranks
        half_life = 1000 * config.ema_kimg if config.ema_kimg else images * 10_000 / 32
        if config.ema_ramp:
            half_life = min(half_life, config.ema_ramp * images * clock.step)
        return float(0.5 ** (images / max(half_life, 1e-8)))

    def _adam(self, network: nn.Module, lazily: int | None) -> torch.optim.Adam:
        """With an update of its own every `lazily` steps, these many count as one more: appendix B of 1912.04958."""
        share = lazily / (lazily + 1) if lazily else 1.0
        config = self.config
        betas = (config.beta1**share, config.beta2**share)
        return torch.optim.Adam(network.parameters(), config.lr * share, betas, fused=True)


def _noise(batch: Batch, otherwise: Noise) -> Noise:
    return NOISES[int(batch["noise"])] if "noise" in batch else otherwise
