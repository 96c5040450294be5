"""Article/Human pairs: a person, the article worn, and another article to wear, in batches like data.unpaired's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.tables import manifest
from curate.train.data import cache, transforms
from curate.train.data.config import DataConfig
from curate.train.data.transforms import to_float
from curate.train.data.unpaired import WHOLE_BATCH, shuffled_index
from curate.train.engine.contract import Batch
from curate.train.engine.rng import BatchSlice, PerImageRng, generator, to_device

LEVELS = 4  # per channel, of the colour histograms that tell articles apart


@dataclass(frozen=True)
class PairSet:
    """The pairs of one split, in pair_id order: person i wears article `worn[i]`. Several may wear the same one."""

    humans: Tensor  # uint8 [N, side, side, 3], memory-mapped
    articles: Tensor  # uint8 [A, side, side, 3], memory-mapped
    worn: Tensor  # int64 [N]
    digest: str  # of names and pixels
    ids: Sequence[str] = ()  # pair_id

    def __len__(self) -> int:
        return len(self.humans)


def load(root: Path, split: str, *, progress: Progress = SILENT) -> PairSet:
    """The accepted pairs in `split`, each article once, decoded into processed/cache unless they lie there already.

    Raises TableError without pairs, UsageError for pictures of unequal size and CurateError for one that is missing or
    unreadable.
    """
    table = manifest.accepted(manifest.read(manifest.PAIRS, root)).to_pylist()
    rows = [row for row in table if row["split"] == split]
    products: dict[tuple[str, str], int] = {}
    articles: list[cache.Picture] = []
    for row in rows:
        product = (row["domain"], row["group_id"])
        if product not in products:
            products[product] = len(articles)
            articles.append((row["pair_id"], row["article_path"]))
    humans = [(row["pair_id"], row["human_path"]) for row in rows]
    human_images, one = cache.load_decoded(root, f"pairs\n{split}\nhuman", humans, "curate pairs", progress)
    article_images, other = cache.load_decoded(root, f"pairs\n{split}\narticle", articles, "curate pairs", progress)
    worn = torch.tensor([products[row["domain"], row["group_id"]] for row in rows], dtype=torch.int64)
    return PairSet(human_images, article_images, worn, f"{one}+{other}", [name for name, _ in humans])


class PairedBatches:
    """Batches of "human", the "article" worn and an "other" one, a pure function of (seed, step) like data.unpaired's.

    An epoch goes once through the people, in a shuffled order. The other article is any but the one worn, uniformly;
    with config.candidates above 1, the one of so many drawn whose colours are most unlike those of the one worn: an
    article that looks the same does not teach that it is the wrong one. A person and the article worn are mirrored
    together, the other article on its own. Only people are cut at random: an article is always whole.
    """

    def __init__(
        self,
        pair_set: PairSet,
        config: DataConfig,
        *,
        batch: int,
        seed: int,
        device: torch.device | str = "cpu",
        batch_slice: BatchSlice = WHOLE_BATCH,
    ) -> None:
        self._colours = histograms(pair_set.articles) if config.candidates > 1 else None
        self.worn = pair_set.worn
        self.humans = cache.to_device_if_small(pair_set.humans, device)
        self.articles = cache.to_device_if_small(pair_set.articles, device)
        self.config, self.batch, self.seed, self.device, self.batch_slice = config, batch, seed, device, batch_slice
        self.epoch = len(pair_set)  # pairs

    def __call__(self, step: int) -> Batch:
        """Step `step`'s images, float32 [batch * parts, 3, size, width] in [-1, 1] each."""
        positions = self.batch_slice.positions(step, self.batch)
        rng = PerImageRng([generator(self.seed, "image", position) for position in positions])
        indices = torch.stack([shuffled_index(self.seed, position, self.epoch) for position in positions])
        own = self.worn[indices]
        other = self._other_articles(own, rng)
        together, alone = (rng.rand(2) < self.config.flip).unbind(1)
        people = prepare_person(self._images(self.humans, indices), self.config, rng)
        worn, wanted = (prepare_article(self._images(self.articles, i), self.config) for i in (own, other))
        return {
            "human": transforms.mirror(people, together),
            "article": transforms.mirror(worn, together),
            "other": transforms.mirror(wanted, alone),
        }

    def _images(self, pictures: Tensor, indices: Tensor) -> Tensor:
        return to_float(pictures[to_device(indices, pictures.device)], self.device)

    def _other_articles(self, own: Tensor, rng: PerImageRng) -> Tensor:
        """For each article of `own`, int64 [N], another one."""
        drawn = rng.randint(len(self.articles) - 1, self.config.candidates)
        drawn += drawn >= own[:, None]  # skips the one worn, and every other one stays as likely
        if self._colours is None:
            return drawn[:, 0]
        unlike = (self._colours[drawn] - self._colours[own][:, None]).abs().sum(-1)
        return drawn.gather(1, unlike.argmax(1, keepdim=True))[:, 0]


