"""StyleGAN2's pickled networks: modules of the authors' PyTorch code, or of their TensorFlow code, as named tensors.

A module becomes what its state_dict would be. Beside each layer stand the few numbers of its own on which its results
depend, as tensors of one number: conv_clamp (infinite for none), group_size, num_channels, bias_gain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.train.weights import inert_pickle, tensorflow_pickle
from curate.train.weights.format import StateDict
from curate.train.weights.inert_pickle import Stub, Values, is_one

__all__ = ["NUMBERS", "is_one", "read"]

NUMBERS = ("conv_clamp", "group_size", "num_channels", "bias_gain")
DEEPEST = 32  # modules within modules


def read(path: Path) -> list[StateDict]:
    """The networks in the pickle `path`, by their name there: G, D, G_ema. Raises UsageError like inert_pickle.read."""
    content = inert_pickle.read(path)
    if tensorflow_pickle.is_triple(content):
        return tensorflow_pickle.read(content, path)
    if isinstance(content, Mapping):
        modules = {str(key): value for key, value in content.items() if _module(value) is not None}
    else:
        modules = {} if _module(content) is None else {path.stem: content}
    if not modules:
        keys = ", ".join(map(str, list(content)[:8])) if isinstance(content, Mapping) else type(content).__name__
        raise UsageError(f"{path}: holds no networks", f"found: {keys}")
    return [StateDict(name, f"{path}, {name}", dict(_tensors(module, "", 0))) for name, module in modules.items()]


def _module(value: Any) -> Mapping[str, Any] | None:
    """The attributes of a pickled torch module; None for anything else."""
    if not isinstance(value, Stub):
        return None
    state = value.state  # type: ignore[attr-defined]
    if value.args and isinstance(meta := _mapping(value.args[0]), Mapping):  # by persistence: all in its argument
        state = meta.get("state", state)
    attributes = _mapping(state)
    return attributes if attributes is not None and "_parameters" in attributes else None


def _mapping(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, Stub):  # a dict of the project's own class
        return value.items  # type: ignore[attr-defined]
    return value if isinstance(value, Mapping) else None


def _tensors(value: Any, prefix: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    attributes = _module(value)
    if attributes is None or depth > DEEPEST:
        return
    for group in ("_parameters", "_buffers"):
        for name, tensor in (_mapping(attributes.get(group)) or {}).items():
            if isinstance(tensor, Values):
                yield f"{prefix}{name}", tensor.tensor
    for name in NUMBERS:
        if name in attributes:
            number = attributes[name]
            if number is None or isinstance(number, int | float):
                yield f"{prefix}{name}", torch.tensor(math.inf if number is None else float(number))
    for name, child in (_mapping(attributes.get("_modules")) or {}).items():
        yield from _tensors(child, f"{prefix}{name}.", depth + 1)
