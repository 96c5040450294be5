"""One domain of crops, or several that are the classes of one set: in batches that are a function of the step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.pipeline.tables import manifest
from curate.train.data import transforms
from curate.train.data.config import DataConfig
from curate.train.data.transforms import to_float
from curate.train.data.unpaired import WHOLE_BATCH, Domain, shuffled_index
from curate.train.engine.contract import Batch
from curate.train.engine.rng import BatchSlice, PerImageRng, generator, to_device


class SingleBatches:
    """Batches of the images of all `domains`, a pure function of (seed, step); an epoch has each of them once.

    What is drawn for an image depends on its number in the run alone, as of UnpairedBatches.
    """

    def __init__(
        self,
        domains: Sequence[Domain],
        config: DataConfig,
        *,
        batch: int,
        seed: int,
        device: torch.device | str = "cpu",
        batch_slice: BatchSlice = WHOLE_BATCH,
    ) -> None:
        self.domains = [domain.to_device_if_small(device) for domain in domains]
        self.config, self.batch, self.seed, self.device, self.batch_slice = config, batch, seed, device, batch_slice
        self._firsts = [0, *accumulate(len(domain) for domain in domains)]
        self.epoch = self._firsts[-1]  # images

    def __call__(self, step: int) -> Batch:
        """Step `step`'s images: "a", float32 [batch * parts, 3, size, size] in [-1, 1], and one-hot "labels"."""
        positions = self.batch_slice.positions(step, self.batch)
        rng = PerImageRng([generator(self.seed, "image", position) for position in positions])
        images = self.images([int(shuffled_index(self.seed, position, self.epoch)) for position in positions])
        side = self.config.size
        loaded = transforms.resize(images["a"], self.config.load or side)
        return {**images, "a": transforms.crop_and_flip(loaded, side, self.config.flip, rng)}

    def images(self, numbers: Sequence[int]) -> Batch:
        """Those of `numbers` among all images, at their own size: "a", and of several domains one-hot "labels"."""
        pixels, classes = [], []
        for number in numbers:
            which = next(k for k, end in enumerate(self._firsts[1:]) if number < end)
            pixels.append(self.domains[which].images[number - self._firsts[which]])
            classes.append(which)
        batch = {"a": to_float(torch.stack(pixels), self.device)}
        if len(self.domains) > 1:
            batch["labels"] = to_device(torch.eye(len(self.domains))[classes], self.device)
        return batch


def latents(seeds: Sequence[int], z_dim: int) -> Tensor:
    """z float32 [N, z_dim] of these seeds, the same as StyleGAN2's authors draw for them."""
    drawn = [np.random.RandomState(seed).randn(z_dim) for seed in seeds]
    return torch.from_numpy(np.stack(drawn)).float()


def resolve_single(root: Path, config: DataConfig) -> tuple[Mapping[str, str], Sequence[str]]:
    """The domain that stands for "a", and all that train: it alone, or data.classes. Raises UsageError."""
    if config.classes:
        return {"a": config.classes[0]}, config.classes
    if config.domains:
        if set(config.domains) != {"a"}:
            raise UsageError(f"domains: {', '.join(config.domains)}: must name a alone", "domains: {a: portraits}")
        return config.domains, (config.domains["a"],)
    known = sorted(set(manifest.accepted(manifest.read(manifest.DATASET, root))["domain"].to_pylist()))
    if len(known) != 1:
        raise UsageError(
            f"{manifest.DATASET.path(root)}: has {len(known)} domains ({', '.join(known) or 'none'}), not one",
            "say which one: --a NAME, or train.NAME.data.domains in params.yaml; several as classes: data.classes",
        )
    return {"a": known[0]}, known
