"""Several processes that train one run together, as torchrun starts them; alone, a world of one.

Nothing wraps the networks: the loop averages gradients before each optimiser's step, in buckets. Whatever a process
keeps, it keeps equal to the others': weights, moments, averages and image pools are everywhere the same function of the
whole batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from curate.pipeline.core.errors import CurateError, UsageError

BUCKET = 2**26  # bytes that are sent at once: enough to fill a link, little beside a network
TIMEOUT = timedelta(minutes=30)  # for the first process to decode the pictures, or to draw samples


@dataclass(frozen=True)
class World:
    """The processes of a run: this one is the `rank`-th of `size`."""

    rank: int = 0
    size: int = 1

    @torch.no_grad()
    def average(self, tensors: Sequence[Tensor]) -> None:
        """Puts the mean over the processes into each of `tensors`, in place."""
        if self.size == 1:
            return
        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
            with _lost_process_named():
                dist.all_reduce(flat)
            flat.div_(self.size)
            for tensor, mean in zip(bucket, flat.split([tensor.numel() for tensor in bucket]), strict=True):
                tensor.copy_(mean.view_as(tensor))

    def gather(self, images: Tensor) -> Tensor:
        """[N, ...] of every process as [size * N, ...], by rank; N is the same everywhere."""
        if self.size == 1:
            return images
        all_images = images.new_empty(self.size * len(images), *images.shape[1:])
        with _lost_process_named():
            dist.all_gather(list(all_images.chunk(self.size)), images.contiguous())
        return all_images

    @torch.no_grad()
    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """Puts the first process's values into each of `tensors`, in place."""
        if self.size > 1:
            for tensor in tensors:
                with _lost_process_named():
                    dist.broadcast(tensor, 0)

    def any(self, flag: bool) -> bool:
        """Whether `flag` holds in any process."""
        return max(self._all_gather(int(flag))) > 0

    def check_same_step(self, step: int) -> None:
        """Raises UsageError unless all processes are at the same `step`."""
        found = self._all_gather(step)
        if len(set(found)) > 1:
            raise UsageError(
                f"the processes start at different steps: {', '.join(map(str, found))}",
                "all of them must see the same run folder: put it on a shared disk",
            )

    def from_first(self, number: int) -> int:
        """The first process's `number`, in every process."""
        return self._all_gather(number)[0]

    def _all_gather(self, number: int) -> list[int]:
        """The `number` of every process, by rank."""
        if self.size == 1:
            return [number]
        numbers: list[int | None] = [None] * self.size
        with _lost_process_named():
            dist.all_gather_object(numbers, number, group=_cpu_group())
        return [int(each) for each in numbers if each is not None]

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        """The block runs in the first process, and then in the others: what one must write, all may read."""
        if self.rank:
            self._all_gather(0)
        yield
        if not self.rank:
            self._all_gather(0)


ALONE = World()


@contextmanager
def init_distributed(device: str) -> Iterator[World]:
    """The world that torchrun made this process a part of, within the block; without torchrun, a world of one.

    The processes talk by NCCL when `device`, as run.device has it, is a GPU, else by gloo. Raises UsageError for too
    few GPUs.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    gpu = device != "cpu" and torch.cuda.is_available()
    if gpu:
        local_rank, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local_rank >= gpus:
            raise UsageError(
                f"torchrun started more processes here than there are GPUs, {gpus}",
                f"torchrun --nproc-per-node {gpus}; or on the CPU: --device cpu",
            )
        torch.cuda.set_device(local_rank)
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo", timeout=TIMEOUT)
    try:
        yield World(dist.get_rank(), dist.get_world_size())
    finally:
        _groups.clear()
        dist.destroy_process_group()


_groups: list[dist.ProcessGroup] = []


def _cpu_group() -> dist.ProcessGroup:
    """The processes as a group that talks from CPU to CPU, so that no answer waits for a GPU."""
    if not _groups:
        _groups.append(dist.new_group(backend="gloo", timeout=TIMEOUT))
    return _groups[0]


@contextmanager
def _lost_process_named() -> Iterator[None]:
    """Within the block, a process that can't be reached any more is a CurateError with what to do."""
    try:
        yield
    except RuntimeError as error:
        raise CurateError(
            f"lost another process of this run: {str(error).splitlines()[0]}",
            "it said why above; the same torchrun command goes on from the last checkpoint",
        ) from error


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """`tensors` in runs of one kind and at most BUCKET bytes; a larger one stands alone."""
    bucket: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if bucket and (size + tensor.nbytes > BUCKET or tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.nbytes
    if bucket:
        yield bucket
