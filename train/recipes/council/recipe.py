"""Council-GAN: several members translate, each before its own discriminator, and have to agree on what they keep.

Nizan, Tal: Breaking the Cycle: Colleagues Are All You Need (CVPR 2020), arXiv 1911.10538. A member's council
discriminator tells its pictures from the others' beside their source; to fool it, a member does what the others do,
and what all of them can agree on is in the source. There is no way back, and so nothing that must stay for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import combinations
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from curate.pipeline.core.errors import UsageError
from curate.train.engine.contract import Batch, Clock, Update
from curate.train.engine.rng import current_batch_slice, generator, noise_like
from curate.train.gan.diffaugment import diff_augment
from curate.train.gan.ema import EMA
from curate.train.gan.losses import ADVERSARIAL, accuracy, gradient_penalty, l1
from curate.train.networks.blocks import frozen
from curate.train.recipes.council.config import CouncilConfig
from curate.train.recipes.council.networks import CouncilGenerator, Layered, ScaledDiscriminator, flattened

SATURATED = 1e-3  # from 0 or 1: a mask that is so near hardly changes any more
ENDS = ("D", "C", "G")  # the updates of a step, which draw a z of their own each


class Council(nn.Module):
    """Member n has the generator `g_n`, the discriminator `d_n` of the target domain, and the council's, `dc_n`.

    Members take turns: what one needs for its way back is gone before the next begins, so that several take little more
    memory than one.
    """

    Config: ClassVar[type[CouncilConfig]] = CouncilConfig
    gan_losses: Tensor  # [members, loss_matching_steps], of the generators, unweighted
    council_losses: Tensor

    @staticmethod
    def keys(config: CouncilConfig) -> Collection[str]:
        """An image of each domain."""
        return ("a", "b")

    def __init__(self, config: CouncilConfig) -> None:
        super().__init__()
        self.config = config
        self.source: Literal["a", "b"] = "a" if config.direction == "a2b" else "b"
        self.target: Literal["a", "b"] = "b" if config.direction == "a2b" else "a"
        self.members, width = range(config.members), config.discriminator_width or config.width
        for n in self.members:
            self.add_module(f"g_{n}", make_generator(config))
            self.add_module(f"d_{n}", ScaledDiscriminator(width))
            if config.members > 1:
                self.add_module(f"dc_{n}", ScaledDiscriminator(width, council=True))
            if config.ema:
                self.add_module(f"average_{n}", EMA(self.get_submodule(f"g_{n}"), config.ema))
        for name in ("gan_losses", "council_losses"):
            self.register_buffer(name, torch.ones(config.members, config.loss_matching_steps))
        judge_lr = config.discriminator_lr or config.lr
        self.optimizers = {"D": self._adam("d", judge_lr), "G": self._adam("g", config.lr)}
        if config.members > 1:
            self.optimizers["C"] = self._adam("dc", judge_lr)

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """All discriminators, then the council's, then the generators, member by member.

        Each of the three draws a z per image, which all members get. A batch may bring them along: "z" [N, style] for
        all three or [N, 3, style], and "others" [members, comparisons], whom each council's discriminator sees.
        """
        source, target = batch[self.source], batch[self.target]
        styles = self._styles(batch, source)
        with torch.no_grad():
            fakes = [self._member(n)(source, styles["D"]).image for n in self.members]
        for n in self.members:
            yield self._judge(n, target, fakes)
        del fakes
        meeting = len(self.members) > 1 and self.config.council_weight > 0 and clock.step >= self.config.council_start
        if meeting:
            yield from self._council(source, styles["C"], batch.get("others"))
        for n in self.members:
            made = self._member(n)(source, styles["G"])
            losses = self._generator_losses(n, source, made, clock, meeting=meeting)
            seen = {f"mask_{n}": flattened(made)[0].detach().mean(), f"saturated_{n}": _saturated(made.masks)}
            del made  # with its graph, once the loop has gone back through it
            yield Update("G", losses, seen, more=n + 1 < len(self.members))
            del losses
        if self.config.ema:
            for n in self.members:
                average = self.get_submodule(f"average_{n}")
                assert isinstance(average, EMA)
                average.update(self._member(n), clock.step)

    def schedule(self, clock: Clock) -> float:
        """Halved again and again (code)."""
        return float(0.5 ** (clock.step // self.config.lr_half_every))

    @torch.no_grad()
    def render(self, batch: Batch) -> Batch:
        """For the source domain, "a": "a2b", and the layers of paint in it, "a2b_paint" through "a2b_mask".

        Pictures and paint are [N, 3, H, W] in [-1, 1], the mask [N, 1, H, W] in [0, 1], and "a2b_masks" [N, M, H, W]
        those of the single layers. A batch may say which "member" paints and in which "style", int64 [N] or [1], 0 if
        not; or bring "z" [N, style] itself. Raises UsageError for a member or a z that there is not.
        """
        if self.source not in batch:
            return {}
        images, way = batch[self.source], self.config.direction
        z = self._given(batch["z"], images, 1)[0] if "z" in batch else self._numbered(batch.get("style"), images)
        parts = [self.painted_by(n, images[rows], z[rows]) for n, rows in self._turns(batch.get("member"), images)]
        order = torch.cat([rows for _, rows in self._turns(batch.get("member"), images)]).argsort()
        names = (way, f"{way}_mask", f"{way}_paint", f"{way}_masks")
        return {name: torch.cat(part)[order] for name, part in zip(names, zip(*parts, strict=True), strict=True)}

    def painted_by(self, n: int, images: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What member `n` makes of `images` in the styles z [N, style]: image, mask, paint and masks, as `render`."""
        network = self.get_submodule(f"average_{n}" if self.config.ema else f"g_{n}")
        made: Layered = network(images, z)
        mask, paint = flattened(made)
        return made.image, mask, paint, made.masks

    def _turns(self, asked: Tensor | None, images: Tensor) -> list[tuple[int, Tensor]]:
        """Each member that was asked for, and the rows of the images that are its."""
        numbers = torch.zeros(1, dtype=torch.int64) if asked is None else asked.flatten().cpu()
        if wrong := [n for n in numbers.tolist() if n not in self.members]:
            raise UsageError(f"member {wrong[0]}: there are 0 to {len(self.members) - 1}", "name one of them")
        numbers = numbers.expand(len(images))
        return [(int(n), (numbers == n).nonzero()[:, 0].to(images.device)) for n in numbers.unique().tolist()]

    def _numbered(self, asked: Tensor | None, images: Tensor) -> Tensor:
        """z of the styles with these numbers, [N, style]."""
        numbers = [0] if asked is None else asked.flatten().tolist()
        if min(numbers) < 0:
            raise UsageError(f"style {min(numbers)}: there are 0, 1, and so on", "name one of them")
        drawn = torch.stack([torch.randn(self.config.style, generator=generator("style", n)) for n in numbers])
        return drawn.to(images.device).expand(len(images), -1)

    def _styles(self, batch: Batch, images: Tensor) -> Mapping[str, Tensor]:
        """z [N, style] for each of the three updates, those that `batch` brings or drawn."""
        if "z" in batch:
            return dict(zip(ENDS, self._given(batch["z"], images, len(ENDS)), strict=True))
        return {name: noise_like(images.new_empty(len(images), self.config.style)) for name in ENDS}

    def _given(self, z: Tensor, images: Tensor, count: int) -> tuple[Tensor, ...]:
        """`count` z of a batch, [N, style] each. Raises UsageError for another shape."""
        style = self.config.style
        if z.numel() not in (len(images) * style, len(images) * style * count):
            raise UsageError(
                f"z of shape {list(z.shape)}: not {len(images)} times {style} numbers", "draw N(0, 1) anew"
            )
        return z.to(images).reshape(len(images), -1, style).expand(-1, count, -1).unbind(1)

    def _judge(self, n: int, real: Tensor, fakes: list[Tensor]) -> Update:
        """What a member's discriminator learns from the target's images and the member's own; equation 1."""
        config, judge = self.config, self.get_submodule(f"d_{n}")
        game = ADVERSARIAL[config.adversarial]
        real = diff_augment(real, config.augment).detach().requires_grad_(config.r1_weight > 0)
        on_real, on_fake = judge(real), judge(diff_augment(fakes[n], config.augment))
        loss = _summed(
            game.discriminator(good, 1.0) + game.discriminator(bad, 0.0)
            for good, bad in zip(on_real, on_fake, strict=True)
        )
        if config.r1_weight:
            loss = loss + config.r1_weight * gradient_penalty(sum(m.flatten(1).mean(1) for m in on_real), real)
        weighed = config.direction == "a2b" if config.weigh_discriminators is None else config.weigh_discriminators
        right = torch.stack(
            [accuracy(good, bad, game.boundary) for good, bad in zip(on_real, on_fake, strict=True)]
        ).mean()
        seen, last = {f"accuracy_{n}": right}, n + 1 == len(self.members)
        if last and n:
            seen["distance"] = torch.stack([l1(x, y) for x, y in combinations(fakes, 2)]).mean() / 2
        weight = config.adversarial_weight if weighed else 1.0
        return Update("D", {f"d_{n}": weight * loss}, seen, more=not last)

    def _council(self, source: Tensor, z: Tensor, others: Tensor | None) -> Iterator[Update]:
        """The council's discriminators: a member's own pictures are 0, the others', in less style, 1; equation 2."""
        config, game = self.config, ADVERSARIAL[self.config.adversarial]
        own, less = [], []
        with torch.no_grad():
            for n in self.members:
                member = self._member(n)
                content = member.enc_content(source)
                own.append(member.decode(content, z, source).image)
                less.append(member.decode(content, config.less_style * z, source).image)
        shown = self._draw() if others is None else others.tolist()
        for n in self.members:
            judge = self.get_submodule(f"dc_{n}")
            pairs = {m: shown[n].count(m) / len(shown[n]) for m in dict.fromkeys(shown[n])}
            losses = [_summed(game.discriminator(scores, 0.0) for scores in judge(torch.cat((own[n], source), 1)))]
            for m, share in pairs.items():  # who is drawn twice is looked at once, and counts twice
                scores = judge(torch.cat((less[m], source), 1))
                losses.append(share * _summed(game.discriminator(part, 1.0) for part in scores))
            loss = config.council_weight * torch.stack(losses).sum()
            yield Update("C", {f"council_{n}": loss}, more=n + 1 < len(self.members))

    def _draw(self) -> list[list[int]]:
        """Whom each council's discriminator sees: the others in any order, and again, once all were there (code)."""
        shown = []
        for n in self.members:
            others = [m for m in self.members if m != n]
            rounds = -(-self.config.comparisons // len(others))
            order = [others[i] for _ in range(rounds) for i in torch.randperm(len(others)).tolist()]
            shown.append(order[: self.config.comparisons])
        return shown

    def _generator_losses(
        self, n: int, source: Tensor, made: Layered, clock: Clock, *, meeting: bool
    ) -> dict[str, Tensor]:
        """A member's losses: before its discriminator, before the council's, and of its masks."""
        config, game = self.config, ADVERSARIAL[self.config.adversarial]
        judge = self.get_submodule(f"d_{n}")
        with frozen(judge):
            gan = _summed(game.generator(scores) for scores in judge(diff_augment(made.image, config.augment)))
        self._remember(self.gan_losses, n, gan, clock)
        losses = {f"gan_{n}": config.adversarial_weight * gan}
        if meeting:
            judge = self.get_submodule(f"dc_{n}")
            with frozen(judge):
                council = _summed(game.generator(scores) for scores in judge(torch.cat((made.image, source), 1)))
            self._remember(self.council_losses, n, council, clock)
            matched = self.gan_losses[n].mean() / self.council_losses[n].mean() if config.loss_matching else 1.0
            losses[f"council_{n}"] = config.council_weight * matched * council
        if clock.step > config.mask_start:
            losses |= self._mask_losses(n, made.masks)
        return losses

    def _mask_losses(self, n: int, masks: Tensor) -> dict[str, Tensor]:
        """The focus losses (code): masks that are small, smooth, and near 0 or 1."""
        config, losses = self.config, {}
        if config.mask_decided_weight:
            losses[f"mask_decided_{n}"] = config.mask_decided_weight * (1 / ((masks - 0.5).abs() + 0.01)).mean()
        if config.mask_weight:
            losses[f"mask_{n}"] = config.mask_weight * masks.mean().square()
        if config.mask_smooth_weight:
            rows, columns = masks.diff(dim=2).abs().sum(), masks.diff(dim=3).abs().sum()
            losses[f"mask_smooth_{n}"] = config.mask_smooth_weight * (rows + columns) / masks.numel()
        return losses

    @torch.no_grad()
    def _remember(self, history: Tensor, n: int, loss: Tensor, clock: Clock) -> None:
        """Puts `loss` into `history` in the place of the oldest; of a step's parts, the mean of those so far."""
        batch_slice, at = current_batch_slice(), clock.step % self.config.loss_matching_steps
        now = batch_slice.gather(loss.detach().float().reshape(1)).mean()
        history[n, at] = (
            now if not batch_slice.part else history[n, at] + (now - history[n, at]) / (batch_slice.part + 1)
        )

    def _member(self, n: int) -> CouncilGenerator:
        member = self.get_submodule(f"g_{n}")
        assert isinstance(member, CouncilGenerator)
        return member

    def _adam(self, kind: str, lr: float) -> torch.optim.Adam:
        config = self.config
        found = [p for n in self.members for p in self.get_submodule(f"{kind}_{n}").parameters() if p.requires_grad]
        return torch.optim.Adam(found, lr, (config.beta1, config.beta2), weight_decay=config.weight_decay, fused=True)


def make_generator(config: CouncilConfig) -> CouncilGenerator:
    """A member of `config`."""
    return CouncilGenerator(config.width, config.blocks, config.style, config.hidden, config.masks, config.mask_gain)


def _summed(losses: Iterator[Tensor]) -> Tensor:
    """The sum over the scales of a discriminator."""
    return torch.stack(list(losses)).sum()


def _saturated(masks: Tensor) -> Tensor:
    """The share of masks' px that are 0 or 1, near enough."""
    return ((masks - 0.5).abs() > 0.5 - SATURATED).float().mean()
