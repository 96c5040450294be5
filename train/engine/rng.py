"""Random numbers that stay with their image, however a step's images are spread over processes and parts.

A step's images may go through the networks in several parts (run.accumulate) and in several processes. What is drawn
for some of them is drawn for all of the step's images, and the rows of the others are left out: an image gets the
numbers that it would have got in one process with the whole batch. Everything is drawn on the CPU, so that every device
sees the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Generator, Tensor


def _identity(images: Tensor) -> Tensor:
    return images


@dataclass(frozen=True)
class BatchSlice:
    """Which of a step's images are being worked on: those of part `part` of `parts` in process `rank` of `ranks`.

    A step's images are ordered by part, then by process.
    """

    part: int = 0
    parts: int = 1
    rank: int = 0
    ranks: int = 1
    gather: Callable[[Tensor], Tensor] = _identity  # [N, ...] of this process -> [ranks * N, ...], by rank

    def positions(self, step: int, batch: int) -> list[int]:
        """Where this process's images, `batch` for each part, stand among all images of a run, at `step`."""
        firsts = (((step * self.parts + part) * self.ranks + self.rank) * batch for part in range(self.parts))
        return [first + row for first in firsts for row in range(batch)]

    @property
    def whole(self) -> bool:
        """Whether these are all of the step's images."""
        return self.parts * self.ranks == 1


_active = [BatchSlice()]  # the innermost block's is the last


def current_batch_slice() -> BatchSlice:
    """Which images are being worked on: those of the innermost `using_batch_slice`, or all of them."""
    return _active[-1]


@contextmanager
def using_batch_slice(batch_slice: BatchSlice) -> Iterator[None]:
    """Within the block, `current_batch_slice()` is `batch_slice`. The loop says so around each part of a step."""
    _active.append(batch_slice)
    try:
        yield
    finally:
        _active.pop()


def rand(count: int, *shape: int) -> Tensor:
    """Uniform in [0, 1), float32 [count, *shape] for the `count` images at hand, from torch's own generator."""
    return _own_rows(torch.rand(count * _active[-1].parts * _active[-1].ranks, *shape), count)


def randint(low: int, high: int, count: int, *shape: int) -> Tensor:
    """Uniform in [low, high), int64 [count, *shape], from torch's own generator."""
    return _own_rows(torch.randint(low, high, (count * _active[-1].parts * _active[-1].ranks, *shape)), count)


def rand_all_ranks(count: int) -> Tensor:
    """Like `rand`, for the images of every process that are at hand in this part, `count` in each: [ranks * count]."""
    return _rows_of_part(torch.rand(count * _active[-1].parts * _active[-1].ranks), count)


def randint_all_ranks(low: int, high: int, count: int) -> Tensor:
    """Like `randint`, for the images of every process in this part: [ranks * count]."""
    return _rows_of_part(torch.randint(low, high, (count * _active[-1].parts * _active[-1].ranks,)), count)


def noise_like(images: Tensor) -> Tensor:
    """N(0, 1) of the shape [N, ...], kind and device of `images`. The one thing that is drawn on the device itself."""
    if _active[-1].whole:
        return torch.randn_like(images, memory_format=torch.contiguous_format)  # the same whatever layout they have
    whole = torch.randn(len(images) * _active[-1].parts * _active[-1].ranks, *images.shape[1:]).to(images)
    return _own_rows(whole, len(images))


def _own_rows(drawn: Tensor, count: int) -> Tensor:
    first = (_active[-1].part * _active[-1].ranks + _active[-1].rank) * count
    return drawn[first : first + count]


def _rows_of_part(drawn: Tensor, count: int) -> Tensor:
    first = _active[-1].part * _active[-1].ranks * count
    return drawn[first : first + _active[-1].ranks * count]


class PerImageRng:
    """One generator for each image: its draws depend on nothing else, neither on its place in a batch nor on others."""

    def __init__(self, generators: Sequence[Generator]) -> None:
        self._generators = generators

    def __len__(self) -> int:
        return len(self._generators)

    def rand(self, *shape: int) -> Tensor:
        """Uniform in [0, 1), float32 [N, *shape]."""
        return torch.stack([torch.rand(shape, generator=own) for own in self._generators])

    def randint(self, high: int, *shape: int) -> Tensor:
        """Uniform in [0, high), int64 [N, *shape]."""
        return torch.stack([torch.randint(high, shape, generator=own) for own in self._generators])


def to_device(tensor: Tensor, device: torch.device | str) -> Tensor:
    """`tensor` on `device`. From the CPU to a GPU by pinned memory, so that the CPU need not wait for the GPU."""
    if tensor.device.type == "cpu" and torch.device(device).type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def derive_seed(*names: int | str) -> int:
    """63 bits that depend on `names` alone."""
    digest = hashlib.blake2b(repr(names).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(*names: int | str) -> torch.Generator:
    """A generator on the CPU that depends on `names` alone, so that every device sees the same draws."""
    return torch.Generator().manual_seed(derive_seed(*names))
