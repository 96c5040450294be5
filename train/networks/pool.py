"""Fakes of earlier steps, shown to the discriminator again."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """Keeps up to `capacity` images and mixes them with new ones; 0 passes everything through.

    Shrivastava et al., Learning from Simulated and Unsupervised Images (2017), section 2.3, as in Zhu et al. (2017),
    section 4. The images are extra state, so a resumed run mixes on as if it had never stopped.
    """

    def __init__(self, capacity: int = 50) -> None:
        super().__init__()
        self.capacity = capacity
        self.kept: list[Tensor] = []  # [C, H, W] each

    def forward(self, images: Tensor) -> Tensor:
        """`images` [N, C, H, W], detached; once the pool is full, half of them swapped for old ones."""
        if not self.capacity:
            return images.detach()
        return torch.stack([self._swap(image) for image in images.detach()])

    def _swap(self, image: Tensor) -> Tensor:
        if len(self.kept) < self.capacity:
            self.kept.append(image)
            return image
        if torch.rand(()).item() < 0.5:
            slot = int(torch.randint(self.capacity, ()).item())
            old, self.kept[slot] = self.kept[slot].to(image.device), image
            return old
        return image

    def get_extra_state(self) -> Tensor:
        """The kept images, [n, C, H, W]; [0] when there are none."""
        return torch.stack(self.kept) if self.kept else torch.empty(0)

    def set_extra_state(self, state: Tensor) -> None:
        self.kept = list(state.clone()) if state.numel() else []