def all_combinations(pair_set: PairSet, config: DataConfig, count: int, device: torch.device | str = "cpu") -> Batch:
    """Every combination of up to `count` people, one per article, with their articles: people change fastest.

    Float32 [count * count, 3, size, width] in [-1, 1] under "human", "article" and "other".
    """
    firsts = {int(number): i for i, number in reversed(list(enumerate(pair_set.worn.tolist())))}
    numbers = sorted(firsts)[:count]
    people = prepare_person(to_float(pair_set.humans[[firsts[number] for number in numbers]], device), config)
    articles = prepare_article(to_float(pair_set.articles[numbers], device), config)
    n = len(numbers)
    return {
        "human": people.repeat(n, 1, 1, 1),
        "article": articles.repeat(n, 1, 1, 1),
        "other": articles.repeat_interleave(n, 0),
    }


def with_next_article(
    pair_set: PairSet, config: DataConfig, start: int, stop: int, *, device: torch.device | str = "cpu"
) -> Batch:
    """The people from number `start` to `stop`, each to wear the article after the own one."""
    own = pair_set.worn[start:stop]
    worn, wanted = (
        prepare_article(to_float(pair_set.articles[at % len(pair_set.articles)], device), config)
        for at in (own, own + 1)
    )
    return {
        "human": prepare_person(to_float(pair_set.humans[start:stop], device), config),
        "article": worn,
        "other": wanted,
    }


def prepare_person(pictures: Tensor, config: DataConfig, rng: PerImageRng | None = None) -> Tensor:
    """Letterboxed `pictures` [N, 3, S, S] as the networks see them; with `rng`, enlarged to config.load and cut."""
    height, width = config.size, config.width or config.size
    left, part = person_window(pictures.shape[3], config)
    middle = pictures[..., left : left + part]
    if rng is None or config.load is None:
        return transforms.resize(middle, height, width)
    larger = transforms.resize(middle, config.load, round(config.load * width / height))
    return transforms.crop_and_flip(larger, height, 0.0, rng, width)


def person_window(side: int, config: DataConfig) -> tuple[int, int]:
    """Where the part of a letterboxed square starts that networks see of a person, and how wide it is; px."""
    part = min(side, round(side * (config.width or config.size) / config.size))
    return (side - part) // 2, part


def prepare_article(pictures: Tensor, config: DataConfig) -> Tensor:
    """Letterboxed `pictures` [N, 3, S, S] as the networks see them: whole, on more background where that is needed."""
    height, width = config.size, config.width or config.size
    whole = transforms.resize(pictures, min(height, width))
    rest = [(n - min(height, width)) for n in (width, height)]
    return F.pad(whole, [rest[0] // 2, -(-rest[0] // 2), rest[1] // 2, -(-rest[1] // 2)], mode="replicate")


def histograms(pictures: Tensor) -> Tensor:
    """The colours of uint8 `pictures` [N, H, W, 3]: shares of LEVELS ** 3 bins, float32 [N, bins]."""
    shares = torch.zeros(len(pictures), LEVELS**3)
    for i, picture in enumerate(pictures):
        red, green, blue = (picture[::4, ::4].long() * LEVELS // 256).unbind(-1)
        bins = (red * LEVELS + green) * LEVELS + blue
        shares[i] = bins.flatten().bincount(minlength=LEVELS**3) / bins.numel()
    return shares
