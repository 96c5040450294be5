"""How a recipe's networks are run, apart from what they compute: layout, compilation, kinds of arithmetic.

Each of them gives the outputs and the gradients of plain fp32 up to rounding, as far as
tests/train/engine/test_precision.py says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from curate.pipeline.core.errors import CurateError, UsageError
from curate.train.engine.config import Compile, PrecisionName
from curate.train.engine.contract import Batch, Recipe


@dataclass(frozen=True)
class Precision:
    """The defaults are plain fp32, for parity; train.NAME.run has its own."""

    dtype: PrecisionName = "fp32"  # bf16: networks under autocast; norms' statistics and all losses stay in fp32
    tf32: bool = False  # of a GPU's convolutions and matrix products: 10 bits of mantissa in place of 23
    channels_last: bool = False  # channels innermost in memory, as tensor cores want them
    compile: Compile = "none"  # each network by torch.compile; graphs: replayed as CUDA graphs, too

    def prepare(self, recipe: Recipe) -> None:
        """Makes `recipe`, which is where it will train, run its networks this way.

        Raises UsageError for what this machine can't do.
        """
        networks: Any = recipe
        if self.channels_last:
            networks.to(memory_format=torch.channels_last)
        if self.compile == "none":
            return
        if self.compile == "graphs" and not torch.cuda.is_available():
            raise UsageError("run.compile: graphs: CUDA graphs want a GPU", "set run.compile to default, or none")
        how = {"mode": "reduce-overhead"} if self.compile == "graphs" else {}
        for network in networks.children():
            fresh = network._compiled_call_impl is None
            if fresh and any(parameter.requires_grad for parameter in network.parameters()):
                network.compile(dynamic=False, **how)

    def in_layout(self, batch: Batch) -> Batch:
        """`batch` as the networks want it in memory."""
        if not self.channels_last:
            return batch
        layout = torch.channels_last
        return {key: part.contiguous(memory_format=layout) if part.ndim == 4 else part for key, part in batch.items()}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Within the block, torch computes as it is asked to; compilers that fail say what to do about it."""
        before = (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.tf32
        try:
            if self.compile == "none":
                yield
            else:
                with _compiling(self.compile):
                    yield
        finally:
            torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before

    def start_step(self) -> None:
        """Called before each step: CUDA graphs may then take back what the last one left."""
        if self.compile == "graphs":
            torch.compiler.cudagraph_mark_step_begin()

    @contextmanager
    def uncompiled(self) -> Iterator[None]:
        """Within the block nothing is compiled anew: for samples, whose batches have other shapes."""
        if self.compile == "none":
            yield
        else:
            with torch.compiler.set_stance("force_eager"):
                yield


@contextmanager
def _compiling(how: Compile) -> Iterator[None]:
    from torch._dynamo.exc import TorchDynamoException  # importing it costs a second
    from torch._inductor.exc import InductorError

    try:
        yield
    except (TorchDynamoException, InductorError) as error:
        raise _not_compiled(how, error) from error
    except RuntimeError as error:
        if "double backward" not in str(error):
            raise
        raise _not_compiled(how, error) from error


def _not_compiled(how: Compile, error: Exception) -> CurateError:
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return CurateError(
        f"run.compile: {how}: torch could not compile a network: {first}",
        "set run.compile to none; it needs a C++ compiler, and no gradient penalties (model.r1_weight)",
    )


def select_device(name: str) -> torch.device:
    """The device that run.device asks for; of several processes, each has its GPU. Raises UsageError for none there."""
    place = int(os.environ.get("LOCAL_RANK", "0"))
    if name == "auto":
        return torch.device("cuda", place) if torch.cuda.is_available() else torch.device("cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("run.device: cuda: torch sees no GPU here", "use --device auto, or see: curate doctor")
    return torch.device("cuda", place) if name == "cuda" else torch.device(name)
