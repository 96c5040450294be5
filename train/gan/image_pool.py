"""Fakes of earlier steps, shown to the discriminator again."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from curate.train.engine.rng import current_batch_slice, rand_all_ranks, randint_all_ranks


class ImagePool(nn.Module):
    """Keeps up to `capacity` images and mixes them with new ones; 0 passes everything through.

    Shrivastava et al., Learning from Simulated and Unsupervised Images (2017), section 2.3, as in Zhu et al. (2017),
    section 4. The images are extra state, so a resumed run mixes on as if it had never stopped. Each of several
    processes keeps the images of all, taken in in the same order, so that all have the same pool.
    """

    def __init__(self, capacity: int = 50) -> None:
        super().__init__()
        self.capacity = capacity
        self.images: list[Tensor] = []  # [C, H, W] each

    def forward(self, images: Tensor) -> Tensor:
        """`images` [N, C, H, W], detached; once the pool is full, half of them swapped for old ones."""
        if not self.capacity:
            return images.detach()
        batch_slice, count = current_batch_slice(), len(images)
        swaps = rand_all_ranks(count) < 0.5
        slots = randint_all_ranks(0, self.capacity, count)
        choices = zip(swaps.tolist(), slots.tolist(), strict=True)
        gathered = batch_slice.gather(images.detach())
        mixed = [self._swap(image, swap, slot) for image, (swap, slot) in zip(gathered, choices, strict=True)]
        return torch.stack(mixed[batch_slice.rank * count : (batch_slice.rank + 1) * count])

    def _swap(self, image: Tensor, swap: bool, slot: int) -> Tensor:
        if len(self.images) < self.capacity:
            self.images.append(image.clone())  # a view would keep its whole batch
            return image
        if not swap:
            return image
        old, self.images[slot] = self.images[slot].to(image.device), image.clone()
        return old

    def get_extra_state(self) -> Tensor:
        """The images that are kept, [n, C, H, W]; [0] when there are none."""
        return torch.stack(self.images) if self.images else torch.empty(0)

    def set_extra_state(self, state: Tensor) -> None:
        if state.numel() and state.ndim != 4:
            raise ValueError(f"a pool of images of shape {list(state.shape)}")
        self.images = list(state.clone()) if state.numel() else []
