"""What networks measure over a whole image, so that its tiles can be treated alike.

Instance norms, and layers that steer by pooled features, see all of an image at once. Where an image is too large for
that, they measure a smaller copy of it, and use what they found for its tiles: tiles that are normalised each by itself
have colours and contrasts of their own, and the image falls into squares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

Measured = tuple[Tensor, ...]


class WholeImage:
    """The values of one network's forward of an image, in the order in which it measures them."""

    def __init__(self) -> None:
        self._values: list[Measured] = []
        self._next: int | None = None  # place of the value that is used next; None while they are measured

    @contextmanager
    def measure(self) -> Iterator[None]:
        """In the block the network sees the image itself."""
        self._values.clear()
        with self._current(None):
            yield

    @contextmanager
    def use(self) -> Iterator[None]:
        """In the block it sees a tile, and gets the image's values in place of the tile's."""
        with self._current(0):
            yield

    def value(self, compute: Callable[[], Measured]) -> Measured:
        """What `compute` measures, or measured of the image."""
        if self._next is None:
            self._values.append(compute())
            return self._values[-1]
        self._next += 1
        return self._values[self._next - 1]

    @contextmanager
    def _current(self, start: int | None) -> Iterator[None]:
        self._next = start
        _CURRENT.append(self)
        try:
            yield
        finally:
            _CURRENT.pop()


_CURRENT: list[WholeImage] = []  # the image whose tiles are at hand, if any


def is_tiled() -> bool:
    """Whether an image and its tiles are at hand."""
    return bool(_CURRENT)


def over_image(compute: Callable[[], Measured]) -> Measured:
    """What `compute` measures over all places of a map: of the whole image, where its tiles are at hand."""
    return _CURRENT[-1].value(compute) if _CURRENT else compute()


def variance_and_mean(x: Tensor, correction: int) -> Measured:
    """Variance and mean, [N, C, 1, 1] each, of x [N, C, H, W] over all places, as `over_image` means it."""
    return over_image(lambda: torch.var_mean(x, (2, 3), correction=correction, keepdim=True))
